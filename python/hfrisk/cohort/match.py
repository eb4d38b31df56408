"""Whose recording is it: file names of the store against file names of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence


def match_files(records: pl.DataFrame, registry: pl.DataFrame, *, columns: Sequence[str] = ()) -> pl.DataFrame:
    """Give every recording the person that the registry names for its file.

    Names are compared as they are; what stays without an owner is compared again regardless of case, since files that went through
    Windows come back in other letters.

    Args:
        records: `row`, `ecg_file`, `acquired_at`, `payload_hash`.
        registry: `ecg_file`, `person_id`.
        columns: Further columns to bring along, from records where they are there, else from the registry.

    Returns:
        `row` Int64, `ecg_file`, `registry_file` and `person_id` (null: not in the registry), `index_date` Date, `payload_hash`, and of
        `columns` those that exist.

    Raises:
        DataError: No file is in both tables.
    """
    recordings = records.select(
        pl.col("row").cast(pl.Int64),
        "ecg_file",
        "payload_hash",
        *(name for name in columns if name in records.columns),
        index_date=pl.col("acquired_at").dt.date(),
        key=pl.col("ecg_file"),
    )
    told = [name for name in columns if name not in records.columns and name in registry.columns]
    owners = registry.select("person_id", *told, registry_file="ecg_file", key="ecg_file")
    matched = recordings.join(owners, on="key", how="left").drop("key")
    rest = matched.filter(pl.col("registry_file").is_null()).drop("person_id", "registry_file", *told)
    if not rest.is_empty():
        found = rest.with_columns(key=pl.col("ecg_file").str.to_lowercase()).join(_folded(owners), on="key", how="left")
        matched = pl.concat([matched.filter(pl.col("registry_file").is_not_null()), found.select(matched.columns)])
    if matched["person_id"].null_count() == matched.height:
        raise DataError(
            f"none of the {records.height:,} recordings of the store is among the {registry.height:,} files of the registry",
            hint="compare `ecg_file` in records.parquet with `nstri_path` in the metadata files: do `paths.store` and `paths.registry` "
            "belong to one hospital?",
        )
    return matched


def _folded(owners: pl.DataFrame) -> pl.DataFrame:
    """The owners by lower-case name, without the names that would then be two persons'."""
    return (
        owners.with_columns(pl.col("key").str.to_lowercase())
        .group_by("key")
        .agg(pl.col("registry_file").min(), pl.exclude("registry_file").first(), num_persons=pl.col("person_id").n_unique())
        .filter(pl.col("num_persons") == 1)
        .drop("num_persons")
    )
