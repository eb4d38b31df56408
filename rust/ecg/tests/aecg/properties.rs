//! What must hold for every file: the result depends on codes, counts, scales and the time axis, and on nothing else; nothing panics.

use hfrisk_ecg::Lead;
use hfrisk_ecg::Recording;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use proptest::prelude::*;

use crate::builder::{Aecg, LeadXml, derivation, wave};
use crate::{cardiosoft_file, parse};

const PIECES: [&str; 40] = [
    "<AnnotatedECG>",
    "</AnnotatedECG>",
    "<component>",
    "</component>",
    "<series>",
    "</series>",
    "<sequenceSet>",
    "</sequenceSet>",
    "<sequence>",
    "</sequence>",
    "<value>",
    "</value>",
    "<digits>",
    "</digits>",
    "<code code='RHYTHM'/>",
    "<code code=\"MDC_ECG_LEAD_II\">",
    "<increment value=\"2\" unit=\"ms\"/>",
    "<scale value='1' unit='uV'/>",
    "<derivation>",
    "</derivation>",
    "<effectiveTime>",
    "<low value=\"2002",
    "\"/>",
    "1 2 -3 ",
    "99999",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<",
    "</",
    "/>",
    "'",
    "\u{0}",
    "<StripData>",
    "</StripData>",
    "<WaveformData lead=\"I\">",
    "</WaveformData>",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prefix_white_space_order_and_surroundings_change_nothing(
        contents in proptest::collection::vec(proptest::collection::vec(any::<i16>(), 40), 12),
        rotation in 0..12_usize,
        prefix in proptest::sample::select(vec!["", "v3:", "hl7-org.v3:", "AnnotatedECG:"]),
        between in proptest::sample::select(vec![" ", "\n", "\r\n", "\t", "\n             "]),
        prolog in proptest::sample::select(vec!["", "<!-- x -->", "<?xml version = '1.0'?>\n"]),
        beat in any::<bool>(),
    ) {
        let leads = || Lead::ALL.iter().zip(&contents).map(|(lead, counts)| LeadXml::new(lead.name(), counts.clone())).collect::<Vec<_>>();
        let mut file = Aecg { leads: leads(), ..Aecg::new() };
        let expected = parse(file.to_xml().as_bytes()).unwrap();
        for (lead, counts) in Lead::INDEPENDENT.iter().zip((0..8).map(|index| expected.signal.leads_of(index))) {
            prop_assert_eq!(&contents[lead.index()], &counts);
        }
        file.leads.rotate_left(rotation);
        file.prefix = prefix.into();
        file.between = between.into();
        file.prolog = prolog.into();
        if beat {
            file.after = derivation();
        }
        prop_assert_eq!(parse(file.to_xml().as_bytes()), Ok(expected));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        for root in ["<AnnotatedECG>", "<CardiologyXML>"] {
            let _ = parse(&[root.as_bytes(), &bytes].concat());
        }
    }

    #[test]
    fn arbitrary_markup_never_panics(pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..60)) {
        for root in ["<AnnotatedECG>", "<CardiologyXML>", "<AnnotatedECG><component><series>"] {
            let _ = parse(format!("{root}{}", pieces.concat()).as_bytes());
        }
    }
}

/// The counts of the independent leads, however many are stored.
trait LeadsOf {
    fn leads_of(&self, independent: usize) -> Vec<i16>;
}

impl LeadsOf for hfrisk_ecg::Signal {
    fn leads_of(&self, independent: usize) -> Vec<i16> {
        let lead = Lead::INDEPENDENT[independent];
        let position = self.lead_set.leads().iter().position(|&stored| stored == lead).unwrap();
        self.lead(position).to_vec()
    }
}

/// Ten thousand edits of a whole file of either dialect: a value or an error, and the same parser stays usable.
#[test]
fn random_edits_of_a_file_never_panic() {
    let mut small = Aecg { after: derivation(), ..Aecg::new() };
    small.leads.iter_mut().for_each(|lead| lead.counts.truncate(60));
    let originals = [small.to_xml().into_bytes(), cardiosoft_file::file(60).into_bytes()];
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let mut num_kept = 0;
    for round in 0..10_000 {
        let mut bytes = originals[round % 2].clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"<>/!-[]&\"'=, 7"[random(14)]),
                _ => bytes.truncate(at + 1),
            }
        }
        num_kept += usize::from(parser.parse(&bytes, &mut recording).is_ok());
    }
    assert!((500..9500).contains(&num_kept), "{num_kept} of 10 000 still parse");
    parser.parse(&originals[0], &mut recording).unwrap();
    assert_eq!(recording.signal.lead(2), wave(2, 60));
}
