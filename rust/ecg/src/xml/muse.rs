//! GE MUSE `RestingECG`.
//!
//! The walk over the file only collects: header fields where they stand, and for every waveform that may be the rhythm the raw content of
//! each lead's fields. What is chosen is decoded when the root closes, so no order of elements matters. Blocks that hold nothing of use
//! (the measurement matrix, amplitude tables, the median beat) are stepped over without being read.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{Dialect, Measurements, NUM_LEADS, QualityFlags, Recording};
use crate::xml::encoding::push_text;
use crate::xml::field::{self, Field};
use crate::xml::scan::{Scanner, Tag, plain};
use crate::xml::{ParseOptions, Workspace};

/// Blocks of the root that hold nothing for us, some of them free text about a person.
const SKIPPED: [&str; 10] = [
    "MuseInfo",
    "Order",
    "OriginalDiagnosis",
    "ExtraQuestions",
    "ACITIPIAnalysis",
    "MeasurementMatrix",
    "IntervalMeasurements",
    "QRSTimesTypes",
    "AmplitudeMeasurements",
    "PharmaData",
];

/// Generates a struct of raw fields and the reading of one child element into it.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $element:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        struct $name<'a> {
            $($field: Field<'a>),*
        }

        impl<'a> $name<'a> {
            /// Read the child that was just opened, if it is one of ours; the first of several that is not blank counts.
            fn read(&mut self, name: &[u8], start: usize, scanner: &mut Scanner<'a>) -> Result<(), ParseError> {
                let (element, slot) = match name {
                    $(_ if name == $element.as_bytes() => ($element, &mut self.$field),)*
                    _ => return Ok(()),
                };
                let raw = scanner.leaf(element, start)?;
                if slot.is_blank() {
                    *slot = Field { raw, offset: start };
                }
                Ok(())
            }
        }
    };
}

fields! {
    /// Of `PatientDemographics`: nothing that names the person.
    Demographics { age = "PatientAge", age_units = "AgeUnits", gender = "Gender" }
}

fields! {
    /// Of `TestDemographics`.
    Acquisition { device = "AcquisitionDevice", time = "AcquisitionTime", date = "AcquisitionDate" }
}

fields! {
    /// Of `RestingECGMeasurements` and `OriginalRestingECGMeasurements`.
    MeasurementFields {
        ventricular_rate = "VentricularRate",
        atrial_rate = "AtrialRate",
        pr_interval = "PRInterval",
        qrs_duration = "QRSDuration",
        qt_interval = "QTInterval",
        qtc_interval = "QTCorrected",
        p_axis = "PAxis",
        r_axis = "RAxis",
        t_axis = "TAxis",
    }
}

fields! {
    /// Of `Waveform`, its leads aside.
    WaveformFields { kind = "WaveformType", sample_base = "SampleBase", sample_exponent = "SampleExponent" }
}

fields! {
    /// Of `LeadData`.
    LeadFields {
        byte_count = "LeadByteCountTotal",
        time_offset = "LeadTimeOffset",
        sample_count = "LeadSampleCountTotal",
        gain = "LeadAmplitudeUnitsPerBit",
        unit = "LeadAmplitudeUnits",
        id = "LeadID",
        first_sample_offset = "LeadOffsetFirstSample",
        baseline = "FirstSampleBaseline",
        sample_size = "LeadSampleSize",
        lead_off = "LeadOff",
        baseline_sway = "BaselineSway",
        mains_noise = "ExcessiveACNoise",
        muscle_noise = "MuscleNoise",
        crc32 = "LeadDataCRC32",
        payload = "WaveFormData",
    }
}

/// A waveform that may be the rhythm.
#[derive(Clone, Copy, Debug, Default)]
struct Waveform<'a> {
    fields: WaveformFields<'a>,
    leads: [Option<LeadFields<'a>>; NUM_LEADS],
    extra_leads: bool,
    duplicate: Option<Lead>,
}

