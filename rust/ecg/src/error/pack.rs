//! One chunk is bad.

/// Why a packed chunk cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The chunk ends before its own header says.
    #[error("chunk of {found} bytes, expected {expected}")]
    Length {
        /// Bytes there.
        found: usize,
        /// Bytes wanted.
        expected: usize,
    },
    /// The chunk does not begin with ecgpack's mark, or has an unknown version.
    #[error("not an ecgpack chunk of version 1")]
    Version,
    /// The checksum does not fit the bytes.
    #[error("checksum mismatch: the chunk is damaged")]
    Checksum,
    /// A field of the header is out of its range.
    #[error("invalid header field `{field}`")]
    Header {
        /// The field.
        field: &'static str,
    },
    /// The chunk's shape is not the one asked for.
    #[error("chunk holds {found} values, expected {expected}")]
    Shape {
        /// Values in the chunk.
        found: usize,
        /// Values asked for.
        expected: usize,
    },
    /// The zstd payload of a fallback chunk cannot be decompressed.
    #[error("zstd payload cannot be decompressed")]
    Zstd,
    /// Counts were asked for, but the chunk holds floats (or counts of twelve leads that do not follow from eight).
    #[error("the chunk is not packed as counts of eight leads")]
    NotCounts,
}
