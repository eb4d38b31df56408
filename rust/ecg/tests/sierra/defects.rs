//! The defect matrix: one row a thing that is wrong with a file, and exactly what becomes of it.

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{ParseError, QualityFlags, Recording};

use crate::builder::{Sierra, sierra, utf16};
use crate::encoder::{bits, pack};

type F = QualityFlags;

pub fn parse_with(options: ParseOptions, bytes: &[u8]) -> Result<Recording, ParseError> {
    let mut recording = Recording::default();
    Parser::new(options).parse(bytes, &mut recording).map(|()| recording)
}

pub fn parse(bytes: &[u8]) -> Result<Recording, ParseError> {
    parse_with(ParseOptions::default(), bytes)
}

/// What a row expects: these flags beside `CRC_UNKNOWN`, or a rejection of this kind.
pub enum Outcome {
    Kept(&'static [QualityFlags]),
    Rejected(&'static str),
}
use Outcome::{Kept, Rejected};

type Row = (&'static str, Vec<u8>, Outcome);

/// The whole matrix.
pub fn rows() -> Vec<Row> {
    [stated_by_the_file(), marks(), leads(), payload(), text_around_it()].into_iter().flatten().collect()
}

fn changed(mut file: Sierra, change: impl FnOnce(&mut Sierra)) -> Vec<u8> {
    change(&mut file);
    file.to_xml().into_bytes()
}

/// A 1.04 file with one attribute changed.
fn set(name: &'static str, value: &str) -> Vec<u8> {
    sierra(|file| file.set(name, value))
}

fn remove(name: &str) -> Vec<u8> {
    sierra(|file| file.remove(name))
}

/// A 1.03 file with an element of `signalcharacteristics` renamed.
fn rename(element: &str) -> Vec<u8> {
    changed(Sierra::old(), |file| file.signal = file.signal.replace(element, "x"))
}

fn stated_by_the_file() -> Vec<Row> {
    vec![
        ("nothing wrong, 1.04", sierra(|_| {}), Kept(&[F::CUT])),
        ("nothing wrong, 1.03", changed(Sierra::old(), |_| {}), Kept(&[F::CUT])),
        ("1.04.02", sierra(|file| file.version = "1.04.02".into()), Kept(&[F::CUT])),
        ("no version", sierra(|file| file.version.clear()), Kept(&[F::CUT])),
        ("unknown version", sierra(|file| file.version = "2.00".into()), Rejected("invalid_value")),
        ("rate missing", rename("samplingrate"), Rejected("missing_sampling_rate")),
        ("rate in signalcharacteristics only", remove("samplespersecond"), Kept(&[F::CUT])),
        ("rate 0", set("samplespersecond", "0"), Rejected("invalid_value")),
        ("rate no number", set("samplespersecond", "fast"), Rejected("invalid_value")),
        ("resolution missing", rename("signalresolution"), Rejected("missing_gain")),
        ("resolution in signalcharacteristics only", remove("resolution"), Kept(&[F::CUT])),
        ("resolution 0", set("resolution", "0"), Rejected("invalid_value")),
        ("resolution negative", set("resolution", "-5"), Kept(&[F::CUT, F::NEGATIVE_GAIN])),
        ("an offset", set("signaloffset", "7"), Kept(&[F::CUT, F::BASELINE_OFFSET])),
        ("unsigned samples", set("signalsigned", "False"), Rejected("invalid_value")),
        ("samples of 12 bits", set("bitspersample", "12"), Rejected("invalid_value")),
        ("duration missing", remove("durationperchannel"), Kept(&[F::CUT])),
        ("duration too short", set("durationperchannel", "10000"), Rejected("damaged_payload")),
        ("duration too long", set("durationperchannel", "12000"), Kept(&[F::CUT, F::COUNT_MISMATCH])),
        ("duration absurd", set("durationperchannel", "1e15"), Rejected("invalid_value")),
        ("compression unknown", set("compression", "Huffman"), Rejected("invalid_value")),
        ("compressed, but how", changed(Sierra::old(), |file| file.remove("compressmethod")), Rejected("invalid_value")),
        ("samples as plain numbers", set("dataencoding", "Plain"), Rejected("invalid_value")),
    ]
}

fn marks() -> Vec<Row> {
    let quality = |marks: &str| {
        let block = format!(
            "<leadmeasurements><leadmeasurement leadname=\"V1\"><pamp>5</pamp><leadqualitystates>{marks}</leadqualitystates>\
             </leadmeasurement></leadmeasurements>"
        );
        sierra(|file| file.measurements = block)
    };
    let message = |text: &str| sierra(|file| file.measurements = format!("<qamessagecode>{text}</qamessagecode>"));
    vec![
        ("a lead off", quality("<inops><inop starttime=\"0\" duration=\"900\"/></inops>"), Kept(&[F::CUT, F::LEAD_OFF])),
        ("a blank lead-off mark", quality("<inops><inop starttime=\"\" duration=\"\"/></inops>"), Kept(&[F::CUT])),
        ("muscle noise", quality("<inops/><muscleartifacts level=\"Marked\"/>"), Kept(&[F::CUT, F::NOISE_MARKED])),
        ("no noise", quality("<baseartifacts level=\"None\"/><acartifacts level=\"\"/>"), Kept(&[F::CUT])),
        ("a message about noise", message("AC interference"), Kept(&[F::CUT, F::NOISE_MARKED])),
        ("a message about leads", message("Missing lead(s)"), Kept(&[F::CUT, F::LEAD_OFF])),
    ]
}

fn leads() -> Vec<Row> {
    let relabelled = |labels: &str, change: fn(&mut Vec<(String, Vec<i16>)>)| {
        sierra(|file| {
            change(&mut file.leads);
            file.set("leadlabels", labels);
            file.set("numberofleads", &labels.split(' ').count().to_string());
        })
    };
    let lead = |change: fn(&mut Vec<(String, Vec<i16>)>)| sierra(|file| change(&mut file.leads));
    let extra = |name: &str| (name.to_owned(), vec![3_i16; 5500]);
    let ten_seconds = sierra(|file| {
        file.resize(5000);
        file.set("durationperchannel", "10000");
    });
    let fifteen = sierra(|file| {
        file.leads.splice(6..6, ["V3R", "V4R", "V7"].map(extra));
        file.set("numberofleads", "15");
        file.set("leadlabels", "I II III aVR aVL aVF V3R V4R V7 V1 V2 V3 V4 V5 V6");
    });
    let easi = changed(Sierra::old(), |file| file.signal = file.signal.replace("STD-12", "EASI"));
    vec![
        ("ten seconds only", ten_seconds, Kept(&[])),
        ("fifteen leads", fifteen, Kept(&[F::CUT, F::EXTRA_LEADS])),
        ("sixteen channels, four of them without a name", sierra(|file| file.leads.extend(vec![extra("x"); 4])), Kept(&[F::CUT])),
        ("V6 missing", relabelled("I II III aVR aVL aVF V1 V2 V3 V4 V5", |leads| drop(leads.pop())), Rejected("missing_lead")),
        (
            "I missing",
            relabelled("II III aVR aVL aVF V1 V2 V3 V4 V5 V6", |leads| drop(leads.remove(0))),
            Rejected("missing_lead"),
        ),
        ("aVR missing", relabelled("I II III aVL aVF V1 V2 V3 V4 V5 V6", |leads| drop(leads.remove(3))), Kept(&[F::CUT])),
        (
            "III missing, which predicts aVL",
            relabelled("I II aVR aVL aVF V1 V2 V3 V4 V5 V6", |leads| drop(leads.remove(2))),
            Rejected("missing_lead"),
        ),
        ("fewer leads than labels", lead(|leads| drop(leads.pop())), Rejected("missing_lead")),
        (
            "V1 twice",
            relabelled("I II III aVR aVL aVF V1 V1 V2 V3 V4 V5 V6", |leads| leads.insert(7, leads[8].clone())),
            Kept(&[F::CUT, F::DUPLICATE_LEAD]),
        ),
        ("a lead of half the length", lead(|leads| leads[8].1.truncate(2500)), Rejected("mixed_lengths")),
        ("a predicting lead too short", lead(|leads| leads[1].1.truncate(2500)), Rejected("mixed_lengths")),
        ("a flat lead", lead(|leads| leads[8].1.fill(1)), Kept(&[F::CUT, F::FLAT_LEAD])),
        ("limb leads that contradict", lead(|leads| leads[3].1[9] += 50), Kept(&[F::CUT, F::LIMB_LEADS_INCONSISTENT])),
        ("EASI without labels", easi, Rejected("invalid_value")),
    ]
}

fn payload() -> Vec<Row> {
    let stream = |codes: &[u16]| {
        let codes = bits(codes);
        let mut payload = (codes.len() as i32).to_le_bytes().to_vec();
        payload.extend([1, 0, 0, 0]);
        payload.extend(codes);
        sierra(|file| file.payload = Some(payload))
    };
    let plain = |change: fn(&mut Sierra)| changed(Sierra::plain(), change);
    let bomb: Vec<u16> = std::iter::once(0).chain(256..1022).chain([1021; 5000]).collect();
    let mut half = Sierra::new().packed();
    half.truncate(half.len() / 2);
    vec![
        ("no compression", plain(|_| {}), Kept(&[F::CUT])),
        ("compressflag False", plain(|file| file.set("compressflag", "False")), Kept(&[F::CUT])),
        ("no compression and no duration", plain(|file| file.remove("durationperchannel")), Rejected("invalid_value")),
        (
            "no compression, cut short",
            plain(|file| file.payload.iter_mut().for_each(|bytes| bytes.truncate(100_000))),
            Rejected("missing_lead"),
        ),
        ("empty payload", sierra(|file| file.text = Some(" \n ".into())), Rejected("no_rhythm")),
        ("bad base64", sierra(|file| file.text = Some("AAA*".into())), Rejected("invalid_base64")),
        ("cut in a header", sierra(|file| file.payload = Some(vec![9, 0, 0])), Rejected("damaged_payload")),
        ("cut in a lead", sierra(|file| file.payload = Some(half)), Rejected("damaged_payload")),
        ("a negative size", sierra(|file| file.payload = Some(vec![255; 64])), Rejected("damaged_payload")),
        ("a first code that is no byte", stream(&[256, 1023]), Rejected("damaged_payload")),
        ("a code out of range", stream(&[1, 2, 700, 1023]), Rejected("damaged_payload")),
        ("half a sample", stream(&[1, 2, 3, 1023]), Rejected("damaged_payload")),
        ("a bomb", stream(&bomb), Rejected("damaged_payload")),
        ("leads without samples", sierra(|file| file.payload = Some(pack(&[]).repeat(12))), Rejected("missing_lead")),
    ]
}

fn text_around_it() -> Vec<Row> {
    let xml = Sierra::new().to_xml();
    let commented = xml.replace("</parsedwaveforms>", "<!-- </parsedwaveforms> --></parsedwaveforms>");
    let prefixed = xml.replace("</", "</p:").replace('<', "<p:").replace("<p:/p:", "</p:").replace("<p:?", "<?");
    vec![
        ("UTF-16LE with a mark", utf16(&xml, true), Kept(&[F::CUT])),
        ("UTF-16BE with a mark", utf16(&xml, false), Kept(&[F::CUT])),
        ("UTF-8 with a mark under the label utf-16", format!("\u{feff}{xml}").into_bytes(), Kept(&[F::CUT])),
        ("one unbroken line", sierra(|file| file.line_break = ""), Kept(&[F::CUT])),
        ("tabs in base64", sierra(|file| file.line_break = "\n\t\t"), Kept(&[F::CUT])),
        ("a prefix", prefixed.into_bytes(), Kept(&[F::CUT])),
        ("a comment in the payload", commented.into_bytes(), Kept(&[F::CUT])),
        ("only representative beats", xml.replace("parsedwaveforms", "pictures").into_bytes(), Rejected("no_rhythm")),
        ("no waveform at all", b"<restingecgdata><waveforms/></restingecgdata>".to_vec(), Rejected("no_waveform")),
        ("an empty root", b"<restingecgdata/>".to_vec(), Rejected("no_waveform")),
        ("truncated", xml.as_bytes()[..xml.len() - 400].to_vec(), Rejected("truncated")),
    ]
}

#[test]
fn every_defect_has_its_outcome() {
    for (name, bytes, outcome) in rows() {
        match (parse(&bytes), outcome) {
            (Ok(recording), Kept(flags)) => {
                let mut expected = F::CRC_UNKNOWN;
                for &flag in flags {
                    expected.insert(flag);
                }
                let names: Vec<_> = recording.flags.names().collect();
                assert_eq!(recording.flags, expected, "{name}: {names:?}");
                assert_eq!(recording.signal.num_samples, 5000, "{name}");
            }
            (Err(error), Rejected(kind)) => assert_eq!(error.kind(), kind, "{name}: {error}"),
            (Ok(recording), Rejected(kind)) => panic!("{name}: kept ({:?}), expected {kind}", recording.flags),
            (Err(error), Kept(_)) => panic!("{name}: {error}"),
        }
    }
}
