//! One entry of a plan: a file, or a member of an archive.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Size and time of an entry when it was listed; together with its name they tell whether it is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Bytes; of a member, those that it unpacks to.
    pub num_bytes: u64,
    /// Nanoseconds since 1970; an archive states them of its members to two seconds, without a time zone.
    pub modified_ns: i64,
}

impl Stamp {
    /// What the operating system says about a file.
    pub fn of(metadata: &Metadata) -> Self {
        let modified_ns = metadata.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i64,
            Err(before) => -(before.duration().as_nanos() as i64),
        });
        Self { num_bytes: metadata.len(), modified_ns }
    }
}

/// Where the bytes of a member lie, and what they have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Where in the archive the member's own header begins.
    pub offset: u64,
    /// Bytes that it takes in the archive, without its header.
    pub packed_bytes: u64,
    /// CRC-32 of what it unpacks to.
    pub crc32: u32,
}

/// A file, or a member of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path of the file's folder, or of the archive.
    pub(super) container: &'a [u8],
    /// Name of the file in its folder, or the member's whole name in the archive.
    pub(super) name: &'a [u8],
    /// `None` where nobody has looked, or could.
    pub stamp: Option<Stamp>,
    /// `None` for a file.
    pub place: Option<Place>,
}

impl<'a> Entry<'a> {
    /// Path of the file that has to be opened: its own, or the archive's.
    pub fn path(&self) -> PathBuf {
        let container = path_of(self.container);
        if self.place.is_some() { container } else { container.join(path_of(self.name)) }
    }

    /// The member's name in its archive.
    pub fn member(&self) -> Option<Cow<'a, str>> {
        self.place.map(|_| String::from_utf8_lossy(self.name))
    }

    /// The last part of its name.
    pub fn ecg_file(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.name.rsplit(|&byte| self.place.is_some() && byte == b'/').next().unwrap_or(self.name))
    }

    /// Whether both parts of its name are text. The name of a file may be any bytes; that of a member is always text.
    pub fn is_text(&self) -> bool {
        std::str::from_utf8(self.container).is_ok() && std::str::from_utf8(self.name).is_ok()
    }
}

/// `folder/file.xml`, or `archive.zip/folder/member.xml`.
impl Display for Entry<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.member() {
            Some(member) => write!(formatter, "{}/{member}", self.path().display()),
            None => self.path().display().fmt(formatter),
        }
    }
}

/// The bytes of a path, as the operating system has them.
#[cfg(unix)]
pub(super) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    use std::os::unix::ffi::OsStrExt;
    Cow::Borrowed(path.as_os_str().as_bytes())
}

/// The text of a path, with a mark in place of what is none.
#[cfg(not(unix))]
pub(super) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Owned(path.to_string_lossy().into_owned().into_bytes())
}

/// The path that these bytes are.
#[cfg(unix)]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// The path that this text is.
#[cfg(not(unix))]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
