//! The defect matrix: one row a thing that is wrong with a file, and exactly what becomes of it.

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{ParseError, QualityFlags, Recording};

use crate::builder::{
    LeadXml, Muse, WaveformXml, cut_counts, element, encode, lead, leads, little_endian, muse, text, twelve, utf16, wave,
};

type F = QualityFlags;

pub fn parse_with(options: ParseOptions, bytes: &[u8]) -> Result<Recording, ParseError> {
    let mut recording = Recording::default();
    Parser::new(options).parse(bytes, &mut recording).map(|()| recording)
}

pub fn parse(bytes: &[u8]) -> Result<Recording, ParseError> {
    parse_with(ParseOptions::default(), bytes)
}

/// What a row expects.
pub enum Outcome {
    /// A recording with exactly these flags (and the counts of [`wave`], unless the row says otherwise).
    Kept(&'static [QualityFlags]),
    /// A rejection of this kind.
    Rejected(&'static str),
}
use Outcome::{Kept, Rejected};

type Row = (&'static str, Vec<u8>, Outcome);

/// The whole matrix.
pub fn rows() -> Vec<Row> {
    [length_and_payload(), stated_by_the_file(), leads_and_waveforms(), text_around_it(), not_a_whole_file()]
        .into_iter()
        .flatten()
        .collect()
}

fn length_and_payload() -> Vec<Row> {
    vec![
        ("nothing wrong", muse(|_| {}), Kept(&[])),
        ("4999 samples under a stated 5000, all leads", leads(|lead| cut_counts(lead, 4999)), Kept(&[F::COUNT_MISMATCH])),
        ("4999 samples in one lead", lead(3, |lead| cut_counts(lead, 4999)), Kept(&[F::COUNT_MISMATCH, F::COMPLETED])),
        ("4988 samples in one lead", lead(3, |lead| cut_counts(lead, 4988)), Rejected("mixed_lengths")),
        ("1249 samples in one lead", lead(0, |lead| cut_counts(lead, 1249)), Rejected("mixed_lengths")),
        ("more than 10 000 bytes", muse(|file| *file.rhythm() = WaveformXml::rhythm(5500)), Kept(&[])),
        ("odd byte count", lead(2, |lead| lead.payload = Some(encode(&[1, 2, 3], 68, "\n"))), Rejected("odd_byte_count")),
        ("no payload in an independent lead", lead(7, |lead| lead.payload = Some(" \n ".into())), Rejected("missing_lead")),
        (
            "an element without payload",
            text(|xml| xml.replacen("<LeadID>V6</LeadID>\n<LeadSampleSize>2", "<LeadID>V7</LeadID>\n<LeadSampleSize>2", 2)),
            Rejected("missing_lead"),
        ),
        (
            "a lead absent",
            muse(|file| {
                file.rhythm().leads.remove(4);
            }),
            Rejected("missing_lead"),
        ),
        ("no leads at all", muse(|file| file.rhythm().leads.clear()), Rejected("missing_lead")),
        (
            "padding missing",
            lead(0, |lead| lead.payload = Some(encode(&little_endian(&lead.counts), 68, "\n").replace('=', ""))),
            Kept(&[]),
        ),
        ("tabs inside base64", lead(0, |lead| lead.payload = Some(encode(&little_endian(&lead.counts), 50, "\n\t"))), Kept(&[])),
        ("a foreign character in base64", lead(0, |lead| lead.payload = Some("AAA*".into())), Rejected("invalid_base64")),
        (
            "CDATA around the payload",
            lead(0, |lead| lead.payload = Some(format!("<![CDATA[{}]]>", encode(&little_endian(&lead.counts), 68, "\r\n")))),
            Kept(&[]),
        ),
        (
            "a comment in the payload",
            lead(0, |lead| lead.payload = Some(format!("<!-- x -->{}", encode(&little_endian(&lead.counts), 68, "\n")))),
            Kept(&[]),
        ),
        ("all leads zero", leads(|lead| *lead = LeadXml::new(&lead.id, vec![0; 5000])), Kept(&[F::FLAT_LEAD])),
        ("one lead constant", lead(5, |lead| *lead = LeadXml::new(&lead.id, vec![-3; 5000])), Kept(&[F::FLAT_LEAD])),
        (
            "a lead at the end of its range",
            lead(5, |lead| {
                let mut counts = lead.counts.clone();
                counts[7] = i16::MAX;
                *lead = LeadXml::new(&lead.id, counts);
            }),
            Kept(&[F::SATURATED, F::IMPLAUSIBLE_AMPLITUDE]),
        ),
        (
            "beyond 20 mV",
            lead(5, |lead| {
                let mut counts = lead.counts.clone();
                counts[7] = -4099;
                *lead = LeadXml::new(&lead.id, counts);
            }),
            Kept(&[F::IMPLAUSIBLE_AMPLITUDE]),
        ),
        (
            "just below 20 mV",
            lead(5, |lead| {
                let mut counts = lead.counts.clone();
                counts[7] = 4098;
                *lead = LeadXml::new(&lead.id, counts);
            }),
            Kept(&[]),
        ),
    ]
}

fn stated_by_the_file() -> Vec<Row> {
    vec![
        ("CRC absent", lead(0, |lead| lead.crc32 = None), Kept(&[F::CRC_UNKNOWN])),
        ("CRC 0", lead(0, |lead| lead.crc32 = Some("0".into())), Kept(&[F::CRC_UNKNOWN])),
        ("CRC wrong", lead(0, |lead| lead.crc32 = Some("1234567".into())), Kept(&[F::CRC_MISMATCH])),
        ("sample count wrong", lead(0, |lead| lead.stated_samples = Some("4000".into())), Kept(&[F::COUNT_MISMATCH])),
        ("byte count wrong", lead(0, |lead| lead.extra = element("LeadByteCountTotal", "9999")), Kept(&[F::COUNT_MISMATCH])),
        ("lead off", lead(0, |lead| lead.extra = element("LeadOff", "TRUE")), Kept(&[F::LEAD_OFF])),
        ("lead on", lead(0, |lead| lead.extra = element("LeadOff", "FALSE") + &element("BaselineSway", "FALSE")), Kept(&[])),
        ("baseline sway", lead(0, |lead| lead.extra = element("BaselineSway", " true ")), Kept(&[F::NOISE_MARKED])),
        ("mains noise", lead(0, |lead| lead.extra = element("ExcessiveACNoise", "TRUE")), Kept(&[F::NOISE_MARKED])),
        ("muscle noise", lead(0, |lead| lead.extra = element("MuscleNoise", "TRUE")), Kept(&[F::NOISE_MARKED])),
        ("a baseline", lead(0, |lead| lead.extra = element("FirstSampleBaseline", "12")), Kept(&[F::BASELINE_OFFSET])),
        ("an offset", lead(0, |lead| lead.extra = element("LeadOffsetFirstSample", "-1")), Kept(&[F::BASELINE_OFFSET])),
        ("samples of four bytes", lead(0, |lead| lead.sample_size = "4".into()), Rejected("sample_size")),
        // Gain.
        ("gain -10", leads(|lead| lead.gain = "-10".into()), Kept(&[F::NEGATIVE_GAIN])),
        ("gain 5", leads(|lead| lead.gain = "5".into()), Kept(&[])),
        (
            "gain in scientific notation",
            leads(|lead| {
                lead.gain = "1.19e-05".into();
                lead.unit = "MILLIVOLTS".into();
            }),
            Kept(&[]),
        ),
        (
            "gain in volts",
            leads(|lead| {
                lead.gain = "0.00000488".into();
                lead.unit = " volts ".into();
            }),
            Kept(&[]),
        ),
        ("gain missing", lead(0, |lead| lead.gain = " ".into()), Rejected("missing_gain")),
        ("unit missing", lead(0, |lead| lead.unit.clear()), Rejected("missing_gain")),
        ("unknown unit", lead(0, |lead| lead.unit = "FURLONGS".into()), Rejected("invalid_value")),
        ("gain 0", lead(0, |lead| lead.gain = "0".into()), Rejected("invalid_value")),
        ("gain no number", lead(0, |lead| lead.gain = "4,88".into()), Rejected("invalid_value")),
        ("gain infinite", lead(0, |lead| lead.gain = "inf".into()), Rejected("invalid_value")),
        // Rate.
        ("240 Hz", muse(|file| file.rhythm().sample_base = Some("240".into())), Kept(&[])),
        ("exponent absent", muse(|file| file.rhythm().sample_exponent = None), Kept(&[])),
        (
            "exponent 1",
            muse(|file| {
                file.rhythm().sample_base = Some("50".into());
                file.rhythm().sample_exponent = Some("1".into());
            }),
            Kept(&[]),
        ),
        ("rate absent", muse(|file| file.rhythm().sample_base = None), Rejected("missing_sampling_rate")),
        ("rate empty", muse(|file| file.rhythm().sample_base = Some(" ".into())), Rejected("missing_sampling_rate")),
        ("rate 0", muse(|file| file.rhythm().sample_base = Some("0".into())), Rejected("invalid_value")),
        ("rate no number", muse(|file| file.rhythm().sample_base = Some("fast".into())), Rejected("invalid_value")),
        ("rate infinite", muse(|file| file.rhythm().sample_exponent = Some("400".into())), Rejected("invalid_value")),
    ]
}

fn leads_and_waveforms() -> Vec<Row> {
    vec![
        (
            "15 leads",
            muse(|file| {
                for id in ["V3R", "V4R", "V7"] {
                    file.rhythm().leads.insert(3, LeadXml::new(id, wave(9, 5000)));
                }
            }),
            Kept(&[F::EXTRA_LEADS]),
        ),
        (
            "X Y Z of another length",
            muse(|file| {
                for id in ["X", "Y", "Z"] {
                    file.rhythm().leads.push(LeadXml::new(id, wave(9, 100)));
                }
            }),
            Kept(&[F::EXTRA_LEADS]),
        ),
        (
            "a lead without a name",
            muse(|file| file.rhythm().leads.push(LeadXml::new(" ", wave(9, 5000)))),
            Kept(&[F::EXTRA_LEADS]),
        ),
        ("a lead twice", muse(|file| file.rhythm().leads.push(LeadXml::new("V1", wave(9, 5000)))), Kept(&[F::DUPLICATE_LEAD])),
        (
            "eleven leads with doubled names",
            muse(|file| {
                let names = ["I", "II", "III", "III", "aVL", "aVF", "V1", "V1", "V3", "V4", "V5"];
                file.rhythm().leads = names.iter().enumerate().map(|(i, id)| LeadXml::new(id, wave(i, 5000))).collect();
            }),
            Rejected("missing_lead"),
        ),
        ("lead names in any case, with white space", leads(|lead| lead.id = format!(" {}\n", lead.id.to_lowercase())), Kept(&[])),
        ("twelve leads that follow from eight", twelve(0).to_xml().into_bytes(), Kept(&[])),
        ("twelve leads within rounding", twelve(3).to_xml().into_bytes(), Kept(&[])),
        ("twelve leads that contradict", twelve(4).to_xml().into_bytes(), Kept(&[F::LIMB_LEADS_INCONSISTENT])),
        // Waveforms.
        ("rhythm before median", muse(|file| file.waveforms.reverse()), Kept(&[])),
        ("type in another case", muse(|file| file.rhythm().kind = Some(" RHYTHM\r\n".into())), Kept(&[])),
        ("two rhythms", muse(|file| file.waveforms.push(WaveformXml::rhythm(100))), Kept(&[F::SEVERAL_RHYTHMS])),
        (
            "an incomplete rhythm before a complete one",
            muse(|file| {
                let mut first = WaveformXml::rhythm(5000);
                first.leads.truncate(3);
                file.waveforms.insert(0, first);
            }),
            Kept(&[F::SEVERAL_RHYTHMS]),
        ),
        (
            "no type",
            muse(|file| {
                file.waveforms.remove(0);
                file.rhythm().kind = None;
            }),
            Kept(&[F::UNTYPED_WAVEFORM]),
        ),
        ("no type beside a median", muse(|file| file.rhythm().kind = Some(String::new())), Kept(&[F::UNTYPED_WAVEFORM])),
        (
            "two without a type",
            muse(|file| file.waveforms.iter_mut().for_each(|waveform| waveform.kind = None)),
            Rejected("no_rhythm"),
        ),
        ("only a median", muse(|file| file.waveforms.truncate(1)), Rejected("no_rhythm")),
        ("no waveform", muse(|file| file.waveforms.clear()), Rejected("no_waveform")),
        ("an empty root", b"<RestingECG/>".to_vec(), Rejected("no_waveform")),
    ]
}

fn text_around_it() -> Vec<Row> {
    vec![
        ("CR LF", text(|xml| xml.replace('\n', "\r\n")), Kept(&[])),
        ("unwrapped payload", muse(|file| file.rhythm().width = 0), Kept(&[])),
        ("one line", text(|xml| xml.replace('\n', "")), Kept(&[])),
        ("no declaration", muse(|file| file.prolog.clear()), Kept(&[])),
        ("UTF-8 mark", text(|xml| format!("\u{feff}{xml}")), Kept(&[])),
        ("UTF-16LE with mark", utf16(&Muse::new().to_xml(), true, true), Kept(&[])),
        ("UTF-16BE with mark", utf16(&Muse::new().to_xml(), false, true), Kept(&[])),
        ("UTF-16LE without mark", utf16(&Muse::new().to_xml(), true, false), Kept(&[])),
        ("UTF-16BE without mark", utf16(&Muse::new().to_xml(), false, false), Kept(&[])),
        ("wrong label", muse(|file| file.prolog = "<?xml version=\"1.0\" encoding=\"utf-16\"?>".into()), Kept(&[])),
        ("unknown label", muse(|file| file.prolog = "<?xml version=\"1.0\" encoding=\"ISO8859-1\"?>".into()), Kept(&[])),
        ("a Korean name in cp949", korean_name(), Kept(&[])),
        ("raw & and < in a name", text(|xml| xml.replace("Hong", "A & B < C <D")), Kept(&[])),
        ("control characters", text(|xml| xml.replace("Hong", "\u{1}\u{0}\u{1f}&#x0;")), Kept(&[])),
        (
            "comments and instructions",
            text(|xml| xml.replace("<SampleBase>", "<!-- <SampleBase>9</SampleBase> --><?x <Waveform>?><SampleBase>")),
            Kept(&[]),
        ),
        (
            "an internal subset with entities",
            muse(|file| {
                file.prolog =
                    "<!DOCTYPE RestingECG [<!ENTITY a \"<RestingECG>\"><!ENTITY b SYSTEM 'file:///etc/passwd'>]>".into();
            }),
            Kept(&[]),
        ),
        (
            "attributes and spaces in tags",
            text(|xml| xml.replace("<Waveform>", "<Waveform a='1 > 0'\n>").replace("</LeadData>", "</LeadData >")),
            Kept(&[]),
        ),
    ]
}

fn not_a_whole_file() -> Vec<Row> {
    vec![
        ("empty file", Vec::new(), Rejected("empty_file")),
        ("white space only", b" \r\n\t".to_vec(), Rejected("empty_file")),
        ("not XML", b"PK\x03\x04".to_vec(), Rejected("not_xml")),
        ("another root", b"<?xml version='1.0'?><x:ECG xmlns:x='urn'/>".to_vec(), Rejected("unsupported_format:ECG")),
        ("a prolog alone", b"<?xml version='1.0'?>".to_vec(), Rejected("truncated")),
        ("truncated in the header", text(|xml| xml[..300].into()), Rejected("truncated")),
        ("truncated in base64", text(|xml| xml[..xml.len() - 5000].into()), Rejected("truncated")),
        ("truncated after the last lead", text(|xml| xml.replace("</RestingECG>", "")), Rejected("truncated")),
        (
            "a lead that is not closed",
            text(|xml| xml.replacen("</LeadData>\n<LeadData>", "<LeadData>", 9)),
            Rejected("malformed_xml"),
        ),
    ]
}

fn korean_name() -> Vec<u8> {
    let xml = Muse::new().to_xml();
    let (before, after) = xml.split_once("Hong").unwrap();
    [before.as_bytes(), b"\xC8\xAB\xB1\xE6\xB5\xBF", after.as_bytes()].concat()
}

#[test]
fn every_defect_has_its_exact_outcome() {
    for (name, bytes, outcome) in rows() {
        match (parse(&bytes), outcome) {
            (Ok(recording), Kept(flags)) => {
                let expected = flags.iter().fold(0, |all, flag| all | flag.0);
                let names = |flags: u32| QualityFlags(flags).names().collect::<Vec<_>>();
                assert_eq!(names(recording.flags.0), names(expected), "{name}");
            }
            (Err(error), Rejected(kind)) => assert_eq!(error.kind(), kind, "{name}: {error}"),
            (Ok(_), Rejected(kind)) => panic!("{name}: kept, expected {kind}"),
            (Err(error), Kept(_)) => panic!("{name}: rejected: {error}"),
        }
    }
}

#[test]
fn counts_are_those_of_the_rhythm_whatever_stands_around_it() {
    let expected: Vec<i16> = (0..8).flat_map(|index| wave(index, 5000)).collect();
    let around = [
        "nothing wrong",
        "rhythm before median",
        "CR LF",
        "unwrapped payload",
        "one line",
        "15 leads",
        "a lead twice",
        "two rhythms",
        "UTF-16LE without mark",
        "a comment in the payload",
        "an incomplete rhythm before a complete one",
    ];
    let rows: Vec<_> = rows().into_iter().filter(|(name, ..)| around.contains(name)).collect();
    assert_eq!(rows.len(), around.len());
    for (name, bytes, _) in rows {
        assert_eq!(parse(&bytes).unwrap().signal.counts, expected, "{name}");
    }
}
