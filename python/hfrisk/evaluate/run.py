"""The whole evaluation, top to bottom."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from hfrisk import metrics
from hfrisk.errors import DataError
from hfrisk.evaluate import measure, subgroups
from hfrisk.evaluate.contenders import PERMUTED, compare, contenders, judge_permuted, permuted, temporal
from hfrisk.evaluate.ecgs import describe
from hfrisk.evaluate.inputs import MODEL_FILE, inputs_of, load_run_config, read_attrition, read_cohort, read_epochs, read_json, settings
from hfrisk.evaluate.numbers import count
from hfrisk.evaluate.table_one import table_one
from hfrisk.outputs import Outputs
from hfrisk.run_folder import describe_software

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import StudyConfig
    from hfrisk.metrics import Recalibration

SCHEMA = 2
"""Of report.json; a reader refuses another."""
_COUNTED = {"counts", "reasons"}
"""Of cohort.json; they may hold small cells, and what of them may leave stands in Table 1 and in the attrition."""
METRIC_NAMES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "auprc_ratio": "AUPRC / prevalence",
    "prevalence": "prevalence",
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
    "observed_to_expected": "observed / expected",
    "ici": "calibration index",
}


def run(run_folder: Path) -> dict[str, Any]:
    """Measure a trained model on the test split, and on the validation split beside it.

    Thresholds are chosen on the validation split. Writes predictions.parquet (one row an ECG) and report.json into the run folder, both or
    neither, and prints the test metrics.

    Args:
        run_folder: Folder of one training run, with config.toml and hf_risk_model.pth.

    Returns:
        What report.json holds.

    Raises:
        DataError: The run is not complete, the cohort lacks a column, or the test split cannot be measured.
    """
    config = load_run_config(run_folder)
    model = run_folder / MODEL_FILE
    if not model.is_file():
        raise DataError(f"no trained model at `{model}`", hint="finish the training first: `python -m hfrisk.train --config study.toml`")
    cohort = read_cohort(config.paths.data / "cohort.parquet", allow=config.lint.allow)
    predictions, fitted = _predict(model, config, cohort.filter(pl.col("split").is_in(["test", "validation"])))
    with Console(stderr=True).status("measuring, with intervals from resampled persons ..."):
        measured = _measure(run_folder, config, describe(cohort, config), predictions, fitted)
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "name": config.name,
        "evaluated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": config.cohort.mode,
        "inputs": inputs_of(config),
        **measured,
        "attrition": read_attrition(config.paths.data / "attrition.csv", config.evaluate.smallest_cell),
        "cohort": {key: value for key, value in read_json(config.paths.data / "cohort.json").items() if key not in _COUNTED},
        "lint": read_json(run_folder / "lint.json"),
        "epochs": read_epochs(run_folder / "metrics.jsonl"),
        "settings": settings(config),
        "run": read_json(run_folder / "run.json"),
        "evaluated_with": describe_software(),
    }
    with Outputs(run_folder) as outputs:
        predictions.write_parquet(outputs.path("predictions.parquet"))
        outputs.path("report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _print(report["splits"]["test"])
    return report


def _predict(model: Path, config: StudyConfig, frame: pl.DataFrame) -> tuple[pl.DataFrame, Recalibration]:
    from hfrisk.predict import predict_logits, recalibration_of  # noqa: PLC0415 - torch takes seconds; an incomplete run is told at once

    logits = np.asarray(predict_logits(model, config, frame), dtype=np.float64)
    columns = [pl.Series("risk", metrics.sigmoid(logits)), pl.Series("logit", logits)]
    return frame.select("row", "person_id", "split", "y", *columns), recalibration_of(model)


def _measure(run_folder: Path, config: StudyConfig, ecgs: pl.DataFrame, predictions: pl.DataFrame, fitted: Recalibration) -> dict[str, Any]:
    """Everything that is counted or computed."""
    chosen, smallest = config.evaluate, config.evaluate.smallest_cell
    of_split = {name: predictions.filter(pl.col("split") == name) for name in ("test", "validation")}
    test, train = ecgs.filter(pl.col("split") == "test"), ecgs.filter(pl.col("split") == "train")
    y, logit = (of_split["test"][name].to_numpy().astype(np.float64) for name in ("y", "logit"))
    measure.check_measurable(y, logit, "test")
    validation = _validation(of_split["validation"], config)
    points = _operating_points(of_split["validation"], config) if "not_measured" not in validation else []
    others = contenders(run_folder, config, train, test)
    shuffled = permuted(train, test, seed=chosen.seed)
    groups = subgroups.subgroups(test)
    beside = subgroups.subgroup_statistics(groups, of_split["test"], smallest)
    beside |= {one.name: metrics.RiskStatistics(y, one.logit, with_calibration=False) for one in others}
    if shuffled is not None:
        beside[PERMUTED] = metrics.RiskStatistics(*shuffled, with_calibration=False)
    before = fitted.undo(logit)
    drawn = measure.draw(of_split["test"], before, chosen, thresholds=[cut for *_, cut in points], beside=beside)
    return {
        "splits": {
            "train": count(train),
            "test": measure.describe(of_split["test"], before, drawn),
            "validation": validation,
        },
        "operating_points": measure.at_operating_points(points, drawn),
        "comparisons": compare(others, drawn),
        "permuted_labels": judge_permuted(drawn) if shuffled is not None else None,
        "temporal": temporal(train, test, logit, smallest=smallest, num_resamples=chosen.num_bootstrap, seed=chosen.seed),
        "subgroups": subgroups.summarise(groups, test, drawn, smallest),
        "recalibration": {"method": fitted.method, "scale": fitted.scale, "shift": fitted.shift, "reason": fitted.reason},
        "table_one": table_one(ecgs, smallest),
    }


def _validation(predictions: pl.DataFrame, config: StudyConfig) -> dict[str, Any]:
    """The validation split, or why it cannot be measured; too small a one must not stop the test."""
    y, logit = (predictions[name].to_numpy().astype(np.float64) for name in ("y", "logit"))
    try:
        metrics.check(y, logit)
    except DataError as error:
        return count(predictions) | {"not_measured": error.message}
    return measure.describe_briefly(predictions, config.evaluate)


def _operating_points(predictions: pl.DataFrame, config: StudyConfig) -> list[tuple[str, float | None, float]]:
    y, risk = (predictions[name].to_numpy() for name in ("y", "risk"))
    found = []
    for rule, target in config.evaluate.points():
        point = metrics.OperatingPoint(rule, target)
        found.append((rule, target, metrics.choose_threshold(y, risk, point)))
    return found


def _print(measured: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, label in METRIC_NAMES.items():
        value, low, high = (_shown(measured["metrics"][name][key]) for key in ("value", "low", "high"))
        table.add_row(label, value, f"{low} to {high}")
    persons, positive = f"{measured['num_persons']:,} persons", f"{measured['num_positive_ecgs']:,} ECGs with the outcome"
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"test split: {measured['num_ecgs']:,} ECGs of {persons}, {positive}")
    console.print(table)


def _shown(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
