"""One ECG a person, where the study wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from hfrisk.config import CohortConfig

SELECTIONS = {
    "first": "not_first_ecg",
    "last": "not_last_ecg",
    "last_before_event": "not_last_ecg_before_event",
    "random": "not_drawn",
}
"""What is kept, and the reason of those that are not."""


def keep_one_per_person(frame: pl.DataFrame, config: CohortConfig) -> pl.DataFrame:
    """Remove all but one of the ECGs that are left of each person; on one day the row decides, and undated ECGs come after dated ones.

    Args:
        frame: One row a recording: `row`, `person_id`, `index_date`, `event_date`, `payload_hash`, `removal` (null: left).
        config: Which one is kept.
    """
    which = config.one_ecg_per_person
    if which == "all":
        return frame
    left = frame.filter(pl.col("removal").is_null()).select("row", "person_id", "index_date", "event_date", "payload_hash")
    if which == "last_before_event":
        left = left.filter((pl.col("index_date") < pl.col("event_date")).fill_null(value=True))
    if which == "random":
        draws = _draws(left, config.random_seed)
        ordered = left.with_columns(draws).sort("draw", "row")
    else:
        is_last = which != "first"
        ordered = left.sort("index_date", "row", descending=[is_last, is_last], nulls_last=True)
    kept = ordered.unique("person_id", keep="first", maintain_order=True).select("row", is_kept=True)
    joined = frame.join(kept, on="row", how="left", maintain_order="left")
    goes = pl.col("removal").is_null() & pl.col("is_kept").is_null()
    return joined.with_columns(removal=pl.when(goes).then(pl.lit(SELECTIONS[which])).otherwise(pl.col("removal"))).drop("is_kept")


def _draws(ecgs: pl.DataFrame, seed: int) -> pl.Series:
    """A number for every recording that only the seed and its signal decide (its row, where the signal has no hash)."""
    key = ecgs.select(pl.coalesce(pl.col("payload_hash").cast(pl.UInt64), pl.col("row").cast(pl.UInt64)))
    mixed = key.to_series().to_numpy().astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    # The finaliser of SplitMix64: arithmetic modulo 2^64, the same everywhere.
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return pl.Series("draw", mixed ^ (mixed >> np.uint64(31)))
