//! The joined tables against their parts.

use arrow_array::RecordBatch;

use super::{Check, RECORDS, REJECTED, record_part, rejected_part};
use crate::convert::parquet_file::TableReader;
use crate::error::StoreError;
use crate::source::GoOn;

impl Check<'_> {
    /// Compare `records.parquet` and `rejected.parquet` with the parts that they were joined from.
    pub(super) fn tables(&self, num_shards: usize, go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
        for (table, part) in [(RECORDS, record_part as fn(usize) -> String), (REJECTED, rejected_part)] {
            let parts: Vec<String> = (0..num_shards).map(part).filter(|name| self.is_sound.contains_key(name)).collect();
            // A file that differs from its checksum has been reported, and is not compared.
            if self.is_sound(table) && parts.iter().all(|name| self.is_sound(name)) {
                self.table(table, &parts, go_on)?;
            }
        }
        Ok(())
    }

    fn table(&self, table: &str, parts: &[String], go_on: &mut GoOn<'_>) -> Result<(), StoreError> {
        let mut joined = TableReader::open(self.out.join(table), None)?;
        let mut rest: Option<RecordBatch> = None;
        for part in parts {
            go_on()?;
            for batch in TableReader::open(self.out.join(part), None)? {
                let mut batch = batch?;
                while batch.num_rows() > 0 {
                    let found = rest.take().filter(|rest| rest.num_rows() > 0).map(Ok).or_else(|| joined.next());
                    let Some(found) = found.transpose()? else {
                        self.report(table, None, &format!("lacks rows of `{part}`"));
                        return Ok(());
                    };
                    let num_rows = batch.num_rows().min(found.num_rows());
                    if batch.slice(0, num_rows) != found.slice(0, num_rows) {
                        self.report(table, None, &format!("differs from `{part}`"));
                        return Ok(());
                    }
                    batch = batch.slice(num_rows, batch.num_rows() - num_rows);
                    rest = Some(found.slice(num_rows, found.num_rows() - num_rows));
                }
            }
        }
        if rest.is_some_and(|rest| rest.num_rows() > 0) || joined.next().is_some() {
            self.report(table, None, "holds rows that no part has");
        }
        Ok(())
    }
}
