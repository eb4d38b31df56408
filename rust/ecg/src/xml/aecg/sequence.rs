//! One `sequenceSet`: the time axis and the leads that share it, collected while read, decoded when it has been chosen.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{NUM_LEADS, QualityFlags, Recording};
use crate::xml::ParseOptions;
use crate::xml::assembly::Assembly;
use crate::xml::field::Field;
use crate::xml::integers::{self, Separator};
use crate::xml::scan::{Element, Scanner};

/// How far a stated rate may be from a whole number of hertz and still mean it: increments are rounded decimals (4.16667 ms).
const RATE_TOLERANCE: f64 = 1e-5;
/// How far an origin may be from a whole number of counts, in counts.
const ORIGIN_TOLERANCE: f64 = 1e-6;
/// Before the lead's name in its code.
const LEAD_PREFIX: &[u8] = b"MDC_ECG_LEAD_";

/// A value with its unit, both attributes of one element.
#[derive(Clone, Copy, Debug, Default)]
struct Quantity<'a> {
    value: Field<'a>,
    unit: Field<'a>,
}

/// One `sequence`: a time axis has an increment, a lead has digits.
#[derive(Clone, Copy, Debug, Default)]
struct Sequence<'a> {
    code: Field<'a>,
    increment: Quantity<'a>,
    origin: Quantity<'a>,
    scale: Quantity<'a>,
    digits: Field<'a>,
}

/// Leads on one time axis.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SequenceSet<'a> {
    increment: Quantity<'a>,
    /// A second time axis says something else.
    contradiction: Option<Quantity<'a>>,
    leads: [Option<Sequence<'a>>; NUM_LEADS],
    extra_leads: bool,
    /// The first lead that stands there twice, and where.
    duplicate: Option<(Lead, usize)>,
}

impl<'a> SequenceSet<'a> {
    pub(super) fn read(scanner: &mut Scanner<'a>, set: &Element<'a>) -> Result<Self, ParseError> {
        let mut sequences = Self::default();
        while let Some(child) = scanner.child(set, "sequenceSet")? {
            if child.local_name() != b"component" {
                scanner.skip(&child, "sequenceSet")?;
                continue;
            }
            while let Some(child) = scanner.child(&child, "component")? {
                match child.local_name() {
                    b"sequence" => sequences.add(&Sequence::read(scanner, &child)?),
                    _ => scanner.skip(&child, "component")?,
                }
            }
        }
        Ok(sequences)
    }

    /// Sort a sequence in by its code; a second lead of the same name counts only where the first was empty.
    fn add(&mut self, sequence: &Sequence<'a>) {
        let code = sequence.code.text();
        if matches!(code.as_ref(), b"TIME_ABSOLUTE" | b"TIME_RELATIVE") {
            if self.increment.value.is_blank() {
                self.increment = sequence.increment;
            } else if !sequence.increment.value.is_blank() {
                self.contradiction.get_or_insert(sequence.increment);
            }
            return;
        }
        let Some(lead) = lead(&code) else {
            self.extra_leads |= !sequence.digits.is_blank();
            return;
        };
        let slot = &mut self.leads[lead.index()];
        if slot.is_some() {
            self.duplicate.get_or_insert((lead, sequence.code.offset));
        }
        if slot.is_none_or(|first| first.digits.is_blank()) {
            *slot = Some(*sequence);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        let has_digits = |lead: &Lead| self.leads[lead.index()].is_some_and(|sequence| !sequence.digits.is_blank());
        Lead::INDEPENDENT.iter().all(has_digits)
    }

    /// Replace `best` when that lacks leads and this does not.
    pub(super) fn or_better(self, best: &mut Option<Self>) {
        if best.is_none_or(|first| !first.is_complete() && self.is_complete()) {
            *best = Some(self);
        }
    }

    /// The increment's inverse; nothing is guessed, and two time axes must agree.
    fn sampling_rate_hz(&self) -> Result<f64, ParseError> {
        let rate = self.increment.rate_hz()?;
        match self.contradiction {
            Some(other) if other.rate_hz()? != rate => Err(other.value.invalid("increment", "the same on every time axis")),
            _ => Ok(rate),
        }
    }

    pub(super) fn decode(
        &self,
        options: ParseOptions,
        assembly: &mut Assembly,
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
        assembly.clear();
        for lead in Lead::ALL {
            let Some(sequence) = self.leads[lead.index()].filter(|sequence| !sequence.digits.is_blank()) else { continue };
            let scale_uv = sequence.scale_uv(lead)?;
            let origin = sequence.origin_counts(scale_uv)?;
            if scale_uv < 0.0 {
                recording.flags.insert(QualityFlags::NEGATIVE_GAIN);
            }
            let text = sequence.digits.text();
            assembly.push(lead, scale_uv as f32, integers::most_bytes(&text), sequence.digits.offset, |bytes| {
                let invalid = || sequence.digits.invalid("digits", integers::EXPECTED);
                let num_bytes = integers::decode(&text, Separator::WhiteSpace, bytes).map_err(|_| invalid())?;
                if origin != 0 {
                    add(origin, &mut bytes[..num_bytes]).ok_or_else(invalid)?;
                }
                Ok(num_bytes)
            })?;
        }
        assembly.finish(sampling_rate_hz, recording)
    }
}

impl<'a> Sequence<'a> {
    fn read(scanner: &mut Scanner<'a>, parent: &Element<'a>) -> Result<Self, ParseError> {
        let mut sequence = Self::default();
        while let Some(child) = scanner.child(parent, "sequence")? {
            match child.local_name() {
                b"code" => sequence.code = child.attribute("code"),
                b"value" => {
                    sequence.read_value(scanner, &child)?;
                    continue;
                }
                _ => {}
            }
            scanner.skip(&child, "sequence")?;
        }
        Ok(sequence)
    }

