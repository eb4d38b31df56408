"""The rules that label an ECG or say why it has no label.

Every recording gets the first reason that applies, in the order of `REMOVALS`; what no rule removes is labelled 1 or 0, again with the
reason. Condition dates have the resolution of a day, so what happened on the ECG's own day, before or after it, cannot be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.config.cohort import TIMED_MODES

if TYPE_CHECKING:
    from hfrisk.config import CohortConfig

REMOVALS = {
    "not_in_registry": "file is not in the registry",
    "file_name_not_unique": "file name stands for different recordings, so the registry cannot tell whose they are",
    "payload_under_two_persons": "the same signal is registered under two persons, so nobody knows whose it is",
    "duplicate_payload": "the same signal of the same person again",
    "not_in_cdm": "person is not in the database",
    "no_index_date": "recording has no date",
    "index_after_death": "recording is dated after the person's death",
    "insufficient_history": "too little observation before the ECG to say that there was no heart failure",
    "prior_outcome": "heart failure before the time at risk",
    "hf_date_unknown": "heart failure is recorded without a date, and none is dated before the ECG",
    "hf_on_index_date": "heart failure is first recorded on the day of the ECG",
    "event_in_blanking": "heart failure is first recorded in the blanking after the ECG",
    "hf_unconfirmed": "heart failure is recorded, but not as the rule demands",
    "died": "death before the end of the time at risk",
    "censored": "not observed to the end of the time at risk",
    "not_first_ecg": "not the person's first ECG",
    "not_last_ecg": "not the person's last ECG",
    "not_last_ecg_before_event": "not the person's last ECG before heart failure",
    "not_drawn": "not the person's ECG that was drawn",
    "person_in_holdout": "person is held out for the test, and this ECG does not belong to the hold-out",
}
"""Reason and meaning of a missing label, in the order in which they apply."""
LABELS = {
    "hf_on_or_before_index": 1,
    "hf_at_any_time": 1,
    "hf_in_window": 1,
    "hf_after_index": 0,
    "hf_after_window": 0,
    "hf_before_lookback": 0,
    "no_hf_record": 0,
    "no_hf_by_rule": 0,
    "death_without_hf": 0,
    "not_in_cdm": 0,
}
"""Reason and label."""


def decide(ecgs: pl.DataFrame, config: CohortConfig) -> pl.DataFrame:
    """Add `removal` (null: labelled), `ground` (why the label would be what it is) and the times.

    Args:
        ecgs: One row a recording: `row`, `ecg_file`, `person_id`, `index_date`, `payload_hash`, `in_cdm`, `has_record`, `has_undated`,
            `record_date`, `event_date`, `observed_from`, `observed_until`, `death_date`.
        config: Mode and settings.

    Returns:
        The frame with `event_observed`, and `time_to_event_days`: to the event where there is one, else to the end of observation or to
        death, whichever comes first; null where neither is known.
    """
    removal = pl.coalesce(*[pl.when(condition).then(pl.lit(reason)) for reason, condition in removals(config).items()])
    is_observed = pl.col("event_date").is_not_null()
    # The person was there for the ECG, whatever the tables say.
    left = pl.max_horizontal(pl.min_horizontal("observed_until", "death_date"), "index_date")
    is_known = pl.col("observed_until").is_not_null() | pl.col("death_date").is_not_null()
    end = pl.when(is_observed).then(pl.col("event_date")).when(is_known).then(left)
    return ecgs.with_columns(
        removal=removal,
        ground=_ground(config),
        event_observed=is_observed,
        time_to_event_days=_days(end).cast(pl.Int32),
    )


def conclude(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `reason` and `y` of what `decide` and the choices after it made."""
    label = pl.col("ground").replace_strict(LABELS, default=None, return_dtype=pl.Int8)
    return frame.with_columns(reason=pl.coalesce("removal", "ground"), y=pl.when(pl.col("removal").is_null()).then(label))


def removals(config: CohortConfig) -> dict[str, pl.Expr]:
    """The conditions of `REMOVALS` that concern one ECG at a time and are in force; they hold only where no earlier one does."""
    owned = pl.col("person_id").is_not_null()
    payload = pl.col("payload_hash").is_not_null() & owned
    num_payloads = pl.col("payload_hash").n_unique().over("ecg_file")
    owners = pl.col("person_id").drop_nulls().n_unique().over("payload_hash")
    conditions = {
        "not_in_registry": ~owned,
        "file_name_not_unique": num_payloads > 1,
        "payload_under_two_persons": payload & (owners > 1),
        "duplicate_payload": payload & (pl.col("row") > pl.col("row").min().over("person_id", "payload_hash")),
    }
    if config.not_in_cdm == "unknown":
        conditions["not_in_cdm"] = pl.col("in_cdm").is_null()
    if config.mode != "ever":
        conditions["no_index_date"] = pl.col("index_date").is_null()
    chosen = _timed_removals(config) if config.mode in TIMED_MODES else _untimed_removals(config)
    conditions |= chosen
    return {reason: conditions[reason] for reason in REMOVALS if reason in conditions}


