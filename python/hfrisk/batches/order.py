"""The order of an epoch, a pure function of its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def epoch_order(num_examples: int, *, seed: int, epoch: int, weights: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
    """Order one epoch: a permutation, or with weights as many independent draws with replacement.

    A pure function of its arguments.

    Args:
        num_examples: Length N of the set.
        seed: Of the run.
        epoch: Counted from 0; each has its own order.
        weights: Chance of each example up to a factor, (N,), not negative.

    Returns:
        Positions in the set, int64 (N,).
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    if weights is None:
        return generator.permutation(num_examples)
    cumulative = np.cumsum(weights)
    drawn: NDArray[np.int64] = np.searchsorted(cumulative, generator.random(num_examples) * cumulative[-1], side="right")
    return drawn


def balanced_weights(y: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weight examples so that both classes are drawn equally often (the notebooks' `WeightedRandomSampler`)."""
    num_positive = int((y == 1).sum())
    return np.where(y == 1, 1 / num_positive, 1 / (len(y) - num_positive))
