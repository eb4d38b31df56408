//! What the dialects' targets share: one input through the parser and the resampler, as `convert` does it.

use std::cell::RefCell;

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{NUM_LEADS, Recording, STORE_SAMPLES, Signal};

/// What a run reuses from input to input, so that what one file leaves behind in a buffer can harm the next one here too.
#[derive(Default)]
struct Buffers {
    parser: Parser,
    recording: Recording,
    resampler: Resampler,
    stored: Signal,
    text: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Parse `input` less its first byte, and bring what came out to the store's shape.
///
/// The first byte chooses: bit 0 keeps the statements, bit 1 is strict, bit 2 puts `root` (an opening tag) in front of the rest. So half of
/// the inputs reach the dialect whatever they hold, and the other half are a whole file: an editor can look at a finding with
/// `tail -c +2`.
pub fn parse(root: &[u8], input: &[u8]) {
    BUFFERS.with_borrow_mut(|buffers| {
        let Buffers { parser, recording, resampler, stored, text } = buffers;
        let Some(options) = read_input(root, input, text) else { return };
        parser.set_options(options);
        match parser.parse(text, recording) {
            Ok(()) => check(recording, resampler, stored),
            // The message is written for its checks; it must never fail, whatever the file held.
            Err(error) => assert!(!error.to_string().is_empty() && !error.kind().is_empty()),
        }
    });
}

/// As [`parse`]; and a parser that has read the same text without one of its bytes before must find in it what one finds that has read
/// nothing, though it remembers how the other was written.
pub fn parse_after_its_like(root: &[u8], input: &[u8]) {
    parse(root, input);
    let mut text = Vec::new();
    let Some(options) = read_input(root, input, &mut text).filter(|_| !text.is_empty()) else { return };
    let mut other = text.clone();
    // Any, but the same one whenever this input is run.
    let sum = text.iter().fold(0_usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    other.remove(sum % text.len());
    let (mut parser, mut recording, mut fresh) = (Parser::new(options), Recording::default(), Recording::default());
    let _ = parser.parse(&other, &mut recording);
    let found = parser.parse(&text, &mut recording);
    assert_eq!(found, Parser::new(options).parse(&text, &mut fresh));
    assert!(found.is_err() || recording == fresh);
}

/// The text to parse, and the options that the first byte of the input chooses; `None` where there is none.
fn read_input(root: &[u8], input: &[u8], text: &mut Vec<u8>) -> Option<ParseOptions> {
    let (&choice, bytes) = input.split_first()?;
    text.clear();
    text.extend_from_slice(if choice & 4 != 0 { root } else { b"" });
    text.extend_from_slice(bytes);
    Some(ParseOptions { keep_statements: choice & 1 != 0, strict: choice & 2 != 0, ..ParseOptions::default() })
}

fn check(recording: &Recording, resampler: &mut Resampler, stored: &mut Signal) {
    let signal = &recording.signal;
    assert_eq!(signal.counts.len(), signal.lead_set.leads().len() * signal.num_samples);
    assert!(signal.num_samples > 0 && signal.sampling_rate_hz > 0.0 && signal.sampling_rate_hz.is_finite());
    assert!((8..=NUM_LEADS as u8).contains(&recording.num_leads_stored));
    if let Ok((stored, _)) = resampler.to_store(signal, stored) {
        assert_eq!(stored.num_samples, STORE_SAMPLES);
        assert_eq!(stored.counts.len(), stored.lead_set.leads().len() * STORE_SAMPLES);
    }
}
