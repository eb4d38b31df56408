//! From packed counts to int16 or float32, once for every instruction set.

use super::block::{self, BLOCK, Packed};
use super::chunk::Counts;
use super::simd::Simd;
use crate::lead::Lead;
use crate::recording::{LeadSet, NUM_LEADS};

/// One lead on its way out: what is left of its widths and vectors, and the last count.
struct LeadBlocks<'a> {
    widths: std::slice::Iter<'a, u8>,
    packed: &'a [Packed],
    carry: i16,
}

impl LeadBlocks<'_> {
    #[inline(always)]
    fn next(&mut self) -> Option<[i16; BLOCK]> {
        let width = *self.widths.next()?;
        Some(block::integrate(block::take(&mut self.packed, width), &mut self.carry))
    }
}

/// The leads of a chunk, one after the other.
struct Leads<'a> {
    widths: std::slice::ChunksExact<'a, u8>,
    payload: &'a [Packed],
}

impl<'a> Leads<'a> {
    fn new(counts: &Counts<'a>) -> Self {
        Self { widths: counts.widths.chunks_exact(block::num_blocks(counts.num_samples).max(1)), payload: counts.payload }
    }
}

impl<'a> Iterator for Leads<'a> {
    type Item = LeadBlocks<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<LeadBlocks<'a>> {
        let widths = self.widths.next()?;
        let num_vectors = widths.iter().map(|&width| usize::from(width)).sum();
        let (packed, rest) = self.payload.split_at_checked(num_vectors)?;
        self.payload = rest;
        Some(LeadBlocks { widths: widths.iter(), packed, carry: 0 })
    }
}

/// Write the stored leads as counts; `out` holds leads x samples values.
pub(super) fn counts_with(simd: Simd, counts: &Counts<'_>, out: &mut [i16]) {
    simd.run(CountsKernel { counts, out });
}

/// Write all twelve leads in microvolts; `out` holds 12 x samples values.
pub(super) fn microvolts_with(simd: Simd, counts: &Counts<'_>, out: &mut [f32]) {
    simd.run(MicrovoltsKernel { counts, out });
}

struct CountsKernel<'a> {
    counts: &'a Counts<'a>,
    out: &'a mut [i16],
}

impl super::simd::Kernel for CountsKernel<'_> {
    #[inline(always)]
    fn run(self) {
        if self.counts.num_samples == 0 {
            return;
        }
        for (mut lead, slot) in Leads::new(self.counts).zip(self.out.chunks_exact_mut(self.counts.num_samples)) {
            for part in slot.chunks_mut(BLOCK) {
                let Some(counts) = lead.next() else { return };
                part.copy_from_slice(&counts[..part.len()]);
            }
        }
    }
}

struct MicrovoltsKernel<'a> {
    counts: &'a Counts<'a>,
    out: &'a mut [f32],
}

impl super::simd::Kernel for MicrovoltsKernel<'_> {
    #[inline(always)]
    fn run(self) {
        let Counts { lead_set, num_samples, lsb_uv, .. } = *self.counts;
        if num_samples == 0 {
            return;
        }
        let mut leads = Leads::new(self.counts);
        let (limb, precordial) = self.out.split_at_mut(6 * num_samples);
        let (simple, first) = match lead_set {
            LeadSet::Eight => {
                let (Some(i), Some(ii)) = (leads.next(), leads.next()) else { return };
                limb_leads(i, ii, [lsb_uv[0], lsb_uv[1]], num_samples, limb);
                (precordial, 2)
            }
            LeadSet::Twelve => (self.out, 0),
        };
        for ((mut lead, slot), lsb) in leads.zip(simple.chunks_exact_mut(num_samples)).zip(&lsb_uv[first..]) {
            for part in slot.chunks_mut(BLOCK) {
                let Some(counts) = lead.next() else { return };
                write(part, &scaled(&counts, *lsb));
            }
        }
    }
}

