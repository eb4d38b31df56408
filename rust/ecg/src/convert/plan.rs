//! The plan: which file is which row, frozen before the first shard is written.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayAccessor, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::file::metadata::KeyValue;

use crate::convert::Request;
use crate::convert::folder::OutputFolder;
use crate::convert::parquet_file::{TableReader, TableWriter, broken};
use crate::error::StoreError;
use crate::source::{self, Entries, GoOn, Listing, Place, Stamp};
use crate::store::layout::SCHEMA_VERSION;
use crate::xml::DEFAULT_MAX_BYTES;

const BATCH_ROWS: usize = 1 << 16;
const SCHEMA_NOTE: &str = "hfrisk.schema";
const SOURCES_NOTE: &str = "hfrisk.sources";
const START_AGAIN: &str = "repeat the command as it was first given, choose another OUT, or start again with --overwrite";

/// Row = position in `entries`.
pub(crate) struct Plan {
    entries: Entries,
    /// Files in the sources' folders that are not XML; known only to the run that made the plan.
    pub(crate) num_skipped: u64,
}

impl Plan {
    /// Take the plan of an earlier run of the same request, or list the sources and freeze a new one.
    pub(crate) fn open_or_make(request: &Request, folder: &OutputFolder, go_on: &mut GoOn<'_>) -> Result<Self, StoreError> {
        if !folder.plan().exists() {
            return Self::make(request, source::list(&request.sources, go_on)?, folder);
        }
        let found = TableReader::open(folder.plan(), None)?;
        if found.note(SCHEMA_NOTE).is_none() {
            return Err(refused(folder, "holds a plan.parquet that is not hfrisk's", "choose another OUT; nothing was changed"));
        }
        if request.overwrite {
            // Listed first, so that a mistyped source costs nothing.
            let listing = source::list(&request.sources, go_on)?;
            folder.clear()?;
            return Self::make(request, listing, folder);
        }
        for (key, wanted) in settings(request) {
            let text = found.note(key).unwrap_or("nothing");
            if text != wanted {
                let setting = key.trim_start_matches("hfrisk.").replace('_', "-");
                return Err(refused(folder, &format!("was begun with {setting} {text}, not {wanted}"), START_AGAIN));
            }
        }
        let same_arguments = found.note(SOURCES_NOTE) == Some(&arguments(request)?);
        let plan = Self::read(found)?;
        if same_arguments && !folder.is_complete() {
            return Ok(plan);
        }
        let listing = match source::list(&request.sources, go_on) {
            // The sources of a finished store may be gone.
            Err(StoreError::Io { .. } | StoreError::NoSources(_)) if same_arguments => return Ok(plan),
            listed => listed?,
        };
        let num_new = listing.entries.iter().filter(|entry| !plan.entries.contains(entry)).count();
        if num_new > 0 || (!same_arguments && listing.entries.len() != plan.num_files()) {
            let problem = format!(
                "was made from {} files; the sources now hold {}, {num_new} of them new",
                plan.num_files(),
                listing.entries.len()
            );
            return Err(refused(folder, &problem, START_AGAIN));
        }
        Ok(plan)
    }

    pub(crate) fn num_files(&self) -> usize {
        self.entries.len()
    }

    pub(crate) const fn entries(&self) -> &Entries {
        &self.entries
    }

    fn make(request: &Request, listing: Listing, folder: &OutputFolder) -> Result<Self, StoreError> {
        let mut notes: Vec<KeyValue> =
            settings(request).into_iter().map(|(key, text)| KeyValue::new(key.to_owned(), text)).collect();
        notes.push(KeyValue::new(SOURCES_NOTE.to_owned(), arguments(request)?));
        let schema = plan_schema();
        let mut table = TableWriter::create(folder.plan(), folder.temporary(), &schema, notes)?;
        let entries = listing.entries;
        for first in (0..entries.len()).step_by(BATCH_ROWS) {
            let columns = columns(&entries, first..entries.len().min(first + BATCH_ROWS));
            let batch =
                RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| broken(&folder.plan(), error.into()))?;
            table.write(&batch)?;
        }
        table.finish()?.commit()?;
        Ok(Self { entries, num_skipped: listing.num_skipped })
    }

    fn read(table: TableReader) -> Result<Self, StoreError> {
        let mut entries = Entries::default();
        for batch in table {
            read_entries(&batch?, &mut entries);
        }
        Ok(Self { entries, num_skipped: 0 })
    }
}

