//! The frame around a payload: header, widths, checksum.

use super::block::{self, Packed};
use crate::error::PackError;
use crate::recording::{LeadSet, NUM_LEADS};

/// `EPK` and the version of the format.
const MARK: [u8; 4] = *b"EPK\x01";
const MODE_PACKED: u8 = 0;
const MODE_FLOATS: u8 = 1;
/// Where the checksum stands; it covers every other byte of the chunk.
const CHECKSUM: std::ops::Range<usize> = 12..16;
/// Where the gains begin.
const GAINS: usize = 16;
/// Bytes before the widths (packed) or the compressed floats.
const HEADER: usize = GAINS + 4 * NUM_LEADS;
/// The payload begins at a multiple of this.
const ALIGNMENT: usize = size_of::<Packed>();

/// A chunk whose checksum fits and whose header is consistent with its length.
#[derive(Debug)]
pub(super) enum Chunk<'a> {
    /// Bit-packed counts.
    Counts(Counts<'a>),
    /// Compressed float32.
    Floats(Floats<'a>),
}

/// Bit-packed counts: `widths` has one byte a block, lead after lead, and `payload` exactly the vectors that they announce.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts<'a> {
    pub(super) lead_set: LeadSet,
    pub(super) num_samples: usize,
    pub(super) lsb_uv: [f32; NUM_LEADS],
    pub(super) widths: &'a [u8],
    pub(super) payload: &'a [Packed],
}

/// Float32 values that are no counts: a zstd frame of the four byte planes of `num_values` values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floats<'a> {
    pub(super) num_values: usize,
    pub(super) frame: &'a [u8],
}

/// Whether a gain may stand in a packed chunk: 0, or a magnitude of 2^-100 to 2^100, so that no product or sum of the decoder leaves the
/// normal numbers, whose arithmetic is the same on every machine (NaN signs and flushed subnormals are not).
pub(super) fn is_packable_gain(lsb_uv: f32) -> bool {
    const LEAST: f32 = f32::from_bits((127 - 100) << 23);
    const MOST: f32 = f32::from_bits((127 + 100) << 23);
    lsb_uv == 0.0 || (LEAST..=MOST).contains(&lsb_uv.abs())
}

/// Check a chunk and find its parts.
pub(super) fn parse(chunk: &[u8]) -> Result<Chunk<'_>, PackError> {
    let (header, body) = split(chunk)?;
    if read_u32(header, CHECKSUM.start) != checksum(chunk) {
        return Err(PackError::Checksum);
    }
    parts(header, body)
}

/// As [`parse`], of a chunk whose checksum was computed or compared where it lies: not again.
pub(super) fn parse_verified(chunk: &[u8]) -> Result<Chunk<'_>, PackError> {
    let (header, body) = split(chunk)?;
    parts(header, body)
}

fn split(chunk: &[u8]) -> Result<(&[u8; HEADER], &[u8]), PackError> {
    let (header, body) = chunk.split_first_chunk().ok_or(PackError::Length { found: chunk.len(), expected: HEADER })?;
    if header[..4] == MARK { Ok((header, body)) } else { Err(PackError::Version) }
}

fn parts<'a>(header: &[u8; HEADER], body: &'a [u8]) -> Result<Chunk<'a>, PackError> {
    if header[6..8] != [0; 2] {
        return Err(PackError::Header { field: "reserved" });
    }
    let num_rows = usize::from(header[5]);
    let num_samples = read_u32(header, 8) as usize;
    match header[4] {
        MODE_PACKED => parse_counts(header, body, num_rows, num_samples),
        MODE_FLOATS => {
            if num_rows == 0 {
                return Err(PackError::Header { field: "leads" });
            }
            let num_values = num_rows.checked_mul(num_samples).ok_or(PackError::Header { field: "samples" })?;
            Ok(Chunk::Floats(Floats { num_values, frame: body }))
        }
        _ => Err(PackError::Header { field: "mode" }),
    }
}

fn parse_counts<'a>(header: &[u8; HEADER], body: &'a [u8], num_leads: usize, num_samples: usize) -> Result<Chunk<'a>, PackError> {
    let lead_set = [LeadSet::Eight, LeadSet::Twelve]
        .into_iter()
        .find(|set| set.leads().len() == num_leads)
        .ok_or(PackError::Header { field: "leads" })?;
    let lsb_uv: [f32; NUM_LEADS] = std::array::from_fn(|lead| f32::from_bits(read_u32(header, GAINS + 4 * lead)));
    if !lsb_uv.into_iter().all(is_packable_gain) {
        return Err(PackError::Header { field: "gains" });
    }
    let num_widths = num_leads * block::num_blocks(num_samples);
    let too_short = |expected: usize| PackError::Length { found: HEADER + body.len(), expected: HEADER + expected };
    let (widths, payload) = body
        .split_at_checked(num_widths.next_multiple_of(ALIGNMENT))
        .ok_or_else(|| too_short(num_widths.next_multiple_of(ALIGNMENT)))?;
    let widths = &widths[..num_widths];
    // Without a way out in the middle, so that the compiler compares many at once.
    if widths.iter().fold(0, |most, &width| width.max(most)) > block::MAX_WIDTH as u8 {
        return Err(PackError::Header { field: "widths" });
    }
    let num_vectors = block::num_vectors(widths);
    let (payload, rest) = payload.as_chunks();
    if payload.len() != num_vectors || !rest.is_empty() {
        return Err(too_short(num_widths.next_multiple_of(ALIGNMENT) + num_vectors * ALIGNMENT));
    }
    Ok(Chunk::Counts(Counts { lead_set, num_samples, lsb_uv, widths, payload }))
}

/// Begin a packed chunk at the end of `out`: everything before the payload, with widths of 0.
///
/// Returns where in `out` the widths begin.
pub(super) fn begin_counts(lead_set: LeadSet, num_samples: usize, lsb_uv: &[f32; NUM_LEADS], out: &mut Vec<u8>) -> usize {
    let num_leads = lead_set.leads().len();
    begin(MODE_PACKED, num_leads as u8, num_samples, out);
    for (lead, lsb) in lsb_uv.iter().enumerate() {
        let stored = if lead < num_leads { *lsb } else { 0.0 };
        out.extend_from_slice(&stored.to_le_bytes());
    }
    let widths = out.len();
    let num_widths = num_leads * block::num_blocks(num_samples);
    out.resize(widths + num_widths.next_multiple_of(ALIGNMENT), 0);
    widths
}

/// Begin a chunk of compressed floats at the end of `out`: everything before the zstd frame.
pub(super) fn begin_floats(num_rows: u8, num_samples: usize, out: &mut Vec<u8>) {
    begin(MODE_FLOATS, num_rows, num_samples, out);
    out.resize(out.len() + 4 * NUM_LEADS, 0);
}

fn begin(mode: u8, num_rows: u8, num_samples: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[mode, num_rows, 0, 0]);
    out.extend_from_slice(&(num_samples as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
}

/// Write the checksum of a chunk that is complete but for it.
pub(super) fn seal(chunk: &mut [u8]) {
    let checksum = checksum(chunk);
    chunk[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
}

/// CRC-32 (as in zlib) of every byte but those of the checksum itself.
fn checksum(chunk: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&chunk[..CHECKSUM.start]);
    hasher.update(&chunk[CHECKSUM.end..]);
    hasher.finalize()
}

fn read_u32(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
