"""How good predicted risks are: arrays in, numbers out.

Everything takes `y` (0 or 1, one an ECG) and a score, and refuses what cannot be measured (one class only, a score that is not a number).
The intervals of all metrics come from one bootstrap that resamples persons, not ECGs, because the ECGs of one person are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from hfrisk.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

_Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""
_CONVERGED = 1e-6
"""Newton steps below this end a fit; the next one would be its square."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; NaN where the data do not determine it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, in drawing order."""

    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """Predicted and observed risk in bins of equal count, with Wilson 95 % intervals of the observed."""

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    num_ecgs: npt.NDArray[np.int64]


def auroc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counted half."""
    labels, scores = check(y, score)
    return float(roc_auc_score(labels, scores))


def auprc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Average precision: the area under the precision-recall curve as steps. A useless score has the prevalence."""
    labels, scores = check(y, score)
    return float(average_precision_score(labels, scores))


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
    return _recalibrate(labels, logits, np.ones_like(labels))[1]


def calibration_intercept(y: npt.ArrayLike, logit: npt.ArrayLike) -> float:
    """Calibration in the large: the shift of all logits, slope held at 1, that makes the mean risk right. 0 is ideal."""
    labels, logits = check(y, logit)
    return _in_the_large(labels, logits, np.ones_like(labels))


def roc(y: npt.ArrayLike, score: npt.ArrayLike, *, max_points: int = 400) -> Curve:
    """False positive rate (x) and true positive rate (y), thinned evenly along the curve."""
    labels, scores = check(y, score)
    false_positive_rate, true_positive_rate, _ = roc_curve(labels, scores)
    return _thin(false_positive_rate, true_positive_rate, max_points)


def precision_recall(y: npt.ArrayLike, score: npt.ArrayLike, *, max_points: int = 400) -> Curve:
    """Recall (x, rising from 0) and precision (y), thinned evenly along the curve."""
    labels, scores = check(y, score)
    precision, recall, _ = precision_recall_curve(labels, scores)
    return _thin(recall[::-1], precision[::-1], max_points)


def calibration_curve(y: npt.ArrayLike, risk: npt.ArrayLike, *, num_bins: int = 10) -> CalibrationCurve:
    """Mean predicted risk against the observed rate in `num_bins` bins of equal count; equal risks share a bin."""
    labels, risks = check(y, risk)
    inner = np.quantile(risks, np.arange(1, num_bins) / num_bins)
    bins = np.searchsorted(np.unique(inner), risks, side="left")
    _, bins, counts = np.unique(bins, return_inverse=True, return_counts=True)
    observed = np.bincount(bins, weights=labels) / counts
    low, high = wilson(observed * counts, counts)
    return CalibrationCurve(np.bincount(bins, weights=risks) / counts, observed, low, high, counts.astype(np.int64))


