"""Signals read from disk, held in memory or held packed on the device: the same batches bit for bit, and a choice that says why."""

import struct
import zlib

import numpy as np
import pytest
import torch

import hfrisk
import muse_xml
from hfrisk.batches import BatchStream, Examples, place_signals
from hfrisk.batches import residency as module
from hfrisk.batches.feed import CountFeed
from hfrisk.batches.packed import PackedSet
from hfrisk.convert import convert
from hfrisk.errors import ConfigError, DataError, NotCountsError, StoreError

CPU = torch.device("cpu")
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ROWS = np.array([0, 1, 3, 4, 5, 6])
TWELVE_LEADS, TWO_GAINS, EMPTY = 4, 3, 2


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Seven rows: eight leads of one gain, but for one without a recording, one of two gains and one of twelve independent leads."""
    folder = tmp_path_factory.mktemp("xml")
    for row in range(7):
        leads = muse_xml.random_leads(row, names=TWELVE if row == TWELVE_LEADS else muse_xml.STORED_LEADS)
        gain = {lead: 2.5 if lead == "II" else 4.88 for lead in leads} if row == TWO_GAINS else 4.88
        (folder / f"{row}.xml").write_bytes(b"" if row == EMPTY else muse_xml.muse_xml(leads, gain=gain))
    out = tmp_path_factory.mktemp("store")
    convert(folder, out)
    return out


@pytest.fixture
def store(out):
    return hfrisk.open(out, num_threads=1)


def examples_of(rows):
    return Examples(rows, (rows % 2).astype(np.float32), np.stack([rows, -rows], axis=1).astype(np.float32))


def batches_of(signals, rows=ROWS, **settings):
    return list(BatchStream(signals, examples_of(rows), **{"batch_size": 4, "seed": 5, **settings}).batches(0))


def placed(store, kind, rows=ROWS):
    """`gpu` on the CPU, which a user cannot ask for: the tensor operations are the same on every device."""
    if kind == "gpu":
        return module.Signals(PackedSet.load(store, rows, CPU), "gpu", "")
    residency, transport = kind.split("/")
    return place_signals(store, rows, CPU, residency=residency, transport=transport)


@pytest.mark.parametrize("kind", ["gpu", "ram/float32", "ram/int16", "stream/int16", "stream/float32"])
def test_every_residency_and_transport_gives_the_same_batches_bit_for_bit(store, kind):
    for found, expected in zip(batches_of(placed(store, kind)), batches_of(store), strict=True):
        assert found.x_BLT.dtype == torch.float32
        assert torch.equal(found.x_BLT.view(torch.int32), expected.x_BLT.view(torch.int32))
        assert torch.equal(found.x_BF, expected.x_BF)
        assert torch.equal(found.y, expected.y)
        assert np.array_equal(found.rows, expected.rows)


@pytest.mark.parametrize("kind", ["gpu", "ram/int16"])
def test_a_resumed_stream_goes_on_bit_for_bit_wherever_the_signals_are(store, kind):
    signals = placed(store, kind)
    whole = batches_of(signals)
    first = BatchStream(signals, examples_of(ROWS), batch_size=4, seed=5)
    iterator = first.batches(0)
    next(iterator)
    second = BatchStream(signals, examples_of(ROWS), batch_size=4, seed=5)
    second.load_state_dict(first.state_dict())
    iterator.close()
    (rest,) = second.batches(0)
    assert torch.equal(rest.x_BLT, whole[1].x_BLT)


def test_with_signals_on_the_device_an_epoch_sends_nothing_but_its_order(store, monkeypatch):
    stream = BatchStream(placed(store, "gpu"), examples_of(ROWS), batch_size=4, seed=5)
    list(stream.batches(0))
    sent = []
    for name in ("from_numpy", "tensor", "as_tensor"):
        as_written = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda data, *a, _f=as_written, **k: (sent.append(np.shape(data)), _f(data, *a, **k))[1])
    list(stream.batches(1))
    assert sent == [ROWS.shape]
    list(BatchStream(store, examples_of(ROWS), batch_size=4, seed=5).batches(1))
    assert len(sent) > 2  # what is read from the host is seen


def test_counts_go_as_int16_where_all_of_a_batch_are_counts(store):
    feed = CountFeed(store)
    sent = feed.fill(feed.new_buffers(4, pinned=False), np.array([0, TWO_GAINS]))
    assert [part.dtype for part in sent] == [torch.int16, torch.float32]
    assert sent[0].shape == (2, 8, 5000)


def test_a_batch_with_twelve_independent_leads_goes_as_float32(store):
    with pytest.raises(NotCountsError, match=f"row {TWELVE_LEADS} in"):
        store.read_counts_into([TWELVE_LEADS], np.empty((1, 8, 5000), np.int16), np.empty((1, 8), np.float32))
    feed = CountFeed(store)
    (sent,) = feed.fill(feed.new_buffers(4, pinned=False), np.array([0, TWELVE_LEADS]))
    assert np.array_equal(sent.numpy(), store.read([0, TWELVE_LEADS]))


@pytest.mark.parametrize("kind", ["gpu", "ram/float32", "ram/int16", "stream/int16"])
def test_a_row_without_a_recording_is_refused_everywhere(store, kind):
    with pytest.raises(DataError, match=f"row {EMPTY} "):
        batches_of(placed(store, kind, np.arange(7)), np.arange(7))


def test_held_signals_do_not_need_the_files(store, out):
    held = hfrisk.open(out, num_threads=1, access="pread").holding(ROWS[1:])
    expected = store.read(ROWS[1:])
    shard = out / "ecg.zarr/signals/c/0/0/0"
    content = shard.read_bytes()
    try:
        shard.write_bytes(bytes(len(content)))
        assert np.array_equal(held.read(ROWS[1:]), expected)
        with pytest.raises(StoreError, match="row 0 in"):
            held.read([0])
    finally:
        shard.write_bytes(content)


class Chunks:
    """Chunks by row, as a store gives them."""

    def __init__(self, *chunks):
        self.chunks = chunks

    def __len__(self):
        return len(self.chunks)

    def chunk_bytes(self, rows):
        return np.array([len(self.chunks[row]) for row in rows], np.int64)

    def read_chunks_into(self, rows, out):
        out[:] = np.frombuffer(b"".join(self.chunks[row] for row in rows), np.uint8)


def test_chunks_of_floats_are_refused_on_the_device_with_a_hint():
    head = b"EPK\x01" + struct.pack("<BBHI", 1, 12, 0, 5000)
    chunk = head + struct.pack("<I", zlib.crc32(bytes(48), zlib.crc32(head))) + bytes(48)
    with pytest.raises(DataError, match="row 0 of the store is stored as floats") as caught:
        PackedSet.load(Chunks(chunk), np.array([0]), CPU)
    assert "ram" in caught.value.hint


def test_a_set_larger_than_a_piece_is_loaded_whole(store, monkeypatch):
    expected = PackedSet.load(store, ROWS, CPU)
    monkeypatch.setattr("hfrisk.batches.packed._PIECE_BYTES", 1)
    found = PackedSet.load(store, np.array([6, 5, 4, 3, 1, 0, 0]), CPU)
    drawn = np.array([5, 0, 4])
    assert torch.equal(found.draw(drawn, torch.from_numpy(drawn)), expected.draw(drawn, torch.from_numpy(drawn)))
    assert found.num_bytes == expected.num_bytes == store.chunk_bytes(ROWS).sum() + 32


def test_a_stream_of_rows_that_were_not_loaded_is_refused(store):
    signals = placed(store, "gpu", ROWS[:3])
    with pytest.raises(DataError, match="row 4 of the store, one of 3, is not in the set"):
        BatchStream(signals, examples_of(ROWS), batch_size=4)


def test_rows_beyond_the_store_are_refused(store):
    with pytest.raises(DataError, match="row 7, the store has 7"):
        place_signals(store, np.array([7]), CPU)


def test_auto_holds_in_memory_what_fits_and_says_so(store):
    signals = place_signals(store, ROWS, CPU)
    assert signals.residency == "ram"
    assert "6 recordings" in signals.reason
    assert "at most half of" in signals.reason


def test_auto_streams_what_does_not_fit_and_says_so(store, monkeypatch):
    monkeypatch.setattr(module, "available_memory", lambda: 1000)
    signals = place_signals(store, ROWS, CPU)
    assert signals.residency == "stream"
    assert "more than half of" in signals.reason


def test_processes_of_one_machine_share_its_memory(store, monkeypatch):
    num_bytes = int(store.chunk_bytes(ROWS).sum())
    monkeypatch.setattr(module, "available_memory", lambda: 3 * num_bytes)
    assert [place_signals(store, ROWS, CPU, num_processes=number).residency for number in (1, 2)] == ["ram", "stream"]


def test_auto_takes_the_device_when_the_set_fits_into_half_of_what_is_free(store, monkeypatch):
    device = torch.device("cuda", 0)
    num_bytes = int(store.chunk_bytes(ROWS).sum())
    loaded = []
    monkeypatch.setattr(module.PackedSet, "load", lambda *arguments: loaded.append(arguments))
    for free, expected in ((2 * num_bytes, "gpu"), (2 * num_bytes - 2, "ram")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device, free=free: (free, 80 << 30))
        assert place_signals(store, ROWS, device).residency == expected
    assert len(loaded) == 1


def test_auto_falls_back_where_the_device_cannot_decode(store, monkeypatch):
    def refuse(*_):
        raise DataError("row 3 of the store is stored as floats")

    monkeypatch.setattr(module.PackedSet, "load", refuse)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (80 << 30, 80 << 30))
    signals = place_signals(store, ROWS, torch.device("cuda", 0))
    assert signals.residency == "ram"
    assert "stored as floats" in signals.reason


def test_gpu_without_a_gpu_is_a_mistake_of_the_study_file(store):
    with pytest.raises(ConfigError, match="batches go to the CPU") as caught:
        place_signals(store, ROWS, CPU, residency="gpu")
    assert "ram" in caught.value.hint
