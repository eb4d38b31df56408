//! What a run takes from folders, patterns, lists and files.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use hfrisk_ecg::source::{self, Entries, FileBuffer, Listing, Place, Stamp, read_file};
use hfrisk_ecg::{ParseError, StoreError};

fn list(sources: &[PathBuf]) -> Result<Listing, StoreError> {
    source::list(sources, &mut || Ok(()))
}

fn touch(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"<x/>").unwrap();
    }
}

fn names(root: &Path, sources: &[PathBuf]) -> Vec<String> {
    let listing = list(sources).unwrap();
    listing.entries.iter().map(|entry| entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_folder_gives_its_xml_files_sorted_and_counts_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["b.xml", "a/c.XML", "a/notes.doc", "a/z/d.Xml", "readme"]);
    assert_eq!(names(folder.path(), &[folder.path().into()]), ["a/c.XML", "a/z/d.Xml", "b.xml"]);
    assert_eq!(list(&[folder.path().into()]).unwrap().num_skipped, 2);
}

#[test]
fn a_large_folder_is_listed_whole_whichever_thread_looks_at_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let expected: Vec<String> = (0..10_500).map(|number| format!("{number:05}.xml")).collect();
    let sizes: Vec<u64> = (0..10_500).map(|number| number % 7).collect();
    for (name, size) in expected.iter().zip(&sizes) {
        fs::write(folder.path().join(name), vec![b' '; *size as usize]).unwrap();
    }
    assert_eq!(names(folder.path(), &[folder.path().into()]), expected);
    let listing = list(&[folder.path().into()]).unwrap();
    assert_eq!(listing.entries.iter().map(|entry| entry.stamp.unwrap().num_bytes).collect::<Vec<u64>>(), sizes);
}

#[test]
fn a_file_reached_by_several_sources_is_listed_once() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["a.xml", "b.xml"]);
    let pattern = folder.path().join("*.xml");
    assert_eq!(names(folder.path(), &[folder.path().into(), folder.path().join("a.xml"), pattern]), ["a.xml", "b.xml"]);
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_is_walked_once() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["a/b/c.xml"]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/b/up")).unwrap();
    assert_eq!(names(folder.path(), &[folder.path().into()]), ["a/b/c.xml"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_is_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    touch(elsewhere.path(), &["far.xml"]);
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("link")).unwrap();
    assert_eq!(names(folder.path(), &[folder.path().into()]), ["link/far.xml"]);
}

#[test]
fn a_list_names_one_file_a_line_and_does_not_look_at_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.txt");
    let root = folder.path().display();
    fs::write(&path, format!("\u{feff}{root}/b.ecg\r\n\n# a remark\n  {root}/absent.xml  \n")).unwrap();
    assert_eq!(names(folder.path(), &[path]), ["absent.xml", "b.ecg"]);
}

#[test]
fn a_file_is_taken_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["export.dat"]);
    assert_eq!(names(folder.path(), &[folder.path().join("export.dat")]), ["export.dat"]);
}

#[test]
fn a_source_that_does_not_exist_is_named() {
    let error = list(&[PathBuf::from("/nowhere/at-all")]).unwrap_err();
    assert!(error.to_string().contains("`/nowhere/at-all`"), "{error}");
    assert_eq!(error.hint(), Some("check the path"));
}

#[test]
fn sources_without_a_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(list(&[folder.path().into()]), Err(StoreError::NoSources(_))));
    assert!(matches!(list(&[folder.path().join("*.xml")]), Err(StoreError::NoSources(_))));
}

#[test]
fn reading_says_why_a_file_is_unreadable_without_naming_it() {
    let folder = tempfile::tempdir().unwrap();
    let reason = |path: &Path| match read_file(path, 100, &mut FileBuffer::default()) {
        Err(ParseError::Unreadable { reason }) => reason,
        other => format!("{other:?}"),
    };
    assert_eq!(reason(&folder.path().join("patient.xml")), "no such file or directory");
    assert_eq!(reason(folder.path()), "it is a folder");
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.xml");
    fs::write(&path, [b' '; 101]).unwrap();
    assert_eq!(read_file(&path, 100, &mut FileBuffer::default()), Err(ParseError::TooLarge { bytes: 101, limit: 100 }));
    let mut buffer = FileBuffer::default();
    read_file(&path, 101, &mut buffer).unwrap();
    assert_eq!(*buffer, [b' '; 101]);
}

