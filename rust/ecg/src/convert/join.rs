//! `records.parquet` and `rejected.parquet`, joined from the parts while later parts are still being written.

use std::time::{Duration, Instant};

use crate::convert::checksums::{self, Checksums};
use crate::convert::folder::OutputFolder;
use crate::convert::parquet_file::{Packing, TableReader, TableWriter};
use crate::convert::plan::Plan;
use crate::convert::records::{records_schema, rejected_schema};
use crate::error::StoreError;
use crate::source::GoOn;
use crate::store::layout::shard_name;

/// The tables of a whole store, as far as its parts are joined.
pub(crate) struct Join<'run> {
    folder: &'run OutputFolder,
    rejected: TableWriter,
    records: TableWriter,
    known: Checksums,
    next: usize,
    num_shards: usize,
}

impl<'run> Join<'run> {
    pub(crate) fn begin(folder: &'run OutputFolder, plan: &Plan) -> Result<Self, StoreError> {
        let table = |target, schema| TableWriter::create(target, folder.temporary(), &schema, Vec::new(), Packing::Small);
        Ok(Self {
            folder,
            rejected: table(folder.rejected(), rejected_schema())?,
            records: table(folder.records(), records_schema(plan.settings.keep_statements))?,
            known: Checksums::new(),
            next: 0,
            num_shards: plan.num_shards(),
        })
    }

    /// Append parts that are there, in order up to the first that is not, for at most so long.
    pub(crate) fn advance(&mut self, time: Duration) -> Result<(), StoreError> {
        let began = Instant::now();
        while self.next < self.num_shards && self.folder.has_part(self.next) && began.elapsed() < time {
            self.append()?;
        }
        Ok(())
    }

    /// Append the parts that are left and give the tables their names; gives what the parts know of their shards' checksums.
    pub(crate) fn finish(mut self, go_on: &mut GoOn<'_>) -> Result<Checksums, StoreError> {
        while self.next < self.num_shards {
            go_on()?;
            self.append()?;
        }
        self.rejected.finish()?.commit()?;
        self.records.finish()?.commit()?;
        Ok(self.known)
    }

    fn append(&mut self) -> Result<(), StoreError> {
        let rejected = self.folder.rejected_part(self.next);
        if rejected.exists() {
            for batch in TableReader::open(rejected, None)? {
                self.rejected.write(&batch?)?;
            }
        }
        let records = TableReader::open(self.folder.record_part(self.next), None)?;
        self.known.extend(checksums::read_note(&records).map(|checksum| (shard_name(self.next), checksum)));
        for batch in records {
            self.records.write(&batch?)?;
        }
        self.next += 1;
        Ok(())
    }
}
