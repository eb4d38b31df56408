//! From packed counts to int16 or float32.

use std::cell::RefCell;

use super::block::{self, BLOCK, Packed};
use super::chunk::Counts;
use super::portable::LimbGains;
use super::simd::{self, Simd};
use crate::recording::LeadSet;

/// One lead that is not yet decoded: its widths, and its packed vectors with all that follow them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeadBlocks<'a> {
    pub(super) widths: &'a [u8],
    pub(super) packed: &'a [Packed],
}

/// The leads of a chunk, one after the other.
fn leads<'a>(counts: &Counts<'a>) -> impl Iterator<Item = LeadBlocks<'a>> {
    let mut payload = counts.payload;
    counts.widths.chunks_exact(block::num_blocks(counts.num_samples).max(1)).map(move |widths| {
        let num_vectors: usize = widths.iter().map(|&width| usize::from(width)).sum();
        let packed = payload;
        payload = packed.get(num_vectors..).unwrap_or_default();
        LeadBlocks { widths, packed }
    })
}

/// The chunk that is decoded next, asked for in as many parts as this one has leads: all at once would be more than the processor can
/// await, and it would stand still.
struct Ahead<'a> {
    parts: std::slice::Chunks<'a, u8>,
}

impl<'a> Ahead<'a> {
    fn new(chunk: &'a [u8], lead_set: LeadSet) -> Self {
        Self { parts: chunk.chunks(chunk.len().div_ceil(lead_set.leads().len()).next_multiple_of(64).max(64)) }
    }

    fn fetch(&mut self) {
        simd::fetch(self.parts.next().unwrap_or_default());
    }
}

/// Write the stored leads as counts; `out` holds leads x samples values.
pub(super) fn counts_with(simd: Simd, counts: &Counts<'_>, next: &[u8], out: &mut [i16]) {
    let mut ahead = Ahead::new(next, counts.lead_set);
    for (lead, slot) in leads(counts).zip(out.chunks_exact_mut(counts.num_samples.max(1))) {
        ahead.fetch();
        simd.lead(lead, slot);
    }
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
        let mut leads = leads(counts).zip(&mut gains);
        let mut slots = out.chunks_exact_mut(num_samples);
        let mut ahead = Ahead::new(next, counts.lead_set);
        ahead.fetch();
        if counts.lead_set == LeadSet::Eight {
            let limb = std::array::from_fn(|_| slots.next().unwrap_or_default());
            if let (Some((i, gain_i)), Some((ii, gain_ii))) = (leads.next(), leads.next()) {
                simd.limb_leads([i, ii], LimbGains { i: gain_i, ii: gain_ii }, [x, y], limb);
            }
        }
        for ((lead, gain), slot) in leads.zip(slots) {
            ahead.fetch();
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