/// What the walk has found.
#[derive(Clone, Copy, Debug, Default)]
struct Document<'a> {
    demographics: Demographics<'a>,
    acquisition: Acquisition<'a>,
    measurements: MeasurementFields<'a>,
    original_measurements: MeasurementFields<'a>,
    rhythm: Option<Waveform<'a>>,
    several_rhythms: bool,
    untyped: Option<Waveform<'a>>,
    num_untyped: u32,
    num_waveforms: u32,
}

/// Read on after the opening tag of the root, which stands at `start`.
pub(super) fn parse(
    mut scanner: Scanner<'_>,
    start: usize,
    options: ParseOptions,
    workspace: &mut Workspace,
    recording: &mut Recording,
) -> Result<(), ParseError> {
    recording.dialect = Dialect::Muse;
    let mut document = Document::default();
    document.walk(&mut scanner, start, options, recording)?;
    document.write_header(recording);
    let rhythm = document.choose(&mut recording.flags)?;
    rhythm.decode(options, workspace, recording)
}

impl<'a> Document<'a> {
    fn walk(
        &mut self,
        scanner: &mut Scanner<'a>,
        start: usize,
        options: ParseOptions,
        recording: &mut Recording,
    ) -> Result<(), ParseError> {
        while let Some(tag) = scanner.next_tag() {
            let (name, start) = match tag {
                Tag::Open { name, start, empty: false } => (name, start),
                Tag::Close { name: b"RestingECG", .. } => return Ok(()),
                Tag::Open { .. } | Tag::Close { .. } => continue,
            };
            match name {
                b"Waveform" => self.add(Waveform::read(scanner, start)?),
                b"PatientDemographics" => {
                    children(scanner, "PatientDemographics", start, |name, at, scanner| {
                        self.demographics.read(name, at, scanner)
                    })?;
                }
                b"TestDemographics" => {
                    children(scanner, "TestDemographics", start, |name, at, scanner| self.acquisition.read(name, at, scanner))?;
                }
                b"RestingECGMeasurements" => {
                    children(scanner, "RestingECGMeasurements", start, |name, at, scanner| {
                        self.measurements.read(name, at, scanner)
                    })?;
                }
                b"OriginalRestingECGMeasurements" => {
                    children(scanner, "OriginalRestingECGMeasurements", start, |name, at, scanner| {
                        self.original_measurements.read(name, at, scanner)
                    })?;
                }
                b"Diagnosis" if options.keep_statements => read_statements(scanner, start, &mut recording.statements)?,
                b"Diagnosis" => scanner.skip_block("Diagnosis", start)?,
                _ => {
                    if let Some(element) = SKIPPED.into_iter().find(|element| element.as_bytes() == name) {
                        scanner.skip_block(element, start)?;
                    }
                }
            }
        }
        Err(ParseError::Truncated { element: "RestingECG", offset: start as u64 })
    }

    /// Sort a waveform in by its type: rhythm, none stated, or something that is never used.
    fn add(&mut self, waveform: Option<Waveform<'a>>) {
        self.num_waveforms += 1;
        let Some(waveform) = waveform else { return };
        let kind = plain(waveform.fields.kind.raw);
        if kind.is_empty() {
            self.num_untyped += 1;
            self.untyped.get_or_insert(waveform);
        } else if kind.eq_ignore_ascii_case(b"Rhythm") {
            self.several_rhythms |= self.rhythm.is_some();
            if self.rhythm.is_none_or(|rhythm| !rhythm.is_complete() && waveform.is_complete()) {
                self.rhythm = Some(waveform);
            }
        }
    }

