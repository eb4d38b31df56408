"""Counts and estimates as report.json holds them: plain, rounded where drawn, and without small cells."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hfrisk.metrics import Curve, Estimate, Floats


def count(frame: pl.DataFrame) -> dict[str, int]:
    """Count ECGs and persons, and those with the outcome."""
    positive = frame.filter(pl.col("y") == 1)
    return {
        "num_ecgs": frame.height,
        "num_persons": frame["person_id"].n_unique(),
        "num_positive_ecgs": positive.height,
        "num_positive_persons": positive["person_id"].n_unique(),
    }


def cell(number: int, smallest: int) -> int | None:
    """A count that may leave the site: None in place of 1 up to below `smallest`."""
    return None if 0 < number < smallest else number


def cells(counts: Mapping[str, int], smallest: int) -> dict[str, int | None]:
    """Counts that may leave the site; a group whose remainder would be small is not shown either."""
    return {name: cell(number, smallest) for name, number in counts.items()}


def plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """Estimates by name; what the data do not determine is None."""
    return {name: plain_estimate(estimate) for name, estimate in estimates.items()}


def plain_estimate(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as a dictionary; NaN becomes None."""
    return {key: number(value) for key, value in dataclasses.asdict(estimate).items()}


def number(value: float) -> float | None:
    """A finite number, or None."""
    return float(value) if np.isfinite(value) else None


def rounded(values: Floats) -> list[float | None]:
    """Six decimals, which no eye sees in a drawing; NaN becomes None."""
    return [None if not np.isfinite(value) else round(float(value), 6) for value in values]


def curve(points: Curve) -> dict[str, list[float | None]]:
    """The points of a curve."""
    return {"x": rounded(points.x), "y": rounded(points.y)}
