//! Archives from bytes in memory: the seeds of the fuzz target as they are, cut anywhere, and with any byte changed.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use hfrisk_ecg::source::FileBuffer;
use hfrisk_ecg::source::zip::{Contents, MemberReader, contents};
use hfrisk_ecg::{ParseError, StoreError};
use proptest::prelude::*;

const MOST_BYTES: u64 = 1 << 16;

fn seed(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/zip").join(name)).unwrap()
}

fn seeds() -> Vec<Vec<u8>> {
    ["stored", "deflated", "zip64", "end64", "cut", "piped", "piped_cut", "korean", "in_front"].map(seed).to_vec()
}

fn list(archive: &[u8]) -> Contents {
    contents(archive, archive.len() as u64, Path::new("a.zip"), &mut || Ok(())).unwrap()
}

fn names(found: &Contents) -> Vec<String> {
    found.entries.iter().map(|entry| entry.member().unwrap().into_owned()).collect()
}

/// What each member unpacks to.
fn read(archive: &[u8], found: &Contents) -> Vec<Result<Vec<u8>, ParseError>> {
    let mut reader = MemberReader::default();
    let mut buffer = FileBuffer::default();
    let members = found.entries.iter().map(|entry| (entry.stamp.unwrap(), entry.place.unwrap(), entry.member().unwrap().len()));
    members.map(|member| reader.read(archive, member, MOST_BYTES, &mut buffer).map(|()| buffer.to_vec())).collect()
}

fn content(number: usize) -> Vec<u8> {
    format!("<RestingECG>{number}</RestingECG>").repeat(20).into_bytes()
}

#[test]
fn every_whole_seed_gives_its_members() {
    for name in ["stored", "deflated", "zip64", "end64", "in_front"] {
        let archive = seed(name);
        let found = list(&archive);
        assert!(found.is_whole, "{name}");
        assert_eq!(names(&found), ["a/0.xml", "a/1.xml"], "{name}");
        assert_eq!(read(&archive, &found), [Ok(content(0)), Ok(content(1))], "{name}");
    }
}

#[test]
fn the_same_members_are_found_by_their_headers_alone() {
    for name in ["stored", "deflated", "end64", "in_front", "piped"] {
        let archive = seed(name);
        let whole = list(&archive);
        let directory = memchr::memmem::find(&archive, b"PK\x01\x02").unwrap();
        let found = list(&archive[..directory]);
        assert!(!found.is_whole);
        assert_eq!(names(&found), names(&whole), "{name}");
        assert_eq!(read(&archive, &found), read(&archive, &whole), "{name}");
    }
}

#[test]
fn a_member_of_a_wrong_size_does_not_hide_the_next() {
    let mut archive = seed("deflated");
    let directory = memchr::memmem::find(&archive, b"PK\x01\x02").unwrap();
    archive.truncate(directory);
    archive[18..22].copy_from_slice(&0x00ff_ffff_u32.to_le_bytes());
    let found = list(&archive);
    assert_eq!(names(&found), ["a/0.xml", "a/1.xml"]);
    let results = read(&archive, &found);
    assert!(results[0].is_err());
    assert_eq!(results[1], Ok(content(1)));
}

#[test]
fn a_member_that_states_the_largest_size_and_no_time_stays_a_member_and_is_refused() {
    let archive = seed("no_size");
    let found = list(&archive);
    let entry = found.entries.get(0);
    assert_eq!(entry.stamp.map(|stamp| (stamp.num_bytes, stamp.modified_ns)), Some((u64::MAX, 0)));
    assert!(read(&archive, &found)[0].is_err());
}

#[test]
fn listing_can_be_stopped() {
    let archive = seed("deflated");
    let stopped = contents(&archive[..], archive.len() as u64, Path::new("a.zip"), &mut || Err(StoreError::Cancelled));
    assert!(stopped.is_err());
}

#[test]
fn a_seed_cut_anywhere_gives_true_members_or_refusals() {
    for archive in seeds() {
        let whole: Vec<_> = read(&archive, &list(&archive)).into_iter().flatten().collect();
        for length in 0..archive.len() {
            let cut = &archive[..length];
            for content in read(cut, &list(cut)).into_iter().flatten() {
                assert!(whole.contains(&content), "cut to {length}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_are_refused_or_give_the_stated_number_of_bytes(
        which in 0..9usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut archive = seeds().swap_remove(which);
        for (at, byte) in changes {
            let length = archive.len();
            archive[at.index(length)] = byte;
        }
        let found = list(&archive);
        for (entry, result) in found.entries.iter().zip(read(&archive, &found)) {
            if let Ok(content) = result {
                prop_assert_eq!(content.len() as u64, entry.stamp.unwrap().num_bytes);
            }
        }
    }
}
