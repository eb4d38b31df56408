//! Schiller's exchange format, root `examdescript`, as written by SEMA.
//!
//! Public readers establish where the rhythm stands (`eventdata/event/wavedata`, by its `type`), its rate, its unit, and the leads as lists
//! of numbers; what the header holds is not established, so nothing of it is read. `exponent` 1 beside the rate does not mean times ten, and
//! what another exponent means nobody says: such a file is rejected rather than guessed.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{Dialect, NUM_LEADS, QualityFlags, Recording};
use crate::xml::assembly::Assembly;
use crate::xml::field::Field;
use crate::xml::integers::{self, Separator};
use crate::xml::scan::{Element, Scanner};
use crate::xml::{ParseOptions, Workspace};

/// Type of the waves that are the rhythm; others are averages.
const RHYTHM: &[u8] = b"ECG_RHYTHMS";

/// One `channel`.
#[derive(Clone, Copy, Debug, Default)]
struct Channel<'a> {
    name: Field<'a>,
    /// How the numbers are written, from the element that is spelt `datastype`.
    spelling: Field<'a>,
    counts: Field<'a>,
}

/// One `wavedata`.
#[derive(Clone, Copy, Debug, Default)]
struct Waves<'a> {
    kind: Field<'a>,
    sampling_rate: Field<'a>,
    exponent: Field<'a>,
    resolution: Field<'a>,
    unit: Field<'a>,
    leads: [Option<Channel<'a>>; NUM_LEADS],
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
    const ROOT: &str = "examdescript";
    recording.dialect = Dialect::Schiller;
    // The format has no checksums.
    recording.flags.insert(QualityFlags::CRC_UNKNOWN);
    let root = scanner.opened(start);
    let (mut rhythm, mut num_waves) = (None, 0);
    while let Some(child) = scanner.child(&root, ROOT)? {
        if child.local_name() != b"eventdata" {
            scanner.skip(&child, ROOT)?;
            continue;
        }
        while let Some(child) = scanner.child(&child, "eventdata")? {
            if child.local_name() != b"event" {
                scanner.skip(&child, "eventdata")?;
                continue;
            }
            while let Some(child) = scanner.child(&child, "event")? {
                if child.local_name() != b"wavedata" {
                    scanner.skip(&child, "event")?;
                    continue;
                }
                num_waves += 1;
                let mut waves = Waves::default();
                waves.read(&mut scanner, &child)?;
                if waves.kind.text().eq_ignore_ascii_case(RHYTHM) {
                    waves.or_better(&mut rhythm, recording);
                }
            }
        }
    }
    match rhythm {
        Some(rhythm) => rhythm.decode(options, &mut workspace.assembly, recording),
        None if num_waves > 0 => Err(ParseError::NoRhythm),
        None => Err(ParseError::NoWaveform),
    }
}

impl<'a> Waves<'a> {
    fn read(&mut self, scanner: &mut Scanner<'a>, parent: &Element<'a>) -> Result<(), ParseError> {
        while let Some(child) = scanner.child(parent, "wavedata")? {
            match child.local_name() {
                b"type" => self.kind = scanner.content(&child, "type")?,
                b"resolution" => {
                    while let Some(child) = scanner.child(&child, "resolution")? {
                        match child.local_name() {
                            b"samplerate" => {
                                let slots = &mut [("value", &mut self.sampling_rate), ("exponent", &mut self.exponent)];
                                read_leaves(scanner, &child, "samplerate", slots)?;
                            }
                            b"yres" => {
                                let slots = &mut [("unitperbit", &mut self.resolution), ("units", &mut self.unit)];
                                read_leaves(scanner, &child, "yres", slots)?;
                            }
                            _ => scanner.skip(&child, "resolution")?,
                        }
                    }
                }
                b"channel" => {
                    let Channel { mut name, mut spelling, mut counts } = Channel::default();
                    let slots = &mut [("name", &mut name), ("datastype", &mut spelling), ("data", &mut counts)];
                    read_leaves(scanner, &child, "channel", slots)?;
                    self.add(Channel { name, spelling, counts });
                }
                _ => scanner.skip(&child, "wavedata")?,
            }
        }
        Ok(())
    }

