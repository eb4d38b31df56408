//! XML in, [`Recording`] out: encoding and dialect are told from the bytes, then one dialect's module reads on.
//!
//! ```text
//! bytes --sniff encoding--> ASCII superset (UTF-16 is transcoded once) --root element--> muse, sierra, aecg, cardiosoft, schiller
//!                                                                                        (one line and one file a dialect)
//! dialect: scan tags -> collect each lead's fields -> decode payloads -> assembly: Signal + flags + hash
//! ```
//!
//! Beneath the dialects lies one small vocabulary: `scan` (tags, leaf fields, blocks), `field` (numbers, dates), `encoding` (text),
//! `payload` (base64), `integers` (digits) and `assembly` (twelve leads become a signal).
#![forbid(unsafe_code)]

mod aecg;
mod assembly;
mod cardiosoft;
mod encoding;
mod field;
mod integers;
mod muse;
mod payload;
mod scan;
mod schiller;
mod sierra;
pub mod steps;

use crate::error::ParseError;
use crate::recording::Recording;
use encoding::Encoding;
use scan::{Scanner, Tag};

/// What a parser may accept and keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// Reject what would otherwise be a flag: a CRC-32 that differs, a lead that stands there twice.
    pub strict: bool,
    /// Keep the diagnosis lines, which are free text.
    pub keep_statements: bool,
    /// Reject files larger than this.
    pub max_bytes: u64,
}

/// The largest file that is read unless told otherwise; the largest ECG known has one megabyte.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

impl Default for ParseOptions {
    fn default() -> Self {
        Self { strict: false, keep_statements: false, max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// Buffers of one thread, reused from file to file.
#[derive(Clone, Debug, Default)]
struct Workspace {
    payload: payload::PayloadDecoder,
    assembly: assembly::Assembly,
    muse: muse::Layouts,
    sierra: sierra::Leads,
}

/// Parses files one after the other. One per thread: it owns buffers that grow to the largest file and are reused.
///
/// ```
/// use hfrisk_ecg::{Recording, xml::{ParseOptions, Parser}};
///
/// let mut parser = Parser::new(ParseOptions::default());
/// let mut recording = Recording::default();
/// let error = parser.parse(b"<html></html>", &mut recording).unwrap_err();
/// assert_eq!(error.kind(), "unsupported_format:html");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parser {
    options: ParseOptions,
    workspace: Workspace,
    /// The text of a UTF-16 file.
    transcoded: Vec<u8>,
}

impl Parser {
    /// A parser with empty buffers.
    pub fn new(options: ParseOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// What the next files may be and keep.
    pub const fn set_options(&mut self, options: ParseOptions) {
        self.options = options;
    }

    /// Parse one file's bytes into `recording`, whose buffers are reused. Offsets in errors count bytes of the file as given.
    ///
    /// # Errors
    /// A [`ParseError`] that says why the file is no recording; `recording` then holds nothing of use.
    pub fn parse(&mut self, bytes: &[u8], recording: &mut Recording) -> Result<(), ParseError> {
        self.workspace.assembly.take_room(&mut recording.signal);
        recording.clear();
        let size = bytes.len() as u64;
        if size > self.options.max_bytes {
            return Err(ParseError::TooLarge { bytes: size, limit: self.options.max_bytes });
        }
        let (little_endian, mark) = match Encoding::sniff(bytes) {
            Encoding::AsciiSuperset { mark } => return self.workspace.parse(bytes, mark, self.options, recording),
            Encoding::Utf16Le { mark } => (true, mark),
            Encoding::Utf16Be { mark } => (false, mark),
        };
        encoding::transcode(&bytes[mark..], little_endian, &mut self.transcoded);
        let text = &self.transcoded;
        let result = self.workspace.parse(text, 0, self.options, recording);
        result.map_err(|error| error.with_offset(|offset| encoding::utf16_offset(text, mark, offset)))
    }
}

impl Workspace {
    fn parse(&mut self, text: &[u8], begin: usize, options: ParseOptions, recording: &mut Recording) -> Result<(), ParseError> {
        let mut scanner = Scanner::new(text, begin);
        scanner.skip_white_space();
        match scanner.rest() {
            [] => return Err(ParseError::EmptyFile),
            [b'<', ..] => {}
            _ => return Err(ParseError::NotXml),
        }
        let prolog = scanner.position() as u64;
        let (name, start, empty) = match scanner.next_tag() {
            Some(Tag::Open { name, start, empty }) => (name, start, empty),
            Some(Tag::Close { .. }) => return Err(ParseError::NotXml),
            None => return Err(ParseError::Truncated { element: "prolog", offset: prolog }),
        };
        match local_name(name) {
            b"RestingECG" | b"restingecgdata" | b"AnnotatedECG" | b"CardiologyXML" | b"examdescript" if empty => {
                Err(ParseError::NoWaveform)
            }
            b"RestingECG" => muse::parse(scanner, start, options, self, recording),
            b"restingecgdata" => sierra::parse(scanner, start, options, self, recording),
            b"AnnotatedECG" => aecg::parse(scanner, start, options, self, recording),
            b"CardiologyXML" => cardiosoft::parse(scanner, start, options, self, recording),
            b"examdescript" => schiller::parse(scanner, start, options, self, recording),
            other => Err(ParseError::UnsupportedFormat { root: printable(other), offset: start as u64 }),
        }
    }
}

fn local_name(name: &[u8]) -> &[u8] {
    name.rsplit(|&byte| byte == b':').next().unwrap_or(name)
}

/// A root's name for an error message: nothing but harmless characters, and not many.
fn printable(name: &[u8]) -> String {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    name.iter().filter(|byte| harmless(byte)).take(64).map(|&byte| char::from(byte)).collect()
}
