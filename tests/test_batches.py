"""The stream of batches: its order, its resumption, and that it leaves nothing behind."""

import gc
import os
import threading
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hfrisk.batches import BatchStream, Examples, balanced_weights, epoch_order
from hfrisk.errors import DataError, StoreError


class CountingStore:
    """Row r reads as the constant r, so a batch shows which rows it holds; rows in `empty` read as fill."""

    def __init__(self, num_rows, empty=()):
        self.num_rows = num_rows
        self.empty = empty
        self.num_reads = 0

    def __len__(self):
        return self.num_rows

    def read_into(self, rows, out):
        self.num_reads += 1
        out[:] = np.where(np.isin(rows, self.empty), np.nan, rows.astype(np.float32))[:, None, None]


def examples_of(num_rows, *, tabular=False):
    rows = np.arange(num_rows)[::-1].copy()
    return Examples(rows, (rows % 3 == 0).astype(np.float32), np.stack([rows, -rows], axis=1).astype(np.float32) if tabular else None)


def stream_of(num_rows=10, **settings):
    return BatchStream(CountingStore(num_rows), examples_of(num_rows), **{"batch_size": 4, "seed": 3, **settings})


def rows_of(batches):
    return [batch.rows.tolist() for batch in batches]


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name == "hfrisk-batches"]