#[test]
fn listing_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["a.xml", "b.xml"]);
    assert!(matches!(source::list(&[folder.path().into()], &mut || Err(StoreError::Cancelled)), Err(StoreError::Cancelled)));
}

#[test]
fn many_nested_folders_are_all_walked_in_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for number in 0..300 {
        let name = format!("{}/{}-{}/{}/{number}.xml", number % 3, number % 7, number % 2, number % 5);
        touch(folder.path(), &[&name]);
        expected.push(PathBuf::from(name));
    }
    expected.sort();
    for _ in 0..5 {
        let found: Vec<PathBuf> = names(folder.path(), &[folder.path().into()]).into_iter().map(PathBuf::from).collect();
        assert_eq!(found, expected);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_is_listed_under_its_own_name_whatever_links_lead_to_it() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["z/deep/c.xml"]);
    for (target, link) in [("z/deep", "a"), ("z", "b"), ("z/deep", "z/first")] {
        std::os::unix::fs::symlink(folder.path().join(target), folder.path().join(link)).unwrap();
    }
    assert_eq!(names(folder.path(), &[folder.path().into()]), ["z/deep/c.xml"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_listed_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["a.xml", "closed/b.xml"]);
    let closed = folder.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // An administrator may list everything.
    if let Err(error) = list(&[folder.path().into()]) {
        assert!(error.to_string().contains("closed"), "{error}");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_reused_buffer_holds_each_file_and_nothing_of_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xml");
    let mut buffer = FileBuffer::default();
    for length in [5000, 0, 1, 5000, 5001, 4999, 4999, 70_000, 3] {
        let content: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
        fs::write(&path, &content).unwrap();
        read_file(&path, 1 << 20, &mut buffer).unwrap();
        assert!(*buffer == content, "{length} bytes");
    }
    read_file(&folder.path().join("absent"), 1 << 20, &mut buffer).unwrap_err();
    assert!(buffer.is_empty());
}

/// The kernel states a size of 0 for its own files, which are read to their end all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_states_no_size_is_read_to_its_end() {
    let mut buffer = FileBuffer::default();
    read_file(Path::new("/proc/cpuinfo"), 1 << 24, &mut buffer).unwrap();
    assert!(buffer.len() > 100 && buffer.starts_with(b"processor"), "{} bytes", buffer.len());
}

#[test]
fn an_entry_carries_size_and_time_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), &["a.xml"]);
    let list = folder.path().join("files.txt");
    fs::write(&list, format!("{}/absent.xml", folder.path().display())).unwrap();
    let listing = self::list(&[folder.path().into(), list]).unwrap();
    let stamp = Stamp::of(&fs::metadata(folder.path().join("a.xml")).unwrap());
    assert_eq!(stamp.num_bytes, 4);
    let stamps: Vec<Option<Stamp>> = listing.entries.iter().map(|entry| entry.stamp).collect();
    assert_eq!(stamps, [Some(stamp), None]);
}

#[test]
fn entries_are_sorted_by_the_parts_of_their_paths() {
    let paths = ["a-b/c.xml", "a/z.xml", "a.xml", "a/b/c.xml", "a/b.xml", "a/z.xml"];
    let mut entries = Entries::default();
    for path in paths {
        entries.push_file(Path::new(path), None);
    }
    entries.sort();
    let mut expected = paths.map(PathBuf::from).to_vec();
    expected.sort();
    expected.dedup();
    assert_eq!(entries.iter().map(|entry| entry.path()).collect::<Vec<_>>(), expected);
    assert!(entries.iter().all(|entry| entries.contains(&entry)));
}

#[test]
fn a_member_names_its_archive_and_its_last_part_and_keeps_the_order_of_the_archive() {
    let stamp = Stamp { num_bytes: 5, modified_ns: 6 };
    let mut entries = Entries::default();
    for (name, offset) in [("2019/b.xml", 0), ("2018/a.xml", 90)] {
        entries.push_member(Path::new("/data/all.zip"), name, stamp, Place { offset, packed_bytes: 4, crc32: 7 });
    }
    let mut both = entries.clone();
    both.append(&entries);
    both.sort();
    let names: Vec<String> = both.iter().map(|entry| entry.to_string()).collect();
    assert_eq!(names, ["/data/all.zip/2019/b.xml", "/data/all.zip/2018/a.xml"]);
    let first = both.get(0);
    assert_eq!((first.path(), first.ecg_file().as_ref()), (PathBuf::from("/data/all.zip"), "b.xml"));
    assert_eq!((first.member().as_deref(), first.stamp), (Some("2019/b.xml"), Some(stamp)));
}
