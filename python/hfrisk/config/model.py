"""`[model]`: which network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hfrisk.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Which network."""

    encoder: Literal["resnet", "xresnet50", "seed_cnn"] = "resnet"
    """`resnet`: residual 1-D CNN. `xresnet50`: the bottleneck network of the PTB-XL benchmark, stronger and slower. `seed_cnn`: the
    two-layer network of the original notebooks."""
    inputs: Literal["both", "ecg", "tabular"] = "both"
    width: int = 32
    """Feature maps of the first stage of `resnet`."""
    num_stages: int = 4
    """Of `resnet`."""
    dropout: float = 0.2
    modality_dropout: float = 0.0
    """Share of training examples of which one input, the ECG or the comorbidities, is hidden. Above 0 the trained model answers without
    either of them."""

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have."""
        if self.width < 1 or self.num_stages < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(
                f"`model`: width {self.width}, num_stages {self.num_stages}, dropout {self.dropout} describe no network",
                hint="width and num_stages are at least 1, dropout is at least 0 and below 1",
            )
        if not 0 <= self.modality_dropout < 1:
            raise ConfigError(
                f"`model.modality_dropout` is {self.modality_dropout}, expected a share of the examples", hint="at least 0 and below 1"
            )
