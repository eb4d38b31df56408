"""Checks of the cohort: splits, signals, dates and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk import cohort as cohorts
from hfrisk.cohort.files import read_tables
from hfrisk.cohort.split import num_in_two_splits
from hfrisk.errors import HfriskError
from hfrisk.lint.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hfrisk.config import StudyConfig

_COMPARED = ("y", "reason", "index_date", "event_date", "time_to_event_days", "event_observed", "split")
_DEATH = "death_without_hf"


def check_labels(frame: pl.DataFrame, config: StudyConfig) -> Iterator[Finding]:
    """Check a cohort.

    Args:
        frame: As cohort.parquet; columns that an older or foreign one lacks leave their checks undone.
        config: The study that it should follow from.
    """
    used = frame.drop_nulls("y")
    yield _splits(used, "person_id", "person_in_two_splits", "persons")
    if "payload_hash" in frame.columns:
        yield _splits(used, "payload_hash", "signal_in_two_splits", "signals")
        yield _owners(used)
    else:
        for name in ("signal_in_two_splits", "signal_under_two_persons"):
            yield Finding(name, "not run", "the cohort has no payload_hash; `hfrisk cohort` writes it")
    yield _order(used, config)
    yield _observation(used, config)
    yield _recomputed(frame, config)
    if config.cohort.mode == "ever":
        yield Finding(
            "future_label", "warning", "`ever` counts heart failure that was recorded years after the ECG; it is for comparison only"
        )
    else:
        yield Finding("future_label", "passed", f"`{config.cohort.mode}` has a time at risk")


def _splits(used: pl.DataFrame, key: str, name: str, what: str) -> Finding:
    number = num_in_two_splits(used, key)
    if number:
        return Finding(name, "failed", f"{number:,} {what} are in two splits or more, so the test flatters; run `hfrisk cohort` again")
    return Finding(name, "passed", f"{used[key].n_unique():,} {what}, each in one split")


def _owners(used: pl.DataFrame) -> Finding:
    owners = used.drop_nulls("payload_hash").group_by("payload_hash").agg(pl.col("person_id").n_unique())
    number = owners.filter(pl.col("person_id") > 1).height
    if number:
        return Finding("signal_under_two_persons", "failed", f"{number:,} signals are labelled under two persons or more")
    return Finding("signal_under_two_persons", "passed", "every labelled signal belongs to one person")


def _order(used: pl.DataFrame, config: StudyConfig) -> Finding:
    name = "index_after_outcome"
    if config.cohort.mode != "incident":
        return Finding(name, "not run", f"only `incident` foretells; this study is `{config.cohort.mode}`")
    if not {"index_date", "event_date"} <= set(used.columns):
        return Finding(name, "not run", "the cohort has no dates")
    late = used.filter((pl.col("y") == 1) & (pl.col("event_date").is_null() | (pl.col("event_date") <= pl.col("index_date")))).height
    if late:
        return Finding(name, "failed", f"{late:,} positive ECGs come on or after the day of their outcome, or have none")
    return Finding(name, "passed", "every positive ECG comes before its outcome")


def _observation(used: pl.DataFrame, config: StudyConfig) -> Finding:
    name = "unobserved_negative"
    if config.cohort.mode != "incident":
        return Finding(name, "not run", f"`{config.cohort.mode}` has no time at risk after the ECG")
    if "time_to_event_days" not in used.columns:
        return Finding(name, "not run", "the cohort has no times")
    required = config.cohort.last_day_required
    is_short = pl.col("time_to_event_days").is_null() | (pl.col("time_to_event_days") < required)
    # A dead person was observed to the end, when death counts as one.
    is_excused = (pl.col("reason") == _DEATH) if config.cohort.death == "competing_event" else pl.lit(value=False)
    unobserved = used.filter((pl.col("y") == 0) & ~pl.col("event_observed") & is_short & ~is_excused).height
    if unobserved and not config.cohort.require_time_at_risk:
        return Finding(name, "warning", f"{unobserved:,} negatives were not observed to day {required}; `require_time_at_risk` is off")
    if unobserved:
        return Finding(
            name, "failed", f"{unobserved:,} negatives were not observed to day {required}, so nobody knows that they stayed well"
        )
    return Finding(name, "passed", f"every negative was observed to day {required}")


def _recomputed(frame: pl.DataFrame, config: StudyConfig) -> Finding:
    name = "label_not_reproducible"
    try:
        again = cohorts.build(**read_tables(config), config=config).frame
    except HfriskError as error:
        return Finding(name, "not run", f"the cohort's inputs are not all there: {error.message}")
    columns = [column for column in _COMPARED if column in frame.columns]
    if frame.height != again.height or frame["row"].to_list() != again["row"].to_list():
        return Finding(name, "failed", "the stored cohort has other rows than its inputs give now; run `hfrisk cohort` again")
    differing = (
        frame.select(columns)
        .with_row_index()
        .join(again.select(columns).with_row_index(), on=["index", *columns], how="anti", nulls_equal=True)
    )
    if differing.height:
        return Finding(
            name,
            "failed",
            f"{differing.height:,} of {frame.height:,} rows are not what the stored dates and settings give; run `hfrisk cohort` again",
        )
    return Finding(name, "passed", f"all {frame.height:,} rows are what the stored dates and settings give")
