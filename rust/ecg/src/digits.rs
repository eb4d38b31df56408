//! Decimal integers with AVX-512: 64 characters a step, eight numbers at a time.
//!
//! Outside the parser, because intrinsics load and store through pointers. Measured on one core of a Zen 5 with a real aECG file of 455 KB,
//! twelve leads of ten seconds: parsed in 152 µs, where the portable path of `xml::integers` takes 414. Other machines use that one.

/// Proof that the machine has the instructions; made only by [`Avx512::detect`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "all of them are numbers of something")]
pub(crate) struct Tally {
    /// Numbers written.
    pub(crate) num_numbers: usize,
    /// Commas in the text.
    pub(crate) num_commas: usize,
    /// Numbers that end at white space.
    pub(crate) num_uncommaed: usize,
}

impl Avx512 {
    /// The proof, where the machine has the instructions.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("popcnt");
        found.then_some(Self(()))
    }

    /// The proof, which no other machine has.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    /// Write the numbers of `text` to the front of `slots`, little-endian. White space is space, tab and line breaks; a comma is a separator
    /// too where `COMMA` says so. `None` at anything but numbers of one to five digits and 16 bits, a minus before them or not, or when there
    /// is no more room.
    #[allow(clippy::unused_self, reason = "it is the proof that the kernel may run")]
    pub(crate) fn read<const COMMA: bool>(self, text: &[u8], slots: &mut [[u8; 2]]) -> Option<Tally> {
        // SAFETY: `detect` has seen the features.
        #[cfg(target_arch = "x86_64")]
        return unsafe { kernels::read::<COMMA>(text, slots) };
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (text, slots);
            None
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod kernels {
    #[allow(clippy::wildcard_imports, reason = "forty names that begin with _mm512 say it themselves")]
    use std::arch::x86_64::*;

    use super::Tally;

    /// Places in a block.
    static PLACES: [u8; 64] = {
        let mut table = [0; 64];
        let mut at = 0;
        while at < 64 {
            table[at] = at as u8;
            at += 1;
        }
        table
    };

    /// Which of eight bytes each byte is made of, and how far before a number's end it stands.
    static REPEATED: [u8; 64] = {
        let mut table = [0; 64];
        let mut at = 0;
        while at < 64 {
            table[at] = at as u8 / 8;
            at += 1;
        }
        table
    };
    static BEFORE_END: [u8; 64] = {
        let mut table = [0; 64];
        let mut at = 0;
        while at < 64 {
            // In two blocks side by side, of which the first has 64 places.
            table[at] = 64 - 8 + at as u8 % 8;
            at += 1;
        }
        table
    };

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: 64 bytes can be read.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn splat(byte: u8) -> __m512i {
        _mm512_set1_epi8(byte as i8)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512vbmi,avx512vbmi2,popcnt")]
    pub(super) fn read<const COMMA: bool>(text: &[u8], slots: &mut [[u8; 2]]) -> Option<Tally> {
        let (blocks, tail) = text.as_chunks::<64>();
        let mut last = [b' '; 64];
        last[..tail.len()].copy_from_slice(tail);
        let (places, repeated, before_end) = (load(&PLACES), load(&REPEATED), load(&BEFORE_END));

        let mut tally = Tally::default();
        // What comes before the text counts as a separator.
        let (mut earlier, mut previous) = (splat(b' '), 1);
        for block in blocks.iter().chain([&last]) {
            let characters = load(block);
            let at_most_space = _mm512_cmple_epu8_mask(characters, splat(b' '));
            let white = _mm512_cmpeq_epi8_mask(characters, splat(b' '))
                | _mm512_cmpeq_epi8_mask(characters, splat(b'\n'))
                | _mm512_cmpeq_epi8_mask(characters, splat(b'\r'))
                | _mm512_cmpeq_epi8_mask(characters, splat(b'\t'));
            if white != at_most_space {
                return None;
            }
            let comma = if COMMA { _mm512_cmpeq_epi8_mask(characters, splat(b',')) } else { 0 };
            let separator = white | comma;
            let ends = separator & !(separator << 1 | previous);
            previous = separator >> 63;
            if COMMA {
                tally.num_commas += comma.count_ones() as usize;
                tally.num_uncommaed += (ends & white).count_ones() as usize;
            }
            let mut end_places = _mm512_maskz_compress_epi8(ends, places);
            let mut num_left = ends.count_ones() as usize;
            while num_left > 0 {
                let num_now = num_left.min(8);
                // Eight characters before each of eight ends, one number a lane, its last digit in the highest byte.
                let from = _mm512_add_epi8(_mm512_permutexvar_epi8(repeated, end_places), before_end);
                let words = _mm512_permutex2var_epi8(earlier, from, characters);
                let counts = numbers::<COMMA>(words, (1_u16 << num_now).wrapping_sub(1) as u8)?;
                let out = &mut slots[tally.num_numbers..];
                if let Some(out) = out.first_chunk_mut::<8>() {
                    store(out, counts);
                } else {
                    let mut some = [[0; 2]; 8];
                    store(&mut some, counts);
                    out.get_mut(..num_now)?.copy_from_slice(&some[..num_now]);
                }
                tally.num_numbers += num_now;
                num_left -= num_now;
                end_places = _mm512_alignr_epi64::<1>(_mm512_setzero_si512(), end_places);
            }
            earlier = characters;
        }
        (tally.num_numbers <= slots.len()).then_some(tally)
    }

    /// Write eight numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn store(out: &mut [[u8; 2]; 8], counts: __m128i) {
        // SAFETY: 16 bytes can be written.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), counts) }
    }

    /// The number at the end of each of eight words; `None` when one of those in `wanted` is none.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512vbmi,avx512vbmi2")]
    fn numbers<const COMMA: bool>(words: __m512i, wanted: u8) -> Option<__m128i> {
        let ones = _mm512_set1_epi64(-1);
        let digits = _mm512_xor_si512(words, splat(b'0'));
        let no_digit = _mm512_movm_epi8(_mm512_cmpgt_epu8_mask(digits, splat(9)));
        // Eight bits a digit; a word of eight digits gives 64, whose shifts give 0.
        let num_bits = _mm512_lzcnt_epi64(no_digit);
        let num_bits = _mm512_and_si512(num_bits, _mm512_set1_epi64(!7));
        let right_length = _mm512_cmple_epu64_mask(_mm512_sub_epi64(num_bits, _mm512_set1_epi64(8)), _mm512_set1_epi64(32));

        let before = _mm512_sllv_epi64(words, num_bits);
        let lead = _mm512_srli_epi64::<56>(before);
        let negative = _mm512_cmpeq_epi64_mask(lead, _mm512_set1_epi64(b'-'.into()));
        let lead = _mm512_mask_and_epi64(lead, negative, _mm512_srli_epi64::<48>(before), _mm512_set1_epi64(0xFF));
        let mut separated = _mm512_cmple_epu64_mask(lead, _mm512_set1_epi64(b' '.into()));
        if COMMA {
            separated |= _mm512_cmpeq_epi64_mask(lead, _mm512_set1_epi64(b','.into()));
        }

        let kept = _mm512_sllv_epi64(ones, _mm512_sub_epi64(_mm512_set1_epi64(64), num_bits));
        let digits = _mm512_and_si512(digits, kept);
        let pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A));
        let fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0001_0064));
        let values = _mm512_add_epi64(_mm512_mul_epu32(fours, _mm512_set1_epi64(10_000)), _mm512_srli_epi64::<32>(fours));
        let values = _mm512_mask_sub_epi64(values, negative, _mm512_setzero_si512(), values);
        // From -32 768 to 32 767.
        let in_range = _mm512_cmplt_epu64_mask(_mm512_add_epi64(values, _mm512_set1_epi64(0x8000)), _mm512_set1_epi64(0x1_0000));
        let right = right_length & separated & in_range;
        (right & wanted == wanted).then(|| _mm512_cvtepi64_epi16(values))
    }
}
