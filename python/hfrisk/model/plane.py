"""Signals as planes of height 1: what the store's signals are, and the layout in which convolutions are fast.

A 1-D convolution is a 2-D one with a kernel of height 1. Written so, it can run channels-last, (B, T, C) in memory, which is what tensor
cores and oneDNN compute in; as `Conv1d` every layer would be transposed there and back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEAD_ORDER = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Order of the L axis; the store's order."""
SAMPLING_RATE_HZ = 500
NUM_SAMPLES = 5000

ECG_EMBEDDING = 64


def as_plane(x_BLT: Tensor) -> Tensor:  # noqa: N803
    """Lay signals out for convolutions: (B, L, T) to (B, L, 1, T), channels-last, in autocast's type where that is on."""
    kind = x_BLT.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        x_BLT = x_BLT.to(torch.get_autocast_dtype(kind))  # noqa: N806 - half the bytes to transpose
    return x_BLT.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def conv(num_in: int, num_out: int, kernel_size: int, *, stride: int = 1) -> nn.Conv2d:
    """Convolve along time, without a bias: a normalisation follows."""
    return nn.Conv2d(num_in, num_out, (1, kernel_size), stride=(1, stride), padding=(0, kernel_size // 2), bias=False)


def global_pool(x_BC1T: Tensor) -> Tensor:  # noqa: N803
    """Average and maximum over time, (B, 2 C): what is there all the time (rhythm, QRS width) and what is there once (an ectopic beat)."""
    return torch.cat([x_BC1T.mean(dim=(2, 3)), x_BC1T.amax(dim=(2, 3))], dim=1)
