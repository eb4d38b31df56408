//! What came of a conversion, counted from the finished tables.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow_array::cast::AsArray;

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
    /// Bytes that this run read.
    pub num_bytes: u64,
    /// Files that this run read.
    pub num_files_read: u64,
    /// Seconds that this run took.
    pub seconds: f64,
}

/// Count what the finished tables of `folder` hold; `done` is what this run did.
pub(crate) fn of_complete(folder: &OutputFolder, plan: &Plan, done: &Progress, elapsed: Duration) -> Result<Summary, StoreError> {
    let mut summary = Summary {
        num_files: plan.num_files() as u64,
        num_skipped: plan.num_skipped,
        num_bytes: done.num_bytes,
        num_files_read: done.num_done - done.num_resumed,
        ..Summary::default()
    };
    let names: Vec<&str> = QualityFlags::ALL.iter().map(|(_, name)| *name).collect();
    for batch in TableReader::open(folder.records(), Some(&names))? {
        let batch = batch?;
        summary.num_converted += batch.num_rows() as u64;
        for name in &names {
            let column = batch.column_by_name(name).and_then(|column| column.as_boolean_opt());
            let num_set = column.map_or(0, arrow_array::BooleanArray::true_count) as u64;
            if num_set > 0 {
                *summary.flags.entry((*name).to_owned()).or_default() += num_set;
            }
        }
    }
    for batch in TableReader::open(folder.rejected(), Some(&["kind"]))? {
        let batch = batch?;
        summary.num_rejected += batch.num_rows() as u64;
        let kinds = batch.column_by_name("kind").and_then(|column| column.as_string_opt::<i32>());
        for kind in kinds.into_iter().flatten().flatten() {
            *summary.rejections.entry(kind.to_owned()).or_default() += 1;
        }
    }
    summary.seconds = elapsed.as_secs_f64();
    Ok(summary)
}
