//! The plan: which file is which row, frozen before the first shard is written.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::file::metadata::KeyValue;

use crate::convert::Request;
use crate::convert::folder::OutputFolder;
use crate::convert::parquet_file::{TableReader, TableWriter, broken};
use crate::error::StoreError;
use crate::source::{self, GoOn, Listing};
use crate::store::layout::SCHEMA_VERSION;

const BATCH_ROWS: usize = 1 << 16;
const SCHEMA_NOTE: &str = "hfrisk.schema";
const SOURCES_NOTE: &str = "hfrisk.sources";
const START_AGAIN: &str = "repeat the command as it was first given, choose another OUT, or start again with --overwrite";

/// Row = position in `files`.
pub(crate) struct Plan {
    files: Vec<PathBuf>,
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
        let num_new = listing.files.iter().filter(|file| plan.files.binary_search(file).is_err()).count();
        if num_new > 0 || (!same_arguments && listing.files.len() != plan.files.len()) {
            let problem = format!(
                "was made from {} files; the sources now hold {}, {num_new} of them new",
                plan.files.len(),
                listing.files.len()
            );
            return Err(refused(folder, &problem, START_AGAIN));
        }
        Ok(plan)
    }

    pub(crate) fn num_files(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn make(request: &Request, listing: Listing, folder: &OutputFolder) -> Result<Self, StoreError> {
        let mut notes: Vec<KeyValue> =
            settings(request).into_iter().map(|(key, text)| KeyValue::new(key.to_owned(), text)).collect();
        notes.push(KeyValue::new(SOURCES_NOTE.to_owned(), arguments(request)?));
        let fields = vec![Field::new("row", DataType::Int64, false), Field::new("source", DataType::Utf8, false)];
        let schema = Arc::new(Schema::new(fields));
        let mut table = TableWriter::create(folder.plan(), folder.temporary(), &schema, notes)?;
        for (batch, files) in listing.files.chunks(BATCH_ROWS).enumerate() {
            let first = (batch * BATCH_ROWS) as i64;
            let rows = Int64Array::from_iter_values(first..first + files.len() as i64);
            let sources = StringArray::from_iter_values(files.iter().map(|file| file.to_string_lossy()));
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(rows), Arc::new(sources)])
                .map_err(|error| broken(&folder.plan(), error.into()))?;
            table.write(&batch)?;
        }
        table.finish()?.commit()?;
        Ok(Self { files: listing.files, num_skipped: listing.num_skipped })
    }

    fn read(table: TableReader) -> Result<Self, StoreError> {
        let mut files = Vec::new();
        for batch in table {
            let batch = batch?;
            let sources = batch.column_by_name("source").and_then(|column| column.as_string_opt::<i32>());
            files.extend(sources.into_iter().flatten().flatten().map(PathBuf::from));
        }
        Ok(Self { files, num_skipped: 0 })
    }
}

/// What must be the same for two runs to write the same bytes.
fn settings(request: &Request) -> [(&'static str, String); 4] {
    [
        (SCHEMA_NOTE, SCHEMA_VERSION.to_string()),
        ("hfrisk.codec", request.codec.name().to_owned()),
        ("hfrisk.strict", request.strict.to_string()),
        ("hfrisk.keep_statements", request.keep_statements.to_string()),
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
