//! GE `CardioSoft`, root `CardiologyXML`, as written by the program of that name and by MAC 2000 carts.
//!
//! The ten seconds stand in `StripData`, a child of the root. The median beat (`MedianSamples`) and the whole examination
//! (`FullDisclosureData`) have the same fields at other rates; neither is ever looked at.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{Dialect, Measurements, NUM_LEADS, QualityFlags, Recording};
use crate::xml::assembly::Assembly;
use crate::xml::field::{self, Field};
use crate::xml::integers::{self, Separator};
use crate::xml::scan::{Element, Scanner};
use crate::xml::{ParseOptions, Workspace};

/// A leaf with its attribute `units`.
#[derive(Clone, Copy, Debug, Default)]
struct Quantity<'a> {
    value: Field<'a>,
    unit: Field<'a>,
}

/// The parts of a date, each in a leaf of its own.
#[derive(Clone, Copy, Debug, Default)]
struct DateTime<'a> {
    year: Field<'a>,
    month: Field<'a>,
    day: Field<'a>,
    hour: Field<'a>,
    minute: Field<'a>,
    second: Field<'a>,
}

/// The strip.
#[derive(Clone, Copy, Debug, Default)]
struct Strip<'a> {
    sampling_rate: Quantity<'a>,
    resolution: Quantity<'a>,
    num_samples: Field<'a>,
    leads: [Option<Field<'a>>; NUM_LEADS],
    num_leads: u32,
    extra_leads: bool,
    /// The first lead that stands there twice, and where.
    duplicate: Option<(Lead, usize)>,
}

/// Read on after the opening tag of the root, which stands at `start`.
pub(super) fn parse(
    mut scanner: Scanner<'_>,
    start: usize,
    options: ParseOptions,
    workspace: &mut Workspace,
    recording: &mut Recording,
) -> Result<(), ParseError> {
    const ROOT: &str = "CardiologyXML";
    recording.dialect = Dialect::CardioSoft;
    let root = scanner.opened(start);
    let mut strip: Option<Strip<'_>> = None;
    while let Some(child) = scanner.child(&root, ROOT)? {
        match child.local_name() {
            b"ObservationDateTime" => read_date(&mut scanner, &child, recording)?,
            b"PatientInfo" => read_patient(&mut scanner, &child, recording)?,
            b"RestingECGMeasurements" => read_measurements(&mut scanner, &child, &mut recording.measurements)?,
            b"Device-Type" => recording.device = scanner.content(&child, "Device-Type")?.model_name(),
            b"StripData" => {
                let read = Strip::read(&mut scanner, &child)?;
                if read.num_leads > 0 {
                    if strip.is_some() {
                        recording.flags.insert(QualityFlags::SEVERAL_RHYTHMS);
                    }
                    strip = Some(strip.filter(|first| first.is_complete() || !read.is_complete()).unwrap_or(read));
                }
            }
            _ => scanner.skip(&child, ROOT)?,
        }
    }
    // The format has no checksums.
    recording.flags.insert(QualityFlags::CRC_UNKNOWN);
    strip.ok_or(ParseError::NoWaveform)?.decode(options, &mut workspace.assembly, recording)
}

fn read_date<'a>(scanner: &mut Scanner<'a>, parent: &Element<'a>, recording: &mut Recording) -> Result<(), ParseError> {
    let mut parts = DateTime::default();
    while let Some(child) = scanner.child(parent, "ObservationDateTime")? {
        let slot = match child.local_name() {
            b"Year" => &mut parts.year,
            b"Month" => &mut parts.month,
            b"Day" => &mut parts.day,
            b"Hour" => &mut parts.hour,
            b"Minute" => &mut parts.minute,
            b"Second" => &mut parts.second,
            _ => {
                scanner.skip(&child, "ObservationDateTime")?;
                continue;
            }
        };
        *slot = scanner.content(&child, "ObservationDateTime")?;
    }
    let date = [&parts.year.text(), &b"-"[..], &parts.month.text(), b"-", &parts.day.text()].concat();
    let time = [&parts.hour.text(), &b":"[..], &parts.minute.text(), b":", &parts.second.text()].concat();
    recording.acquired_at = field::acquired_at(&date, &time);
    Ok(())
}

/// Age and sex. Names, numbers and the date of birth stand beside them and are not looked at.
fn read_patient<'a>(scanner: &mut Scanner<'a>, parent: &Element<'a>, recording: &mut Recording) -> Result<(), ParseError> {
    while let Some(child) = scanner.child(parent, "PatientInfo")? {
        match child.local_name() {
            b"Age" => {
                let age = Quantity::read(scanner, &child, "Age")?;
                recording.age_years = field::age_years(&age.value.text(), &age.unit.text());
            }
            b"Gender" => recording.sex = field::sex(&scanner.content(&child, "Gender")?.text()),
            _ => scanner.skip(&child, "PatientInfo")?,
        }
    }
    Ok(())
}

