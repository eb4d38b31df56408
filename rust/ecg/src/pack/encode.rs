//! From a signal to a chunk.

use super::block::{self, Packed};
use super::chunk::{self, Chunk};
use super::simd::Simd;
use super::{decode, floats, microvolts};
use crate::recording::{NUM_LEADS, Signal};

/// Packs recordings; keeps its buffers from one to the next.
#[derive(Debug)]
pub struct Encoder {
    simd: Simd,
    payload: Vec<Packed>,
    decoded: Vec<i16>,
    recovered: Signal,
    values: Vec<f32>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with empty buffers.
    pub fn new() -> Self {
        Self { simd: Simd::best(), payload: Vec::new(), decoded: Vec::new(), recovered: Signal::default(), values: Vec::new() }
    }

    /// Append one chunk to `out` that decodes to [`Signal::write_microvolts`] bit for bit.
    ///
    /// The counts are packed, decoded again and compared. Gains that no decoder could apply the same way everywhere (not finite, or beyond
    /// 2^100 in size or in smallness) are stored as floats.
    ///
    /// # Panics
    /// When the signal holds another number of counts than its leads and samples say: a mistake of the caller, not of the data.
    pub fn encode(&mut self, signal: &Signal, out: &mut Vec<u8>) {
        let num_leads = signal.lead_set.leads().len();
        assert_eq!(signal.counts.len(), num_leads * signal.num_samples, "counts of leads x samples");
        if self.try_pack(signal, out) {
            return;
        }
        let mut values = std::mem::take(&mut self.values);
        values.resize(NUM_LEADS * signal.num_samples, 0.0);
        signal.write_microvolts(&mut values);
        append_floats(&values, NUM_LEADS, out);
        self.values = values;
    }

    /// Append one chunk to `out` that decodes to `values` (leads x samples, any float32) bit for bit.
    ///
    /// Twelve leads that are counts times a gain are packed like a [`Signal`]; everything else is stored as floats.
    ///
    /// # Panics
    /// When `num_leads` is 0 or above 255, or does not divide the number of values: a mistake of the caller, not of the data.
    pub fn encode_microvolts(&mut self, values: &[f32], num_leads: usize, out: &mut Vec<u8>) {
        assert!((1..=255).contains(&num_leads) && values.len().is_multiple_of(num_leads), "values of 1 to 255 leads x samples");
        let mut signal = std::mem::take(&mut self.recovered);
        let packed = num_leads == NUM_LEADS && microvolts::recover(self.simd, values, &mut signal) && self.try_pack(&signal, out);
        self.recovered = signal;
        if !packed {
            append_floats(values, num_leads, out);
        }
    }

    /// Append a packed chunk, unless it would not come back; `out` is then as it was.
    fn try_pack(&mut self, signal: &Signal, out: &mut Vec<u8>) -> bool {
        let num_leads = signal.lead_set.leads().len();
        if !signal.lsb_uv[..num_leads].iter().all(|&lsb| chunk::is_packable_gain(lsb))
            || u32::try_from(signal.num_samples).is_err()
        {
            return false;
        }
        let start = out.len();
        let widths = chunk::begin_counts(signal.lead_set, signal.num_samples, &signal.lsb_uv, out);
        let num_blocks = block::num_blocks(signal.num_samples);
        // Room for the widest blocks, in a place of its own: zeroed once, where the end of `out` would have to be each time.
        self.payload.resize(num_leads * num_blocks * block::MAX_WIDTH, [0; _]);
        let mut num_vectors = 0;
        for index in 0..num_leads {
            let widths = &mut out[widths + index * num_blocks..][..num_blocks];
            num_vectors += self.simd.pack_lead(signal.lead(index), widths, &mut self.payload[num_vectors..]);
        }
        out.extend_from_slice(self.payload[..num_vectors].as_flattened());
        chunk::seal(&mut out[start..]);
        let comes_back = match chunk::parse_verified(&out[start..]) {
            Ok(Chunk::Counts(counts)) => decode::are_counts(self.simd, &counts, &signal.counts, &mut self.decoded),
            _ => false,
        };
        if !comes_back {
            out.truncate(start);
        }
        comes_back
    }
}

fn append_floats(values: &[f32], num_leads: usize, out: &mut Vec<u8>) {
    let num_samples = values.len() / num_leads;
    assert!(u32::try_from(num_samples).is_ok(), "fewer than 2^32 samples a lead");
    let start = out.len();
    chunk::begin_floats(num_leads as u8, num_samples, out);
    floats::compress(values, out);
    chunk::seal(&mut out[start..]);
}
