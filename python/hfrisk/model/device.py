"""Where and in what precision to compute."""

from __future__ import annotations

import ctypes
import functools
import os

import torch

from hfrisk.errors import ConfigError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_NEVER_TRIM, _LARGEST_KEPT = -1, 1 << 30


def choose_device(name: str) -> torch.device:
    """Find the device of the setting `train.device`; `auto` takes CUDA when there is one. For the CPU see `keep_freed_memory`.

    Raises:
        ConfigError: There is no such device.
    """
    if name == "auto":
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    else:
        try:
            device = torch.empty(0, device=name).device
        except (RuntimeError, AssertionError):
            raise ConfigError(f"`train.device` is `{name}`, which this machine does not have", hint="`auto` takes what is there") from None
    if device.type == "cpu":
        keep_freed_memory()
    return device


@functools.cache
def keep_freed_memory() -> bool:
    """Have this process keep what it frees for what it allocates next, and tell whether it does.

    A network on the CPU allocates and frees the output of every layer. glibc gives blocks of megabytes back to the system at once, which
    then clears their pages for the next layer: two thirds of the time of a small network. Nothing is done on other C libraries, or where
    the environment (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`, `GLIBC_TUNABLES`) says how memory is to be kept.
    """
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no glibc; TypeError on Windows, where there is no handle of the process itself
        return False
    # Older versions take no threshold above 32 MB, less than a layer's output; they can be told to take nothing from beside the heap.
    has_no_mapped = mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT) or mallopt(_M_MMAP_MAX, 0)
    return bool(has_no_mapped and mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Compute in bfloat16 where the setting `train.precision` says so; `auto` does on CUDA."""
    enabled = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
