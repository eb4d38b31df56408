"""From dated records to one row an ECG.

Whether a disease was recorded in [index - look-back, index - 1] follows from its latest record before the index date, so each covariate
is one as-of join and none looks at pairs of ECGs and records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.covariates.scores import scores
from hfrisk.records import MEASUREMENTS

if TYPE_CHECKING:
    from hfrisk.config import CovariatesConfig

KEYS = ("row", "ecg_file", "person_id")
MALE, FEMALE = 8507, 8532


@dataclass(frozen=True, slots=True)
class History:
    """What the database knows of the cohort's persons.

    Attributes:
        persons: persons.parquet.
        periods: observation_periods.parquet; None where the site has none, and any record then shows that a person was observed.
        conditions: `person_id`, `concept_id`, `start_date`.
        visits: `person_id`, `start_date`; None where the site has none.
        concepts: Pairs `covariate`, `concept_id`.
        names: Covariates in order.
    """

    persons: pl.DataFrame
    periods: pl.DataFrame | None
    conditions: pl.LazyFrame
    visits: pl.LazyFrame | None
    concepts: pl.DataFrame
    names: tuple[str, ...]


def build(ecgs: pl.DataFrame, records: pl.DataFrame, history: History, config: CovariatesConfig) -> pl.DataFrame:
    """Make the features of every ECG.

    Args:
        ecgs: `row`, `ecg_file`, `person_id` Int64 (null: nobody's), `index_date` Date.
        records: records.parquet, of which age, sex and measurements are taken.
        history: The database's tables.
        config: Which groups, and how far back.

    Returns:
        `row`, `ecg_file`, `person_id` and the features, ordered by `row`. `history_missing` is 1 where nothing observed the person in the
        window; conditions, scores and visits are then null.
    """
    frame = _demographics(ecgs, records, history.persons)
    # What counts is dated on or before the day before the ECG; the window begins `look_back_days` before the ECG.
    frame = frame.with_columns(before=pl.col("index_date") - pl.duration(days=1)).sort("before", "row", nulls_last=True)
    frame = _observation(frame, history, config.look_back_days)
    for name in history.names:
        concepts = history.concepts.filter(pl.col("covariate") == name).lazy()
        dates = history.conditions.join(concepts, on="concept_id", how="semi").select("person_id", "start_date")
        seen = _latest(frame, dates.collect(engine="streaming"))
        frame = frame.with_columns(_known(_in_window(seen, config.look_back_days).cast(pl.Int8)).alias(name))
    if history.visits is not None:
        frame = frame.with_columns(_known(_num_visits(frame, history.visits, config.look_back_days)).alias("num_prior_visits"))
    made = scores(frozenset(history.names))
    frame = frame.with_columns(**made)
    chosen = [*KEYS]
    if config.demographics:
        chosen += ["age", "male"]
    if config.conditions:
        chosen += history.names
    if config.scores:
        chosen += made
    if config.history:
        chosen += [name for name in ("prior_observation_days", "num_prior_visits") if name in frame.columns]
    if config.conditions or config.scores or config.history:
        chosen.append("history_missing")
    frame = frame.sort("row").select(chosen)
    if config.ecg_measurements:
        measured = records.select("row", *(pl.coalesce(f"original_{name}", name).alias(f"ecg_{name}") for name in MEASUREMENTS))
        frame = frame.join(measured, on="row", how="left", maintain_order="left")
    return frame


def _demographics(ecgs: pl.DataFrame, records: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Age in completed years, or the difference of the years where only the year of birth is known; else what the ECG's header says."""
    born = persons.select("person_id", "year_of_birth", "month_of_birth", "day_of_birth", "gender_concept_id")
    frame = ecgs.select(*KEYS, "index_date").join(born, on="person_id", how="left", validate="m:1")
    frame = frame.join(records.select("row", "age_years", "sex"), on="row", how="left")
    index = pl.col("index_date").dt
    is_before_birthday = (index.month().cast(pl.Int32) * 100 + index.day()) < (
        pl.col("month_of_birth").cast(pl.Int32) * 100 + pl.col("day_of_birth")
    )
    age = index.year() - pl.col("year_of_birth") - is_before_birthday.fill_null(value=False).cast(pl.Int32)
    by_concept = pl.col("gender_concept_id").replace_strict({MALE: 1, FEMALE: 0}, default=None, return_dtype=pl.Int8)
    by_header = pl.col("sex").replace_strict({"male": 1, "female": 0}, default=None, return_dtype=pl.Int8)
    return frame.select(
        *KEYS,
        "index_date",
        age=pl.coalesce(age.cast(pl.Float64), pl.col("age_years").cast(pl.Float64)),
        male=pl.coalesce(by_concept, by_header),
    )


def _observation(frame: pl.DataFrame, history: History, look_back_days: int) -> pl.DataFrame:
    """Add `history_missing`, and `prior_observation_days` where periods are known: days of the latest period, strictly before the ECG."""
    if history.periods is None:
        known = [history.conditions.select("person_id", "start_date")]
        if history.visits is not None:
            known.append(history.visits.select("person_id", "start_date"))
        seen = _latest(frame, pl.concat(known).collect(engine="streaming"))
        return frame.with_columns(history_missing=(~_in_window(seen, look_back_days)).cast(pl.Int8))
    periods = history.periods.drop_nulls().sort("start").with_columns(pl.col("person_id").cast(pl.Int64))
    joined = frame.join_asof(periods, left_on="before", right_on="start", by="person_id", strategy="backward", check_sortedness=False)
    last = pl.min_horizontal("end", "before")
    observed = pl.col("start").is_not_null()
    if look_back_days:
        observed &= last >= pl.col("index_date") - pl.duration(days=look_back_days)
    return joined.with_columns(
        history_missing=(~observed.fill_null(value=False)).cast(pl.Int8),
        prior_observation_days=((last - pl.col("start")).dt.total_days() + 1).cast(pl.Int32),
    ).drop("start", "end")


def _latest(frame: pl.DataFrame, dates: pl.DataFrame) -> pl.DataFrame:
    """Each ECG with the latest date of its person on or before the day before it: `index_date`, `start_date` (null: none)."""
    return frame.select("person_id", "before", "index_date").join_asof(
        dates.sort("start_date"), left_on="before", right_on="start_date", by="person_id", strategy="backward", check_sortedness=False
    )


def _in_window(seen: pl.DataFrame, look_back_days: int) -> pl.Series:
    inside = pl.col("start_date").is_not_null()
    if look_back_days:
        inside &= pl.col("start_date") >= pl.col("index_date") - pl.duration(days=look_back_days)
    return seen.select(inside.fill_null(value=False)).to_series()


def _num_visits(frame: pl.DataFrame, visits: pl.LazyFrame, look_back_days: int) -> pl.Series:
    """Visits in the window: those before its end less those before its beginning, each counted by one as-of join."""
    counted = (
        visits.group_by("person_id", "start_date")
        .agg(pl.len().cast(pl.Int32).alias("num"))
        .sort("start_date")
        .with_columns(pl.col("num").cum_sum().over("person_id"))
        .collect(engine="streaming")
        .sort("start_date")
    )

    def until(day: pl.Expr) -> pl.Series:
        ends = frame.select("person_id", end=day)
        joined = ends.join_asof(counted, left_on="end", right_on="start_date", by="person_id", strategy="backward", check_sortedness=False)
        return joined["num"].fill_null(0)

    total = until(pl.col("before"))
    return total - until(pl.col("before") - pl.duration(days=look_back_days)) if look_back_days else total


def _known(values: pl.Series) -> pl.Expr:
    return pl.when(pl.col("history_missing") == 0).then(pl.lit(values))
