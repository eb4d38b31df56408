//! The two kinds of failure: one file is bad ([`ParseError`]), or the run is bad ([`StoreError`]).

mod pack;
mod store;

pub use pack::PackError;
pub use store::StoreError;

use crate::lead::Lead;

/// Why one file could not become a [`Recording`](crate::Recording). Never ends a run.
///
/// No variant carries text from the file: what stands there may be a patient's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The file has no bytes (or only white space).
    #[error("the file is empty")]
    EmptyFile,
    /// The first character that counts is not `<`.
    #[error("not an XML file")]
    NotXml,
    /// The file could not be opened or read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// The operating system's words.
        reason: String,
    },
    /// The file is larger than the limit.
    #[error("{bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The configured limit.
        limit: u64,
    },
    /// A zip archive has no readable directory; what could be found of its members is listed by itself.
    #[error(
        "the archive is cut or damaged: its directory cannot be read, and members that were not found by their own headers are lost"
    )]
    DamagedArchive,
    /// A member of a zip archive cannot be unpacked.
    #[error("the member of the archive is damaged: {what}")]
    DamagedMember {
        /// What is wrong.
        what: &'static str,
    },
    /// A member of a zip archive is encrypted.
    #[error("the member of the archive is encrypted")]
    Encrypted,
    /// A member of a zip archive is packed by another method than deflate.
    #[error("the member of the archive is packed by {}, not by deflate", method_name(*method))]
    UnsupportedCompression {
        /// The method's number in the archive.
        method: u16,
    },
    /// The root element belongs to no dialect that this version reads.
    #[error("unsupported format: root element `{root}`")]
    UnsupportedFormat {
        /// Local name of the root element, letters, digits, `_`, `-` and `.` only, at most 64 characters.
        root: String,
        /// Where it begins.
        offset: u64,
    },
    /// The file ends inside an element.
    #[error("the file ends inside `{element}` (byte {offset})")]
    Truncated {
        /// The element that is not closed.
        element: &'static str,
        /// Where the element began.
        offset: u64,
    },
    /// Tags do not nest as they must for the waveform to be found.
    #[error("malformed XML near byte {offset}: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// There is no waveform at all.
    #[error("no waveform")]
    NoWaveform,
    /// There are waveforms, but no rhythm strip (only a median beat).
    #[error("no rhythm waveform")]
    NoRhythm,
    /// The sampling rate is absent; it is never guessed.
    #[error("the sampling rate is missing")]
    MissingSamplingRate,
    /// A lead has no gain; it is never guessed.
    #[error("lead {lead}: the gain or its unit is missing")]
    MissingGain {
        /// The lead.
        lead: Lead,
        /// Where its samples, or what they are counted in, begin.
        offset: u64,
    },
    /// A number cannot be read or is out of its range.
    #[error("`{element}` (byte {offset}) is not {expected}")]
    InvalidValue {
        /// The element.
        element: &'static str,
        /// What should stand there.
        expected: &'static str,
        /// Where.
        offset: u64,
    },
    /// A payload holds something else than base64 text.
    #[error("lead {lead}: the waveform is not base64 (byte {offset})")]
    InvalidBase64 {
        /// The lead.
        lead: Lead,
        /// Where the payload begins.
        offset: u64,
    },
    /// A compressed payload cannot be unpacked, or holds more than the file states.
    #[error("lead {lead}: the compressed waveform is damaged (byte {offset})")]
    DamagedPayload {
        /// The lead.
        lead: Lead,
        /// Where the payload begins.
        offset: u64,
    },
    /// A payload ends in the middle of a sample.
    #[error("lead {lead}: {bytes} bytes are not whole 16-bit samples")]
    OddByteCount {
        /// The lead.
        lead: Lead,
        /// Decoded length.
        bytes: u64,
        /// Where the payload begins.
        offset: u64,
    },
    /// A sample is not stored in two bytes.
    #[error("lead {lead}: samples of {bytes} bytes, expected 2")]
    SampleSize {
        /// The lead.
        lead: Lead,
        /// Stated size.
        bytes: u32,
        /// Where it is stated.
        offset: u64,
    },
    /// A lead is absent or empty and does not follow from others.
    #[error("lead {lead} is absent and cannot be derived")]
    MissingLead {
        /// The lead.
        lead: Lead,
    },
    /// Leads differ in length by more than one sample.
    #[error("leads differ in length: {shortest} to {longest} samples")]
    MixedLengths {
        /// Samples in the shortest lead.
        shortest: u32,
        /// Samples in the longest lead.
        longest: u32,
    },
    /// Shorter than ten seconds by more than the tolerated hundredth.
    #[error("{found} samples at the store's rate, expected {expected}")]
    ShortRecord {
        /// Samples at the store's rate.
        found: u32,
        /// Samples wanted.
        expected: u32,
    },
    /// Strict mode: the payload's CRC-32 is not the stated one.
    #[error("lead {lead}: the waveform's CRC-32 differs from the stated one")]
    CrcMismatch {
        /// The lead.
        lead: Lead,
        /// Where the checksum is stated.
        offset: u64,
    },
    /// Strict mode: a lead stands in the file twice.
    #[error("lead {lead} is there twice")]
    DuplicateLead {
        /// The lead.
        lead: Lead,
        /// Where it stands the second time.
        offset: u64,
    },
}