    /// The rhythm: by its type, never by position; a single block without a type is taken.
    fn choose(&self, flags: &mut QualityFlags) -> Result<Waveform<'a>, ParseError> {
        if let Some(rhythm) = self.rhythm {
            if self.several_rhythms {
                flags.insert(QualityFlags::SEVERAL_RHYTHMS);
            }
            return Ok(rhythm);
        }
        match self.untyped {
            Some(untyped) if self.num_untyped == 1 => {
                flags.insert(QualityFlags::UNTYPED_WAVEFORM);
                Ok(untyped)
            }
            _ if self.num_waveforms == 0 => Err(ParseError::NoWaveform),
            _ => Err(ParseError::NoRhythm),
        }
    }

    fn write_header(&self, recording: &mut Recording) {
        recording.age_years = field::age_years(self.demographics.age.raw, self.demographics.age_units.raw);
        recording.sex = field::sex(self.demographics.gender.raw);
        recording.acquired_at = field::acquired_at(self.acquisition.date.raw, self.acquisition.time.raw);
        recording.device = device(self.acquisition.device.raw);
        recording.measurements = self.measurements.to_measurements();
        recording.original_measurements = self.original_measurements.to_measurements();
    }
}

impl MeasurementFields<'_> {
    fn to_measurements(self) -> Measurements {
        let integer = |field: Field<'_>| field.integer().and_then(|value| i32::try_from(value).ok());
        Measurements {
            ventricular_rate_bpm: integer(self.ventricular_rate),
            atrial_rate_bpm: integer(self.atrial_rate),
            pr_interval_ms: integer(self.pr_interval),
            qrs_duration_ms: integer(self.qrs_duration),
            qt_interval_ms: integer(self.qt_interval),
            qtc_interval_ms: integer(self.qtc_interval),
            p_axis_deg: integer(self.p_axis),
            r_axis_deg: integer(self.r_axis),
            t_axis_deg: integer(self.t_axis),
        }
    }
}

impl<'a> Waveform<'a> {
    /// Read one `Waveform`; `None` when it cannot be the rhythm.
    fn read(scanner: &mut Scanner<'a>, start: usize) -> Result<Option<Self>, ParseError> {
        let mut waveform = Self::default();
        while let Some(tag) = scanner.next_tag() {
            match tag {
                Tag::Open { name: b"LeadData", start, empty: false } => {
                    let mut lead = LeadFields::default();
                    children(scanner, "LeadData", start, |name, at, scanner| lead.read(name, at, scanner))?;
                    waveform.add(lead);
                }
                Tag::Open { name: b"WaveformType", start: at, empty: false } => {
                    waveform.fields.read(b"WaveformType", at, scanner)?;
                    let kind = plain(waveform.fields.kind.raw);
                    if !kind.is_empty() && !kind.eq_ignore_ascii_case(b"Rhythm") {
                        scanner.skip_block("Waveform", start)?;
                        return Ok(None);
                    }
                }
                Tag::Open { name: b"Waveform", start, .. } | Tag::Close { name: b"RestingECG", start } => {
                    return Err(ParseError::Malformed { what: "`Waveform` is not closed", offset: start as u64 });
                }
                Tag::Open { name, start, empty: false } => waveform.fields.read(name, start, scanner)?,
                Tag::Close { name: b"Waveform", .. } => return Ok(Some(waveform)),
                Tag::Open { .. } | Tag::Close { .. } => {}
            }
        }
        Err(ParseError::Truncated { element: "Waveform", offset: start as u64 })
    }

    /// Sort a lead in by its name; a second one of the same name counts only where the first was empty.
    fn add(&mut self, lead: LeadFields<'a>) {
        let Some(name) = Lead::from_name(&plain(lead.id.raw)) else {
            self.extra_leads = true;
            return;
        };
        let slot = &mut self.leads[name.index()];
        if slot.is_some() {
            self.duplicate.get_or_insert(name);
        }
        if slot.is_none_or(|first| first.payload.is_blank()) {
            *slot = Some(lead);
        }
    }

    fn is_complete(&self) -> bool {
        let has_payload = |lead: &Lead| self.leads[lead.index()].is_some_and(|fields| !fields.payload.is_blank());
        Lead::INDEPENDENT.iter().all(has_payload)
    }

