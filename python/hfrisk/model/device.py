"""Where and in what precision to compute."""

from __future__ import annotations

import torch

from hfrisk.errors import ConfigError


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
