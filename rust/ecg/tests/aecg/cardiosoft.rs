//! `CardioSoft` files, whole or with one thing wrong.

use hfrisk_ecg::{Dialect, Lead, QualityFlags as F, Sex};

use crate::Outcome::{Kept, Rejected};
use crate::builder::wave;
use crate::{check, parse};

/// Twelve leads, of which the limb leads follow from I and II, as `CardioSoft` writes them.
pub fn file(num_samples: usize) -> String {
    let even = |index: usize| wave(index, num_samples).into_iter().map(|count| count / 2 * 2).collect::<Vec<i16>>();
    let (i, ii) = (even(0), even(1));
    let derive = |f: fn(i16, i16) -> i16| i.iter().zip(&ii).map(|(&x, &y)| f(x, y)).collect::<Vec<i16>>();
    let leads: Vec<String> = Lead::ALL
        .iter()
        .map(|lead| {
            let counts = match lead {
                Lead::I => i.clone(),
                Lead::II => ii.clone(),
                Lead::III => derive(|x, y| y - x),
                Lead::AVR => derive(|x, y| -(x + y) / 2),
                Lead::AVL => derive(|x, y| x - y / 2),
                Lead::AVF => derive(|x, y| y - x / 2),
                _ => wave(lead.index() - 4, num_samples),
            };
            let lines: Vec<String> =
                counts.chunks(20).map(|line| line.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")).collect();
            format!("\t\t<WaveformData lead=\"{}\">{}</WaveformData>\n", lead.name(), lines.join(",\n\t\t"))
        })
        .collect();
    let leads = leads.concat();
    let beat = "<SampleRate units=\"Hz\">100</SampleRate><Resolution units=\"uVperLsb\">1</Resolution><WaveformData lead=\"I\">7,7</WaveformData>";
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO8859-1\"?>\n<CardiologyXML>\n<ObservationType>RestECG</ObservationType>\n\
         <ObservationDateTime><Hour>9</Hour><Minute>5</Minute><Second>7</Second><Day>3</Day><Month>11</Month><Year>2014</Year></ObservationDateTime>\n\
         <PatientInfo><PID>00112233</PID><Name><FamilyName>Hong</FamilyName></Name><Age units=\"years\">61</Age>\
         <BirthDateTime><Day>8</Day><Month>5</Month><Year>1953</Year></BirthDateTime><Gender>FEMALE</Gender></PatientInfo>\n\
         <Device-Type>MAC2000</Device-Type>\n\
         <RestingECGMeasurements><VentricularRate units=\"BPM\">62</VentricularRate><PQInterval units=\"ms\">160</PQInterval>\
         <QTCInterval units=\"ms\"></QTCInterval><RAxis units=\"deg\">-30</RAxis><MedianSamples>{beat}<QTInterval>9</QTInterval></MedianSamples>\
         </RestingECGMeasurements>\n\
         <StripData><NumberOfLeads>12</NumberOfLeads><SampleRate units=\"Hz\">500</SampleRate>\
         <ChannelSampleCountTotal>{num_samples}</ChannelSampleCountTotal><Resolution units=\"uVperLsb\">5</Resolution>\n{leads}</StripData>\n\
         <FullDisclosure>{beat}<FullDisclosureData>1,2,3,</FullDisclosureData></FullDisclosure>\n</CardiologyXML>\n"
    )
}

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
        ("a strip that nothing closes", edited("StripData>", "Strip>"), Rejected("truncated")),
        ("only other waveforms", file(5000).replace("StripData>", "Strip>").into_bytes(), Rejected("no_waveform")),
        ("an empty root", b"<CardiologyXML/>".to_vec(), Rejected("no_waveform")),
        ("truncated", file(5000).replace("</CardiologyXML>", "").into_bytes(), Rejected("truncated")),
    ]);
}
