"""The stream: which batch comes next, where it stands, how it resumes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from hfrisk.batches.draw import Draw, ResidentExamples
from hfrisk.batches.feed import MicrovoltFeed
from hfrisk.batches.order import epoch_order
from hfrisk.batches.packed import PackedSet
from hfrisk.batches.prefetch import Prefetch
from hfrisk.batches.residency import Signals, require_rows
from hfrisk.errors import DataError, StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from hfrisk.batches.examples import Batch, Examples, SignalSource
    from hfrisk.batches.feed import Feed

_STATE_VERSION = 1


class BatchStream:
    """Batches of one set of examples, epoch after epoch.

    Leaving `batches` early (break, error, `close()`) stops its thread. On the CPU a batch keeps its buffer, so it stays valid; on CUDA it
    is copied out of the ring.

    Attributes:
        wait_s: Seconds the consumer spent waiting for data since construction.
    """

    def __init__(
        self,
        signals: SignalSource | Signals | None,
        examples: Examples,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        weights: NDArray[np.float64] | None = None,
        device: torch.device | str = "cpu",
        num_buffers: int = 3,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Prepare a stream; nothing is read yet.

        Args:
            signals: Where they come from: a store, or what `place_signals` made of it; None yields batches without signals.
            examples: The set.
            batch_size: Recordings a batch on this rank.
            seed: Decides the order together with the epoch.
            shuffle: False keeps the order of `examples` in every epoch.
            weights: Draw with replacement by these weights, see `epoch_order`.
            device: Where batches go.
            num_buffers: Batches in flight.
            rank: Which share of every global batch is ours.
            world_size: Number of shares. Where there are several, the examples that do not fill a round are left to the next epoch, so
                that all shares are equal.

        Raises:
            DataError: A row lies outside the store.
        """
        if isinstance(signals, Signals):
            self._source: Feed | PackedSet | None = signals.source
            if isinstance(signals.source, PackedSet):
                signals.source.require(examples.rows)
        elif signals is None:
            self._source = None
        else:
            require_rows(examples.rows, len(signals))
            self._source = MicrovoltFeed(signals)
        self._examples = examples
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._weights = weights
        self._device = torch.device(device)
        self._num_buffers = num_buffers
        self._rank = rank
        self._world_size = world_size
        self._epoch = 0
        self._position = 0
        self._pid = os.getpid()
        self._resident: ResidentExamples | None = None
        self.wait_s = 0.0

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return -(-(len(self._examples) // self._world_size) // self._batch_size)

    def state_dict(self) -> dict[str, int]:
        """Where the stream is: `position` batches of `epoch` have been handed out."""
        return {
            "version": _STATE_VERSION,
            "seed": self._seed,
            "epoch": self._epoch,
            "position": self._position,
            "world_size": self._world_size,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue where another stream over the same examples stood.

        Raises:
            DataError: The state is of another seed, number of processes or version.
        """
        expected = {"version": _STATE_VERSION, "seed": self._seed, "world_size": self._world_size}
        for name, value in expected.items():
            if state[name] != value:
                raise DataError(
                    f"the saved stream has {name} {state[name]}, this one {value}", hint="resume with the settings it was started with"
                )
        self._epoch, self._position = state["epoch"], state["position"]

    def batches(self, epoch: int) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch: what is left of it if the stream stands in it, else all. Once exhausted the next epoch begins.

        Raises:
            DataError: A row of the examples holds no recording.
            StoreError: The store cannot be read, or the stream is used in a forked child.
        """
        self._refuse_fork()
        if epoch != self._epoch:
            self._epoch, self._position = epoch, 0
        order = self._order(epoch)
        with self._open(self._split(order)) as prefetch:
            while self._position < self.num_batches:
                self._refuse_fork()
                started = time.perf_counter()
                batch = prefetch.take()
                self.wait_s += time.perf_counter() - started
                self._position += 1
                yield batch
        self._epoch, self._position = epoch + 1, 0

    def _open(self, parts: list[NDArray[np.int64]]) -> Prefetch | Draw:
        if isinstance(self._source, PackedSet):
            if self._resident is None:
                self._resident = ResidentExamples.load(self._source, self._examples)
            return Draw(self._resident, self._examples, parts)
        return Prefetch(self._source, self._examples, parts, device=self._device, num_buffers=self._num_buffers)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        num_examples = len(self._examples)
        if not self._shuffle:
            return np.arange(num_examples)
        return epoch_order(num_examples, seed=self._seed, epoch=epoch, weights=self._weights)

    def _split(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        share = order[: len(order) // self._world_size * self._world_size][self._rank :: self._world_size]
        return [share[start : start + self._batch_size] for start in range(self._position * self._batch_size, len(share), self._batch_size)]

    def _refuse_fork(self) -> None:
        if os.getpid() != self._pid:
            raise StoreError(
                "the batch stream was made in another process, and threads do not survive a fork",
                hint="use it without DataLoader workers, or start processes with `spawn`",
            )
