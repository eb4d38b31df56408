"""Labels in random order, for the check that they teach nothing."""

from __future__ import annotations

import polars as pl


def shuffle_labels(frame: pl.DataFrame, *, seed: int) -> pl.Series:
    """Deal the labels out anew among persons, who keep what they get in all their ECGs and in every split.

    A shuffled label tells of nothing but who a person is. So what a model that was taught shuffled labels still finds on another split, it
    has from recognising persons: they, or their values, are on both sides.

    Args:
        frame: `person_id` and `y`, of all splits together. A person counts as positive with any positive ECG.
        seed: Of the order.

    Returns:
        `y`, Int8, one an ECG in the frame's order.
    """
    persons = frame.group_by("person_id", maintain_order=True).agg(pl.col("y").max().cast(pl.Int8)).sort("person_id")
    dealt = persons.with_columns(pl.col("y").shuffle(seed=seed))
    return frame.select("person_id").join(dealt, on="person_id", how="left", maintain_order="left")["y"]
