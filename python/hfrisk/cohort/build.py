"""From the five tables to one row a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hfrisk import person_id
from hfrisk.cohort.attrition import attrition
from hfrisk.cohort.match import match_files
from hfrisk.cohort.rules import decide
from hfrisk.cohort.split import assign_splits, check_classes, check_disjoint
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
)


@dataclass(frozen=True, slots=True)
class Cohort:
    """What `build` makes.

    Attributes:
        frame: One row for every recording of the store, ordered by `row`: `row`, `ecg_file`, `person_id` (null: not in the registry),
            `index_date`, `y` (Int8: 1, 0, or null where there is no label), `reason` (why `y` is what it is), `event_date` (first dated
            heart failure), `time_to_event_days` (from index to event, negative when the event came first), `event_observed`, `split`.
        attrition: How many ECGs and persons each rule removed, in order.
        labels: The registry as the original notebooks wrote it: `person_id`, `ecg_file`.
        labels_with_hf: The same with `hf_outcome`, 0 where the database has no row, as the notebooks had it.
    """

    frame: pl.DataFrame
    attrition: pl.DataFrame
    labels: pl.DataFrame
    labels_with_hf: pl.DataFrame


def build(
    *,
    records: pl.DataFrame,
    registry: pl.DataFrame,
    conditions: pl.DataFrame,
    persons: pl.DataFrame,
    outcome: pl.DataFrame,
    config: StudyConfig,
) -> Cohort:
    """Join recordings, registry and diagnoses, and label every recording.

    Args:
        records: records.parquet; `row`, `ecg_file`, `acquired_at` and `payload_hash` are used.
        registry: `ecg_file`, `person_id`, a file once.
        conditions: Heart-failure records: `person_id`, `condition_start_date`.
        persons: Everybody the database knows: `person_id`.
        outcome: `person_id`, `hf_outcome`.
        config: The study; its sections `cohort` and `split` are used.

    Raises:
        DataError: A column is missing, two tables share no key, tables do not belong together, or a split lacks a class.
    """
    _require(records, "records.parquet", "row", "ecg_file", "acquired_at", "payload_hash")
    _require(registry, "the registry", "ecg_file", "person_id")
    _require(conditions, "conditions.parquet", "person_id", "condition_start_date")
    _require(persons, "persons.parquet", "person_id")
    _require(outcome, "hf_outcome.csv", "person_id", "hf_outcome")
    types = f"{registry['person_id'].dtype} in the registry, {persons['person_id'].dtype} in the database"
    registry, conditions, persons, outcome = person_id.align(registry, conditions, persons, outcome)
    history = conditions.group_by("person_id").agg(
        event_date=pl.col("condition_start_date").min(),
        has_undated=pl.col("condition_start_date").is_null().any(),
    )
    _check_outcome(history, outcome)
    known = pl.concat([frame.select("person_id") for frame in (persons, outcome, history)]).unique()
    _check_overlap(registry, known, types)

    matched = match_files(records, registry)
    joined = matched.join(known.with_columns(in_cdm=True), on="person_id", how="left").join(history, on="person_id", how="left")
    labelled = decide(joined.sort("row"), config.cohort)
    splits = assign_splits(labelled["person_id"].drop_nulls().unique(), config.split)
    frame = labelled.join(splits, on="person_id", how="left", maintain_order="left")
    check_disjoint(frame)
    check_classes(frame, config.split)
    labels = registry.select("person_id", "ecg_file")
    return Cohort(
        frame=frame.select(COLUMNS),
        attrition=attrition(frame, registry, config.cohort),
        labels=labels,
        labels_with_hf=_notebook_labels(labels, outcome),
    )


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


def _require(frame: pl.DataFrame, name: str, *columns: str) -> None:
    for column in columns:
        if column not in frame.columns:
            present = ", ".join(f"`{present}`" for present in frame.columns)
            raise DataError(f"{name} has no column `{column}`", hint=f"its columns are {present}")
