//! Parquet files that appear under their name only when they are whole.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::error::StoreError;
use crate::store::files::{TemporaryFile, WrittenFile, failed};

/// Rows that the writer holds in memory before it writes them out.
const ROW_GROUP_ROWS: usize = 1 << 17;
const ZSTD_LEVEL: i32 = 3;

/// What a table's pages are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// To be kept and read by anybody: small.
    Small,
    /// To be read once, when the tables are joined. A context of zstd for each column of a part would take longer than everything else
    /// about it, and text that follows in order is short without.
    Quick,
}

impl Packing {
    fn properties(self) -> Result<WriterPropertiesBuilder, ParquetError> {
        let properties = WriterProperties::builder();
        Ok(match self {
            Self::Small => properties.set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?)),
            Self::Quick => {
                let different = ["row", "payload_hash", "ecg_file", "source"];
                let properties = properties.set_compression(Compression::UNCOMPRESSED);
                let properties = properties.set_statistics_enabled(EnabledStatistics::None).set_offset_index_disabled(true);
                let properties = different.into_iter().fold(properties, |properties, column| {
                    properties.set_column_dictionary_enabled(ColumnPath::from(column), false)
                });
                ["ecg_file", "source"].into_iter().fold(properties, |properties, column| {
                    properties.set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BYTE_ARRAY)
                })
            }
        })
    }
}

/// A table being written.
pub(crate) struct TableWriter {
    writer: ArrowWriter<TemporaryFile>,
    target: PathBuf,
}

impl TableWriter {
    /// Begin the table that will be `target`; `temporary` is a folder on the same disk.
    pub(crate) fn create(
        target: PathBuf,
        temporary: &Path,
        schema: &Arc<Schema>,
        notes: Vec<KeyValue>,
        packing: Packing,
    ) -> Result<Self, StoreError> {
        let name = target.file_name().unwrap_or_default();
        let file = TemporaryFile::create(temporary.join(name))?;
        let properties = packing.properties().map_err(|error| broken(&target, error))?;
        let properties = properties
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by(concat!("hfrisk ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata((!notes.is_empty()).then_some(notes))
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties)).map_err(|error| broken(&target, error))?;
        Ok(Self { writer, target })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.writer.write(batch).map_err(|error| broken(&self.target, error))
    }

    /// Write what is still held back; the table has its name after a [`WrittenFile::commit`].
    pub(crate) fn finish(self) -> Result<WrittenFile, StoreError> {
        let file = self.writer.into_inner().map_err(|error| broken(&self.target, error))?;
        Ok(WrittenFile::new(file, self.target))
    }
}

/// A table that is read batch by batch.
pub(crate) struct TableReader {
    batches: ParquetRecordBatchReader,
    path: PathBuf,
    notes: Vec<KeyValue>,
}

impl TableReader {
    /// Open a table; `columns` picks some by name.
    pub(crate) fn open(path: PathBuf, columns: Option<&[&str]>) -> Result<Self, StoreError> {
        let file = File::open(&path).map_err(|source| failed("cannot read", &path, source))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| broken(&path, error))?;
        let notes = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let builder = match columns {
            Some(names) => {
                let mask = parquet::arrow::ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
                builder.with_projection(mask)
            }
            None => builder,
        };
        let batches = builder.build().map_err(|error| broken(&path, error))?;
        Ok(Self { batches, path, notes })
    }

    /// A key's text in the file's metadata.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.notes.iter().find(|note| note.key == key)?.value.as_deref()
    }
}

impl Iterator for TableReader {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?;
        Some(batch.map_err(|error| StoreError::Parquet { path: self.path.clone(), message: error.to_string() }))
    }
}

/// What Parquet reports: the operating system's own error where it was the cause, so that its hint can be given.
pub(crate) fn broken(path: &Path, error: ParquetError) -> StoreError {
    if let ParquetError::External(cause) = error {
        return match cause.downcast::<std::io::Error>() {
            Ok(source) => failed("cannot write", path, *source),
            Err(other) => StoreError::Parquet { path: path.to_owned(), message: other.to_string() },
        };
    }
    StoreError::Parquet { path: path.to_owned(), message: error.to_string() }
}
