"""Shuffled batches of 256 out of a store."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

import hfrisk
from conftest import linked
from rounds import evict

BATCH = 256
COPY = "copying the same float32 batch from RAM"
GATHER = "gathering the same float32 recordings from RAM"
ZARR = "zarr-python oindex on the same store"


MODULUS = 2048
"""Rows of the store whose shards the large ones link to."""
OPENED_SHARDS = 1954


def shuffled(store) -> np.ndarray:
    return np.random.default_rng(3).permutation(len(store))[:BATCH].astype(np.int64)


def read_all(reader, counts, lsb) -> None:
    """Every shard repeats the same rows; all are read, so that none is still on its way into the mapping while the clock runs."""
    for first in range(0, len(reader), MODULUS):
        reader.read_counts_into(np.arange(first, first + MODULUS), counts, lsb)


@pytest.fixture
def one_and_two(large_stores):
    """Readers of 200 shards with one thread and with two."""
    readers = tuple(hfrisk.open(large_stores["ecgpack"], num_threads=num_threads) for num_threads in (1, 2))
    counts, lsb = np.empty((MODULUS, 8, 5000), np.int16), np.empty((MODULUS, 8), np.float32)
    for reader in readers:
        read_all(reader, counts, lsb)
    return readers


@pytest.mark.usefixtures("one_core")
def test_batches_to_float32(large_stores, compare):
    """Shuffled batch of 256 recordings to float32, out of 200 shards (one core, warm page cache)"""
    readers = {codec: hfrisk.open(path, num_threads=1) for codec, path in large_stores.items()}
    array = zarr.open(str(large_stores["ecgpack"] / "ecg.zarr"), mode="r")["signals"]
    rows = shuffled(readers["ecgpack"])
    out = np.empty((BATCH, 12, 5000), np.float32)
    ram = readers["none"].read(np.arange(MODULUS))
    batch, in_ram = ram[rows % MODULUS], rows % MODULUS
    for reader in readers.values():
        reader.read_into(rows, out)
        assert np.array_equal(out, batch)
    assert np.array_equal(array.oindex[rows], batch)

    contenders = {
        "hfrisk, ecgpack": lambda: readers["ecgpack"].read_into(rows, out),
        COPY: lambda: np.copyto(out, batch),
        GATHER: lambda: np.take(ram, in_ram, axis=0, out=out, mode="clip"),
        "hfrisk, none": lambda: readers["none"].read_into(rows, out),
        "hfrisk, zstd": lambda: readers["zstd"].read_into(rows, out),
        ZARR: lambda: array.oindex[rows],
    }
    # A ratio of 0.9 against the copy: decoding may take at most 1 / 0.9 of its time.
    compare(contenders, items=BATCH, unit="recordings", targets={COPY: 0.9, ZARR: 10})


@pytest.mark.usefixtures("one_core")
def test_batches_to_int16(large_stores, compare):
    """Shuffled batch of 256 recordings to int16 counts, out of 200 shards (one core, warm page cache)"""
    reader = hfrisk.open(large_stores["ecgpack"], num_threads=1)
    rows = shuffled(reader)
    in_ram = rows % MODULUS
    out, lsb = np.empty((BATCH, 8, 5000), np.int16), np.empty((BATCH, 8), np.float32)
    ram, all_lsb = np.empty((MODULUS, 8, 5000), np.int16), np.empty((MODULUS, 8), np.float32)
    read_all(reader, ram, all_lsb)
    reader.read_counts_into(rows, out, lsb)
    assert np.array_equal(out, ram[in_ram])
    held = reader.holding(rows)
    gather = "gathering the same int16 from RAM"
    compare(
        {
            "hfrisk, ecgpack": lambda: reader.read_counts_into(rows, out, lsb),
            gather: lambda: np.take(ram, in_ram, axis=0, out=out, mode="clip"),
            "hfrisk, ecgpack held in memory": lambda: held.read_counts_into(rows, out, lsb),
        },
        items=BATCH,
        unit="recordings",
        targets={gather: 0.8},
        rounds=51,
    )


@pytest.fixture
def second_thread():
    """A thread of Python's for the other half of a copy."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_batches_with_two_threads(one_and_two, compare, second_thread):
    """Shuffled batch of 256 recordings to float32, out of 200 shards, with two threads against one"""
    one, two = one_and_two
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
        rounds=51,
        note="What memory has left for a second thread is what the two copies differ by.",
    )
    two.read_into(rows, out)
    assert np.array_equal(out, batch)


