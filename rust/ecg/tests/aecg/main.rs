//! The aECG, `CardioSoft` and Schiller parsers against real files, against tables of defects, and against properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub, missing_docs)]

mod builder;
mod cardiosoft;
mod cardiosoft_file;
mod defects;
mod oracle;
mod properties;
mod schiller;
mod schiller_file;

use hfrisk_ecg::xml::{ParseOptions, Parser};
use hfrisk_ecg::{ParseError, QualityFlags, Recording};

fn parse(bytes: &[u8]) -> Result<Recording, ParseError> {
    parse_with(ParseOptions::default(), bytes)
}

fn parse_with(options: ParseOptions, bytes: &[u8]) -> Result<Recording, ParseError> {
    let mut recording = Recording::default();
    Parser::new(options).parse(bytes, &mut recording).map(|()| recording)
}

/// What a row of a table expects: exactly these flags beside `CRC_UNKNOWN`, or a rejection of this kind.
enum Outcome {
    Kept(&'static [QualityFlags]),
    Rejected(&'static str),
}

fn check(rows: Vec<(&'static str, Vec<u8>, Outcome)>) {
    for (name, bytes, outcome) in rows {
        match (parse(&bytes), outcome) {
            (Ok(recording), Outcome::Kept(flags)) => {
                let expected = flags.iter().fold(QualityFlags::CRC_UNKNOWN.0, |all, flag| all | flag.0);
                let names = |flags: u32| QualityFlags(flags).names().collect::<Vec<_>>();
                assert_eq!(names(recording.flags.0), names(expected), "{name}");
            }
            (Err(error), Outcome::Rejected(kind)) => assert_eq!(error.kind(), kind, "{name}: {error}"),
            (Ok(_), Outcome::Rejected(kind)) => panic!("{name}: kept, expected {kind}"),
            (Err(error), Outcome::Kept(_)) => panic!("{name}: rejected: {error}"),
        }
    }
}
