"""What follows when a risk at or above a threshold is acted upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hfrisk.errors import DataError
from hfrisk.metrics.labels import Floats, check

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """How a threshold is chosen.

    `sensitivity` is the highest threshold that reaches the target, `specificity` the lowest that does, `youden` that of the largest Youden
    index, and `risk` the target itself.
    """

    rule: str
    target: float | None = None


def choose_threshold(y: npt.ArrayLike, risk: npt.ArrayLike, point: OperatingPoint) -> float:
    """Find the risk at or above which an ECG is flagged. Meant for the validation split; what is then measured on it would flatter.

    A specificity that no risk given reaches lies just above the highest one, where nobody is flagged.
    """
    if point.rule == "risk":
        if point.target is None:
            raise DataError("an operating point by risk has no risk", hint="as in `risk=0.1`")
        return point.target
    labels, risks = check(y, risk)
    values = np.unique(risks)
    at_or_above = labels.size - np.searchsorted(np.sort(risks), values, side="left")
    positives = np.sort(risks[labels == 1])
    true_positives = positives.size - np.searchsorted(positives, values, side="left")
    sensitivity = true_positives / positives.size
    specificity = 1 - (at_or_above - true_positives) / (labels.size - positives.size)
    if point.rule == "youden":
        return float(values[np.argmax(sensitivity + specificity)])
    target = 0.0 if point.target is None else point.target
    if point.rule == "sensitivity":
        return float(values[np.flatnonzero(sensitivity >= target)[-1]])
    reached = np.flatnonzero(specificity >= target)
    return float(values[reached[0]]) if reached.size else float(np.nextafter(values[-1], np.inf))


def at_threshold(true_positives: Floats, flagged: Floats, num_positive: float, total: float) -> dict[str, Floats]:
    """Sensitivity, specificity, predictive values, share flagged and number needed to screen, from counts at one or many thresholds.

    The number needed to screen is how many flagged ECGs hold one with the outcome. NaN where nobody is on the side that is asked for.
    """
    num_negative = total - num_positive
    false_positives = flagged - true_positives
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "sensitivity": true_positives / num_positive,
            "specificity": 1 - false_positives / num_negative,
            "ppv": true_positives / flagged,
            "npv": (num_negative - false_positives) / (total - flagged),
            "flagged": flagged / total,
            "number_needed_to_screen": np.where(true_positives > 0, flagged / true_positives, np.nan),
        }


def net_benefit(true_positives: Floats, flagged: Floats, total: float, thresholds: Floats) -> Floats:
    """True positives a person less the false ones, each weighed by the odds of the threshold (Vickers and Elkin)."""
    return (true_positives - (flagged - true_positives) * thresholds / (1 - thresholds)) / total


def net_benefit_of_all(prevalence: float, thresholds: Floats) -> Floats:
    """What acting on everybody brings."""
    return prevalence - (1 - prevalence) * thresholds / (1 - thresholds)
