"""TRIPOD+AI (Collins et al., BMJ 2024): what of each item the run itself can say, and what a person has to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hfrisk.report import sentences
from hfrisk.report.words import count, fixed

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the checklist.

    Attributes:
        number: As in the checklist.
        topic: What it asks for.
        answer: What is known of it; empty where nothing is.
        is_open: Whether a person has to write it, or complete it.
    """

    number: str
    topic: str
    answer: str
    is_open: bool


def checklist(report: dict[str, Any]) -> list[Item]:
    """Fill in what can be filled in."""
    return [
        Item(number, topic, "" if answer is None else answer(report), answer is None or is_open)
        for number, topic, answer, is_open in _ITEMS
    ]


def _data(report: dict[str, Any]) -> str:
    dates: list[dict[str, Any]] = next((rows["groups"] for rows in report["subgroups"] if rows["characteristic"] == "Year"), [])
    years = f", {dates[0]['group'][:4]} to {dates[-1]['group'][-4:]}" if dates else ""
    return f"Resting 12-lead ECGs of one source{years}, and its OMOP database."


def _eligibility(report: dict[str, Any]) -> str:
    rules = [step["rule"] for step in report["attrition"][1:] if step["removed_ecgs"]]
    return f"Removed: {'; '.join(rules)}." if rules else "Every labelled ECG."


def _preparation(_report: dict[str, Any]) -> str:
    return (
        "All ECGs at 500 Hz, 10 s, in microvolts, without filtering; tabular features standardised with statistics of the training split."
    )


def _outcome(report: dict[str, Any]) -> str:
    return f"Diagnosis codes of heart failure in the database, label mode {report['mode']}; concept set in cohort.json."


def _predictors(report: dict[str, Any]) -> str:
    return f"The model reads {sentences.INPUTS[report['inputs']]}; Table 1 lists the features."


def _size(report: dict[str, Any]) -> str:
    test = report["splits"]["test"]
    return f"All that was available: {count(test['num_positive_persons'])} persons with the outcome in the test split."


def _missing(_report: dict[str, Any]) -> str:
    return "Missing tabular values become the training mean with an indicator; ECGs that cannot be read are excluded and listed."


def _partition(report: dict[str, Any]) -> str:
    split = report["settings"]["split"]
    how = {"temporal": "By person, time held out", "group": "By person, a group held out", "k_fold": "By person, folds"}.get(
        split.get("method", "person"), "By person"
    )
    sizes = ", ".join(f"{count(report['splits'][name]['num_persons'])} {name}" for name in ("train", "validation", "test"))
    return f"{how}, seed {split['seed']}: {sizes} persons; validation serves early stopping, recalibration and thresholds."


def _model(report: dict[str, Any]) -> str:
    settings, training = report["settings"], report["settings"]["train"]
    parameters = report["run"].get("num_parameters")
    size = f", {count(parameters)} parameters" if parameters else ""
    return f"Network {settings['model']['encoder']}{size}; AdamW, {training['num_epochs']} epochs at most, seed {training['seed']}."


def _heterogeneity(report: dict[str, Any]) -> str:
    names = [one["characteristic"].lower() for one in report["subgroups"]]
    return f"Subgroups by {', '.join(names)}." if names else "No characteristic was known."


def _measures(report: dict[str, Any]) -> str:
    resamples = count(report["settings"]["evaluate"]["num_bootstrap"])
    return f"AUROC, AUPRC, Brier score, calibration (intercept, slope, flexible curve), decision curve; {resamples} resamples of persons."


def _updating(report: dict[str, Any]) -> str:
    fitted = report["recalibration"]
    if fitted["method"] == "none":
        return f"Not recalibrated{': ' + fitted['reason'] if fitted['reason'] else ''}."
    change = f"logit \N{MULTIPLICATION SIGN} {fixed(fitted['scale'])}, shifted by {fixed(fitted['shift'])}"
    return f"Recalibrated on the validation split ({fitted['method']}): {change}."