    /// Sort a lead in by its name; a second one of the same name counts only where the first was empty.
    fn add(&mut self, channel: Channel<'a>) {
        let Some(lead) = Lead::from_name(&channel.name.text()) else {
            self.extra_leads = true;
            return;
        };
        let slot = &mut self.leads[lead.index()];
        if slot.is_some() {
            self.duplicate.get_or_insert((lead, channel.counts.offset));
        }
        if slot.is_none_or(|first| first.counts.is_blank()) {
            *slot = Some(channel);
        }
    }

    fn is_complete(&self) -> bool {
        let has_counts = |lead: &Lead| self.leads[lead.index()].is_some_and(|channel| !channel.counts.is_blank());
        Lead::INDEPENDENT.iter().all(has_counts)
    }

    /// Keep the first rhythm that is complete, or the first.
    fn or_better(self, best: &mut Option<Self>, recording: &mut Recording) {
        if best.is_some() {
            recording.flags.insert(QualityFlags::SEVERAL_RHYTHMS);
        }
        if best.as_ref().is_none_or(|first| !first.is_complete() && self.is_complete()) {
            *best = Some(self);
        }
    }

    fn sampling_rate_hz(&self) -> Result<f64, ParseError> {
        let rate = self.sampling_rate.number("samplerate")?.ok_or(ParseError::MissingSamplingRate)?;
        match self.exponent.number("exponent")? {
            None | Some(1.0) => {}
            Some(_) => return Err(self.exponent.invalid("exponent", "1, the only one whose meaning is known")),
        }
        if rate > 0.0 { Ok(rate) } else { Err(self.sampling_rate.invalid("samplerate", "a positive rate")) }
    }

    /// Microvolts a count, the same for all leads.
    fn lsb_uv(&self, lead: Lead, counts: Field<'_>) -> Result<f32, ParseError> {
        let missing = ParseError::MissingGain { lead, offset: counts.offset as u64 };
        let Some(resolution) = self.resolution.number("unitperbit")? else { return Err(missing) };
        let unit_uv = match self.unit.text().to_ascii_lowercase().as_slice() {
            b"" => return Err(missing),
            b"uv" => 1.0,
            b"mv" => 1e3,
            _ => return Err(self.unit.invalid("units", "UV or MV")),
        };
        let lsb_uv = (resolution * unit_uv) as f32;
        if lsb_uv.is_normal() { Ok(lsb_uv) } else { Err(self.resolution.invalid("unitperbit", "a finite gain other than 0")) }
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
            let Some(Channel { spelling, counts, .. }) = self.leads[lead.index()] else { continue };
            if counts.is_blank() {
                continue;
            }
            if !spelling.is_blank() && !spelling.text().eq_ignore_ascii_case(b"COMMASEPARATE") {
                return Err(spelling.invalid("datastype", "COMMASEPARATE"));
            }
            let lsb_uv = self.lsb_uv(lead, counts)?;
            if lsb_uv < 0.0 {
                recording.flags.insert(QualityFlags::NEGATIVE_GAIN);
            }
            let text = counts.text();
            assembly.push(lead, lsb_uv, integers::most_bytes(&text), counts.offset, |bytes| {
                integers::decode(&text, Separator::Comma, bytes).map_err(|_| counts.invalid("data", integers::EXPECTED))
            })?;
        }
        assembly.finish(sampling_rate_hz, recording)
    }
}

/// Read the children of `parent` that are named; the last of several of one name counts.
fn read_leaves<'a>(
    scanner: &mut Scanner<'a>,
    parent: &Element<'a>,
    label: &'static str,
    slots: &mut [(&'static str, &mut Field<'a>)],
) -> Result<(), ParseError> {
    while let Some(child) = scanner.child(parent, label)? {
        match slots.iter_mut().find(|(name, _)| name.as_bytes() == child.local_name()) {
            Some((name, slot)) => **slot = scanner.content(&child, name)?,
            None => scanner.skip(&child, label)?,
        }
    }
    Ok(())
}
