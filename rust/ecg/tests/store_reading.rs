//! Stores written shard by shard come back row by row, and damage is named.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use hfrisk_ecg::store::layout::shard_path;
use hfrisk_ecg::store::{
    Access, BatchReader, COUNT_LEADS, COUNT_VALUES, ChunkEncoder, Codec, Layout, RECORD_VALUES, SHARD_ROWS, ShardWriter,
};
use hfrisk_ecg::{LeadSet, NUM_LEADS, PackError, STORE_RATE_HZ, STORE_SAMPLES, Signal, StoreError};

fn signal(seed: usize) -> Signal {
    let mut lsb_uv = [0.0; NUM_LEADS];
    lsb_uv[..8].fill(4.88);
    let counts = (0..COUNT_VALUES).map(|i| (((i * 7 + seed * 31) % 401) as i16) - 200).collect();
    Signal { lead_set: LeadSet::Eight, num_samples: STORE_SAMPLES, counts, lsb_uv, sampling_rate_hz: f64::from(STORE_RATE_HZ) }
}

fn microvolts(signal: &Signal) -> Vec<f32> {
    let mut values = vec![0.0; RECORD_VALUES];
    signal.write_microvolts(&mut values);
    values
}

/// Rows 0 and 2 hold recordings, row 1 none; shard 1 (rows 512 to 519) has row 513 only; shard 2 has no file.
fn write_store(folder: &Path, codec: Codec) -> Layout {
    let layout = Layout { num_rows: 2 * SHARD_ROWS + 8, codec };
    layout.write(folder, folder).unwrap();
    let mut encoder = ChunkEncoder::new(codec).unwrap();
    let mut chunk = Vec::new();
    for (shard, rows) in [(0, [Some(0), None, Some(2)]), (1, [None, Some(513), None]), (2, [None; 3])] {
        let mut writer = ShardWriter::create(folder.join("temporary")).unwrap();
        for row in rows {
            if let Some(row) = row {
                encoder.encode(&signal(row), &mut chunk).unwrap();
                writer.push(&chunk).unwrap();
            } else {
                writer.push_empty();
            }
        }
        writer.seal().unwrap().commit(&shard_path(folder, shard)).unwrap();
    }
    layout
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn rows_come_back_bit_for_bit_in_the_order_asked_whatever_the_codec_and_threads() {
    for codec in Codec::ALL {
        let folder = tempfile::tempdir().unwrap();
        let layout = write_store(folder.path(), codec);
        for (num_threads, access) in [(1, Access::Mapped), (3, Access::Mapped), (1, Access::Pread), (3, Access::Pread)] {
            let reader = BatchReader::open(folder.path(), num_threads, Some(access)).unwrap();
            assert_eq!(reader.layout(), layout);
            assert_eq!(reader.num_threads(), num_threads);
            assert_eq!(reader.access(), access);
            let mut out = vec![0.0; 4 * RECORD_VALUES];
            reader.read_into(&[513, 2, 0, 2], &mut out).unwrap();
            for (slot, row) in out.chunks_exact(RECORD_VALUES).zip([513, 2, 0, 2]) {
                assert_eq!(bits(slot), bits(&microvolts(&signal(row))), "{codec:?} row {row}");
            }
        }
    }
}

#[test]
fn a_row_without_a_recording_is_nan_never_a_flat_line() {
    for codec in Codec::ALL {
        let folder = tempfile::tempdir().unwrap();
        write_store(folder.path(), codec);
        for access in Access::ALL {
            let reader = BatchReader::open(folder.path(), 1, Some(access)).unwrap();
            let mut out = vec![0.0; 3 * RECORD_VALUES];
            reader.read_into(&[1, 700, 1031], &mut out).unwrap();
            assert!(out.iter().all(|value| value.is_nan()));
        }
    }
}

#[test]
fn a_shard_without_a_recording_has_no_file() {
    let folder = tempfile::tempdir().unwrap();
    write_store(folder.path(), Codec::EcgPack);
    assert!(shard_path(folder.path(), 1).exists());
    assert!(!shard_path(folder.path(), 2).exists());
}

#[test]
fn an_empty_row_costs_sixteen_bytes() {
    let size = |num_empty: usize| {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ShardWriter::create(folder.path().join("temporary")).unwrap();
        writer.push(b"chunk").unwrap();
        (0..num_empty).for_each(|_| writer.push_empty());
        writer.seal().unwrap().commit(&folder.path().join("shard")).unwrap();
        fs::metadata(folder.path().join("shard")).unwrap().len() as usize
    };
    assert_eq!(size(0), 5 + SHARD_ROWS * 16 + 4);
    assert_eq!(size(SHARD_ROWS - 1), size(0));
}

#[test]
fn counts_and_gains_give_the_same_microvolts() {
    let folder = tempfile::tempdir().unwrap();
    write_store(folder.path(), Codec::EcgPack);
    for num_threads in [1, 2] {
        let reader = BatchReader::open(folder.path(), num_threads, None).unwrap();
        let (mut counts, mut lsb_uv) = (vec![1; 2 * COUNT_VALUES], vec![0.0; 2 * COUNT_LEADS]);
        reader.read_counts_into(&[2, 1], &mut counts, &mut lsb_uv).unwrap();
        assert_eq!(counts[..COUNT_VALUES], signal(2).counts);
        assert_eq!(lsb_uv[..COUNT_LEADS], [4.88; COUNT_LEADS]);
        assert!(counts[COUNT_VALUES..].iter().all(|&count| count == 0));
        assert!(lsb_uv[COUNT_LEADS..].iter().all(|gain| gain.is_nan()));
    }
}

#[test]
fn chunks_are_read_as_they_are_stored_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    write_store(folder.path(), Codec::EcgPack);
    let mut encoder = ChunkEncoder::new(Codec::EcgPack).unwrap();
    let expected: Vec<Vec<u8>> = [513, 2]
        .map(|row| {
            let mut chunk = Vec::new();
            encoder.encode(&signal(row), &mut chunk).unwrap();
            chunk
        })
        .into();
    let reader = BatchReader::open(folder.path(), 2, None).unwrap();
    assert_eq!(reader.chunk_bytes(&[513, 1, 2]).unwrap(), [expected[0].len() as u64, 0, expected[1].len() as u64]);
    let mut found = vec![0; expected.iter().map(Vec::len).sum()];
    reader.read_chunks_into(&[513, 1, 2], &mut found).unwrap();
    assert_eq!(found, expected.concat());
}

