"""The steps between two lines of the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from hfrisk.batches import BatchStream
    from hfrisk.train.ranks import Ranks


class Window:
    """Steps since the last line. Their losses stay on the device until `close`.

    Attributes:
        sizes: Recordings of each step, over all processes.
        losses: Mean loss of each step, over all processes; empty before `close`.
        elapsed_s: Seconds from the first step to `close`.
    """

    def __init__(self, stream: BatchStream, ranks: Ranks) -> None:
        self.sizes: list[int] = []
        self.losses: list[float] = []
        self.elapsed_s = 0.0
        self._stream = stream
        self._ranks = ranks
        self._waited_s = stream.wait_s
        self._started = time.perf_counter()
        self._on_device: list[Tensor] = []
        self._rates: list[float] = []

    def __len__(self) -> int:
        return len(self.sizes)

    def add(self, loss: Tensor, num: int, learning_rate: float) -> None:
        """Note one step of this process without waiting for the device."""
        self._on_device.append(loss)
        self.sizes.append(num * self._ranks.size)
        self._rates.append(learning_rate)

    def close(self) -> None:
        """Wait for the device and fetch the losses."""
        self.losses = self._ranks.mean(torch.stack(self._on_device)).tolist()
        self.elapsed_s = time.perf_counter() - self._started
        self._waited_s = self._stream.wait_s - self._waited_s

    def entries(self, *, epoch: int, last_step: int) -> list[dict[str, Any]]:
        """One object a step for metrics.jsonl; speed and waiting (of process 0) are those of the whole window."""
        common = {
            "kind": "step",
            "epoch": epoch,
            "ecg_per_s": sum(self.sizes) / self.elapsed_s,
            "data_wait_share": self._waited_s / self.elapsed_s,
        }
        first = last_step - len(self) + 1
        return [
            {**common, "step": first + index, "loss": loss, "learning_rate": rate}
            for index, (loss, rate) in enumerate(zip(self.losses, self._rates, strict=True))
        ]
