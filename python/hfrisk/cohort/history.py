"""From records to cases: who has heart failure by the study's rule, since when, and which record an ECG has to look at.

A rule decides the onset, the date of the first record that takes part in making a case. From then on every record counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hfrisk import person_id
from hfrisk.cohort.columns import require
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from hfrisk.config import CohortConfig

INPATIENT = (9201, 9203, 262)
"""Inpatient, emergency room, and emergency room followed by inpatient."""
CONFIRMED_WITHIN_DAYS = 365
OUTPATIENT_APART_DAYS = 30
_MIN_VISITS = 3
_VISITS_HINT = "set `omop.visit_occurrence_table` and run `hfrisk labels` again, or choose `cohort.rule` any1 or first_plus_second"


@dataclass(frozen=True, slots=True)
class History:
    """Who has which records.

    Attributes:
        persons: One row for everybody with a record: `person_id`, `first_record` (null: none is dated), `onset` (null: no case),
            `has_undated`.
        dates: Every day with a record, once a person: `person_id`, `date`, ordered by both; None where nobody asked.
    """

    persons: pl.DataFrame
    dates: pl.DataFrame | None


def read_history(conditions: pl.DataFrame | pl.LazyFrame, config: CohortConfig) -> History:
    """Reduce the heart-failure records to what labels need.

    Args:
        conditions: `person_id`, `condition_start_date`; `visit_concept_id` or `visit_occurrence_id` where the rule needs it.
        config: The rule, and whether labels look at single records.

    Raises:
        DataError: A column is missing, or the rule needs visits and there are none.
    """
    lazy = conditions.lazy()
    schema = lazy.collect_schema()
    require(schema.names(), "conditions.parquet", "person_id", "condition_start_date")
    lazy = lazy.with_columns(pl.col("condition_start_date").cast(pl.Date))
    day = pl.col("condition_start_date")
    persons = _by_value(lazy.group_by("person_id").agg(first_record=day.min(), has_undated=day.is_null().any()).collect(engine="streaming"))
    # Ids that are written in several ways meet only now.
    persons = persons.group_by("person_id").agg(pl.col("first_record").min(), pl.col("has_undated").any())
    needs_dates = config.rule != "any1" or _looks_at_single_records(config)
    dates = _dates(lazy, schema, config) if needs_dates else None
    if dates is None or config.rule == "any1":
        persons = persons.with_columns(onset="first_record")
    else:
        persons = persons.join(_onsets(dates, lazy, config.rule), on="person_id", how="left")
    return History(
        persons.select("person_id", "first_record", "onset", "has_undated"), None if dates is None else dates.select("person_id", "date")
    )


def attach_events(ecgs: pl.DataFrame, history: History, config: CohortConfig) -> pl.DataFrame:
    """Add `record_date` and `event_date`: the first record and the first one of a case, from where the label begins to look.

    Also `has_record` and `has_undated`. The label looks from the beginning of time, unless prior outcomes are looked up only so many days
    back, or do not count at all.

    Args:
        ecgs: `person_id`, `index_date`.
        history: Of the same ids.
        config: Mode and settings.
    """
    frame = ecgs.join(history.persons, on="person_id", how="left", maintain_order="left", validate="m:1")
    frame = frame.with_columns(
        has_record=pl.col("has_undated").is_not_null(),
        has_undated=pl.col("has_undated").fill_null(value=False),
        record_date="first_record",
        event_date="onset",
    )
    if _looks_at_single_records(config) and history.dates is not None:
        anchor = pl.col("index_date") + pl.duration(days=_first_day_looked_at(config))
        frame = _next_date(frame, history.dates, "record_date", anchor)
        if config.rule == "any1":
            frame = frame.with_columns(event_date="record_date")
        else:
            is_case = pl.col("onset").is_not_null()
            frame = _next_date(frame, history.dates, "event_date", pl.when(is_case).then(pl.max_horizontal(anchor, "onset")))
    return frame.drop("first_record", "onset")


def _looks_at_single_records(config: CohortConfig) -> bool:
    is_limited = not config.remove_subjects_with_prior_outcome or config.prior_outcome_lookback is not None
    return config.mode in {"diagnostic", "incident"} and is_limited


def _first_day_looked_at(config: CohortConfig) -> int:
    if not config.remove_subjects_with_prior_outcome:
        if config.mode == "diagnostic":
            return config.first_day_at_risk
        return 0 if config.day_zero == "exclude" else 1
    # Of a window that begins before the index, the days in it are at risk and not the past.
    return min(-(config.prior_outcome_lookback or 0), config.first_day_at_risk)


def _next_date(frame: pl.DataFrame, dates: pl.DataFrame, name: str, anchor: pl.Expr) -> pl.DataFrame:
    """Add the person's first of the dates on or after the anchor; null where there is no anchor."""
    keyed = frame.drop(name, strict=False).with_columns(__anchor=anchor).with_row_index("__position")
    found = (
        keyed.select("__position", "person_id", "__anchor")
        .drop_nulls()
        .sort("__anchor")
        .join_asof(dates.sort("date"), left_on="__anchor", right_on="date", by="person_id", strategy="forward", check_sortedness=False)
        .select("__position", pl.col("date").alias(name))
    )
    return keyed.join(found, on="__position", how="left", maintain_order="left").drop("__position", "__anchor")


