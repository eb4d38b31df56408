"""All numbers of one score as a function of weights, fast enough to be asked a thousand times.

Scores are sorted once and grouped: what equal scores share is counted once for each draw of the bootstrap, and everything follows from the
counts. With many distinct scores, those closer than a thousandth of a logit are taken as equal in the draws (not in the values
themselves), which moves no interval visibly and makes a draw several times as fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hfrisk.metrics import calibration, decisions
from hfrisk.metrics.labels import Floats, check, sigmoid
from hfrisk.metrics.logistic import fit_logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hfrisk.metrics.logistic import Matrix

_STEP = 2.0**-10
_MOST_LEVELS = 4096

RANKING = ("auroc", "auprc", "prevalence", "auprc_ratio")
RISKS = ("brier", "brier_skill", "observed_to_expected")
CALIBRATION = ("calibration_intercept", "calibration_slope", "ici")
AT_THRESHOLD = ("sensitivity", "specificity", "ppv", "npv", "flagged", "number_needed_to_screen")


class Levels:
    """Distinct logits, highest first, and which ECG is at which.

    Attributes:
        logit: (K,) the logit of each level; the mean one where close ones were taken together.
        risk: (K,) its sigmoid.
    """

    def __init__(self, labels: Floats, logits: Floats, *, step: float = 0.0) -> None:
        keys = np.round(logits / step) if step else logits
        self._order = np.argsort(-keys, kind="stable")
        ordered = keys[self._order]
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self._labels = labels[self._order]
        counts = np.diff(np.append(self._starts, labels.size))
        self.logit: Floats = np.add.reduceat(logits[self._order], self._starts) / counts if step else ordered[self._starts]
        self.risk = sigmoid(self.logit)
        self._spline: Matrix | None = None

    def spline(self, knots: Floats) -> Matrix:
        """The columns of a restricted cubic spline at the levels, kept for the next draw, which asks for the same knots."""
        if self._spline is None:
            self._spline = calibration.spline_design(self.logit, knots)
        return self._spline

    def tally(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weight of the positives and of all at each level, from a weight an ECG."""
        ordered = weights[self._order]
        return np.add.reduceat(ordered * self._labels, self._starts), np.add.reduceat(ordered, self._starts)


class RiskStatistics:
    """Discrimination, calibration and the numbers at thresholds, of one score.

    Attributes:
        names: What each number is called, in order: metrics first, then `NAME@i` at threshold i, then `net_benefit@j`.
    """

    def __init__(
        self,
        y: npt.ArrayLike,
        logit: npt.ArrayLike,
        *,
        thresholds: Sequence[float] = (),
        benefit_thresholds: npt.ArrayLike = (),
        with_calibration: bool = True,
    ) -> None:
        labels, logits = check(y, logit)
        self._exact = Levels(labels, logits)
        self._drawn = self._exact if self._exact.logit.size <= _MOST_LEVELS else Levels(labels, logits, step=_STEP)
        self._cuts = np.asarray(thresholds, dtype=np.float64)
        self._benefit_cuts = np.asarray(benefit_thresholds, dtype=np.float64)
        self._knots = calibration.spline_knots(logits, num_events=float(min(labels.sum(), (1 - labels).sum())))
        self._with_calibration = with_calibration
        self._starts: dict[str, Floats] = {}
        self._point = self._measure(self._exact, np.ones_like(labels), keep_starts=True)
        self.names = (
            *RANKING,
            *RISKS,
            *(CALIBRATION if with_calibration else ()),
            *(f"{name}@{index}" for name in AT_THRESHOLD for index in range(self._cuts.size)),
            *(f"net_benefit@{index}" for index in range(self._benefit_cuts.size)),
        )

    def point(self, weights: Floats | None = None) -> Floats:
        """The values themselves, in the order of `names`; with weights, those of the weighted ECGs."""
        return self._point if weights is None else self._measure(self._exact, weights)

    def draw(self, weights: Floats) -> Floats:
        """The values with so many copies of each ECG; NaN where only one class was drawn."""
        return self._measure(self._drawn, weights)

    def _measure(self, levels: Levels, weights: Floats, *, keep_starts: bool = False) -> Floats:
        positives, totals = levels.tally(weights)
        total, num_positive = float(totals.sum()), float(positives.sum())
        if not 0 < num_positive < total:
            return np.full(len(self.names), np.nan)
        true_positives, flagged = np.cumsum(positives), np.cumsum(totals)
        parts = [_ranking(positives, totals, true_positives, flagged), _risks(levels.risk, positives, totals)]
        if self._with_calibration:
            parts.append(self._calibration(levels, positives, totals, keep_starts=keep_starts))
        if self._cuts.size:
            counts = _counts_at(levels.risk, self._cuts, true_positives, flagged)
            at_cuts = decisions.at_threshold(*counts, num_positive, total)
            parts += [at_cuts[name] for name in AT_THRESHOLD]
        if self._benefit_cuts.size:
            counts = _counts_at(levels.risk, self._benefit_cuts, true_positives, flagged)
            parts.append(decisions.net_benefit(*counts, total, self._benefit_cuts))
        return np.concatenate(parts)

    def _calibration(self, levels: Levels, positives: Floats, totals: Floats, *, keep_starts: bool) -> Floats:
        """Intercept, slope and ICI; every draw starts from the fit to all ECGs, near which its own lies."""
        ones, linear = np.ones((levels.logit.size, 1)), calibration.linear_design(levels.logit)
        spline = levels.spline(self._knots)
        shift = fit_logistic(ones, positives, totals, offset=levels.logit, start=self._starts.get("shift"))
        slope = fit_logistic(linear, positives, totals, start=self._starts.get("slope", np.array([0.0, 1.0])))
        bends = fit_logistic(spline, positives, totals, start=self._starts.get("bends"))
        if keep_starts:
            self._starts = {"shift": shift, "slope": slope, "bends": bends}
        distance = float(np.abs(sigmoid(spline @ bends) - levels.risk) @ totals / totals.sum())
        return np.array([shift[0], slope[1], distance])


