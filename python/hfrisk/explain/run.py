"""`hfrisk explain RUN`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console
from rich.table import Table

import hfrisk
from hfrisk.batches import BatchStream
from hfrisk.checkpoint import feature_statistics, load_model
from hfrisk.errors import DataError
from hfrisk.evaluate import MODEL_FILE, load_run_config
from hfrisk.explain.attribution import attributions
from hfrisk.explain.cases import choose_cases, draw_cases
from hfrisk.explain.importance import NUM_REPEATS, permutation_importance
from hfrisk.model import choose_device
from hfrisk.outputs import Outputs
from hfrisk.predict import make_examples
from hfrisk.tabular import read_tabular

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hfrisk.config import StudyConfig
    from hfrisk.model import CombinedModel
    from hfrisk.tabular import FeatureStatistics

SCHEMA = 1


def run(run_folder: Path, *, with_cases: bool = False, num_cases: int = 1) -> dict[str, Any]:
    """Explain a trained model on its test split.

    Writes explain.json into the run folder, and on request `cases/*.svg`, which are patient data.

    Args:
        run_folder: Folder of a training run that was evaluated.
        with_cases: Draw single ECGs.
        num_cases: How many with the highest, the lowest and the most uncertain risk.

    Returns:
        What explain.json holds: `features`, each with `auroc_drop`, `low` and `high`, the most important first.

    Raises:
        DataError: The run is not complete, or was not evaluated.
        ConfigError: Cases are asked for and the model reads no ECG.
    """
    config = load_run_config(run_folder)
    model, meta = load_model(run_folder / MODEL_FILE)
    model = model.to(choose_device(config.train.device))
    statistics = feature_statistics(meta)
    predictions = _test_split(run_folder / "predictions.parquet")
    explained: dict[str, Any] = {"schema": SCHEMA, "num_ecgs": predictions.height, "num_repeats": NUM_REPEATS, "features": []}
    if statistics is not None:
        importances = _importances(model, config, predictions, statistics)
        explained["features"] = [dataclasses.asdict(one) for one in importances]
    if with_cases:
        _write_cases(run_folder / "cases", model, config, choose_cases(predictions, num_cases), statistics)
    with Outputs(run_folder) as outputs:
        outputs.path("explain.json").write_text(json.dumps(explained, indent=1) + "\n", encoding="utf-8")
    return explained


def show(explained: dict[str, Any]) -> None:
    """Print the features and what each is worth."""
    console = Console(soft_wrap=True, highlight=False)
    if not explained["features"]:
        console.print("the model reads no tabular features")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("feature")
    table.add_column("AUROC lost when shuffled", justify="right")
    table.add_column(f"range of {explained['num_repeats']}", justify="right")
    for one in explained["features"]:
        table.add_row(one["feature"], f"{one['auroc_drop']:+.4f}", f"{one['low']:+.4f} to {one['high']:+.4f}")
    console.print(table)


def _test_split(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise DataError(f"no predictions at `{path}`", hint="evaluate the run first: `hfrisk evaluate RUN`")
    return pl.read_parquet(path).filter(pl.col("split") == "test")


def _importances(model: CombinedModel, config: StudyConfig, predictions: pl.DataFrame, statistics: FeatureStatistics) -> list[Any]:
    stream = BatchStream(
        hfrisk.open(config.paths.store, num_threads=config.train.num_threads) if model.ecg is not None else None,
        make_examples(predictions, _table(config), statistics),
        batch_size=config.train.batch_size,
        shuffle=False,
        device=model.logit_shift.device,
    )
    return permutation_importance(model, stream.batches(0), predictions["person_id"].to_numpy(), statistics, seed=config.evaluate.seed)


def explain_cases(run_folder: Path, cases: pl.DataFrame, signal_uv: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Share the logits of some test ECGs out among their samples.

    Args:
        run_folder: Folder of a trained run.
        cases: `row` and `person_id`, as in predictions.parquet.
        signal_uv: Their signals in µV, (N, 12, 5000).

    Returns:
        As `attributions`; None where there is no model that reads the ECG.
    """
    if not (run_folder / MODEL_FILE).is_file():
        return None
    config = load_run_config(run_folder)
    model, meta = load_model(run_folder / MODEL_FILE)
    return None if model.ecg is None else _attributions(model, config, cases, signal_uv, feature_statistics(meta))


def _attributions(
    model: CombinedModel, config: StudyConfig, cases: pl.DataFrame, signal_uv: NDArray[np.float32], statistics: FeatureStatistics | None
) -> NDArray[np.float32]:
    examples = make_examples(cases, None if statistics is None else _table(config), statistics)
    return attributions(model.to(choose_device(config.train.device)), signal_uv, examples.tabular)


def _write_cases(
    folder: Path, model: CombinedModel, config: StudyConfig, cases: pl.DataFrame, statistics: FeatureStatistics | None
) -> None:
    signal_uv = hfrisk.open(config.paths.store).read(cases["row"].to_numpy())
    shared = _attributions(model, config, cases, signal_uv, statistics)
    with Outputs(folder) as outputs:
        draw_cases(cases, signal_uv, shared, outputs)
    for stale in {path.name for path in folder.glob("*.svg")} - {f"{case}.svg" for case in cases["case"]}:
        (folder / stale).unlink()


def _table(config: StudyConfig) -> pl.DataFrame:
    if config.paths.tabular is None:
        raise DataError("the model reads tabular features, and the run's settings name no table", hint="set `paths.tabular`")
    return read_tabular(config.paths.tabular)
