//! Times the stages of reading one file on one core: `cargo run --release --example parse_stages -- FILE... [--repeat N]`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{NUM_LEADS, Recording, Signal};

/// Least and median time in microseconds of `runs` repeated calls.
fn microseconds(runs: usize, mut work: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[0], times[runs / 2])
}

fn main() {
    let mut repeat = 5000;
    let mut arguments = std::env::args().skip(1);
    let mut files = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--repeat" {
            repeat = arguments.next().and_then(|text| text.parse().ok()).expect("a number after --repeat");
        } else {
            files.push(argument);
        }
    }
    let mut parser = Parser::new(ParseOptions::default());
    let mut recording = Recording::default();
    for file in files {
        let bytes = std::fs::read(&file).expect("a readable file");
        parser.parse(&bytes, &mut recording).expect("a recording");
        let mut microvolts = vec![0.0; NUM_LEADS * recording.signal.num_samples];
        let parse = microseconds(repeat, || parser.parse(black_box(&bytes), &mut recording).expect("a recording"));
        let convert = microseconds(repeat, || recording.signal.write_microvolts(black_box(&mut microvolts)));
        let (mut resampler, mut room) = (Resampler::new(), Signal::default());
        let resample = microseconds(repeat, || {
            black_box(resampler.to_store(black_box(&recording.signal), &mut room)).expect("ten seconds");
        });
        println!("{file}: {} bytes", bytes.len());
        for (stage, (least, median)) in [("parse to counts", parse), ("to 500 Hz", resample), ("counts to float32", convert)] {
            println!("  {stage:<18} least {least:7.1} us, median {median:7.1} us");
        }
    }
}
