//! The plan: which file is which row, frozen before the first shard is written.

mod duplicates;
mod generation;
mod settings;
mod table;

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::file::metadata::KeyValue;
use serde_json::Value;
use twox_hash::XxHash3_128;

use crate::convert::folder::{OutputFolder, PLAN};
use crate::convert::parquet_file::{Packing, TableReader, TableWriter, broken};
use crate::convert::{Progress, Request, SkipBy, ticker};
use crate::error::StoreError;
use crate::source::{self, Entries, Entry, GoOn, Listing, Stamp};
use crate::store::files::WrittenFile;
use crate::store::layout::SHARD_ROWS;
use duplicates::{Duplicates, Payloads};
use generation::{Generation, read_generations, write_generations};
pub(crate) use settings::Settings;
use table::{columns, plan_schema, read_entries};

const BATCH_ROWS: usize = 1 << 16;
const GENERATIONS_NOTE: &str = "hfrisk.generations";
const START_AGAIN: &str = "repeat the command as it was first given, choose another OUT, or start again with --overwrite";

/// Which file is which row. Rows are the positions in the plan; files that were added later begin with a new shard.
pub(crate) struct Plan {
    entries: Entries,
    generations: Vec<Generation>,
    pub(crate) settings: Settings,
    /// Files that hold what another has, and are not converted.
    duplicates: Duplicates,
    /// Files in the sources' folders that are not XML; known only to the run that made the plan.
    pub(crate) num_skipped: u64,
}

impl Plan {
    /// Take the plan of an earlier run of the same request, add files to it, or list the sources and freeze a new one.
    pub(crate) fn open_or_make(
        request: &Request,
        folder: &OutputFolder,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Self, StoreError> {
        let _lock = folder.lock_plan(&mut ticker(on_progress, Progress::default()))?;
        let settings = Settings::of(request);
        if !folder.plan().exists() {
            let listing = source::list(&request.sources, &mut ticker(on_progress, Progress::default()))?;
            return Self::begin(settings, request, listing, folder, on_progress);
        }
        let plan = Self::read(folder.path())?;
        if request.overwrite {
            // Listed first, so that a mistyped source costs nothing.
            let listing = source::list(&request.sources, &mut ticker(on_progress, Progress::default()))?;
            return Self::begin(settings, request, listing, folder, on_progress);
        }
        for ((key, found), (_, wanted)) in plan.settings.notes().into_iter().zip(settings.notes()) {
            if found != wanted {
                let setting = key.trim_start_matches("hfrisk.").replace('_', "-");
                return Err(refused(folder.path(), &format!("was begun with {setting} {found}, not {wanted}"), START_AGAIN));
            }
        }
        let sources = arguments(request)?;
        let is_done = folder.is_complete() || (0..plan.num_shards()).all(|shard| folder.has_part(shard));
        if !is_done && plan.last().sources == sources {
            return Ok(plan);
        }
        let mut listing = match source::list(&request.sources, &mut ticker(on_progress, Progress::default())) {
            // The sources of a finished store may be gone.
            Err(StoreError::Io { .. } | StoreError::NoSources(_))
                if plan.generations.iter().any(|earlier| earlier.sources == sources) =>
            {
                return Ok(plan);
            }
            listed => listed?,
        };
        let num_listed = listing.entries.len();
        let num_known = if is_done { plan.num_files() } else { plan.last().first_entry };
        listing.entries = without_known(&listing.entries, plan.known(num_known));
        if is_done {
            return if listing.entries.is_empty() { Ok(plan) } else { plan.grow(request, listing, folder, on_progress) };
        }
        let pending = plan.num_files() - num_known;
        let num_same = listing.entries.len() - without_known(&listing.entries, plan.known(plan.num_files())).len();
        if num_same == pending && listing.entries.len() == pending {
            return Ok(plan);
        }
        let problem = format!("is in the middle of converting {pending} files; the sources now hold {num_listed}, not the same");
        Err(refused(folder.path(), &problem, START_AGAIN))
    }

    /// Read the plan of the store at `out`.
    pub(crate) fn read(out: &Path) -> Result<Self, StoreError> {
        let table = TableReader::open(out.join(PLAN), None)?;
        let foreign = || refused(out, "holds a plan.parquet that is not hfrisk's", "choose another OUT; nothing was changed");
        let (settings, generations) =
            Settings::read(&table).zip(table.note(GENERATIONS_NOTE).and_then(read_generations)).ok_or_else(foreign)?;
        let (mut entries, mut duplicates) = (Entries::default(), Duplicates::default());
        for batch in table {
            read_entries(&batch?, &mut entries, &mut duplicates);
        }
        if entries.len() != generations.iter().map(|generation| generation.num_files).sum::<usize>() {
            return Err(foreign());
        }
        Ok(Self { entries, generations, settings, duplicates, num_skipped: 0 })
    }

    /// Files that hold a recording which another has given already.
    pub(crate) const fn num_duplicates(&self) -> usize {
        self.duplicates.rows.len()
    }

    pub(crate) const fn entries(&self) -> &Entries {
        &self.entries
    }

    pub(crate) fn num_files(&self) -> usize {
        self.entries.len()
    }

    /// Rows of the array: files, and the rows that are left over at the end of a generation.
    pub(crate) fn num_rows(&self) -> usize {
        self.last().first_row + self.last().num_files
    }

    pub(crate) fn num_shards(&self) -> usize {
        self.num_rows().div_ceil(SHARD_ROWS)
    }

    /// Whether files were added to the store that the plan was made for.
    pub(crate) const fn has_grown(&self) -> bool {
        self.generations.len() > 1
    }

    /// Duplicates that were listed with the files that were planned last.
    pub(crate) fn num_newest_duplicates(&self) -> usize {
        self.last().num_duplicates
    }

    /// First row and number of the files that were planned last.
    pub(crate) fn newest(&self) -> (usize, usize) {
        (self.last().first_row, self.last().num_files)
    }

    /// Rows of a shard that stand for a file.
    pub(crate) fn shard_rows(&self, shard: usize) -> Range<usize> {
        let first = shard * SHARD_ROWS;
        let generation = self.generation(first);
        first..(first + SHARD_ROWS).min(generation.first_row + generation.num_files)
    }

    /// The file of a row, which must be one of [`shard_rows`](Self::shard_rows).
    pub(crate) fn entry(&self, row: usize) -> Entry<'_> {
        let generation = self.generation(row);
        self.entries.get(row - generation.first_row + generation.first_entry)
    }

