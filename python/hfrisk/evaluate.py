"""`hfrisk evaluate RUN`: predict the held-out splits, measure, and write every number to report.json."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from hfrisk import metrics
from hfrisk.config import load_config
from hfrisk.errors import DataError
from hfrisk.outputs import Outputs
from hfrisk.run_folder import describe_software

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import StudyConfig

SCHEMA = 1
"""Of report.json; a reader refuses another."""
MEASURED_SPLITS = ("test", "validation")
MODEL_FILE = "hf_risk_model.pth"
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
_HISTOGRAM_BINS = 40
_COHORT_COLUMNS = ("row", "person_id", "y", "split")


def run(run_folder: Path) -> dict[str, Any]:
    """Measure a trained model on the test split, and on the validation split beside it.

    Writes predictions.parquet (one row an ECG) and report.json into the run folder, both or neither, and prints the test metrics.

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
    cohort = _read_cohort(config.paths.data / "cohort.parquet")
    predictions = _predict(model, config, cohort.filter(pl.col("split").is_in(MEASURED_SPLITS)))
    with Console(stderr=True).status("measuring, with intervals from resampled persons ..."):
        measured = {split: _measure(predictions.filter(pl.col("split") == split), split, config) for split in MEASURED_SPLITS}
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "name": config.name,
        "evaluated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": config.cohort.mode,
        "inputs": _inputs(config),
        "splits": {"train": count(cohort.filter(pl.col("split") == "train"))} | measured,
        "attrition": _read_attrition(config.paths.data / "attrition.csv"),
        "epochs": _read_epochs(run_folder / "metrics.jsonl"),
        "settings": _settings(config),
        "run": _read_run_facts(run_folder / "run.json"),
        "evaluated_with": describe_software(),
    }
    with Outputs(run_folder) as outputs:
        predictions.write_parquet(outputs.path("predictions.parquet"))
        outputs.path("report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _print(report["splits"]["test"])
    return report


def load_run_config(run_folder: Path) -> StudyConfig:
    """Read the settings that a run was made with.

    Raises:
        DataError: There is no such run.
    """
    path = run_folder / "config.toml"
    if not path.is_file():
        raise DataError(
            f"`{run_folder}` is not a run folder: it holds no config.toml", hint="name the folder in `paths.run` of the study file"
        )
    return load_config(path)


def count(frame: pl.DataFrame) -> dict[str, int]:
    """Count ECGs and persons, and those with the outcome."""
    positive = frame.filter(pl.col("y") == 1)
    return {
        "num_ecgs": frame.height,
        "num_persons": frame["person_id"].n_unique(),
        "num_positive_ecgs": positive.height,
        "num_positive_persons": positive["person_id"].n_unique(),
    }


def _read_cohort(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise DataError(f"no cohort at `{path}`", hint="`hfrisk cohort --config study.toml` writes it")
    cohort = pl.read_parquet(path)
    if missing := [name for name in _COHORT_COLUMNS if name not in cohort.columns]:
        raise DataError(f"`{path}` lacks the column `{missing[0]}`", hint="`hfrisk cohort --config study.toml` writes it anew")
    cohort = cohort.filter(pl.col("y").is_not_null())
    num_split_persons = cohort.group_by("person_id").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1).height
    if num_split_persons:
        raise DataError(
            f"`{path}`: {num_split_persons} persons are in more than one split, so the test would flatter",
            hint="`hfrisk cohort --config study.toml` writes it anew; with `split.file`, give each person one line",
        )
    if cohort.filter(pl.col("split") == "test").is_empty():
        raise DataError(f"`{path}`: no labelled ECG is in the test split", hint="raise split.test_fraction, or add persons")
    return cohort


def _predict(model: Path, config: StudyConfig, frame: pl.DataFrame) -> pl.DataFrame:
    from hfrisk.predict import predict_logits  # noqa: PLC0415 - torch takes seconds; an incomplete run is told at once

    logits = np.asarray(predict_logits(model, config, frame), dtype=np.float64)
    return frame.select("row", "person_id", "split", "y", pl.Series("risk", metrics.sigmoid(logits)), pl.Series("logit", logits))


def _measure(predictions: pl.DataFrame, split: str, config: StudyConfig) -> dict[str, Any]:
    """Counts, metrics and curves of one split; a validation split too small to be measured says so, the test split must be measurable."""
    counts = count(predictions)
    y, logit, risk = (predictions[name].to_numpy() for name in ("y", "logit", "risk"))
    try:
        metrics.check(y, logit)
    except DataError as error:
        if split == "test":
            raise DataError(f"{split} split: {error.message}", hint=error.hint) from None
        return counts | {"not_measured": error.message}
    found = metrics.estimates(
        y, logit, predictions["person_id"].to_numpy(), num_resamples=config.evaluate.num_bootstrap, seed=config.evaluate.seed
    )
    calibration = metrics.calibration_curve(y, risk)
    edges = np.linspace(0, 1, _HISTOGRAM_BINS + 1)
    histograms = {name: np.histogram(risk[y == label], edges)[0] for name, label in (("negative", 0), ("positive", 1))}
    return counts | {
        "metrics": {name: {key: _number(value) for key, value in dataclasses.asdict(estimate).items()} for name, estimate in found.items()},
        "curves": {
            "roc": _curve(metrics.roc(y, logit)),
            "precision_recall": _curve(metrics.precision_recall(y, logit)),
            "calibration": {key: _rounded(values) for key, values in dataclasses.asdict(calibration).items()},
        },
        "risk_histogram": {"edges": _rounded(edges)} | {name: counted.tolist() for name, counted in histograms.items()},
    }


def _curve(curve: metrics.Curve) -> dict[str, list[float]]:
    return {"x": _rounded(curve.x), "y": _rounded(curve.y)}


def _rounded(values: np.ndarray[Any, Any]) -> list[float]:
    rounded: list[float] = np.round(values, 6).tolist()
    return rounded


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _read_attrition(path: Path) -> list[dict[str, Any]]:
    return pl.read_csv(path).to_dicts() if path.is_file() else []


def _read_epochs(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that end an epoch; a line cut short by a crash is none."""
    epochs = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "validation_loss" in entry:
            epochs.append(entry)
    return epochs


def _read_run_facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return facts


def _settings(config: StudyConfig) -> dict[str, Any]:
    """Every setting that bears on the result, as plain values; where things lay and how the database was reached stay on the site."""
    settings: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=lambda path: path.name))
    return {name: section for name, section in settings.items() if isinstance(section, dict) and name not in {"paths", "omop"}}


def _inputs(config: StudyConfig) -> str:
    """What the model reads: `both` without a tabular file is the ECG alone."""
    return "ecg" if config.model.inputs == "both" and config.paths.tabular is None else config.model.inputs


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