class FlexibleCurve:
    """The flexible calibration curve: a logistic regression on a restricted cubic spline of the logit, as risks along a grid.

    Attributes:
        predicted: Risks along the x axis.
        names: One a grid point.
    """

    def __init__(self, y: npt.ArrayLike, logit: npt.ArrayLike) -> None:
        labels, logits = check(y, logit)
        grid = calibration.flexible_grid(logits)
        knots = calibration.spline_knots(logits, num_events=float(min(labels.sum(), (1 - labels).sum())))
        self.predicted = sigmoid(grid)
        self.names = tuple(f"observed@{index}" for index in range(grid.size))
        self._levels = Levels(labels, logits, step=_STEP)
        self._design = calibration.spline_design(self._levels.logit, knots)
        self._grid = calibration.spline_design(grid, knots)
        self._start: Floats | None = None
        self._start = fit_logistic(self._design, *self._levels.tally(np.ones_like(labels)))

    def point(self) -> Floats:
        """Observed risk along the grid; NaN where no curve can be fitted."""
        assert self._start is not None  # noqa: S101
        return sigmoid(self._grid @ self._start)

    def draw(self, weights: Floats) -> Floats:
        """The same of one draw."""
        return sigmoid(self._grid @ fit_logistic(self._design, *self._levels.tally(weights), start=self._start))


def _ranking(positives: Floats, totals: Floats, true_positives: Floats, flagged: Floats) -> Floats:
    total, num_positive = flagged[-1], true_positives[-1]
    negatives = totals - positives
    area = negatives @ (true_positives - 0.5 * positives) / (num_positive * (total - num_positive))
    # Above the first drawn ECG both counts are 0, and so is what is gained there.
    precision = true_positives / np.maximum(flagged, 1e-300)
    average_precision, prevalence = positives @ precision / num_positive, num_positive / total
    return np.array([area, average_precision, prevalence, average_precision / prevalence])


def _risks(risk: Floats, positives: Floats, totals: Floats) -> Floats:
    total = totals.sum()
    prevalence = positives.sum() / total
    squared_error = (positives @ (1 - risk) ** 2 + (totals - positives) @ risk**2) / total
    return np.array([squared_error, 1 - squared_error / (prevalence * (1 - prevalence)), positives.sum() / (totals @ risk)])


def _counts_at(risk: Floats, cuts: Floats, true_positives: Floats, flagged: Floats) -> tuple[Floats, Floats]:
    """Weight of the positives and of all whose risk is at least each cut; risks fall along the levels."""
    last = np.searchsorted(-risk, -cuts, side="right")
    return np.append(0.0, true_positives)[last], np.append(0.0, flagged)[last]
