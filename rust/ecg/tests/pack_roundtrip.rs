//! What goes into a chunk comes out of it, bit for bit, whatever it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hfrisk_ecg::pack::{Encoder, decode_counts, decode_microvolts};
use hfrisk_ecg::{LeadSet, NUM_LEADS, PackError, STORE_SAMPLES, Signal};
use proptest::prelude::*;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn signal_of(lead_set: LeadSet, num_samples: usize, counts: Vec<i16>, gains: &[f32]) -> Signal {
    let mut lsb_uv = [0.0; NUM_LEADS];
    lsb_uv[..gains.len()].copy_from_slice(gains);
    Signal { lead_set, num_samples, counts, lsb_uv, sampling_rate_hz: 500.0 }
}

fn microvolts(signal: &Signal) -> Vec<f32> {
    let mut values = vec![0.0; NUM_LEADS * signal.num_samples];
    signal.write_microvolts(&mut values);
    values
}

fn encode(signal: &Signal) -> Vec<u8> {
    let mut chunk = Vec::new();
    Encoder::new().encode(signal, &mut chunk);
    chunk
}

/// A walk with steps like those of an ECG, so that all leads have small widths and an occasional large one.
fn walk(num_leads: usize, num_samples: usize, seed: u64) -> Vec<i16> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut counts = Vec::new();
    for _ in 0..num_leads {
        let mut value = 0i16;
        for _ in 0..num_samples {
            let draw = next();
            let step = (draw % 15) as i16 - 7;
            value = value.wrapping_add(if draw % 97 == 0 { step * 60 } else { step });
            counts.push(value);
        }
    }
    counts
}

fn any_gain() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => prop::sample::select(vec![4.88f32, 2.5, 5.0, 1.0, 4.882_812_5, 0.152_587_89, -4.88, 0.0, 1e-3]),
        2 => 1e-3f32..100.0,
        1 => any::<u32>().prop_map(f32::from_bits),
    ]
}

