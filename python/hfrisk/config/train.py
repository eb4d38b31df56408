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
    """Recordings that move the weights once, over all processes and accumulated parts together."""
    accumulation_steps: int = 1
    """Parts in which a batch passes through the network, where it does not fit into memory at once; normalisation sees one part."""
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.05
    """Share of all steps in which the learning rate rises from 0; it then falls along a cosine."""
    gradient_clip: float = 1.0
    ema_decay: float = 0.0
    """Above 0, validate and export the exponential moving average of the weights; 0.999 remembers about a thousand steps."""
    patience: int = 5
    """Epochs without a better validation AUROC before training stops; 0 never stops early."""
    sampler: Literal["natural", "weighted"] = "natural"
    """`weighted` draws both classes equally often (the notebooks' WeightedRandomSampler); it harms calibration."""
    pos_weight: float = 1.0
    """Weight of a positive in the loss; 0 takes negatives / positives of the training split. The logits are corrected for it."""
    seed: int = 42
    device: str = "auto"
    """`auto` takes CUDA when there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 on CUDA and float32 on the CPU."""
    compile: Literal["auto", "off", "regional", "full"] = "auto"
    """`torch.compile`: block by block (`regional`, quick to start) or the network at once (`full`). `auto` is regional on CUDA where it
    works, and off on the CPU."""
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
    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay."""

    def __post_init__(self) -> None:
        """Refuse settings that no training can have."""
        above_zero = ("num_epochs", "batch_size", "accumulation_steps", "learning_rate", "gradient_clip", "log_every_steps")
        for name in (*above_zero, "keep_checkpoints"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"`train.{name}` is {getattr(self, name)}, expected a number above 0", hint="see the README's study file")
        for name in ("weight_decay", "warmup_fraction", "patience", "pos_weight", "num_threads", "checkpoint_every_minutes"):
            if getattr(self, name) < 0:
                raise ConfigError(f"`train.{name}` is {getattr(self, name)}, expected 0 or more", hint="see the README's study file")
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(f"`train.ema_decay` is {self.ema_decay}", hint="0 switches it off; otherwise below 1, as 0.999")
        if self.sampler == "weighted" and self.pos_weight == 0:
            raise ConfigError(
                "`train.sampler` and `train.pos_weight` both balance the classes",
                hint="choose one: set the sampler to `natural`, or the weight to 1",
            )
