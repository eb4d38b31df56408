"""One step: forward, backward, clip, move the weights. On CUDA nothing in it waits for the device."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hfrisk.model import autocast, build_model
from hfrisk.train.augment import augment
from hfrisk.train.batch_norm import share_batch_norm
from hfrisk.train.compiling import choose_mode, compile_model, compiled_if
from hfrisk.train.draws import key_of, seed_of, uniform
from hfrisk.train.ema import MovingAverage
from hfrisk.train.optimizer import build_optimizer, learning_rate_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hfrisk.batches import Batch
    from hfrisk.config import StudyConfig
    from hfrisk.model import CombinedModel
    from hfrisk.train.ranks import Ranks

_SHUFFLED, _AUGMENTED, _HIDDEN = range(3)
"""What random numbers are for; each purpose has its own."""


class Stepper:
    """The network and what moves it.

    Attributes:
        model: The network in training; its weights are those of the uncompiled network.
        average: Its moving average, or None.
        optimizer: AdamW.
        compiled: What is compiled: `off`, `regional` or `full`.
    """

    def __init__(self, config: StudyConfig, ranks: Ranks, *, num_features: int, num_steps: int, pos_weight: float) -> None:
        self._config = config
        self._settings = config.train
        self._ranks = ranks
        self._num_steps = num_steps
        torch.manual_seed(config.train.seed)
        model = build_model(config.model, num_features=num_features)
        if ranks.size > 1:
            share_batch_norm(model)
        self.model: CombinedModel = model.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = MovingAverage(self.model, config.train.ema_decay) if config.train.ema_decay else None
        self.optimizer = build_optimizer(self.model, config.train.learning_rate, config.train.weight_decay)
        self.compiled = choose_mode(config.train.compile, ranks.device)
        compile_model(self.model, self.compiled)
        self._augment = torch.compile(augment, dynamic=False) if self.compiled != "off" else augment
        self._pos_weight = torch.tensor(pos_weight, device=ranks.device) if pos_weight != 1 else None
        self._network: nn.Module = self.model

    @property
    def judged(self) -> CombinedModel:
        """The network to validate and to export."""
        return self.model if self.average is None else self.average.model

    def connect(self) -> None:
        """Average gradients over the processes from now on; all of them call this together."""
        if self._ranks.size > 1:
            self._network = DistributedDataParallel(self.model, gradient_as_bucket_view=True, broadcast_buffers=False)

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        settings = self._settings
        return learning_rate_at(step, peak=settings.learning_rate, num_steps=self._num_steps, warmup=settings.warmup_fraction)

    def step(self, batches: Sequence[Batch], step: int) -> Tensor:
        """Move the weights once.

        Args:
            batches: The parts of this process's share of a global batch.
            step: Counted from 0; with the seed it decides everything random.

        Returns:
            The mean loss over this process's share, on the device.
        """
        # Drop-out draws from PyTorch's own generators; seeded here they need not be saved.
        torch.manual_seed(seed_of(self._settings.seed, step, _SHUFFLED, self._ranks.rank))
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        num = sum(len(batch.rows) for batch in batches)
        total = torch.zeros((), device=self._ranks.device)
        for part, batch in enumerate(batches):
            is_last = part == len(batches) - 1
            with contextlib.nullcontext() if is_last else self._without_exchange():
                loss = self._loss(batch, step, part) * (len(batch.rows) / num)
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.gradient_clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(step)
        return total

    def _loss(self, batch: Batch, step: int, part: int) -> Tensor:
        num, size, device = len(batch.rows), self._ranks.micro_batch_size, self._ranks.device
        x_BLT, keep_BM = batch.x_BLT, None  # noqa: N806
        with compiled_if(is_full=self.compiled == "off" or num == size):
            if self._config.augment.is_on or self.model.accepts_missing:
                # Ranks take turns in the order of the epoch, so this is the example's place in the global batch whatever their number.
                index_B = (torch.arange(num, dtype=torch.int32, device=device) + part * size) * self._ranks.size + self._ranks.rank  # noqa: N806
                if x_BLT is not None and self._config.augment.is_on:
                    key = key_of(self._settings.seed, step, _AUGMENTED, device=device)
                    x_BLT = self._augment(x_BLT, key, index_B, self._config.augment)  # noqa: N806
                if self.model.accepts_missing:
                    keep_BM = self._kept(step, index_B)  # noqa: N806
            with autocast(device, self._settings.precision):
                logits = self._network(x_BLT, batch.x_BF, keep_BM)
        return nn.functional.binary_cross_entropy_with_logits(logits, batch.y, pos_weight=self._pos_weight)

    def _kept(self, step: int, index_B: Tensor) -> Tensor:  # noqa: N803
        """Hide one of the two inputs, never both, of a share of the examples."""
        hides, which = uniform(key_of(self._settings.seed, step, _HIDDEN, device=index_B.device), index_B, 2).unbind(1)
        hidden = hides < self._config.model.modality_dropout
        return torch.stack([~hidden | (which < 0.5), ~hidden | (which >= 0.5)], dim=1)  # noqa: PLR2004

    def _without_exchange(self) -> contextlib.AbstractContextManager[object]:
        return self._network.no_sync() if isinstance(self._network, DistributedDataParallel) else contextlib.nullcontext()
