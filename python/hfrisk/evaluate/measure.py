"""Measure one split: every number from one bootstrap, every curve from the predictions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from hfrisk import metrics
from hfrisk.errors import DataError
from hfrisk.evaluate.numbers import count, curve, number, plain, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from hfrisk.config import EvaluateConfig
    from hfrisk.metrics import Bootstrap, Floats, Statistic

BENEFIT_THRESHOLDS = np.arange(1, 51) / 100
_DENSITY_POINTS = 100
_FEWEST_IN_A_BIN = 10


def check_measurable(y: Floats, logit: Floats, split: str) -> None:
    """Refuse a split that cannot be measured, by its name.

    Raises:
        DataError: It has one class only, or a score that is no number.
    """
    try:
        metrics.check(y, logit)
    except DataError as error:
        raise DataError(f"{split} split: {error.message}", hint=error.hint) from None


def draw(
    predictions: pl.DataFrame,
    before: Floats,
    config: EvaluateConfig,
    *,
    thresholds: Sequence[float] = (),
    beside: Mapping[str, Statistic] | None = None,
) -> Bootstrap:
    """Resample the persons of a split once, for all that is reported of it.

    Args:
        predictions: `person_id`, `y` and `logit` of the split.
        before: (N,) logits before recalibration.
        config: How many resamples, and the seed.
        thresholds: Risks at which sensitivity and the like are measured.
        beside: What else to measure on the same resamples.
    """
    y, logit, persons = (predictions[name].to_numpy() for name in ("y", "logit", "person_id"))
    scored = metrics.RiskStatistics(y, logit, thresholds=thresholds, benefit_thresholds=BENEFIT_THRESHOLDS)
    statistics: dict[str, Statistic] = {
        "ecg": scored,
        "person": metrics.PerPerson(scored, persons),
        "before": metrics.RiskStatistics(y, before),
        "flexible": metrics.FlexibleCurve(y, logit),
    }
    return metrics.bootstrap(statistics | dict(beside or {}), persons, num_resamples=config.num_bootstrap, seed=config.seed)


def describe(predictions: pl.DataFrame, before: Floats, drawn: Bootstrap) -> dict[str, Any]:
    """Counts, metrics and curves of a split, as report.json holds them."""
    y, logit, risk = (predictions[name].to_numpy() for name in ("y", "logit", "risk"))
    per_ecg = drawn.estimates("ecg")
    num_bins = int(np.clip(y.size // _FEWEST_IN_A_BIN, 2, 10))
    bins = metrics.calibration_curve(y, risk, num_bins=num_bins)
    return count(predictions) | {
        "metrics": plain({name: estimate for name, estimate in per_ecg.items() if "@" not in name}) | {"ece": _alone(metrics.ece(y, risk))},
        "per_person": plain({name: estimate for name, estimate in drawn.estimates("person").items() if "@" not in name}),
        "before_recalibration": plain(drawn.estimates("before")) | {"ece": _alone(metrics.ece(y, metrics.sigmoid(before)))},
        "curves": {
            "roc": curve(metrics.roc(y, logit)),
            "precision_recall": curve(metrics.precision_recall(y, logit)),
            "calibration": {key: rounded(values) for key, values in dataclasses.asdict(bins).items() if key != "num_ecgs"},
            "flexible": _flexible(metrics.FlexibleCurve(y, logit).predicted, drawn),
            "flexible_before": _flexible_before(y, before),
            "net_benefit": _net_benefit(per_ecg, y),
            "risk_density": _densities(y, risk),
        },
    }


def describe_briefly(predictions: pl.DataFrame, config: EvaluateConfig) -> dict[str, Any]:
    """Counts, ranking and its curves of the validation split; its calibration would flatter, since it was fitted there."""
    y, logit, persons = (predictions[name].to_numpy() for name in ("y", "logit", "person_id"))
    statistics = {"ecg": metrics.RiskStatistics(y, logit, with_calibration=False)}
    drawn = metrics.bootstrap(statistics, persons, num_resamples=config.num_bootstrap, seed=config.seed)
    return count(predictions) | {
        "metrics": plain(drawn.estimates("ecg")),
        "curves": {"roc": curve(metrics.roc(y, logit)), "precision_recall": curve(metrics.precision_recall(y, logit))},
    }


def at_operating_points(points: Sequence[tuple[str, float | None, float]], drawn: Bootstrap) -> list[dict[str, Any]]:
    """What happens on the test split at thresholds that were chosen on the validation split.

    Args:
        points: Rule, target and threshold.
        drawn: Of `draw` with these thresholds.
    """
    per_ecg = drawn.estimates("ecg")
    return [
        {"rule": rule, "target": target, "threshold": threshold}
        | plain({name: per_ecg[f"{name}@{index}"] for name in metrics.AT_THRESHOLD})
        for index, (rule, target, threshold) in enumerate(points)
    ]


def _alone(value: float) -> dict[str, float | None]:
    """A number whose interval is not estimated: binned calibration errors are biased upwards in every resample."""
    return {"value": number(value), "low": None, "high": None}


def _flexible(predicted: Floats, drawn: Bootstrap) -> dict[str, list[float | None]]:
    observed = list(drawn.estimates("flexible").values())
    return {
        "predicted": rounded(predicted),
        **{key: rounded(np.array([getattr(one, field) for one in observed])) for key, field in _BAND.items()},
    }


_BAND = {"observed": "value", "low": "low", "high": "high"}


def _flexible_before(y: Floats, before: Floats) -> dict[str, list[float | None]]:
    flexible = metrics.FlexibleCurve(y, before)
    return {"predicted": rounded(flexible.predicted), "observed": rounded(flexible.point())}


def _net_benefit(per_ecg: Mapping[str, metrics.Estimate], y: Floats) -> dict[str, list[float | None]]:
    found = [per_ecg[f"net_benefit@{index}"] for index in range(BENEFIT_THRESHOLDS.size)]
    return {
        "threshold": rounded(BENEFIT_THRESHOLDS),
        "model": rounded(np.array([one.value for one in found])),
        "low": rounded(np.array([one.low for one in found])),
        "high": rounded(np.array([one.high for one in found])),
        "all": rounded(metrics.net_benefit_of_all(float(y.mean()), BENEFIT_THRESHOLDS)),
    }


def _densities(y: Floats, risk: Floats) -> dict[str, list[float | None]]:
    """How the risks of both classes are spread, as smooth curves on the logit scale, which show the shape and no single ECG."""
    logits = metrics.logit_of(risk)
    low, high = np.quantile(logits, (0.005, 0.995))
    width = max(float(high - low), 1e-3)
    grid = np.linspace(low - 0.25 * width, high + 0.25 * width, _DENSITY_POINTS)
    curves = {}
    for name, label in (("negative", 0), ("positive", 1)):
        values = logits[y == label]
        spread = max(float(values.std()), 0.05 * width)
        bandwidth = 1.06 * spread * values.size**-0.2
        counts, edges = np.histogram(values, bins=400, range=(grid[0], grid[-1]))
        centres = 0.5 * (edges[1:] + edges[:-1])
        kernel = np.exp(-0.5 * ((grid[:, None] - centres) / bandwidth) ** 2)
        curves[name] = rounded(kernel @ counts / (values.size * bandwidth * np.sqrt(2 * np.pi)))
    return {"risk": rounded(metrics.sigmoid(grid)), **curves}
