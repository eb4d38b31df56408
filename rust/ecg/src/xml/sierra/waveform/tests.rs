//! All samples of real files, the calibration pulse included, against an independent decoder.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use serde_json::Value;

use super::*;
use crate::xml::encoding::{self, Encoding};
use crate::xml::sierra::Document;

fn assert_lead_equals(counts: &[i16], expected: &Value, context: &str) {
    let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    assert_eq!(counts.len() as u64, expected["n"].as_u64().unwrap(), "{context}");
    assert_eq!(counts.iter().map(|&count| i64::from(count)).sum::<i64>(), expected["sum"].as_i64().unwrap(), "{context}");
    assert_eq!(counts.iter().min().copied().map(i64::from), expected["min"].as_i64(), "{context}");
    assert_eq!(counts.iter().max().copied().map(i64::from), expected["max"].as_i64(), "{context}");
    assert_eq!(u64::from(crc32fast::hash(&bytes)), expected["crc32_i16le"].as_u64().unwrap(), "{context}");
}

#[test]
fn every_sample_of_every_real_file_equals_the_oracle() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if !folder.is_dir() {
        println!("skipped: no fixtures at {}", folder.display());
        return;
    }
    let oracle: Value = serde_json::from_slice(&std::fs::read(folder.join("oracle.json")).unwrap()).unwrap();
    let mut num_files = 0;
    for (name, entry) in oracle.as_object().unwrap().iter().filter(|(_, entry)| entry["format"] == "philips_sierra") {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let mut text = bytes.clone();
        if let Encoding::Utf16Le { mark } = Encoding::sniff(&bytes) {
            encoding::transcode(&bytes[mark..], true, &mut text);
        }
        let mut scanner = Scanner::new(&text, 0);
        let Some(crate::xml::scan::Tag::Open { start, .. }) = scanner.next_tag() else { continue };
        let mut document = Document::default();
        document.walk(&mut scanner, start, ParseOptions::default(), &mut QualityFlags::default()).unwrap();
        let Workspace { mut payload, sierra: mut leads, .. } = Workspace::default();
        let waveform = document.waveform.unwrap();
        let flags = waveform.decode_leads(&document.signal, 500.0, ParseOptions::default(), &mut payload, &mut leads);
        assert_eq!(flags, Ok(QualityFlags::default()), "{name}");
        for lead in Lead::ALL {
            let expected = &entry["waveforms"]["Rhythm"]["leads"][lead.name()];
            assert_lead_equals(leads.get(lead), expected, &format!("{name}, lead {lead}"));
        }
        num_files += 1;
    }
    assert_eq!(num_files, 3);
}
