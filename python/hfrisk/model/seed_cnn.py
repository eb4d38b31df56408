"""The two-layer network of the original notebooks, layer by layer as they wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from hfrisk.model.plane import ECG_EMBEDDING, LEAD_ORDER

if TYPE_CHECKING:
    from torch import Tensor


class SeedCNN(nn.Module):
    """The two-layer network of the original notebooks, for comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(len(LEAD_ORDER), 32, kernel_size=5),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(2),
            nn.Conv1d(32, ECG_EMBEDDING, kernel_size=5),
            nn.ReLU(inplace=True),
        )

    def regions(self) -> list[nn.Module]:
        """List the parts to compile one by one."""
        return [self.layers]

    def forward(self, x_BLT: Tensor) -> Tensor:  # noqa: N803
        """Embed a batch of signals in mV: (B, 12, T) to (B, 64)."""
        x_BET: Tensor = self.layers(x_BLT)  # noqa: N806
        return x_BET.mean(dim=2)