@given(num=st.integers(1, 200), seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
def test_the_order_is_a_permutation_and_a_pure_function(num, seed, epoch):
    order = epoch_order(num, seed=seed, epoch=epoch)
    assert sorted(order) == list(range(num))
    assert (order == epoch_order(num, seed=seed, epoch=epoch)).all()


def test_every_epoch_and_seed_has_its_own_order():
    orders = {tuple(epoch_order(50, seed=seed, epoch=epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_the_shuffle_is_global():
    order = epoch_order(100_000, seed=0, epoch=0)
    displacement = np.abs(order - np.arange(len(order))).mean()
    assert displacement == pytest.approx(len(order) / 3, rel=0.02)  # what a uniform permutation has


def test_weighted_sampling_draws_both_classes_equally():
    y = (np.arange(20_000) % 50 == 0).astype(np.float32)
    drawn = epoch_order(len(y), seed=0, epoch=0, weights=balanced_weights(y))
    assert y[drawn].mean() == pytest.approx(0.5, abs=0.02)
    assert len(drawn) == len(y)


def test_an_example_of_weight_zero_is_never_drawn():
    drawn = epoch_order(5_000, seed=0, epoch=0, weights=np.arange(5_000) % 2 * 1.0)
    assert (drawn % 2 == 1).all()


def test_a_batch_holds_the_signal_features_and_outcome_of_its_rows():
    stream = BatchStream(CountingStore(9), examples_of(9, tabular=True), batch_size=4, seed=1)
    for batch in stream.batches(0):
        rows = torch.from_numpy(batch.rows).float()
        assert batch.x_BLT.shape == (len(rows), 12, 5000)
        assert (batch.x_BLT == rows[:, None, None]).all()
        assert (batch.x_BF == torch.stack([rows, -rows], dim=1)).all()
        assert (batch.y == (rows % 3 == 0).float()).all()


def test_an_epoch_holds_every_row_once_with_a_shorter_last_batch():
    batches = rows_of(stream_of().batches(0))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(chain.from_iterable(batches)) == list(range(10))


def test_batches_may_be_kept():
    batches = list(stream_of(40).batches(0))
    assert all((batch.x_BLT[:, 0, 0].numpy() == batch.rows).all() for batch in batches)


def test_an_unshuffled_stream_keeps_the_order_of_the_examples():
    assert list(chain.from_iterable(rows_of(stream_of(shuffle=False).batches(5)))) == list(range(10))[::-1]


def test_the_same_epoch_can_be_read_twice():
    stream = stream_of()
    assert rows_of(stream.batches(0)) == rows_of(stream.batches(0))


def test_a_stream_without_a_store_reads_no_signal():
    stream = BatchStream(None, examples_of(6, tabular=True), batch_size=4)
    assert all(batch.x_BLT is None and batch.x_BF is not None for batch in stream.batches(0))


@pytest.mark.parametrize("num_taken", range(4))
def test_a_resumed_stream_goes_on_bit_for_bit(num_taken):
    whole = [*stream_of().batches(0), *stream_of().batches(1)]
    first = stream_of()
    iterator = first.batches(0)
    taken = [next(iterator) for _ in range(num_taken)]
    second = stream_of()
    second.load_state_dict(first.state_dict())
    iterator.close()
    rest = [*second.batches(0), *second.batches(1)]
    assert rows_of([*taken, *rest]) == rows_of(whole)
    assert all(torch.equal(left.x_BLT, right.x_BLT) for left, right in zip(taken + rest, whole, strict=True))


def test_the_state_is_five_integers_and_counts_batches_handed_out_not_read_ahead():
    stream = stream_of(40)
    iterator = stream.batches(2)
    next(iterator)
    next(iterator)
    assert stream.state_dict() == {"version": 1, "seed": 3, "epoch": 2, "position": 2, "world_size": 1}
    iterator.close()


@pytest.mark.parametrize("planted", [{"seed": 4}, {"world_size": 2}, {"version": 0}])
def test_a_state_of_other_settings_is_refused(planted):
    with pytest.raises(DataError, match=next(iter(planted))):
        stream_of().load_state_dict({**stream_of().state_dict(), **planted})


@given(num=st.integers(1, 60), world_size=st.integers(1, 4), batch_size=st.integers(1, 7))
def test_ranks_get_disjoint_equal_shares(num, world_size, batch_size):
    streams = [
        BatchStream(None, examples_of(num), batch_size=batch_size, seed=1, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    shares = [rows_of(stream.batches(0)) for stream in streams]
    assert {len(share) for share in shares} == {streams[0].num_batches}
    rows = [row for share in shares for batch in share for row in batch]
    assert len(rows) == len(set(rows)) == num // world_size * world_size


def test_what_does_not_fill_a_round_of_the_ranks_is_another_in_every_epoch():
    streams = [BatchStream(None, examples_of(11), batch_size=2, seed=1, rank=rank, world_size=3) for rank in range(3)]
    seen = [{row for stream in streams for batch in rows_of(stream.batches(epoch)) for row in batch} for epoch in range(6)]
    assert {len(rows) for rows in seen} == {9}
    assert set().union(*seen) == set(range(11))


def test_ranks_together_draw_what_one_process_draws():
    one = list(chain.from_iterable(rows_of(stream_of(12, batch_size=6).batches(0))))
    two = [rows_of(stream_of(12, batch_size=3, rank=rank, world_size=2).batches(0)) for rank in range(2)]
    for number in range(2):
        assert sorted(two[0][number] + two[1][number]) == sorted(one[6 * number : 6 * number + 6])


def threads_and_memory():
    """Threads of the process, Rust's too, and the megabytes of RAM that it holds."""
    resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return sum(1 for _ in Path("/proc/self/task").iterdir()), resident_pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted by Linux")
def test_leaving_the_loop_early_many_times_leaks_neither_threads_nor_memory():
    def leave(times):
        for _ in range(times):
            for _batch in stream_of(400).batches(0):
                break
        gc.collect()

    leave(10)
    threads, megabytes = threads_and_memory()
    leave(100)  # at least 300 buffers of a megabyte
    threads_after, megabytes_after = threads_and_memory()
    assert threads_after <= threads
    assert megabytes_after - megabytes < 50


def test_leaving_the_loop_early_stops_the_thread():
    for _ in stream_of(400).batches(0):
        assert len(our_threads()) == 1
        break
    gc.collect()
    assert our_threads() == []


def test_leaving_waits_for_the_read_under_way_and_begins_no_other():
    gate = threading.Event()

    class GatedStore(CountingStore):
        def read_into(self, rows, out):
            super().read_into(rows, out)
            if self.num_reads == 2:
                gate.wait()

    store = GatedStore(400)
    iterator = BatchStream(store, examples_of(400), batch_size=4).batches(0)
    next(iterator)
    opener = threading.Timer(0.5, gate.set)
    opener.start()
    iterator.close()
    assert gate.is_set()
    assert store.num_reads == 2
    assert our_threads() == []
    opener.join()


def test_an_error_in_the_loop_stops_the_thread():
    def consume():
        for _ in stream_of(400).batches(0):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        consume()
    gc.collect()
    assert our_threads() == []


def test_the_reader_runs_ahead_by_the_ring_and_no_further():
    store = CountingStore(400)
    iterator = BatchStream(store, examples_of(400), batch_size=4, num_buffers=3).batches(0)
    next(iterator)
    for thread in our_threads():
        thread.join(0.2)  # time to run away, if it did
    assert store.num_reads <= 4
    iterator.close()


def test_an_error_of_the_store_reaches_the_loop():
    class BrokenStore(CountingStore):
        def read_into(self, _rows, _out):
            raise StoreError("shard 3 is damaged")

    with pytest.raises(StoreError, match="shard 3"):
        next(BatchStream(BrokenStore(8), examples_of(8), batch_size=4).batches(0))


def test_a_row_without_a_recording_is_refused():
    with pytest.raises(DataError, match="row 5 of the store holds no recording"):
        list(BatchStream(CountingStore(8, empty=[5]), examples_of(8), batch_size=4).batches(0))


def test_a_row_beyond_the_store_is_refused_at_once():
    with pytest.raises(DataError, match="row 9, the store has 5"):
        BatchStream(CountingStore(5), examples_of(10), batch_size=4)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("begun", [False, True])
def test_a_forked_child_is_told_so(begun):
    stream = stream_of(40)
    iterator = stream.batches(0)
    if begun:
        next(iterator)
    child = os.fork()
    if child == 0:
        try:
            next(iterator)
        except StoreError as error:
            os._exit(0 if "fork" in error.message else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    iterator.close()
