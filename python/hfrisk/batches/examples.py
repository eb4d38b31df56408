"""What goes into a stream and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class SignalSource(Protocol):
    """What a stream of float32 needs of a store; `hfrisk.store.EcgStore` is one."""

    def __len__(self) -> int:
        """Count the rows, fill rows included."""
        ...

    def read_into(self, rows: NDArray[np.int64], out: NDArray[np.float32]) -> object:
        """Write the signals of `rows` in µV into `out`, shape (B, 12, 5000)."""
        ...


class CountSource(SignalSource, Protocol):
    """What a stream of counts needs of a store."""

    def read_counts_into(self, rows: NDArray[np.int64], out: NDArray[np.int16], lsb_uv: NDArray[np.float32]) -> object:
        """Write counts (B, 8, 5000) and gains (B, 8); NotCountsError where a record is stored otherwise."""
        ...


class PackedSource(Protocol):
    """What a set that stays packed needs of a store."""

    def __len__(self) -> int:
        """Count the rows, fill rows included."""
        ...

    def chunk_bytes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bytes of each row's chunk, 0 for a fill row."""
        ...

    def read_chunks_into(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> object:
        """Write the chunks of `rows` one after the other."""
        ...


@dataclass(frozen=True, slots=True)
class Examples:
    """What is learnt from or predicted: one entry a recording.

    Attributes:
        rows: Rows of the store, int64 (N,).
        y: Outcomes 0 or 1, float32 (N,); NaN where unknown.
        tabular: Encoded features, float32 (N, F), or None.
    """

    rows: NDArray[np.int64]
    y: NDArray[np.float32]
    tabular: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch on the device.

    Attributes:
        x_BLT: Signals in µV, float32 (B, 12, 5000), or None where the model reads none.
        x_BF: Encoded features, float32 (B, F), or None.
        y: Outcomes, float32 (B,).
        rows: Rows of the store, int64 (B,), on the host.
    """

    x_BLT: Tensor | None  # noqa: N815
    x_BF: Tensor | None  # noqa: N815
    y: Tensor
    rows: NDArray[np.int64]
