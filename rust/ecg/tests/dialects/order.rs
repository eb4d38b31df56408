//! A recording depends on what a file says of each lead, and not on where it says it.

use hfrisk_ecg::Lead;
use proptest::prelude::*;

use crate::{builder, cardiosoft_file, parse, schiller_file, sierra_builder};

/// The parts of `text` that begin with `open` and end with `close` rotated among their places, with `between` in place of what stood
/// between them.
fn rotated(text: &str, open: &str, close: &str, by: usize, between: &str) -> String {
    let first = text.find(open).expect("a part");
    let last = text.rfind(close).expect("a part") + close.len();
    let mut parts: Vec<&str> = text[first..last].split_inclusive(close).map(|part| &part[part.find(open).unwrap()..]).collect();
    let num_parts = parts.len();
    parts.rotate_left(by % num_parts);
    format!("{}{}{}", &text[..first], parts.join(between), &text[last..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn leads_of_cardiosoft_may_stand_in_any_order(
        by in 0..12_usize,
        between in proptest::sample::select(vec!["", "\n\t\t", "\r\n", "<!-- <WaveformData> -->"]),
        separator in proptest::sample::select(vec![",", ", ", ",\n", ",\r\n\t\t"]),
        mark in any::<bool>(),
    ) {
        let xml = cardiosoft_file::file(60);
        let expected = parse(xml.as_bytes());
        prop_assert!(expected.is_ok());
        let strip = xml.find("<StripData>").unwrap();
        let end = xml.find("</StripData>").unwrap();
        let leads = rotated(&xml[strip..end], "<WaveformData", "</WaveformData>", by, between);
        let leads = leads.replace(",\n\t\t", ",").replace(',', separator);
        let moved = format!("{}{}{leads}{}", if mark { "\u{feff}" } else { "" }, &xml[..strip], &xml[end..]);
        prop_assert_eq!(parse(moved.as_bytes()), expected);
    }

    #[test]
    fn channels_of_schiller_may_stand_in_any_order(
        by in 0..8_usize,
        between in proptest::sample::select(vec!["", "\n", "\r\n\t"]),
        rate_last in any::<bool>(),
    ) {
        let xml = schiller_file::file(60);
        let expected = parse(xml.as_bytes());
        prop_assert!(expected.is_ok());
        let rhythm = xml.find("<type>ECG_RHYTHMS").unwrap();
        let mut moved = rotated(&xml[rhythm..], "<channel>", "</channel>", by, between);
        if rate_last {
            let (begin, end) = (moved.find("<resolution>").unwrap(), moved.find("</resolution>").unwrap() + 13);
            let resolution: String = moved.drain(begin..end).collect();
            moved = moved.replacen("</wavedata>", &format!("{resolution}</wavedata>"), 1);
        }
        prop_assert_eq!(parse(format!("{}{moved}", &xml[..rhythm]).as_bytes()), expected);
    }

    #[test]
    fn lines_of_sierra_may_be_of_any_width_and_its_blocks_in_any_order(
        line_break in proptest::sample::select(vec!["", "\n", "\r\n", "\n\t\t", " "]),
        by in 0..12_usize,
        little_endian in any::<bool>(),
    ) {
        let mut file = sierra_builder::Sierra { line_break, ..sierra_builder::Sierra::new() };
        file.resize(60);
        file.set("durationperchannel", "120");
        let expected = parse(file.to_xml().as_bytes());
        prop_assert!(expected.is_ok());
        file.attributes.rotate_left(by % 10);
        prop_assert_eq!(parse(&sierra_builder::utf16(&file.to_xml(), little_endian)), expected);
    }

    #[test]
    fn twelve_leads_of_aecg_in_any_order_are_the_same_twelve(by in 0..12_usize) {
        let leads = Lead::ALL.iter().map(|lead| builder::LeadXml::new(lead.name(), builder::wave(lead.index(), 50))).collect();
        let mut file = builder::Aecg { leads, ..builder::Aecg::new() };
        let expected = parse(file.to_xml().as_bytes());
        file.leads.rotate_left(by);
        prop_assert_eq!(parse(file.to_xml().as_bytes()), expected);
    }
}
