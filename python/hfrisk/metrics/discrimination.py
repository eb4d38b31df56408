"""How well a score parts those with the outcome from those without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from hfrisk.metrics.labels import Floats, check

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, in drawing order."""

    x: Floats
    y: Floats


def auroc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counted half."""
    labels, scores = check(y, score)
    return float(roc_auc_score(labels, scores))


def auprc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Average precision: the area under the precision-recall curve as steps. A useless score has the prevalence."""
    labels, scores = check(y, score)
    return float(average_precision_score(labels, scores))


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


def _thin(x: Floats, y: Floats, max_points: int) -> Curve:
    if x.size <= max_points:
        return Curve(x.astype(np.float64), y.astype(np.float64))
    along = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], max_points)).clip(0, x.size - 1))
    return Curve(x[kept].astype(np.float64), y[kept].astype(np.float64))
