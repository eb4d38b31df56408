//! `checksums.txt`: the XXH128 of every file of a finished store, as `xxh128sum --check` reads it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use parquet::file::metadata::KeyValue;
use twox_hash::XxHash3_128;

use crate::convert::folder::{CHECKSUMS, OutputFolder, PARTS, PLAN, RECORDS, REJECTED};
use crate::convert::parquet_file::TableReader;
use crate::convert::share::share;
use crate::error::StoreError;
use crate::store::files::{TemporaryFile, failed};
use crate::store::layout::GROUP_NAME;

const BUFFER_BYTES: usize = 1 << 18;
const SHARD_NOTE: &str = "hfrisk.shard_xxh128";

/// Checksums by file name, relative to OUT.
pub(crate) type Checksums = BTreeMap<String, u128>;

/// What a record part says of its shard, which was hashed as it was written: nothing that happens to the file afterwards can pass for what
/// it should be.
pub(crate) fn note(checksum: Option<u128>) -> Vec<KeyValue> {
    checksum.map(|checksum| KeyValue::new(SHARD_NOTE.to_owned(), format!("{checksum:032x}"))).into_iter().collect()
}

/// Read what [`note`] wrote; the parts of earlier versions have none.
pub(crate) fn read_note(part: &TableReader) -> Option<u128> {
    part.note(SHARD_NOTE).and_then(|text| u128::from_str_radix(text, 16).ok())
}

/// Write the checksums of everything in `folder`, of what is not in `known` by reading it; this marks the store as complete.
pub(crate) fn write(
    folder: &OutputFolder,
    known: &Checksums,
    num_threads: usize,
    on_tick: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let names = files(folder.path())?;
    let (hashed, unread): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| known.contains_key(name));
    let found: Mutex<Checksums> =
        Mutex::new(hashed.into_iter().filter_map(|name| known.get(&name).map(|&checksum| (name, checksum))).collect());
    share(num_threads, unread.len(), on_tick, &|item| {
        let checksum = of_file(&folder.path().join(&unread[item]), &mut |_| ())?;
        found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(unread[item].clone(), checksum);
        Ok(())
    })?;
    let text = to_text(&found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    let mut file = TemporaryFile::create(folder.temporary().join(CHECKSUMS))?;
    file.write_all(text.as_bytes()).map_err(|source| failed("cannot write", &folder.checksums(), source))?;
    file.commit(&folder.checksums())
}

/// Every file of the store at `out` but the checksums themselves, by name.
pub(crate) fn files(out: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    let mut waiting: Vec<String> = [PLAN, RECORDS, REJECTED, PARTS, GROUP_NAME].map(str::to_owned).to_vec();
    while let Some(name) = waiting.pop() {
        let path = out.join(&name);
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(|source| failed("cannot list the folder", &path, source))? {
                let entry = entry.map_err(|source| failed("cannot list the folder", &path, source))?;
                waiting.push(format!("{name}/{}", entry.file_name().to_string_lossy()));
            }
        } else if path.exists() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The checksum of a file; `on_bytes` hears how many bytes were read.
pub(crate) fn of_file(path: &Path, on_bytes: &mut dyn FnMut(usize)) -> Result<u128, StoreError> {
    let mut file = File::open(path).map_err(|source| failed("cannot read", path, source))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut hasher = XxHash3_128::new();
    loop {
        match file.read(&mut buffer).map_err(|source| failed("cannot read", path, source))? {
            0 => return Ok(hasher.finish_128()),
            found => {
                hasher.write(&buffer[..found]);
                on_bytes(found);
            }
        }
    }
}

/// The lines that `xxh128sum --check` reads.
pub(crate) fn to_text(checksums: &Checksums) -> String {
    let mut text = String::new();
    for (name, checksum) in checksums {
        let _ = writeln!(text, "{checksum:032x}  {name}");
    }
    text
}

/// Read what [`to_text`] writes, and nothing else.
pub(crate) fn from_text(text: &str) -> Option<Checksums> {
    let mut checksums = Checksums::new();
    for line in text.lines() {
        let (checksum, name) = line.split_once("  ")?;
        checksums.insert(name.to_owned(), u128::from_str_radix(checksum, 16).ok()?);
    }
    (to_text(&checksums) == text).then_some(checksums)
}
