//! Real files against counts that an independent decoder took from them.

use std::path::PathBuf;

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Lead, LeadSet, QualityFlags, Recording};
use serde_json::Value;

/// The folder of real files, when the checkout has it.
fn fixtures() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no fixtures at {}", folder.display());
    None
}

fn parse(bytes: &[u8]) -> Recording {
    let mut recording = Recording::default();
    let options = ParseOptions { keep_statements: true, strict: true, ..ParseOptions::default() };
    Parser::new(options).parse(bytes, &mut recording).expect("a real file is a recording");
    recording
}

fn assert_lead_equals(counts: &[i16], expected: &Value, context: &str) {
    let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    assert_eq!(counts.len() as u64, expected["n"].as_u64().unwrap(), "{context}");
    assert_eq!(counts.iter().map(|&count| i64::from(count)).sum::<i64>(), expected["sum"].as_i64().unwrap(), "{context}");
    assert_eq!(counts.iter().min().copied().map(i64::from), expected["min"].as_i64(), "{context}");
    assert_eq!(counts.iter().max().copied().map(i64::from), expected["max"].as_i64(), "{context}");
    assert_eq!(u64::from(crc32fast::hash(&bytes)), expected["crc32_i16le"].as_u64().unwrap(), "{context}");
}

#[test]
fn counts_of_every_real_file_equal_the_oracle() {
    let Some(folder) = fixtures() else { return };
    let oracle: Value = serde_json::from_slice(&std::fs::read(folder.join("oracle.json")).unwrap()).unwrap();
    let mut num_files = 0;
    for (name, entry) in oracle.as_object().unwrap().iter().filter(|(_, entry)| entry["format"] == "muse") {
        let recording = parse(&std::fs::read(folder.join(name)).unwrap());
        let rhythm = &entry["waveforms"]["Rhythm"];
        assert_eq!(Some(recording.signal.sampling_rate_hz), rhythm["fs"].as_f64(), "{name}");
        assert_eq!(recording.signal.lead_set, LeadSet::Eight, "{name}");
        for (index, lead) in Lead::INDEPENDENT.iter().enumerate() {
            let context = format!("{name}, lead {lead}");
            let expected = &rhythm["leads"][lead.name()];
            assert_lead_equals(recording.signal.lead(index), expected, &context);
            assert_eq!(recording.signal.lsb_uv[index], expected["upb"].as_str().unwrap().parse::<f32>().unwrap(), "{context}");
        }
        let unknown_crc = rhythm["leads"]["I"]["file_crc"] == "0";
        assert_eq!(recording.flags.contains(QualityFlags::CRC_UNKNOWN), unknown_crc, "{name}");
        num_files += 1;
    }
    assert_eq!(num_files, 5);
}

#[test]
fn one_recording_in_other_file_bytes_has_the_same_hash() {
    let Some(folder) = fixtures() else { return };
    let [one, two, other] = ["easyrecg_1.xml", "musephi_1.xml", "easyrecg_2.xml"]
        .map(|name| parse(&std::fs::read(folder.join("muse").join(name)).unwrap()).payload_hash);
    assert_eq!(one, two);
    assert_ne!(one, other);
}

#[test]
fn the_header_of_a_real_file_is_read() {
    let Some(folder) = fixtures() else { return };
    let recording = parse(&std::fs::read(folder.join("muse/easyrecg_1.xml")).unwrap());
    let at = recording.acquired_at.unwrap();
    assert_eq!((at.year, at.month, at.day, at.hour, at.minute, at.second), (2021, 5, 10, 13, 15, 18));
    assert_eq!(recording.age_years, Some(60.0));
    assert_eq!(recording.sex, Some(hfrisk_ecg::Sex::Male));
    assert_eq!(recording.device.as_deref(), Some("MAC55"));
    assert_eq!(recording.measurements.qt_interval_ms, Some(364));
    assert_eq!(recording.original_measurements.r_axis_deg, Some(54));
    assert_eq!(recording.statements, ["Statement Text(22)", "Statement Text(1684)", "Statement Text(1300)"]);
    assert_eq!(recording.flags, QualityFlags::default());
}

#[test]
fn a_real_file_cut_anywhere_is_an_error_and_no_shorter_recording() {
    let Some(folder) = fixtures() else { return };
    let bytes = std::fs::read(folder.join("muse/easyrecg_1.xml")).unwrap();
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    let end = bytes.trim_ascii_end().len();
    for length in (1..end).step_by(997) {
        let error = parser.parse(&bytes[..length], &mut recording).expect_err("a file without its end");
        assert!(matches!(error.kind().as_str(), "truncated"), "{length} bytes: {error}");
    }
}
