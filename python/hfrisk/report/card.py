"""The model card: what somebody who is handed the model needs to know."""

from __future__ import annotations

from typing import Any

from hfrisk.report import sentences
from hfrisk.report.words import count, fixed, percent


def card(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Headings and what there is to say under each."""
    settings, run = report["settings"], report["run"]
    test, train = report["splits"]["test"], report["splits"]["train"]
    area = test["metrics"]["auroc"]
    parameters = f", {count(run['num_parameters'])} parameters" if "num_parameters" in run else ""
    revision = run.get("git_revision") or report["evaluated_with"].get("git_revision")
    version = report["evaluated_with"]["versions"]["hfrisk"]
    share = percent(train["num_positive_ecgs"] / max(1, train["num_ecgs"]))
    return [
        ("Model", f"{settings['model']['encoder']} network reading {sentences.INPUTS[report['inputs']]}{parameters}."),
        (
            "Version",
            f"hfrisk {version}, revision {(revision or 'unknown')[:12]}, seed {settings['train']['seed']}.",
        ),
        ("Input", "10 s of a resting 12-lead ECG at 500 Hz in microvolts, and where it reads them, the tabular features of Table 1."),
        ("Output", "A risk from 0 to 1. " + sentences.question(report)),
        ("Intended use", "Research: to study and compare risk models on a comparable population. A person has to judge every use."),
        ("Not for", "The care of a patient, persons unlike those of Table 1, other carts or hospitals without validation there."),
        ("Trained on", f"{count(train['num_ecgs'])} ECGs of {count(train['num_persons'])} persons, {share} with the outcome."),
        ("Tested on", f"{count(test['num_ecgs'])} ECGs of {count(test['num_persons'])} other persons of the same source."),
        ("Performance", f"AUROC {fixed(area['value'])} (95 % interval {fixed(area['low'])} to {fixed(area['high'])})."),
        ("Unequal performance", _unequal(report)),
        (
            "Before use elsewhere",
            "Measure it there, recalibrate it on local data at the local prevalence, and watch it with hfrisk drift.",
        ),
    ]


def _unequal(report: dict[str, Any]) -> str:
    """The group with the lowest AUROC among those that were measured."""
    rows = [
        (one["characteristic"], row)
        for one in report["subgroups"]
        for row in one["groups"]
        if row.get("auroc", {}).get("value") is not None
    ]
    if not rows:
        return "No subgroup was large enough to be measured."
    name, worst = min(rows, key=lambda pair: pair[1]["auroc"]["value"])
    return (
        f"Lowest in {name.lower()} {worst['group']}: AUROC {fixed(worst['auroc']['value'])} "
        f"({fixed(worst['auroc']['low'])} to {fixed(worst['auroc']['high'])}), {count(worst['num_ecgs'])} ECGs."
    )
