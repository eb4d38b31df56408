"""A stronger encoder: the 50-layer bottleneck network that leads the PTB-XL benchmark (Strodthoff et al. 2020), at 500 Hz.

As there: a stem of three convolutions, stages of 3, 4, 6 and 3 bottlenecks of 64 maps widened four times, kernels of 5, shortcuts that pool
before they project, last normalisations that begin at 0, average and maximum at the end. The benchmark reads 100 Hz; here the first
convolution takes every fourth sample instead of every second, with a kernel long enough to see those between.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hfrisk.model.plane import ECG_EMBEDDING, LEAD_ORDER, as_plane, conv, global_pool

_STEM = (32, 32, 64)
_BLOCKS = (3, 4, 6, 3)
_NARROW = 64
_WIDE = 256
_KERNEL = 5


class _Bottleneck(nn.Module):
    """Narrow, convolve, widen; beside a shortcut."""

    def __init__(self, num_in: int, *, stride: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(_WIDE)
        nn.init.zeros_(last.weight)  # each block begins as its shortcut
        self.body = nn.Sequential(
            *_layer(num_in, _NARROW, 1), *_layer(_NARROW, _NARROW, _KERNEL, stride=stride), conv(_NARROW, _WIDE, 1), last
        )
        pool = [nn.AvgPool2d((1, 2), ceil_mode=True)] if stride > 1 else []
        project = [conv(num_in, _WIDE, 1), nn.BatchNorm2d(_WIDE)] if num_in != _WIDE else []
        self.shortcut = nn.Sequential(*pool, *project)

    def forward(self, x_BC1T: Tensor) -> Tensor:  # noqa: N803
        return torch.relu_(self.body(x_BC1T) + self.shortcut(x_BC1T))


class XResNet50(nn.Module):
    """Bottleneck residual network over a 10-second, 12-lead signal."""

    def __init__(self, *, dropout: float = 0.2) -> None:
        super().__init__()
        first, second, third = _STEM
        self.stem = nn.Sequential(
            *_layer(len(LEAD_ORDER), first, 11, stride=4),
            *_layer(first, second, _KERNEL),
            *_layer(second, third, _KERNEL),
            nn.MaxPool2d((1, 3), stride=(1, 2), padding=(0, 1)),
        )
        blocks = []
        num_in = third
        for stage, num_blocks in enumerate(_BLOCKS):
            for block in range(num_blocks):
                blocks.append(_Bottleneck(num_in, stride=2 if stage and not block else 1))
                num_in = _WIDE
        self.blocks = nn.Sequential(*blocks)
        self.projection = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * _WIDE, ECG_EMBEDDING), nn.ReLU(inplace=True))

    def regions(self) -> list[nn.Module]:
        """List the parts to compile one by one."""
        return [self.stem, *self.blocks]

    def forward(self, x_BLT: Tensor) -> Tensor:  # noqa: N803
        """Embed a batch of signals in mV: (B, 12, T) to (B, 64)."""
        embedding_BE: Tensor = self.projection(global_pool(self.blocks(self.stem(as_plane(x_BLT)))))  # noqa: N806
        return embedding_BE


def _layer(num_in: int, num_out: int, kernel_size: int, *, stride: int = 1) -> list[nn.Module]:
    return [conv(num_in, num_out, kernel_size, stride=stride), nn.BatchNorm2d(num_out), nn.ReLU(inplace=True)]