def wilson(num_positive: npt.ArrayLike, num_total: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's 95 % score interval of a proportion."""
    total = np.asarray(num_total, dtype=np.float64)
    share = np.asarray(num_positive, dtype=np.float64) / total
    centre = share + _Z95**2 / (2 * total)
    half = _Z95 * np.sqrt(share * (1 - share) / total + _Z95**2 / (4 * total**2))
    scale = 1 + _Z95**2 / total
    return np.clip((centre - half) / scale, 0, 1), np.clip((centre + half) / scale, 0, 1)


def estimates(
    y: npt.ArrayLike, logit: npt.ArrayLike, person_id: npt.ArrayLike, *, num_resamples: int = 1000, seed: int = 42
) -> dict[str, Estimate]:
    """Estimate every metric with its percentile 95 % interval from one bootstrap by person.

    The same resamples serve all metrics. A resample in which only one class was drawn measures nothing and is left out, for all metrics
    alike. The scores are sorted once; a resample is a weight per ECG.

    Args:
        y: 0 or 1, one an ECG.
        logit: Predicted log-odds, one an ECG; its sigmoid is the risk.
        person_id: Who each ECG belongs to.
        num_resamples: How many times the persons are drawn with replacement.
        seed: Of the resampling; the same seed gives the same intervals.

    Raises:
        DataError: The labels hold one class only, or lengths or values do not fit.
    """
    labels, logits = check(y, logit)
    persons = np.asarray(person_id)
    if persons.shape != labels.shape:
        raise DataError(f"{labels.size} labels but {persons.size} person ids", hint="each ECG needs its person")
    order = np.argsort(-logits, kind="stable")
    labels, logits = labels[order], logits[order]
    metrics = _weighted_metrics(labels, logits)
    _, person = np.unique(persons[order], return_inverse=True)
    num_persons = int(person.max()) + 1
    rng = np.random.default_rng(seed)
    drawn: list[dict[str, float]] = []
    for _ in range(num_resamples):
        times_drawn = np.bincount(rng.integers(num_persons, size=num_persons), minlength=num_persons)
        weights = times_drawn[person].astype(np.float64)
        if 0 < weights @ labels < weights.sum():
            drawn.append(metrics(weights))
    point = metrics(np.ones_like(labels))
    return {name: Estimate(value, *_interval([resample[name] for resample in drawn])) for name, value in point.items()}


def check(y: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Labels and scores as float64 vectors, once they are fit to be measured.

    Raises:
        DataError: A length differs, a label is neither 0 nor 1, a score is not finite, or only one class is there.
    """
    labels = np.asarray(y, dtype=np.float64)
    scores = np.asarray(score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise DataError(f"labels have shape {labels.shape} and scores {scores.shape}", hint="give one score for each label")
    if not np.isin(labels, (0.0, 1.0)).all():
        raise DataError("a label is neither 0 nor 1", hint="leave out the ECGs whose `y` is null")
    if not np.isfinite(scores).all():
        num_bad = int(np.count_nonzero(~np.isfinite(scores)))
        raise DataError(
            f"{num_bad} of {scores.size} scores are not finite", hint="the training may have diverged; lower train.learning_rate"
        )
    num_positive = int(labels.sum())
    if num_positive in (0, labels.size):
        kind = "positive" if num_positive == 0 else "negative"
        raise DataError(f"no {kind} among {labels.size} ECGs, so nothing can be measured", hint="use more persons or a larger split")
    return labels, scores


def sigmoid(logit: npt.ArrayLike) -> Floats:
    """The risk that belongs to a logit, without overflow at either end."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logit, dtype=np.float64)))


def _weighted_metrics(labels: Floats, logits: Floats) -> Callable[[Floats], dict[str, float]]:
    """All metrics as a function of weights that leave both classes, for labels and logits sorted by falling logit."""
    # Equal scores form one step of every curve, taken at its last index.
    ends = np.flatnonzero(np.append(np.diff(logits) != 0, True))
    squared_error = (sigmoid(logits) - labels) ** 2
    start = _recalibrate(labels, logits, np.ones_like(labels))
    shift = _in_the_large(labels, logits, np.ones_like(labels))

    def metrics(weights: Floats) -> dict[str, float]:
        positives = weights * labels
        true_positives = np.cumsum(positives)[ends]
        positives_and_negatives = np.cumsum(weights)[ends]
        total = positives_and_negatives[-1]
        num_positive = true_positives[-1]
        num_negative = total - num_positive
        gained = np.diff(true_positives, prepend=0.0)
        false_positives_gained = np.diff(positives_and_negatives - true_positives, prepend=0.0)
        # Above the first drawn ECG both counts are 0, and so is what is gained there.
        precision = true_positives / np.maximum(positives_and_negatives, 1)
        prevalence = num_positive / total
        mean_squared_error = float(weights @ squared_error) / total
        return {
            "auroc": float(false_positives_gained @ (true_positives - 0.5 * gained) / (num_positive * num_negative)),
            "auprc": float(gained @ precision / num_positive),
            "prevalence": float(prevalence),
            "brier": float(mean_squared_error),
            "brier_skill": float(1 - mean_squared_error / (prevalence * (1 - prevalence))),
            "calibration_slope": _recalibrate(labels, logits, weights, start)[1],
            "calibration_intercept": _in_the_large(labels, logits, weights, shift),
        }

    return metrics


def _recalibrate(
    labels: Floats, logits: Floats, weights: Floats, start: tuple[float, float] = (0.0, 1.0), *, max_steps: int = 50
) -> tuple[float, float]:
    """Intercept and slope of the weighted logistic regression on the logit, by Newton's method; NaN where there is no finite optimum."""
    intercept, slope = start if np.isfinite(start).all() else (0.0, 1.0)
    for _ in range(max_steps):
        risk = sigmoid(intercept + slope * logits)
        residual = weights * (labels - risk)
        curvature = weights * (risk * (1 - risk))
        weighted_logits = curvature * logits
        a, b, c = curvature.sum(), weighted_logits.sum(), weighted_logits @ logits
        determinant = a * c - b * b
        if determinant <= 1e-12 * a * c:
            break
        g0, g1 = residual.sum(), residual @ logits
        step = (c * g0 - b * g1) / determinant, (a * g1 - b * g0) / determinant
        # A long step from a flat region would overshoot for good; a bounded one always comes back.
        bound = 1 / max(1.0, abs(step[0]) / 2, abs(step[1]) / 2)
        intercept, slope = float(intercept + bound * step[0]), float(slope + bound * step[1])
        if max(abs(step[0]), abs(step[1])) < _CONVERGED:
            return intercept, slope
    return float("nan"), float("nan")


def _in_the_large(labels: Floats, logits: Floats, weights: Floats, start: float = 0.0, *, max_steps: int = 100) -> float:
    """The shift of all logits that makes the weighted mean risk equal the weighted prevalence."""
    shift = start
    for _ in range(max_steps):
        risk = sigmoid(logits + shift)
        gap = weights @ (labels - risk)
        step = float(gap / (weights @ (risk * (1 - risk)) + 1e-12))
        shift += max(-1.0, min(1.0, step))
        if abs(step) < _CONVERGED:
            break
    return shift


def _interval(values: list[float]) -> tuple[float, float]:
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, (2.5, 97.5))
    return float(low), float(high)


def _thin(x: Floats, y: Floats, max_points: int) -> Curve:
    if x.size <= max_points:
        return Curve(x.astype(np.float64), y.astype(np.float64))
    along = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], max_points)).clip(0, x.size - 1))
    return Curve(x[kept].astype(np.float64), y[kept].astype(np.float64))
