//! What the parser makes of single fields: values, not only outcomes.

use hfrisk_ecg::xml::ParseOptions;
use hfrisk_ecg::{LeadSet, QualityFlags};

use crate::builder::{LeadXml, Muse, cut_counts, element, header, lead, leads, limb_leads, muse, twelve, utf16, wave};
use crate::defects::{parse, parse_with, rows};

#[test]
fn a_lead_one_sample_short_is_completed_with_its_last_value() {
    let recording = parse(&lead(3, |lead| cut_counts(lead, 4999))).unwrap();
    assert_eq!(recording.signal.num_samples, 5000);
    assert_eq!(recording.signal.lead(3)[4999], wave(3, 5000)[4998]);
}

#[test]
fn gains_are_microvolts_a_count_whatever_their_unit() {
    for (gain, unit, expected) in [
        ("4.88", "MICROVOLTS", 4.88_f32),
        ("-10", "MICROVOLTS", -10.0),
        ("1.19e-05", "MILLIVOLTS", 1.19e-2),
        ("0.000005", "VOLTS", 5.0),
    ] {
        let file = leads(|lead| {
            lead.gain = gain.into();
            lead.unit = unit.into();
        });
        let lsb = parse(&file).unwrap().signal.lsb_uv;
        assert!(lsb[..8].iter().all(|lsb| (lsb - expected).abs() <= expected.abs() * 1e-6), "{gain} {unit}: {lsb:?}");
    }
}

#[test]
fn each_lead_has_its_own_gain() {
    let lsb = parse(&lead(4, |lead| lead.gain = "2.5".into())).unwrap().signal.lsb_uv;
    assert_eq!(lsb[..8], [4.88, 4.88, 4.88, 4.88, 2.5, 4.88, 4.88, 4.88]);
}

#[test]
fn twelve_leads_stay_twelve_unless_four_follow_exactly() {
    for (offset, lead_set) in [(0, LeadSet::Eight), (1, LeadSet::Twelve), (9, LeadSet::Twelve)] {
        let recording = parse(twelve(offset).to_xml().as_bytes()).unwrap();
        assert_eq!((recording.signal.lead_set, recording.num_leads_stored), (lead_set, 12), "offset {offset}");
        assert_eq!(recording.signal.counts.len(), lead_set.leads().len() * 5000);
        let mut expected = limb_leads(offset);
        expected.rotate_left(4);
        expected.extend((2..8).map(|index| LeadXml::new("", wave(index, 5000))));
        for (stored, (index, _)) in lead_set.leads().iter().map(|lead| &expected[lead.index()]).zip((0..).zip(0..12)) {
            assert_eq!(recording.signal.lead(index), stored.counts, "offset {offset}, lead {index}");
        }
    }
}

#[test]
fn some_of_the_four_limb_leads_are_checked_and_derived() {
    let mut file = twelve(5);
    file.rhythm().leads.retain(|lead| lead.id != "aVR");
    let recording = parse(file.to_xml().as_bytes()).unwrap();
    assert_eq!((recording.signal.lead_set, recording.num_leads_stored), (LeadSet::Eight, 11));
    assert_eq!(recording.flags, QualityFlags::LIMB_LEADS_INCONSISTENT);
}

#[test]
fn strict_mode_rejects_what_is_otherwise_a_flag() {
    let strict = ParseOptions { strict: true, ..ParseOptions::default() };
    let wrong_crc = lead(6, |lead| lead.crc32 = Some("1".into()));
    assert_eq!(parse_with(strict, &wrong_crc).unwrap_err().kind(), "crc_mismatch");
    let twice = muse(|file| file.rhythm().leads.push(LeadXml::new("V1", wave(9, 5000))));
    assert_eq!(parse_with(strict, &twice).unwrap_err().kind(), "duplicate_lead");
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let options = ParseOptions { max_bytes: 1000, ..ParseOptions::default() };
    assert_eq!(parse_with(options, &muse(|_| {})).unwrap_err().kind(), "too_large");
}

