"""The encoder of the comorbidities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

TABULAR_EMBEDDING = 32


class TabularEncoder(nn.Module):
    """Two linear layers over standardised features and missing indicators.

    Comorbidities and their gaps tell persons apart, so without dropout the network learns the persons of the training split by heart.
    """

    def __init__(self, num_features: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(num_features, 64),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(64, TABULAR_EMBEDDING),
            nn.ReLU(inplace=True),
        )

    def forward(self, x_BF: Tensor) -> Tensor:  # noqa: N803
        """Embed a batch of encoded features: (B, F) to (B, 32)."""
        embedding_BE: Tensor = self.layers(x_BF)  # noqa: N806
        return embedding_BE
