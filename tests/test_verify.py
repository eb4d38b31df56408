"""`hfrisk-convert --verify`: a sound store passes, and nothing that is damaged does."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import hfrisk
import muse_xml
from hfrisk.convert import convert, finish, verify
from hfrisk.errors import StoreError

SHARD_FOOTER_BYTES = 512 * 16 + 4
EMPTY = 2**64 - 1
CODECS = ("ecgpack", "zstd", "none")


@pytest.fixture(scope="module")
def sound_stores(tmp_path_factory):
    """Of each codec a store of three recordings and a rejection, in two generations."""
    folder = tmp_path_factory.mktemp("xml")
    stores = {codec: tmp_path_factory.mktemp(codec) for codec in CODECS}
    for row in range(2):
        (folder / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
    (folder / "empty.xml").touch()
    for codec, out in stores.items():
        convert(folder, out, codec=codec)
    (folder / "2.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(2)))
    for codec, out in stores.items():
        convert(folder, out, codec=codec)
    return stores


@pytest.fixture(scope="module")
def sound(sound_stores):
    return sound_stores["ecgpack"]


@pytest.fixture
def store(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "store")


def flip(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def test_a_sound_store_has_no_damage(sound):
    found = verify(sound)
    assert found.damages == []
    assert (found.num_rows, found.num_recordings) == (513, 3)
    assert found.num_bytes > 3 * 20_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_flipped_bit_in_any_file_is_found(sound_stores, tmp_path, codec):
    store = shutil.copytree(sound_stores[codec], tmp_path / "store")
    rng = np.random.default_rng(1)
    files = sorted(path for path in store.rglob("*") if path.is_file())
    assert len(files) == 11
    for path in files:
        before = path.read_bytes()
        ends = [0, len(before) - 1]
        for position in [*ends, *rng.integers(0, len(before), 12)]:
            flip(path, int(position), int(rng.integers(8)))
            names = {damage.file for damage in verify(store, num_threads=1).damages}
            assert path.relative_to(store).as_posix() in names or path.name == "checksums.txt", (path, position)
            assert names, (path, position)
            path.write_bytes(before)
    assert verify(store).damages == []


@pytest.mark.parametrize("codec", CODECS)
def test_a_flipped_bit_anywhere_in_a_shard_names_the_row_whose_chunk_or_index_it_is(sound_stores, tmp_path, codec):
    store = shutil.copytree(sound_stores[codec], tmp_path / "store")
    path = store / "ecg.zarr/signals/c/0/0/0"
    before = path.read_bytes()
    places = np.frombuffer(before[-SHARD_FOOTER_BYTES:-4], "<u8").reshape(512, 2)
    chunks = [(int(offset), int(offset + length)) for offset, length in places if offset != EMPTY]
    assert [begin for begin, _ in chunks] == [0, chunks[0][1]]
    assert chunks[-1][1] == len(before) - SHARD_FOOTER_BYTES
    rng = np.random.default_rng(2)
    for row, (begin, end) in enumerate(chunks):
        for position in [begin, end - 1, *rng.integers(begin, end, 40)]:
            flip(path, int(position), int(rng.integers(8)))
            assert [damage.row for damage in verify(store, num_threads=1).damages] == [None, row], (codec, position)
            path.write_bytes(before)
    for position in [len(before) - SHARD_FOOTER_BYTES, len(before) - 1, *rng.integers(chunks[-1][1], len(before), 20)]:
        flip(path, int(position), int(rng.integers(8)))
        problems = [damage.problem for damage in verify(store, num_threads=1).damages]
        assert "has a damaged index" in problems, (codec, position)
        path.write_bytes(before)
    assert verify(store).damages == []


def test_a_shard_that_was_damaged_before_the_store_was_closed_is_found(tmp_path):
    (tmp_path / "xml").mkdir()
    for row in range(513):
        (tmp_path / "xml" / f"{row}.xml").write_bytes(b"" if row % 512 else muse_xml.muse_xml(muse_xml.random_leads(row)))
    for part in (1, 2):
        convert(tmp_path / "xml", tmp_path / "out", part=(part, 2))
        if part == 1:
            flip(tmp_path / "out/ecg.zarr/signals/c/0/0/0", 100)
    finish(tmp_path / "out")
    name = "ecg.zarr/signals/c/0/0/0"
    assert (name, "differs from its checksum") in {(damage.file, damage.problem) for damage in verify(tmp_path / "out").damages}


def test_a_damaged_row_is_named_with_its_shard(store):
    flip(store / "ecg.zarr/signals/c/0/0/0", 30_000)
    damages = verify(store).damages
    assert [(damage.file, damage.row) for damage in damages] == [("ecg.zarr/signals/c/0/0/0", None), ("ecg.zarr/signals/c/0/0/0", 1)]


def test_a_missing_and_a_foreign_file_are_found(store):
    (store / "records/part-00001.parquet").rename(store / "records/part-00007.parquet")
    problems = {damage.file: damage.problem for damage in verify(store).damages}
    assert problems["records/part-00001.parquet"] == "is missing"
    assert problems["records/part-00007.parquet"] == "is not a file of this store"


def test_a_shard_of_another_store_is_found_although_its_checksums_are_right(store, tmp_path):
    (tmp_path / "xml").mkdir()
    for row in range(2):
        (tmp_path / "xml" / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(7 + row)))
    convert(tmp_path / "xml", tmp_path / "other")
    name = "ecg.zarr/signals/c/0/0/0"
    shutil.copy(tmp_path / "other" / name, store / name)
    lines = {line.split("  ")[1]: line for line in (tmp_path / "other/checksums.txt").read_text().splitlines()}
    listed = (store / "checksums.txt").read_text().splitlines()
    text = "".join(f"{lines[name] if line.endswith(name) else line}\n" for line in listed)
    (store / "checksums.txt").write_text(text)
    damages = verify(store).damages
    assert [(damage.row, damage.problem) for damage in damages] == [
        (row, "holds another signal than its payload_hash says") for row in (0, 1)
    ]


def test_the_command_prints_each_damage_and_fails(store):
    command = [sys.executable, "-m", "hfrisk.convert", "--verify", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "is sound: 3 recordings in 513 rows" in done.stderr
    flip(store / "ecg.zarr/signals/c/1/0/0", 100)
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ecg.zarr/signals/c/1/0/0, row 512: " in done.stderr
    assert "error: the store at" in done.stderr
    assert "hint: " in done.stderr
    assert json.loads(done.stdout)["damages"][1]["row"] == 512


def test_verifying_changes_nothing(store):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.rglob("*") if path.is_file()}
    verify(store)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.rglob("*") if path.is_file()} == before


def test_an_incomplete_store_is_refused_unless_asked_for(store):
    (store / "checksums.txt").unlink()
    for refused in (verify, hfrisk.open):
        with pytest.raises(StoreError, match="not complete"):
            refused(store)
    assert np.isfinite(hfrisk.open(store, allow_incomplete=True).read([0])).all()


def test_progress_counts_rows(store):
    command = [sys.executable, "-m", "hfrisk.convert", "--verify", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "4 of 4 rows (100 %), " in done.stderr
    assert " rows/s, " in done.stderr
    assert "files/s" not in done.stderr


def test_an_exception_of_the_listener_stops_it(store):
    def listener(progress):
        raise LookupError(f"{progress.num_files}")

    with pytest.raises(LookupError):
        verify(store, on_progress=listener)
