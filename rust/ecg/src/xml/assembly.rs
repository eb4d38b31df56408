//! From decoded leads to a [`Signal`]: lengths, derived leads, quality flags and the payload's hash, the same for every dialect.

use twox_hash::XxHash3_64;

use crate::error::ParseError;
use crate::extremes::extremes;
use crate::lead::Lead;
use crate::recording::{LeadSet, NUM_LEADS, QualityFlags, Recording, Signal};

/// No surface ECG reaches this.
const IMPLAUSIBLE_UV: f32 = 20_000.0;
/// How far a stored limb lead may be from what I and II say, in counts: rounding and no more.
const LIMB_TOLERANCE_COUNTS: i32 = 3;

/// One lead's place in [`Assembly::counts`].
#[derive(Clone, Copy, Debug)]
struct Stored {
    begin: usize,
    end: usize,
    lsb_uv: f32,
}

/// Collects the leads of one file, in canonical order; buffers are reused from file to file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembly {
    /// Counts of the stored leads, one after the other up to `num_counts`; what follows is left from other files. Little-endian, as in the
    /// payloads, until `finish`.
    counts: Vec<i16>,
    num_counts: usize,
    stored: [Option<Stored>; NUM_LEADS],
    /// What the counts of the leads say.
    flags: QualityFlags,
}

impl Assembly {
    /// Take the counts of a recording that is about to be overwritten as room for the next.
    pub(crate) fn take_room(&mut self, signal: &mut Signal) {
        if self.counts.len() < signal.counts.len() {
            std::mem::swap(&mut self.counts, &mut signal.counts);
        }
    }

    /// Forget the last file.
    pub(crate) fn clear(&mut self) {
        self.num_counts = 0;
        self.stored = [None; NUM_LEADS];
        self.flags = QualityFlags::default();
    }

    /// Append a lead of at most `room` bytes, which stand in the file at `offset`: `fill` writes its little-endian bytes to the front of what it is given and tells their number.
    /// Leads must come in canonical order. Gives the bytes back for checking.
    ///
    /// # Errors
    /// What `fill` says, or [`ParseError::OddByteCount`].
    pub(crate) fn push(
        &mut self,
        lead: Lead,
        lsb_uv: f32,
        room: usize,
        offset: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, ParseError>,
    ) -> Result<&[u8], ParseError> {
        let begin = self.num_counts;
        let most = begin + room.div_ceil(2);
        if self.counts.len() < most {
            self.counts.resize(most, 0);
        }
        let num_bytes = fill(bytemuck::cast_slice_mut(&mut self.counts[begin..most]))?;
        if !num_bytes.is_multiple_of(2) {
            return Err(ParseError::OddByteCount { lead, bytes: num_bytes as u64, offset: offset as u64 });
        }
        let end = begin + num_bytes / 2;
        if end > begin {
            self.stored[lead.index()] = Some(Stored { begin, end, lsb_uv });
            self.num_counts = end;
            self.flags.insert(judge(&self.counts[begin..end], lsb_uv));
        }
        Ok(bytemuck::cast_slice(&self.counts[begin..end]))
    }

    /// Fill the recording's signal, number of leads, hash, and the flags that follow from the samples.
    ///
    /// Leads that are one sample shorter than the longest are completed with their last value. Twelve stored leads become
    /// [`LeadSet::Eight`] when the other four follow from I and II exactly; when only some of the four are stored they are checked and
    /// derived all the same.
    ///
    /// # Errors
    /// [`ParseError::MissingLead`] and [`ParseError::MixedLengths`].
    pub(crate) fn finish(&mut self, sampling_rate_hz: f64, recording: &mut Recording) -> Result<(), ParseError> {
        for lead in Lead::INDEPENDENT {
            if self.stored[lead.index()].is_none() {
                return Err(ParseError::MissingLead { lead });
            }
        }
        recording.flags.insert(self.flags);
        let num_samples = self.common_length(&mut recording.flags)?;
        recording.num_leads_stored = self.stored.iter().flatten().count() as u8;
        let counts = &mut self.counts[..self.num_counts];
        recording.payload_hash = XxHash3_64::oneshot(bytemuck::cast_slice(counts));
        // Nothing to do on a little-endian machine, and compiled to nothing.
        for count in counts {
            *count = i16::from_le(*count);
        }
        let signal = &mut recording.signal;
        signal.lead_set = LeadSet::Eight;
        signal.num_samples = num_samples;
        signal.sampling_rate_hz = sampling_rate_hz;
        signal.lsb_uv = [0.0; NUM_LEADS];
        let are_the_eight = usize::from(recording.num_leads_stored) == Lead::INDEPENDENT.len();
        if are_the_eight && self.num_counts == Lead::INDEPENDENT.len() * num_samples {
            self.hand_over(signal);
            return Ok(());
        }
        self.write_leads(&Lead::INDEPENDENT, signal);
        if usize::from(recording.num_leads_stored) > Lead::INDEPENDENT.len() {
            self.check_limb_leads(recording);
        }
        Ok(())
    }

    /// Give the counts away as they are: the eight leads, equally long.
    fn hand_over(&mut self, signal: &mut Signal) {
        for (slot, stored) in signal.lsb_uv.iter_mut().zip(self.stored.iter().flatten()) {
            *slot = stored.lsb_uv;
        }
        self.counts.truncate(self.num_counts);
        std::mem::swap(&mut self.counts, &mut signal.counts);
    }

