"""Whether a risk of 20 % happens to 20 in 100."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hfrisk.metrics.labels import Floats, check, logit_of, sigmoid
from hfrisk.metrics.logistic import fit_logistic

if TYPE_CHECKING:
    import numpy.typing as npt

    from hfrisk.metrics.logistic import Matrix

_Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""
_KNOT_QUANTILES = {4: (0.05, 0.35, 0.65, 0.95), 3: (0.1, 0.5, 0.9)}
"""Where Harrell puts the knots of a restricted cubic spline."""
_EVENTS_FOR_FOUR_KNOTS = 50
_CURVE_POINTS = 80


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """Predicted and observed risk in bins of equal count, with Wilson 95 % intervals of the observed."""

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    num_ecgs: npt.NDArray[np.int64]


def brier(y: npt.ArrayLike, risk: npt.ArrayLike) -> float:
    """Mean squared difference between the risk and what happened."""
    labels, risks = check(y, risk)
    return float(np.mean((risks - labels) ** 2))


def brier_skill(y: npt.ArrayLike, risk: npt.ArrayLike) -> float:
    """Share of the Brier score that the model saves against giving everybody the prevalence."""
    labels, risks = check(y, risk)
    prevalence = labels.mean()
    return float(1 - np.mean((risks - labels) ** 2) / (prevalence * (1 - prevalence)))


def calibration_slope(y: npt.ArrayLike, logit: npt.ArrayLike) -> float:
    """Slope of a logistic regression of `y` on the logit: 1 is ideal, below 1 the risks are too extreme.

    NaN where no finite slope fits best: the classes are separated, or all logits are equal.
    """
    labels, logits = check(y, logit)
    return float(fit_logistic(linear_design(logits), labels, np.ones_like(labels), start=np.array([0.0, 1.0]))[1])


def calibration_intercept(y: npt.ArrayLike, logit: npt.ArrayLike) -> float:
    """Calibration in the large: the shift of all logits, slope held at 1, that makes the mean risk right. 0 is ideal."""
    labels, logits = check(y, logit)
    return float(fit_logistic(np.ones((labels.size, 1)), labels, np.ones_like(labels), offset=logits)[0])


def calibration_curve(y: npt.ArrayLike, risk: npt.ArrayLike, *, num_bins: int = 10) -> CalibrationCurve:
    """Mean predicted risk against the observed rate in `num_bins` bins of equal count; equal risks share a bin."""
    labels, risks = check(y, risk)
    bins, counts = _equal_bins(risks, num_bins)
    observed = np.bincount(bins, weights=labels) / counts
    low, high = wilson(observed * counts, counts)
    return CalibrationCurve(np.bincount(bins, weights=risks) / counts, observed, low, high, counts)


def ece(y: npt.ArrayLike, risk: npt.ArrayLike, *, num_bins: int = 10) -> float:
    """Expected calibration error: mean distance between predicted and observed in bins of equal count, each weighed by its size."""
    curve = calibration_curve(y, risk, num_bins=num_bins)
    return float(np.abs(curve.predicted - curve.observed) @ curve.num_ecgs / curve.num_ecgs.sum())


def ici(y: npt.ArrayLike, logit: npt.ArrayLike) -> float:
    """Integrated calibration index: mean distance between the risk and the flexible curve at it. NaN where no curve can be fitted."""
    labels, logits = check(y, logit)
    design = spline_design(logits, spline_knots(logits, num_events=min(labels.sum(), (1 - labels).sum())))
    fitted = sigmoid(design @ fit_logistic(design, labels, np.ones_like(labels)))
    return float(np.abs(fitted - sigmoid(logits)).mean())


def flexible_grid(logits: Floats) -> Floats:
    """Logits at which the flexible curve is drawn: evenly along the risk, inside the middle 99 % of what was predicted."""
    low, high = sigmoid(np.quantile(logits, (0.005, 0.995)))
    return logit_of(np.linspace(low, high, _CURVE_POINTS))


def linear_design(logits: Floats) -> Matrix:
    """Columns of an intercept and a slope."""
    return np.stack([np.ones_like(logits), logits], axis=1)


def spline_knots(logits: Floats, *, num_events: float) -> Floats:
    """Harrell's knots for so many events (of the rarer class); none where the logits have too few distinct values to bend."""
    num_knots = 4 if num_events >= _EVENTS_FOR_FOUR_KNOTS else 3
    knots = np.unique(np.quantile(logits, _KNOT_QUANTILES[num_knots]))
    return knots if knots.size == num_knots else np.empty(0)


def spline_design(logits: Floats, knots: Floats) -> Matrix:
    """Columns of a restricted cubic spline: intercept, slope, and one bend for each knot but two; straight beyond the outer knots."""
    columns = [np.ones_like(logits), logits]
    if knots.size:
        *_, second_last, last = knots
        above = np.maximum(logits[:, None] - knots, 0) ** 3
        for index in range(knots.size - 2):
            bend = (
                above[:, index]
                - above[:, -2] * (last - knots[index]) / (last - second_last)
                + above[:, -1] * (second_last - knots[index]) / (last - second_last)
            )
            columns.append(bend / (last - knots[0]) ** 2)
    return np.stack(columns, axis=1)


def wilson(num_positive: npt.ArrayLike, num_total: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's 95 % score interval of a proportion."""
    total = np.asarray(num_total, dtype=np.float64)
    share = np.asarray(num_positive, dtype=np.float64) / total
    centre = share + _Z95**2 / (2 * total)
    half = _Z95 * np.sqrt(share * (1 - share) / total + _Z95**2 / (4 * total**2))
    scale = 1 + _Z95**2 / total
    return np.clip((centre - half) / scale, 0, 1), np.clip((centre + half) / scale, 0, 1)


def _equal_bins(risks: Floats, num_bins: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    inner = np.quantile(risks, np.arange(1, num_bins) / num_bins)
    _, bins, counts = np.unique(np.searchsorted(np.unique(inner), risks, side="left"), return_inverse=True, return_counts=True)
    return bins, counts.astype(np.int64)