def _imbalance(report: dict[str, Any]) -> str:
    if report["settings"]["train"]["sampler"] == "weighted":
        return "Classes drawn equally often in training; the prior was corrected, then the risks recalibrated at natural prevalence."
    return "None: trained at natural prevalence."


def _output(report: dict[str, Any]) -> str:
    return f"A risk from 0 to 1; {len(report['operating_points'])} thresholds chosen on the validation split."


def _differences(_report: dict[str, Any]) -> str:
    return "Training and test are of one source, by person; Table 1 shows both side by side."


def _specification(_report: dict[str, Any]) -> str:
    return "hf_risk_model.pth holds weights, settings, features, recalibration; hfrisk predict applies it."


def _performance(report: dict[str, Any]) -> str:
    area = report["splits"]["test"]["metrics"]["auroc"]
    return f"AUROC {fixed(area['value'])} ({fixed(area['low'])} to {fixed(area['high'])}); all others above, with intervals."


def _events(report: dict[str, Any]) -> str:
    parts = [
        f"{name} {count(report['splits'][name]['num_positive_ecgs'])} of {count(report['splits'][name]['num_ecgs'])} ECGs"
        for name in ("train", "validation", "test")
    ]
    return f"With the outcome: {', '.join(parts)}."


_ITEMS: tuple[tuple[str, str, Callable[[dict[str, Any]], str] | None, bool], ...] = (
    ("1", "Title: a prediction model, its population and outcome", None, True),
    ("2", "Abstract (TRIPOD+AI for abstracts)", None, True),
    ("3a-c", "Background: context, rationale, target population, known inequalities", None, True),
    ("4", "Objectives", sentences.question, True),
    ("5a-b", "Data: sources and dates", _data, True),
    ("6a", "Setting and centres", None, True),
    ("6b", "Eligibility", _eligibility, False),
    ("6c", "Treatments received", None, True),
    ("7", "Data preparation and quality checks", _preparation, False),
    ("8a", "Outcome: definition and time horizon", _outcome, True),
    ("8b-c", "Outcome: who assessed it, blinded to what", None, True),
    ("9a-c", "Predictors: choice, definition, assessment", _predictors, True),
    ("10", "Sample size", _size, True),
    ("11", "Missing data", _missing, False),
    ("12a", "Analysis: partition of the data", _partition, False),
    ("12b-c", "Analysis: predictors, model, building, tuning, validation", _model, True),
    ("12d", "Analysis: heterogeneity across groups", _heterogeneity, False),
    ("12e", "Analysis: performance measures and plots", _measures, False),
    ("12f-g", "Analysis: model updating, how predictions are computed", _updating, False),
    ("13", "Class imbalance", _imbalance, False),
    ("14", "Fairness: approaches and their rationale", _heterogeneity, True),
    ("15", "Model output and thresholds", _output, False),
    ("16", "Differences between training and evaluation data", _differences, False),
    ("17", "Ethical approval and consent", None, True),
    ("18a-c", "Funding, conflicts of interest, protocol", None, True),
    ("18d-f", "Registration, data sharing, code sharing", None, True),
    ("19", "Patient and public involvement", None, True),
    ("20a", "Participants: flow", lambda _: "Flow of ECGs and persons above.", False),
    ("20b-c", "Participants: characteristics, by split", lambda _: "Table 1 above.", False),
    ("21", "Participants and events in each analysis", _events, False),
    ("22", "Model specification", _specification, False),
    ("23a", "Performance with intervals", _performance, False),
    ("23b", "Performance by group", _heterogeneity, False),
    ("24", "Results of updating", lambda _: "Recalibration before and after, above.", False),
    ("25", "Interpretation, in the light of other work", None, True),
    ("26", "Limitations", lambda _: "Those that the run itself knows are under “How far to trust it”.", True),
    ("27a-c", "Usability: poor or missing input, users, next steps", lambda _: "Files that are no ECG are rejected with a reason.", True),
)
