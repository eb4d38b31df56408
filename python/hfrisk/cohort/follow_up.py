"""From when to when the database would have known of a person's heart failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.cohort.columns import require
from hfrisk.config.cohort import TIMED_MODES
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from hfrisk.config import CohortConfig

_DATES = ("observation_start", "observation_end", "last_visit_date", "death_date")


def attach_follow_up(ecgs: pl.DataFrame, persons: pl.DataFrame, periods: pl.DataFrame | None, config: CohortConfig) -> pl.DataFrame:
    """Add `observed_from` and `observed_until` (null: the index is in no period of observation), and `death_date`.

    Args:
        ecgs: `person_id`, `index_date`.
        persons: `person_id` once, and of `observation_start`, `observation_end`, `last_visit_date` and `death_date` what is known.
        periods: Every period of observation: `person_id`, `start`, `end`; None takes the span of `persons`.
        config: Mode and settings.

    Raises:
        DataError: A setting needs what the tables do not hold.
    """
    _require_known(persons, periods, config)
    present = [name for name in _DATES if name in persons.columns]
    absent = [pl.lit(None, dtype=pl.Date).alias(name) for name in _DATES if name not in present]
    known = persons.select("person_id", *(pl.col(name).cast(pl.Date) for name in present)).unique("person_id", keep="first")
    frame = ecgs.join(known, on="person_id", how="left", maintain_order="left").with_columns(absent)
    frame = _period_of_index(frame, periods)
    visited = pl.max_horizontal("last_visit_date", "index_date")  # the ECG itself is a visit
    until = {
        "observation_end": pl.col("period_end"),
        "last_visit": pl.when(pl.col("last_visit_date").is_not_null()).then(visited),
        "either": pl.max_horizontal("period_end", pl.when(pl.col("last_visit_date").is_not_null()).then(visited)),
    }[config.observed_until]
    return frame.with_columns(observed_from="period_start", observed_until=until).drop(
        "period_start", "period_end", "observation_start", "observation_end", "last_visit_date"
    )


def _period_of_index(frame: pl.DataFrame, periods: pl.DataFrame | None) -> pl.DataFrame:
    """Add `period_start` and `period_end` of the period in which the index lies."""
    if periods is None:
        frame = frame.with_columns(period_start="observation_start", period_end="observation_end")
    else:
        keyed = frame.with_row_index("__position")
        found = (
            keyed.select("__position", "person_id", "index_date")
            .drop_nulls()
            .sort("index_date")
            .join_asof(
                _joined(periods), left_on="index_date", right_on="period_start", by="person_id", strategy="backward", check_sortedness=False
            )
        )
        frame = keyed.join(found.select("__position", "period_start", "period_end"), on="__position", how="left", maintain_order="left")
        frame = frame.drop("__position")
    is_inside = pl.col("index_date").is_between("period_start", "period_end")
    return frame.with_columns(pl.when(is_inside).then(pl.col(name)).alias(name) for name in ("period_start", "period_end"))


def _joined(periods: pl.DataFrame) -> pl.DataFrame:
    """Periods without overlap, those that meet made one, ordered by their start."""
    ordered = (
        periods.select("person_id", pl.col("start").cast(pl.Date), pl.col("end").cast(pl.Date)).drop_nulls().sort("person_id", "start")
    )
    reach = pl.col("end").cum_max().shift(1).over("person_id")
    begins = (pl.col("start") > reach + pl.duration(days=1)).fill_null(value=True)
    return (
        ordered.with_columns(number=begins.cum_sum())
        .group_by("number")
        .agg(pl.col("person_id").first(), period_start=pl.col("start").min(), period_end=pl.col("end").max())
        .drop("number")
        .sort("period_start")
    )


def _require_known(persons: pl.DataFrame, periods: pl.DataFrame | None, config: CohortConfig) -> None:
    needs_history = config.mode != "ever" and config.washout > 0
    needs_end = config.mode in TIMED_MODES and config.require_time_at_risk
    has_periods = periods is not None and not periods.is_empty()
    if needs_history and not (has_periods or _is_known(persons, "observation_start")):
        raise DataError(
            f"`cohort.mode` is {config.mode} with {config.washout} days of washout, and nothing says since when persons are observed",
            hint="set `omop.observation_period_table` and run `hfrisk labels` again, or set `cohort.washout_days = 0`",
        )
    has_end = {
        "observation_end": has_periods or _is_known(persons, "observation_end"),
        "last_visit": _is_known(persons, "last_visit_date"),
    }
    if needs_end and not (any(has_end.values()) if config.observed_until == "either" else has_end[config.observed_until]):
        raise DataError(
            f"`cohort.mode` is {config.mode}, and nothing says until when persons are observed (`cohort.observed_until` is "
            f"{config.observed_until})",
            hint="set `omop.observation_period_table` or `omop.visit_occurrence_table` and run `hfrisk labels` again, or set "
            "`cohort.require_time_at_risk = false`, which calls those who left early healthy",
        )
    if config.death == "competing_event" and config.mode in TIMED_MODES:
        require(
            persons.columns,
            "persons.parquet",
            "death_date",
            hint="set `omop.death_table` and run `hfrisk labels` again, or leave `cohort.death` at unknown",
        )


def _is_known(persons: pl.DataFrame, column: str) -> bool:
    return column in persons.columns and persons[column].null_count() < persons.height