    fn generation(&self, row: usize) -> &Generation {
        let after = self.generations.partition_point(|generation| generation.first_row <= row);
        &self.generations[after.saturating_sub(1)]
    }

    fn last(&self) -> &Generation {
        &self.generations[self.generations.len() - 1]
    }

    /// The first `num_known` files, and those that were not converted because they hold what these do.
    fn known(&self, num_known: usize) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().take(num_known).chain(self.duplicates.entries.iter())
    }

    fn begin(
        settings: Settings,
        request: &Request,
        listing: Listing,
        folder: &OutputFolder,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Self, StoreError> {
        let (entries, duplicates) = if request.skip_by == SkipBy::Payload {
            Payloads::default().sort_out(request, &listing.entries, 0, on_progress)?
        } else {
            (listing.entries, Duplicates::default())
        };
        let (num_files, num_duplicates) = (entries.len(), duplicates.rows.len());
        let first = Generation { first_row: 0, first_entry: 0, num_files, num_duplicates, sources: arguments(request)? };
        let plan = Self { entries, generations: vec![first], settings, duplicates, num_skipped: listing.num_skipped };
        let written = plan.write(folder, &mut ticker(on_progress, Progress::default()))?;
        folder.clear()?;
        written.commit()?;
        Ok(plan)
    }

    fn grow(
        mut self,
        request: &Request,
        listing: Listing,
        folder: &OutputFolder,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Self, StoreError> {
        let first_row = self.num_shards() * SHARD_ROWS;
        let (mut new, mut num_duplicates) = (listing.entries, 0);
        if request.skip_by == SkipBy::Payload {
            let payloads = Payloads::of_store(folder, self.num_shards())?;
            let (kept, duplicates) = payloads.sort_out(request, &new, first_row, on_progress)?;
            (new, num_duplicates) = (kept, duplicates.rows.len());
            self.duplicates.entries.append(&duplicates.entries);
            self.duplicates.rows.extend(duplicates.rows);
        }
        let (first_entry, num_files) = (self.num_files(), new.len());
        if num_files > 0 {
            self.generations.push(Generation { first_row, first_entry, num_files, num_duplicates, sources: arguments(request)? });
            self.entries.append(&new);
        } else if let Some(last) = self.generations.last_mut() {
            last.num_duplicates += num_duplicates;
        }
        self.num_skipped = listing.num_skipped;
        let written = self.write(folder, &mut ticker(on_progress, Progress::default()))?;
        // Between these two steps every shard of the plan is done, and the same command comes here again.
        folder.reopen()?;
        written.commit()?;
        Ok(self)
    }

    /// Write the plan; it takes effect when the file gets its name.
    fn write(&self, folder: &OutputFolder, go_on: &mut GoOn<'_>) -> Result<WrittenFile, StoreError> {
        let notes = self.settings.notes().into_iter().map(|(key, text)| KeyValue::new(key.to_owned(), text));
        let generations = KeyValue::new(GENERATIONS_NOTE.to_owned(), write_generations(&self.generations));
        let schema = plan_schema();
        let notes = notes.chain([generations]).collect();
        let mut table = TableWriter::create(folder.plan(), folder.temporary(), &schema, notes, Packing::Small)?;
        let mut push = |columns| {
            go_on()?;
            table
                .write(&RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| broken(&folder.plan(), error.into()))?)
        };
        for generation in &self.generations {
            let end = generation.first_entry + generation.num_files;
            for first in (generation.first_entry..end).step_by(BATCH_ROWS) {
                let shift = generation.first_row - generation.first_entry;
                push(columns(&self.entries, first..end.min(first + BATCH_ROWS), Ok(shift)))?;
            }
        }
        let Duplicates { entries, rows } = &self.duplicates;
        for first in (0..rows.len()).step_by(BATCH_ROWS) {
            push(columns(entries, first..rows.len().min(first + BATCH_ROWS), Err(rows)))?;
        }
        table.finish()
    }
}

