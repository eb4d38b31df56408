"""The model that joins the encoders, and how a study file becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hfrisk.errors import ConfigError
from hfrisk.model.plane import ECG_EMBEDDING
from hfrisk.model.resnet import ECGEncoder
from hfrisk.model.seed_cnn import SeedCNN
from hfrisk.model.tabular import TABULAR_EMBEDDING, TabularEncoder
from hfrisk.model.xresnet import XResNet50

if TYPE_CHECKING:
    from hfrisk.config import ModelConfig

_MV_PER_UV = 1e-3


class CombinedModel(nn.Module):
    """One logit of heart failure a recording, from the ECG, the comorbidities, or both.

    Attributes:
        ecg: The encoder of the signal, or None.
        tabular: The encoder of the comorbidities, or None.
        absent_ecg: What stands for the embedding of a recording that is missing; None where the model was not trained to do without.
        absent_tabular: The same for the comorbidities.
        logit_scale: Every logit is multiplied by it, before the shift. 1 while training; fitted on the validation split once it is saved.
        logit_shift: Added to every logit. 0 while training; what brings a model trained on resampled or weighted classes back to the
            natural prevalence once it is saved, and what calibrates it.
    """

    scale: Tensor
    logit_scale: Tensor
    logit_shift: Tensor
    absent_ecg: nn.Parameter | None
    absent_tabular: nn.Parameter | None

    def __init__(self, *, ecg: nn.Module | None, tabular: TabularEncoder | None, accepts_missing: bool = False) -> None:
        super().__init__()
        self.ecg = ecg
        self.tabular = tabular
        num_inputs = (ECG_EMBEDDING if ecg is not None else 0) + (TABULAR_EMBEDDING if tabular is not None else 0)
        self.head = nn.Sequential(nn.Linear(num_inputs, 32), nn.ReLU(inplace=True), nn.Linear(32, 1))
        self.register_buffer("scale", torch.tensor(_MV_PER_UV))
        self.register_buffer("logit_scale", torch.tensor(1.0))
        self.register_buffer("logit_shift", torch.tensor(0.0))
        self.register_parameter("absent_ecg", nn.Parameter(torch.zeros(ECG_EMBEDDING)) if accepts_missing else None)
        self.register_parameter("absent_tabular", nn.Parameter(torch.zeros(TABULAR_EMBEDDING)) if accepts_missing else None)

    @property
    def accepts_missing(self) -> bool:
        """Whether one of the two inputs may be left out, because the model was trained with modality drop-out."""
        return self.absent_ecg is not None

    def forward(self, x_BLT: Tensor | None, x_BF: Tensor | None, keep_BM: Tensor | None = None) -> Tensor:  # noqa: N803
        """Map recordings to logits (B,).

        Args:
            x_BLT: Signals in µV, (B, 12, T); None where the model reads none, or where it accepts to go without.
            x_BF: Encoded features, (B, F); None likewise.
            keep_BM: In training with modality drop-out: False where the signal (B, 0) or the comorbidities (B, 1) are to be missing.
        """
        embeddings: list[Tensor] = []
        if self.ecg is not None:
            if x_BLT is not None:
                embeddings.append(_with_gaps(self.ecg(x_BLT * self.scale), self.absent_ecg, keep_BM, 0))
            else:
                assert self.absent_ecg is not None, "the model reads the ECG"  # noqa: S101
                assert x_BF is not None, "one input is needed"  # noqa: S101
                embeddings.append(self.absent_ecg.expand(len(x_BF), -1))
        if self.tabular is not None:
            if x_BF is not None:
                embeddings.append(_with_gaps(self.tabular(x_BF), self.absent_tabular, keep_BM, 1))
            else:
                assert self.absent_tabular is not None, "the model reads the comorbidities"  # noqa: S101
                assert x_BLT is not None, "one input is needed"  # noqa: S101
                embeddings.append(self.absent_tabular.expand(len(x_BLT), -1))
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
    ecg = _ecg_encoder(config) if config.inputs != "tabular" else None
    tabular = None
    if config.inputs != "ecg" and num_features:
        tabular = TabularEncoder(num_features, dropout=0.0 if config.encoder == "seed_cnn" else config.dropout)
    reads_both = ecg is not None and tabular is not None
    return CombinedModel(ecg=ecg, tabular=tabular, accepts_missing=reads_both and config.modality_dropout > 0)


def _ecg_encoder(config: ModelConfig) -> nn.Module:
    if config.encoder == "seed_cnn":
        return SeedCNN()
    if config.encoder == "xresnet50":
        return XResNet50(dropout=config.dropout)
    return ECGEncoder(width=config.width, num_stages=config.num_stages, dropout=config.dropout)


def _with_gaps(embedding_BE: Tensor, absent_E: Tensor | None, keep_BM: Tensor | None, modality: int) -> Tensor:  # noqa: N803
    if keep_BM is None or absent_E is None:
        return embedding_BE
    return torch.where(keep_BM[:, modality, None], embedding_BE, absent_E.to(embedding_BE.dtype))
