//! One `Waveform`: collected while it is read, decoded when it has been chosen.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{NUM_LEADS, QualityFlags, Recording};
use crate::xml::field::Field;
use crate::xml::muse::fields::{Fields, LeadFields, LeadSlot, WaveformFields, WaveformSlot};
use crate::xml::muse::{read_child, read_fields};
use crate::xml::payload::most_bytes;
use crate::xml::scan::{Layout, Scanner, Tag};
use crate::xml::{ParseOptions, Workspace};

const LEAD: &[u8] = b"LeadData";

/// A waveform that may be the rhythm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waveform<'a> {
    pub(super) fields: WaveformFields<'a>,
    leads: [Option<LeadFields<'a>>; NUM_LEADS],
    extra_leads: bool,
    /// The first lead that stands there twice, and where.
    duplicate: Option<(Lead, usize)>,
}

impl<'a> Waveform<'a> {
    /// Read one `Waveform` into an empty one, written like the last where it is, and tell whether it can be the rhythm.
    pub(super) fn read(
        &mut self,
        scanner: &mut Scanner<'a>,
        start: usize,
        header: &mut Layout<WaveformSlot>,
        lead: &mut Layout<LeadSlot>,
    ) -> Result<bool, ParseError> {
        // The header of the last one ended with the opening tag of its first lead.
        let mut opened = if header.follow(scanner, |slot, value| self.fields.set(slot, value)) {
            Some(Tag::Open { name: LEAD, start: scanner.position() - LEAD.len() - 2, empty: false })
        } else {
            None
        };
        loop {
            if self.is_of_another_kind() {
                scanner.skip_block("Waveform", start)?;
                return Ok(false);
            }
            let Some(tag) = opened.take().or_else(|| scanner.next_tag()) else {
                return Err(ParseError::Truncated { element: "Waveform", offset: start as u64 });
            };
            match tag {
                Tag::Open { name: LEAD, start, empty: false } => {
                    if scanner.position() - start == LEAD.len() + 2 {
                        header.remember_end(scanner);
                    } else {
                        header.remember_no_more();
                    }
                    let mut fields = LeadFields::default();
                    read_fields(scanner, "LeadData", start, &mut fields, lead)?;
                    self.add(&fields);
                }
                Tag::Open { name: b"Waveform", start, .. } | Tag::Close { name: b"RestingECG", start } => {
                    return Err(ParseError::Malformed { what: "`Waveform` is not closed", offset: start as u64 });
                }
                Tag::Open { name, start, empty: false } => read_child(scanner, name, start, &mut self.fields, header)?,
                Tag::Close { name: b"Waveform", .. } => return Ok(true),
                Tag::Open { .. } | Tag::Close { .. } => {}
            }
        }
    }

    fn is_of_another_kind(&self) -> bool {
        let kind = self.fields.kind;
        !kind.is_blank() && !kind.text().eq_ignore_ascii_case(b"Rhythm")
    }

    /// Sort a lead in by its name; a second one of the same name counts only where the first was empty.
    fn add(&mut self, lead: &LeadFields<'a>) {
        let Some(name) = Lead::from_name(&lead.id.text()) else {
            self.extra_leads = true;
            return;
        };
        let slot = &mut self.leads[name.index()];
        if slot.is_some() {
            self.duplicate.get_or_insert((name, lead.id.offset));
        }
        if slot.as_ref().is_none_or(|first| first.payload.is_blank()) {
            *slot = Some(*lead);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        let has_payload = |lead: &Lead| self.leads[lead.index()].as_ref().is_some_and(|fields| !fields.payload.is_blank());
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

    pub(super) fn decode(
        &self,
        options: ParseOptions,
        workspace: &mut Workspace,
        recording: &mut Recording,
    ) -> Result<(), ParseError> {
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
        let Workspace { payload, assembly, .. } = workspace;
        assembly.clear();
        for lead in Lead::ALL {
            let Some(fields) = self.leads[lead.index()].as_ref().filter(|fields| !fields.payload.is_blank()) else { continue };
            fields.check_sample_size(lead)?;
            let lsb_uv = fields.lsb_uv(lead)?;
            let text = fields.payload.text();
            let bytes = assembly.push(lead, lsb_uv, most_bytes(&text), fields.payload.offset, |bytes| {
                let error = ParseError::InvalidBase64 { lead, offset: fields.payload.offset as u64 };
                payload.decode(&text, bytes).map_err(|_| error)
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
            Some(bytes) => Err(ParseError::SampleSize { lead, bytes: bytes as u32, offset: self.sample_size.offset as u64 }),
        }
    }

    fn lsb_uv(&self, lead: Lead) -> Result<f32, ParseError> {
        let missing = ParseError::MissingGain { lead, offset: self.payload.offset as u64 };
        let Some(gain) = self.gain.number("LeadAmplitudeUnitsPerBit")? else { return Err(missing) };
        let unit = self.unit.text();
        let unit_uv = match () {
            () if unit.is_empty() => return Err(missing),
            () if unit.eq_ignore_ascii_case(b"MICROVOLTS") => 1.0,
            () if unit.eq_ignore_ascii_case(b"MILLIVOLTS") => 1e3,
            () if unit.eq_ignore_ascii_case(b"VOLTS") => 1e6,
            () => return Err(self.unit.invalid("LeadAmplitudeUnits", "MICROVOLTS, MILLIVOLTS or VOLTS")),
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
        if self.gain.text().first() == Some(&b'-') {
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
            Some(_) if options.strict => {
                return Err(ParseError::CrcMismatch { lead, offset: self.crc32.offset as u64 });
            }
            Some(_) => flags.insert(QualityFlags::CRC_MISMATCH),
        }
        let differs = |field: Field<'_>, found: usize| field.integer().is_some_and(|stated| stated != found as i64);
        if differs(self.byte_count, bytes.len()) || differs(self.sample_count, bytes.len() / 2) {
            flags.insert(QualityFlags::COUNT_MISMATCH);
        }
        Ok(flags)
    }
}
