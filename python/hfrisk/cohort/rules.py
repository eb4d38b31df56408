"""The rules that label an ECG or say why it has no label.

Every recording gets the first reason that applies, in the order of `REMOVALS`; what no rule removes is labelled 1 or 0, again with the
reason. Condition dates have the resolution of a day, so what happened on the ECG's own day, before or after it, cannot be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from hfrisk.config import CohortConfig

REMOVALS = {
    "not_in_registry": "file is not in the registry",
    "file_name_not_unique": "file name stands for different recordings, so the registry cannot tell whose they are",
    "payload_under_two_persons": "the same signal is registered under two persons, so nobody knows whose it is",
    "duplicate_payload": "the same signal of the same person again",
    "not_in_cdm": "person is not in the database",
    "no_index_date": "recording has no date",
    "hf_date_unknown": "heart failure is recorded without a date, and none is dated before the ECG",
    "hf_on_index_date": "heart failure is first recorded on the day of the ECG",
    "not_first_ecg": "not the person's first ECG",
    "not_last_ecg": "not the person's last ECG",
}
LABELS = {
    "hf_on_or_before_index": 1,
    "hf_at_any_time": 1,
    "hf_after_index": 0,
    "no_hf_record": 0,
    "not_in_cdm": 0,
}


def decide(ecgs: pl.DataFrame, config: CohortConfig) -> pl.DataFrame:
    """Add `y`, `reason`, `event_observed` and `time_to_event_days`.

    Args:
        ecgs: One row a recording: `row`, `ecg_file`, `person_id`, `index_date`, `payload_hash`, `in_cdm`, `event_date`, `has_undated`.
        config: Mode and settings.
    """
    removal = pl.coalesce(*[pl.when(condition).then(pl.lit(reason)) for reason, condition in _removals(config).items()])
    frame = ecgs.with_columns(removal=removal)
    if config.one_ecg_per_person != "all":
        frame = _one_ecg_per_person(frame, last=config.one_ecg_per_person == "last")
    reason = pl.coalesce("removal", _ground(config)).alias("reason")
    return frame.with_columns(
        reason,
        event_observed=pl.col("event_date").is_not_null(),
        time_to_event_days=(pl.col("event_date") - pl.col("index_date")).dt.total_days().cast(pl.Int32),
    ).with_columns(y=pl.when(pl.col("removal").is_null()).then(pl.col("reason").replace_strict(LABELS, default=None, return_dtype=pl.Int8)))


def _removals(config: CohortConfig) -> dict[str, pl.Expr]:
    """The conditions of `REMOVALS` that concern one ECG at a time; they hold only where no earlier one does."""
    owned = pl.col("person_id").is_not_null()
    payload = pl.col("payload_hash").is_not_null() & owned
    num_payloads = pl.col("payload_hash").n_unique().over("ecg_file")
    owners = pl.col("person_id").drop_nulls().n_unique().over("payload_hash")
    removals = {
        "not_in_registry": ~owned,
        "file_name_not_unique": num_payloads > 1,
        "payload_under_two_persons": payload & (owners > 1),
        "duplicate_payload": payload & (pl.col("row") > pl.col("row").min().over("person_id", "payload_hash")),
    }
    if config.not_in_cdm == "unknown":
        removals["not_in_cdm"] = pl.col("in_cdm").is_null()
    if config.mode == "prevalent":
        is_before = (pl.col("event_date") <= pl.col("index_date")).fill_null(value=False)
        removals["no_index_date"] = pl.col("index_date").is_null()
        removals["hf_date_unknown"] = pl.col("has_undated").fill_null(value=False) & ~is_before
        if config.day_zero == "exclude":
            removals["hf_on_index_date"] = pl.col("event_date") == pl.col("index_date")
    return removals


def _ground(config: CohortConfig) -> pl.Expr:
    """The reason of the label of an ECG that no rule removed."""
    has_record = pl.col("has_undated").is_not_null()
    none = pl.when(pl.col("in_cdm").is_null()).then(pl.lit("not_in_cdm")).otherwise(pl.lit("no_hf_record"))
    if config.mode == "ever":
        return pl.when(has_record).then(pl.lit("hf_at_any_time")).otherwise(none)
    before = pl.col("event_date") <= pl.col("index_date")
    return pl.when(before).then(pl.lit("hf_on_or_before_index")).when(has_record).then(pl.lit("hf_after_index")).otherwise(none)


def _one_ecg_per_person(frame: pl.DataFrame, *, last: bool) -> pl.DataFrame:
    """Keep one of the ECGs that are left of each person; on one day the row decides, and undated ECGs come after dated ones."""
    left = frame.filter(pl.col("removal").is_null()).select("row", "person_id", "index_date")
    ordered = left.sort("index_date", "row", descending=[last, last], nulls_last=True)
    kept = ordered.unique("person_id", keep="first", maintain_order=True).select("row")
    reason = "not_last_ecg" if last else "not_first_ecg"
    is_kept = pl.col("row").is_in(kept["row"].implode())
    return frame.with_columns(removal=pl.when(pl.col("removal").is_null() & ~is_kept).then(pl.lit(reason)).otherwise(pl.col("removal")))
