//! The codec: any bytes are decoded or refused, and any floats and counts come back bit for bit.
#![no_main]

use hfrisk_ecg::pack::{Encoder, decode_counts, decode_microvolts};
use hfrisk_ecg::{LeadSet, NUM_LEADS, Signal};
use libfuzzer_sys::fuzz_target;

/// The most values that a damaged chunk may ask for here; in a store the shape says how many there are.
const MOST_VALUES: usize = 1 << 16;

// The first byte chooses what the rest is.
fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    match choice % 4 {
        0 => decode(bytes),
        1 => decode(&sealed(bytes)),
        2 => floats_come_back(bytes),
        _ => counts_come_back(bytes),
    }
});

/// With mark and checksum in place, or nothing behind them would ever be reached.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = bytes.to_vec();
    if chunk.len() >= 16 {
        chunk[..4].copy_from_slice(b"EPK\x01");
        let checksum = crc32fast::hash(&[&chunk[..12], &chunk[16..]].concat());
        chunk[12..16].copy_from_slice(&checksum.to_le_bytes());
    }
    chunk
}

/// Into as many values as the header announces, so that the shape fits.
fn decode(chunk: &[u8]) {
    let header = chunk.first_chunk::<12>().copied().unwrap_or_default();
    let num_samples = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    let num_rows = if header[4] == 0 { NUM_LEADS } else { usize::from(header[5]) };
    let mut values = vec![0.0; num_rows.saturating_mul(num_samples).min(MOST_VALUES)];
    let _ = decode_microvolts(chunk, &mut values);
    let mut counts = vec![0; num_samples.saturating_mul(8).min(MOST_VALUES)];
    let _ = decode_counts(chunk, &mut counts, &mut [0.0; 8]);
}

/// The rest: the number of leads, and floats of four bytes.
fn floats_come_back(bytes: &[u8]) {
    let Some((&num_leads, bytes)) = bytes.split_first() else { return };
    let num_leads = usize::from(num_leads.max(1));
    let mut values: Vec<f32> = bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect();
    values.truncate(values.len() / num_leads * num_leads);
    let mut chunk = Vec::new();
    Encoder::new().encode_microvolts(&values, num_leads, &mut chunk);
    expect_microvolts(&chunk, &values);
}

/// The rest: which lead set, twelve gains, and counts of two bytes. Then the same through the floats that these are.
fn counts_come_back(bytes: &[u8]) {
    let Some((&set, bytes)) = bytes.split_first() else { return };
    let Some((gains, bytes)) = bytes.split_first_chunk::<{ 4 * NUM_LEADS }>() else { return };
    let lead_set = if set & 1 == 0 { LeadSet::Eight } else { LeadSet::Twelve };
    let mut counts: Vec<i16> = bytes.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two)).collect();
    let num_samples = counts.len() / lead_set.leads().len();
    counts.truncate(num_samples * lead_set.leads().len());
    let mut lsb_uv: [f32; NUM_LEADS] = std::array::from_fn(|lead| f32::from_le_bytes(gains.as_chunks().0[lead]));
    if set & 2 != 0 {
        lsb_uv = [lsb_uv[0]; NUM_LEADS];
    }
    let signal = Signal { lead_set, num_samples, counts, lsb_uv, sampling_rate_hz: 500.0 };
    let values = signal.to_microvolts();
    let mut encoder = Encoder::new();
    let mut chunk = Vec::new();
    encoder.encode(&signal, &mut chunk);
    expect_microvolts(&chunk, &values);
    let (mut counts, mut gains) = (vec![0; 8 * num_samples], [0.0; 8]);
    if decode_counts(&chunk, &mut counts, &mut gains).is_ok() {
        assert_eq!(counts, signal.counts);
        assert!(gains.iter().zip(&signal.lsb_uv).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    chunk.clear();
    encoder.encode_microvolts(&values, NUM_LEADS, &mut chunk);
    expect_microvolts(&chunk, &values);
}

fn expect_microvolts(chunk: &[u8], expected: &[f32]) {
    let mut values = vec![1.0; expected.len()];
    decode_microvolts(chunk, &mut values).expect("what was encoded decodes");
    assert!(values.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "another value came back");
}
