//! Why a run ends: [`StoreError`].

use std::path::PathBuf;

use crate::error::PackError;

/// Why the store cannot be written or read. Ends the run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("{action} `{}`: {source}", path.display())]
    Io {
        /// What was attempted, as in `cannot write`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What stands at the output place does not fit what was asked.
    #[error("`{}` {problem}", path.display())]
    Layout {
        /// Where.
        path: PathBuf,
        /// What does not fit.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
    /// A row beyond the store was asked for.
    #[error("row {row} does not exist: the store has {num_rows} rows")]
    RowOutOfBounds {
        /// The row.
        row: i64,
        /// Rows in the store.
        num_rows: u64,
    },
    /// A chunk cannot be read back.
    #[error("row {row} in `{}`: {source}", path.display())]
    Chunk {
        /// The row.
        row: u64,
        /// Its shard.
        path: PathBuf,
        /// Why.
        source: PackError,
    },
    /// No source file was found.
    #[error("no ECG file found in {0}")]
    NoSources(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The reader was made in another process and its threads do not exist here.
    #[error("this reader belongs to process {owner}, not to its fork {child}")]
    Forked {
        /// The process that opened it.
        owner: u32,
        /// The process that called.
        child: u32,
    },
    /// What was to be held in memory does not fit.
    #[error("no memory for {num_bytes} bytes of packed recordings")]
    Holding {
        /// Bytes that were wanted.
        num_bytes: u64,
    },
    /// The operating system gives no thread, for the reason that follows.
    #[error("cannot start a thread: {0}")]
    Threads(String),
    /// Not even one thread fits into the allowed memory.
    #[error("{} MB of memory are too little: {} MB are needed for {num_entries} files of up to {} MB", allowed >> 20, needed >> 20, max_bytes >> 20)]
    Memory {
        /// Bytes allowed.
        allowed: u64,
        /// Bytes that one thread needs.
        needed: u64,
        /// The largest file that is taken.
        max_bytes: u64,
        /// Files in the plan.
        num_entries: usize,
    },
    /// A parquet file of ours cannot be written or read.
    #[error("cannot read or write `{}`: {message}", path.display())]
    Parquet {
        /// Where.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

impl StoreError {
    /// What the user can do, when there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Layout { hint, .. } => Some(hint),
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => Some("choose a place where you may read and write"),
                std::io::ErrorKind::StorageFull => {
                    Some("free some space and run the same command again; it continues where it stopped")
                }
                std::io::ErrorKind::ReadOnlyFilesystem => Some("choose an output folder on a writable disk"),
                std::io::ErrorKind::NotFound => Some("check the path"),
                _ => None,
            },
            Self::NoSources(_) => Some("name folders or files that hold ECG XML (*.xml)"),
            Self::Chunk { source: PackError::NotCounts, .. } => Some("read it as float32"),
            Self::Chunk { .. } => Some("convert again; the file on disk is damaged"),
            Self::Forked { .. } => Some("open the store after forking, or start workers with `spawn`"),
            Self::RowOutOfBounds { .. } => Some("rows are those of records.parquet"),
            Self::Memory { .. } => Some("allow more memory, or take only smaller files (--max-file-mb); no ECG has 4 MB"),
            Self::Holding { .. } => Some("read them from the disk: `train.residency = \"stream\"`"),
            Self::Threads(_) => Some("use fewer threads"),
            Self::Cancelled | Self::Parquet { .. } => None,
        }
    }
}
