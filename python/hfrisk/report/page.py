"""The page: what report.json holds, in words, tables and pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

import hfrisk
from hfrisk.errors import DataError
from hfrisk.evaluate import METRIC_NAMES, SCHEMA, load_run_config
from hfrisk.outputs import Outputs
from hfrisk.plot import draw_ecg
from hfrisk.report import figures
from hfrisk.report.svg import inline
from hfrisk.report.words import FILTERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hfrisk.config import StudyConfig

_QUESTIONS = {
    "prevalent": "Who already has a recorded diagnosis of heart failure on the day of a resting 12-lead ECG?",
    "ever": "Who has a recorded diagnosis of heart failure at any time, before or after a resting 12-lead ECG?",
}
_INPUTS = {"both": "the ECG and tabular features", "ecg": "the ECG alone", "tabular": "tabular features alone"}
_MEANINGS = {
    "auroc": "How often an ECG with the outcome is given a higher risk than one without. 0.5 is chance, 1 is perfect.",
    "auprc": "Mean precision over all thresholds. A useless score has the prevalence, {prevalence}.",
    "auprc_ratio": "How many times the prevalence that is. 1 is chance.",
    "brier": "Mean squared error of the risk. Lower is better; giving everybody the prevalence has {naive}.",
    "brier_skill": "Share of that error which the model removes. 0 is no better than the prevalence, 1 is perfect.",
    "calibration_slope": "1 is ideal. Below 1 the risks are too extreme, above 1 too timid.",
    "calibration_intercept": "0 is ideal. Below 0 the risks are too high on the whole, above 0 too low.",
    "observed_to_expected": "Outcomes that happened for each one predicted. 1 is ideal.",
    "ici": "Mean distance between the risk and the flexible calibration curve. 0 is ideal.",
}
_FEW_POSITIVE_PERSONS = 100
"""Below this many, calibration and the precision-recall curve are known to be unstable."""


def run(run_folder: Path, *, with_cases: bool = True) -> Path:
    """Write report.html, one file that loads nothing, from report.json.

    Args:
        run_folder: Folder of an evaluated run.
        with_cases: Draw the ECGs with the highest and the lowest risk of the test split. They are patient data, though nothing on
            them names a person; without them the page holds aggregates only.

    Returns:
        Path of the page.

    Raises:
        DataError: The run has not been evaluated, or by another version.
    """
    config = load_run_config(run_folder)
    report = _read_report(run_folder / "report.json")
    page = render(report, cases=list(_cases(run_folder, config)) if with_cases else [])
    with Outputs(run_folder) as outputs:
        outputs.path("report.html").write_text(page, encoding="utf-8")
    return run_folder / "report.html"


def render(report: dict[str, Any], *, cases: list[dict[str, Any]]) -> str:
    """Lay out the page.

    Args:
        report: What report.json holds.
        cases: Pictures of single ECGs: `svg`, `rank`, `risk` and `y`.
    """
    environment = Environment(
        loader=PackageLoader("hfrisk", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    splits, test = report["splits"], report["splits"]["test"]
    prevalence = test["metrics"]["prevalence"]["value"]
    facts = {"prevalence": f"{prevalence:.3f}", "naive": f"{prevalence * (1 - prevalence):.3f}"}
    return environment.get_template("report.html.j2").render(
        report=report,
        test=test,
        question=_QUESTIONS[report["mode"]],
        inputs=_INPUTS[report["inputs"]],
        metrics=[(METRIC_NAMES[name], test["metrics"][name], meaning.format(**facts)) for name, meaning in _MEANINGS.items()],
        warnings=list(_warnings(report)),
        roc=figures.roc(splits),
        precision_recall=figures.precision_recall(splits),
        calibration=figures.calibration(test),
        losses=figures.losses(report["epochs"]) if report["epochs"] else None,
        cases=cases,
        provenance=dict(_flat(report["run"])),
    )


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"no evaluation at `{path}`", hint=f"`hfrisk evaluate {path.parent}` writes it") from None
    except json.JSONDecodeError as error:
        raise DataError(f"`{path}` is not JSON: {error}", hint=f"`hfrisk evaluate {path.parent}` writes it anew") from None
    if report.get("schema") != SCHEMA:
        raise DataError(
            f"`{path}` has schema {report.get('schema')}, this version reads {SCHEMA}",
            hint=f"`hfrisk evaluate {path.parent}` writes it anew",
        )
    return report


def _cases(run_folder: Path, config: StudyConfig) -> Iterator[dict[str, Any]]:
    """Draw the test ECGs with the highest and the lowest risk, half of each, the highest first."""
    path = run_folder / "predictions.parquet"
    if not path.is_file():
        raise DataError(f"no predictions at `{path}`", hint=f"`hfrisk evaluate {run_folder}` writes them")
    ranked = pl.read_parquet(path).filter(pl.col("split") == "test").sort("risk", "row", descending=[True, False])
    num_lowest = min(config.evaluate.num_example_ecgs, ranked.height) // 2
    num_highest = min(config.evaluate.num_example_ecgs, ranked.height) - num_lowest
    chosen = [("highest", case) for case in ranked.head(num_highest).to_dicts()]
    chosen += [("lowest", case) for case in ranked.tail(num_lowest).to_dicts()]
    if not chosen:
        return
    signals = hfrisk.open(config.paths.store).read([case["row"] for _, case in chosen])
    for number, ((rank, case), signal) in enumerate(zip(chosen, signals, strict=True), start=1):
        label = f"Twelve-lead ECG with the {rank} predicted risk"
        yield {"rank": rank, "risk": case["risk"], "y": case["y"], "svg": inline(draw_ecg(signal), name=f"ecg-{number}", label=label)}


def _warnings(report: dict[str, Any]) -> Iterator[str]:
    """What a reader must know before the numbers, in plain words."""
    if report["mode"] == "ever":
        yield (
            'The label looks into the future. In the mode "ever", a diagnosis made years after the ECG counts as much as one made before, '
            "and persons who are followed for longer have more of them. These numbers are kept for comparison; they are not those of a "
            "test that could be used on the day of the ECG."
        )
    if report["settings"]["train"]["sampler"] == "weighted":
        yield (
            "The model was trained on classes drawn equally often, and its risks were then corrected for the prevalence. "
            "Trust them only as far as the calibration below shows."
        )
    num_positive = report["splits"]["test"]["num_positive_persons"]
    if num_positive < _FEW_POSITIVE_PERSONS:
        yield f"Only {num_positive:,} persons in the test split have the outcome. All numbers are uncertain, calibration most of all."
    if reason := report["splits"]["validation"].get("not_measured"):
        yield f"The validation split could not be measured: {reason}."


def _flat(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
