//! Real files against counts that an independent decoder took from them.

use std::path::PathBuf;

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Dialect, Lead, LeadSet, QualityFlags, Recording, Sex};
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

#[test]
fn the_first_ten_seconds_of_every_real_file_equal_the_oracle() {
    let Some(folder) = fixtures() else { return };
    let oracle: Value = serde_json::from_slice(&std::fs::read(folder.join("oracle.json")).unwrap()).unwrap();
    let mut num_files = 0;
    for (name, entry) in oracle.as_object().unwrap().iter().filter(|(_, entry)| entry["format"] == "philips_sierra") {
        let recording = parse(&std::fs::read(folder.join(name)).unwrap());
        let signal = &recording.signal;
        assert_eq!((recording.dialect, recording.num_leads_stored), (Dialect::Sierra, 12), "{name}");
        assert_eq!((signal.num_samples, signal.sampling_rate_hz, signal.lead_set), (5000, 500.0, LeadSet::Twelve), "{name}");
        for lead in Lead::ALL {
            let counts = signal.lead(lead.index());
            let expected = &entry["waveforms"]["Rhythm"]["leads"][lead.name()];
            let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
            let first = &expected["first5000"];
            let context = format!("{name}, lead {lead}");
            assert_eq!(counts.iter().map(|&count| i64::from(count)).sum::<i64>(), first["sum"].as_i64().unwrap(), "{context}");
            assert_eq!(counts.iter().min().copied().map(i64::from), first["min"].as_i64(), "{context}");
            assert_eq!(counts.iter().max().copied().map(i64::from), first["max"].as_i64(), "{context}");
            assert_eq!(u64::from(crc32fast::hash(&bytes)), first["crc32_i16le"].as_u64().unwrap(), "{context}");
            assert_eq!(signal.lsb_uv[lead.index()], expected["upb"].as_str().unwrap().parse::<f32>().unwrap(), "{context}");
        }
        let mut expected = QualityFlags::CUT;
        expected.insert(QualityFlags::CRC_UNKNOWN);
        assert_eq!(recording.flags, expected, "{name}: {:?}", recording.flags.names().collect::<Vec<_>>());
        num_files += 1;
    }
    assert_eq!(num_files, 3);
}

#[test]
fn the_header_of_a_real_file_of_each_version_is_read() {
    let Some(folder) = fixtures() else { return };
    let read = |name: &str| parse(&std::fs::read(folder.join("sierra").join(name)).unwrap());
    let old = read("v1_03.xml");
    let at = old.acquired_at.unwrap();
    assert_eq!((at.year, at.month, at.day, at.hour, at.minute, at.second), (2011, 12, 1, 7, 27, 34));
    assert_eq!((old.age_years, old.sex, old.device.as_deref()), (Some(50.0), Some(Sex::Male), Some("HeartstartMRx")));
    assert_eq!((old.measurements.ventricular_rate_bpm, old.measurements.atrial_rate_bpm), (Some(41), None));
    assert_eq!((old.original_measurements.qtc_interval_ms, old.original_measurements.r_axis_deg), (Some(393), Some(-21)));
    assert_eq!(old.statements[0], "Sinus bradycardia: rate< 50");
    assert_eq!((old.statements.len(), old.statements[3].as_str()), (4, ">>> Acute MI <<<"));

    let new = read("v1_04_01_utf16le.xml");
    assert_eq!((new.age_years, new.sex, new.device.as_deref()), (Some(69.0), None, Some("PageWriter TC")));
    let measurements = new.measurements;
    assert_eq!((measurements.ventricular_rate_bpm, measurements.atrial_rate_bpm), (Some(64), Some(64)));
    assert_eq!((measurements.pr_interval_ms, measurements.qrs_duration_ms), (Some(164), Some(102)));
    assert_eq!((measurements.qt_interval_ms, measurements.qtc_interval_ms), (Some(399), Some(412)));
    assert_eq!((measurements.p_axis_deg, measurements.r_axis_deg, measurements.t_axis_deg), (Some(27), Some(22), Some(80)));
    assert_eq!(new.original_measurements, measurements);
}

#[test]
fn a_real_file_cut_anywhere_is_an_error_and_no_shorter_recording() {
    let Some(folder) = fixtures() else { return };
    let bytes = std::fs::read(folder.join("sierra/v1_03.xml")).unwrap();
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    let end = bytes.trim_ascii_end().len();
    for length in (1..end).step_by(997) {
        let error = parser.parse(&bytes[..length], &mut recording).expect_err("a file without its end");
        assert_eq!(error.kind(), "truncated", "{length} bytes: {error}");
    }
}
