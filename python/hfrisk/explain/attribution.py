"""Which parts of an ECG moved its logit: integrated gradients per lead and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from captum.attr import IntegratedGradients

from hfrisk.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hfrisk.model import CombinedModel

NUM_STEPS = 64
_RECORDINGS_AT_ONCE = 16


def attributions(model: CombinedModel, signal_uv: NDArray[np.float32], features: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Share the logit of each recording out among its samples.

    Integrated gradients (Sundararajan 2017) from the isoelectric line, 0 µV everywhere, to the recording, with the tabular features held
    fixed. The sum over leads and samples is the difference between the logits of the two, up to the error of the quadrature
    (Gauss-Legendre with 64 nodes).

    Args:
        model: The network, in evaluation mode.
        signal_uv: Signals in µV, (B, 12, 5000).
        features: Encoded features, (B, F), or None where the model reads none.

    Returns:
        Attributions in units of the logit, (B, 12, 5000); positive where the ECG raised the risk.

    Raises:
        ConfigError: The model does not read the ECG.
    """
    if model.ecg is None:
        raise ConfigError(
            "the model reads no ECG, so there is nothing to draw", hint="explain a run with `model.inputs` of `both` or `ecg`"
        )
    device = model.logit_shift.device
    method = IntegratedGradients(model)
    found = []
    for position, one in enumerate(signal_uv):
        x_BLT = torch.from_numpy(one[None]).to(device)  # noqa: N806
        x_BF = None if features is None else torch.from_numpy(features[position : position + 1]).to(device)  # noqa: N806
        found.append(_attribute(method, x_BLT, x_BF))
    return np.concatenate(found) if found else np.empty_like(signal_uv)


def _attribute(method: IntegratedGradients, x_BLT: Tensor, x_BF: Tensor | None) -> NDArray[np.float32]:  # noqa: N803
    shared: Tensor = method.attribute(x_BLT, additional_forward_args=(x_BF,), n_steps=NUM_STEPS, internal_batch_size=_RECORDINGS_AT_ONCE)
    return shared.float().cpu().numpy()