#[test]
fn a_damaged_chunk_is_not_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    write_store(folder.path(), Codec::EcgPack);
    let path = shard_path(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 4;
    fs::write(&path, bytes).unwrap();
    let reader = BatchReader::open(folder.path(), 1, None).unwrap();
    let mut out = vec![0; reader.chunk_bytes(&[513]).unwrap()[0] as usize];
    let result = reader.read_chunks_into(&[513], &mut out);
    assert!(matches!(result, Err(StoreError::Chunk { row: 513, source: PackError::Checksum, .. })), "{result:?}");
    assert!(matches!(reader.holding(&[513]), Err(StoreError::Chunk { row: 513, .. })));
}

#[test]
fn held_rows_outlive_their_files_and_other_rows_come_from_them() {
    let folder = tempfile::tempdir().unwrap();
    write_store(folder.path(), Codec::EcgPack);
    let held = BatchReader::open(folder.path(), 1, Some(Access::Pread)).unwrap().holding(&[2, 1, 2]).unwrap();
    let read = |row: i64| {
        let mut out = vec![0.0; RECORD_VALUES];
        held.read_into(&[row], &mut out).map(|()| bits(&out))
    };
    assert_eq!(read(0).unwrap(), bits(&microvolts(&signal(0))));
    fs::write(shard_path(folder.path(), 0), []).unwrap();
    assert_eq!(read(2).unwrap(), bits(&microvolts(&signal(2))));
    assert!(matches!(read(0), Err(StoreError::Io { .. })));
    assert_eq!(read(513).unwrap(), bits(&microvolts(&signal(513))));
}

#[test]
fn counts_of_a_float_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_store(folder.path(), Codec::Zstd);
    let reader = BatchReader::open(folder.path(), 1, None).unwrap();
    let result = reader.read_counts_into(&[0], &mut vec![0; COUNT_VALUES], &mut [0.0; COUNT_LEADS]);
    assert!(matches!(result, Err(StoreError::Chunk { row: 0, source: PackError::NotCounts, .. })), "{result:?}");
}

#[test]
fn a_row_beyond_the_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let layout = write_store(folder.path(), Codec::None);
    let reader = BatchReader::open(folder.path(), 1, None).unwrap();
    for row in [-1, layout.num_rows as i64, i64::MAX, i64::MIN] {
        let result = reader.read_into(&[0, row], &mut vec![0.0; 2 * RECORD_VALUES]);
        assert!(matches!(result, Err(StoreError::RowOutOfBounds { row: found, .. }) if found == row), "{result:?}");
    }
}

#[test]
fn a_flipped_bit_in_a_chunk_is_named_by_row_and_shard() {
    for codec in Codec::ALL {
        let folder = tempfile::tempdir().unwrap();
        write_store(folder.path(), codec);
        let path = shard_path(folder.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[200] ^= 4;
        fs::write(&path, bytes).unwrap();
        let reader = BatchReader::open(folder.path(), 1, None).unwrap();
        let result = reader.read_into(&[0, 513], &mut vec![0.0; 2 * RECORD_VALUES]);
        assert!(
            matches!(&result, Err(StoreError::Chunk { row: 513, path: found, .. }) if *found == path),
            "{codec:?} {result:?}"
        );
    }
}

#[test]
fn a_damaged_or_cut_index_is_refused_when_the_store_is_opened() {
    for damage in [
        |bytes: &mut Vec<u8>| {
            let last = bytes.len() - 100;
            bytes[last] ^= 1;
        },
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_store(folder.path(), Codec::EcgPack);
        let path = shard_path(folder.path(), 0);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let error = BatchReader::open(folder.path(), 1, None).err().unwrap();
        assert!(error.to_string().ends_with("has a damaged index"), "{error}");
    }
}

#[test]
fn another_schema_or_layout_is_refused_with_a_hint() {
    let replacements = [("\"schema\": 1", "\"schema\": 9", "has schema 9"), ("float32", "float64", "describes another layout")];
    for (from, to, expected) in replacements {
        let folder = tempfile::tempdir().unwrap();
        write_store(folder.path(), Codec::EcgPack);
        let path = folder.path().join("signals/zarr.json");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();
        let error = BatchReader::open(folder.path(), 1, None).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
    }
}
