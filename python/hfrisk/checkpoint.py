"""Checkpoints and models on disk: tensors and plain types only, written atomically, read with `weights_only=True`.

A model file carries what is needed to use it: schema, weights, settings, lead order, units, rate, and the tabular features with their
statistics. It carries no path and no connection string.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import torch

from hfrisk.config import ModelConfig
from hfrisk.errors import DataError
from hfrisk.model import LEAD_ORDER, NUM_SAMPLES, SAMPLING_RATE_HZ, CombinedModel, build_model
from hfrisk.tabular import FeatureStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hfrisk.config import StudyConfig

SCHEMA = 2
"""Of both model files and checkpoints; a reader refuses another."""

_SIGNAL = {"lead_order": list(LEAD_ORDER), "units": "uV", "sampling_rate_hz": SAMPLING_RATE_HZ, "num_samples": NUM_SAMPLES}
_SHARED_SECTIONS = ("phenotype", "cohort", "split", "model", "train", "augment")


def save_atomic(path: Path, payload: Mapping[str, Any]) -> None:
    """Write tensors and plain types to `path`: under its name stands the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(dict(payload), file)
            file.flush()
            os.fsync(file.fileno())  # before the rename: a power cut must not leave the new name with half the bytes
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_payload(path: Path) -> dict[str, Any]:
    """Read what `save_atomic` wrote, on the CPU.

    Raises:
        DataError: The file is missing, damaged, not ours, or of another schema.
    """
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"no model or checkpoint at `{path}`", hint="train first: `python -m hfrisk.train --config study.toml`") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"`{path}` is damaged, or no file of hfrisk", hint="train again, or take the other checkpoint") from error
    if not isinstance(payload, dict) or "schema" not in payload:
        raise DataError(f"`{path}` is no file of hfrisk: it holds no `schema`")
    if payload["schema"] != SCHEMA:
        raise DataError(
            f"`{path}` has schema {payload['schema']}, this version reads {SCHEMA}", hint="use the version that wrote it, or train again"
        )
    return payload


def model_meta(config: StudyConfig, statistics: FeatureStatistics | None, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
    """Describe a model in plain types.

    Args:
        config: The study; paths and the database stay out of the file.
        statistics: Of the tabular features, or None.
        **facts: Anything plain to keep beside them, such as the prevalence.
    """
    return {
        "schema": SCHEMA,
        "config": {"name": config.name, **{section: _plain(getattr(config, section)) for section in _SHARED_SECTIONS}},
        **_SIGNAL,
        "features": None if statistics is None else statistics.to_dict(),
        **facts,
    }


def save_model(path: Path, model: CombinedModel, meta: Mapping[str, Any]) -> None:
    """Write the final model, `hf_risk_model.pth`: `meta` and `state_dict`."""
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    save_atomic(path, {**meta, "state_dict": state})


def load_model(path: Path) -> tuple[CombinedModel, dict[str, Any]]:
    """Rebuild a saved model, in evaluation mode on the CPU.

    Returns:
        The model, and everything else the file carries; `feature_statistics(meta)` reads the features.

    Raises:
        DataError: As `load_payload`; or the model is of another lead order, rate or unit; or the weights are not of the network that its
            own settings describe.
    """
    meta = load_payload(path)
    try:
        state = meta.pop("state_dict")
        require_same_signal(meta, path)
        known = {field.name for field in fields(ModelConfig)}
        settings = {name: value for name, value in meta["config"]["model"].items() if name in known}
        statistics = feature_statistics(meta)
    except (KeyError, TypeError) as error:
        raise DataError(f"`{path}` is not a model file: {error} is missing", hint="give `hf_risk_model.pth`, not a checkpoint") from None
    model = build_model(ModelConfig(**settings), num_features=0 if statistics is None else statistics.num_encoded)
    load_weights(model, state, path)
    return model.eval(), meta


def load_weights(model: CombinedModel, state: Mapping[str, Any], path: Path) -> None:
    """Fill a network with saved weights.

    Raises:
        DataError: They are of another network.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise DataError(
            f"the weights in `{path}` are of another network than its settings describe", hint="was `[model]` or the tabular file changed?"
        ) from None


def require_same_signal(meta: Mapping[str, Any], path: Path) -> None:
    """Refuse a file whose signals are not the store's.

    Raises:
        DataError: Lead order, unit, rate or length differ.
    """
    for name, expected in _SIGNAL.items():
        if meta[name] != expected:
            raise DataError(
                f"`{path}` was trained on signals with {name} {meta[name]}, the store has {expected}", hint="train a model on this store"
            )


def feature_statistics(meta: Mapping[str, Any]) -> FeatureStatistics | None:
    """Read the tabular features a model was trained on; None where it was trained without."""
    return None if meta["features"] is None else FeatureStatistics.from_dict(meta["features"])


def _plain(section: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        name: value if isinstance(value, int | float | str | bool | None) else str(value)
        for name, value in asdict(section).items()
        if name != "file"
    }
