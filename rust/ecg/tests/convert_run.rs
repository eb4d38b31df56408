//! Whole conversions: the same bytes whatever the threads and interruptions, and nothing silent about bad files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "muse/builder.rs"]
#[allow(dead_code, unreachable_pub)]
mod builder;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use builder::{Muse, WaveformXml};
use hfrisk_ecg::convert::{Progress, Request, Summary, convert};
use hfrisk_ecg::store::{BatchReader, Codec, RECORD_VALUES, SHARD_ROWS};
use hfrisk_ecg::{QualityFlags, StoreError};

/// A small recording whose counts depend on `seed`.
fn recording(seed: usize) -> String {
    let mut muse = Muse { waveforms: vec![WaveformXml::rhythm(5000)], ..Muse::new() };
    for lead in &mut muse.rhythm().leads {
        lead.counts.iter_mut().for_each(|count| *count += (seed % 97) as i16);
        lead.crc32 = None;
    }
    muse.to_xml()
}

/// Two shards and a bit: distinct good files, each linked often, and three bad ones.
fn sources() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let originals = tempfile::tempdir().unwrap();
    for seed in 0..8 {
        fs::write(originals.path().join(seed.to_string()), recording(seed)).unwrap();
    }
    for row in 0..2 * SHARD_ROWS + 20 {
        let name = folder.path().join(format!("{row:05}.xml"));
        match row {
            3 => fs::write(name, "").unwrap(),
            600 | 1030 => fs::write(name, "no XML").unwrap(),
            _ => {
                fs::copy(originals.path().join((row % 8).to_string()), name).unwrap();
            }
        }
    }
    folder
}

fn request(sources: &Path, out: &Path) -> Request {
    Request { sources: vec![sources.into()], out: out.into(), num_threads: 2, ..Request::default() }
}

fn run(request: &Request) -> Result<Summary, StoreError> {
    convert(request, &mut |_| ControlFlow::Continue(()))
}

/// Every file below a folder with its bytes.
fn bytes(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_bytes_are_the_same_whatever_the_number_of_threads() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let stores: Vec<_> = [1, 2, 4]
        .iter()
        .map(|&num_threads| {
            let out = out.path().join(num_threads.to_string());
            run(&Request { num_threads, ..request(sources.path(), &out) }).unwrap();
            bytes(&out)
        })
        .collect();
    assert_eq!(stores[0].len(), 2 + 3 + 3 + 3 + 3 + 1, "metadata, shards, tables, record parts, rejected parts, checksums");
    assert!(stores[0] == stores[1] && stores[0] == stores[2]);
}

#[test]
fn a_cancelled_run_continues_and_ends_with_the_bytes_of_an_undisturbed_one() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let (undisturbed, resumed) = (out.path().join("undisturbed"), out.path().join("resumed"));
    let expected = run(&request(sources.path(), &undisturbed)).unwrap();
    let one = Request { num_threads: 1, ..request(sources.path(), &resumed) };
    let stop_in_second_shard = &mut |progress: &Progress| {
        if progress.num_done > SHARD_ROWS as u64 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let cancelled = convert(&one, stop_in_second_shard);
    // On a fast machine the whole run may lie between two looks at it.
    if let Err(error) = cancelled {
        assert!(matches!(error, StoreError::Cancelled));
        assert!(!resumed.join("records.parquet").exists());
        assert!(!resumed.join(".hfrisk.partial").exists());
    }
    let summary = run(&one).unwrap();
    assert!(bytes(&undisturbed) == bytes(&resumed));
    assert_eq!((summary.num_converted, &summary.rejections), (expected.num_converted, &expected.rejections));
}

#[test]
fn a_shard_without_its_record_part_is_done_again_and_no_other() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let request = request(sources.path(), out.path());
    run(&request).unwrap();
    let before = bytes(out.path());
    for name in ["checksums.txt", "records.parquet", "rejected.parquet", "records/part-00001.parquet"] {
        fs::remove_file(out.path().join(name)).unwrap();
    }
    fs::write(out.path().join("ecg.zarr/signals/c/1/0/0"), "half a shard").unwrap();
    let summary = run(&request).unwrap();
    assert_eq!(summary.num_files_read, SHARD_ROWS as u64);
    assert!(bytes(out.path()) == before);
}

#[test]
fn a_run_cancelled_before_the_first_file_leaves_a_plan_to_continue() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let request = request(sources.path(), out.path());
    assert!(matches!(convert(&request, &mut |_| ControlFlow::Break(())), Err(StoreError::Cancelled)));
    assert!(out.path().join("plan.parquet").exists());
    assert_eq!(run(&request).unwrap().num_converted, 2 * SHARD_ROWS as u64 + 17);
}

