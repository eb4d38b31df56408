"""The ring of buffers between the store and the loop, filled ahead by one thread."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from hfrisk.batches.examples import Batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from hfrisk.batches.examples import Examples
    from hfrisk.batches.feed import Feed


@dataclass(slots=True)
class _Slot:
    """One place of the ring."""

    buffers: tuple[Tensor, ...]
    filled: tuple[Tensor, ...] = ()
    copied: torch.cuda.Event | None = None


class Prefetch:
    """The ring of buffers and the thread that fills it."""

    def __init__(
        self, feed: Feed | None, examples: Examples, parts: list[NDArray[np.int64]], *, device: torch.device, num_buffers: int
    ) -> None:
        self._feed = feed
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
        return _Slot(() if self._feed is None else self._feed.new_buffers(self._size, pinned=self._cuda))

    def _fill_all(self) -> None:
        try:
            for positions in self._parts:
                slot = self._free.get()
                if slot is None or self._stop.is_set():
                    return
                if slot.copied is not None:
                    slot.copied.synchronize()
                if self._feed is not None:
                    slot.filled = self._feed.fill(slot.buffers, self._examples.rows[positions])
                self._filled.put((slot, positions))
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._filled.put(error)

    def _to_device(self, slot: _Slot, positions: NDArray[np.int64]) -> Batch:
        examples = self._examples
        tabular = None if examples.tabular is None else torch.from_numpy(examples.tabular[positions])
        y = torch.from_numpy(examples.y[positions])
        signals = slot.filled
        if self._side is not None:
            consumer = torch.cuda.current_stream(self._device)
            with torch.cuda.stream(self._side):
                signals = tuple(self._send(part, consumer) for part in signals)
                # A copy from memory that is not pinned would wait for the signals' copy.
                tabular = None if tabular is None else self._send(tabular.pin_memory(), consumer)
                y = self._send(y.pin_memory(), consumer)
            slot.copied = self._side.record_event()
            consumer.wait_event(slot.copied)
        return Batch(x_BLT=None if self._feed is None else self._feed.signals(signals), x_BF=tabular, y=y, rows=examples.rows[positions])

    def _send(self, tensor: Tensor, consumer: torch.cuda.Stream) -> Tensor:
        sent = tensor.to(self._device, non_blocking=True)
        # Its memory belongs to the side stream; without this it could be reused while the consumer still reads it.
        sent.record_stream(consumer)
        return sent
