"""How good the model is for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from hfrisk import metrics
from hfrisk.evaluate.numbers import cells, count, plain_estimate

if TYPE_CHECKING:
    from hfrisk.metrics import Statistic

_MOST_GROUPS = 12
_AGE_EDGES = (50, 65, 75)
_MEASURED = ("auroc", "auprc_ratio", "observed_to_expected")
_YES_NO = {True: "yes", False: "no"}


def subgroups(frame: pl.DataFrame) -> dict[str, dict[str, pl.Series]]:
    """Split the ECGs by what is known of them.

    Args:
        frame: Described ECGs.

    Returns:
        Of each characteristic that is known and differs, its groups in order, each a mask over the frame's rows.
    """
    bands = _bands()
    facts = {
        "Sex": frame.select(pl.col("sex")).to_series(),
        "Age": frame.select(bands).to_series(),
        "Atrial fibrillation": _named(frame, "has_af"),
        "Paced rhythm": _named(frame, "is_paced"),
        "QRS duration": _qrs(frame),
        "Year": _grouped_years(frame["year"]),
        "Device": frame["device"],
        "Site": frame["site"] if "site" in frame.columns else pl.Series([None] * frame.height, dtype=pl.String),
    }
    found: dict[str, dict[str, pl.Series]] = {}
    for name, values in facts.items():
        groups = values.drop_nulls().unique().sort().to_list()
        if len(groups) > _MOST_GROUPS:
            groups = sorted(values.drop_nulls().value_counts(sort=True).to_series(0).head(_MOST_GROUPS).to_list())
        if len(groups) > 1:
            found[name] = {str(group): (values == group).fill_null(value=False) for group in groups}
    return found


def subgroup_statistics(groups: dict[str, dict[str, pl.Series]], predictions: pl.DataFrame, smallest: int) -> dict[str, Statistic]:
    """What is to be measured in each group that has enough persons of both classes, by `characteristic/group`.

    Args:
        groups: As `subgroups` gives them.
        predictions: `person_id`, `y` and `logit`, row for row with the masks.
        smallest: Persons that a class needs.
    """
    y, logit = (predictions[name].to_numpy() for name in ("y", "logit"))
    found: dict[str, Statistic] = {}
    for name, of_name in groups.items():
        for group, mask in of_name.items():
            part = predictions.filter(mask)
            if min(part.filter(pl.col("y") == label)["person_id"].n_unique() for label in (0, 1)) >= smallest:
                chosen = mask.to_numpy()
                found[f"{name}/{group}"] = metrics.Subset(metrics.RiskStatistics(y[chosen], logit[chosen], with_calibration=False), chosen)
    return found


def summarise(
    groups: dict[str, dict[str, pl.Series]], frame: pl.DataFrame, drawn: metrics.Bootstrap, smallest: int
) -> list[dict[str, Any]]:
    """Counts and estimates of every group; small cells are None, and what is measured on them is absent."""
    summary = []
    for name, of_name in groups.items():
        rows = []
        for group, mask in of_name.items():
            counts = cells(count(frame.filter(mask)), smallest)
            key = f"{name}/{group}"
            measured = drawn.estimates(key) if key in drawn.draws else {}
            rows.append({"group": group, **counts} | {one: plain_estimate(measured[one]) for one in _MEASURED if measured})
        summary.append({"characteristic": name, "groups": rows})
    return summary


def _bands() -> pl.Expr:
    """Age in bands whose names sort by age."""
    low, middle, high = _AGE_EDGES
    age = pl.col("age_years")
    return (
        pl.when(age < low)
        .then(pl.lit(f"18\N{EN DASH}{low - 1}"))
        .when(age < middle)
        .then(pl.lit(f"{low}\N{EN DASH}{middle - 1}"))
        .when(age < high)
        .then(pl.lit(f"{middle}\N{EN DASH}{high - 1}"))
        .when(age >= high)
        .then(pl.lit(f"{high}+"))
    )


def _named(frame: pl.DataFrame, column: str) -> pl.Series:
    return frame[column].replace_strict(_YES_NO, default=None, return_dtype=pl.String)


def _qrs(frame: pl.DataFrame) -> pl.Series:
    if "qrs_duration_ms" not in frame.columns:
        return pl.Series([None] * frame.height, dtype=pl.String)
    is_wide = frame["qrs_duration_ms"] > 120  # noqa: PLR2004 - the definition of a wide complex
    return is_wide.replace_strict({True: "over 120 ms", False: "up to 120 ms"}, default=None, return_dtype=pl.String)


def _grouped_years(years: pl.Series) -> pl.Series:
    """Years, or thirds of the period where single years would be many."""
    known = years.drop_nulls()
    if known.n_unique() <= 4:  # noqa: PLR2004 - four rows still read well
        return years.cast(pl.String)
    edges = np.quantile(known.to_numpy(), (1 / 3, 2 / 3), method="nearest").astype(int)
    first, second = int(edges[0]), int(edges[1])
    low, high = int(known.to_numpy().min()), int(known.to_numpy().max())
    parts = [(low, first), (first + 1, second), (second + 1, high)]
    frame = pl.DataFrame({"year": years})
    grouped = pl.coalesce(
        *(pl.when(pl.col("year").is_between(a, b)).then(pl.lit(f"{a}\N{EN DASH}{b}" if a < b else str(a))) for a, b in parts if a <= b)
    )
    return frame.select(grouped.alias("year")).to_series()
