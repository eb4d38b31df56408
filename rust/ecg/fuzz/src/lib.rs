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
    let Some((&choice, bytes)) = input.split_first() else { return };
    BUFFERS.with_borrow_mut(|buffers| {
        let Buffers { parser, recording, resampler, stored, text } = buffers;
        text.clear();
        text.extend_from_slice(if choice & 4 != 0 { root } else { b"" });
        text.extend_from_slice(bytes);
        parser.set_options(ParseOptions { keep_statements: choice & 1 != 0, strict: choice & 2 != 0, ..ParseOptions::default() });
        match parser.parse(text, recording) {
            Ok(()) => check(recording, resampler, stored),
            // The message is written for its checks; it must never fail, whatever the file held.
            Err(error) => assert!(!error.to_string().is_empty() && !error.kind().is_empty()),
        }
    });
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
