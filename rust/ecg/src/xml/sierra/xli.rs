//! XLI, Philips' compression of one lead: LZW over bytes, all high bytes of the lead before all low bytes, second-order deltas.

/// Bits of a code.
const CODE_BITS: u32 = 10;
/// Ends the stream; the largest code that a string may have is one less.
const END_CODE: usize = (1 << CODE_BITS) - 1;
const NUM_LITERALS: usize = 256;
/// What the encoder adds to a delta.
const DELTA_BIAS: u16 = 64;

/// The stream is no XLI, or longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// One lead's part of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk<'a> {
    /// The header's starting value and the LZW stream.
    Packed { start: i16, codes: &'a [u8] },
    /// Little-endian counts.
    Plain(&'a [u8]),
}

impl<'a> Chunk<'a> {
    /// Split a packed lead off `payload`: size (i32), two bytes of unknown meaning, starting value (i16), then the stream.
    pub(super) fn split(payload: &'a [u8]) -> Result<(Self, &'a [u8]), Damaged> {
        let (header, rest) = payload.split_first_chunk::<8>().ok_or(Damaged)?;
        let [a, b, c, d, _, _, e, f] = *header;
        let size = usize::try_from(i32::from_le_bytes([a, b, c, d])).map_err(|_| Damaged)?;
        let (codes, rest) = rest.split_at_checked(size).ok_or(Damaged)?;
        Ok((Self::Packed { start: i16::from_le_bytes([e, f]), codes }, rest))
    }

    /// Split a lead of `num_samples` off a payload that is not packed; what there is of it.
    pub(super) fn plain(payload: &'a [u8], num_samples: usize) -> (Self, &'a [u8]) {
        let (bytes, rest) = payload.split_at(payload.len().min(2 * num_samples));
        (Self::Plain(bytes), rest)
    }
}

/// Unpacks leads with buffers that are reused.
#[derive(Clone, Debug, Default)]
pub(super) struct Decoder {
    /// The LZW output.
    bytes: Vec<u8>,
    /// Where in `bytes` the string of each code above the literals begins, and its length: a new string is the last one and the byte after
    /// it, so it always stands in the output already.
    strings: Vec<(u32, u32)>,
}

impl Decoder {
    /// Replace `counts` with the samples that `codes` stands for.
    ///
    /// # Errors
    /// [`Damaged`] for a code that is not defined yet, more than `max_samples`, or half a sample.
    pub(super) fn decode(&mut self, codes: &[u8], start: i16, max_samples: usize, counts: &mut Vec<i16>) -> Result<(), Damaged> {
        self.expand(codes, 2 * max_samples)?;
        if !self.bytes.len().is_multiple_of(2) {
            return Err(Damaged);
        }
        let (high, low) = self.bytes.split_at(self.bytes.len() / 2);
        counts.clear();
        counts.extend(high.iter().zip(low).map(|(&high, &low)| i16::from_be_bytes([high, low])));
        integrate(start, counts);
        Ok(())
    }

    /// LZW: codes of ten bits, most significant bit first, strings up to code 1022, no reset. The end code may be missing.
    fn expand(&mut self, codes: &[u8], max_bytes: usize) -> Result<(), Damaged> {
        let Self { bytes, strings } = self;
        bytes.clear();
        strings.clear();
        let mut previous: Option<(usize, usize)> = None;
        for code in Codes::new(codes) {
            if code == END_CODE {
                break;
            }
            let begin = bytes.len();
            let length = if code < NUM_LITERALS {
                1
            } else if let Some(&(_, length)) = strings.get(code - NUM_LITERALS) {
                length as usize
            } else {
                match previous {
                    // The string that this very code defines: the last one and its own first byte.
                    Some((_, length)) if code == NUM_LITERALS + strings.len() => length + 1,
                    _ => return Err(Damaged),
                }
            };
            if length > max_bytes - begin {
                return Err(Damaged);
            }
            match strings.get(code.wrapping_sub(NUM_LITERALS)) {
                _ if code < NUM_LITERALS => bytes.push(code as u8),
                Some(&(from, _)) => bytes.extend_from_within(from as usize..from as usize + length),
                None => {
                    let (from, length) = previous.unwrap_or_default();
                    bytes.extend_from_within(from..from + length);
                    bytes.extend_from_within(from..=from);
                }
            }
            if let Some((from, length)) = previous
                && NUM_LITERALS + strings.len() < END_CODE
            {
                strings.push((from as u32, length as u32 + 1));
            }
            previous = Some((begin, length));
        }
        Ok(())
    }
}

/// The whole codes of a stream.
struct Codes<'a> {
    bytes: std::slice::Iter<'a, u8>,
    bits: u32,
    num_bits: u32,
}