def test_int16_batches_with_two_threads(one_and_two, compare):
    """Shuffled batch of 256 recordings to int16 counts, out of 200 shards, with two threads against one"""
    one, two = one_and_two
    rows = shuffled(one)
    out, lsb = np.empty((BATCH, 8, 5000), np.int16), np.empty((BATCH, 8), np.float32)
    one.read_counts_into(rows, out, lsb)
    expected = out.copy()
    compare(
        {"two threads": lambda: two.read_counts_into(rows, out, lsb), "one thread": lambda: one.read_counts_into(rows, out, lsb)},
        items=BATCH,
        unit="recordings",
        targets={"one thread": 1.8},
        rounds=51,
    )
    two.read_counts_into(rows, out, lsb)
    assert np.array_equal(out, expected)


@pytest.mark.usefixtures("one_core")
def test_cold_batches(stores, compare):
    """Shuffled batch of 256 recordings to float32 from the disk, evicted from the page cache before (one core)"""
    readers = {codec: hfrisk.open(path, num_threads=1, access="pread") for codec, path in stores.items() if codec != "zstd"}
    files = [path for store in stores.values() for path in (store / "ecg.zarr/signals/c").glob("*/0/0")]
    rows = shuffled(readers["ecgpack"])
    out = np.empty((BATCH, 12, 5000), np.float32)

    compare(
        {
            "hfrisk, ecgpack": lambda: readers["ecgpack"].read_into(rows, out),
            "hfrisk, none": lambda: readers["none"].read_into(rows, out),
        },
        items=BATCH,
        unit="recordings",
        targets={"hfrisk, none": 2},
        rounds=7,
        before=lambda: evict(files),
    )


def test_open(stores, compare, tmp_path, benchmark):
    """Open a store of 1 000 448 rows in 1 954 shards (warm)"""
    large = linked(stores["ecgpack"], tmp_path / "million", num_shards=OPENED_SHARDS)
    medians = compare(
        {f"access {access!r}": lambda access=access: hfrisk.open(large, num_threads=1, access=access) for access in ("mapped", "pread")},
        items=1,
        unit="stores",
        rounds=5,
    )
    assert len(hfrisk.open(large)) == OPENED_SHARDS * 512
    slowest = max(medians.values())
    benchmark.extra_info["notes"] = [f"Slowest {slowest:.3f} s; target under 1 s: {'met' if slowest < 1 else '**missed**'}."]


def test_unpack_with_tensor_operations(stores, compare):
    """Decode 64 recordings to float32 on the CPU: tensor operations, as the device does it, against the Rust decoder (one thread)"""
    torch = pytest.importorskip("torch")
    from hfrisk.batches.packed import PackedSet

    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    store = hfrisk.open(stores["ecgpack"], num_threads=1)
    rows = shuffled(store)[:64]
    packed = PackedSet.load(store, rows, torch.device("cpu"))
    out, on_device = np.empty((64, 12, 5000), np.float32), torch.from_numpy(rows)
    store.read_into(rows, out)
    assert np.array_equal(packed.draw(rows, on_device).numpy(), out)
    compare(
        {"tensor operations, eager": lambda: packed.draw(rows, on_device), "Rust": lambda: store.read_into(rows, out)},
        items=64,
        unit="recordings",
        rounds=7,
    )
    torch.set_num_threads(num_threads)