    /// `SampleBase * 10^SampleExponent`; an absent exponent is 0, an absent base is never guessed.
    fn sampling_rate_hz(&self) -> Result<f64, ParseError> {
        let base = self.fields.sample_base.number("SampleBase")?.ok_or(ParseError::MissingSamplingRate)?;
        let exponent = self.fields.sample_exponent.number("SampleExponent")?.unwrap_or(0.0);
        let rate = if exponent == 0.0 { base } else { base * 10_f64.powf(exponent) };
        if rate.is_finite() && rate > 0.0 && exponent.fract() == 0.0 {
            Ok(rate)
        } else {
            Err(self.fields.sample_base.invalid("SampleBase", "a positive rate with a whole exponent"))
        }
    }

    fn decode(&self, options: ParseOptions, workspace: &mut Workspace, recording: &mut Recording) -> Result<(), ParseError> {
        let sampling_rate_hz = self.sampling_rate_hz()?;
        if self.extra_leads {
            recording.flags.insert(QualityFlags::EXTRA_LEADS);
        }
        if let Some(lead) = self.duplicate {
            if options.strict {
                return Err(ParseError::DuplicateLead { lead });
            }
            recording.flags.insert(QualityFlags::DUPLICATE_LEAD);
        }
        let Workspace { payload, assembly } = workspace;
        assembly.clear();
        for lead in Lead::ALL {
            let Some(fields) = self.leads[lead.index()].filter(|fields| !fields.payload.is_blank()) else { continue };
            fields.check_sample_size(lead)?;
            let lsb_uv = fields.lsb_uv(lead)?;
            let bytes = assembly.push(lead, lsb_uv, |bytes| {
                let error = ParseError::InvalidBase64 { lead, offset: fields.payload.offset as u64 };
                payload.decode(&plain(fields.payload.raw), bytes).map_err(|_| error)
            })?;
            recording.flags.insert(fields.marks());
            recording.flags.insert(fields.verify(lead, bytes, options)?);
        }
        assembly.finish(sampling_rate_hz, recording)
    }
}

impl LeadFields<'_> {
    fn check_sample_size(&self, lead: Lead) -> Result<(), ParseError> {
        match self.sample_size.number("LeadSampleSize")? {
            None | Some(2.0) => Ok(()),
            Some(bytes) => Err(ParseError::SampleSize { lead, bytes: bytes as u32 }),
        }
    }

    fn lsb_uv(&self, lead: Lead) -> Result<f32, ParseError> {
        let gain = self.gain.number("LeadAmplitudeUnitsPerBit")?.ok_or(ParseError::MissingGain { lead })?;
        let unit_uv = match plain(self.unit.raw).to_ascii_uppercase().as_slice() {
            b"" => return Err(ParseError::MissingGain { lead }),
            b"MICROVOLTS" => 1.0,
            b"MILLIVOLTS" => 1e3,
            b"VOLTS" => 1e6,
            _ => return Err(self.unit.invalid("LeadAmplitudeUnits", "MICROVOLTS, MILLIVOLTS or VOLTS")),
        };
        let lsb_uv = (gain * unit_uv) as f32;
        if lsb_uv.is_normal() {
            Ok(lsb_uv)
        } else {
            Err(self.gain.invalid("LeadAmplitudeUnitsPerBit", "a finite gain other than 0"))
        }
    }

    /// Flags for what the file says about the lead.
    fn marks(&self) -> QualityFlags {
        let mut flags = QualityFlags::default();
        if self.gain.raw.trim_ascii_start().first() == Some(&b'-') {
            flags.insert(QualityFlags::NEGATIVE_GAIN);
        }
        if [self.baseline, self.first_sample_offset, self.time_offset].iter().any(Field::is_non_zero) {
            flags.insert(QualityFlags::BASELINE_OFFSET);
        }
        if self.lead_off.is_true() {
            flags.insert(QualityFlags::LEAD_OFF);
        }
        if [self.baseline_sway, self.mains_noise, self.muscle_noise].iter().any(Field::is_true) {
            flags.insert(QualityFlags::NOISE_MARKED);
        }
        flags
    }

    /// Compare what the file states about the decoded bytes with the bytes: their CRC-32 (absent or 0 is unknown) and their number.
    fn verify(&self, lead: Lead, bytes: &[u8], options: ParseOptions) -> Result<QualityFlags, ParseError> {
        let mut flags = QualityFlags::default();
        match self.crc32.integer() {
            None | Some(0) => flags.insert(QualityFlags::CRC_UNKNOWN),
            Some(stated) if stated == i64::from(crc32fast::hash(bytes)) => {}
            Some(_) if options.strict => return Err(ParseError::CrcMismatch { lead }),
            Some(_) => flags.insert(QualityFlags::CRC_MISMATCH),
        }
        let differs = |field: Field<'_>, found: usize| field.integer().is_some_and(|stated| stated != found as i64);
        if differs(self.byte_count, bytes.len()) || differs(self.sample_count, bytes.len() / 2) {
            flags.insert(QualityFlags::COUNT_MISMATCH);
        }
        Ok(flags)
    }
}

