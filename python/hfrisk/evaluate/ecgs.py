"""What is known of each ECG besides its signal: the features of the baselines, the groups of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.errors import StoreError
from hfrisk.records import MEASUREMENTS, read_records
from hfrisk.tabular import feature_names, join_tabular, read_tabular

if TYPE_CHECKING:
    from hfrisk.config import StudyConfig

TABULAR = "tabular:"
"""Stands before the name of a column of the tabular file."""
DEMOGRAPHIC = ("age_years", "is_male")
_PACED = r"(?i)\bpaced?\b|pacemaker|pacing"
_ATRIAL_FIBRILLATION = r"(?i)atrial fibrillation"
_AF_NAMES = ("atrial_fibrillation", "af")


def describe(cohort: pl.DataFrame, config: StudyConfig) -> pl.DataFrame:
    """Add to every labelled ECG what records.parquet and the tabular file say of it.

    Args:
        cohort: Labelled ECGs, as `read_cohort` gives them.
        config: Says where the store and the tabular file are; without either, their columns are absent.

    Returns:
        The cohort's rows in their order, with `age_years`, `sex`, `is_male`, `device`, `year`, the machine's measurements, `tabular:NAME`
        for each column of the tabular file, and `has_af`, `is_paced` (null where nothing tells).
    """
    frame = _with_records(cohort, config)
    if config.paths.tabular is not None:
        table = read_tabular(config.paths.tabular)
        names = feature_names(table)
        values = join_tabular(frame, table, names=names)
        frame = frame.hstack([pl.Series(f"{TABULAR}{name}", values[:, index]).fill_nan(None) for index, name in enumerate(names)])
    if "age_years" not in frame.columns:
        frame = frame.with_columns(age_years=pl.col(f"{TABULAR}age") if f"{TABULAR}age" in frame.columns else _unknown(pl.Float64))
    return frame.with_columns(has_af=_has_af(frame), year=_year(frame))


def _with_records(cohort: pl.DataFrame, config: StudyConfig) -> pl.DataFrame:
    try:
        records = read_records(config.paths.store)
    except StoreError:
        # A model of comorbidities alone needs no store; the report then says what is not known.
        return cohort.with_columns(
            sex=_unknown(pl.String), is_male=_unknown(pl.Float64), device=_unknown(pl.String), is_paced=_unknown(pl.Boolean)
        )
    statements = pl.col("statements").list.join("\n") if "statements" in records.columns else _unknown(pl.String)
    known = records.select(
        "row",
        pl.col("age_years").cast(pl.Float64),
        "device",
        "acquired_at",
        *(pl.col(name).cast(pl.Float64) for name in MEASUREMENTS),
        sex=pl.col("sex").str.to_lowercase().str.slice(0, 1).replace_strict({"m": "male", "f": "female"}, default=None),
        is_paced=statements.str.contains(_PACED),
        is_stated_af=statements.str.contains(_ATRIAL_FIBRILLATION),
    ).with_columns(is_male=(pl.col("sex") == "male").cast(pl.Float64))
    kept = cohort.drop([name for name in known.columns if name != "row"], strict=False)
    return kept.join(known, on="row", how="left", maintain_order="left")


def _has_af(frame: pl.DataFrame) -> pl.Expr:
    """Stated on the ECG where statements were kept, else recorded before it in the tabular file."""
    recorded = next((pl.col(f"{TABULAR}{name}") > 0 for name in _AF_NAMES if f"{TABULAR}{name}" in frame.columns), None)
    stated = pl.col("is_stated_af") if "is_stated_af" in frame.columns else None
    return pl.coalesce(*(one for one in (stated, recorded) if one is not None), pl.lit(None, dtype=pl.Boolean))


def _year(frame: pl.DataFrame) -> pl.Expr:
    for name in ("index_date", "acquired_at"):
        if name in frame.columns:
            return pl.col(name).dt.year().cast(pl.Int64)
    return _unknown(pl.Int64)


def _unknown(dtype: type[pl.DataType]) -> pl.Expr:
    return pl.lit(None, dtype=dtype)
