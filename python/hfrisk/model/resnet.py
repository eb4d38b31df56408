"""The default encoder: a residual 1-D CNN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hfrisk.model.plane import ECG_EMBEDDING, LEAD_ORDER, as_plane, conv, global_pool

_MAX_WIDTH = 256


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, halving the time axis.

    The shortcut pools and then projects, so no sample is skipped by a strided 1x1 convolution.
    """

    def __init__(self, num_in: int, num_out: int, *, dropout: float, kernel_size: int = 7) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(num_in, num_out, kernel_size, stride=2),
            nn.BatchNorm2d(num_out),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            conv(num_out, num_out, kernel_size),
            nn.BatchNorm2d(num_out),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d((1, 2), ceil_mode=True), conv(num_in, num_out, 1), nn.BatchNorm2d(num_out))

    def forward(self, x_BC1T: Tensor) -> Tensor:  # noqa: N803
        return torch.relu_(self.body(x_BC1T) + self.shortcut(x_BC1T))


class ECGEncoder(nn.Module):
    """Residual 1-D CNN over a 10-second, 12-lead signal.

    A wide strided stem brings 500 Hz to 125 Hz, each stage halves the time axis and doubles the feature maps (at most 256).
    """

    def __init__(self, *, width: int = 32, num_stages: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(len(LEAD_ORDER), width, 15, stride=4), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        widths = [min(width * 2**stage, max(width, _MAX_WIDTH)) for stage in range(num_stages)]
        self.stages = nn.Sequential(
            *(_ResidualBlock(num_in, num_out, dropout=dropout) for num_in, num_out in zip([width, *widths[:-1]], widths, strict=True))
        )
        self.projection = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], ECG_EMBEDDING), nn.ReLU(inplace=True))

    def regions(self) -> list[nn.Module]:
        """List the parts to compile one by one."""
        return [self.stem, *self.stages]

    def forward(self, x_BLT: Tensor) -> Tensor:  # noqa: N803
        """Embed a batch of signals in mV: (B, 12, T) to (B, 64)."""
        embedding_BE: Tensor = self.projection(global_pool(self.stages(self.stem(as_plane(x_BLT)))))  # noqa: N806
        return embedding_BE
