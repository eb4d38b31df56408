//! One row a thing that is wrong with an aECG file, or unusual, and exactly what becomes of it.

use hfrisk_ecg::xml::ParseOptions;
use hfrisk_ecg::{Dialect, QualityFlags as F, Sex};

use crate::Outcome::{Kept, Rejected};
use crate::builder::{Aecg, LeadXml, aecg, derivation, increment, lead, series, text, time, wave};
use crate::{Outcome, check, parse, parse_with};

type Row = (&'static str, Vec<u8>, Outcome);

fn rate(value: &str, unit: &str) -> Vec<u8> {
    aecg(|file| file.time = increment(value, unit))
}

fn digits(text: &str) -> Vec<u8> {
    lead(2, |lead| lead.digits = Some(text.into()))
}

fn time_and_scale() -> Vec<Row> {
    vec![
        ("nothing wrong", aecg(|_| {}), Kept(&[])),
        ("an increment in ms", rate("2", "ms"), Kept(&[])),
        ("1000 Hz", rate("0.001", "s"), Kept(&[])),
        ("240 Hz, rounded", rate("4.16667", "ms"), Kept(&[])),
        ("relative time", aecg(|file| file.time = file.time.replace("ABSOLUTE", "RELATIVE")), Kept(&[])),
        ("both times", aecg(|file| file.time += &increment("2", "ms").replace("ABSOLUTE", "RELATIVE")), Kept(&[])),
        ("two times that contradict", aecg(|file| file.time += &increment("4", "ms")), Rejected("invalid_value")),
        (
            "time after the leads",
            text(|xml| {
                let set = xml.find("<sequenceSet>").unwrap() + 13;
                let end = xml.find("</component>").unwrap() + 12;
                format!("{}{}", &xml[..set], &xml[end..]).replace("</sequenceSet>", &format!("{}</sequenceSet>", &xml[set..end]))
            }),
            Kept(&[]),
        ),
        ("no time", aecg(|file| file.time.clear()), Rejected("missing_sampling_rate")),
        ("no increment", aecg(|file| file.time = time("TIME_ABSOLUTE", "")), Rejected("missing_sampling_rate")),
        ("an empty increment", rate("", "s"), Rejected("missing_sampling_rate")),
        ("no unit of time", rate("0.002", ""), Rejected("missing_sampling_rate")),
        ("another unit of time", rate("2000", "us"), Rejected("invalid_value")),
        ("an increment of 0", rate("0", "s"), Rejected("invalid_value")),
        ("a negative increment", rate("-0.002", "s"), Rejected("invalid_value")),
        ("an increment that is no number", rate("fast", "s"), Rejected("invalid_value")),
        ("mV", lead(0, |lead| lead.scale = "<{p}scale value=\"0.0025\" unit=\"mV\"/>".into()), Kept(&[])),
        ("another unit", lead(0, |lead| lead.scale = "<{p}scale value=\"2500\" unit=\"nV\"/>".into()), Rejected("invalid_value")),
        ("no unit", lead(0, |lead| lead.scale = "<{p}scale value=\"2.5\"/>".into()), Rejected("missing_gain")),
        ("no scale", lead(0, |lead| lead.scale.clear()), Rejected("missing_gain")),
        ("a scale of 0", lead(0, |lead| lead.scale = "<{p}scale value=\"0\" unit=\"uV\"/>".into()), Rejected("invalid_value")),
        (
            "a scale that is no number",
            lead(0, |lead| lead.scale = "<{p}scale value=\"2,5\" unit=\"uV\"/>".into()),
            Rejected("invalid_value"),
        ),
        (
            "a negative scale",
            lead(0, |lead| lead.scale = "<{p}scale value=\"-2.5\" unit=\"uV\"/>".into()),
            Kept(&[F::NEGATIVE_GAIN]),
        ),
        ("no origin", lead(0, |lead| lead.origin.clear()), Kept(&[])),
        ("an origin of 0 without a unit", lead(0, |lead| lead.origin = "<{p}origin value=\"0\"/>".into()), Kept(&[])),
        ("an origin of whole counts", lead(0, |lead| lead.origin = "<{p}origin value=\"-0.01\" unit=\"mV\"/>".into()), Kept(&[])),
        (
            "an origin of half a count",
            lead(0, |lead| lead.origin = "<{p}origin value=\"1.25\" unit=\"uV\"/>".into()),
            Rejected("invalid_value"),
        ),
        ("an origin without a unit", lead(0, |lead| lead.origin = "<{p}origin value=\"5\"/>".into()), Rejected("invalid_value")),
        (
            "an origin beyond the range",
            lead(0, |lead| lead.origin = "<{p}origin value=\"1e9\" unit=\"uV\"/>".into()),
            Rejected("invalid_value"),
        ),
        (
            "an origin that carries a count out of the range",
            lead(0, |lead| {
                lead.origin = "<{p}origin value=\"81915\" unit=\"uV\"/>".into();
            }),
            Rejected("invalid_value"),
        ),
    ]
}

fn counts_and_leads() -> Vec<Row> {
    vec![
        ("a count of 17 bits", digits("1 2 32768 4"), Rejected("invalid_value")),
        ("a count of 100 bits", digits("1 999999999999999999999999999999 4"), Rejected("invalid_value")),
        ("a fraction", digits("1 2.5 4"), Rejected("invalid_value")),
        ("commas", digits("1,2,3"), Rejected("invalid_value")),
        ("a word", digits("1 NaN 3"), Rejected("invalid_value")),
        ("a tag within the digits", digits("1 <b/> 3"), Rejected("invalid_value")),
        ("empty digits", digits(" \n "), Rejected("missing_lead")),
        (
            "a comment within the digits",
            lead(2, |lead| {
                lead.digits =
                    Some(lead.counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ") + "<!-- 1 </digits> -->");
            }),
            Kept(&[]),
        ),
        ("one sample short", lead(2, |lead| lead.counts.truncate(4999)), Kept(&[F::COMPLETED])),
        ("two samples short", lead(2, |lead| lead.counts.truncate(4998)), Rejected("mixed_lengths")),
        ("a lead absent", aecg(|file| drop(file.leads.remove(7))), Rejected("missing_lead")),
        (
            "fifteen leads",
            aecg(|file| file.leads.extend(["V3R", "V7", "-AVR"].map(|name| LeadXml::new(name, vec![1; 9])))),
            Kept(&[F::EXTRA_LEADS]),
        ),
        ("a lead twice", aecg(|file| file.leads.push(LeadXml::new("V1", vec![1; 5000]))), Kept(&[F::DUPLICATE_LEAD])),
        (
            "codes with dashes",
            aecg(|file| file.leads.iter_mut().for_each(|lead| lead.code = lead.code.replace('_', "-"))),
            Kept(&[]),
        ),
        ("a flat lead", lead(4, |lead| lead.counts.fill(0)), Kept(&[F::FLAT_LEAD])),
        (
            "a lead at the end of its range",
            lead(4, |lead| lead.counts[9] = i16::MIN),
            Kept(&[F::SATURATED, F::IMPLAUSIBLE_AMPLITUDE]),
        ),
        (
            "a limb lead that contradicts",
            aecg(|file| file.leads.push(LeadXml::new("AVF", wave(6, 5000)))),
            Kept(&[F::LIMB_LEADS_INCONSISTENT]),
        ),
    ]
}

fn series_and_file() -> Vec<Row> {
    let beat = || series("REPRESENTATIVE_BEAT", &Aecg::new().sequence_set());
    vec![
        ("a representative beat", aecg(|file| file.after = derivation()), Kept(&[])),
        ("a representative beat first", aecg(|file| file.header += &beat()), Kept(&[])),
        ("only a representative beat", aecg(|file| file.series_code = "REPRESENTATIVE_BEAT".into()), Rejected("no_rhythm")),
        ("a series without a code", aecg(|file| file.series_code.clear()), Rejected("no_rhythm")),
        ("two rhythms", aecg(|file| file.header += &series("RHYTHM", &Aecg::new().sequence_set())), Kept(&[F::SEVERAL_RHYTHMS])),
        (
            "an incomplete rhythm first",
            aecg(|file| {
                let mut first = Aecg::new();
                first.leads.truncate(2);
                file.header += &series("RHYTHM", &first.sequence_set());
            }),
            Kept(&[F::SEVERAL_RHYTHMS]),
        ),
        ("a second sequence set", aecg(|file| file.after = Aecg::new().sequence_set()), Kept(&[F::SEVERAL_RHYTHMS])),
        ("no series", b"<AnnotatedECG xmlns=\"urn:hl7-org:v3\">\n</AnnotatedECG>".to_vec(), Rejected("no_waveform")),
        ("an empty root", b"<x:AnnotatedECG/>".to_vec(), Rejected("no_waveform")),
        (
            "a rhythm without sequences",
            b"<AnnotatedECG><component><series><code code='RHYTHM'/></series></component></AnnotatedECG>".to_vec(),
            Rejected("no_waveform"),
        ),
        ("a prefix", aecg(|file| file.prefix = "hl7:".into()), Kept(&[])),
        ("comments first", aecg(|file| file.prolog = "<!-- <RestingECG> -->\n<!-- b -->\n".into()), Kept(&[])),
        (
            "a spaced declaration",
            aecg(|file| file.prolog = "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\r\n".into()),
            Kept(&[]),
        ),
        (
            "UTF-16",
            aecg(|_| {}).iter().fold(vec![0xFF, 0xFE], |mut all, &byte| {
                all.extend([byte, 0]);
                all
            }),
            Kept(&[]),
        ),
        (
            "a doctype with entities",
            aecg(|file| file.prolog = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>".into()),
            Kept(&[]),
        ),
        ("a raw < in a name", text(|xml| xml.replace("Hong", "A < B <C & D")), Kept(&[])),
        ("truncated in the digits", text(|xml| xml[..xml.len() - 3000].into()), Rejected("truncated")),
        ("truncated in the header", text(|xml| xml[..400].into()), Rejected("truncated")),
        ("truncated before the root's end", text(|xml| xml.replace("</AnnotatedECG>", "")), Rejected("truncated")),
        (
            "a value that is not closed",
            text(|xml| xml.replacen("</value></sequence>", "</sequence>", 2)),
            Rejected("malformed_xml"),
        ),
    ]
}

#[test]
fn every_defect_has_its_exact_outcome() {
    check(time_and_scale());
    check(counts_and_leads());
    check(series_and_file());
}

#[test]
fn counts_and_header_are_those_of_the_rhythm_whatever_stands_around_it() {
    let expected: Vec<i16> = (0..8).flat_map(|index| wave(index, 5000)).collect();
    let around = [
        "a representative beat",
        "a representative beat first",
        "two rhythms",
        "an incomplete rhythm first",
        "a prefix",
        "UTF-16",
        "a lead twice",
        "fifteen leads",
        "codes with dashes",
        "a comment within the digits",
        "time after the leads",
        "relative time",
    ];
    let rows = [time_and_scale(), counts_and_leads(), series_and_file()].into_iter().flatten();
    let rows: Vec<Row> = rows.filter(|(name, ..)| around.contains(name)).collect();
    assert_eq!(rows.len(), around.len());
    for (name, bytes, _) in rows {
        let recording = parse(&bytes).unwrap();
        assert_eq!(recording.signal.counts, expected, "{name}");
        assert_eq!((recording.signal.sampling_rate_hz, recording.signal.lsb_uv[7]), (500.0, 2.5), "{name}");
        assert_eq!((recording.dialect, recording.device.as_deref()), (Dialect::Aecg, Some("ELI250")), "{name}");
        assert_eq!((recording.age_years, recording.sex), (Some(46.0), Some(Sex::Female)), "{name}");
        let at = recording.acquired_at.unwrap();
        assert_eq!((at.year, at.month, at.day, at.hour, at.minute, at.second), (2002, 11, 22, 9, 10, 7), "{name}");
    }
}

#[test]
fn rates_are_the_inverse_of_the_increment_and_whole_where_it_was_rounded() {
    let rates = [
        ("0.002", "s", 500.0),
        ("4", "ms", 250.0),
        ("0.01", "s", 100.0),
        ("1", "ms", 1000.0),
        ("4.16667", "ms", 240.0),
        ("3", "ms", 1000.0 / 3.0),
    ];
    for (value, unit, expected) in rates {
        assert_eq!(parse(&rate(value, unit)).unwrap().signal.sampling_rate_hz, expected, "{value} {unit}");
    }
}

#[test]
fn an_origin_of_whole_counts_is_added() {
    let recording = parse(&lead(1, |lead| lead.origin = "<{p}origin value=\"-0.01\" unit=\"mV\"/>".into())).unwrap();
    assert_eq!(recording.signal.lead(1), wave(1, 5000).iter().map(|count| count - 4).collect::<Vec<_>>());
}

#[test]
fn strict_mode_rejects_a_lead_that_stands_there_twice() {
    let twice = aecg(|file| file.leads.push(LeadXml::new("V1", vec![1; 5000])));
    let strict = ParseOptions { strict: true, ..ParseOptions::default() };
    assert_eq!(parse_with(strict, &twice).unwrap_err().kind(), "duplicate_lead");
}

#[test]
fn the_document_s_time_counts_where_the_series_has_none() {
    let recording = parse(&text(|xml| xml.replace("20021122091007.250+0900", "XXXX"))).unwrap();
    assert_eq!(recording.acquired_at.map(|at| (at.year, at.hour)), Some((2001, 0)));
}

#[test]
fn nothing_that_is_kept_or_said_names_the_person() {
    for (name, bytes, _) in [time_and_scale(), counts_and_leads(), series_and_file()].into_iter().flatten() {
        let said = match parse(&bytes) {
            Ok(recording) => format!("{:?} {:?} {:?}", recording.device, recording.statements, recording.flags),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!["Hong", "00112233", "1953"].iter().any(|word| said.contains(word)), "{name}: {said}");
    }
}
