"""The ring of buffers between the store and the loop, filled ahead by one thread."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from hfrisk.batches.examples import Batch
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hfrisk.batches.examples import Examples, SignalSource

_NUM_LEADS = 12
_NUM_SAMPLES = 5000


@dataclass(slots=True)
class _Slot:
    """One buffer of the ring."""

    signal: Tensor | None
    copied: torch.cuda.Event | None = None


class Prefetch:
    """The ring of buffers and the thread that fills it."""

    def __init__(
        self, store: SignalSource | None, examples: Examples, parts: list[NDArray[np.int64]], *, device: torch.device, num_buffers: int
    ) -> None:
        self._store = store
        self._examples = examples
        self._parts = parts
        self._device = device
        self._cuda = device.type == "cuda"
        self._side = torch.cuda.Stream(device) if self._cuda else None  # type: ignore[no-untyped-call]
        self._free: queue.Queue[_Slot | None] = queue.Queue()
        self._filled: queue.Queue[tuple[_Slot, NDArray[np.int64]] | BaseException] = queue.Queue()
        self._stop = threading.Event()
        self._size = max((len(part) for part in parts), default=0)
        for _ in range(min(num_buffers, len(parts))):
            self._free.put(self._new_slot())
        self._thread = threading.Thread(target=self._fill_all, name="hfrisk-batches", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._free.put(None)
        self._thread.join()

    def take(self) -> Batch:
        """Wait for the next batch, in order."""
        item = self._filled.get()
        if isinstance(item, BaseException):
            raise item
        slot, positions = item
        batch = self._to_device(slot, positions)
        # A batch on the CPU is the buffer itself and may be kept by the caller, so the ring gets a new one.
        self._free.put(slot if self._cuda else self._new_slot())
        return batch

    def _new_slot(self) -> _Slot:
        if self._store is None:
            return _Slot(None)
        return _Slot(torch.empty((self._size, _NUM_LEADS, _NUM_SAMPLES), pin_memory=self._cuda))

    def _fill_all(self) -> None:
        try:
            for positions in self._parts:
                slot = self._free.get()
                if slot is None or self._stop.is_set():
                    return
                if slot.copied is not None:
                    slot.copied.synchronize()
                self._fill(slot, self._examples.rows[positions])
                self._filled.put((slot, positions))
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._filled.put(error)

    def _fill(self, slot: _Slot, rows: NDArray[np.int64]) -> None:
        if self._store is None or slot.signal is None:
            return
        out = slot.signal.numpy()[: len(rows)]
        self._store.read_into(rows, out)
        empty = np.isnan(out[:, 0, 0])
        if empty.any():
            raise DataError(
                f"row {int(rows[empty][0])} of the store holds no recording, and {int(empty.sum())} of this batch of {len(rows)} do not",
                hint="the cohort is of another store: run `hfrisk cohort` again",
            )

    def _to_device(self, slot: _Slot, positions: NDArray[np.int64]) -> Batch:
        examples = self._examples
        batch = Batch(
            x_BLT=None if slot.signal is None else slot.signal[: len(positions)],
            x_BF=None if examples.tabular is None else torch.from_numpy(examples.tabular[positions]),
            y=torch.from_numpy(examples.y[positions]),
            rows=examples.rows[positions],
        )
        if self._side is None:
            return batch
        consumer = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._side):
            sent = Batch(
                x_BLT=None if batch.x_BLT is None else self._send(batch.x_BLT, consumer),
                # A copy from memory that is not pinned would wait for the signals' copy.
                x_BF=None if batch.x_BF is None else self._send(batch.x_BF.pin_memory(), consumer),
                y=self._send(batch.y.pin_memory(), consumer),
                rows=batch.rows,
            )
        slot.copied = self._side.record_event()
        consumer.wait_event(slot.copied)
        return sent

    def _send(self, tensor: Tensor, consumer: torch.cuda.Stream) -> Tensor:
        sent = tensor.to(self._device, non_blocking=True)
        # Its memory belongs to the side stream; without this it could be reused while the consumer still reads it.
        sent.record_stream(consumer)
        return sent
