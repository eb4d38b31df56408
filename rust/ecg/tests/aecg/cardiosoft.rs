//! `CardioSoft` files, whole or with one thing wrong.

use hfrisk_ecg::{Dialect, QualityFlags as F, Sex};

use crate::Outcome::{Kept, Rejected};
use crate::builder::wave;
use crate::cardiosoft_file::file;
use crate::{check, parse};

fn edited(from: &str, to: &str) -> Vec<u8> {
    let xml = file(5000);
    let strip = xml.find("<StripData>").unwrap();
    assert!(xml[strip..].contains(from), "{from}");
    format!("{}{}", &xml[..strip], xml[strip..].replacen(from, to, 1)).into_bytes()
}

#[test]
fn the_strip_and_its_header_are_read_and_nothing_else() {
    let recording = parse(file(5000).as_bytes()).unwrap();
    assert_eq!(recording.dialect, Dialect::CardioSoft);
    assert_eq!((recording.signal.num_samples, recording.signal.sampling_rate_hz), (5000, 500.0));
    assert_eq!((recording.num_leads_stored, recording.signal.lsb_uv[..8].to_vec()), (12, vec![5.0; 8]));
    for index in 2..8 {
        assert_eq!(recording.signal.lead(index), wave(index, 5000), "{index}");
    }
    assert_eq!(
        (recording.age_years, recording.sex, recording.device.as_deref()),
        (Some(61.0), Some(Sex::Female), Some("MAC2000"))
    );
    let at = recording.acquired_at.unwrap();
    assert_eq!((at.year, at.month, at.day, at.hour, at.minute, at.second), (2014, 11, 3, 9, 5, 7));
    let measurements = recording.measurements;
    assert_eq!(
        (measurements.ventricular_rate_bpm, measurements.pr_interval_ms, measurements.r_axis_deg),
        (Some(62), Some(160), Some(-30))
    );
    assert_eq!((measurements.qtc_interval_ms, measurements.qt_interval_ms), (None, None));
}

/// A strip of one lead.
const STRIP: &str = "<StripData><WaveformData lead=\"I\">1,2</WaveformData></StripData>";

/// The first count of V1 replaced.
fn first_count(count: i32) -> Vec<u8> {
    let first = format!("lead=\"V1\">{},", wave(2, 1)[0]);
    edited(&first, &format!("lead=\"V1\">{count},"))
}

/// V1 with one value only.
fn flat(count: i16) -> Vec<u8> {
    let xml = file(5000);
    let begin = xml.find("lead=\"V1\">").unwrap() + 10;
    let end = begin + xml[begin..].find('<').unwrap();
    format!("{}{}{}", &xml[..begin], vec![count.to_string(); 5000].join(","), &xml[end..]).into_bytes()
}

#[test]
fn every_defect_has_its_exact_outcome() {
    check(vec![
        ("nothing wrong", file(5000).into_bytes(), Kept(&[])),
        ("one line", file(5000).replace(['\n', '\t'], "").into_bytes(), Kept(&[])),
        ("a comma at the end", edited("</WaveformData>", ",\n</WaveformData>"), Kept(&[])),
        ("a number missing", edited(",", ",,"), Rejected("invalid_value")),
        ("spaces for commas", edited(",", " "), Rejected("invalid_value")),
        ("no rate", edited(">500<", "><"), Rejected("missing_sampling_rate")),
        ("no unit of the rate", edited(" units=\"Hz\"", ""), Rejected("missing_sampling_rate")),
        ("a rate in kHz", edited("\"Hz\"", "\"kHz\""), Rejected("invalid_value")),
        ("no resolution", edited("<Resolution units=\"uVperLsb\">5</Resolution>", ""), Rejected("missing_gain")),
        ("no unit of the resolution", edited(" units=\"uVperLsb\"", ""), Rejected("missing_gain")),
        ("a resolution of another unit", edited("uVperLsb", "nVperLsb"), Rejected("invalid_value")),
        ("a sample count that differs", edited(">5000<", ">4999<"), Kept(&[F::COUNT_MISMATCH])),
        ("a lead under another name", edited("lead=\"V6\"", "lead=\"V9\""), Rejected("missing_lead")),
        ("a lead twice", edited("lead=\"III\"", "lead=\"V6\""), Kept(&[F::DUPLICATE_LEAD])),
        ("a flat lead", flat(7), Kept(&[F::FLAT_LEAD])),
        ("a lead at the end of its range", first_count(-32768), Kept(&[F::SATURATED, F::IMPLAUSIBLE_AMPLITUDE])),
        ("a lead beyond 20 mV", first_count(4001), Kept(&[F::IMPLAUSIBLE_AMPLITUDE])),
        ("a lead of 20 mV", first_count(4000), Kept(&[])),
        ("a count of 17 bits", first_count(32768), Rejected("invalid_value")),
        ("a negative resolution", edited(">5</Resolution>", ">-5</Resolution>"), Kept(&[F::NEGATIVE_GAIN])),
        ("a resolution of 0", edited(">5</Resolution>", ">0</Resolution>"), Rejected("invalid_value")),
        ("a rate of 0", edited(">500<", ">0<"), Rejected("invalid_value")),
        ("a rate that is no number", edited(">500<", ">fast<"), Rejected("invalid_value")),
        ("250 Hz", edited(">500<", ">250<"), Kept(&[])),
        (
            "a lead beyond the twelve",
            edited("</StripData>", "<WaveformData lead=\"V9\">1</WaveformData></StripData>"),
            Kept(&[F::EXTRA_LEADS]),
        ),
        (
            "an empty lead",
            edited("lead=\"V6\">", "lead=\"V6\"></WaveformData><WaveformData lead=\"x\">"),
            Rejected("missing_lead"),
        ),
        (
            "a lead that contradicts",
            edited("lead=\"III\">", "lead=\"aVF\"></WaveformData><WaveformData lead=\"x\">"),
            Kept(&[F::DUPLICATE_LEAD, F::EXTRA_LEADS]),
        ),
        ("a second strip", edited("</StripData>", &format!("</StripData>{STRIP}")), Kept(&[F::SEVERAL_RHYTHMS])),
        ("a strip that nothing closes", edited("StripData>", "Strip>"), Rejected("truncated")),
        ("only other waveforms", file(5000).replace("StripData>", "Strip>").into_bytes(), Rejected("no_waveform")),
        ("an empty root", b"<CardiologyXML/>".to_vec(), Rejected("no_waveform")),
        ("truncated", file(5000).replace("</CardiologyXML>", "").into_bytes(), Rejected("truncated")),
    ]);
}
