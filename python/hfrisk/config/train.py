"""`[train]`: how the network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hfrisk.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How the network is trained."""

    num_epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.05
    """Share of all steps in which the learning rate rises from 0; it then falls along a cosine."""
    gradient_clip: float = 1.0
    patience: int = 5
    """Epochs without a better validation AUROC before training stops; 0 never stops early."""
    sampler: Literal["natural", "weighted"] = "natural"
    """`weighted` draws both classes equally often (the notebooks' WeightedRandomSampler); it harms calibration."""
    seed: int = 42
    device: str = "auto"
    """`auto` takes CUDA when there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 on CUDA and float32 on the CPU."""
    num_threads: int = 0
    """Threads that decode batches; 0 takes one per core, at most 8."""
    transport: Literal["auto", "float32", "int16"] = "auto"
    """What goes to the device: float32, or counts, a third of that, which the device scales; `auto` takes int16 for CUDA. Same bits."""
    residency: Literal["auto", "stream", "ram", "gpu"] = "auto"
    """Where the packed signals stand: on disk, in memory, or on the device, which decodes them; `auto` goes by their size. Same bits."""
    log_every_steps: int = 10
    """Steps between two lines on the console; losses are fetched from the device then."""
    checkpoint_every_minutes: float = 10.0
    """Time between two saves within an epoch; each epoch's end saves as well."""

    def __post_init__(self) -> None:
        """Refuse settings that no training can have."""
        for name in ("num_epochs", "batch_size", "learning_rate", "gradient_clip", "log_every_steps"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"`train.{name}` is {getattr(self, name)}, expected a number above 0", hint="see the README's study file")
        for name in ("weight_decay", "warmup_fraction", "patience", "num_threads", "checkpoint_every_minutes"):
            if getattr(self, name) < 0:
                raise ConfigError(f"`train.{name}` is {getattr(self, name)}, expected 0 or more", hint="see the README's study file")
