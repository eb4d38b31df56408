"""Two tables of predictions in, what differs out: input quality, scores, prevalence, calibration, as a whole and over time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy import stats

from hfrisk import metrics
from hfrisk.records import FLAGS

Status = Literal["stable", "watch", "drift", "unknown"]
Period = Literal["month", "quarter", "year"]

SCHEMA = 1
"""Of drift.json."""
NUM_BINS = 10
WATCH_PSI, DRIFT_PSI = 0.1, 0.25
"""The usual bounds of the population stability index (Siddiqi 2006)."""
RATE_POINTS = 0.02
"""Shares that differ by less are no news, however many files there are."""
RATIO = 1.25
"""Observed to expected, and new to old prevalence, within this factor (or its inverse) need no attention."""
SMALL_CELL = 5
_Z = 1.959964
_EVERY = {"month": "1mo", "quarter": "1q", "year": "1y"}
_ORDER: tuple[Status, ...] = ("unknown", "stable", "watch", "drift")


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one side of the comparison.

    Attributes:
        subject: `input quality`, `scores`, `prevalence` or `calibration`.
        status: `stable`; `watch`, it differs, look again; `drift`, do not rely on the old figures; `unknown`, cannot be told.
        sentence: Why.
    """

    subject: str
    status: Status
    sentence: str


def compare(reference: pl.DataFrame, new: pl.DataFrame, *, period: Period = "quarter") -> dict[str, Any]:
    """Compare new predictions with those that the model was measured on.

    Args:
        reference: As `read_predictions` gives it.
        new: The same.
        period: What `new` is cut into by `acquired_at`.

    Returns:
        Plain values: `verdict` (the worst of `verdicts`), `verdicts`, `reference` and `new` (counts, shares, mean risk, prevalence,
        observed to expected), `psi` and `psi_by_chance` (its 95th percentile without any change), `rates` of rejected and flagged files,
        and `periods`. Counts of persons' outcomes below 5 are null.
    """
    sides = {"reference": _describe(reference), "new": _describe(new)}
    edges = _edges(reference)
    psi, by_chance = stability_index(reference, new, edges)
    rates = _rates(reference, new)
    verdicts = [
        _judge_quality(rates),
        _judge_scores(psi, by_chance),
        _judge_prevalence(reference, new),
        _judge_calibration(new),
    ]
    return {
        "schema": SCHEMA,
        "verdict": max((verdict.status for verdict in verdicts), key=_ORDER.index),
        "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts],
        **sides,
        "psi": psi,
        "psi_by_chance": by_chance,
        "rates": rates,
        "periods": _periods(reference, new, edges, period),
    }


def stability_index(reference: pl.DataFrame, new: pl.DataFrame, edges: metrics.Floats) -> tuple[float, float]:
    """Population stability index over the deciles of the reference, and its 95th percentile where nothing has changed.

    Without a change the index times n m / (n + m) follows a chi-square distribution with one degree less than there are bins
    (Yurdakul 2018).
    """
    old, now = (_counts(table, edges) for table in (reference, new))
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (old, now))
    psi = float(np.sum((q - p) * np.log(q / p)))
    return psi, float(stats.chi2.ppf(0.95, max(1, len(edges))) * (1 / old.sum() + 1 / now.sum()))


def _edges(reference: pl.DataFrame) -> metrics.Floats:
    """Inner edges of the bins; fewer than nine where many risks are equal."""
    return np.unique(np.quantile(reference["risk"].drop_nulls().to_numpy(), np.arange(1, NUM_BINS) / NUM_BINS))


def _counts(table: pl.DataFrame, edges: metrics.Floats) -> metrics.Floats:
    bins = np.searchsorted(edges, table["risk"].drop_nulls().to_numpy(), side="right")
    return np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)


def _describe(table: pl.DataFrame) -> dict[str, Any]:
    known = table.filter(pl.col("risk").is_not_null() & pl.col("y").is_not_null())
    num_rejected = table["rejection"].count()
    return {
        "num_files": table.height,
        "num_rejected": _shown(num_rejected),
        "num_recordings": table["risk"].count(),
        "mean_risk": float(table["risk"].drop_nulls().to_numpy().mean()),
        "num_known_outcomes": _shown(known.height),
        "prevalence": _share(int(known["y"].cast(pl.Int64).sum()), known.height),
        "observed_to_expected": _observed_to_expected(known),
    }


def _rates(reference: pl.DataFrame, new: pl.DataFrame) -> list[dict[str, Any]]:
    """Shares of rejected and of flagged files on both sides, the most changed first."""
    found = [_rate("rejected", *((table["rejection"].count(), table.height) for table in (reference, new)))]
    if reference["flags"].count() and new["flags"].count():
        for flag in FLAGS:
            sides = []
            for table in (reference, new):
                flags = table["flags"].drop_nulls()
                sides.append((int(flags.str.split(" ").list.contains(flag).sum()), len(flags)))
            if any(count for count, _ in sides):
                found.append(_rate(flag, *sides))
    return sorted(found, key=lambda rate: -abs(rate["new"] - rate["reference"]))