def _dates(lazy: pl.LazyFrame, schema: pl.Schema, config: CohortConfig) -> pl.DataFrame:
    """Days with a record; for rules that ask for the kind of visit, whether one was inpatient or not."""
    kinds = []
    if config.rule in {"inpatient1", "ip1_or_op2"}:
        _require_visits(lazy, schema, "visit_concept_id", config.rule)
        inpatient = pl.col("visit_concept_id").is_in(INPATIENT).fill_null(value=False)
        kinds = [inpatient.any().alias("is_inpatient"), (~inpatient).any().alias("is_outpatient")]
    elif config.rule == "min3visits":
        _require_visits(lazy, schema, "visit_occurrence_id", config.rule)
    days = (
        lazy.filter(pl.col("condition_start_date").is_not_null())
        .group_by("person_id", date="condition_start_date")
        .agg(kinds)
        .collect(engine="streaming")
    )
    if days["person_id"].dtype.is_integer():
        # There is one way to write them: grouping millions of days again would only take memory.
        return _by_value(days).sort("person_id", "date")
    return _by_value(days).group_by("person_id", "date").agg(pl.col(column).any() for column in days.columns[2:]).sort("person_id", "date")


def _require_visits(lazy: pl.LazyFrame, schema: pl.Schema, column: str, rule: str) -> None:
    if column not in schema or lazy.select(pl.col(column).is_null().all()).collect().item():
        raise DataError(f"`cohort.rule` is {rule}, and conditions.parquet has no `{column}`", hint=_VISITS_HINT)


def _onsets(dates: pl.DataFrame, lazy: pl.LazyFrame, rule: str) -> pl.DataFrame:
    """When each person who is a case became one: `person_id`, `onset`."""
    if rule == "min3visits":
        visits = _by_value(
            lazy.filter(pl.col("condition_start_date").is_not_null() & pl.col("visit_occurrence_id").is_not_null())
            .group_by("person_id")
            .agg(onset=pl.col("condition_start_date").min(), num_visits=pl.col("visit_occurrence_id").n_unique())
            .collect(engine="streaming")
        )
        starts = visits.filter(pl.col("num_visits") >= _MIN_VISITS).rename({"onset": "date"})
    elif rule == "inpatient1":
        starts = dates.filter("is_inpatient")
    elif rule == "first_plus_second":
        gap = pl.col("date").shift(-1).over("person_id") - pl.col("date")
        starts = dates.filter(gap <= pl.duration(days=CONFIRMED_WITHIN_DAYS))
    else:
        outpatient = dates.filter("is_outpatient").select("person_id", "date")
        pairs = _next_date(outpatient, outpatient, "second", pl.col("date") + pl.duration(days=OUTPATIENT_APART_DAYS))
        is_pair = pl.col("second") <= pl.col("date") + pl.duration(days=CONFIRMED_WITHIN_DAYS)
        starts = pl.concat([dates.filter("is_inpatient").select("person_id", "date"), pairs.filter(is_pair).select("person_id", "date")])
    return starts.group_by("person_id").agg(onset=pl.col("date").min())


def _by_value(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(person_id.canonical(frame["person_id"]))