/// Visit the children of `element`, whose opening tag (at `start`) was just read, until it closes.
fn children<'a>(
    scanner: &mut Scanner<'a>,
    element: &'static str,
    start: usize,
    mut visit: impl FnMut(&[u8], usize, &mut Scanner<'a>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    while let Some(tag) = scanner.next_tag() {
        match tag {
            Tag::Close { name, .. } if name == element.as_bytes() => return Ok(()),
            // A block that swallowed the next one would hide a waveform: better no value than a wrong one.
            Tag::Open { name: b"Waveform" | b"LeadData", start, .. }
            | Tag::Close { name: b"Waveform" | b"RestingECG", start } => {
                return Err(ParseError::Malformed { what: "an element is not closed before this tag", offset: start as u64 });
            }
            Tag::Open { name, start, empty: false } => visit(name, start, scanner)?,
            Tag::Open { .. } | Tag::Close { .. } => {}
        }
    }
    Err(ParseError::Truncated { element, offset: start as u64 })
}

/// A cart's model. Anything but a short ASCII name is dropped: free text may name a person.
fn device(raw: &[u8]) -> Option<String> {
    let text = plain(raw);
    let is_model = (1..=32).contains(&text.len()) && text.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic());
    is_model.then(|| text.iter().map(|&byte| char::from(byte)).collect())
}

/// Lines of `Diagnosis`: statements joined up to the one that ends the line; struck-out ones left out. A block without any line end has one
/// statement a line.
fn read_statements(scanner: &mut Scanner<'_>, start: usize, lines: &mut Vec<String>) -> Result<(), ParseError> {
    let mut statements: Vec<(String, bool)> = Vec::new();
    let (mut text, mut ends_line, mut deleted) = (String::new(), false, false);
    let element = "Diagnosis";
    loop {
        match scanner.next_tag() {
            Some(Tag::Open { name: b"StmtFlag", start, empty: false }) => {
                let flag = plain(scanner.leaf("StmtFlag", start)?);
                ends_line |= flag.eq_ignore_ascii_case(b"ENDSLINE");
                deleted |= flag.eq_ignore_ascii_case(b"DELETED");
            }
            Some(Tag::Open { name: b"StmtText", start, empty: false }) => {
                push_text(&plain(scanner.leaf("StmtText", start)?), &mut text)
            }
            Some(Tag::Close { name: b"DiagnosisStatement", .. }) => {
                if deleted {
                    text.clear();
                }
                statements.push((std::mem::take(&mut text), ends_line));
                (ends_line, deleted) = (false, false);
            }
            Some(Tag::Close { name: b"Diagnosis", .. }) => break,
            Some(Tag::Open { name: b"Waveform", start, .. } | Tag::Close { name: b"RestingECG", start }) => {
                return Err(ParseError::Malformed { what: "`Diagnosis` is not closed", offset: start as u64 });
            }
            Some(_) => {}
            None => return Err(ParseError::Truncated { element, offset: start as u64 }),
        }
    }
    let one_a_line = statements.iter().all(|(_, ends_line)| !ends_line);
    let mut line = String::new();
    for (text, ends_line) in statements {
        if !line.is_empty() && !text.is_empty() {
            line.push(' ');
        }
        line.push_str(&text);
        if (ends_line || one_a_line) && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    Ok(())
}