/// The six limb leads from I and II, as [`Signal::write_microvolts`](crate::Signal::write_microvolts) defines them.
#[inline(always)]
fn limb_leads(mut i: LeadBlocks<'_>, mut ii: LeadBlocks<'_>, [lsb_i, lsb_ii]: [f32; 2], num_samples: usize, out: &mut [f32]) {
    let half = lsb_i * 0.5;
    let equal = lsb_i.to_bits() == lsb_ii.to_bits();
    for start in (0..num_samples).step_by(BLOCK) {
        let length = BLOCK.min(num_samples - start);
        let (Some(x), Some(y)) = (i.next(), ii.next()) else { return };
        let mut put = |lead: Lead, values: &[f32; BLOCK]| {
            let at = lead.index() * num_samples + start;
            write(&mut out[at..at + length], values);
        };
        let (i_uv, ii_uv) = (scaled(&x, lsb_i), scaled(&y, lsb_ii));
        put(Lead::I, &i_uv);
        put(Lead::II, &ii_uv);
        if equal {
            let sums = |combine: fn(i32, i32) -> i32, gain: f32| -> [f32; BLOCK] {
                std::array::from_fn(|t| combine(i32::from(x[t]), i32::from(y[t])) as f32 * gain)
            };
            put(Lead::III, &sums(|x, y| y - x, lsb_i));
            put(Lead::AVR, &sums(|x, y| -(x + y), half));
            put(Lead::AVL, &sums(|x, y| 2 * x - y, half));
            put(Lead::AVF, &sums(|x, y| 2 * y - x, half));
        } else {
            put(Lead::III, &std::array::from_fn(|t| ii_uv[t] - i_uv[t]));
            put(Lead::AVR, &std::array::from_fn(|t| (i_uv[t] + ii_uv[t]) * -0.5));
            put(Lead::AVL, &std::array::from_fn(|t| i_uv[t] - ii_uv[t] * 0.5));
            put(Lead::AVF, &std::array::from_fn(|t| ii_uv[t] - i_uv[t] * 0.5));
        }
    }
}

#[inline(always)]
fn scaled(counts: &[i16; BLOCK], lsb_uv: f32) -> [f32; BLOCK] {
    std::array::from_fn(|t| f32::from(counts[t]) * lsb_uv)
}

/// Copy a block, or the beginning of the last one.
#[inline(always)]
fn write(part: &mut [f32], values: &[f32; BLOCK]) {
    if let Ok(whole) = <&mut [f32; BLOCK]>::try_from(&mut *part) {
        *whole = *values;
    } else {
        part.copy_from_slice(&values[..part.len()]);
    }
}

const _: () = assert!(NUM_LEADS == 12, "six limb leads come first");

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::super::chunk::{self, Chunk};
    use super::*;
    use crate::pack::Encoder;
    use crate::recording::Signal;

    fn decode_all(signal: &Signal) -> Vec<(Vec<i16>, Vec<u32>)> {
        let mut bytes = Vec::new();
        Encoder::new().encode(signal, &mut bytes);
        let Ok(Chunk::Counts(counts)) = chunk::parse(&bytes) else { panic!("counts are packed") };
        let decode = |simd| {
            let (mut decoded, mut values) = (vec![1; signal.counts.len()], vec![1.0; NUM_LEADS * signal.num_samples]);
            counts_with(simd, &counts, &mut decoded);
            microvolts_with(simd, &counts, &mut values);
            (decoded, values.into_iter().map(f32::to_bits).collect())
        };
        Simd::available().map(decode).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_instruction_set_decodes_the_same(
            (num_samples, width, pattern) in (1usize..700, 1u32..=16)
                .prop_flat_map(|(n, width)| (Just(n), Just(width), prop::collection::vec(any::<i16>(), 12 * n))),
            twelve in any::<bool>(),
            lsb_ii in prop::sample::select(vec![4.88f32, 2.5]),
        ) {
            let lead_set = if twelve { LeadSet::Twelve } else { LeadSet::Eight };
            let num_counts = lead_set.leads().len() * num_samples;
            let counts = pattern[..num_counts].iter().map(|value| value >> (16 - width)).collect();
            let mut lsb_uv = [4.88; NUM_LEADS];
            lsb_uv[1] = lsb_ii;
            let signal = Signal { lead_set, num_samples, counts, lsb_uv, sampling_rate_hz: 500.0 };
            let mut expected = vec![0.0; NUM_LEADS * num_samples];
            signal.write_microvolts(&mut expected);
            let expected: Vec<u32> = expected.into_iter().map(f32::to_bits).collect();
            for (decoded, values) in decode_all(&signal) {
                prop_assert_eq!(&decoded, &signal.counts);
                prop_assert_eq!(&values, &expected);
            }
        }
    }
}