#[test]
fn an_error_names_the_byte_of_its_element_in_any_encoding() {
    let mut file = Muse::new();
    file.rhythm().leads[2].payload = Some("???".into());
    let xml = file.to_xml();
    let offset = xml.find("<WaveFormData>???").unwrap() as u64;
    assert_eq!(parse(xml.as_bytes()).unwrap_err().byte_offset(), Some(offset));
    assert_eq!(parse(&utf16(&xml, true, true)).unwrap_err().byte_offset(), Some(2 + 2 * offset));
    assert_eq!(parse(format!("\u{feff}{xml}").as_bytes()).unwrap_err().byte_offset(), Some(3 + offset));
}

#[test]
fn masked_header_fields_are_absent() {
    let recording = parse(&muse(|file| file.header = header("5", "", "UNKNOWN", "XX-XX-XXXX", "XX:XX:XX"))).unwrap();
    assert_eq!((recording.age_years, recording.sex, recording.acquired_at), (None, None, None));
    let without = parse(&muse(|file| file.header.clear())).unwrap();
    assert_eq!((without.age_years, without.sex, without.acquired_at, without.device), (None, None, None, None));
}

#[test]
fn both_measurement_blocks_are_kept_apart_and_absent_is_not_zero() {
    let blocks = element("RestingECGMeasurements", &(element("QTInterval", "400") + &element("PAxis", "-12")))
        + &element("OriginalRestingECGMeasurements", &(element("QTInterval", "390") + &element("PRInterval", " ")));
    let recording = parse(&muse(|file| file.header += &blocks)).unwrap();
    assert_eq!((recording.measurements.qt_interval_ms, recording.measurements.p_axis_deg), (Some(400), Some(-12)));
    assert_eq!(recording.measurements.pr_interval_ms, None);
    assert_eq!(
        (recording.original_measurements.qt_interval_ms, recording.original_measurements.pr_interval_ms),
        (Some(390), None)
    );
}

fn statement(flags: &[&str], text: &str) -> String {
    let flags: String = flags.iter().map(|flag| element("StmtFlag", flag)).collect();
    element("DiagnosisStatement", &(flags + &element("StmtText", text)))
}

#[test]
fn statements_are_joined_to_lines_and_struck_out_ones_dropped() {
    let diagnosis = element(
        "Diagnosis",
        &[
            statement(&["ENDSLINE"], "Sinus rhythm &amp; more"),
            statement(&[], "Left ventricular"),
            statement(&["DELETED"], "WRONG"),
            statement(&["USERINSERT", "ENDSLINE"], "hypertrophy"),
            statement(&["DELETED", "ENDSLINE"], "GONE"),
            statement(&[], "last"),
        ]
        .concat(),
    );
    let file = muse(|file| file.header += &diagnosis);
    let options = ParseOptions { keep_statements: true, ..ParseOptions::default() };
    assert_eq!(parse_with(options, &file).unwrap().statements, ["Sinus rhythm & more", "Left ventricular hypertrophy", "last"]);
    assert!(parse(&file).unwrap().statements.is_empty());
}

#[test]
fn a_block_without_line_ends_has_one_statement_a_line() {
    let diagnosis = element("Diagnosis", &(statement(&[], "one") + &statement(&["USERINSERT"], "two")));
    let options = ParseOptions { keep_statements: true, ..ParseOptions::default() };
    assert_eq!(parse_with(options, &muse(|file| file.header += &diagnosis)).unwrap().statements, ["one", "two"]);
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

#[test]
fn the_payload_hash_is_xxh3_of_the_little_endian_counts() {
    let recording = parse(&muse(|_| {})).unwrap();
    let bytes: Vec<u8> = recording.signal.counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    assert_eq!(recording.payload_hash, xxhash_rust::xxh3::xxh3_64(&bytes));
}
