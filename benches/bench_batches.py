"""Shuffled batches of 256 out of a store."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

import hfrisk

BATCH = 256
COPY = "copying the same float32 batch from RAM"
GATHER = "gathering the same float32 recordings from RAM"
ZARR = "zarr-python oindex on the same store"


def shuffled(store) -> np.ndarray:
    return np.random.default_rng(3).permutation(len(store))[:BATCH].astype(np.int64)


@pytest.mark.usefixtures("one_core")
def test_batches_to_float32(stores, compare):
    """Shuffled batch of 256 recordings to float32 (one core, warm page cache)"""
    readers = {codec: hfrisk.open(path, num_threads=1) for codec, path in stores.items()}
    array = zarr.open(str(stores["ecgpack"] / "ecg.zarr"), mode="r")["signals"]
    rows = shuffled(readers["ecgpack"])
    out = np.empty((BATCH, 12, 5000), np.float32)
    ram = readers["none"].read(np.arange(len(readers["none"])))
    batch = ram[rows]
    for reader in readers.values():
        reader.read_into(rows, out)
        assert np.array_equal(out, batch)
    assert np.array_equal(array.oindex[rows], batch)

    contenders = {
        "hfrisk, ecgpack": lambda: readers["ecgpack"].read_into(rows, out),
        COPY: lambda: np.copyto(out, batch),
        GATHER: lambda: np.take(ram, rows, axis=0, out=out, mode="clip"),
        "hfrisk, none": lambda: readers["none"].read_into(rows, out),
        "hfrisk, zstd": lambda: readers["zstd"].read_into(rows, out),
        ZARR: lambda: array.oindex[rows],
    }
    # A ratio of 0.9 against the copy: decoding may take at most 1 / 0.9 of its time.
    compare(contenders, items=BATCH, unit="recordings", targets={COPY: 0.9, ZARR: 10})


@pytest.mark.usefixtures("one_core")
def test_batches_to_int16(stores, compare):
    """Shuffled batch of 256 recordings to int16 counts (one core, warm page cache)"""
    reader = hfrisk.open(stores["ecgpack"], num_threads=1)
    rows = shuffled(reader)
    out, lsb = np.empty((BATCH, 8, 5000), np.int16), np.empty((BATCH, 8), np.float32)
    ram, all_lsb = np.empty((len(reader), 8, 5000), np.int16), np.empty((len(reader), 8), np.float32)
    reader.read_counts_into(np.arange(len(reader)), ram, all_lsb)
    reader.read_counts_into(rows, out, lsb)
    assert np.array_equal(out, ram[rows])
    gather = "gathering the same int16 from RAM"
    compare(
        {
            "hfrisk, ecgpack": lambda: reader.read_counts_into(rows, out, lsb),
            gather: lambda: np.take(ram, rows, axis=0, out=out, mode="clip"),
        },
        items=BATCH,
        unit="recordings",
        targets={gather: 0.8},
    )


@pytest.fixture
def second_thread():
    """A thread of Python's for the other half of a copy."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_batches_with_two_threads(stores, compare, second_thread):
    """Shuffled batch of 256 recordings to float32 with two threads against one"""
    one, two = (hfrisk.open(stores["ecgpack"], num_threads=n) for n in (1, 2))
    rows = shuffled(one)
    out = np.empty((BATCH, 12, 5000), np.float32)
    batch = one.read(rows)

    def copy_halves() -> None:
        other = second_thread.submit(np.copyto, out[BATCH // 2 :], batch[BATCH // 2 :])
        np.copyto(out[: BATCH // 2], batch[: BATCH // 2])
        other.result()

    # What two threads can gain is what memory has left: the two copies show it.
    compare(
        {
            "two threads": lambda: two.read_into(rows, out),
            "one thread": lambda: one.read_into(rows, out),
            COPY: lambda: np.copyto(out, batch),
            "copying the same batch with two threads": copy_halves,
        },
        items=BATCH,
        unit="recordings",
        targets={"one thread": 1.8},
    )
    two.read_into(rows, out)
    assert np.array_equal(out, batch)


def test_int16_batches_with_two_threads(stores, compare):
    """Shuffled batch of 256 recordings to int16 counts with two threads against one"""
    one, two = (hfrisk.open(stores["ecgpack"], num_threads=n) for n in (1, 2))
    rows = shuffled(one)
    out, lsb = np.empty((BATCH, 8, 5000), np.int16), np.empty((BATCH, 8), np.float32)
    one.read_counts_into(rows, out, lsb)
    expected = out.copy()
    compare(
        {"two threads": lambda: two.read_counts_into(rows, out, lsb), "one thread": lambda: one.read_counts_into(rows, out, lsb)},
        items=BATCH,
        unit="recordings",
        targets={"one thread": 1.8},
    )
    two.read_counts_into(rows, out, lsb)
    assert np.array_equal(out, expected)
