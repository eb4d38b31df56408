"""Person ids compare by value: 17, "17", " 017 " and the "17.0" that pandas writes beside missing values are one person."""

from __future__ import annotations

import polars as pl

from hfrisk.errors import DataError


def canonical(ids: pl.Series) -> pl.Series:
    """Bring a column of ids to Int64 when every id is a whole number, else to trimmed text; empty ids become null.

    Raises:
        DataError: The ids are fractions.
    """
    if ids.dtype.is_float():
        whole = ids.cast(pl.Int64, strict=False)
        if not (whole.cast(ids.dtype) == ids).fill_null(value=True).all():
            raise DataError(f"`{ids.name}` holds fractions, so it is no column of ids", hint="write ids as whole numbers or as text")
        return whole
    if ids.dtype.is_integer():
        return ids.cast(pl.Int64)
    text = ids.cast(pl.String).str.strip_chars()
    text = text.set(text == "", None)
    whole = text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    return text if whole.null_count() > text.null_count() else whole


def align(*frames: pl.DataFrame) -> list[pl.DataFrame]:
    """Bring `person_id` of every frame to one type, so that joins compare values: Int64 if all ids allow it, else text."""
    columns = [canonical(frame["person_id"]) for frame in frames]
    if any(column.dtype == pl.String for column in columns):
        columns = [column.cast(pl.String) for column in columns]
    return [frame.with_columns(column.alias("person_id")) for frame, column in zip(frames, columns, strict=True)]
