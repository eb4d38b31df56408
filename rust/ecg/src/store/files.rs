//! Files that appear under their final name only when they are whole and on disk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

const BUFFER_BYTES: usize = 1 << 18;

/// A file being written under a temporary name; dropping it without [`commit`](Self::commit) removes it.
pub struct TemporaryFile {
    writer: Option<BufWriter<File>>,
    path: PathBuf,
    num_bytes: u64,
}

impl TemporaryFile {
    /// Create (or empty) the file at `path`.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn create(path: PathBuf) -> Result<Self, StoreError> {
        let file = File::create(&path).map_err(|source| failed("cannot write", &path, source))?;
        Ok(Self { writer: Some(BufWriter::with_capacity(BUFFER_BYTES, file)), path, num_bytes: 0 })
    }

    /// Bytes written so far.
    pub const fn num_bytes(&self) -> u64 {
        self.num_bytes
    }

    /// The temporary name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Append bytes.
    ///
    /// # Errors
    /// When the operating system refuses, such as for want of space.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_all(bytes).map_err(|source| failed("cannot write", &self.path, source))
    }

    /// Bring the bytes to disk, then give the file its final name (whose folder is made when absent), then bring that name to disk.
    ///
    /// # Errors
    /// When the operating system refuses; nothing stands under the final name then, or what stood there before.
    pub fn commit(mut self, target: &Path) -> Result<(), StoreError> {
        let written = match self.writer.take() {
            Some(writer) => writer.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all()),
            None => Ok(()),
        };
        written.map_err(|source| failed("cannot write", &self.path, source))?;
        let folder = target.parent().unwrap_or_else(|| Path::new("."));
        make_folder(folder)?;
        fs::rename(&self.path, target).map_err(|source| failed("cannot write", target, source))?;
        sync_folder(folder)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(writer) = &mut self.writer else { return Ok(0) };
        let written = writer.write(bytes)?;
        self.num_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // The bytes still in memory are not wanted any more.
            let _ = writer.into_parts();
        }
        // After a commit the name is gone already; a file that cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// A file that is written, and has neither its name nor its safety yet.
pub struct WrittenFile {
    file: TemporaryFile,
    target: PathBuf,
}

impl WrittenFile {
    /// `file` is to be `target`.
    pub const fn new(file: TemporaryFile, target: PathBuf) -> Self {
        Self { file, target }
    }

    /// As [`TemporaryFile::commit`].
    ///
    /// # Errors
    /// As [`TemporaryFile::commit`].
    pub fn commit(self) -> Result<(), StoreError> {
        self.file.commit(&self.target)
    }
}

/// Make a folder and its parents.
///
/// # Errors
/// When the operating system refuses.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|source| failed("cannot make the folder", path, source))
}

/// Remove a file; one that is absent already is no failure.
///
/// # Errors
/// When the operating system refuses.
pub fn remove_file(path: &Path) -> Result<(), StoreError> {
    absent_is_fine(fs::remove_file(path)).map_err(|source| failed("cannot remove", path, source))
}

/// Remove a folder and what is in it; one that is absent already is no failure.
///
/// # Errors
/// When the operating system refuses.
pub fn remove_folder(path: &Path) -> Result<(), StoreError> {
    absent_is_fine(fs::remove_dir_all(path)).map_err(|source| failed("cannot remove", path, source))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|source| failed("cannot write", folder, source))
}

pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { action, path: path.to_owned(), source }
}
