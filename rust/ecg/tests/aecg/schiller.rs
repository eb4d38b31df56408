//! Schiller files, whole or with one thing wrong.

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::{Dialect, QualityFlags as F, Signal};

use crate::Outcome::{Kept, Rejected};
use crate::builder::wave;
use crate::schiller_file::file;
use crate::{check, parse};

/// A file whose rhythm has one thing changed.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let xml = file(5000);
    let rhythm = xml.find("ECG_RHYTHMS").unwrap();
    assert!(xml[rhythm..].contains(from), "{from}");
    format!("{}{}", &xml[..rhythm], xml[rhythm..].replacen(from, to, 1)).into_bytes()
}

#[test]
fn the_rhythm_is_read_and_no_average() {
    let recording = parse(file(4998).as_bytes()).unwrap();
    assert_eq!((recording.dialect, recording.num_leads_stored), (Dialect::Schiller, 8));
    assert_eq!((recording.signal.num_samples, recording.signal.sampling_rate_hz), (4998, 500.0));
    assert_eq!(recording.signal.lsb_uv[..8], [1.0; 8]);
    for index in 0..8 {
        assert_eq!(recording.signal.lead(index), wave(index, 4998), "{index}");
    }
}

#[test]
fn the_two_samples_that_such_files_lack_are_completed() {
    let (native, mut room) = (parse(file(4998).as_bytes()).unwrap().signal, Signal::default());
    let (stored, flags) = Resampler::new().to_store(&native, &mut room).unwrap();
    assert_eq!((flags, stored.lead(1)[4999]), (F::COMPLETED, wave(1, 4998)[4997]));
}

#[test]
fn every_defect_has_its_exact_outcome() {
    let number = wave(0, 1)[0];
    check(vec![
        ("nothing wrong", file(5000).into_bytes(), Kept(&[])),
        ("UTF-8 mark", format!("\u{feff}{}", file(5000)).into_bytes(), Kept(&[])),
        ("no exponent", edited("<exponent>1</exponent>", ""), Kept(&[])),
        ("an exponent that nobody explains", edited("<exponent>1<", "<exponent>2<"), Rejected("invalid_value")),
        ("no rate", edited("<value>500</value>", ""), Rejected("missing_sampling_rate")),
        ("a rate of 0", edited("<value>500<", "<value>0<"), Rejected("invalid_value")),
        ("no resolution", edited("<unitperbit>1</unitperbit>", ""), Rejected("missing_gain")),
        ("a resolution of 0", edited("<unitperbit>1<", "<unitperbit>0<"), Rejected("invalid_value")),
        ("a negative resolution", edited("<unitperbit>1<", "<unitperbit>-1<"), Kept(&[F::NEGATIVE_GAIN])),
        ("no unit", edited("<units>UV</units>", ""), Rejected("missing_gain")),
        ("another unit", edited("<units>UV<", "<units>NV<"), Rejected("invalid_value")),
        ("another spelling of numbers", edited("COMMASEPARATE", "HEX"), Rejected("invalid_value")),
        ("a word for a number", edited(&format!("<data>{number},"), "<data>x,"), Rejected("invalid_value")),
        ("a lead under another name", edited("<name>V6<", "<name>V9<"), Rejected("missing_lead")),
        ("a lead that nothing closes", edited("<data>", "<other>"), Rejected("truncated")),
        (
            "a lead twice",
            edited("</wavedata>", "<channel><name>V1</name><data>1,2</data></channel></wavedata>"),
            Kept(&[F::DUPLICATE_LEAD]),
        ),
        (
            "a lead beyond the twelve",
            edited("</wavedata>", "<channel><name>V7</name><data>1,2</data></channel></wavedata>"),
            Kept(&[F::EXTRA_LEADS]),
        ),
        ("only averages", file(5000).replace("ECG_RHYTHMS", "ECG_AVERAGES").into_bytes(), Rejected("no_rhythm")),
        ("no waves", file(5000).replace("wavedata>", "other>").into_bytes(), Rejected("no_waveform")),
        ("an empty root", b"<examdescript/>".to_vec(), Rejected("no_waveform")),
        ("truncated", file(5000).replace("</examdescript>", "").into_bytes(), Rejected("truncated")),
    ]);
}

#[test]
fn no_error_and_no_recording_holds_a_name_or_a_number_of_the_person() {
    for bytes in [file(5000).into_bytes(), edited("</channel>", ""), edited("<value>500<", "<value>x<")] {
        let said = match parse(&bytes) {
            Ok(recording) => format!("{:?} {:?}", recording.device, recording.statements),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!said.contains("Hong") && !said.contains("00112233"), "{said}");
    }
}
