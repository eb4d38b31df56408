"""The tables beside the signals: their schema, and how to read them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from hfrisk.errors import StoreError

MEASUREMENTS = (
    "ventricular_rate_bpm",
    "atrial_rate_bpm",
    "pr_interval_ms",
    "qrs_duration_ms",
    "qt_interval_ms",
    "qtc_interval_ms",
    "p_axis_deg",
    "r_axis_deg",
    "t_axis_deg",
)
"""The cart's measurements after the physician's edit; `original_` stands before the machine's own."""

FLAGS = (
    "crc_mismatch",
    "crc_unknown",
    "count_mismatch",
    "completed",
    "cut",
    "resampled",
    "extra_leads",
    "duplicate_lead",
    "negative_gain",
    "baseline_offset",
    "flat_lead",
    "saturated",
    "lead_off",
    "noise_marked",
    "untyped_waveform",
    "several_rhythms",
    "limb_leads_inconsistent",
    "implausible_amplitude",
)
"""What is noteworthy about a recording that was kept."""

RECORDS_SCHEMA = pl.Schema(
    {
        "row": pl.Int64(),
        "ecg_file": pl.String(),
        "source": pl.String(),
        "dialect": pl.String(),
        "acquired_at": pl.Datetime("ms"),
        "age_years": pl.Float32(),
        "sex": pl.String(),
        "device": pl.String(),
        "sampling_rate_hz": pl.Float64(),
        "num_samples": pl.Int32(),
        "num_leads_stored": pl.Int32(),
        "lsb_uv": pl.Float32(),
        "payload_hash": pl.UInt64(),
        **{name: pl.Int32() for name in MEASUREMENTS},
        **{f"original_{name}": pl.Int32() for name in MEASUREMENTS},
        **{name: pl.Boolean() for name in FLAGS},
    }
)
"""Columns of records.parquet, one row a recording; `statements` (list of strings) follows with --keep-statements."""

REJECTED_SCHEMA = pl.Schema({"source": pl.String, "ecg_file": pl.String, "kind": pl.String, "message": pl.String, "byte_offset": pl.Int64})
"""Columns of rejected.parquet, one row a file that is no recording."""


def read_records(folder: str | Path) -> pl.DataFrame:
    """Read records.parquet of a store.

    Raises:
        StoreError: The file is absent, cannot be read, or has other columns.
    """
    return _read(Path(folder) / "records.parquet", RECORDS_SCHEMA)


def read_record_parts(folder: str | Path) -> pl.DataFrame:
    """Read the records of the shards that are done, of a store that is not complete.

    Raises:
        StoreError: A part cannot be read, or has other columns.
    """
    parts = sorted((Path(folder) / "records").glob("part-*.parquet"))
    return pl.concat([_read(part, RECORDS_SCHEMA) for part in parts]) if parts else pl.DataFrame(schema=RECORDS_SCHEMA)


def read_rejected(folder: str | Path) -> pl.DataFrame:
    """Read rejected.parquet of a store.

    Raises:
        StoreError: The file is absent, cannot be read, or has other columns.
    """
    return _read(Path(folder) / "rejected.parquet", REJECTED_SCHEMA)


def _read(path: Path, schema: pl.Schema) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
    except FileNotFoundError:
        raise StoreError(f"`{path}` does not exist", hint="run the same `hfrisk-convert` command again to finish the store") from None
    except (OSError, pl.exceptions.ComputeError) as error:
        raise StoreError(f"`{path}` cannot be read: {error}", hint="convert again; the file on disk is damaged") from None
    for name, dtype in schema.items():
        found = frame.schema.get(name)
        if found != dtype:
            raise StoreError(f"`{path}`: column `{name}` is {found or 'absent'}, expected {dtype}", hint="convert again with this version")
    return frame