fn plan_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::Int64, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("member", DataType::Utf8, true),
        Field::new("num_bytes", DataType::UInt64, true),
        Field::new("modified_ns", DataType::Int64, true),
        Field::new("offset", DataType::UInt64, true),
        Field::new("packed_bytes", DataType::UInt64, true),
        Field::new("crc32", DataType::UInt32, true),
        Field::new("raw_source", DataType::Binary, true),
    ]))
}

fn columns(entries: &Entries, rows: Range<usize>) -> Vec<ArrayRef> {
    let each = || rows.clone().map(|row| entries.get(row));
    let stamps = || each().map(|entry| entry.stamp);
    let places = || each().map(|entry| entry.place);
    let raw = each().map(|entry| (!entry.is_text()).then(|| entry.path().into_os_string().into_encoded_bytes()));
    vec![
        Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row as i64))),
        Arc::new(StringArray::from_iter_values(each().map(|entry| entry.path().to_string_lossy().into_owned()))),
        Arc::new(each().map(|entry| entry.member()).collect::<StringArray>()),
        Arc::new(stamps().map(|stamp| stamp.map(|stamp| stamp.num_bytes)).collect::<UInt64Array>()),
        Arc::new(stamps().map(|stamp| stamp.map(|stamp| stamp.modified_ns)).collect::<Int64Array>()),
        Arc::new(places().map(|place| place.map(|place| place.offset)).collect::<UInt64Array>()),
        Arc::new(places().map(|place| place.map(|place| place.packed_bytes)).collect::<UInt64Array>()),
        Arc::new(places().map(|place| place.map(|place| place.crc32)).collect::<UInt32Array>()),
        Arc::new(raw.collect::<BinaryArray>()),
    ]
}

/// Append what a batch of the table holds; a table of the first version has only `source`.
fn read_entries(batch: &RecordBatch, entries: &mut Entries) {
    let column = |name| batch.column_by_name(name);
    let text = |name| column(name).and_then(|found| found.as_string_opt::<i32>());
    let whole = |name| column(name).and_then(|found| found.as_primitive_opt::<UInt64Type>());
    let modified = column("modified_ns").and_then(|found| found.as_primitive_opt::<Int64Type>());
    let crcs = column("crc32").and_then(|found| found.as_primitive_opt::<UInt32Type>());
    let raw = column("raw_source").and_then(|found| found.as_binary_opt::<i32>());
    let (members, sizes, offsets, packed) = (text("member"), whole("num_bytes"), whole("offset"), whole("packed_bytes"));
    for (row, source) in text("source").into_iter().flatten().enumerate() {
        let Some(source) = source else { continue };
        let stamp = value(sizes, row).zip(value(modified, row));
        let stamp = stamp.map(|(num_bytes, modified_ns)| Stamp { num_bytes, modified_ns });
        let place = value(offsets, row).zip(value(packed, row)).zip(value(crcs, row));
        let place = place.map(|((offset, packed_bytes), crc32)| Place { offset, packed_bytes, crc32 });
        match (value(members, row), stamp, place, value(raw, row)) {
            (Some(member), Some(stamp), Some(place), None) => entries.push_member(Path::new(source), member, stamp, place),
            (_, _, _, Some(raw)) => entries.push_file(&source::path_of(raw), stamp),
            _ => entries.push_file(Path::new(source), stamp),
        }
    }
}

/// The value of `row`, when there is a column and a value.
fn value<A: ArrayAccessor>(column: Option<A>, row: usize) -> Option<A::Item> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// What must be the same for two runs to write the same bytes.
fn settings(request: &Request) -> [(&'static str, String); 5] {
    [
        (SCHEMA_NOTE, SCHEMA_VERSION.to_string()),
        ("hfrisk.codec", request.codec.name().to_owned()),
        ("hfrisk.strict", request.strict.to_string()),
        ("hfrisk.keep_statements", request.keep_statements.to_string()),
        ("hfrisk.max_bytes", request.max_bytes.unwrap_or(DEFAULT_MAX_BYTES).to_string()),
    ]
}

fn arguments(request: &Request) -> Result<String, StoreError> {
    let absolute = |path: &PathBuf| {
        let path = std::path::absolute(path).map_err(|source| crate::store::files::failed("cannot read", path, source))?;
        Ok(path.to_string_lossy().into_owned())
    };
    let mut names = request.sources.iter().map(absolute).collect::<Result<Vec<String>, StoreError>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(serde_json::Value::from(names).to_string())
}

fn refused(folder: &OutputFolder, problem: &str, hint: &'static str) -> StoreError {
    StoreError::Layout { path: folder.path().to_owned(), problem: problem.to_owned(), hint }
}