impl<'a> Codes<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), bits: 0, num_bits: 0 }
    }
}

impl Iterator for Codes<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.num_bits < CODE_BITS {
            self.bits = self.bits << 8 | u32::from(*self.bytes.next()?);
            self.num_bits += 8;
        }
        self.num_bits -= CODE_BITS;
        Some((self.bits >> self.num_bits) as usize & END_CODE)
    }
}

/// Undo the second-order deltas in place, modulo 2^16: the first two values stand as they are, and each later one lies on the line through
/// the two before it, less the delta that precedes it.
fn integrate(start: i16, counts: &mut [i16]) {
    let [first, second, deltas @ ..] = counts else { return };
    let (mut x, mut y, mut correction) = (*first as u16, *second as u16, start as u16);
    for slot in deltas {
        let z = y.wrapping_mul(2).wrapping_sub(x).wrapping_sub(correction);
        correction = (*slot as u16).wrapping_sub(DELTA_BIAS);
        *slot = z as i16;
        (x, y) = (y, z);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes packed as a stream.
    fn pack(codes: &[u16]) -> Vec<u8> {
        let bits: Vec<u8> = codes.iter().flat_map(|&code| (0..10).rev().map(move |bit| (code >> bit & 1) as u8)).collect();
        bits.chunks(8).map(|bits| bits.iter().enumerate().fold(0, |byte, (i, &bit)| byte | bit << (7 - i))).collect()
    }

    fn expand(codes: &[u16], max_bytes: usize) -> Result<Vec<u8>, Damaged> {
        let mut decoder = Decoder::default();
        decoder.expand(&pack(codes), max_bytes).map(|()| decoder.bytes)
    }

    #[test]
    fn strings_grow_by_one_byte_a_code() {
        assert_eq!(expand(&[65, 66, 256, 258, 1023], 100), Ok(b"ABABABA".to_vec()));
        assert_eq!(expand(&[65, 256, 257, 256], 100), Ok(b"AAAAAAAA".to_vec()));
        assert_eq!(expand(&[1023, 65], 100), Ok(Vec::new()));
    }

    #[test]
    fn a_code_that_is_not_defined_yet_is_damage() {
        for codes in [&[256_u16][..], &[65, 257], &[65, 66, 258], &[65, 1022]] {
            assert_eq!(expand(codes, 100), Err(Damaged), "{codes:?}");
        }
    }

    #[test]
    fn a_full_table_stays_as_it_is() {
        let mut codes: Vec<u16> = (0..768).map(|i| i % 250).collect();
        codes.extend([256, 1022, 1022]);
        let bytes = expand(&codes, 10_000).unwrap_or_default();
        assert_eq!(bytes[768..], [0, 1, 16, 17, 16, 17]);
    }

    #[test]
    fn output_beyond_the_limit_is_damage() {
        let run: Vec<u16> = std::iter::once(0).chain(256..1022).collect();
        let length = 767 * 768 / 2;
        assert_eq!(expand(&run, length).map(|bytes| bytes.len()), Ok(length));
        assert_eq!(expand(&run, length - 1), Err(Damaged));
    }

    #[test]
    fn deltas_are_summed_twice_and_wrap_around() {
        // From the definition: x0 x1, then z = 2 y - x - correction, where the first correction is `start`.
        let mut counts = [10, 12, 64 + 3, 64 - 1, 0];
        integrate(5, &mut counts);
        assert_eq!(counts, [10, 12, 9, 3, -2]);
        let mut counts = [i16::MIN, i16::MAX, 64, 64];
        integrate(0, &mut counts);
        assert_eq!(counts, [i16::MIN, i16::MAX, 32_766, 32_765]);
    }

    #[test]
    fn a_header_that_promises_more_than_there_is_is_damage() {
        for payload in [&[1, 0, 0][..], &[1, 0, 0, 0, 0, 0, 0, 0], &[255, 255, 255, 255, 0, 0, 0, 0, 9]] {
            assert_eq!(Chunk::split(payload), Err(Damaged), "{payload:?}");
        }
        let payload = [1, 0, 0, 0, 7, 7, 0xFE, 0xFF, 42, 43];
        assert_eq!(Chunk::split(&payload), Ok((Chunk::Packed { start: -2, codes: &[42] }, &[43][..])));
    }
}
