//! How fast one core packs and unpacks, beside copying the same data from RAM.
//!
//! ```text
//! cargo run --release --example pack_speed -- COUNTS.i16 [LSB_UV]
//! ```
//!
//! `COUNTS.i16` holds little-endian int16 counts, recordings x 8 leads x 5000 samples, and nothing else. The recordings are repeated until
//! there are 4096, drawn in a shuffled order, and written into a batch of 256, as in training. Rounds of all candidates alternate, so that a
//! busy neighbour slows all of them; medians are printed.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use hfrisk_ecg::pack::{self, Encoder};
use hfrisk_ecg::{LeadSet, NUM_LEADS, STORE_SAMPLES, Signal};

const NUM_RECORDINGS: usize = 4096;
const BATCH: usize = 256;
const ROUNDS: usize = 9;
const NUM_COUNTS: usize = 8 * STORE_SAMPLES;
const NUM_VALUES: usize = NUM_LEADS * STORE_SAMPLES;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: pack_speed COUNTS.i16 [LSB_UV]")?;
    let lsb: f32 = arguments.next().map_or(Ok(4.88), |text| text.parse())?;
    let raw: Vec<i16> = std::fs::read(path)?.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
    let distinct: Vec<&[i16]> = raw.chunks_exact(NUM_COUNTS).collect();
    let recordings: Vec<&[i16]> = distinct.iter().cycle().take(NUM_RECORDINGS).copied().collect();

    let mut signal =
        Signal { lead_set: LeadSet::Eight, num_samples: STORE_SAMPLES, sampling_rate_hz: 500.0, ..Signal::default() };
    signal.lsb_uv[..8].fill(lsb);
    let mut encoder = Encoder::new();
    let mut packed: Vec<Vec<u8>> = Vec::new();
    let mut ram_counts: Vec<i16> = Vec::with_capacity(NUM_RECORDINGS * NUM_COUNTS);
    for recording in &recordings {
        signal.counts.clear();
        signal.counts.extend_from_slice(recording);
        let mut chunk = Vec::new();
        encoder.encode(&signal, &mut chunk);
        packed.push(chunk);
        ram_counts.extend_from_slice(recording);
    }
    let bytes: usize = packed.iter().map(Vec::len).sum();
    // A quarter of the recordings is a gigabyte of float32 less, and still far more than any cache.
    let in_ram = NUM_RECORDINGS / 4;
    let mut ram_values = vec![0.0; in_ram * NUM_VALUES];
    for (chunk, values) in packed.iter().zip(ram_values.chunks_exact_mut(NUM_VALUES)) {
        pack::decode_microvolts(chunk, values)?;
    }

    let order: Vec<usize> = (0..NUM_RECORDINGS).map(|index| index * 1021 % NUM_RECORDINGS).collect();
    let mut values = vec![1.0f32; BATCH * NUM_VALUES];
    let mut counts = vec![1i16; BATCH * NUM_COUNTS];
    let names = ["encode", "decode float32", "decode int16", "copy float32", "gather int16"];
    let mut times = vec![Vec::new(); names.len()];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut chunk = Vec::new();
        for &row in &order {
            signal.counts.copy_from_slice(recordings[row]);
            chunk.clear();
            encoder.encode(black_box(&signal), &mut chunk);
            black_box(&chunk);
        }
        times[0].push(start.elapsed());

        let start = Instant::now();
        for (slot, &row) in order.iter().enumerate() {
            pack::decode_microvolts(&packed[row], &mut values[slot % BATCH * NUM_VALUES..][..NUM_VALUES])?;
        }
        black_box(&values);
        times[1].push(start.elapsed());

        let start = Instant::now();
        let mut gains = [0.0; 8];
        for (slot, &row) in order.iter().enumerate() {
            pack::decode_counts(&packed[row], &mut counts[slot % BATCH * NUM_COUNTS..][..NUM_COUNTS], &mut gains)?;
        }
        black_box(&counts);
        times[2].push(start.elapsed());

        let start = Instant::now();
        for (slot, &row) in order.iter().enumerate() {
            let source = &ram_values[row % in_ram * NUM_VALUES..][..NUM_VALUES];
            values[slot % BATCH * NUM_VALUES..][..NUM_VALUES].copy_from_slice(source);
        }
        black_box(&values);
        times[3].push(start.elapsed());

        let start = Instant::now();
        for (slot, &row) in order.iter().enumerate() {
            let source = &ram_counts[row * NUM_COUNTS..][..NUM_COUNTS];
            counts[slot % BATCH * NUM_COUNTS..][..NUM_COUNTS].copy_from_slice(source);
        }
        black_box(&counts);
        times[4].push(start.elapsed());
    }

    let rates: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            NUM_RECORDINGS as f64 / times[ROUNDS / 2].as_secs_f64()
        })
        .collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} bytes a recording", bytes / NUM_RECORDINGS)?;
    for (name, rate) in names.iter().zip(&rates) {
        writeln!(out, "{name:16}{rate:>10.0} recordings/s")?;
    }
    writeln!(out, "decode float32 / copy float32  {:.2}", rates[1] / rates[3])?;
    writeln!(out, "decode int16 / gather int16    {:.2}", rates[2] / rates[4])?;
    Ok(())
}
