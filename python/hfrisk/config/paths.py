"""`[paths]`: where things are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class PathsConfig:
    """Where things are; relative paths are relative to the study file."""

    store: Path = Path("store")
    """OUT of `hfrisk-convert`: holds ecg.zarr and records.parquet."""
    registry: Path = Path("ECG_Metafile")
    """Folder of the metadata files `*.csv.csv`."""
    data: Path = Path("data")
    """Where hf_outcome.csv, labels.csv, labels_with_hf.csv, conditions.parquet and cohort.parquet go."""
    tabular: Path | None = None
    """CSV with `person_id` and numeric columns, one row a person; None trains without."""
    run: Path = Path("run")
    """Folder of one training run."""
