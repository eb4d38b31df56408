//! From packed counts to int16 or float32.

use std::cell::RefCell;

use super::block::{self, BLOCK, Packed};
use super::chunk::Counts;
use super::portable::LimbGains;
use super::simd::Simd;
use crate::recording::LeadSet;

/// One lead that is not yet decoded: its widths, and its packed vectors with all that follow them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeadBlocks<'a> {
    pub(super) widths: &'a [u8],
    pub(super) packed: &'a [Packed],
    /// What to bring into the processor's caches meanwhile: this lead's share of the chunk that is decoded next. All of that chunk at once
    /// would be more than the processor can await, and it would stand still.
    pub(super) ahead: &'a [u8],
}

/// Bytes of it that are asked for with a block.
pub(super) const FETCHED: usize = 128;

/// The leads of a chunk, one after the other, each with its share of the chunk `next`.
fn leads<'a>(counts: &Counts<'a>, next: &'a [u8]) -> impl Iterator<Item = LeadBlocks<'a>> {
    let mut payload = counts.payload;
    let share = next.len().div_ceil(counts.lead_set.leads().len()).next_multiple_of(FETCHED).max(FETCHED);
    let shares = next.chunks(share).chain(std::iter::repeat(&[][..]));
    counts.widths.chunks_exact(block::num_blocks(counts.num_samples).max(1)).zip(shares).map(move |(widths, ahead)| {
        let packed = payload;
        payload = packed.get(block::num_vectors(widths)..).unwrap_or_default();
        LeadBlocks { widths, packed, ahead }
    })
}

/// Write the stored leads as counts; `out` holds leads x samples values.
pub(super) fn counts_with(simd: Simd, counts: &Counts<'_>, next: &[u8], out: &mut [i16]) {
    for (lead, slot) in leads(counts, next).zip(out.chunks_exact_mut(counts.num_samples.max(1))) {
        simd.lead(lead, slot);
    }
}

/// Whether the stored leads are `expected`, leads x samples values. Each lead is compared while it is in the nearest cache, where `scratch` lies.
pub(super) fn are_counts(simd: Simd, counts: &Counts<'_>, expected: &[i16], scratch: &mut Vec<i16>) -> bool {
    let num_samples = counts.num_samples;
    scratch.resize(num_samples, 0);
    expected.len() == counts.lead_set.leads().len() * num_samples
        && leads(counts, &[]).zip(expected.chunks_exact(num_samples.max(1))).all(|(lead, expected)| {
            simd.lead(lead, scratch);
            scratch == expected
        })
}

/// Write all twelve leads in microvolts; `out` holds 12 x samples values.
pub(super) fn microvolts_with(simd: Simd, counts: &Counts<'_>, next: &[u8], out: &mut [f32]) {
    thread_local! {
        /// Counts of two leads, which stay in the nearest cache on their way to floats.
        static SCRATCH: RefCell<[Vec<i16>; 2]> = const { RefCell::new([const { Vec::new() }; 2]) };
    }
    let num_samples = counts.num_samples;
    if num_samples == 0 {
        return;
    }
    SCRATCH.with_borrow_mut(|[x, y]| {
        // Whole blocks, and one more, so that kernels may read whole vectors.
        let num_scratch = (block::num_blocks(num_samples) + 1) * BLOCK;
        for scratch in [&mut *x, y] {
            if scratch.len() < num_scratch {
                scratch.resize(num_scratch, 0);
            }
        }
        let mut gains = counts.lsb_uv.into_iter();
        let mut leads = leads(counts, next).zip(&mut gains);
        let mut slots = out.chunks_exact_mut(num_samples);
        if counts.lead_set == LeadSet::Eight {
            let limb = std::array::from_fn(|_| slots.next().unwrap_or_default());
            if let (Some((i, gain_i)), Some((ii, gain_ii))) = (leads.next(), leads.next()) {
                simd.limb_leads([i, ii], LimbGains { i: gain_i, ii: gain_ii }, [x, y], limb);
            }
        }
        for ((lead, gain), slot) in leads.zip(slots) {
            simd.lead_microvolts(lead, gain, x, slot);
        }
        simd.fence();
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::super::chunk::{self, Chunk};
    use super::*;
    use crate::pack::Encoder;
    use crate::recording::{NUM_LEADS, Signal};

    /// Decode with each instruction set, into floats that begin `offset` floats into their buffer.
    fn decode_all(signal: &Signal, offset: usize) -> Vec<(Vec<i16>, Vec<u32>)> {
        let mut bytes = Vec::new();
        Encoder::new().encode(signal, &mut bytes);
        let Ok(Chunk::Counts(counts)) = chunk::parse(&bytes) else { panic!("counts are packed") };
        let decode = |simd| {
            let (mut decoded, mut values) = (vec![1; signal.counts.len()], vec![1.0; offset + NUM_LEADS * signal.num_samples]);
            counts_with(simd, &counts, &[], &mut decoded);
            microvolts_with(simd, &counts, &[], &mut values[offset..]);
            (decoded, values.drain(offset..).map(f32::to_bits).collect())
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
            offset in 0usize..17,
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
            for (decoded, values) in decode_all(&signal, offset) {
                prop_assert_eq!(&decoded, &signal.counts);
                prop_assert_eq!(&values, &expected);
            }
        }
    }
}
