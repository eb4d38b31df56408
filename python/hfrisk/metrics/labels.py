"""What is measured: labels, scores, and whether they can be measured at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hfrisk.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
"""A vector."""


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


def logit_of(risk: npt.ArrayLike) -> Floats:
    """The logit that belongs to a risk; certainty is taken as one in ten million from it."""
    clipped = np.clip(np.asarray(risk, dtype=np.float64), 1e-7, 1 - 1e-7)
    return np.log(clipped) - np.log1p(-clipped)
