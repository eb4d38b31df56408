"""How the signals of a batch get from the store to the device: as float32, or as counts that the device turns into microvolts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from hfrisk.batches.unpack import counts_to_microvolts
from hfrisk.errors import DataError, NotCountsError
from hfrisk.store import NUM_COUNT_LEADS, NUM_LEADS, NUM_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hfrisk.batches.examples import CountSource, SignalSource


class Feed(Protocol):
    """Fills a buffer on the host by one thread, and turns what the device got of it into signals on another."""

    def new_buffers(self, batch_size: int, *, pinned: bool) -> tuple[Tensor, ...]:
        """Make what `fill` writes to, for at most `batch_size` recordings."""
        ...

    def fill(self, buffers: tuple[Tensor, ...], rows: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Read `rows`, and return what is to be sent to the device.

        Raises:
            DataError: A row holds no recording.
            StoreError: A row cannot be read.
        """
        ...

    def signals(self, sent: tuple[Tensor, ...]) -> Tensor:
        """Turn what was sent into signals, float32 (B, 12, T) in µV."""
        ...


class MicrovoltFeed:
    """Float32 all the way: decoded on the host, 240 KB a recording to the device."""

    def __init__(self, store: SignalSource) -> None:
        self._store = store

    def new_buffers(self, batch_size: int, *, pinned: bool) -> tuple[Tensor, ...]:
        """Make room for microvolts."""
        return (torch.empty((batch_size, NUM_LEADS, NUM_SAMPLES), pin_memory=pinned),)

    def fill(self, buffers: tuple[Tensor, ...], rows: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Read microvolts."""
        signals = buffers[0][: len(rows)]
        self._store.read_into(rows, signals.numpy())
        _refuse_empty(rows, np.isnan(signals[:, 0, 0].numpy()))
        return (signals,)

    def signals(self, sent: tuple[Tensor, ...]) -> Tensor:
        """Return what was sent."""
        return sent[0]


class CountFeed:
    """Counts of eight leads and their gains: 80 KB a recording to the device, which scales them and derives the other four leads.

    The signals are those of `MicrovoltFeed` bit for bit. A batch that has a recording which is not stored as counts of eight leads goes as
    float32.
    """

    def __init__(self, store: CountSource) -> None:
        self._store = store
        self._as_microvolts = MicrovoltFeed(store)

    def new_buffers(self, batch_size: int, *, pinned: bool) -> tuple[Tensor, ...]:
        """Make room for counts and gains."""
        return (
            torch.empty((batch_size, NUM_COUNT_LEADS, NUM_SAMPLES), dtype=torch.int16, pin_memory=pinned),
            torch.empty((batch_size, NUM_COUNT_LEADS), pin_memory=pinned),
        )

    def fill(self, buffers: tuple[Tensor, ...], rows: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Read counts and gains, or microvolts where there are no counts."""
        counts, lsb_uv = (buffer[: len(rows)] for buffer in buffers)
        try:
            self._store.read_counts_into(rows, counts.numpy(), lsb_uv.numpy())
        except NotCountsError:
            return self._as_microvolts.fill(self._as_microvolts.new_buffers(len(rows), pinned=counts.is_pinned()), rows)
        _refuse_empty(rows, np.isnan(lsb_uv[:, 0].numpy()))
        return counts, lsb_uv

    def signals(self, sent: tuple[Tensor, ...]) -> Tensor:
        """Scale counts and derive the limb leads."""
        if len(sent) == 1:
            return sent[0]
        counts_BLT, lsb_uv_BL = sent  # noqa: N806
        return counts_to_microvolts(counts_BLT, lsb_uv_BL)


def _refuse_empty(rows: NDArray[np.int64], empty: NDArray[np.bool_]) -> None:
    if empty.any():
        raise DataError(
            f"row {int(rows[empty][0])} of the store holds no recording, and {int(empty.sum())} of this batch of {len(rows)} do not",
            hint="the cohort is of another store: run `hfrisk cohort` again",
        )
