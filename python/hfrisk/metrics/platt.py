"""Recalibration: the scale and shift of all logits that make the risks of a validation split right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hfrisk.metrics.calibration import linear_design
from hfrisk.metrics.labels import Floats, check
from hfrisk.metrics.logistic import fit_logistic

if TYPE_CHECKING:
    import numpy.typing as npt

Method = Literal["platt", "shift", "none"]

_FEWEST_EVENTS = 10
_SMALLEST_SCALE = 0.05


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Calibrated logit = scale * logit + shift.

    Attributes:
        method: `platt` fits both, `shift` only the shift, `none` neither.
        reason: Why not both, in words; empty where both were fitted.
    """

    method: Method
    scale: float
    shift: float
    reason: str = ""

    def apply(self, logit: npt.ArrayLike) -> Floats:
        """Calibrate logits."""
        return self.scale * np.asarray(logit, dtype=np.float64) + self.shift

    def undo(self, logit: npt.ArrayLike) -> Floats:
        """Give back what `apply` was given."""
        return (np.asarray(logit, dtype=np.float64) - self.shift) / self.scale


def fit_recalibration(y: npt.ArrayLike, logit: npt.ArrayLike) -> Recalibration:
    """Fit Platt's scale and shift, with his targets, which keep both finite where the classes are separated.

    With under ten ECGs of the rarer class nothing is fitted, since the cure would be worse than the disease; where the score does not rise
    with the outcome, only the shift is, since a negative scale would turn the ranking around.

    Raises:
        DataError: The labels hold one class only, or a logit is not finite.
    """
    labels, logits = check(y, logit)
    num_positive, num_negative = labels.sum(), (1 - labels).sum()
    if min(num_positive, num_negative) < _FEWEST_EVENTS:
        rarer = "with" if num_positive <= num_negative else "without"
        return Recalibration("none", 1.0, 0.0, f"under {_FEWEST_EVENTS} validation ECGs {rarer} the outcome")
    targets = np.where(labels == 1, (num_positive + 1) / (num_positive + 2), 1 / (num_negative + 2))
    weights = np.ones_like(labels)
    shift, scale = fit_logistic(linear_design(logits), targets, weights, start=np.array([0.0, 1.0]))
    if np.isfinite(scale) and scale >= _SMALLEST_SCALE:
        return Recalibration("platt", float(scale), float(shift))
    (shift,) = fit_logistic(np.ones((labels.size, 1)), targets, weights, offset=logits)
    if np.isfinite(shift):
        return Recalibration("shift", 1.0, float(shift), "the score does not rise with the outcome on the validation split")
    return Recalibration("none", 1.0, 0.0, "no finite shift fits the validation split")
