"""The page: what report.json holds, in words, tables and pictures."""

from __future__ import annotations

import itertools
import json
import operator
from typing import TYPE_CHECKING, Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

import hfrisk
from hfrisk.errors import DataError
from hfrisk.evaluate import METRIC_NAMES, SCHEMA, load_run_config
from hfrisk.outputs import Outputs
from hfrisk.plot import draw_ecg
from hfrisk.report import figures, sentences
from hfrisk.report.card import card
from hfrisk.report.forest import Scale, scale_of
from hfrisk.report.svg import inline
from hfrisk.report.tripod import checklist
from hfrisk.report.words import FILTERS, percent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hfrisk.config import StudyConfig

_MEANINGS = {
    "auroc": "How often an ECG with the outcome is given a higher risk than one without. 0.5 is chance, 1 is perfect.",
    "auprc": "Mean precision over all thresholds. A useless score has the prevalence, {prevalence}.",
    "auprc_ratio": "How many times the prevalence that is. 1 is chance.",
    "brier": "Mean squared error of the risk. Lower is better; giving everybody the prevalence has {naive}.",
    "brier_skill": "Share of that error which the model removes. 0 is no better than the prevalence, 1 is perfect.",
    "observed_to_expected": "Outcomes that happened for each one predicted. 1 is ideal, above 1 the risks are too low.",
    "calibration_intercept": "Calibration in the large. 0 is ideal; below 0 the risks are too high on the whole.",
    "calibration_slope": "1 is ideal. Below 1 the risks are too extreme, above 1 too timid.",
    "ici": "Mean distance between the risk and the flexible calibration curve. 0 is ideal.",
    "ece": "Mean distance between predicted and observed in ten bins. 0 is ideal; noise alone makes it larger.",
}
_RECALIBRATED = ("observed_to_expected", "calibration_intercept", "calibration_slope", "ici", "ece", "brier")
_RULES = {
    "sensitivity": "Sensitivity {} on validation",
    "specificity": "Specificity {} on validation",
    "risk": "Risk of {}",
    "youden": "Largest Youden index on validation",
}


def run(run_folder: Path, *, with_cases: bool = False) -> Path:
    """Write report.html, one file that loads nothing, from report.json.

    Args:
        run_folder: Folder of an evaluated run.
        with_cases: Draw the ECGs with the highest, the lowest and the most uncertain risk of the test split, coloured by what moved the
            risk. They are patient data, though nothing on them names a person; without them the page holds aggregates only.

    Returns:
        Path of the page.

    Raises:
        DataError: The run has not been evaluated, or by another version.
    """
    config = load_run_config(run_folder)
    report = _read_report(run_folder / "report.json")
    page = render(report, cases=list(_cases(run_folder, config)) if with_cases else [], importance=_read_importance(run_folder))
    with Outputs(run_folder) as outputs:
        outputs.path("report.html").write_text(page, encoding="utf-8")
    return run_folder / "report.html"


def render(report: dict[str, Any], *, cases: list[dict[str, Any]], importance: list[dict[str, Any]] | None = None) -> str:
    """Lay out the page.

    Args:
        report: What report.json holds.
        cases: Pictures of single ECGs: `svg`, `rank`, `risk`, `y` and `is_explained`.
        importance: What each tabular feature is worth, as explain.json has it; None where `hfrisk explain` was not run.
    """
    environment = Environment(
        loader=PackageLoader("hfrisk", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    splits, test = report["splits"], report["splits"]["test"]
    return environment.get_template("report.html.j2").render(
        report=report,
        test=test,
        smallest=report["settings"]["evaluate"]["smallest_cell"],
        question=sentences.question(report),
        summary=sentences.summary(report),
        warnings=list(sentences.warnings(report)),
        metrics=list(_metrics(test)),
        recalibrated=[(METRIC_NAMES.get(name, name.upper()), name) for name in _RECALIBRATED],
        points=[_named_point(point) for point in report["operating_points"]],
        scales=_scales(report),
        roc=figures.roc(splits),
        precision_recall=figures.precision_recall(splits),
        calibration=figures.calibration(test),
        densities=figures.densities(test),
        decisions=figures.decisions(test),
        losses=figures.losses(report["epochs"]) if report["epochs"] else None,
        card=card(report),
        checks=list(_checks(report["lint"])),
        checklist=checklist(report),
        table_one=[(section, list(rows)) for section, rows in itertools.groupby(report["table_one"], key=operator.itemgetter("section"))],
        cases=cases,
        importance=importance or [],
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


def _read_importance(run_folder: Path) -> list[dict[str, Any]]:
    path = run_folder / "explain.json"
    features: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"] if path.is_file() else []
    return features


def _cases(run_folder: Path, config: StudyConfig) -> Iterator[dict[str, Any]]:
    """Draw the test ECGs with the highest, the lowest and the most uncertain risk, and what moved each."""
    from hfrisk import explain  # noqa: PLC0415 - needs torch, which a page without cases does not

    path = run_folder / "predictions.parquet"
    if not path.is_file():
        raise DataError(f"no predictions at `{path}`", hint=f"`hfrisk evaluate {run_folder}` writes them")
    chosen = explain.choose_cases(pl.read_parquet(path).filter(pl.col("split") == "test"), max(1, config.evaluate.num_example_ecgs // 2))
    signals = hfrisk.open(config.paths.store).read(chosen["row"].to_numpy())
    shared = explain.explain_cases(run_folder, chosen, signals)
    for number, case in enumerate(chosen.iter_rows(named=True)):
        rank = explain.KINDS[case["case"].partition("-")[0]]
        figure = draw_ecg(signals[number], attribution=None if shared is None else shared[number])
        picture = inline(figure, name=f"ecg-{number + 1}", label=f"Twelve-lead ECG: {rank}")
        yield {"rank": rank, "risk": case["risk"], "y": case["y"], "svg": picture, "is_explained": shared is not None}


def _metrics(test: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None, str]]:
    """Name, estimate an ECG, estimate a person, and what it means."""
    prevalence = test["metrics"]["prevalence"]["value"]
    facts = {"prevalence": f"{prevalence:.3f}", "naive": f"{prevalence * (1 - prevalence):.3f}"}
    for name, meaning in _MEANINGS.items():
        yield METRIC_NAMES.get(name, name.upper()), test["metrics"][name], test["per_person"].get(name), meaning.format(**facts)


def _named_point(point: dict[str, Any]) -> dict[str, Any]:
    return point | {"name": _RULES[point["rule"]].format(percent(point["target"], 0) if point["target"] is not None else "")}


def _scales(report: dict[str, Any]) -> dict[str, Scale]:
    """The common axes of the tables with intervals."""
    areas = [one["metrics"]["auroc"] for one in report["comparisons"]] + [report["splits"]["test"]["metrics"]["auroc"]]
    groups = [row for one in report["subgroups"] for row in one["groups"]]
    return {
        "comparisons": Scale.of(areas, reference=0.5),
        "subgroups": scale_of(groups, "auroc", reference=report["splits"]["test"]["metrics"]["auroc"]["value"]),
        "temporal": scale_of(report["temporal"].get("rows", []), "auroc", reference=0.5),
    }


def _checks(lint: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What the leakage lint found, a line a check."""
    for check in lint.get("checks", []):
        yield {
            "outcome": str(check.get("outcome", "not run")),
            "name": str(check.get("name", "")).replace("_", " "),
            "text": str(check.get("message", "")),
        }


def _flat(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
