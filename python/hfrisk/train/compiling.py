"""Where `torch.compile` applies: only to full training batches; everything else runs as written.

Modules are compiled in place, so that their names and saved weights stay those of the uncompiled network.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hfrisk.model import CombinedModel

_MAX_VARIANTS = 64
"""Every block of another shape is a variant of the same code; the default limit of 8 would leave the deeper ones uncompiled."""


def choose_mode(setting: str, device: torch.device) -> str:
    """Resolve `train.compile`: `off`, `regional` or `full`."""
    if setting != "auto":
        return setting
    if device.type != "cuda":
        return "off"
    _dynamo_settings().suppress_errors = True  # a machine without a C compiler trains uncompiled, with a warning
    return "regional"


def compile_model(model: CombinedModel, mode: str) -> None:
    """Compile a network in place."""
    if mode == "off":
        return
    settings = _dynamo_settings()
    settings.recompile_limit = max(settings.recompile_limit, _MAX_VARIANTS)
    regions = [model] if mode == "full" or model.ecg is None else model.ecg.regions()  # type: ignore[operator]
    for region in regions:
        # Sizes are fixed: a full batch is always the same, and others do not come here.
        region.compile(dynamic=False)


def compiled_if(*, is_full: bool) -> AbstractContextManager[object]:
    """Run compiled modules as written unless a batch is full: a shorter last one would be compiled anew, and so would validation."""
    return contextlib.nullcontext() if is_full else torch.compiler.set_stance("force_eager")


def _dynamo_settings() -> Any:  # noqa: ANN401
    from torch._dynamo import config  # noqa: PLC0415 - seconds that a run without compilation need not wait

    return config
