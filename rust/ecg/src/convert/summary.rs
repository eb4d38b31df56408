//! What came of a conversion, counted from the finished tables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use crate::convert::Progress;
use crate::convert::folder::OutputFolder;
use crate::convert::parquet_file::TableReader;
use crate::convert::plan::Plan;
use crate::error::StoreError;
use crate::recording::QualityFlags;

/// Counts over the whole store, whichever run wrote its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Files in the plan.
    pub num_files: u64,
    /// Files that became recordings.
    pub num_converted: u64,
    /// Files that did not.
    pub num_rejected: u64,
    /// Rejections by kind.
    pub rejections: BTreeMap<String, u64>,
    /// Recordings by quality flag; flags that no recording has are left out.
    pub flags: BTreeMap<String, u64>,
    /// Files in the sources' folders that are not XML (0 when an earlier run listed them).
    pub num_skipped: u64,
    /// Files that hold a recording which another has given already, and are not among `num_files`.
    pub num_duplicates: u64,
    /// Files of the newest part of the plan: all, or those that were added last.
    pub num_new_files: u64,
    /// Files that were listed with these, and hold what others do.
    pub num_new_duplicates: u64,
    /// Files of the newest part of the plan that were rejected.
    pub num_new_rejected: u64,
    /// Whether the store is complete; parts of one are not before they are joined.
    pub is_complete: bool,
    /// Bytes that this run read.
    pub num_bytes: u64,
    /// Files that this run read.
    pub num_files_read: u64,
    /// Seconds that this run took.
    pub seconds: f64,
}

/// Count what the finished tables of `folder` hold; `done` is what this run did.
pub(crate) fn of_complete(folder: &OutputFolder, plan: &Plan, done: &Progress, elapsed: Duration) -> Result<Summary, StoreError> {
    let mut summary = Summary { is_complete: true, ..begin(plan, done, elapsed) };
    let num_new_converted = summary.add_records(folder.records(), plan.newest().0)?;
    summary.add_rejected(folder.rejected())?;
    summary.num_new_rejected = summary.num_new_files - num_new_converted;
    Ok(summary)
}

/// Count what the parts of `folder` hold so far.
pub(crate) fn of_parts(folder: &OutputFolder, plan: &Plan, done: &Progress, elapsed: Duration) -> Result<Summary, StoreError> {
    let mut summary = begin(plan, done, elapsed);
    summary.num_new_files = 0;
    let mut num_new_converted = 0;
    for shard in (0..plan.num_shards()).filter(|&shard| folder.has_part(shard)) {
        if plan.shard_rows(shard).start >= plan.newest().0 {
            summary.num_new_files += plan.shard_rows(shard).len() as u64;
        }
        num_new_converted += summary.add_records(folder.record_part(shard), plan.newest().0)?;
        if folder.rejected_part(shard).exists() {
            summary.add_rejected(folder.rejected_part(shard))?;
        }
    }
    summary.num_new_rejected = summary.num_new_files - num_new_converted;
    Ok(summary)
}

fn begin(plan: &Plan, done: &Progress, elapsed: Duration) -> Summary {
    Summary {
        num_files: plan.num_files() as u64,
        num_new_files: plan.newest().1 as u64,
        num_skipped: plan.num_skipped,
        num_duplicates: plan.num_duplicates() as u64,
        num_new_duplicates: plan.num_newest_duplicates() as u64,
        num_bytes: done.num_bytes,
        num_files_read: done.num_done - done.num_resumed,
        seconds: elapsed.as_secs_f64(),
        ..Summary::default()
    }
}

impl Summary {
    /// Count a table of recordings, and tell how many of them stand at `first_new_row` or after it.
    fn add_records(&mut self, path: PathBuf, first_new_row: usize) -> Result<u64, StoreError> {
        let mut num_new = 0;
        let names: Vec<&str> = QualityFlags::ALL.iter().map(|(_, name)| *name).chain(["row"]).collect();
        for batch in TableReader::open(path, Some(&names))? {
            let batch = batch?;
            self.num_converted += batch.num_rows() as u64;
            let rows = batch.column_by_name("row").and_then(|column| column.as_primitive_opt::<Int64Type>());
            let is_new = |row: &i64| *row >= first_new_row as i64;
            num_new += rows.map_or(0, |rows| rows.values().iter().filter(|row| is_new(row)).count()) as u64;
            for name in &names {
                let column = batch.column_by_name(name).and_then(|column| column.as_boolean_opt());
                let num_set = column.map_or(0, arrow_array::BooleanArray::true_count) as u64;
                if num_set > 0 {
                    *self.flags.entry((*name).to_owned()).or_default() += num_set;
                }
            }
        }
        Ok(num_new)
    }

    fn add_rejected(&mut self, path: PathBuf) -> Result<(), StoreError> {
        for batch in TableReader::open(path, Some(&["kind"]))? {
            let batch = batch?;
            self.num_rejected += batch.num_rows() as u64;
            let kinds = batch.column_by_name("kind").and_then(|column| column.as_string_opt::<i32>());
            for kind in kinds.into_iter().flatten().flatten() {
                *self.rejections.entry(kind.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }
}
