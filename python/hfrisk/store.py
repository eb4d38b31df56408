"""The finished store: signals by row, records as a frame."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from hfrisk._core import BatchReader
from hfrisk.errors import StoreError

if TYPE_CHECKING:
    import os

    import polars as pl
    from numpy.typing import ArrayLike, DTypeLike, NDArray

NUM_LEADS = 12
NUM_SAMPLES = 5000
NUM_COUNT_LEADS = 8
"""Leads of a record as counts: I II V1-V6."""

_GROUP = "ecg.zarr"


class EcgStore:
    """A store written by `hfrisk-convert`, open for reading.

    `store[i]` and `len(store)` count all rows, those of rejected files included; `records` lists the rows that hold a recording.
    Reading uses threads of its own with the interpreter released; in a forked child it raises `StoreError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        num_threads: int = 0,
        access: Literal["auto", "mapped", "pread"] = "auto",
        allow_incomplete: bool = False,
    ) -> None:
        """Open OUT or OUT/ecg.zarr.

        Args:
            path: What `hfrisk-convert` wrote.
            num_threads: Threads that decode; 0 takes one a core, at most 8.
            access: How shard files are read; `auto` maps them when they fit into three quarters of the available memory.
            allow_incomplete: Also open a store whose conversion, or whose growth, has not ended; rows that are not there yet are NaN.

        Raises:
            StoreError: There is no store, it is not complete, or it has another layout.
        """
        if num_threads < 0:
            raise ValueError(f"num_threads is {num_threads}, expected 0 or more")
        folder = Path(path)
        if folder.name == _GROUP:
            folder = folder.parent
        if not (folder / _GROUP).is_dir():
            raise StoreError(f"no ECG store at `{folder}`", hint="name OUT of `hfrisk-convert`, the folder that holds ecg.zarr")
        self._is_complete = all((folder / name).is_file() for name in ("records.parquet", "checksums.txt"))
        if not (allow_incomplete or self._is_complete):
            raise StoreError(f"the store at `{folder}` is not complete", hint="run the same `hfrisk-convert` command again; it continues")
        self.path = folder
        self._reader = BatchReader(folder / _GROUP, num_threads, access)

    def __len__(self) -> int:
        return self._reader.num_rows

    def __repr__(self) -> str:
        return f"<EcgStore {str(self.path)!r}: {len(self):,} rows, {self.codec}>"

    @property
    def codec(self) -> str:
        """How chunks are stored: `ecgpack`, `zstd` or `none`."""
        return self._reader.codec

    @property
    def num_threads(self) -> int:
        """Threads that decode."""
        return self._reader.num_threads

    @property
    def access(self) -> str:
        """How shard files are read: `mapped` or `pread`."""
        return self._reader.access

    @property
    def signals_path(self) -> Path:
        """The Zarr array, for other readers."""
        return self.path / _GROUP / "signals"

    @functools.cached_property
    def records(self) -> pl.DataFrame:
        """One row a recording (of an incomplete store: those done), see `hfrisk.records.RECORDS_SCHEMA`; read when first asked for."""
        from hfrisk.records import read_record_parts, read_records  # noqa: PLC0415

        if self._is_complete:
            return read_records(self.path)
        frame = read_record_parts(self.path)
        # The array of a store that is being added to gets its new rows at the end.
        return frame.filter(frame["row"] < len(self))

    def read(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Read signals.

        Args:
            rows: Row numbers, in any order, also repeated.

        Returns:
            Microvolts, float32 (B, 12, 5000); NaN for a row without a recording.

        Raises:
            StoreError: A row does not exist or is damaged.
        """
        rows = _row_numbers(rows)
        out = np.empty((len(rows), NUM_LEADS, NUM_SAMPLES), dtype=np.float32)
        self._reader.read_into(rows, out)
        return out

    def read_into(self, rows: ArrayLike, out: NDArray[np.float32]) -> None:
        """Read signals into memory of the caller, such as pinned memory.

        Args:
            rows: Row numbers, in any order, also repeated.
            out: Writable and C-contiguous, float32 (B, 12, 5000); takes microvolts, NaN for a row without a recording.

        Raises:
            StoreError: A row does not exist or is damaged.
            TypeError: `out` has another dtype.
            ValueError: `out` has another shape, or is not writable or not contiguous.
        """
        rows = _row_numbers(rows)
        _check_output("out", out, np.float32, (len(rows), NUM_LEADS, NUM_SAMPLES))
        self._reader.read_into(rows, out)

    def read_counts_into(self, rows: ArrayLike, out: NDArray[np.int16], lsb_uv: NDArray[np.float32]) -> None:
        """Read the counts of I II V1-V6 and their gains; the other four leads follow from I and II.

        Args:
            rows: Row numbers, in any order, also repeated.
            out: int16 (B, 8, 5000); 0 for a row without a recording.
            lsb_uv: Microvolts a count, float32 (B, 8); NaN for a row without a recording.

        Raises:
            NotCountsError: A row is not stored as counts of eight leads.
            StoreError: A row does not exist or is damaged.
            TypeError: An output has another dtype.
            ValueError: An output has another shape, or is not writable or not contiguous.
        """
        rows = _row_numbers(rows)
        _check_output("out", out, np.int16, (len(rows), NUM_COUNT_LEADS, NUM_SAMPLES))
        _check_output("lsb_uv", lsb_uv, np.float32, (len(rows), NUM_COUNT_LEADS))
        self._reader.read_counts_into(rows, out, lsb_uv)

    def chunk_bytes(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Return the size of each row's chunk as it is stored, int64 (B,); 0 for a row without a recording.

        Raises:
            StoreError: A row does not exist.
        """
        return self._reader.chunk_bytes(_row_numbers(rows)).astype(np.int64)

    def read_chunks_into(self, rows: ArrayLike, out: NDArray[np.uint8]) -> None:
        """Read chunks as they are stored, one after the other; those of `ecgpack` are checked.

        Args:
            rows: Row numbers, in any order.
            out: uint8, as many as `chunk_bytes` adds up to.

        Raises:
            StoreError: A row does not exist or is damaged.
            TypeError: `out` has another dtype.
            ValueError: `out` has another size, or is not writable or not contiguous.
        """
        rows = _row_numbers(rows)
        _check_output("out", out, np.uint8, (int(self.chunk_bytes(rows).sum()),))
        self._reader.read_chunks_into(rows, out)

    def holding(self, rows: ArrayLike) -> Self:
        """Return the same store with the chunks of `rows` in memory of its own, still packed; other rows are read from the files.

        Raises:
            StoreError: A row does not exist or is damaged, or there is no memory for them.
        """
        other = copy.copy(self)
        other._reader = self._reader.holding(_row_numbers(rows))  # noqa: SLF001 it is one of us
        return other


def open_store(
    path: str | os.PathLike[str],
    *,
    num_threads: int = 0,
    access: Literal["auto", "mapped", "pread"] = "auto",
    allow_incomplete: bool = False,
) -> EcgStore:
    """Open the store in OUT or OUT/ecg.zarr; the same as `EcgStore(path)`."""
    return EcgStore(path, num_threads=num_threads, access=access, allow_incomplete=allow_incomplete)


def _row_numbers(rows: ArrayLike) -> NDArray[np.int64]:
    numbers = np.atleast_1d(np.asarray(rows))
    if numbers.ndim != 1 or (numbers.size and not np.issubdtype(numbers.dtype, np.integer)):
        raise ValueError(f"rows of dtype {numbers.dtype} and shape {numbers.shape}, expected integers in one dimension")
    return np.ascontiguousarray(numbers, dtype=np.int64)


def _check_output(name: str, out: NDArray[np.generic], dtype: DTypeLike, shape: tuple[int, ...]) -> None:
    if out.dtype != dtype:
        raise TypeError(f"`{name}` is {out.dtype}, expected {np.dtype(dtype)}")
    if out.shape != shape:
        raise ValueError(f"`{name}` has shape {out.shape}, expected {shape}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(f"`{name}` must be C-contiguous and writable")
