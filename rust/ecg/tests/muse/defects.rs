//! The defect matrix: one row a thing that is wrong with a file, and exactly what becomes of it.

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{LeadSet, ParseError, QualityFlags, Recording};

use crate::builder::{LeadXml, Muse, WaveformXml, element, encode, header, little_endian, wave};

type F = QualityFlags;

fn parse_with(options: ParseOptions, bytes: &[u8]) -> Result<Recording, ParseError> {
    let mut recording = Recording::default();
    Parser::new(options).parse(bytes, &mut recording).map(|()| recording)
}

fn parse(bytes: &[u8]) -> Result<Recording, ParseError> {
    parse_with(ParseOptions::default(), bytes)
}

/// What a row expects.
enum Outcome {
    /// A recording with exactly these flags (and the counts of [`wave`], unless the row says otherwise).
    Kept(&'static [QualityFlags]),
    /// A rejection of this kind.
    Rejected(&'static str),
}
use Outcome::{Kept, Rejected};

/// A file with one thing done to it.
fn muse(change: impl FnOnce(&mut Muse)) -> Vec<u8> {
    let mut file = Muse::new();
    change(&mut file);
    file.to_xml().into_bytes()
}

/// A file with one thing done to one lead of its rhythm.
fn lead(index: usize, change: impl FnOnce(&mut LeadXml)) -> Vec<u8> {
    muse(|file| change(&mut file.rhythm().leads[index]))
}

/// A file with one thing done to every lead of its rhythm.
fn leads(change: impl Fn(&mut LeadXml)) -> Vec<u8> {
    muse(|file| file.rhythm().leads.iter_mut().for_each(change))
}

/// A file whose text was edited.
fn text(change: impl FnOnce(String) -> String) -> Vec<u8> {
    change(Muse::new().to_xml()).into_bytes()
}

fn cut_counts(lead: &mut LeadXml, num_samples: usize) {
    let stated = lead.stated_samples.take();
    *lead = LeadXml::new(&lead.id, lead.counts[..num_samples].to_vec());
    lead.stated_samples = stated;
}

fn limb_leads(offset: i16) -> Vec<LeadXml> {
    let (i, ii) = (wave(0, 5000), wave(1, 5000));
    let even = |x: i16| x / 2 * 2;
    let (i, ii): (Vec<i16>, Vec<i16>) = (i.into_iter().map(even).collect(), ii.into_iter().map(even).collect());
    let derive = |f: fn(i16, i16) -> i16| i.iter().zip(&ii).map(|(&x, &y)| f(x, y) + offset).collect::<Vec<i16>>();
    vec![
        LeadXml::new("III", derive(|x, y| y - x)),
        LeadXml::new("aVR", derive(|x, y| -(x + y) / 2)),
        LeadXml::new("AVL", derive(|x, y| x - y / 2)),
        LeadXml::new("avf", derive(|x, y| y - x / 2)),
        LeadXml::new("I", i),
        LeadXml::new("II", ii),
    ]
}

/// Twelve stored leads of which III, aVR, aVL, aVF are `offset` counts from what I and II say.
fn twelve(offset: i16) -> Muse {
    let mut file = Muse::new();
    let rhythm = file.rhythm();
    rhythm.leads.drain(..2);
    rhythm.leads.extend(limb_leads(offset));
    file
}

fn rows() -> Vec<(&'static str, Vec<u8>, Outcome)> {
    vec![
        ("nothing wrong", muse(|_| {}), Kept(&[])),
        // Length.
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
        // Payload.
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
        // What the file says about its leads.
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
        // Leads.
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
        // Text around it.
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
                file.prolog = "<!DOCTYPE RestingECG [<!ENTITY a \"<RestingECG>\"><!ENTITY b SYSTEM 'file:///etc/passwd'>]>".into()
            }),
            Kept(&[]),
        ),
        (
            "attributes and spaces in tags",
            text(|xml| xml.replace("<Waveform>", "<Waveform a='1 > 0'\n>").replace("</LeadData>", "</LeadData >")),
            Kept(&[]),
        ),
        // Not a whole file.
        ("empty file", Vec::new(), Rejected("empty_file")),
        ("white space only", b" \r\n\t".to_vec(), Rejected("empty_file")),
        ("not XML", b"PK\x03\x04".to_vec(), Rejected("not_xml")),
        (
            "another root",
            b"<?xml version='1.0'?><x:AnnotatedECG xmlns:x='urn'/>".to_vec(),
            Rejected("unsupported_format:AnnotatedECG"),
        ),
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

fn utf16(xml: &str, little_endian: bool, mark: bool) -> Vec<u8> {
    let bytes = |unit: u16| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() };
    mark.then_some(0xFEFF).into_iter().chain(xml.encode_utf16()).flat_map(bytes).collect()
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
