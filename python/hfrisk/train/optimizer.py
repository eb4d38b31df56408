"""What moves the weights: AdamW, and its learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


def build_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Decay matrices and kernels; biases and normalisation are free."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def learning_rate_at(step: int, *, peak: float, num_steps: int, warmup: float) -> float:
    """Rise linearly over the first share of the steps, then fall along a cosine to 0."""
    num_warmup = max(1, round(warmup * num_steps))
    if step < num_warmup:
        return peak * (step + 1) / num_warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - num_warmup) / max(1, num_steps - num_warmup)))
