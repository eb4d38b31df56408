//! The decoded leads of one file, before they become a signal.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::NUM_LEADS;
use crate::xml::assembly::Assembly;
use crate::xml::sierra::xli::{Chunk, Damaged, Decoder};

/// Counts of the twelve leads, with buffers that are reused from file to file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leads {
    /// The decoded base64.
    payload: Vec<u8>,
    decoder: Decoder,
    counts: [Vec<i16>; NUM_LEADS],
    present: [bool; NUM_LEADS],
}

impl Leads {
    /// Forget the last file and give out the buffer of the payload, filled by `fill`; [`Self::end`] takes it back.
    pub(super) fn begin(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), ParseError>) -> Result<Vec<u8>, ParseError> {
        self.present = [false; NUM_LEADS];
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        fill(&mut payload)?;
        Ok(payload)
    }

    /// Keep the buffer for the next file.
    pub(super) fn end(&mut self, payload: Vec<u8>) {
        self.payload = payload;
    }

    /// Whether the file has had this lead.
    pub(super) const fn has(&self, lead: Lead) -> bool {
        self.present[lead.index()]
    }

    /// The samples of a lead; none when the file lacks it.
    pub(super) fn get(&self, lead: Lead) -> &[i16] {
        if self.has(lead) { &self.counts[lead.index()] } else { &[] }
    }

    /// Take a lead's samples out of its part of the payload.
    pub(super) fn unpack(&mut self, lead: Lead, chunk: &Chunk<'_>, max_samples: usize) -> Result<(), Damaged> {
        let counts = &mut self.counts[lead.index()];
        match chunk {
            Chunk::Packed { start, codes } => self.decoder.decode(codes, *start, max_samples, counts)?,
            Chunk::Plain(bytes) => {
                let (pairs, _) = bytes.as_chunks::<2>();
                counts.clear();
                counts.extend(pairs.iter().map(|&pair| i16::from_le_bytes(pair)));
            }
        }
        self.present[lead.index()] = true;
        Ok(())
    }

    /// Turn what XLI stores of III, aVR, aVL and aVF into the leads: each was replaced by its prediction from two others less itself.
    ///
    /// # Errors
    /// [`ParseError::MissingLead`] when a lead that predicts is absent, [`ParseError::MixedLengths`] when it is shorter.
    pub(super) fn undo_prediction(&mut self) -> Result<(), ParseError> {
        let has = |lead: Lead| self.present[lead.index()];
        let [iii_stored, avr_stored, avl_stored, avf_stored] = [Lead::III, Lead::AVR, Lead::AVL, Lead::AVF].map(has);
        for (needed, by_any) in [
            (Lead::I, iii_stored || avr_stored || avl_stored),
            (Lead::II, iii_stored || avr_stored || avf_stored),
            (Lead::III, avl_stored || avf_stored),
        ] {
            if by_any && !has(needed) {
                return Err(ParseError::MissingLead { lead: needed });
            }
        }
        let [i, ii, iii, avr, avl, avf, ..] = &mut self.counts;
        if iii_stored {
            subtract_from_prediction(iii, i, ii, |i, ii| ii - i)?;
        }
        if avr_stored {
            subtract_from_prediction(avr, i, ii, |i, ii| -((i + ii) >> 1))?;
        }
        if avl_stored {
            subtract_from_prediction(avl, i, iii, |i, iii| (i - iii) >> 1)?;
        }
        if avf_stored {
            subtract_from_prediction(avf, ii, iii, |ii, iii| (ii + iii) >> 1)?;
        }
        Ok(())
    }

    /// Hand the first `num_samples` of every lead on; their payload begins at `offset`.
    pub(super) fn push_to(
        &self,
        assembly: &mut Assembly,
        num_samples: usize,
        lsb_uv: f32,
        offset: usize,
    ) -> Result<(), ParseError> {
        for lead in Lead::ALL {
            let counts = self.get(lead);
            let kept = &counts[..counts.len().min(num_samples)];
            assembly.push(lead, lsb_uv, 2 * kept.len(), offset, |bytes| {
                let (slots, _) = bytes.as_chunks_mut::<2>();
                for (slot, count) in slots.iter_mut().zip(kept) {
                    *slot = count.to_le_bytes();
                }
                Ok(2 * kept.len())
            })?;
        }
        Ok(())
    }
}

/// `counts = prediction(a, b) - counts`, modulo 2^16.
fn subtract_from_prediction(
    counts: &mut [i16],
    a: &[i16],
    b: &[i16],
    prediction: impl Fn(i32, i32) -> i32,
) -> Result<(), ParseError> {
    let shortest = a.len().min(b.len());
    if shortest < counts.len() {
        return Err(ParseError::MixedLengths { shortest: shortest as u32, longest: counts.len() as u32 });
    }
    for ((count, &a), &b) in counts.iter_mut().zip(a).zip(b) {
        *count = (prediction(a.into(), b.into()) - i32::from(*count)) as i16;
    }
    Ok(())
}
