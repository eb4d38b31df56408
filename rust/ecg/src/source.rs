//! Where the bytes come from: folders, zip archives, glob patterns, lists of paths and single files. Sources are only ever opened for reading.

mod buffer;
mod cache;
mod entries;
mod entry;
mod file;
mod folder;
mod listing;
mod reader;
pub mod zip;

pub use buffer::FileBuffer;
pub use entries::Entries;
pub(crate) use entry::path_of;
pub use entry::{Entry, Place, Stamp};
pub use file::read_file;
pub use listing::{GoOn, Listing, list};
pub use reader::EntryReader;
