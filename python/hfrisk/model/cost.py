"""What a network costs: parameters, and floating-point operations a recording."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from hfrisk.model.plane import LEAD_ORDER, NUM_SAMPLES

if TYPE_CHECKING:
    from torch import nn

    from hfrisk.model.combined import CombinedModel


def num_parameters(model: nn.Module) -> int:
    """Count the trained numbers of a network."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def training_flops(model: CombinedModel, *, num_features: int) -> int:
    """Count the floating-point operations of convolutions and matrix products, forward and backward, for one recording.

    Nothing is computed: the operations are counted on tensors without values.
    """
    shapeless = copy.deepcopy(model).to("meta").train()
    num = 2  # a batch, for the normalisations
    x_BLT = torch.empty(num, len(LEAD_ORDER), NUM_SAMPLES, device="meta") if model.ecg is not None else None  # noqa: N806
    x_BF = torch.empty(num, num_features, device="meta") if model.tabular is not None else None  # noqa: N806
    with FlopCounterMode(display=False) as counter:
        shapeless(x_BLT, x_BF).sum().backward()
    total: int = counter.get_total_flops()
    return total // num
