//! The steps inside reading a file, each by itself, for whoever times them: the parser calls the same functions and pays nothing for it.

use twox_hash::XxHash3_64;

use super::payload::{PayloadDecoder, most_bytes};
use crate::extremes::extremes;

/// Does single steps of reading the leads of a file.
#[derive(Debug, Default)]
pub struct LeadSteps {
    decoder: PayloadDecoder,
    counts: Vec<i16>,
    ends: Vec<usize>,
}

impl LeadSteps {
    /// Decode the payloads of a file's leads, one after the other; gives `None` when one is no base64 of whole counts.
    pub fn decode(&mut self, payloads: &[&[u8]]) -> Option<()> {
        self.ends.clear();
        let mut begin = 0;
        for text in payloads {
            let most = begin + most_bytes(text).div_ceil(2);
            if self.counts.len() < most {
                self.counts.resize(most, 0);
            }
            let room = bytemuck::cast_slice_mut(&mut self.counts[begin..most]);
            let num_bytes = self.decoder.decode(text, room).ok().filter(|num_bytes| num_bytes.is_multiple_of(2))?;
            begin += num_bytes / 2;
            self.ends.push(begin);
        }
        Some(())
    }

    /// Derive what the decoded counts say: CRC-32 and extremes of each lead, and the hash of all.
    pub fn derive(&self) -> u64 {
        let mut begin = 0;
        let mut derived = 0;
        for &end in &self.ends {
            let counts = &self.counts[begin..end];
            let (low, high) = extremes(counts);
            derived ^= u64::from(crc32fast::hash(bytemuck::cast_slice(counts))) ^ u64::from(low != high);
            begin = end;
        }
        derived ^ XxHash3_64::oneshot(bytemuck::cast_slice(&self.counts[..begin]))
    }
}
