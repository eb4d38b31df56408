//! GE MUSE `RestingECG`.
//!
//! The walk over the file only collects: header fields where they stand, and for every waveform that may be the rhythm the raw content of
//! each lead's fields. What is chosen is decoded when the root closes, so no order of elements matters. Blocks that hold nothing of use
//! (the measurement matrix, amplitude tables, the median beat) are stepped over without being read.

mod fields;
mod statements;
mod waveform;

use crate::error::ParseError;
use crate::recording::{Dialect, QualityFlags, Recording};
use crate::xml::field;
use crate::xml::muse::fields::{
    Acquisition, AcquisitionSlot, Demographics, DemographicsSlot, Fields, LeadSlot, MeasurementFields, MeasurementSlot,
    WaveformSlot,
};
use crate::xml::muse::statements::read_statements;
use crate::xml::muse::waveform::Waveform;
use crate::xml::scan::{Layout, Scanner, Tag};
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

/// How the elements of the last file were written, as most elements of the next will be.
#[derive(Clone, Debug, Default)]
pub(super) struct Layouts {
    demographics: Layout<DemographicsSlot>,
    acquisition: Layout<AcquisitionSlot>,
    measurements: Layout<MeasurementSlot>,
    original_measurements: Layout<MeasurementSlot>,
    waveform: Layout<WaveformSlot>,
    lead: Layout<LeadSlot>,
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
    document.walk(&mut scanner, start, options, &mut workspace.muse, recording)?;
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
        layouts: &mut Layouts,
        recording: &mut Recording,
    ) -> Result<(), ParseError> {
        while let Some(tag) = scanner.next_tag() {
            let (name, start) = match tag {
                Tag::Open { name, start, empty: false } => (name, start),
                Tag::Close { name: b"RestingECG", .. } => return Ok(()),
                Tag::Open { .. } | Tag::Close { .. } => continue,
            };
            match name {
                b"Waveform" => {
                    self.num_waveforms += 1;
                    let mut waveform = Waveform::default();
                    if waveform.read(scanner, start, &mut layouts.waveform, &mut layouts.lead)? {
                        self.add(&waveform);
                    }
                }
                b"PatientDemographics" => {
                    let (fields, layout) = (&mut self.demographics, &mut layouts.demographics);
                    read_fields(scanner, "PatientDemographics", start, fields, layout)?;
                }
                b"TestDemographics" => {
                    let (fields, layout) = (&mut self.acquisition, &mut layouts.acquisition);
                    read_fields(scanner, "TestDemographics", start, fields, layout)?;
                }
                b"RestingECGMeasurements" => {
                    let (fields, layout) = (&mut self.measurements, &mut layouts.measurements);
                    read_fields(scanner, "RestingECGMeasurements", start, fields, layout)?;
                }
                b"OriginalRestingECGMeasurements" => {
                    let (fields, layout) = (&mut self.original_measurements, &mut layouts.original_measurements);
                    read_fields(scanner, "OriginalRestingECGMeasurements", start, fields, layout)?;
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
    fn add(&mut self, waveform: &Waveform<'a>) {
        let kind = waveform.fields.kind.text();
        if kind.is_empty() {
            self.num_untyped += 1;
            self.untyped.get_or_insert(*waveform);
        } else if kind.eq_ignore_ascii_case(b"Rhythm") {
            self.several_rhythms |= self.rhythm.is_some();
            if self.rhythm.as_ref().is_none_or(|rhythm| !rhythm.is_complete() && waveform.is_complete()) {
                self.rhythm = Some(*waveform);
            }
        }
    }

    /// The rhythm: by its type, never by position; a single block without a type is taken.
    fn choose(&self, flags: &mut QualityFlags) -> Result<&Waveform<'a>, ParseError> {
        if let Some(rhythm) = &self.rhythm {
            if self.several_rhythms {
                flags.insert(QualityFlags::SEVERAL_RHYTHMS);
            }
            return Ok(rhythm);
        }
        match &self.untyped {
            Some(untyped) if self.num_untyped == 1 => {
                flags.insert(QualityFlags::UNTYPED_WAVEFORM);
                Ok(untyped)
            }
            _ if self.num_waveforms == 0 => Err(ParseError::NoWaveform),
            _ => Err(ParseError::NoRhythm),
        }
    }

    fn write_header(&self, recording: &mut Recording) {
        recording.age_years = field::age_years(&self.demographics.age.text(), &self.demographics.age_units.text());
        recording.sex = field::sex(&self.demographics.gender.text());
        recording.acquired_at = field::acquired_at(&self.acquisition.date.text(), &self.acquisition.time.text());
        recording.device = self.acquisition.device.model_name();
        recording.measurements = self.measurements.to_measurements();
        recording.original_measurements = self.original_measurements.to_measurements();
    }
}

/// Read the children of `element`, whose opening tag (at `start`) was just read, until it closes; as in `layout` where it is.
fn read_fields<'a, F: Fields<'a>>(
    scanner: &mut Scanner<'a>,
    element: &'static str,
    start: usize,
    fields: &mut F,
    layout: &mut Layout<F::Slot>,
) -> Result<(), ParseError> {
    if layout.follow(scanner, |slot, value| fields.set(slot, value)) {
        return Ok(());
    }
    loop {
        match scanner.next_tag() {
            Some(Tag::Close { name, .. }) if name == element.as_bytes() => {
                layout.remember_end(scanner);
                return Ok(());
            }
            // A block that swallowed the next one would hide a waveform: better no value than a wrong one.
            Some(
                Tag::Open { name: b"Waveform" | b"LeadData", start, .. }
                | Tag::Close { name: b"Waveform" | b"RestingECG", start },
            ) => {
                return Err(ParseError::Malformed { what: "an element is not closed before this tag", offset: start as u64 });
            }
            Some(Tag::Open { name, start, empty: false }) => {
                read_child(scanner, name, start, fields, layout)?;
            }
            Some(Tag::Open { .. } | Tag::Close { .. }) => {}
            None => return Err(ParseError::Truncated { element, offset: start as u64 }),
        }
    }
}

/// Read the child that was just opened if it is one of ours, step over it if it is nothing but text, and remember how it was written.
fn read_child<'a, F: Fields<'a>>(
    scanner: &mut Scanner<'a>,
    name: &[u8],
    start: usize,
    fields: &mut F,
    layout: &mut Layout<F::Slot>,
) -> Result<(), ParseError> {
    let known = F::slot_of(name);
    match known {
        Some((slot, element)) => fields.set(slot, scanner.leaf(element, start)?),
        None => scanner.skip_plain_leaf(name),
    }
    layout.remember(scanner, start, name, known.map(|(slot, _)| slot));
    Ok(())
}
