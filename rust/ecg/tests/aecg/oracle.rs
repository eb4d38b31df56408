//! Real aECG files against counts that an independent decoder took from them.

use std::path::PathBuf;

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Lead, LeadSet, QualityFlags, Recording, Sex, Signal};
use serde_json::Value;

use crate::parse;

/// The folder of real files, when the checkout has it.
fn fixtures() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no fixtures at {}", folder.display());
    None
}

/// All twelve leads of a file, compared with the oracle.
fn check_counts(folder: &std::path::Path, name: &str) -> Recording {
    let oracle: Value = serde_json::from_slice(&std::fs::read(folder.join("oracle.json")).unwrap()).unwrap();
    let rhythm = &oracle[name]["waveforms"]["Rhythm"];
    let recording = parse(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    assert_eq!(Some(recording.signal.sampling_rate_hz), rhythm["fs"].as_f64(), "{name}");
    assert_eq!((recording.signal.lead_set, recording.num_leads_stored), (LeadSet::Twelve, 12), "{name}");
    for (index, lead) in Lead::ALL.iter().enumerate() {
        let expected = &rhythm["leads"][format!("MDC_ECG_LEAD_{}", lead.name().to_uppercase())];
        let counts = recording.signal.lead(index);
        let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        assert_eq!(counts.len() as u64, expected["n"].as_u64().unwrap(), "{name} {lead}");
        assert_eq!(counts.iter().map(|&count| i64::from(count)).sum::<i64>(), expected["sum"].as_i64().unwrap(), "{name} {lead}");
        assert_eq!(counts.iter().min().copied().map(i64::from), expected["min"].as_i64(), "{name} {lead}");
        assert_eq!(counts.iter().max().copied().map(i64::from), expected["max"].as_i64(), "{name} {lead}");
        assert_eq!(u64::from(crc32fast::hash(&bytes)), expected["crc32_i16le"].as_u64().unwrap(), "{name} {lead}");
        assert_eq!(recording.signal.lsb_uv[index], expected["upb"].as_str().unwrap().parse::<f32>().unwrap(), "{name} {lead}");
    }
    recording
}

#[test]
fn a_whole_recording_equals_the_oracle_lead_by_lead() {
    let Some(folder) = fixtures() else { return };
    let recording = check_counts(&folder, "aecg/fda_subject1.xml");
    assert_eq!(recording.flags, QualityFlags::CRC_UNKNOWN);
    assert_eq!((recording.age_years, recording.sex, recording.device.as_deref()), (Some(46.0), Some(Sex::Male), Some("ELI250")));
    let at = recording.acquired_at.unwrap();
    assert_eq!((at.year, at.month, at.day, at.hour, at.minute, at.second), (2002, 11, 22, 9, 10, 0));
}

#[test]
fn a_recording_at_100_hz_whose_leads_disagree_says_so_and_is_resampled() {
    let Some(folder) = fixtures() else { return };
    let recording = check_counts(&folder, "aecg/liryc_100hz.xml");
    assert_eq!(recording.flags.names().collect::<Vec<_>>(), ["crc_unknown", "limb_leads_inconsistent"]);
    assert_eq!((recording.age_years, recording.sex, recording.device.as_deref()), (None, None, Some("BeneHeart R12")));
    let mut room = Signal::default();
    let (stored, flags) = Resampler::new().to_store(&recording.signal, &mut room).unwrap();
    assert_eq!((stored.num_samples, flags), (5000, QualityFlags::RESAMPLED));
}

#[test]
fn files_that_hold_no_recording_are_rejected_for_what_they_lack() {
    let Some(folder) = fixtures() else { return };
    for (name, kind, message) in [
        ("fda_empty.xml", "no_waveform", "no waveform"),
        ("fda_minimum.xml", "missing_lead", "lead I is absent and cannot be derived"),
    ] {
        let error = parse(&std::fs::read(folder.join("aecg").join(name)).unwrap()).unwrap_err();
        assert_eq!((error.kind().as_str(), error.to_string().as_str()), (kind, message), "{name}");
    }
}

#[test]
fn a_real_file_cut_anywhere_is_an_error_and_no_shorter_recording() {
    let Some(folder) = fixtures() else { return };
    let bytes = std::fs::read(folder.join("aecg/fda_subject1.xml")).unwrap();
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    for length in (1..bytes.trim_ascii_end().len()).step_by(3001) {
        let error = parser.parse(&bytes[..length], &mut recording).expect_err("a file without its end");
        assert_eq!(error.kind(), "truncated", "{length} bytes: {error}");
    }
}