def _untimed_removals(config: CohortConfig) -> dict[str, pl.Expr]:
    conditions = {}
    if config.mode == "ever":
        unconfirmed = pl.col("has_record") & pl.col("event_date").is_null()
    else:
        is_before = (pl.col("event_date") <= pl.col("index_date")).fill_null(value=False)
        conditions["hf_date_unknown"] = pl.col("has_undated") & ~is_before
        if config.day_zero == "exclude":
            conditions["hf_on_index_date"] = pl.col("event_date") == pl.col("index_date")
        if config.washout:
            conditions["insufficient_history"] = ~is_before & _lacks_history(config.washout)
        unconfirmed = (pl.col("record_date") <= pl.col("index_date")).fill_null(value=False) & ~is_before
    if config.rule != "any1" and config.unconfirmed == "unknown":
        conditions["hf_unconfirmed"] = unconfirmed
    return conditions


def _timed_removals(config: CohortConfig) -> dict[str, pl.Expr]:
    first, last, required = config.first_day_at_risk, config.last_day_at_risk, config.last_day_required
    event = _days(pl.col("event_date"))
    is_positive = (event <= last).fill_null(value=False)
    conditions = {
        "index_after_death": pl.col("death_date") < pl.col("index_date"),
        "hf_date_unknown": pl.col("has_undated"),
        "died": ~is_positive & (_days(pl.col("death_date")) < required),
    }
    if config.washout:
        conditions["insufficient_history"] = _lacks_history(config.washout)
    if config.mode == "incident":
        conditions["prior_outcome"] = event <= 0 if config.day_zero == "prevalent" else event < 0
        if config.day_zero == "exclude":
            conditions["hf_on_index_date"] = event == 0
        conditions["event_in_blanking"] = (event > 0) & (event < first)
    else:
        conditions["prior_outcome"] = event < first
    if config.rule != "any1" and config.unconfirmed == "unknown":
        record = _days(pl.col("record_date"))
        is_earlier = (_phase(record, first, last) < _phase(event, first, last)) & (record <= last)
        conditions["hf_unconfirmed"] = is_earlier.fill_null(value=False)
    if config.death == "competing_event":
        del conditions["died"]
    if config.require_time_at_risk:
        is_observed = (_days(pl.col("observed_until")) >= required).fill_null(value=False)
        conditions["censored"] = ~is_positive & ~is_observed & ~_died(required)
    return conditions


def _died(required: int) -> pl.Expr:
    return (_days(pl.col("death_date")) < required).fill_null(value=False)


def _phase(day: pl.Expr, first: int, last: int) -> pl.Expr:
    """Before (0), in (1) or after (2) the time at risk; what never happened comes after it."""
    return pl.when(day < first).then(0).when(day <= last).then(1).otherwise(2)


def _lacks_history(washout: int) -> pl.Expr:
    observed = (pl.col("index_date") - pl.col("observed_from")).dt.total_days()
    return (observed < washout).fill_null(value=True)


def _ground(config: CohortConfig) -> pl.Expr:
    """The reason of the label of an ECG that no rule removes."""
    is_known = pl.when(pl.col("in_cdm").is_null()).then(pl.lit("not_in_cdm"))
    ignored = pl.lit("hf_before_lookback") if config.rule == "any1" else pl.lit("no_hf_by_rule")
    none = is_known.when(pl.col("has_record")).then(ignored).otherwise(pl.lit("no_hf_record"))
    if config.mode == "ever":
        # A record without a date makes a case by the rule that asks for one record.
        is_case = pl.col("has_record") if config.rule == "any1" else pl.col("event_date").is_not_null()
        return pl.when(is_case).then(pl.lit("hf_at_any_time")).otherwise(none)
    if config.mode == "prevalent":
        before = pl.col("event_date") <= pl.col("index_date")
        after = pl.col("event_date") > pl.col("index_date")
        return pl.when(before).then(pl.lit("hf_on_or_before_index")).when(after).then(pl.lit("hf_after_index")).otherwise(none)
    event = _days(pl.col("event_date"))
    # Where death is unknown it removes the ECG, so the reason shows only where it competes.
    ground = pl.when(event <= config.last_day_at_risk).then(pl.lit("hf_in_window"))
    ground_of_dead = ground.when(_died(config.last_day_required)).then(pl.lit("death_without_hf"))
    return ground_of_dead.when(event > config.last_day_at_risk).then(pl.lit("hf_after_window")).otherwise(none)


def _days(date: pl.Expr) -> pl.Expr:
    """Days from the index."""
    return (date - pl.col("index_date")).dt.total_days()