impl ParseError {
    /// The stable machine name, as in the column `kind` of `rejected.parquet`; an unsupported format names its root.
    pub fn kind(&self) -> String {
        let name = match self {
            Self::EmptyFile => "empty_file",
            Self::NotXml => "not_xml",
            Self::Unreadable { .. } => "unreadable",
            Self::TooLarge { .. } => "too_large",
            Self::DamagedArchive => "damaged_archive",
            Self::DamagedMember { .. } => "damaged_member",
            Self::Encrypted => "encrypted",
            Self::UnsupportedCompression { method } => return format!("unsupported_compression:{}", method_name(*method)),
            Self::UnsupportedFormat { root, .. } => return format!("unsupported_format:{root}"),
            Self::Truncated { .. } => "truncated",
            Self::Malformed { .. } => "malformed_xml",
            Self::NoWaveform => "no_waveform",
            Self::NoRhythm => "no_rhythm",
            Self::MissingSamplingRate => "missing_sampling_rate",
            Self::MissingGain { .. } => "missing_gain",
            Self::InvalidValue { .. } => "invalid_value",
            Self::InvalidBase64 { .. } => "invalid_base64",
            Self::DamagedPayload { .. } => "damaged_payload",
            Self::OddByteCount { .. } => "odd_byte_count",
            Self::SampleSize { .. } => "sample_size",
            Self::MissingLead { .. } => "missing_lead",
            Self::MixedLengths { .. } => "mixed_lengths",
            Self::ShortRecord { .. } => "short_record",
            Self::CrcMismatch { .. } => "crc_mismatch",
            Self::DuplicateLead { .. } => "duplicate_lead",
        };
        name.to_owned()
    }

    /// What the user can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotXml => "name an ECG file in XML",
            Self::Unreadable { .. } => "check the path and its permissions",
            Self::TooLarge { .. } => "no ECG is that large; check that this is the right file, or raise `--max-file-mb`",
            Self::DamagedArchive => "copy the archive again from where it came, and compare the sizes",
            Self::Encrypted => "unpack it with its password first",
            Self::UnsupportedCompression { .. } => "pack the archive again with deflate, as `zip` does, or unpack it first",
            Self::UnsupportedFormat { .. } => "see the README for the formats that are read",
            Self::EmptyFile
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::InvalidBase64 { .. }
            | Self::OddByteCount { .. }
            | Self::DamagedMember { .. }
            | Self::DamagedPayload { .. } => "the file was cut or damaged on its way; export it again",
            Self::NoWaveform => "switch on `Include Waveforms` in the export",
            Self::NoRhythm => "export the rhythm strip, not only the median beat",
            Self::MissingSamplingRate | Self::MissingGain { .. } | Self::InvalidValue { .. } | Self::SampleSize { .. } => {
                "this is never guessed; export the file again with its whole waveform header"
            }
            Self::MissingLead { .. } | Self::MixedLengths { .. } | Self::ShortRecord { .. } => {
                "ten seconds of the leads I, II and V1 to V6 are needed"
            }
            Self::CrcMismatch { .. } | Self::DuplicateLead { .. } => "without strict mode this is a quality flag",
        }
    }

    /// Where in the file the trouble is, when one place can be named.
    pub fn byte_offset(&self) -> Option<u64> {
        self.clone().offset_mut().copied()
    }

    /// The same error with its offset mapped, for a file that was transcoded before it was read.
    pub(crate) fn with_offset(mut self, map: impl FnOnce(u64) -> u64) -> Self {
        if let Some(offset) = self.offset_mut() {
            *offset = map(*offset);
        }
        self
    }

    const fn offset_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::UnsupportedFormat { offset, .. }
            | Self::Truncated { offset, .. }
            | Self::Malformed { offset, .. }
            | Self::MissingGain { offset, .. }
            | Self::InvalidValue { offset, .. }
            | Self::InvalidBase64 { offset, .. }
            | Self::DamagedPayload { offset, .. }
            | Self::OddByteCount { offset, .. }
            | Self::SampleSize { offset, .. }
            | Self::CrcMismatch { offset, .. }
            | Self::DuplicateLead { offset, .. } => Some(offset),
            _ => None,
        }
    }
}

/// The name of a zip archive's packing method.
const fn method_name(method: u16) -> &'static str {
    match method {
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        9 => "deflate64",
        12 => "bzip2",
        14 => "lzma",
        93 => "zstd",
        95 => "xz",
        98 => "ppmd",
        99 => "aes",
        _ => "another",
    }
}
