//! What the parser makes of single fields: values, not only outcomes.

use hfrisk_ecg::xml::ParseOptions;
use hfrisk_ecg::{Dialect, Lead, LeadSet};

use crate::builder::{Sierra, sierra, utf16, wave};
use crate::defects::{parse, parse_with, rows};

#[test]
fn all_twelve_leads_come_back_as_they_were_packed() {
    let files = [Sierra::new().to_xml(), Sierra::old().to_xml(), Sierra::plain().to_xml()];
    for xml in files {
        let recording = parse(xml.as_bytes()).unwrap();
        assert_eq!((recording.dialect, recording.num_leads_stored), (Dialect::Sierra, 12));
        assert_eq!(recording.signal.lead_set, LeadSet::Eight);
        assert_eq!(recording.signal.lsb_uv[..8], [5.0; 8]);
        for (index, &lead) in Lead::INDEPENDENT.iter().enumerate() {
            assert_eq!(recording.signal.lead(index), &wave(lead, 5500)[..5000], "{lead}");
        }
    }
}

#[test]
fn twelve_leads_stay_twelve_where_one_count_does_not_follow() {
    let recording = parse(&sierra(|file| file.leads[4].1[77] += 1)).unwrap();
    assert_eq!(recording.signal.lead_set, LeadSet::Twelve);
    assert_eq!(recording.signal.lead(4)[77], wave(Lead::AVL, 78)[77] + 1);
    assert_eq!(recording.signal.lead(5), &wave(Lead::AVF, 5000)[..]);
}

#[test]
fn extreme_counts_survive_the_modular_arithmetic() {
    let noise = |seed: usize| (0..5500).map(|t| ((t * 40_503 + seed * 7919) % 65_536) as u16 as i16).collect::<Vec<i16>>();
    let recording = parse(&sierra(|file| file.leads.iter_mut().enumerate().for_each(|(i, lead)| lead.1 = noise(i)))).unwrap();
    for lead in Lead::ALL {
        assert_eq!(recording.signal.lead(lead.index()), &noise(lead.index())[..5000], "{lead}");
    }
}

#[test]
fn one_recording_in_any_encoding_and_version_is_the_same() {
    let xml = Sierra::new().to_xml();
    let [hash, little, big, old, plain] = [
        xml.clone().into_bytes(),
        utf16(&xml, true),
        utf16(&xml, false),
        Sierra::old().to_xml().into(),
        Sierra::plain().to_xml().into(),
    ]
    .map(|bytes| parse(&bytes).unwrap().payload_hash);
    assert_eq!([little, big, old, plain], [hash; 4]);
}

#[test]
fn other_rates_keep_their_ten_seconds() {
    let recording = parse(&sierra(|file| {
        file.set("samplespersecond", "250");
        file.set("durationperchannel", "22000");
    }));
    assert_eq!(recording.unwrap().signal.num_samples, 2500);
}

#[test]
fn a_birth_date_becomes_whole_years_and_a_default_age_is_none() {
    let age = |text: &str| parse(&sierra(|file| file.age = text.to_owned())).unwrap().age_years;
    assert_eq!(age("<age defaultage=\"50\"><dateofbirth>1950-01-19</dateofbirth></age>"), Some(60.0));
    assert_eq!(age("<age defaultage=\"50\"><dateofbirth>1950-01-20</dateofbirth></age>"), Some(59.0));
    assert_eq!(age("<age><months>6</months></age>"), Some(0.5));
    assert_eq!(age("<age defaultage=\"50\"><dateofbirth/></age>"), None);
    assert_eq!(age("<age><dateofbirth>2011-01-01</dateofbirth></age>"), None);
}

#[test]
fn the_latest_interpretation_counts_and_the_machines_is_kept_apart() {
    let reading = |date: &str, rate: u32, text: &str| {
        format!(
            "<interpretation date=\"{date}\" time=\"10:00:00\"><globalmeasurements><heartrate>{rate}</heartrate><qtcb>Failed</qtcb>\
             </globalmeasurements><mdsignatureline>Hong</mdsignatureline><statement><leftstatement>{text} &amp; more</leftstatement>\
             <rightstatement/></statement></interpretation>"
        )
    };
    let file = sierra(|file| {
        file.interpretations = reading("2010-01-20", 71, "edited") + &reading("2010-01-19", 70, "machine");
        file.measurements = "<crossleadmeasurements><meanventrate>69</meanventrate></crossleadmeasurements>\
                             <groupmeasurements><meanqrsdur>80</meanqrsdur></groupmeasurements>"
            .into();
    });
    let options = ParseOptions { keep_statements: true, ..ParseOptions::default() };
    let recording = parse_with(options, &file).unwrap();
    assert_eq!(recording.measurements.ventricular_rate_bpm, Some(71));
    assert_eq!(recording.measurements.qtc_interval_ms, None);
    assert_eq!(recording.original_measurements.ventricular_rate_bpm, Some(69));
    assert_eq!(recording.original_measurements.qrs_duration_ms, None);
    assert_eq!(recording.statements, ["edited & more"]);
    assert!(parse(&file).unwrap().statements.is_empty());
}

#[test]
fn strict_mode_rejects_a_lead_that_stands_there_twice() {
    let file = sierra(|file| file.set("leadlabels", "I II III aVR aVL aVF V1 V1 V3 V4 V5 V6"));
    let options = ParseOptions { strict: true, ..ParseOptions::default() };
    assert_eq!(parse_with(options, &file).unwrap_err().kind(), "duplicate_lead");
}

#[test]
fn no_error_and_no_recording_holds_a_name_or_a_number_of_the_person() {
    for (name, bytes, _) in rows() {
        let said = match parse(&bytes) {
            Ok(recording) => format!("{:?} {:?} {:?}", recording.device, recording.statements, recording.flags),
            Err(error) => format!("{error} {error:?} {}", error.kind()),
        };
        assert!(!said.contains("Hong") && !said.contains("00112233"), "{name}: {said}");
    }
}
