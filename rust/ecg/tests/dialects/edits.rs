//! Ten thousand random edits of real files (shortened, so that edits hit structure as often as samples), and of made-up ones where there
//! is no real one at hand: a value or an error, never a panic, the parser stays usable, and what it remembers of the files before changes
//! nothing.

use std::path::PathBuf;

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Recording, Signal};

use crate::{files, parse};

/// Characters of a payload that are kept: whole groups of base64, several lines.
const KEPT: usize = 544;

/// The file with every long stretch of text cut at white space or a comma, or to whole groups of base64.
fn shortened(xml: &str) -> String {
    let mut out = String::new();
    for piece in xml.split_inclusive('<') {
        let (tag, text) = piece.split_at(piece.find('>').map_or(0, |end| end + 1));
        out.push_str(tag);
        if text.len() <= 2 * KEPT {
            out.push_str(text);
            continue;
        }
        let is_list = text.bytes().take(200).all(|byte| byte.is_ascii_digit() || b" ,-\r\n\t".contains(&byte));
        if is_list {
            let end = text[..KEPT].rfind([' ', ',', '\n']).unwrap_or(KEPT);
            out.push_str(&text[..end]);
        } else {
            let kept: String = text.chars().filter(|character| !character.is_ascii_whitespace()).take(KEPT).collect();
            out.push_str(&kept);
        }
        out.push('<');
    }
    out
}

/// Real files where the checkout has them.
fn originals() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> =
        files().into_iter().map(|(dialect, xml)| (dialect.name().to_owned(), shortened(&xml).into_bytes())).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    for kind in ["muse", "sierra", "aecg"] {
        let Ok(entries) = std::fs::read_dir(folder.join(kind)) else { continue };
        let mut real: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        real.sort();
        for path in real {
            let bytes = std::fs::read(&path).unwrap();
            // What is compressed cannot be cut: those files are edited whole.
            let text = if kind == "sierra" { None } else { std::str::from_utf8(&bytes).ok().map(shortened) };
            found.push((path.display().to_string(), text.map_or(bytes, String::into_bytes)));
        }
    }
    found
}

#[test]
fn ten_thousand_edits_of_every_file_are_a_value_or_an_error() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let options = ParseOptions { keep_statements: true, ..ParseOptions::default() };
    let mut parser = Parser::new(options);
    let (mut resampler, mut recording, mut stored) = (Resampler::new(), Recording::default(), Signal::default());
    for (name, original) in originals() {
        let clean = parse(&original);
        let (mut num_edits, mut num_errors) = (0, 0);
        while num_edits < 10_000 {
            let mut bytes = original.clone();
            // Large files take more edits at a time, so that all files take about as long.
            for _ in 0..1 + bytes.len() / 1500 + random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"<>/!-[]&\"'=, 7\0\n"[random(16)]),
                }
                num_edits += 1;
            }
            let parsed = parser.parse(&bytes, &mut recording);
            num_errors += usize::from(parsed.is_err());
            let mut fresh = Recording::default();
            assert_eq!(parsed, Parser::new(options).parse(&bytes, &mut fresh), "{name}: as by a parser that has read nothing");
            if parsed.is_ok() {
                assert_eq!(recording, fresh, "{name}: as by a parser that has read nothing");
                let _ = resampler.to_store(&recording.signal, &mut stored);
            }
        }
        assert!(num_errors > 0, "{name}: the edits do nothing");
        assert_eq!(
            parser.parse(&original, &mut recording).map(|()| recording.signal.clone()),
            clean.map(|found| found.signal),
            "{name}"
        );
    }
}
