"""Logits of a model over rows of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

import hfrisk
from hfrisk.batches import BatchStream, Examples
from hfrisk.checkpoint import feature_statistics, load_model
from hfrisk.errors import ConfigError
from hfrisk.metrics import Recalibration
from hfrisk.model import autocast, choose_device
from hfrisk.tabular import join_tabular, read_tabular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

    from hfrisk.batches import Batch
    from hfrisk.config import StudyConfig
    from hfrisk.model import CombinedModel
    from hfrisk.tabular import FeatureStatistics


def predict_logits(
    model_path: Path, config: StudyConfig, frame: pl.DataFrame, *, leave_out: Literal["ecg", "tabular"] | None = None
) -> NDArray[np.float64]:
    """Predict every recording of a frame.

    Args:
        model_path: A `hf_risk_model.pth`.
        config: Says where the store and the tabular file are, and on what device to compute.
        frame: Columns `row` and `person_id`, as in cohort.parquet.
        leave_out: The input to treat as missing; only of a model that was trained with modality drop-out.

    Returns:
        Logits at the natural prevalence, float64 (N,), in the frame's order.

    Raises:
        DataError: The model is of other features, leads or schema, or a row holds no recording.
        ConfigError: The model needs comorbidities and no tabular file is named, or it cannot do without what is left out.
    """
    model, meta = load_model(model_path)
    if leave_out is not None and not model.accepts_missing:
        raise ConfigError(f"the model needs its input `{leave_out}`", hint="train with `model.modality_dropout` above 0")
    statistics = feature_statistics(meta)
    if statistics is not None and config.paths.tabular is None and not model.accepts_missing:
        raise ConfigError(
            f"the model reads {len(statistics.names)} tabular features, and no tabular file is named", hint="set `paths.tabular`"
        )
    table = read_tabular(config.paths.tabular) if statistics is not None and config.paths.tabular is not None else None
    if leave_out == "tabular":
        table = None
    reads_signals = model.ecg is not None and leave_out != "ecg"
    device = choose_device(config.train.device)
    stream = BatchStream(
        hfrisk.open(config.paths.store, num_threads=config.train.num_threads) if reads_signals else None,
        make_examples(frame, table, statistics),
        batch_size=config.train.batch_size,
        shuffle=False,
        device=device,
    )
    return logits_of(model.to(device), stream.batches(0), precision=config.train.precision)


def recalibration_of(model_path: Path) -> Recalibration:
    """What was done to the logits on the validation split when a model was saved; nothing where it was saved without."""
    _, meta = load_model(model_path)
    fitted = meta.get("calibration", {"method": "none", "scale": 1.0, "shift": 0.0})
    return Recalibration(**{name: value for name, value in fitted.items() if name != "prior_shift"})


def make_examples(frame: pl.DataFrame, table: pl.DataFrame | None, statistics: FeatureStatistics | None) -> Examples:
    """Put together what the network sees of a frame with `row`, `person_id` and, where it is known, `y`."""
    tabular = None
    if table is not None and statistics is not None:
        tabular = statistics.encode(join_tabular(frame, table, names=statistics.names))
    y = frame["y"].cast(float).to_numpy() if "y" in frame.columns else np.full(frame.height, np.nan)
    return Examples(frame["row"].to_numpy().astype(np.int64), y.astype(np.float32), tabular)


def logits_of(model: CombinedModel, batches: Iterable[Batch], *, precision: str = "auto") -> NDArray[np.float64]:
    """Run a model over batches in evaluation mode; the logits are fetched once, at the end."""
    was_training = model.training
    model.eval()
    device = model.logit_shift.device
    with torch.inference_mode(), autocast(device, precision):
        logits = [model(batch.x_BLT, batch.x_BF) for batch in batches]
    model.train(was_training)
    return torch.cat(logits).cpu().numpy().astype(np.float64) if logits else np.empty(0)
