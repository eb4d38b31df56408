//! What holds for every dialect alike: encodings and stray text, files that end early, edits of real files, the order of elements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub, missing_docs, dead_code)]

#[path = "../aecg/builder.rs"]
mod builder;
#[path = "../aecg/cardiosoft_file.rs"]
mod cardiosoft_file;
mod edits;
#[path = "../sierra/encoder.rs"]
mod encoder;
#[path = "../muse/builder.rs"]
mod muse_builder;
mod order;
#[path = "../aecg/schiller_file.rs"]
mod schiller_file;
#[path = "../sierra/builder.rs"]
mod sierra_builder;
mod text;

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{Dialect, ParseError, Recording};

fn parse(bytes: &[u8]) -> Result<Recording, ParseError> {
    let mut recording = Recording::default();
    Parser::new(ParseOptions::default()).parse(bytes, &mut recording).map(|()| recording)
}

/// A whole file a dialect, each of a person named Hong.
fn files() -> [(Dialect, String); 5] {
    [
        (Dialect::Muse, muse_builder::Muse::new().to_xml()),
        (Dialect::Sierra, sierra_builder::Sierra::new().to_xml()),
        (Dialect::Aecg, String::from_utf8(builder::aecg(|_| {})).unwrap()),
        (Dialect::CardioSoft, cardiosoft_file::file(5000)),
        (Dialect::Schiller, schiller_file::file(5000)),
    ]
}