/// The entries that are not among those `known` under the same name, with the same size and time.
fn without_known<'a>(listed: &Entries, known: impl Iterator<Item = Entry<'a>>) -> Entries {
    let name = |entry: &Entry<'_>| {
        let mut bytes = entry.path().into_os_string().into_encoded_bytes();
        bytes.push(0);
        bytes.extend_from_slice(entry.member().unwrap_or_default().as_bytes());
        XxHash3_128::oneshot(&bytes)
    };
    let stamps: HashMap<u128, Option<Stamp>> = known.map(|entry| (name(&entry), entry.stamp)).collect();
    let mut new = Entries::default();
    for entry in listed.iter() {
        let is_known = stamps.get(&name(&entry)).is_some_and(|&known| {
            // Files of a list have no stamp until they are looked at.
            let stamp = entry.stamp.or_else(|| entry.path().metadata().ok().map(|metadata| Stamp::of(&metadata)));
            known.is_none() || stamp.is_none() || known == stamp
        });
        if !is_known {
            new.push(&entry);
        }
    }
    new
}

fn arguments(request: &Request) -> Result<String, StoreError> {
    let absolute = |path: &PathBuf| {
        let path = std::path::absolute(path).map_err(|source| crate::store::files::failed("cannot read", path, source))?;
        Ok(path.to_string_lossy().into_owned())
    };
    let mut names = request.sources.iter().map(absolute).collect::<Result<Vec<String>, StoreError>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(Value::from(names).to_string())
}

fn refused(out: &Path, problem: &str, hint: &'static str) -> StoreError {
    StoreError::Layout { path: out.to_owned(), problem: problem.to_owned(), hint }
}
