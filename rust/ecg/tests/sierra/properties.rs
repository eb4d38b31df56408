//! Nothing panics, whatever the bytes.

use hfrisk_ecg::Recording;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use proptest::prelude::*;

use crate::builder::Sierra;

fn small_file() -> Sierra {
    let mut file = Sierra::new();
    file.resize(60);
    file.set("durationperchannel", "120");
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_payload_is_a_value_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..400), packed in any::<bool>()) {
        let mut file = Sierra { payload: Some(payload), ..small_file() };
        if !packed {
            file.remove("compression");
        }
        let _ = Parser::new(ParseOptions::default()).parse(file.to_xml().as_bytes(), &mut Recording::default());
    }

    #[test]
    fn what_is_packed_comes_back(counts in proptest::collection::vec(proptest::collection::vec(any::<i16>(), 60), 12)) {
        let mut file = small_file();
        for ((_, lead), counts) in file.leads.iter_mut().zip(&counts) {
            lead.clone_from(counts);
        }
        let mut recording = Recording::default();
        Parser::new(ParseOptions::default()).parse(file.to_xml().as_bytes(), &mut recording).unwrap();
        for (index, lead) in recording.signal.lead_set.leads().iter().enumerate() {
            prop_assert_eq!(recording.signal.lead(index), &counts[lead.index()][..]);
        }
    }
}

#[test]
fn ten_thousand_mutations_never_panic() {
    let original = small_file().to_xml().into_bytes();
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    let (mut state, mut num_kept) = (0x9E37_79B9_7F4A_7C15_u64, 0);
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for _ in 0..10_000 {
        let mut bytes = original.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
        }
        num_kept += usize::from(parser.parse(&bytes, &mut recording).is_ok());
    }
    assert!((500..9500).contains(&num_kept), "{num_kept} of 10 000 still parse");
    parser.parse(&original, &mut recording).unwrap();
    assert_eq!(recording.signal.num_samples, 60);
}
