"""From the five tables to one row a recording."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hfrisk import person_id
from hfrisk.cohort.attrition import attrition
from hfrisk.cohort.columns import require
from hfrisk.cohort.follow_up import attach_follow_up
from hfrisk.cohort.history import attach_events, read_history
from hfrisk.cohort.match import match_files
from hfrisk.cohort.rules import conclude, decide
from hfrisk.cohort.selection import keep_one_per_person
from hfrisk.cohort.split import assign_splits, check_classes, check_disjoint, held_out
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from hfrisk.config import StudyConfig

COLUMNS = (
    "row",
    "ecg_file",
    "person_id",
    "index_date",
    "y",
    "reason",
    "event_date",
    "time_to_event_days",
    "event_observed",
    "split",
    "payload_hash",
)


@dataclass(frozen=True, slots=True)
class Cohort:
    """What `build` makes.

    Attributes:
        frame: One row for every recording of the store, ordered by `row`: `row`, `ecg_file`, `person_id` (null: not in the registry),
            `index_date`, `y` (Int8: 1, 0, or null where there is no label), `reason` (why `y` is what it is), `event_date` (the first
            dated case of heart failure that the label looks at), `event_observed` (there is one), `time_to_event_days` (from index to
            event, negative when the event came first; without an event to the end of observation or death, whichever comes first, null
            when neither is known: right-censored), `split`, `payload_hash` (of the signal).
        attrition: How many ECGs and persons each rule removed, in order.
        splits: `person_id`, `split`, and with folds `fold`, ordered by person.
        labels: The registry as the original notebooks wrote it: `person_id`, `ecg_file`.
        labels_with_hf: The same with `hf_outcome`, 0 where the database has no row, as the notebooks had it.
    """

    frame: pl.DataFrame
    attrition: pl.DataFrame
    splits: pl.DataFrame
    labels: pl.DataFrame
    labels_with_hf: pl.DataFrame


def build(
    *,
    records: pl.DataFrame,
    registry: pl.DataFrame,
    conditions: pl.DataFrame | pl.LazyFrame,
    persons: pl.DataFrame,
    outcome: pl.DataFrame,
    config: StudyConfig,
    periods: pl.DataFrame | None = None,
) -> Cohort:
    """Join recordings, registry and diagnoses, and label every recording.

    Args:
        records: records.parquet; `row`, `ecg_file`, `acquired_at` and `payload_hash` are used, and `split.column` where it is named.
        registry: `ecg_file`, `person_id`, a file once, and `split.column` where it is named.
        conditions: Heart-failure records: `person_id`, `condition_start_date`; visits where the rule needs them. Millions of rows are
            better given lazily.
        persons: Everybody the database knows: `person_id`, and of observation, last visit and death what it knows.
        outcome: `person_id`, `hf_outcome`.
        config: The study; its sections `cohort` and `split` are used.
        periods: Every period of observation: `person_id`, `start`, `end`; None takes the span of `persons`.

    Raises:
        DataError: A column is missing, two tables share no key, tables do not belong together, or a split lacks a class.
    """
    require(records.columns, "records.parquet", "row", "ecg_file", "acquired_at", "payload_hash")
    require(registry.columns, "the registry", "ecg_file", "person_id")
    require(persons.columns, "persons.parquet", "person_id")
    require(outcome.columns, "hf_outcome.csv", "person_id", "hf_outcome")
    types = f"{registry['person_id'].dtype} in the registry, {persons['person_id'].dtype} in the database"
    history = read_history(conditions, config.cohort)
    registry, cases, persons, outcome = person_id.align(registry, history.persons, persons, outcome)
    history = dataclasses.replace(history, persons=cases, dates=_cast(history.dates, cases))
    _check_outcome(cases, outcome)
    known = pl.concat([frame.select("person_id") for frame in (persons, outcome, cases)]).unique()
    _check_overlap(registry, known, types)

    column = [config.split.column] if config.split.method == "group" else []
    joined = match_files(records, registry, columns=column)
    joined = joined.join(known.with_columns(in_cdm=True), on="person_id", how="left").sort("row")
    joined = attach_events(joined, history, config.cohort)
    joined = attach_follow_up(joined, persons, None if periods is None else person_id.align(periods, persons)[0], config.cohort)
    chosen = keep_one_per_person(decide(joined, config.cohort), config.cohort)
    frame, splits = _split(chosen, config)
    check_disjoint(frame)
    check_classes(frame, config.split)
    labels = registry.select("person_id", "ecg_file")
    return Cohort(
        frame=frame.select(COLUMNS),
        attrition=attrition(frame, registry, config),
        splits=splits,
        labels=labels,
        labels_with_hf=_notebook_labels(labels, outcome),
    )


def _split(chosen: pl.DataFrame, config: StudyConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give every person a split; where ECGs are held out, remove the other ECGs of their persons."""
    condition = held_out(chosen, config.split)
    is_left = pl.col("removal").is_null()
    is_held_out = pl.lit(value=False) if condition is None else condition
    persons = (
        conclude(chosen)
        .drop_nulls("person_id")
        .group_by("person_id")
        .agg(is_held_out=(is_held_out & is_left).any(), is_positive=(pl.col("y") == 1).fill_null(value=False).any())
    )
    splits = assign_splits(persons, config.split)
    frame = chosen.join(splits, on="person_id", how="left", maintain_order="left")
    if condition is not None:
        stays_out = is_left & ~is_held_out & (pl.col("split") == "test")
        frame = frame.with_columns(removal=pl.when(stays_out).then(pl.lit("person_in_holdout")).otherwise(pl.col("removal")))
    return conclude(frame), splits


def _cast(dates: pl.DataFrame | None, like: pl.DataFrame) -> pl.DataFrame | None:
    return None if dates is None else dates.with_columns(pl.col("person_id").cast(like["person_id"].dtype))


def _notebook_labels(labels: pl.DataFrame, outcome: pl.DataFrame) -> pl.DataFrame:
    """Join as the notebooks did: missing is 0."""
    by_person = outcome.group_by("person_id").agg(pl.col("hf_outcome").max().cast(pl.Int64))
    return labels.join(by_person, on="person_id", how="left", maintain_order="left").with_columns(pl.col("hf_outcome").fill_null(0))


def _check_outcome(history: pl.DataFrame, outcome: pl.DataFrame) -> None:
    """Refuse tables from two runs of `hfrisk labels`."""
    positive = outcome.filter(pl.col("hf_outcome") == 1).select("person_id").unique()
    num_apart = positive.join(history, on="person_id", how="anti").height + history.join(positive, on="person_id", how="anti").height
    if num_apart:
        raise DataError(
            f"hf_outcome.csv and conditions.parquet disagree about {num_apart:,} persons, so they do not come from one run",
            hint="run `hfrisk labels` again",
        )


def _check_overlap(registry: pl.DataFrame, known: pl.DataFrame, types: str) -> None:
    if registry.join(known, on="person_id", how="semi").is_empty():
        raise DataError(
            f"none of the {registry['person_id'].n_unique():,} persons of the registry is among the {known.height:,} of the database "
            f"(`person_id`: {types})",
            hint="the two hold different kinds of ids: does `nid` of the metadata files mean the `person_id` of this database?",
        )