    fn read_value(&mut self, scanner: &mut Scanner<'a>, value: &Element<'a>) -> Result<(), ParseError> {
        while let Some(child) = scanner.child(value, "value")? {
            let slot = match child.local_name() {
                b"digits" => {
                    self.digits = scanner.content(&child, "digits")?;
                    continue;
                }
                b"increment" => Some(&mut self.increment),
                b"origin" => Some(&mut self.origin),
                b"scale" => Some(&mut self.scale),
                _ => None,
            };
            if let Some(slot) = slot {
                *slot = Quantity { value: child.attribute("value"), unit: child.attribute("unit") };
            }
            scanner.skip(&child, "value")?;
        }
        Ok(())
    }

    /// Microvolts a count.
    fn scale_uv(&self, lead: Lead) -> Result<f64, ParseError> {
        let missing = || ParseError::MissingGain { lead, offset: self.digits.offset as u64 };
        let scale = self.scale.value.number("scale")?.ok_or_else(missing)?;
        let unit_uv = self.scale.unit_uv("scale")?.ok_or_else(missing)?;
        let scale_uv = scale * unit_uv;
        if (scale_uv as f32).is_normal() {
            Ok(scale_uv)
        } else {
            Err(self.scale.value.invalid("scale", "a finite gain other than 0"))
        }
    }

    /// The value of the count 0, in counts; an absent one is 0.
    fn origin_counts(&self, scale_uv: f64) -> Result<i16, ParseError> {
        let origin = match self.origin.value.number("origin")? {
            None | Some(0.0) => return Ok(0),
            Some(origin) => origin,
        };
        let invalid = || self.origin.value.invalid("origin", "a whole multiple of the scale, in uV or mV");
        let counts = origin * self.origin.unit_uv("origin")?.ok_or_else(invalid)? / scale_uv;
        let whole = counts.round();
        if (counts - whole).abs() <= ORIGIN_TOLERANCE && (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&whole) {
            Ok(whole as i16)
        } else {
            Err(invalid())
        }
    }
}

impl Quantity<'_> {
    /// Microvolts a unit; `None` when there is no unit.
    fn unit_uv(&self, element: &'static str) -> Result<Option<f64>, ParseError> {
        match self.unit.text().as_ref() {
            b"" => Ok(None),
            b"uV" => Ok(Some(1.0)),
            b"mV" => Ok(Some(1e3)),
            _ => Err(self.unit.invalid(element, "in uV or mV")),
        }
    }

    fn rate_hz(&self) -> Result<f64, ParseError> {
        let increment = self.value.number("increment")?.ok_or(ParseError::MissingSamplingRate)?;
        let units_per_second = match self.unit.text().as_ref() {
            b"" => return Err(ParseError::MissingSamplingRate),
            b"s" => 1.0,
            b"ms" => 1e3,
            _ => return Err(self.unit.invalid("increment", "in s or ms")),
        };
        let rate = units_per_second / increment;
        if !(rate.is_finite() && rate > 0.0) {
            return Err(self.value.invalid("increment", "a positive time"));
        }
        let whole = rate.round();
        Ok(if (rate - whole).abs() <= RATE_TOLERANCE * rate { whole } else { rate })
    }
}

/// The lead that a code names. `MDC-ECG-LEAD-V1` is V1 too; `MDC_ECG_LEAD_-AVR` is aVR upside down and so none of the twelve.
fn lead(code: &[u8]) -> Option<Lead> {
    let (prefix, name) = code.split_at_checked(LEAD_PREFIX.len())?;
    let is_lead = prefix.iter().zip(LEAD_PREFIX).all(|(&byte, &wanted)| byte == wanted || (wanted == b'_' && byte == b'-'));
    if is_lead { Lead::from_name(name) } else { None }
}

/// Add to every little-endian count, or `None` when one leaves its range.
fn add(origin: i16, counts: &mut [u8]) -> Option<()> {
    let (pairs, _) = counts.as_chunks_mut::<2>();
    for pair in pairs {
        *pair = i16::from_le_bytes(*pair).checked_add(origin)?.to_le_bytes();
    }
    Some(())
}
