//! The three de-identified variants of Korean hospitals, and what becomes of their recordings on the way to the store.

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{QualityFlags as F, Recording, Signal};

use crate::builder::{LeadXml, WaveformXml, cut_counts, element, encode, limb_leads, little_endian, wave};
use crate::defects::parse;

const ONE_LINE: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><!DOCTYPE RestingECG SYSTEM \"restecg.dtd\"><RestingECG>";

fn file(waveforms: &[String]) -> String {
    let id = element("PatientDemographics", &element("PatientID", "5_00112233"));
    format!("{ONE_LINE}{id}{}</RestingECG>", waveforms.concat())
}

fn waveform(waveform: &WaveformXml) -> String {
    element("Waveform", &waveform.children().concat())
}

/// `5_`: median and rhythm, eight leads, gain 4.88, filters stated.
fn five() -> String {
    file(&[WaveformXml::median(), WaveformXml::rhythm(5000)].map(|found| waveform(&found)))
}

/// `8_`: the rhythm alone, noise marks, limits of another width than the samples.
fn eight() -> String {
    let mut rhythm = WaveformXml::rhythm(5000);
    for lead in &mut rhythm.leads {
        lead.extra =
            element("LeadLowLimit", "268435456") + &element("ExcessiveACNoise", "FALSE") + &element("MuscleNoise", "TRUE");
    }
    file(&[waveform(&rhythm)])
}

/// `6_`: one waveform that states neither type nor exponent nor filters, twelve leads in the order of ECG paper, no checksums.
fn six(gain: &str) -> String {
    let mut leads = limb_leads(0);
    leads.rotate_left(4);
    leads.extend((2..8).map(|index| LeadXml::new(["V1", "V2", "V3", "V4", "V5", "V6"][index - 2], wave(index, 5000))));
    let leads: Vec<String> = leads
        .iter()
        .map(|lead| {
            let payload = encode(&little_endian(&lead.counts), 68, "\n");
            let children = [
                element("LeadSampleCountTotal", "5000"),
                element("LeadAmplitudeUnitsPerBit", gain),
                element("LeadAmplitudeUnits", "MICROVOLTS"),
                element("LeadID", &lead.id),
                element("LeadSampleSize", "2"),
                element("WaveFormData", &payload),
            ];
            element("LeadData", &children.concat())
        })
        .collect();
    let head =
        element("SampleBase", "500") + &["HighPassFilter", "LowPassFilter", "ACFilter"].map(|name| element(name, "")).concat();
    file(&[element("Waveform", &(head + &leads.concat()))])
}

fn flags(recording: &Recording) -> Vec<&'static str> {
    recording.flags.names().collect()
}

#[test]
fn each_variant_has_its_exact_flags_and_the_counts_of_its_rhythm() {
    let rows = [
        ("5_", five(), vec![], 4.88, 8),
        ("8_", eight(), vec!["noise_marked"], 4.88, 8),
        ("6_", six("5"), vec!["crc_unknown", "untyped_waveform"], 5.0, 12),
        ("6_ with gain -10", six("-10"), vec!["crc_unknown", "negative_gain", "untyped_waveform"], -10.0, 12),
    ];
    for (name, xml, expected, gain, num_leads) in rows {
        let recording = parse(xml.as_bytes()).unwrap();
        assert_eq!(flags(&recording), expected, "{name}");
        assert_eq!((recording.num_leads_stored, recording.signal.lsb_uv[0]), (num_leads, gain), "{name}");
        assert_eq!(recording.signal.lead(7), wave(7, 5000), "{name}");
        assert_eq!((recording.acquired_at, recording.age_years, recording.sex), (None, None, None), "{name}");
    }
}

#[test]
fn short_leads_of_the_variants_are_completed_or_rejected_on_the_way_to_the_store() {
    for (num_samples, expected) in [
        (5000, Ok(F::default())),
        (4999, Ok(F::COMPLETED)),
        (4988, Ok(F::COMPLETED)),
        (4950, Ok(F::COMPLETED)),
        (4949, Err("short_record")),
        (1249, Err("short_record")),
        (5001, Ok(F::CUT)),
    ] {
        let mut rhythm = WaveformXml::rhythm(6000);
        rhythm.leads.iter_mut().for_each(|lead| cut_counts(lead, num_samples));
        let recording = parse(file(&[waveform(&rhythm)]).as_bytes()).unwrap();
        let mut stored = Signal::default();
        let found = Resampler::new().to_store(&recording.signal, &mut stored).map(|(_, flags)| flags);
        assert_eq!(found.map_err(|error| error.kind()), expected.map_err(str::to_owned), "{num_samples} samples");
    }
}

#[test]
fn slower_rates_reach_ten_seconds_and_are_never_taken_for_one_another() {
    for (rate, num_samples, expected) in [
        ("250", 2500, Ok(F::RESAMPLED)),
        ("240", 2500, Ok(F(F::RESAMPLED.0 | F::CUT.0))),
        ("240", 2400, Ok(F::RESAMPLED)),
        ("1000", 10_000, Ok(F::RESAMPLED)),
        ("500", 2500, Err("short_record")),
        ("250.1", 2501, Err("invalid_value")),
    ] {
        let mut rhythm = WaveformXml { sample_base: Some(rate.into()), ..WaveformXml::rhythm(num_samples) };
        rhythm.sample_exponent = None;
        let recording = parse(file(&[waveform(&rhythm)]).as_bytes()).unwrap();
        let mut stored = Signal::default();
        let found = Resampler::new().to_store(&recording.signal, &mut stored).map(|(_, flags)| flags);
        assert_eq!(found.map_err(|error| error.kind()), expected.map_err(str::to_owned), "{num_samples} at {rate} Hz");
    }
}