    /// Copy the counts and gains of `leads` to the signal, completed with the last value.
    fn write_leads(&self, leads: &[Lead], signal: &mut Signal) {
        signal.counts.clear();
        signal.counts.reserve(leads.len() * signal.num_samples);
        for (index, lead) in leads.iter().enumerate() {
            if let Some(stored) = self.stored[lead.index()] {
                signal.lsb_uv[index] = stored.lsb_uv;
                let counts = &self.counts[stored.begin..stored.end];
                signal.counts.extend_from_slice(counts);
                signal.counts.resize((index + 1) * signal.num_samples, counts.last().copied().unwrap_or(0));
            }
        }
    }

    fn common_length(&self, flags: &mut QualityFlags) -> Result<usize, ParseError> {
        let lengths = self.stored.iter().flatten().map(|stored| stored.end - stored.begin);
        let (shortest, longest) = lengths.fold((usize::MAX, 0), |(low, high), length| (low.min(length), high.max(length)));
        if longest - shortest > 1 {
            return Err(ParseError::MixedLengths { shortest: shortest as u32, longest: longest as u32 });
        }
        if longest != shortest {
            flags.insert(QualityFlags::COMPLETED);
        }
        Ok(longest)
    }

    /// Check the stored ones of III, aVR, aVL, aVF against I and II, and keep all twelve if they say something else.
    fn check_limb_leads(&self, recording: &mut Recording) {
        let signal = &mut recording.signal;
        let limb = &Lead::ALL[2..6];
        let (mut num_limb, mut follow) = (0, true);
        for (&lead, stored) in limb.iter().filter_map(|lead| self.stored[lead.index()].map(|stored| (lead, stored))) {
            let stored_counts = &self.counts[stored.begin..stored.end];
            let gains = [signal.lsb_uv[0], signal.lsb_uv[1], stored.lsb_uv];
            let deviation = if gains.iter().all(|gain| gain.to_bits() == gains[0].to_bits()) {
                largest_deviation_in_half_counts(lead, signal.lead(0), signal.lead(1), completed(stored_counts))
            } else {
                follow = false;
                largest_deviation_at_gains(lead, gains, signal.lead(0), signal.lead(1), completed(stored_counts))
            };
            follow &= deviation == 0;
            if deviation > 2 * LIMB_TOLERANCE_COUNTS {
                recording.flags.insert(QualityFlags::LIMB_LEADS_INCONSISTENT);
            }
            num_limb += 1;
        }
        if num_limb == limb.len() && !follow {
            signal.lead_set = LeadSet::Twelve;
            self.write_leads(&Lead::ALL, signal);
        }
    }
}

/// Counts and then the last of them without end, as `write_leads` completes them.
fn completed(counts: &[i16]) -> impl Iterator<Item = i16> {
    counts.iter().copied().chain(std::iter::repeat(counts.last().copied().unwrap_or(0)))
}

/// What the counts of a lead, little-endian, say about it.
fn judge(counts: &[i16], lsb_uv: f32) -> QualityFlags {
    let (low, high) = extremes(counts);
    let mut flags = QualityFlags::default();
    if low == high {
        flags.insert(QualityFlags::FLAT_LEAD);
    }
    if low == i16::MIN || high == i16::MAX {
        flags.insert(QualityFlags::SATURATED);
    }
    if f32::from(low).abs().max(f32::from(high).abs()) * lsb_uv.abs() > IMPLAUSIBLE_UV {
        flags.insert(QualityFlags::IMPLAUSIBLE_AMPLITUDE);
    }
    flags
}

/// Twice the value of a derived lead, with I = `x` and II = `y`: whole where x and y are.
fn twice_derived(lead: Lead, x: i32, y: i32) -> i32 {
    match lead {
        Lead::III => 2 * (y - x),
        Lead::AVR => -(x + y),
        Lead::AVL => 2 * x - y,
        _ => 2 * y - x,
    }
}

fn largest_deviation_in_half_counts(lead: Lead, i: &[i16], ii: &[i16], stored: impl Iterator<Item = i16>) -> i32 {
    let samples = i.iter().zip(ii).zip(stored);
    samples
        .map(|((&x, &y), count)| (2 * i32::from(count) - twice_derived(lead, i32::from(x), i32::from(y))).abs())
        .max()
        .unwrap_or(0)
}

/// The same where the gains differ, in halves of the stored lead's own counts, rounded up.
fn largest_deviation_at_gains(lead: Lead, gains: [f32; 3], i: &[i16], ii: &[i16], stored: impl Iterator<Item = i16>) -> i32 {
    let [gain_i, gain_ii, gain] = gains.map(f64::from);
    let (a, b) = (f64::from(twice_derived(lead, 1, 0)), f64::from(twice_derived(lead, 0, 1)));
    let samples = i.iter().zip(ii).zip(stored);
    let largest = samples
        .map(|((&x, &y), count)| {
            let expected = a * f64::from(x) * gain_i + b * f64::from(y) * gain_ii;
            (2.0 * f64::from(count) - expected / gain).abs()
        })
        .fold(0.0, f64::max);
    largest.ceil() as i32
}
