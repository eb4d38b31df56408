//! Encodings, labels and stray text: one row a way to spell the same file, and the same recording from each.

use hfrisk_ecg::Dialect;

use crate::{files, parse};

/// The file without its declaration, behind `prolog`.
fn behind(prolog: &str, xml: &str) -> String {
    let body = if xml.starts_with("<?xml") { &xml[xml.find("?>").unwrap() + 2..] } else { xml };
    format!("{prolog}{}", body.trim_start())
}

/// The file with other text in place of the person's name.
fn named(xml: &str, name: &[u8]) -> Vec<u8> {
    let (before, after) = xml.split_once(">Hong<").expect("a name in an element");
    [before.as_bytes(), b">", name, b"<", after.as_bytes()].concat()
}

fn utf16(xml: &str, little_endian: bool, mark: &str) -> Vec<u8> {
    let units = format!("{mark}{xml}").encode_utf16().collect::<Vec<u16>>();
    units.iter().flat_map(|unit| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

fn spellings(xml: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("as it is", xml.into()),
        ("CR LF", xml.replace("\r\n", "\n").replace('\n', "\r\n").into()),
        ("a UTF-8 mark", format!("\u{feff}{xml}").into()),
        ("UTF-16LE with a mark", utf16(xml, true, "\u{feff}")),
        ("UTF-16BE with a mark", utf16(xml, false, "\u{feff}")),
        ("UTF-16LE without a mark", utf16(xml, true, "")),
        ("UTF-16BE without a mark", utf16(xml, false, "")),
        ("no declaration", behind("", xml).into()),
        ("white space before the root", behind("\n \t", xml).into()),
        ("the label utf-16 on other bytes", behind("<?xml version=\"1.0\" encoding=\"utf-16\"?>", xml).into()),
        ("a label that nobody knows", behind("<?xml version=\"1.0\" encoding=\"ISO8859-1\"?>\r\n", xml).into()),
        ("comments before the root", behind("<?xml version = '1.0'?><!-- <RestingECG> --><!--\n-->", xml).into()),
        (
            "a doctype with entities",
            behind("<!DOCTYPE a [<!ENTITY b \"<AnnotatedECG>\"><!ENTITY c SYSTEM 'file:///etc/passwd'>]>", xml).into(),
        ),
        ("a comment after the root", format!("{xml}<!-- x -->\n").into()),
        ("a name in cp949", named(xml, b"\xC8\xAB\xB1\xE6\xB5\xBF")),
        ("a name in UTF-8", named(xml, "홍길동".as_bytes())),
        ("a name in ISO-8859-1", named(xml, b"H\xF6ng \xE9")),
        ("raw & and <", named(xml, b"A & B < C <D")),
        ("control characters", named(xml, b"\x01\x02\x0b\x1f\x7f")),
        ("a reference to a character that is none", named(xml, b"&#x0;&#xFFFFFFFF;&nosuch;")),
        ("CDATA in a name", named(xml, b"<![CDATA[</RestingECG></AnnotatedECG> & <x>]]>")),
        ("a comment in a name", named(xml, b"Hong<!-- </CardiologyXML></restingecgdata></examdescript> -->")),
        ("an instruction in a name", named(xml, b"<?x </a> ?>Hong")),
    ]
}

#[test]
fn every_spelling_of_a_file_gives_the_same_recording() {
    for (dialect, xml) in files() {
        let expected = parse(xml.as_bytes()).unwrap();
        assert_eq!(expected.dialect, dialect);
        for (name, bytes) in spellings(&xml) {
            assert_eq!(parse(&bytes).as_ref(), Ok(&expected), "{dialect:?}: {name}");
        }
    }
}

#[test]
fn a_file_that_ends_early_is_truncated_wherever_it_ends() {
    for (dialect, xml) in files() {
        let root = xml.find("<RestingECG").or_else(|| xml.find("<restingecgdata")).unwrap_or(60);
        for num_bytes in (root + 30..xml.trim_end().len()).step_by(xml.len() / 97) {
            let error = parse(&xml.as_bytes()[..num_bytes]).expect_err("a file without its end");
            assert_eq!(error.kind(), "truncated", "{dialect:?}, {num_bytes} bytes");
            assert!(error.byte_offset().is_some_and(|offset| offset < num_bytes as u64), "{dialect:?}: {error:?}");
        }
    }
}

#[test]
fn what_is_no_file_of_any_dialect_is_named() {
    let roots = ["html", "ECG", "RestingECGs", "x:AnnotatedECGs"];
    for root in roots {
        let error = parse(format!("<?xml version='1.0'?>\n<{root}><RestingECG/></{root}>").as_bytes()).unwrap_err();
        assert_eq!(error.kind(), format!("unsupported_format:{}", root.trim_start_matches("x:")));
        assert_eq!(error.byte_offset(), Some(22), "{root}");
    }
    for (bytes, kind) in [(&b""[..], "empty_file"), (b" \n", "empty_file"), (b"\x89PNG\r\n", "not_xml"), (b"{}", "not_xml")] {
        assert_eq!(parse(bytes).unwrap_err().kind(), kind);
    }
}

#[test]
fn every_dialect_has_a_file_here() {
    assert_eq!(files().map(|(dialect, _)| dialect.name()).len(), Dialect::ALL.len());
    assert!(Dialect::ALL.iter().all(|dialect| files().iter().any(|(found, _)| found == dialect)));
}
