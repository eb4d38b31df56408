//! One thread's work: a shard from its files to its place, with buffers that live as long as the thread.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::convert::budget::LARGE_BYTES;
use crate::convert::checksums;
use crate::convert::folder::OutputFolder;
use crate::convert::plan::{Plan, Settings};
use crate::convert::records::{Records, Rejected};
use crate::error::{ParseError, StoreError};
use crate::recording::{QualityFlags, Recording, Signal};
use crate::resample::Resampler;
use crate::source::{Entry, EntryReader, FileBuffer};
use crate::store::files::{WrittenFile, failed};
use crate::store::layout::{SHARD_ROWS, shard_path};
use crate::store::{ChunkEncoder, SealedShard, ShardWriter};
use crate::xml::{ParseOptions, Parser};

/// Files that are fetched ahead of the one that is read, where they come from the disk.
const AHEAD: usize = 8;

/// What the workers have done, for the progress display, and the turn that large files take.
#[derive(Default)]
#[allow(clippy::struct_field_names)]
pub(crate) struct Counters {
    pub(crate) num_done: AtomicU64,
    pub(crate) num_rejected: AtomicU64,
    pub(crate) num_bytes: AtomicU64,
    large: Mutex<()>,
}

/// A shard whose files are written, and wait for the disk.
pub(crate) struct WrittenShard {
    chunks: SealedShard,
    target: PathBuf,
    rejected: Option<WrittenFile>,
    records: WrittenFile,
}

impl WrittenShard {
    /// Bring the files to disk and give them their names; the record part, the last, marks the shard as done.
    pub(crate) fn commit(self) -> Result<(), StoreError> {
        self.chunks.commit(&self.target)?;
        self.rejected.map_or(Ok(()), WrittenFile::commit)?;
        self.records.commit()
    }
}

pub(crate) struct Worker<'run> {
    folder: &'run OutputFolder,
    plan: &'run Plan,
    counters: &'run Counters,
    stop: &'run AtomicBool,
    options: ParseOptions,
    reader: EntryReader,
    parser: Parser,
    resampler: Resampler,
    encoder: ChunkEncoder,
    file: FileBuffer,
    recording: Recording,
    resampled: Signal,
    chunk: Vec<u8>,
    records: Records,
    rejected: Rejected,
}

impl<'run> Worker<'run> {
    pub(crate) fn new(
        folder: &'run OutputFolder,
        plan: &'run Plan,
        counters: &'run Counters,
        stop: &'run AtomicBool,
    ) -> Result<Self, StoreError> {
        let Settings { codec, strict, keep_statements, max_bytes } = plan.settings;
        let options = ParseOptions { strict, keep_statements, max_bytes };
        let encoder = ChunkEncoder::new(codec).map_err(|source| failed("cannot write", folder.path(), source))?;
        Ok(Self {
            folder,
            plan,
            counters,
            stop,
            options,
            reader: EntryReader::default(),
            parser: Parser::new(options),
            resampler: Resampler::new(),
            encoder,
            file: FileBuffer::default(),
            recording: Recording::default(),
            resampled: Signal::default(),
            chunk: Vec::new(),
            records: Records::new(keep_statements),
            rejected: Rejected::default(),
        })
    }

    /// Convert the files of `rows` and write what becomes of them.
    pub(crate) fn convert_shard(&mut self, shard: usize, rows: Range<usize>) -> Result<WrittenShard, StoreError> {
        debug_assert!(rows.len() <= SHARD_ROWS, "rows of one shard");
        let mut writer = ShardWriter::create(self.folder.temporary().join(format!("shard-{shard:05}")))?;
        let mut next = rows.start;
        for row in rows.clone() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(StoreError::Cancelled);
            }
            let source = self.plan.entry(row);
            let is_large = source.stamp.is_some_and(|stamp| stamp.num_bytes > LARGE_BYTES);
            let turn = is_large.then(|| self.counters.large.lock().unwrap_or_else(PoisonError::into_inner));
            if self.reader.is_from_disk() {
                next = next.max(row + 1);
                while next < rows.end.min(row + 1 + AHEAD) {
                    self.reader.fetch(&self.plan.entry(next));
                    next += 1;
                }
            }
            match self.convert_file(&source) {
                Ok(encoded) => {
                    let flags = encoded.map_err(|source| failed("cannot write", self.folder.path(), source))?;
                    writer.push(&self.chunk)?;
                    self.records.push(row, &source, &self.recording, flags);
                }
                Err(error) => {
                    writer.push_empty();
                    self.rejected.push(&source, &error);
                    self.counters.num_rejected.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.counters.num_bytes.fetch_add(self.file.len() as u64, Ordering::Relaxed);
            self.counters.num_done.fetch_add(1, Ordering::Relaxed);
            if is_large {
                self.give_back();
            }
            drop(turn);
        }
        let temporary = self.folder.temporary();
        let chunks = writer.seal()?;
        let notes = checksums::note(chunks.checksum());
        Ok(WrittenShard {
            chunks,
            target: shard_path(&self.folder.group(), shard),
            rejected: self.rejected.write(&self.folder.rejected_part(shard), temporary)?,
            records: self.records.write(&self.folder.record_part(shard), temporary, notes)?,
        })
    }

    /// Leave no buffer of a large file to the next ones.
    fn give_back(&mut self) {
        self.reader = EntryReader::default();
        self.parser = Parser::new(self.options);
        self.file = FileBuffer::default();
        self.recording = Recording::default();
        self.resampled = Signal::default();
    }

    /// Make a file into a chunk and flags; two things can fail, the file and the system.
    fn convert_file(&mut self, source: &Entry<'_>) -> Result<io::Result<QualityFlags>, ParseError> {
        self.reader.read(source, self.options.max_bytes, &mut self.file)?;
        self.parser.parse(&self.file, &mut self.recording)?;
        let (signal, resampled) = self.resampler.to_store(&self.recording.signal, &mut self.resampled)?;
        let mut flags = self.recording.flags;
        flags.insert(resampled);
        Ok(self.encoder.encode(signal, &mut self.chunk).map(|()| flags))
    }
}
