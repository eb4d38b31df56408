"""One bootstrap by person for everything that is reported, so that numbers can be compared draw by draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hfrisk.errors import DataError
from hfrisk.metrics.labels import Floats, check
from hfrisk.metrics.statistics import RiskStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from hfrisk.metrics.logistic import Matrix


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; NaN where the data do not determine it."""

    value: float
    low: float
    high: float


class Statistic(Protocol):
    """Numbers that weights of the ECGs decide."""

    names: tuple[str, ...]

    def point(self) -> Floats:
        """The numbers themselves."""

    def draw(self, weights: Floats) -> Floats:
        """The numbers with so many copies of each ECG."""


class Subset:
    """A statistic of some of the ECGs."""

    def __init__(self, statistic: Statistic, chosen: npt.NDArray[np.bool_]) -> None:
        self.names = statistic.names
        self._statistic = statistic
        self._chosen = np.flatnonzero(chosen)

    def point(self) -> Floats:
        """The numbers themselves."""
        return self._statistic.point()

    def draw(self, weights: Floats) -> Floats:
        """The numbers with so many copies of each ECG of the whole."""
        return self._statistic.draw(weights[self._chosen])


class PerPerson:
    """The same numbers when every person counts once, however many ECGs there are: each ECG weighs one share of its person."""

    def __init__(self, statistic: RiskStatistics, person_id: npt.ArrayLike) -> None:
        self.names = statistic.names
        self._statistic = statistic
        _, person, counts = np.unique(np.asarray(person_id), return_inverse=True, return_counts=True)
        self._share = 1 / counts[person]

    def point(self) -> Floats:
        """The numbers themselves."""
        return self._statistic.point(self._share)

    def draw(self, weights: Floats) -> Floats:
        """The numbers with so many copies of each ECG."""
        return self._statistic.draw(weights * self._share)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What came out: of each statistic its numbers and their draws, in the order of its names."""

    names: Mapping[str, tuple[str, ...]]
    points: Mapping[str, Floats]
    draws: Mapping[str, Matrix]

    def estimates(self, statistic: str) -> dict[str, Estimate]:
        """Every number of a statistic with the percentile interval of its draws."""
        lows, highs = _percentiles(self.draws[statistic])
        values = self.points[statistic]
        return {
            name: Estimate(float(value), float(low), float(high))
            for name, value, low, high in zip(self.names[statistic], values, lows, highs, strict=True)
        }

    def difference(self, first: str, second: str, name: str) -> Estimate:
        """How much larger a number is in the first statistic than in the second, draw by draw on the same persons."""
        one, other = (self.names[statistic].index(name) for statistic in (first, second))
        apart = self.draws[first][:, one] - self.draws[second][:, other]
        (low,), (high,) = _percentiles(apart[:, None])
        return Estimate(float(self.points[first][one] - self.points[second][other]), float(low), float(high))


def bootstrap(statistics: Mapping[str, Statistic], person_id: npt.ArrayLike, *, num_resamples: int = 1000, seed: int = 42) -> Bootstrap:
    """Measure every statistic on the same resamples of persons.

    Persons are drawn, not ECGs, because the ECGs of one person are alike. A resample in which a statistic finds only one class measures
    nothing there and is left out of its intervals.

    Args:
        statistics: What to measure, by name.
        person_id: Who each ECG belongs to, (N,).
        num_resamples: How many times the persons are drawn with replacement.
        seed: Of the resampling; the same seed gives the same intervals.
    """
    draws = {name: np.empty((num_resamples, len(statistic.names))) for name, statistic in statistics.items()}
    for index, weights in enumerate(resampled_weights(person_id, num_resamples=num_resamples, seed=seed)):
        for name, statistic in statistics.items():
            draws[name][index] = statistic.draw(weights)
    return Bootstrap(
        {name: statistic.names for name, statistic in statistics.items()},
        {name: statistic.point() for name, statistic in statistics.items()},
        draws,
    )


def resampled_weights(person_id: npt.ArrayLike, *, num_resamples: int, seed: int) -> Iterator[Floats]:
    """How often each ECG is drawn, (N,) for each resample: as often as its person."""
    _, person = np.unique(np.asarray(person_id), return_inverse=True)
    num_persons = int(person.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(num_resamples):
        times_drawn = np.bincount(rng.integers(num_persons, size=num_persons), minlength=num_persons)
        yield times_drawn.astype(np.float64)[person]


def estimates(
    y: npt.ArrayLike, logit: npt.ArrayLike, person_id: npt.ArrayLike, *, num_resamples: int = 1000, seed: int = 42
) -> dict[str, Estimate]:
    """Estimate discrimination and calibration of one score with percentile 95 % intervals from a bootstrap by person.

    Args:
        y: 0 or 1, one an ECG.
        logit: Predicted log-odds, one an ECG; its sigmoid is the risk.
        person_id: Who each ECG belongs to.
        num_resamples: How many times the persons are drawn with replacement.
        seed: Of the resampling; the same seed gives the same intervals.

    Raises:
        DataError: The labels hold one class only, or lengths or values do not fit.
    """
    labels, _ = check(y, logit)
    persons = np.asarray(person_id)
    if persons.shape != labels.shape:
        raise DataError(f"{labels.size} labels but {persons.size} person ids", hint="each ECG needs its person")
    return bootstrap({"score": RiskStatistics(y, logit)}, persons, num_resamples=num_resamples, seed=seed).estimates("score")


def _percentiles(draws: Matrix) -> tuple[Floats, Floats]:
    """The 2.5th and the 97.5th percentile of each column, of its finite draws."""
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    for index, column in enumerate(draws.T):
        finite = column[np.isfinite(column)]
        if finite.size:
            low[index], high[index] = np.percentile(finite, (2.5, 97.5))
    return low, high