fn any_signal() -> impl Strategy<Value = Signal> {
    let shape = (prop::sample::select(vec![LeadSet::Eight, LeadSet::Twelve]), 0usize..400);
    shape.prop_flat_map(|(lead_set, num_samples)| {
        let num_leads = lead_set.leads().len();
        let counts = prop_oneof![
            prop::collection::vec(any::<i16>(), num_leads * num_samples),
            any::<u64>().prop_map(move |seed| walk(num_leads, num_samples, seed)),
        ];
        let gains =
            prop_oneof![any_gain().prop_map(move |gain| vec![gain; num_leads]), prop::collection::vec(any_gain(), num_leads)];
        (counts, gains).prop_map(move |(counts, gains)| signal_of(lead_set, num_samples, counts, &gains))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_counts_with_any_gains_come_back_as_the_microvolts_that_they_mean(signal in any_signal()) {
        let mut out = vec![1.0; NUM_LEADS * signal.num_samples];
        decode_microvolts(&encode(&signal), &mut out).unwrap();
        prop_assert_eq!(bits(&out), bits(&microvolts(&signal)));
    }

    #[test]
    fn eight_leads_come_back_as_counts(seed in any::<u64>(), num_samples in 0usize..400, gain in 0.1f32..10.0) {
        let signal = signal_of(LeadSet::Eight, num_samples, walk(8, num_samples, seed), &[gain; 8]);
        let (mut counts, mut gains) = (vec![1; 8 * num_samples], [0.0; 8]);
        decode_counts(&encode(&signal), &mut counts, &mut gains).unwrap();
        prop_assert_eq!((counts, gains), (signal.counts, [gain; 8]));
    }

    #[test]
    fn any_floats_of_any_number_of_leads_come_back(
        (num_leads, pattern) in (1usize..20, 0usize..40).prop_flat_map(|(leads, samples)| (Just(leads), prop::collection::vec(any::<u32>(), leads * samples))),
    ) {
        let values: Vec<f32> = pattern.iter().map(|&bits| f32::from_bits(bits)).collect();
        let mut chunk = Vec::new();
        Encoder::new().encode_microvolts(&values, num_leads, &mut chunk);
        let mut out = vec![1.0; values.len()];
        decode_microvolts(&chunk, &mut out).unwrap();
        prop_assert_eq!(bits(&out), pattern);
    }

    #[test]
    fn microvolts_of_any_signal_come_back(signal in any_signal()) {
        let values = microvolts(&signal);
        let mut chunk = Vec::new();
        Encoder::new().encode_microvolts(&values, NUM_LEADS, &mut chunk);
        let mut out = vec![1.0; values.len()];
        decode_microvolts(&chunk, &mut out).unwrap();
        prop_assert_eq!(bits(&out), bits(&values));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), num_values in 0usize..300) {
        let _ = decode_microvolts(&bytes, &mut vec![0.0; num_values]);
        let _ = decode_counts(&bytes, &mut vec![0; num_values], &mut [0.0; 8]);
    }

    #[test]
    fn a_chunk_with_a_valid_checksum_but_altered_bytes_never_panics(
        signal in any_signal(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(),
    ) {
        let mut chunk = encode(&signal);
        for (at, byte) in edits {
            let at = at.index(chunk.len().min(200));
            chunk[at] = byte;
        }
        chunk.truncate(chunk.len() - cut.index(chunk.len() / 4));
        reseal(&mut chunk);
        let _ = decode_microvolts(&chunk, &mut vec![0.0; NUM_LEADS * signal.num_samples]);
        let _ = decode_counts(&chunk, &mut vec![0; 8 * signal.num_samples], &mut [0.0; 8]);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_an_error(seed in any::<u64>(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let signal = signal_of(LeadSet::Eight, 300, walk(8, 300, seed), &[4.88; 8]);
        let mut chunk = encode(&signal);
        let at = at.index(chunk.len());
        chunk[at] ^= 1 << bit;
        prop_assert!(decode_microvolts(&chunk, &mut vec![0.0; 12 * 300]).is_err());
    }
}

/// Make the checksum fit again, as an attacker would.
fn reseal(chunk: &mut [u8]) {
    if chunk.len() >= 16 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&chunk[..12]);
        hasher.update(&chunk[16..]);
        let checksum = hasher.finalize().to_le_bytes();
        chunk[12..16].copy_from_slice(&checksum);
    }
}

#[test]
fn one_sample_of_eight_leads_has_exactly_these_bytes() {
    let signal = signal_of(LeadSet::Eight, 1, vec![1, -1, 0, 2, 0, 0, 0, -2], &[1.0; 8]);
    let one = 1.0f32.to_le_bytes();
    let mut expected = b"EPK\x01\x00\x08\x00\x00\x01\x00\x00\x00".to_vec();
    expected.extend([0; 4]);
    expected.extend(std::iter::repeat_n(one, 8).flatten());
    expected.extend([0; 16]);
    // Widths: zigzag makes 1 -> 2, -1 -> 1, 0 -> 0, 2 -> 4, -2 -> 3.
    expected.extend([2, 1, 0, 3, 0, 0, 0, 2]);
    expected.extend([0; 8]);
    for (first, width) in [(2u8, 2), (1, 1), (4, 3), (3, 2)] {
        expected.push(first);
        expected.extend(vec![0; 16 * width - 1]);
    }
    reseal(&mut expected);
    assert_eq!(encode(&signal), expected);
    assert_eq!(expected[12..16], GOLDEN_CHECKSUM);
}

/// As Python's `zlib.crc32` has it.
const GOLDEN_CHECKSUM: [u8; 4] = [57, 33, 70, 166];

#[test]
fn row_r_of_a_block_stands_r_widths_up_in_its_lane() {
    // Lane 0 counts up by the row number, so that row r's difference to the value before is known and every width-5 row is visible.
    let mut counts = vec![0i16; 8 * 128];
    for row in 0..16 {
        counts[row * 8] = if row % 2 == 0 { 7 } else { -7 };
    }
    let chunk = encode(&signal_of(LeadSet::Eight, 128, counts, &[1.0; 8]));
    assert_eq!(chunk[64], 4);
    let words: Vec<u16> = chunk[80..].as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
    for row in 0..16 {
        let (word, shift) = (row * 4 / 16, row * 4 % 16);
        assert_eq!(words[word * 8] >> shift & 15, if row % 2 == 0 { 14 } else { 13 }, "lane 0, row {row}");
        assert_eq!(words[word * 8 + 1] >> shift & 15, if row % 2 == 0 { 13 } else { 14 }, "lane 1, row {row}");
        assert_eq!(words[word * 8 + 2] >> shift & 15, 0, "lane 2, row {row}");
    }
}

#[test]
fn encoding_is_deterministic_and_appends() {
    let signal = signal_of(LeadSet::Eight, STORE_SAMPLES, walk(8, STORE_SAMPLES, 7), &[4.88; 8]);
    let mut encoder = Encoder::new();
    let mut twice = Vec::new();
    encoder.encode(&signal, &mut twice);
    encoder.encode(&signal, &mut twice);
    let once = encode(&signal);
    assert_eq!(twice, [once.clone(), once].concat());
}

#[test]
fn the_payload_begins_at_a_multiple_of_sixteen_and_a_quiet_recording_is_small() {
    let signal = signal_of(LeadSet::Eight, STORE_SAMPLES, vec![0; 8 * STORE_SAMPLES], &[4.88; 8]);
    assert_eq!(encode(&signal).len(), 64 + 320);
}

#[test]
fn microvolts_of_eight_leads_are_recognised_and_packed_as_eight() {
    for gain in [4.88f32, 2.5, 5.0, 1.25, 4.882_812_5, 0.152_587_89] {
        let signal = signal_of(LeadSet::Eight, STORE_SAMPLES, walk(8, STORE_SAMPLES, 11), &[gain; 8]);
        let mut chunk = Vec::new();
        Encoder::new().encode_microvolts(&microvolts(&signal), NUM_LEADS, &mut chunk);
        assert_eq!(chunk[4..6], [0, 8], "gain {gain}");
    }
}

#[test]
fn microvolts_of_unequal_gains_are_recognised_too() {
    let gains = [4.88, 2.44, 5.0, 1.0, 4.88, 4.88, 4.88, 4.88];
    let signal = signal_of(LeadSet::Eight, STORE_SAMPLES, walk(8, STORE_SAMPLES, 13), &gains);
    let mut chunk = Vec::new();
    Encoder::new().encode_microvolts(&microvolts(&signal), NUM_LEADS, &mut chunk);
    assert_eq!(chunk[4..6], [0, 8]);
}

#[test]
fn microvolts_of_twelve_independent_leads_are_packed_as_twelve() {
    let signal = signal_of(LeadSet::Twelve, STORE_SAMPLES, walk(12, STORE_SAMPLES, 17), &[4.88; 12]);
    let mut chunk = Vec::new();
    Encoder::new().encode_microvolts(&microvolts(&signal), NUM_LEADS, &mut chunk);
    assert_eq!(chunk[4..6], [0, 12]);
}

#[test]
fn a_minus_zero_among_counts_is_kept_by_the_fallback() {
    let mut values = microvolts(&signal_of(LeadSet::Eight, 200, walk(8, 200, 19), &[4.88; 8]));
    values[1000] = -0.0;
    let mut chunk = Vec::new();
    Encoder::new().encode_microvolts(&values, NUM_LEADS, &mut chunk);
    assert_eq!(chunk[4..6], [1, 12]);
    let mut out = vec![1.0; values.len()];
    decode_microvolts(&chunk, &mut out).unwrap();
    assert_eq!(bits(&out), bits(&values));
}

#[test]
fn floats_and_twelve_leads_are_no_counts_of_eight() {
    let mut gains = [0.0; 8];
    let mut floats = Vec::new();
    Encoder::new().encode_microvolts(&[f32::NAN; 24], 12, &mut floats);
    let twelve = encode(&signal_of(LeadSet::Twelve, 2, vec![1; 24], &[1.0; 12]));
    for chunk in [floats, twelve] {
        assert_eq!(decode_counts(&chunk, &mut [0; 16], &mut gains), Err(PackError::NotCounts));
    }
}

#[test]
fn each_kind_of_damage_has_its_name() {
    let chunk = encode(&signal_of(LeadSet::Eight, 300, walk(8, 300, 23), &[4.88; 8]));
    let decode = |chunk: &[u8]| decode_microvolts(chunk, &mut vec![0.0; 3600]).unwrap_err();
    let altered = |at: usize, byte: u8| {
        let mut chunk = chunk.clone();
        chunk[at] = byte;
        chunk
    };
    let forged = |at: usize, byte: u8| {
        let mut chunk = altered(at, byte);
        reseal(&mut chunk);
        chunk
    };
    assert_eq!(decode(&chunk[..20]), PackError::Length { found: 20, expected: 64 });
    assert_eq!(decode(&altered(3, 2)), PackError::Version);
    assert_eq!(decode(&altered(100, 0)), PackError::Checksum);
    assert_eq!(decode(&chunk[..chunk.len() - 1]), PackError::Checksum);
    assert_eq!(decode(&forged(4, 9)), PackError::Header { field: "mode" });
    assert_eq!(decode(&forged(5, 9)), PackError::Header { field: "leads" });
    assert_eq!(decode(&forged(6, 1)), PackError::Header { field: "reserved" });
    assert_eq!(decode(&forged(19, 0x7f)), PackError::Header { field: "gains" });
    assert_eq!(decode(&forged(64, 17)), PackError::Header { field: "widths" });
    assert!(matches!(decode(&forged(64, 16)), PackError::Length { .. }));
    let mut floats = Vec::new();
    Encoder::new().encode_microvolts(&[0.1; 3600], 9, &mut floats);
    floats[64] ^= 1;
    reseal(&mut floats);
    assert_eq!(decode(&floats), PackError::Zstd);
    assert_eq!(decode_microvolts(&chunk, &mut [0.0; 12]), Err(PackError::Shape { found: 3600, expected: 12 }));
}
