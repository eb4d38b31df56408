//! Times the stages of converting files on one core, one line of JSON: seconds in each stage, all files together.
//!
//! ```text
//! cargo run --release --example convert_stages -- OUT_FOLDER FILE...
//! ```
//!
//! The stages are timed here around the calls that a worker makes, so that the converter itself pays nothing for it. What is inside the
//! parser's call is done once more, step by step, after the rest: decoding base64, and deriving CRC-32, extremes and hash from the counts; what
//! is left of the call is scanning.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::source::{Entries, EntryReader, FileBuffer};
use hfrisk_ecg::store::{ChunkEncoder, Codec, SHARD_ROWS, ShardWriter};
use hfrisk_ecg::xml::steps::LeadSteps;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Recording, Signal};

const STAGES: [&str; 7] = ["read", "scan", "base64", "derive", "resample", "pack", "write"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: convert_stages OUT_FOLDER FILE...")?;
    let mut entries = Entries::default();
    arguments.for_each(|path| entries.push_file(&path, None));
    convert(&entries, &out)?;
    // Buffers, page cache and branches are warm now.
    let [read, parse, resample, pack, write] = convert(&entries, &out)?;
    inside_parser(&entries)?;
    let [base64, derive] = inside_parser(&entries)?;
    let spent = [read, parse.saturating_sub(base64 + derive), base64, derive, resample, pack, write];
    let fields: Vec<String> =
        STAGES.iter().zip(spent).map(|(name, time)| format!("\"{name}\": {}", time.as_secs_f64())).collect();
    println!("{{{}}}", fields.join(", "));
    Ok(())
}

fn convert(entries: &Entries, out: &Path) -> Result<[Duration; 5], Box<dyn std::error::Error>> {
    let options = ParseOptions::default();
    let (mut reader, mut parser, mut resampler) = (EntryReader::default(), Parser::new(options), Resampler::new());
    let mut encoder = ChunkEncoder::new(Codec::EcgPack)?;
    let (mut file, mut recording, mut room, mut chunk) =
        (FileBuffer::default(), Recording::default(), Signal::default(), Vec::new());
    let mut spent = [Duration::ZERO; 5];
    for first in (0..entries.len()).step_by(SHARD_ROWS) {
        let mut shard = ShardWriter::create(out.join("shard.partial"))?;
        for row in first..entries.len().min(first + SHARD_ROWS) {
            let read = timed(|| reader.read(&entries.get(row), options.max_bytes, &mut file))?;
            let parse = timed(|| parser.parse(&file, &mut recording))?;
            let begin = Instant::now();
            let (signal, _) = resampler.to_store(&recording.signal, &mut room)?;
            let resample = begin.elapsed();
            let pack = timed(|| encoder.encode(signal, &mut chunk))?;
            let times = [read, parse, resample, pack, timed(|| shard.push(&chunk))?];
            spent.iter_mut().zip(times).for_each(|(sum, time)| *sum += time);
        }
        spent[4] += timed(|| shard.seal()?.commit(&out.join("shard")))?;
    }
    Ok(spent)
}

/// Time what the parser does with the payloads of the rhythm: the last eight of a file.
fn inside_parser(entries: &Entries) -> Result<[Duration; 2], Box<dyn std::error::Error>> {
    let (mut reader, mut steps, mut file) = (EntryReader::default(), LeadSteps::default(), FileBuffer::default());
    let mut spent = [Duration::ZERO; 2];
    for entry in entries.iter() {
        reader.read(&entry, u64::MAX, &mut file)?;
        let payloads: Vec<&[u8]> = payloads(&file).collect();
        let rhythm = &payloads[payloads.len().saturating_sub(8)..];
        spent[0] += timed(|| steps.decode(rhythm).ok_or("a payload is not base64"))?;
        let begin = Instant::now();
        black_box(steps.derive());
        spent[1] += begin.elapsed();
    }
    Ok(spent)
}

fn payloads(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (open, close): (&[u8], &[u8]) = (b"<WaveFormData>", b"</WaveFormData>");
    memchr::memmem::find_iter(file, open).filter_map(move |at| {
        let text = &file[at + open.len()..];
        memchr::memmem::find(text, close).map(|end| &text[..end])
    })
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}
