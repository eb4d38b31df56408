"""The processes of one run, as `torchrun` starts them; without it, one.

    rank 0 ─┬─ gradients, normalisation ── NCCL on CUDA, gloo on the CPU ─┬─ rank 1 ...
            └─ stop, errors, validation ── gloo, a group of its own ──────┘

What ranks agree on goes over the second group, on the host, so no agreement waits for a device.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist

from hfrisk.errors import ConfigError, HfriskError
from hfrisk.model import choose_device

if TYPE_CHECKING:
    from torch import Tensor

    from hfrisk.config import TrainConfig

_T = TypeVar("_T")


class Ranks:
    """This process among those of the run.

    Attributes:
        rank: Number of this process; 0 writes files and speaks.
        size: How many there are.
        local_size: How many on this machine; they share its cores.
        device: Where this process computes.
    """

    def __init__(self, settings: TrainConfig) -> None:
        """Join the other processes.

        Raises:
            ConfigError: There is no such device, or the batch does not divide among the processes and parts.
        """
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        num_parts = self.size * settings.accumulation_steps
        if settings.batch_size % num_parts:
            raise ConfigError(
                f"`train.batch_size` is {settings.batch_size}, which does not divide into {settings.accumulation_steps} accumulated parts"
                f" on {self.size} processes",
                hint=f"choose a multiple of {num_parts}",
            )
        self.micro_batch_size = settings.batch_size // num_parts
        self.device = self._choose_device(settings.device)
        self._pending: tuple[dist.Work, Tensor] | None = None
        self._control: dist.ProcessGroup | None = None
        if self.size > 1:
            dist.init_process_group("cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo")
            self._control = dist.new_group(backend="gloo")

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def _choose_device(self, name: str) -> torch.device:
        if self.size > 1 and ":" in name:
            raise ConfigError(
                f"`train.device` is `{name}`, and each of the {self.size} processes takes a device of its own", hint="`auto` lets them"
            )
        device = choose_device(name)
        if device.type != "cuda":
            return device
        if self.size > 1:
            if self.local_size > torch.cuda.device_count():
                raise ConfigError(
                    f"{self.local_size} processes were started on a machine with {torch.cuda.device_count()} GPUs",
                    hint="start one a GPU: `torchrun --nproc-per-node gpu -m hfrisk.train`",
                )
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        return device

    def wants_stop(self, *, asked: bool) -> bool:
        """Tell whether any process was asked to stop; every process hears the same at the same call.

        The question goes round while a step computes, so the answer is one call old and costs no wait.
        """
        if self._control is None:
            return asked
        answer = False
        if self._pending is not None:
            work, flag = self._pending
            work.wait()
            answer = bool(flag)
        flag = torch.tensor(int(asked))
        work = dist.all_reduce(flag, op=dist.ReduceOp.MAX, group=self._control, async_op=True)
        assert work is not None  # noqa: S101
        self._pending = (work, flag)
        return answer

    def gather(self, item: _T) -> list[_T]:
        """Give the items of all processes, by rank, to each of them."""
        if self._control is None:
            return [item]
        items: list[Any] = [None] * self.size
        dist.all_gather_object(items, item, group=self._control)
        return items

    def mean(self, values: Tensor) -> Tensor:
        """Average a tensor over the processes, on its device."""
        if self._control is not None:
            dist.all_reduce(values)
            values /= self.size
        return values

    def agree(self, error: HfriskError | None) -> None:
        """Let all processes go on together, or none.

        Raises:
            HfriskError: The error of the first process that has one; there.
            SystemExit: Everywhere else.
        """
        failed = [rank for rank, has_failed in enumerate(self.gather(error is not None)) if has_failed]
        if not failed:
            return
        if error is not None and failed[0] == self.rank:
            raise self.named(error)
        raise SystemExit(1)

    def named(self, error: HfriskError) -> HfriskError:
        """Say in an error of which process it is, where that is not obvious."""
        if self.rank == 0:
            return error
        return HfriskError(f"process {self.rank} of {self.size}: {error.message}", hint=error.hint)

    def lost_peer(self, error: RuntimeError) -> HfriskError | None:
        """Tell whether a collective failed because another process is gone."""
        is_collective = isinstance(error, dist.DistError) or "gloo" in str(error) or "NCCL" in str(error)
        if self.size == 1 or not is_collective:
            return None
        return HfriskError(
            f"process {self.rank} of {self.size} ends, because another one did",
            hint="its message stands above; the same command with `--resume` continues from the last checkpoint",
        )

    def close(self) -> None:
        """Leave the other processes, when all is done."""
        if self._control is not None:
            if self._pending is not None:
                self._pending[0].wait()
            dist.destroy_process_group()
