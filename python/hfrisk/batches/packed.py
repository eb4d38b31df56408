"""A set of recordings that stays packed in the memory of a device, and is decoded there when a batch is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from hfrisk.batches.unpack import SPARE_VECTORS, VECTOR_BYTES, unpack_microvolts
from hfrisk.errors import DataError
from hfrisk.store import NUM_LEADS, NUM_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from hfrisk.batches.examples import PackedSource

_PIECE_BYTES = 1 << 26
"""What is read and sent at a time while a set is loaded: the host never holds more of it."""

_ABSENT = -1
_MODE, _LEADS = 4, 5
"""Bytes of a chunk's header."""

_PACKED = 0


class PackedSet:
    """Packed chunks on a device.

    Attributes:
        num_bytes: Bytes of the device's memory that the chunks take.
    """

    def __init__(self, vectors: Tensor, first: NDArray[np.int64], num_leads: NDArray[np.uint8], *, num_samples: int = NUM_SAMPLES) -> None:
        """Take chunks that are on a device already.

        Args:
            vectors: The chunks and two vectors more, int16 (V, 8).
            first: The first vector of each row's chunk, -1 for a row that is not there, (rows of the store,).
            num_leads: Leads that each row's chunk stores, 8 or 12, (rows of the store,).
            num_samples: Samples a lead, the same for all.
        """
        self._vectors = vectors
        self._is_there = first != _ABSENT
        self._first = torch.from_numpy(first).to(vectors.device)
        self._leads_on_device = torch.from_numpy(num_leads).to(vectors.device)
        self._num_leads = num_leads
        self._num_samples = num_samples
        # One kernel instead of thirty; on the CPU eager is quick enough for what it is used for.
        self._unpack: Callable[..., Tensor] = torch.compile(unpack_microvolts) if vectors.device.type == "cuda" else unpack_microvolts

    @classmethod
    def load(cls, store: PackedSource, rows: NDArray[np.int64], device: torch.device) -> Self:
        """Read the chunks of `rows` (each once, however often it is named) and send them to the device piece by piece.

        Raises:
            DataError: A row holds no recording, or one that is not packed as counts.
            StoreError: A row does not exist or is damaged.
        """
        rows = np.unique(rows)
        sizes = store.chunk_bytes(rows).astype(np.int64)
        _refuse(rows[sizes == 0], "holds no recording", hint="the cohort is of another store: run `hfrisk cohort` again")
        begin = np.concatenate([[0], np.cumsum(sizes)])
        vectors = torch.zeros((int(begin[-1]) // VECTOR_BYTES + SPARE_VECTORS, VECTOR_BYTES // 2), dtype=torch.int16, device=device)
        bytes_on_device = vectors.view(-1).view(torch.uint8)
        num_leads = np.zeros(len(rows), np.uint8)
        at = 0
        while at < len(rows):
            end = max(at + 1, int(np.searchsorted(begin, begin[at] + _PIECE_BYTES, side="right")) - 1)
            piece = torch.empty(int(begin[end] - begin[at]), dtype=torch.uint8, pin_memory=device.type == "cuda")
            chunks = piece.numpy()
            store.read_chunks_into(rows[at:end], chunks)
            headers = begin[at:end] - begin[at]
            _refuse(
                rows[at:end][chunks[headers + _MODE] != _PACKED],
                "is stored as floats and cannot be decoded on the device",
                hint='set `train.residency = "ram"` or `"stream"`',
            )
            num_leads[at:end] = chunks[headers + _LEADS]
            bytes_on_device[int(begin[at]) : int(begin[end])].copy_(piece)
            at = end
        first = np.full(len(store), _ABSENT, np.int64)
        first[rows] = begin[:-1] // VECTOR_BYTES
        leads = np.zeros(len(store), np.uint8)
        leads[rows] = num_leads
        return cls(vectors, first, leads)

    @property
    def device(self) -> torch.device:
        """Where the chunks are."""
        return self._vectors.device

    @property
    def num_bytes(self) -> int:
        """Bytes of the device's memory that the chunks take."""
        return self._vectors.nbytes

    def require(self, rows: NDArray[np.int64]) -> None:
        """Refuse rows that are not in the set: their decoding would be noise.

        Raises:
            DataError: There is one.
        """
        _refuse(rows[~self._is_there[rows]], "is not in the set that was loaded", hint="name the rows of all streams when it is loaded")

    def draw(self, rows: NDArray[np.int64], rows_on_device: Tensor) -> Tensor:
        """Decode recordings.

        Args:
            rows: Rows of the store, all of the set, int64 (B,).
            rows_on_device: The same on the device, so that nothing has to be sent for a batch.

        Returns:
            Signals in µV, float32 (B, 12, T).
        """
        leads = self._num_leads[rows]
        kinds, numbers = np.unique(leads, return_counts=True)
        first = self._first[rows_on_device]
        if len(kinds) == 1:
            return self._unpack(self._vectors, first, num_leads=int(kinds[0]), num_samples=self._num_samples)
        out = torch.empty((len(rows), NUM_LEADS, self._num_samples), device=self.device)
        # Sorted on the device: to send the places would be to wait for it.
        by_kind = torch.split(torch.argsort(self._leads_on_device[rows_on_device], stable=True), numbers.tolist())
        for kind, places in zip(kinds, by_kind, strict=True):
            out[places] = self._unpack(self._vectors, first[places], num_leads=int(kind), num_samples=self._num_samples)
        return out


def _refuse(rows: NDArray[np.int64], problem: str, *, hint: str) -> None:
    if len(rows):
        others = f", one of {len(rows):,}," if len(rows) > 1 else ""
        raise DataError(f"row {rows[0]} of the store{others} {problem}", hint=hint)