fn read_measurements<'a>(
    scanner: &mut Scanner<'a>,
    parent: &Element<'a>,
    measurements: &mut Measurements,
) -> Result<(), ParseError> {
    while let Some(child) = scanner.child(parent, "RestingECGMeasurements")? {
        let slot = match child.local_name() {
            b"VentricularRate" => &mut measurements.ventricular_rate_bpm,
            b"PQInterval" => &mut measurements.pr_interval_ms,
            b"QRSDuration" => &mut measurements.qrs_duration_ms,
            b"QTInterval" => &mut measurements.qt_interval_ms,
            b"QTCInterval" => &mut measurements.qtc_interval_ms,
            b"PAxis" => &mut measurements.p_axis_deg,
            b"RAxis" => &mut measurements.r_axis_deg,
            b"TAxis" => &mut measurements.t_axis_deg,
            _ => {
                scanner.skip(&child, "RestingECGMeasurements")?;
                continue;
            }
        };
        let value = scanner.content(&child, "RestingECGMeasurements")?.integer();
        *slot = value.and_then(|value| i32::try_from(value).ok());
    }
    Ok(())
}

impl<'a> Quantity<'a> {
    fn read(scanner: &mut Scanner<'a>, element: &Element<'a>, label: &'static str) -> Result<Self, ParseError> {
        Ok(Self { unit: element.attribute("units"), value: scanner.content(element, label)? })
    }

    fn is_in(&self, unit: &str) -> bool {
        self.unit.text().eq_ignore_ascii_case(unit.as_bytes())
    }
}

impl<'a> Strip<'a> {
    fn read(scanner: &mut Scanner<'a>, parent: &Element<'a>) -> Result<Self, ParseError> {
        let mut strip = Self::default();
        while let Some(child) = scanner.child(parent, "StripData")? {
            match child.local_name() {
                b"SampleRate" => strip.sampling_rate = Quantity::read(scanner, &child, "SampleRate")?,
                b"Resolution" => strip.resolution = Quantity::read(scanner, &child, "Resolution")?,
                b"ChannelSampleCountTotal" => strip.num_samples = scanner.content(&child, "ChannelSampleCountTotal")?,
                b"WaveformData" => strip.add(child.attribute("lead"), scanner.content(&child, "WaveformData")?),
                _ => scanner.skip(&child, "StripData")?,
            }
        }
        Ok(strip)
    }

    /// Sort a lead in by its name; a second one of the same name counts only where the first was empty.
    fn add(&mut self, name: Field<'a>, counts: Field<'a>) {
        self.num_leads += 1;
        let Some(lead) = Lead::from_name(&name.text()) else {
            self.extra_leads = true;
            return;
        };
        let slot = &mut self.leads[lead.index()];
        if slot.is_some() {
            self.duplicate.get_or_insert((lead, counts.offset));
        }
        if slot.is_none_or(|first| first.is_blank()) {
            *slot = Some(counts);
        }
    }

    fn is_complete(&self) -> bool {
        let has_counts = |lead: &Lead| self.leads[lead.index()].is_some_and(|counts| !counts.is_blank());
        Lead::INDEPENDENT.iter().all(has_counts)
    }

    fn sampling_rate_hz(&self) -> Result<f64, ParseError> {
        let rate = self.sampling_rate.value.number("SampleRate")?.ok_or(ParseError::MissingSamplingRate)?;
        if self.sampling_rate.unit.is_blank() {
            return Err(ParseError::MissingSamplingRate);
        }
        if self.sampling_rate.is_in("Hz") && rate > 0.0 {
            Ok(rate)
        } else {
            Err(self.sampling_rate.value.invalid("SampleRate", "a positive rate in Hz"))
        }
    }

    /// Microvolts a count, the same for all leads.
    fn lsb_uv(&self, lead: Lead, counts: Field<'_>) -> Result<f32, ParseError> {
        let missing = ParseError::MissingGain { lead, offset: counts.offset as u64 };
        let Some(lsb_uv) = self.resolution.value.number("Resolution")? else { return Err(missing) };
        let lsb_uv = lsb_uv as f32;
        if self.resolution.unit.is_blank() {
            return Err(missing);
        }
        if self.resolution.is_in("uVperLsb") && lsb_uv.is_normal() {
            Ok(lsb_uv)
        } else {
            Err(self.resolution.value.invalid("Resolution", "a finite gain other than 0 in uVperLsb"))
        }
    }

    fn decode(&self, options: ParseOptions, assembly: &mut Assembly, recording: &mut Recording) -> Result<(), ParseError> {
        let sampling_rate_hz = self.sampling_rate_hz()?;
        if self.extra_leads {
            recording.flags.insert(QualityFlags::EXTRA_LEADS);
        }
        if let Some((lead, offset)) = self.duplicate {
            if options.strict {
                return Err(ParseError::DuplicateLead { lead, offset: offset as u64 });
            }
            recording.flags.insert(QualityFlags::DUPLICATE_LEAD);
        }
        assembly.clear();
        for lead in Lead::ALL {
            let Some(counts) = self.leads[lead.index()].filter(|counts| !counts.is_blank()) else { continue };
            let lsb_uv = self.lsb_uv(lead, counts)?;
            if lsb_uv < 0.0 {
                recording.flags.insert(QualityFlags::NEGATIVE_GAIN);
            }
            let text = counts.text();
            let bytes = assembly.push(lead, lsb_uv, integers::most_bytes(&text), counts.offset, |bytes| {
                let invalid = |_| counts.invalid("WaveformData", integers::EXPECTED);
                integers::decode(&text, Separator::Comma, bytes).map_err(invalid)
            })?;
            if self.num_samples.integer().is_some_and(|stated| stated != bytes.len() as i64 / 2) {
                recording.flags.insert(QualityFlags::COUNT_MISMATCH);
            }
        }
        assembly.finish(sampling_rate_hz, recording)
    }
}
