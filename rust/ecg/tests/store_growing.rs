//! Growing and sharing: rows never move, and parts make the same store as one run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "muse/builder.rs"]
#[allow(dead_code, unreachable_pub)]
mod builder;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use builder::{Muse, WaveformXml};
use hfrisk_ecg::StoreError;
use hfrisk_ecg::convert::{Progress, Request, Summary, convert, finish, verify};
use hfrisk_ecg::store::{BatchReader, RECORD_VALUES, SHARD_ROWS};

fn recording(offset: i16) -> String {
    let mut muse = Muse { waveforms: vec![WaveformXml::rhythm(5000)], ..Muse::new() };
    muse.rhythm().leads.iter_mut().flat_map(|lead| &mut lead.counts).for_each(|count| *count += offset);
    muse.rhythm().leads.iter_mut().for_each(|lead| lead.crc32 = None);
    muse.to_xml()
}

fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn run(sources: &Path, out: &Path, part: Option<(usize, usize)>) -> Result<Summary, StoreError> {
    convert(&Request { sources: vec![sources.into()], out: out.into(), num_threads: 1, part, ..Request::default() }, &mut go_on)
}

fn values(out: &Path, row: i64) -> Vec<f32> {
    let mut values = vec![0.0; RECORD_VALUES];
    BatchReader::open(&out.join("ecg.zarr"), 1, None).unwrap().read_into(&[row], &mut values).unwrap();
    values
}

#[test]
fn new_files_begin_a_shard_and_the_rows_before_it_stay() {
    let (sources, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(sources.path().join("m.xml"), recording(1)).unwrap();
    run(sources.path(), out.path(), None).unwrap();
    let reader = BatchReader::open(&out.path().join("ecg.zarr"), 1, None).unwrap();
    let before = values(out.path(), 0);
    fs::write(sources.path().join("a.xml"), recording(2)).unwrap();
    fs::write(sources.path().join("z.xml"), "").unwrap();
    let summary = run(sources.path(), out.path(), None).unwrap();
    assert_eq!((summary.num_files, summary.num_files_read, summary.num_new_files, summary.num_new_rejected), (3, 2, 2, 1));
    assert_eq!(values(out.path(), 0), before);
    assert!(values(out.path(), 1).iter().all(|value| value.is_nan()), "left over at the end of the first shard");
    assert_eq!(values(out.path(), SHARD_ROWS as i64).len(), before.len());
    assert_ne!(values(out.path(), SHARD_ROWS as i64), before);
    let mut still = vec![0.0; RECORD_VALUES];
    reader.read_into(&[0], &mut still).unwrap();
    assert_eq!(still, before, "a reader that was open goes on");
    assert_eq!(verify(out.path(), 1, &mut go_on).unwrap().damages, []);
    assert_eq!(run(sources.path(), out.path(), None).unwrap().num_files_read, 0);
}

#[test]
fn a_file_that_has_changed_is_converted_again_in_a_new_row() {
    let (sources, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(sources.path().join("m.xml"), recording(1)).unwrap();
    run(sources.path(), out.path(), None).unwrap();
    fs::write(sources.path().join("m.xml"), recording(2) + "\n").unwrap();
    assert_eq!(run(sources.path(), out.path(), None).unwrap().num_converted, 2);
}

#[test]
fn growth_that_was_stopped_continues_to_the_same_bytes() {
    let (sources, out, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(sources.path().join("m.xml"), recording(1)).unwrap();
    run(sources.path(), out.path(), None).unwrap();
    run(sources.path(), other.path(), None).unwrap();
    fs::write(sources.path().join("a.xml"), recording(2)).unwrap();
    run(sources.path(), other.path(), None).unwrap();
    let request = Request { sources: vec![sources.path().into()], out: out.path().into(), ..Request::default() };
    convert(&request, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(!out.path().join("checksums.txt").exists(), "a store that is growing is not complete");
    run(sources.path(), out.path(), None).unwrap();
    let checksums = |out: &Path| fs::read_to_string(out.join("checksums.txt")).unwrap();
    assert_eq!(checksums(out.path()), checksums(other.path()));
}

#[test]
fn parts_make_the_same_store_as_one_run_and_finish_wants_them_all() {
    let (sources, whole, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let original = sources.path().join("00000.xml");
    fs::write(&original, recording(1)).unwrap();
    for row in 1..=2 * SHARD_ROWS {
        fs::hard_link(&original, sources.path().join(format!("{row:05}.xml"))).unwrap();
    }
    run(sources.path(), whole.path(), None).unwrap();
    assert!(!run(sources.path(), shared.path(), Some((2, 2))).unwrap().is_complete);
    let refused = finish(shared.path(), 1, &mut go_on).unwrap_err();
    assert!(refused.to_string().ends_with("lacks 2 of 3 shards"), "{refused}");
    run(sources.path(), shared.path(), Some((1, 2))).unwrap();
    assert!(finish(shared.path(), 1, &mut go_on).unwrap().is_complete);
    let checksums = |out: &Path| fs::read_to_string(out.join("checksums.txt")).unwrap();
    assert_eq!(checksums(whole.path()), checksums(shared.path()));
}

#[test]
fn a_part_is_refused_twice_and_beside_another_division_and_a_whole_run() {
    let (sources, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(sources.path().join("m.xml"), recording(1)).unwrap();
    let first =
        Request { sources: vec![sources.path().into()], out: out.path().into(), part: Some((1, 2)), ..Request::default() };
    let mut seen = Vec::new();
    convert(&first, &mut |_| {
        if seen.is_empty() {
            seen = [Some((1, 2)), Some((1, 3)), None]
                .map(|part| run(sources.path(), out.path(), part).unwrap_err().to_string())
                .to_vec();
            assert!(run(sources.path(), out.path(), Some((2, 2))).is_ok());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen[0].contains("has part 1/2 being written"), "{seen:?}");
    assert!(seen[1].contains("another number of parts"), "{seen:?}");
    assert!(seen[2].contains("is being written by another"), "{seen:?}");
}
