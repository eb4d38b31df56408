"""Batches out of a set that is on the device already: nothing is read, and nothing is sent but the order of the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from hfrisk.batches.examples import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hfrisk.batches.examples import Examples
    from hfrisk.batches.packed import PackedSet


@dataclass(frozen=True, slots=True)
class ResidentExamples:
    """A set whose every column is on the device."""

    signals: PackedSet
    rows: Tensor
    y: Tensor
    tabular: Tensor | None

    @classmethod
    def load(cls, signals: PackedSet, examples: Examples) -> Self:
        """Send the columns of `examples`."""
        device = signals.device
        tabular = None if examples.tabular is None else torch.from_numpy(examples.tabular).to(device)
        return cls(signals, torch.from_numpy(examples.rows).to(device), torch.from_numpy(examples.y).to(device), tabular)


class Draw:
    """Decodes one batch after the other on the stream of the one who takes them, with the interface of `Prefetch`."""

    def __init__(self, resident: ResidentExamples, examples: Examples, parts: list[NDArray[np.int64]]) -> None:
        self._resident = resident
        self._examples = examples
        self._parts = parts
        self._next = 0
        order = torch.from_numpy(np.concatenate(parts) if parts else np.empty(0, np.int64))
        self._positions = torch.split(order.to(resident.rows.device), [len(part) for part in parts])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def take(self) -> Batch:
        """Decode the next batch, in order."""
        resident, number = self._resident, self._next
        self._next += 1
        positions = self._positions[number]
        rows = self._examples.rows[self._parts[number]]
        return Batch(
            x_BLT=resident.signals.draw(rows, resident.rows[positions]),
            x_BF=None if resident.tabular is None else resident.tabular[positions],
            y=resident.y[positions],
            rows=rows,
        )
