//! From decoded leads to a [`Signal`]: lengths, derived leads, quality flags and the payload's hash, the same for every dialect.

use xxhash_rust::xxh3::xxh3_64;

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{LeadSet, NUM_LEADS, QualityFlags, Recording};

/// No surface ECG reaches this.
const IMPLAUSIBLE_UV: f32 = 20_000.0;
/// How far a stored limb lead may be from what I and II say, in counts: rounding and no more.
const LIMB_TOLERANCE_COUNTS: i32 = 3;

/// One lead's place in [`Assembly::bytes`].
#[derive(Clone, Copy, Debug)]
struct Stored {
    begin: usize,
    end: usize,
    lsb_uv: f32,
}

/// Collects the leads of one file, in canonical order; buffers are reused from file to file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembly {
    /// Little-endian counts of the stored leads, one after the other.
    bytes: Vec<u8>,
    stored: [Option<Stored>; NUM_LEADS],
    /// Counts of III, aVR, aVL, aVF, when the file stores them.
    limb: Vec<i16>,
}

impl Assembly {
    /// Forget the last file.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.stored = [None; NUM_LEADS];
    }

    /// Append a lead, whose little-endian bytes `fill` appends. Leads must come in canonical order. Gives the bytes back for checking.
    ///
    /// # Errors
    /// What `fill` says, or [`ParseError::OddByteCount`].
    pub(crate) fn push(
        &mut self,
        lead: Lead,
        lsb_uv: f32,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), ParseError>,
    ) -> Result<&[u8], ParseError> {
        let begin = self.bytes.len();
        fill(&mut self.bytes)?;
        let end = self.bytes.len();
        if !(end - begin).is_multiple_of(2) {
            return Err(ParseError::OddByteCount { lead, bytes: (end - begin) as u64 });
        }
        if end > begin {
            self.stored[lead.index()] = Some(Stored { begin, end, lsb_uv });
        }
        Ok(&self.bytes[begin..end])
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
        let num_samples = self.common_length(&mut recording.flags)?;
        recording.num_leads_stored = self.stored.iter().flatten().count() as u8;
        recording.payload_hash = xxh3_64(&self.bytes);

        let signal = &mut recording.signal;
        signal.lead_set = LeadSet::Eight;
        signal.num_samples = num_samples;
        signal.sampling_rate_hz = sampling_rate_hz;
        signal.lsb_uv = [0.0; NUM_LEADS];
        signal.counts.resize(Lead::INDEPENDENT.len() * num_samples, 0);
        for (index, (lead, slot)) in Lead::INDEPENDENT.iter().zip(signal.counts.chunks_exact_mut(num_samples)).enumerate() {
            if let Some(stored) = self.stored[lead.index()] {
                signal.lsb_uv[index] = stored.lsb_uv;
                recording.flags.insert(fill_counts(&self.bytes[stored.begin..stored.end], stored.lsb_uv, slot));
            }
        }
        if usize::from(recording.num_leads_stored) > Lead::INDEPENDENT.len() {
            self.add_limb_leads(recording);
        }
        Ok(())
    }

    fn common_length(&self, flags: &mut QualityFlags) -> Result<usize, ParseError> {
        let lengths = self.stored.iter().flatten().map(|stored| (stored.end - stored.begin) / 2);
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
    fn add_limb_leads(&mut self, recording: &mut Recording) {
        let signal = &mut recording.signal;
        let n = signal.num_samples;
        let limb = Lead::ALL[2..6].iter().filter_map(|lead| self.stored[lead.index()].map(|stored| (*lead, stored)));
        let (mut num_limb, mut follow) = (0, true);
        self.limb.resize(4 * n, 0);
        for ((lead, stored), counts) in limb.zip(self.limb.chunks_exact_mut(n)) {
            recording.flags.insert(fill_counts(&self.bytes[stored.begin..stored.end], stored.lsb_uv, counts));
            let gains = [signal.lsb_uv[0], signal.lsb_uv[1], stored.lsb_uv];
            let deviation = if gains.iter().all(|gain| gain.to_bits() == gains[0].to_bits()) {
                largest_deviation_in_half_counts(lead, signal.lead(0), signal.lead(1), counts)
            } else {
                follow = false;
                largest_deviation_at_gains(lead, gains, signal.lead(0), signal.lead(1), counts)
            };
            follow &= deviation == 0;
            if deviation > 2 * LIMB_TOLERANCE_COUNTS {
                recording.flags.insert(QualityFlags::LIMB_LEADS_INCONSISTENT);
            }
            num_limb += 1;
        }
        if num_limb == 4 && !follow {
            signal.lead_set = LeadSet::Twelve;
            signal.counts.resize(NUM_LEADS * n, 0);
            signal.counts.copy_within(2 * n..8 * n, 6 * n);
            signal.counts[2 * n..6 * n].copy_from_slice(&self.limb);
            for (lsb, stored) in signal.lsb_uv.iter_mut().zip(&self.stored) {
                *lsb = stored.map_or(0.0, |stored| stored.lsb_uv);
            }
        }
    }
}

/// Read little-endian counts into `counts`, completed with the last one, and judge them.
fn fill_counts(bytes: &[u8], lsb_uv: f32, counts: &mut [i16]) -> QualityFlags {
    let (pairs, _) = bytes.as_chunks::<2>();
    let (head, tail) = counts.split_at_mut(pairs.len().min(counts.len()));
    let (mut low, mut high) = (i16::MAX, i16::MIN);
    for (count, &pair) in head.iter_mut().zip(pairs) {
        *count = i16::from_le_bytes(pair);
        low = low.min(*count);
        high = high.max(*count);
    }
    tail.fill(head.last().copied().unwrap_or(0));

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

fn largest_deviation_in_half_counts(lead: Lead, i: &[i16], ii: &[i16], stored: &[i16]) -> i32 {
    let samples = i.iter().zip(ii).zip(stored);
    samples
        .map(|((&x, &y), &count)| (2 * i32::from(count) - twice_derived(lead, i32::from(x), i32::from(y))).abs())
        .max()
        .unwrap_or(0)
}

/// The same where the gains differ, in halves of the stored lead's own counts, rounded up.
fn largest_deviation_at_gains(lead: Lead, gains: [f32; 3], i: &[i16], ii: &[i16], stored: &[i16]) -> i32 {
    let [gain_i, gain_ii, gain] = gains.map(f64::from);
    let (a, b) = (f64::from(twice_derived(lead, 1, 0)), f64::from(twice_derived(lead, 0, 1)));
    let samples = i.iter().zip(ii).zip(stored);
    let largest = samples
        .map(|((&x, &y), &count)| {
            let expected = a * f64::from(x) * gain_i + b * f64::from(y) * gain_ii;
            (2.0 * f64::from(count) - expected / gain).abs()
        })
        .fold(0.0, f64::max);
    largest.ceil() as i32
}
