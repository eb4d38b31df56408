"""The networks: an ECG encoder, a tabular encoder, and the model that joins them.

Every network takes the signal as the store holds it, in µV, and scales it to mV itself, so a saved model needs no preprocessing.

Shape suffixes: B batch, L lead, T time, C feature map, F tabular feature, E embedding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hfrisk.errors import ConfigError

if TYPE_CHECKING:
    from hfrisk.config import ModelConfig

LEAD_ORDER = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Order of the L axis; the store's order."""
SAMPLING_RATE_HZ = 500
NUM_SAMPLES = 5000

ECG_EMBEDDING = 64
TABULAR_EMBEDDING = 32
_MV_PER_UV = 1e-3
_MAX_WIDTH = 256


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, halving the time axis.

    The shortcut pools and then projects, so no sample is skipped by a strided 1x1 convolution.
    """

    def __init__(self, num_in: int, num_out: int, *, dropout: float, kernel_size: int = 7) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.body = nn.Sequential(
            nn.Conv1d(num_in, num_out, kernel_size, stride=2, padding=padding, bias=False),
            nn.BatchNorm1d(num_out),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv1d(num_out, num_out, kernel_size, padding=padding, bias=False),
            nn.BatchNorm1d(num_out),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool1d(2, ceil_mode=True),
            nn.Conv1d(num_in, num_out, 1, bias=False),
            nn.BatchNorm1d(num_out),
        )

    def forward(self, x_BCT: Tensor) -> Tensor:  # noqa: N803
        return torch.relu_(self.body(x_BCT) + self.shortcut(x_BCT))


class ECGEncoder(nn.Module):
    """Residual 1-D CNN over a 10-second, 12-lead signal.

    A wide strided stem brings 500 Hz to 125 Hz, each stage halves the time axis and doubles the feature maps (at most 256), and the global
    average and maximum keep both what is there all the time (rhythm, QRS width) and what is there once (an ectopic beat).
    """

    def __init__(self, *, width: int = 32, num_stages: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(len(LEAD_ORDER), width, 15, stride=4, padding=7, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
        )
        widths = [min(width * 2**stage, max(width, _MAX_WIDTH)) for stage in range(num_stages)]
        self.stages = nn.Sequential(
            *(_ResidualBlock(num_in, num_out, dropout=dropout) for num_in, num_out in zip([width, *widths[:-1]], widths, strict=True))
        )
        self.projection = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], ECG_EMBEDDING), nn.ReLU(inplace=True))

    def forward(self, x_BLT: Tensor) -> Tensor:  # noqa: N803
        """Embed a batch of signals in mV: (B, 12, T) to (B, 64)."""
        x_BCT = self.stages(self.stem(x_BLT))  # noqa: N806
        embedding_BE: Tensor = self.projection(torch.cat([x_BCT.mean(dim=2), x_BCT.amax(dim=2)], dim=1))  # noqa: N806
        return embedding_BE


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

    def forward(self, x_BLT: Tensor) -> Tensor:  # noqa: N803
        """Embed a batch of signals in mV: (B, 12, T) to (B, 64)."""
        x_BET: Tensor = self.layers(x_BLT)  # noqa: N806
        return x_BET.mean(dim=2)


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


class CombinedModel(nn.Module):
    """One logit of heart failure a recording, from the ECG, the comorbidities, or both.

    Attributes:
        ecg: The encoder of the signal, or None.
        tabular: The encoder of the comorbidities, or None.
        logit_scale: Every logit is multiplied by it, before the shift. 1 while training; fitted on the validation split once it is saved.
        logit_shift: Added to every logit. 0 while training; what brings a model trained on resampled classes back to the natural prevalence
            once it is saved, and what calibrates it.
    """

    scale: Tensor
    logit_scale: Tensor
    logit_shift: Tensor

    def __init__(self, *, ecg: nn.Module | None, tabular: TabularEncoder | None) -> None:
        super().__init__()
        self.ecg = ecg
        self.tabular = tabular
        num_inputs = (ECG_EMBEDDING if ecg is not None else 0) + (TABULAR_EMBEDDING if tabular is not None else 0)
        self.head = nn.Sequential(nn.Linear(num_inputs, 32), nn.ReLU(inplace=True), nn.Linear(32, 1))
        self.register_buffer("scale", torch.tensor(_MV_PER_UV))
        self.register_buffer("logit_scale", torch.tensor(1.0))
        self.register_buffer("logit_shift", torch.tensor(0.0))

    def forward(self, x_BLT: Tensor | None, x_BF: Tensor | None) -> Tensor:  # noqa: N803
        """Map signals in µV (B, 12, T) and encoded features (B, F) to logits (B,); an input the model does not use may be None."""
        embeddings: list[Tensor] = []
        if self.ecg is not None:
            assert x_BLT is not None, "the model reads the ECG"  # noqa: S101
            embeddings.append(self.ecg(x_BLT * self.scale))
        if self.tabular is not None:
            assert x_BF is not None, "the model reads the comorbidities"  # noqa: S101
            embeddings.append(self.tabular(x_BF))
        logit_B: Tensor = self.head(torch.cat(embeddings, dim=1)).squeeze(1)  # noqa: N806
        return logit_B.float() * self.logit_scale + self.logit_shift


def build_model(config: ModelConfig, *, num_features: int) -> CombinedModel:
    """Build the network a study file asks for.

    Args:
        config: The section `[model]`.
        num_features: Columns of the encoded tabular features, indicators included; 0 where there is no tabular file.

    Raises:
        ConfigError: The comorbidities alone are asked for and there are none.
    """
    if config.inputs == "tabular" and not num_features:
        raise ConfigError("`model.inputs` is `tabular`, and there are no tabular features", hint="set `paths.tabular`, or `model.inputs`")
    ecg: nn.Module | None = None
    if config.inputs != "tabular":
        ecg = (
            SeedCNN()
            if config.encoder == "seed_cnn"
            else ECGEncoder(width=config.width, num_stages=config.num_stages, dropout=config.dropout)
        )
    tabular = None
    if config.inputs != "ecg" and num_features:
        tabular = TabularEncoder(num_features, dropout=0.0 if config.encoder == "seed_cnn" else config.dropout)
    return CombinedModel(ecg=ecg, tabular=tabular)


def choose_device(name: str) -> torch.device:
    """Find the device of the setting `train.device`; `auto` takes CUDA when there is one.

    Raises:
        ConfigError: There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):
        raise ConfigError(f"`train.device` is `{name}`, which this machine does not have", hint="`auto` takes what is there") from None


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Compute in bfloat16 where the setting `train.precision` says so; `auto` does on CUDA."""
    enabled = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def num_parameters(model: nn.Module) -> int:
    """Count the trained numbers of a network."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