def _rate(name: str, old: tuple[int, int], now: tuple[int, int]) -> dict[str, Any]:
    """Two shares, and whether they differ by more than chance (Newcombe's interval) and by more than `RATE_POINTS`."""
    (old_low, old_high), (low, high) = ((float(bound) for bound in metrics.wilson(count, total)) for count, total in (old, now))
    p, q = old[0] / max(old[1], 1), now[0] / max(now[1], 1)
    least = q - p - float(np.hypot(q - low, old_high - p))
    most = q - p + float(np.hypot(high - q, p - old_low))
    return {"name": name, "reference": p, "new": q, "low": least, "high": most, "is_changed": abs(q - p) > RATE_POINTS and least * most > 0}


def _judge_quality(rates: list[dict[str, Any]]) -> Verdict:
    changed = [rate for rate in rates if rate["is_changed"]]
    if not changed:
        return Verdict("input quality", "stable", "no share of rejected or flagged files differs by more than 2 points")
    named = ", ".join(f"{rate['name']} {rate['reference']:.1%} to {rate['new']:.1%}" for rate in changed[:3])
    worst = max(abs(rate["new"] - rate["reference"]) for rate in changed)
    return Verdict("input quality", "drift" if worst > 5 * RATE_POINTS else "watch", f"the files have changed: {named}")


def _judge_scores(psi: float, by_chance: float) -> Verdict:
    what = f"stability index {psi:.3f}; chance alone gives up to {by_chance:.3f}"
    if psi <= max(WATCH_PSI, by_chance):
        return Verdict("scores", "stable", f"risks are spread as before ({what})")
    if psi <= max(DRIFT_PSI, by_chance):
        return Verdict("scores", "watch", f"risks are spread somewhat differently ({what})")
    return Verdict("scores", "drift", f"risks are spread differently ({what})")


def _judge_prevalence(reference: pl.DataFrame, new: pl.DataFrame) -> Verdict:
    known = [table.drop_nulls("y")["y"].cast(pl.Int64) for table in (reference, new)]
    if min(len(side) for side in known) < SMALL_CELL:
        return Verdict("prevalence", "unknown", "outcomes are not known on both sides")
    rate = _rate("outcome", *((int(side.sum()), len(side)) for side in known))
    what = f"{rate['reference']:.1%} before, {rate['new']:.1%} now"
    ratio = rate["new"] / max(rate["reference"], 1e-9)
    if rate["low"] * rate["high"] <= 0 or 1 / RATIO <= ratio <= RATIO:
        return Verdict("prevalence", "stable", f"the outcome is about as frequent ({what})")
    return Verdict("prevalence", "watch", f"the outcome is {'more' if ratio > 1 else 'less'} frequent ({what}); recalibrate if it stays so")


def _judge_calibration(new: pl.DataFrame) -> Verdict:
    known = new.filter(pl.col("risk").is_not_null() & pl.col("y").is_not_null())
    found = _observed_to_expected(known)
    if found is None:
        return Verdict("calibration", "unknown", "too few new outcomes are known")
    what = f"observed to expected {found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    if found["low"] <= 1 <= found["high"]:
        return Verdict("calibration", "stable", f"risks agree with what happened: {what}")
    if 1 / RATIO <= found["value"] <= RATIO:
        return Verdict("calibration", "watch", f"risks are slightly off: {what}")
    return Verdict("calibration", "drift", f"risks are off: {what}; recalibrate on new outcomes before using them")


def _observed_to_expected(known: pl.DataFrame) -> dict[str, float] | None:
    """Outcomes over the sum of risks, with the interval of the observed share (Wilson); None below 5 on either side."""
    observed, expected = int(known["y"].cast(pl.Int64).sum()), float(known["risk"].sum())
    if known.height < SMALL_CELL or observed < SMALL_CELL or expected <= 0:
        return None
    low, high = (float(bound) * known.height / expected for bound in metrics.wilson(observed, known.height))
    return {"value": observed / expected, "low": low, "high": high}


def _periods(reference: pl.DataFrame, new: pl.DataFrame, edges: metrics.Floats, period: Period) -> list[dict[str, Any]]:
    dated = new.drop_nulls("acquired_at").with_columns(begins=pl.col("acquired_at").dt.truncate(_EVERY[period]).dt.date())
    found = []
    for (begins,), part in sorted(dated.group_by("begins"), key=lambda item: str(item[0][0])):
        described: dict[str, Any] = {"begins": str(begins), "num_recordings": _shown(part["risk"].count())}
        if part["risk"].count() >= SMALL_CELL:
            psi, by_chance = stability_index(reference, part, edges)
            whole = _describe(part)
            described |= {"psi": psi, "psi_by_chance": by_chance}
            described |= {name: whole[name] for name in ("mean_risk", "num_known_outcomes", "prevalence", "observed_to_expected")}
        found.append(described)
    return found


def _share(count: int, total: int) -> float | None:
    return count / total if total >= SMALL_CELL and not 0 < count < SMALL_CELL else None


def _shown(count: int) -> int | None:
    """A count, or null where it is so small that it could tell of single persons."""
    return None if 0 < count < SMALL_CELL else count
