//! Many entries in little memory: about forty bytes each and their names, without the folder, one after the other.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use super::entry::{Entry, Place, Stamp, path_bytes};

const NONE: u32 = u32::MAX;
/// What no file and no member has, whatever an archive states of it: archives know no time before 1980, or 1970 where they state none.
const NO_STAMP: Stamp = Stamp { num_bytes: u64::MAX, modified_ns: i64::MIN };

/// Entries by number. A million of them are about 80 MB.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    text: Vec<u8>,
    containers: Vec<Span>,
    rows: Vec<Row>,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    begin: u64,
    num_bytes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    stamp: Stamp,
    name: Span,
    container: u32,
    place: u32,
}

impl Entries {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of memory that they take.
    pub fn memory_bytes(&self) -> u64 {
        let places = self.places.capacity() * size_of::<Place>();
        (self.text.capacity() + self.rows.capacity() * size_of::<Row>() + self.containers.capacity() * size_of::<Span>() + places)
            as u64
    }

    /// The entry of `row`, which must be less than [`len`](Self::len).
    pub fn get(&self, row: usize) -> Entry<'_> {
        self.view(&self.rows[row])
    }

    /// Every entry in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.rows.iter().map(|row| self.view(row))
    }

    /// Append a file.
    pub fn push_file(&mut self, path: &Path, stamp: Option<Stamp>) {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let name = path.file_name().map_or(Path::new(""), Path::new);
        self.push_parts(&path_bytes(folder), &path_bytes(name), stamp, None);
    }

    /// Append a member of the archive at `path`; `name` is its whole name there.
    pub fn push_member(&mut self, path: &Path, name: &str, stamp: Stamp, place: Place) {
        self.push_parts(&path_bytes(path), name.as_bytes(), Some(stamp), Some(place));
    }

    /// Append an entry of others.
    pub fn push(&mut self, entry: &Entry<'_>) {
        self.push_parts(entry.container, entry.name, entry.stamp, entry.place);
    }

    /// Append all of `other`.
    pub fn append(&mut self, other: &Self) {
        let (begin, container, place) = (self.text.len() as u64, self.containers.len() as u32, self.places.len() as u32);
        let moved = |span: &Span| Span { begin: span.begin + begin, ..*span };
        self.text.extend_from_slice(&other.text);
        self.containers.extend(other.containers.iter().map(moved));
        self.places.extend_from_slice(&other.places);
        self.rows.extend(other.rows.iter().map(|row| Row {
            stamp: row.stamp,
            name: moved(&row.name),
            container: row.container + container,
            place: if row.place == NONE { NONE } else { row.place + place },
        }));
    }

    /// Sort by path, part by part, the members of an archive by where they lie in it, so that it is read from front to back; an entry
    /// that is there twice is kept once.
    pub fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by(|a, b| self.compare(a, b));
        rows.dedup_by(|a, b| self.compare(a, b).is_eq());
        self.rows = rows;
    }

    /// Whether `entry` is in these entries, which must have been sorted.
    pub fn contains(&self, entry: &Entry<'_>) -> bool {
        self.rows.binary_search_by(|row| compare(&self.view(row), entry)).is_ok()
    }

    fn push_parts(&mut self, container: &[u8], name: &[u8], stamp: Option<Stamp>, place: Option<Place>) {
        // Entries come folder by folder, so that comparing with the last one finds nearly all that are equal.
        if self.containers.last().is_none_or(|last| &self.text[last.range()] != container) {
            let span = self.push_text(container);
            self.containers.push(span);
        }
        let name = self.push_text(name);
        let index = place.map_or(NONE, |place| {
            self.places.push(place);
            self.places.len() as u32 - 1
        });
        let container = self.containers.len() as u32 - 1;
        self.rows.push(Row { stamp: stamp.unwrap_or(NO_STAMP), name, container, place: index });
    }

    fn push_text(&mut self, bytes: &[u8]) -> Span {
        let span = Span { begin: self.text.len() as u64, num_bytes: bytes.len() as u32 };
        self.text.extend_from_slice(bytes);
        span
    }

    fn view(&self, row: &Row) -> Entry<'_> {
        Entry {
            container: &self.text[self.containers[row.container as usize].range()],
            name: &self.text[row.name.range()],
            stamp: (row.stamp != NO_STAMP).then_some(row.stamp),
            place: self.places.get(row.place as usize).copied(),
        }
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        if a.container == b.container && a.place == NONE && b.place == NONE {
            return self.text[a.name.range()].cmp(&self.text[b.name.range()]);
        }
        compare(&self.view(a), &self.view(b))
    }
}

impl Span {
    const fn range(self) -> Range<usize> {
        self.begin as usize..self.begin as usize + self.num_bytes as usize
    }
}

/// Part by part: `a/z` stands before `a-b`, although `-` comes before `/`.
fn compare(a: &Entry<'_>, b: &Entry<'_>) -> Ordering {
    if a.container == b.container {
        return match (a.place, b.place) {
            (Some(x), Some(y)) => x.offset.cmp(&y.offset).then_with(|| a.name.cmp(b.name)),
            (x, y) => a.name.cmp(b.name).then_with(|| x.is_some().cmp(&y.is_some())),
        };
    }
    // Whole paths are compared byte by byte only where one folder lies in the other.
    match a.container.iter().zip(b.container).find(|(x, y)| x != y) {
        Some((x, y)) => marked(*x).cmp(&marked(*y)),
        _ => parts(a).cmp(parts(b)).then_with(|| a.place.is_some().cmp(&b.place.is_some())),
    }
}

/// A byte of a path, smaller than any other where it stands between parts.
fn marked(byte: u8) -> u8 {
    if std::path::is_separator(char::from(byte)) { 0 } else { byte }
}

/// The whole path, with the byte that no path has between its parts.
fn parts<'a>(entry: &Entry<'a>) -> impl Iterator<Item = u8> + use<'a> {
    let folder = entry.container.strip_suffix(b"/").unwrap_or(entry.container);
    folder
        .iter()
        .copied()
        .map(marked)
        .chain((!entry.container.is_empty()).then_some(0))
        .chain(entry.name.iter().copied().map(marked))
}
