"""The result in plain sentences: what was asked, on whom, how good, how sure; and what a reader must know first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfrisk.report.words import count, fixed, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS = {
    "prevalent": "Who already has a recorded diagnosis of heart failure on the day of a resting 12-lead ECG?",
    "diagnostic": "Who has heart failure diagnosed around the day of a resting 12-lead ECG?",
    "incident": "Who, free of heart failure on the day of a resting 12-lead ECG, will be diagnosed with it?",
    "ever": "Who has a recorded diagnosis of heart failure at any time, before or after a resting 12-lead ECG?",
}
INPUTS = {"both": "the ECG and tabular features", "ecg": "the ECG alone", "tabular": "tabular features alone"}
_FEW_POSITIVE_PERSONS = 100
"""Below this many, calibration and the precision-recall curve are known to be unstable."""
_NARROW, _MODERATE = 0.05, 0.10
_WELL = 0.8, 1.25


def summary(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Headings and what there is to say under each."""
    return [
        ("Asked", f"{question(report)} The model reads {INPUTS[report['inputs']]}."),
        ("On whom", _on_whom(report)),
        ("How good", " ".join(_how_good(report))),
        ("How sure", " ".join(_how_sure(report))),
    ]


def question(report: dict[str, Any]) -> str:
    """What the study asks."""
    settings = report["settings"]["cohort"]
    if report["mode"] == "incident" and "horizon_days" in settings:
        window = f"from {settings['blanking_days'] + 1} to {settings['horizon_days']} days after it"
        return f"Who, free of heart failure on the day of a resting 12-lead ECG, will be diagnosed with it {window}?"
    return QUESTIONS.get(report["mode"], f"Who has the outcome, by the label `{report['mode']}`?")


def warnings(report: dict[str, Any]) -> Iterator[str]:
    """What a reader must know before the numbers."""
    if report["mode"] == "ever":
        yield (
            'The label looks into the future. In the mode "ever", a diagnosis made years after the ECG counts as much as one made before, '
            "and persons who are followed for longer have more of them. These numbers are kept for comparison; they are not those of a "
            "test that could be used on the day of the ECG."
        )
    shuffled = report["permuted_labels"]
    if shuffled is not None and not shuffled["passed"]:
        yield (
            f"Shuffled labels were learned: a baseline taught labels in random order still reaches an AUROC of "
            f"{fixed(shuffled['auroc']['value'])} on the test split. Something leaks; no number below can be trusted."
        )
    num_positive = report["splits"]["test"]["num_positive_persons"]
    if num_positive < _FEW_POSITIVE_PERSONS:
        yield f"Only {num_positive:,} persons in the test split have the outcome. All numbers are uncertain, calibration most of all."
    if report["settings"]["train"]["sampler"] == "weighted":
        yield (
            "The model was trained on classes drawn equally often. Its risks were corrected for the prevalence and recalibrated; trust "
            "them only as far as the calibration below shows."
        )
    if reason := report["splits"]["validation"].get("not_measured"):
        yield f"The validation split could not be measured, so no threshold was chosen and nothing recalibrated: {reason}."


def _on_whom(report: dict[str, Any]) -> str:
    train, test = report["splits"]["train"], report["splits"]["test"]
    return (
        f"Trained on {count(train['num_ecgs'])} ECGs of {count(train['num_persons'])} persons, tested on {count(test['num_ecgs'])} ECGs of "
        f"{count(test['num_persons'])} other persons; {percent(test['metrics']['prevalence']['value'])} of the tested ECGs "
        f"({count(test['num_positive_persons'])} persons) have the outcome."
    )


def _how_good(report: dict[str, Any]) -> Iterator[str]:
    measured = report["splits"]["test"]["metrics"]
    ours, ratio = measured["auroc"], measured["auprc_ratio"]["value"]
    yield (
        f"Of one ECG with the outcome and one without, the right one gets the higher risk in {percent(ours['value'], 0)} of all pairs "
        f"(AUROC {fixed(ours['value'])})."
    )
    yield f"Those flagged have the outcome {fixed(ratio, 1)} times as often as the average ECG (AUPRC over prevalence)."
    baselines = [one for one in report["comparisons"] if one["kind"] != "network"]
    if baselines:
        best = max(baselines, key=lambda one: one["metrics"]["auroc"]["value"])
        gain = best["difference"]["auroc"]
        verdict = "better than" if (gain["low"] or 0) > 0 else "worse than" if (gain["high"] or 0) < 0 else "not clearly different from"
        name, area = best["name"][:1].lower() + best["name"][1:], fixed(best["metrics"]["auroc"]["value"])
        yield (
            f"It is {verdict} the best model without the signal ({name}, AUROC {area}; difference {fixed(gain['value'])}, "
            f"{fixed(gain['low'])} to {fixed(gain['high'])})."
        )
    point = next((one for one in report["operating_points"] if one["rule"] == "sensitivity"), None)
    if point is not None and point["ppv"]["value"] is not None:
        yield (
            f"From a risk of {percent(point['threshold'])} on it finds {percent(point['sensitivity']['value'], 0)} of those with the "
            f"outcome, flags {percent(point['flagged']['value'], 0)} of all ECGs, and {percent(point['ppv']['value'], 0)} of these have it."
        )


def _how_sure(report: dict[str, Any]) -> Iterator[str]:
    measured = report["splits"]["test"]["metrics"]
    area = measured["auroc"]
    if area["low"] is not None and area["high"] is not None:
        width = area["high"] - area["low"]
        wide = "narrow" if width < _NARROW else "moderately wide" if width < _MODERATE else "wide"
        yield f"The 95 % interval of the AUROC, {fixed(area['low'])} to {fixed(area['high'])}, is {wide}."
    ratio = measured["observed_to_expected"]
    low, high = _WELL
    if ratio["value"] is not None:
        about = "about as many as" if low <= ratio["value"] <= high else "fewer than" if ratio["value"] < low else "more than"
        yield (
            f"{percent(measured['prevalence']['value'])} of the ECGs have the outcome, {about} predicted (observed over expected "
            f"{fixed(ratio['value'], 2)}, {fixed(ratio['low'], 2)} to {fixed(ratio['high'], 2)})."
        )
    yield "All of it comes from one source and one split; another hospital may give other numbers."