/// Ways to write a lead that mean the same as the usual one.
fn rewritten(lead: &str, way: usize) -> String {
    match way {
        0 => lead.to_owned(),
        1 => lead.replace("<WaveFormData>", "<WaveFormData><![CDATA[").replace("</WaveFormData>", "]]></WaveFormData>"),
        2 => lead.replace("</WaveFormData>", "<!-- </WaveFormData> --></WaveFormData >"),
        3 => lead.replace("<LeadID>", "<LeadID> </LeadID><LeadID>"),
        4 => lead.replace("<LeadHighLimit>", "<Other><LeadHighLimit>1</LeadHighLimit></Other><LeadHighLimit>"),
        5 => lead.replace("<LeadSampleSize>", "\n<!-- x --><LeadSampleSize a='>'>"),
        6 => lead.replace("<LeadHighLimit>2147483647</LeadHighLimit>", ""),
        _ => lead.replace("</LeadHighLimit>", "</LeadHighLimit><New/>"),
    }
}

#[test]
fn a_lead_that_is_written_otherwise_than_the_first_is_read_all_the_same() {
    let expected = parse(five().as_bytes()).unwrap();
    let xml = five();
    let rhythm = xml.rfind("<Waveform>").unwrap();
    let leads: Vec<&str> = xml[rhythm..].split_inclusive("</LeadData>").collect();
    for first in 0..8 {
        for other in 0..8 {
            for at in 1..8 {
                let mut parts: Vec<String> = leads.iter().map(|lead| rewritten(lead, first)).collect();
                parts[at] = rewritten(leads[at], other);
                let edited = format!("{}{}", &xml[..rhythm], parts.concat());
                assert_eq!(parse(edited.as_bytes()).as_ref(), Ok(&expected), "all as {first}, lead {at} as {other}");
            }
        }
    }
}

#[test]
fn the_machines_measurements_are_read_whether_written_like_the_edited_ones_or_not() {
    let block = |name: &str, values: &[(&str, &str)]| {
        element(name, &values.iter().map(|(name, value)| element(name, value)).collect::<Vec<_>>().concat())
    };
    let edited = block("RestingECGMeasurements", &[("VentricularRate", "70"), ("QTInterval", "400"), ("QTcFrederica", "410")]);
    for other in [
        vec![("VentricularRate", "71"), ("QTInterval", "401"), ("QTcFrederica", "411")],
        vec![("VentricularRate", "71"), ("QTInterval", "401")],
        vec![("QTInterval", "401"), ("VentricularRate", "71"), ("PAxis", "")],
    ] {
        let xml = five().replace("<Waveform>", &format!("{edited}{}<Waveform>", block("OriginalRestingECGMeasurements", &other)));
        let recording = parse(xml.as_bytes()).unwrap();
        let rates = (recording.measurements.ventricular_rate_bpm, recording.original_measurements.ventricular_rate_bpm);
        assert_eq!(rates, (Some(70), Some(71)), "{other:?}");
        assert_eq!(recording.original_measurements.qt_interval_ms, Some(401), "{other:?}");
    }
}

/// Nothing but what a lead must have, so that a whole one is short enough to be remembered as what stands between others.
fn short_lead(tag: &str, id: &str, payload: &str) -> String {
    let fields = [
        element("LeadAmplitudeUnitsPerBit", "4.88"),
        element("LeadAmplitudeUnits", "MICROVOLTS"),
        element("LeadID", id),
        element("WaveFormData", payload),
    ];
    format!("<LeadData{tag}>{}</LeadData>", fields.concat())
}

#[test]
fn a_file_that_is_read_again_by_the_same_parser_is_read_the_same() {
    // More children, and longer text between two, than are remembered.
    let (many, long) = ("<New>1</New>".repeat(40), " ".repeat(600));
    for first in ["", " a=\"1\"", " ", "/><LeadData"] {
        for extra in [
            "",
            "<New/>",
            "<New>1</New>",
            "<New><Newer>1</Newer></New>",
            "</New>",
            "<!-- <LeadData> -->",
            "<SampleBase>240</SampleBase>",
            &many,
            &long,
        ] {
            let leads: Vec<String> = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
                .into_iter()
                .enumerate()
                .map(|(index, id)| short_lead(if index == 0 { first } else { "" }, id, ["AQACAA==", "AwAEAA=="][index % 2]))
                .collect();
            let header = [element("WaveformType", "Rhythm"), element("SampleBase", "500")].concat();
            let [before, after] = [leads[..1].concat(), leads[1..].concat()];
            for waveform in [format!("{header}{extra}{before}{after}"), format!("{header}{before}{extra}{after}")] {
                let xml = element("RestingECG", &element("Waveform", &waveform));
                let mut parser = Parser::new(ParseOptions::default());
                for _ in 0..3 {
                    let mut recording = Recording::default();
                    parser.parse(xml.as_bytes(), &mut recording).unwrap();
                    assert_eq!(recording, parse(xml.as_bytes()).unwrap(), "{xml}");
                    assert_eq!(recording.signal.lead(0), [1, 2], "{xml}");
                }
            }
        }
    }
}
