"""Logistic regression on grouped data, by Newton's method; small designs, many fits."""

from __future__ import annotations

import numpy as np

from hfrisk.metrics.labels import Floats, sigmoid

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]

_CONVERGED = 1e-5
"""Newton steps below this end a fit; the next one would be its square."""
_SINGULAR = 1e-10
_LONGEST_STEP = 4.0
"""Of the linear predictor. A long step from a flat region would overshoot for good; a bounded one always comes back."""


def fit_logistic(
    design: Matrix,
    positives: Floats,
    totals: Floats,
    *,
    offset: Floats | None = None,
    start: Floats | None = None,
    max_steps: int = 60,
) -> Floats:
    """Find the coefficients of largest likelihood; NaN where no finite ones are.

    Args:
        design: (K, P), one row a group of equal examples.
        positives: (K,) weight of the positives in each group.
        totals: (K,) weight of each group.
        offset: (K,) part of the linear predictor that is given.
        start: (P,) where to begin.
        max_steps: After so many steps there is no optimum, as where the classes are separated.
    """
    coefficients = np.zeros(design.shape[1]) if start is None or not np.isfinite(start).all() else start
    transposed = design.T
    for _ in range(max_steps):
        linear = design @ coefficients if offset is None else design @ coefficients + offset
        risk = sigmoid(linear)
        expected = totals * risk
        gradient = transposed @ (positives - expected)
        hessian = (transposed * (expected * (1 - risk))) @ design
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        longest = float(np.abs(design @ step).max())
        if not longest < np.inf:
            break
        coefficients = coefficients + step * min(1.0, _LONGEST_STEP / max(longest, _CONVERGED))
        if longest < _CONVERGED:
            return coefficients if _is_determined(hessian) else np.full_like(coefficients, np.nan)
    return np.full(design.shape[1], np.nan)


def _is_determined(hessian: Matrix) -> bool:
    """Whether the columns of the design can be told apart, whatever their scales."""
    scale = np.sqrt(np.diag(hessian))
    if not (scale > 0).all():
        return False
    try:
        factor = np.linalg.cholesky(hessian / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return False
    return float(np.diag(factor).min()) ** 2 > _SINGULAR
