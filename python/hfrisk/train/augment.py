"""Change training recordings on the device, in ways that electrodes, amplifiers and bodies do.

What is added or scaled is linear and made for the independent leads I, II, V1-V6; III, aVR, aVL and aVF follow from I and II, so that no
change teaches the network limb leads that cannot be.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hfrisk.model import SAMPLING_RATE_HZ
from hfrisk.train.draws import normal, uniform

if TYPE_CHECKING:
    from hfrisk.config import AugmentConfig

_NUM_INDEPENDENT = 8
_NUM_LIMB = 6
_NUM_CHEST = 6
_WANDER_HZ = (0.05, 0.5)
_NUM_DRAWS = 4 + _NUM_CHEST + 1 + 2 * _NUM_INDEPENDENT


def augment(x_BLT: Tensor, key: Tensor, index_B: Tensor, settings: AugmentConfig) -> Tensor:  # noqa: N803
    """Change a batch of signals.

    Args:
        x_BLT: µV, (B, 12, T).
        key: Of this step, see `draws.key_of`; the result is a function of it, of `index_B` and of the signals.
        index_B: Place of each recording in the global batch, int32 (B,).
        settings: What to do, and how much.

    Returns:
        µV, (B, 12, T), or (B, 12, crop) with `crop_s`.
    """
    draws = uniform(key, index_B, _NUM_DRAWS)
    shift, start, gain, frequency = draws[:, :4].unbind(1)
    silent, size, phase = torch.split(draws[:, 4:], [_NUM_CHEST + 1, _NUM_INDEPENDENT, _NUM_INDEPENDENT], dim=1)
    if settings.time_shift_s or settings.crop_s:
        x_BLT = _window(x_BLT, shift, start, settings)  # noqa: N806
    if settings.amplitude:
        x_BLT = x_BLT * torch.exp((2 * gain - 1) * math.log1p(settings.amplitude))[:, None, None]  # noqa: N806
    if settings.wander_uv:
        time_s = torch.arange(x_BLT.shape[2], device=x_BLT.device) / SAMPLING_RATE_HZ
        low, high = _WANDER_HZ
        cycles = (low + (high - low) * frequency)[:, None, None] * time_s + phase[:, :, None]
        x_BLT = x_BLT + _twelve(settings.wander_uv * size[:, :, None] * torch.sin(2 * math.pi * cycles))  # noqa: N806
    if settings.noise_uv:
        num_samples = x_BLT.shape[2]
        place = torch.arange(_NUM_INDEPENDENT * num_samples, dtype=torch.int32, device=x_BLT.device).view(_NUM_INDEPENDENT, num_samples)
        noise = normal(key + 1, place + index_B[:, None, None] * place.numel())
        x_BLT = x_BLT + _twelve(settings.noise_uv * noise)  # noqa: N806
    if settings.lead_dropout:
        kept = silent >= settings.lead_dropout
        x_BLT = x_BLT * torch.cat([kept[:, :1].expand(-1, _NUM_LIMB), kept[:, 1:]], dim=1)[:, :, None]  # noqa: N806
    return x_BLT


def _window(x_BLT: Tensor, shift: Tensor, start: Tensor, settings: AugmentConfig) -> Tensor:  # noqa: N803
    """Read from another beginning; beyond the ends stands the value at the end."""
    num_samples = x_BLT.shape[2]
    length = min(num_samples, round(settings.crop_s * SAMPLING_RATE_HZ)) if settings.crop_s else num_samples
    begin = torch.floor(start * (num_samples - length + 1)) + torch.round((2 * shift - 1) * settings.time_shift_s * SAMPLING_RATE_HZ)
    position = begin.long()[:, None] + torch.arange(length, device=x_BLT.device)
    return x_BLT.gather(2, position.clamp(0, num_samples - 1)[:, None, :].expand(-1, x_BLT.shape[1], -1))


def _twelve(x_B8T: Tensor) -> Tensor:  # noqa: N803
    """Derive all leads from I, II, V1-V6."""
    one, two = x_B8T[:, 0], x_B8T[:, 1]
    limb = torch.stack([one, two, two - one, (one + two) * -0.5, one - two * 0.5, two - one * 0.5], dim=1)
    return torch.cat([limb, x_B8T[:, 2:]], dim=1)
