"""What a checkpoint holds, and which run may continue from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hfrisk.checkpoint import load_payload, load_weights, require_same_signal, save_atomic
from hfrisk.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hfrisk.batches import BatchStream
    from hfrisk.run_folder import RunFolder
    from hfrisk.train.stepper import Stepper

_FREE_TO_CHANGE = {"num_threads", "log_every_steps", "checkpoint_every_minutes", "keep_checkpoints", "residency", "transport"}
"""Settings of `[train]` that may differ when a run is resumed: they change no bit of the result."""
_NEW_RUN = "start a new run with `--set paths.run=…`"


@dataclass(slots=True)
class State:
    """Where a run stands, beside weights, optimiser and stream. Random numbers are a function of (seed, step), so none are here."""

    epoch: int = 0
    step: int = 0
    epoch_is_trained: bool = False
    """All batches of `epoch` are done, its validation is not."""
    loss_sum: float = 0.0
    num_seen: int = 0
    best_auroc: float = -1.0
    best_epoch: int = -1
    is_finished: bool = False


def save(folder: RunFolder, meta: Mapping[str, Any], stepper: Stepper, stream: BatchStream, state: State, *, num_kept: int) -> None:
    """Write a checkpoint and drop the oldest."""
    average = stepper.average
    save_atomic(
        folder.checkpoint(state.step),
        {
            **meta,
            "kind": "last",
            "model": stepper.model.state_dict(),
            "average": None if average is None else average.model.state_dict(),
            "optimizer": stepper.optimizer.state_dict(),
            "stream": stream.state_dict(),
            "state": dataclasses.asdict(state),
        },
    )
    folder.drop_old_checkpoints(num_kept)


def restore(path: Path, meta: Mapping[str, Any], stepper: Stepper, stream: BatchStream) -> State:
    """Continue from a checkpoint.

    Raises:
        ConfigError: A setting that changes the result differs.
        DataError: The checkpoint is of other features, another cohort, another store or another number of processes.
    """
    saved = load_payload(path)
    require_same_signal(saved, path)
    _require_same_study(saved, meta, path)
    load_weights(stepper.model, saved["model"], path)
    if stepper.average is not None:
        load_weights(stepper.average.model, saved["average"], path)
    stepper.optimizer.load_state_dict(saved["optimizer"])
    stream.load_state_dict(saved["stream"])
    return State(**saved["state"])


def _require_same_study(saved: Mapping[str, Any], meta: Mapping[str, Any], path: Path) -> None:
    if saved["features"] != meta["features"]:
        raise DataError(
            f"`{path}` was trained on other tabular features than `paths.tabular` gives now",
            hint=f"restore the tabular file, or {_NEW_RUN}",
        )
    for name, digest in meta["fingerprints"].items():
        if saved["fingerprints"][name] != digest:
            raise DataError(f"the {name} file has changed since `{path}` was written", hint=_NEW_RUN)
    for section in ("model", "train", "augment"):
        for key, value in meta["config"][section].items():
            started = saved["config"][section].get(key)
            if key not in _FREE_TO_CHANGE and started != value:
                raise ConfigError(
                    f"`{section}.{key}` is {value!r}, and the run in `{path.parents[1]}` was started with {started!r}",
                    hint=f"resume with the settings of its config.toml, or {_NEW_RUN}",
                )