#[test]
fn a_bad_file_is_counted_by_kind_and_leaves_a_row_of_nan() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let summary = run(&request(sources.path(), out.path())).unwrap();
    let kinds: Vec<(&str, u64)> = summary.rejections.iter().map(|(kind, &number)| (kind.as_str(), number)).collect();
    assert_eq!(kinds, [("empty_file", 1), ("not_xml", 2)]);
    assert_eq!(summary.num_files, summary.num_converted + summary.num_rejected);
    assert_eq!(summary.flags.get(flag_name(QualityFlags::CRC_UNKNOWN)), Some(&summary.num_converted));
    let reader = BatchReader::open(&out.path().join("ecg.zarr"), 1, None).unwrap();
    let mut values = vec![0.0; 2 * RECORD_VALUES];
    reader.read_into(&[600, 601], &mut values).unwrap();
    assert!(values[..RECORD_VALUES].iter().all(|value| value.is_nan()));
    assert!(values[RECORD_VALUES..].iter().all(|value| value.is_finite()));
}

fn flag_name(flag: QualityFlags) -> &'static str {
    flag.names().next().unwrap()
}

#[test]
fn a_file_that_vanished_since_the_plan_is_rejected_as_unreadable() {
    let sources = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    for name in ["a.xml", "b.xml"] {
        fs::write(sources.path().join(name), recording(1)).unwrap();
    }
    let request = request(sources.path(), out.path());
    convert(&request, &mut |_| ControlFlow::Break(())).unwrap_err();
    fs::remove_file(sources.path().join("a.xml")).unwrap();
    let summary = run(&request).unwrap();
    assert_eq!(summary.rejections, BTreeMap::from([("unreadable".to_owned(), 1)]));
}

#[test]
fn a_complete_store_is_not_done_again() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let request = request(sources.path(), out.path());
    let first = run(&request).unwrap();
    let before = bytes(out.path());
    let second = run(&request).unwrap();
    assert_eq!(second.num_files_read, 0);
    assert_eq!((first.num_converted, first.rejections, first.flags), (second.num_converted, second.rejections, second.flags));
    assert!(bytes(out.path()) == before);
}

fn small_store() -> (tempfile::TempDir, tempfile::TempDir, Request) {
    let (sources, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(sources.path().join("a.xml"), recording(1)).unwrap();
    let request = request(sources.path(), out.path());
    run(&request).unwrap();
    (sources, out, request)
}

fn refusal(request: &Request) -> String {
    let error = run(request).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    error.to_string()
}

#[test]
fn another_codec_or_setting_is_refused_and_changes_nothing() {
    let (_sources, out, request) = small_store();
    let before = bytes(out.path());
    assert!(refusal(&Request { codec: Codec::Zstd, ..request.clone() }).contains("codec ecgpack, not zstd"));
    assert!(refusal(&Request { strict: true, ..request.clone() }).contains("strict false, not true"));
    assert!(refusal(&Request { keep_statements: true, ..request.clone() }).contains("keep-statements false, not true"));
    assert!(bytes(out.path()) == before);
}

#[test]
fn overwriting_starts_again_and_spares_what_is_not_ours() {
    let (sources, out, request) = small_store();
    fs::write(out.path().join("notes.txt"), "mine").unwrap();
    fs::write(sources.path().join("b.xml"), recording(2)).unwrap();
    let summary = run(&Request { overwrite: true, codec: Codec::None, ..request }).unwrap();
    assert_eq!(summary.num_converted, 2);
    assert_eq!(fs::read(out.path().join("notes.txt")).unwrap(), b"mine");
}

#[test]
fn overwriting_with_a_mistyped_source_costs_nothing() {
    let (_sources, out, request) = small_store();
    let before = bytes(out.path());
    run(&Request { overwrite: true, sources: vec!["/nowhere".into()], ..request }).unwrap_err();
    assert!(bytes(out.path()) == before);
}

#[test]
fn a_foreign_folder_is_never_written_to() {
    let (sources, foreign) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(sources.path().join("a.xml"), recording(1)).unwrap();
    fs::write(foreign.path().join("thesis.doc"), "years of work").unwrap();
    for overwrite in [false, true] {
        let message = refusal(&Request { overwrite, ..request(sources.path(), foreign.path()) });
        assert!(message.contains("holds other files"), "{message}");
    }
    assert_eq!(bytes(foreign.path()).len(), 1);
}

#[test]
fn an_output_that_is_a_file_is_refused() {
    let (sources, out) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    fs::write(sources.path().join("a.xml"), recording(1)).unwrap();
    assert!(refusal(&request(sources.path(), out.path())).ends_with("is a file"));
}

#[test]
fn a_second_conversion_on_the_same_output_is_refused() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let request = request(sources.path(), out.path());
    let mut second = None;
    convert(&request, &mut |_| {
        second.get_or_insert_with(|| refusal(&request));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(second.unwrap().ends_with("is being written by another hfrisk-convert"));
}

#[test]
fn a_failed_start_leaves_no_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/out");
    run(&request(Path::new("/nowhere"), &out)).unwrap_err();
    assert!(!out.exists());
}

#[test]
fn sources_are_left_as_they_were() {
    let sources = sources();
    let out = tempfile::tempdir().unwrap();
    let before = bytes(sources.path());
    run(&request(sources.path(), out.path())).unwrap();
    assert!(bytes(sources.path()) == before);
}
