//! What must hold for every file: the result depends on names, bytes, gains, units and the rate, and on nothing else; and nothing panics.

use hfrisk_ecg::Recording;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::builder::{LeadXml, Muse, WaveformXml, element, wave};

fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let mut recording = Recording::default();
    let options = ParseOptions { keep_statements: true, ..ParseOptions::default() };
    Parser::new(options).parse(bytes, &mut recording).map(|()| recording).map_err(|error| error.kind())
}

/// A small file: 40 samples a lead, gains of its own, maybe twelve leads.
fn small_file() -> impl Strategy<Value = Muse> {
    let gain = prop_oneof![Just("4.88"), Just("5"), Just("-10"), Just("1.19e-05")];
    let lead = (proptest::collection::vec(any::<i16>(), 40), gain);
    (proptest::collection::vec(lead, 12), any::<bool>()).prop_map(|(contents, twelve)| {
        let mut file = Muse::new();
        let mut leads = Vec::new();
        for (lead, (counts, gain)) in hfrisk_ecg::Lead::ALL.iter().zip(contents) {
            if twelve || lead.independent_index().is_some() {
                leads.push(LeadXml { gain: gain.into(), ..LeadXml::new(lead.name(), counts) });
            }
        }
        file.waveforms = vec![WaveformXml { leads, ..WaveformXml::rhythm(0) }];
        file
    })
}

/// The file's text with the children of the waveform and of every lead in another order and other white space between them.
fn shuffled(file: &Muse, seeds: &[Index], width: usize, line_break: &'static str, between: &str) -> String {
    let shuffle = |mut items: Vec<String>| {
        for (position, seed) in seeds.iter().enumerate().take(items.len()) {
            let other = seed.index(items.len());
            items.swap(position, other);
        }
        items.join(between)
    };
    let rhythm = &file.waveforms[0];
    let waveform = WaveformXml { width, line_break, leads: Vec::new(), ..rhythm.clone() };
    let mut children = waveform.children();
    children.extend(rhythm.leads.iter().map(|lead| element("LeadData", &shuffle(lead.children(width, line_break)))));
    let blocks = vec![file.header.clone(), element("Waveform", &shuffle(children)), element("MeasurementMatrix", "AAAA")];
    format!("{}{between}{}", file.prolog, element("RestingECG", &shuffle(blocks)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_white_space_line_width_and_encoding_change_nothing(
        file in small_file(),
        seeds in proptest::collection::vec(any::<Index>(), 20),
        width in prop_oneof![Just(0_usize), Just(68), Just(76), 1..100_usize],
        line_break in prop_oneof![Just("\n"), Just("\r\n"), Just("\n\t  "), Just(" ")],
        between in prop_oneof![Just(""), Just("\n"), Just("\r\n\t"), Just("<!-- <LeadData> -->")],
        encoding in 0..5,
    ) {
        let expected = parse(file.to_xml().as_bytes());
        prop_assert!(expected.is_ok());
        let xml = shuffled(&file, &seeds, width, line_break, between);
        let bytes: Vec<u8> = match encoding {
            0 => xml.into_bytes(),
            1 => format!("\u{feff}{xml}").into_bytes(),
            2 => xml.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            3 => format!("\u{feff}{xml}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => format!("\u{feff}{xml}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        };
        prop_assert_eq!(parse(&bytes), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn arbitrary_markup_never_panics(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "<RestingECG>", "</RestingECG>", "<Waveform>", "</Waveform>", "<LeadData>", "</LeadData>", "<WaveFormData>",
                "</WaveFormData>", "<WaveformType>Rhythm</WaveformType>", "<LeadID>II</LeadID>", "<!--", "-->", "<![CDATA[", "]]>",
                "<?", "?>", "<!DOCTYPE", "[", "]", ">", "<", "</", "/>", "\"", "'", "AAAA", "=", "&#x0;", "<SampleBase>500</SampleBase>",
                "<MeasurementMatrix>", "</MeasurementMatrix>", "<Diagnosis>", "</Diagnosis>", "<StmtText>", "\u{0}", "\u{feff}", "\n",
            ]),
            0..60,
        ),
    ) {
        let _ = parse(pieces.concat().as_bytes());
        let _ = parse(format!("<RestingECG>{}", pieces.concat()).as_bytes());
    }
}

/// Ten thousand edits of a whole file: a value or an error, and the same parser stays usable.
#[test]
fn random_edits_of_a_file_never_panic() {
    let original = Muse { waveforms: vec![WaveformXml::median(), WaveformXml::rhythm(200)], ..Muse::new() }.to_xml().into_bytes();
    let mut parser = Parser::new(ParseOptions { keep_statements: true, ..ParseOptions::default() });
    let mut recording = Recording::default();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let mut num_kept = 0;
    for _ in 0..10_000 {
        let mut bytes = original.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"<>/!-[]&\"'="[random(11)]),
                _ => bytes.truncate(at + 1),
            }
        }
        num_kept += usize::from(parser.parse(&bytes, &mut recording).is_ok());
    }
    assert!((1000..9000).contains(&num_kept), "{num_kept} of 10 000 still parse");
    parser.parse(&original, &mut recording).unwrap();
    assert_eq!(recording.signal.lead(2), wave(2, 200));
}

#[test]
fn a_parser_that_has_seen_other_files_gives_the_same_recording() {
    let file = Muse::new().to_xml();
    let mut twelve = Muse::new();
    twelve.rhythm().leads.extend(["III", "aVR", "aVL", "aVF"].map(|id| LeadXml::new(id, wave(3, 5000))));
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    parser.parse(twelve.to_xml().as_bytes(), &mut recording).unwrap();
    parser.parse(b"<RestingECG><Waveform>", &mut recording).unwrap_err();
    parser.parse(file.as_bytes(), &mut recording).unwrap();
    let mut fresh = Recording::default();
    Parser::new(ParseOptions::default()).parse(file.as_bytes(), &mut fresh).unwrap();
    assert_eq!(recording, fresh);
}
