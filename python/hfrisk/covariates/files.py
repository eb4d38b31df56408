"""`hfrisk covariates`: read the cohort's persons from the database, build, write."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from hfrisk import person_id
from hfrisk.covariates.build import History, build
from hfrisk.errors import ConfigError, DataError
from hfrisk.omop.covariates import resolve_covariates, stream_records, stream_visits
from hfrisk.omop.provenance import provenance
from hfrisk.omop.source import read_source
from hfrisk.outputs import Outputs
from hfrisk.records import read_records
from hfrisk.run_folder import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hfrisk.config import StudyConfig
    from hfrisk.omop.source import Source

PROVENANCE = "covariates.json"
_COLUMNS = ("row", "ecg_file", "person_id", "index_date")


def run(config: StudyConfig) -> None:
    """Write one row an ECG of the cohort to `paths.tabular`, or to covariates.parquet in the data folder, and covariates.json beside it.

    Raises:
        ConfigError: The output has another ending than .csv and .parquet, or is a file that hfrisk did not write.
        DatabaseError: The database cannot be reached or does not show what is needed.
        DataError: The cohort is missing, or the concept sets cannot be used.
    """
    target = config.paths.tabular or config.paths.data / "covariates.parquet"
    _check_target(target)
    ecgs = _read(config.paths.data / "cohort.parquet", "hfrisk cohort").select(_COLUMNS)
    ecgs = ecgs.with_columns(person_id.canonical(ecgs["person_id"]))
    if ecgs["person_id"].dtype != pl.Int64:
        raise DataError("the cohort's person ids are text, and the database's are numbers", hint="is `nid` the database's person_id?")
    records = read_records(config.paths.store)
    read_source(config.omop, lambda source: _write(source, config, target, ecgs, records))


def _write(source: Source, config: StudyConfig, target: Path, ecgs: pl.DataFrame, records: pl.DataFrame) -> None:
    persons = _read(config.paths.data / "persons.parquet", "hfrisk labels")
    periods = config.paths.data / "observation_periods.parquet"
    wanted = ecgs["person_id"].drop_nulls().unique().sort()
    covariates = resolve_covariates(source, config.omop, config.covariates)
    if covariates.resolved_by == "listed":
        print("note: no `concept_ancestor`, so covariates count the listed concepts alone, without their descendants", file=sys.stderr)
    with Outputs(target.parent) as outputs, tempfile.TemporaryDirectory(prefix=".hfrisk-covariates-", dir=target.parent) as folder:
        visits = stream_visits(source, config.omop, wanted)
        history = History(
            persons=persons,
            periods=_read(periods, "hfrisk labels") if periods.exists() else None,
            conditions=_spill(stream_records(source, config.omop, covariates, wanted), Path(folder) / "conditions.parquet", "concept_id"),
            visits=None if visits is None else _spill(visits, Path(folder) / "visits.parquet"),
            concepts=covariates.concepts,
            names=covariates.names,
        )
        frame = build(ecgs, records, history, config.covariates)
        temporary = outputs.path(target.name)
        if target.suffix == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary)
        said = {
            "output": target.name,
            "sha256": sha256_of(temporary),
            "settings": {name: str(v) if isinstance(v, Path) else v for name, v in dataclasses.asdict(config.covariates).items()},
            "resolved_by": covariates.resolved_by,
            "num_heart_failure_concepts_taken_out": covariates.num_taken_out,
            "concept_ids": dict(covariates.concepts.group_by("covariate", maintain_order=True).agg("concept_id").iter_rows()),
            **provenance(source),
        }
        outputs.path(PROVENANCE).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    _summarise(frame, target)


def _check_target(target: Path) -> None:
    """Refuse to write over a table that somebody gave."""
    if target.suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"`paths.tabular` is `{target}`: no table format `{target.suffix}`", hint="end the name in .csv or .parquet")
    if not target.exists():
        return
    said: dict[str, Any] = {}
    with contextlib.suppress(OSError, json.JSONDecodeError):
        said = json.loads((target.parent / PROVENANCE).read_text(encoding="utf-8"))
    if said.get("output") != target.name:
        raise ConfigError(
            f"`{target}` is there, and `hfrisk covariates` did not write it",
            hint='name another file: `paths.tabular = "data/covariates.parquet"`, which training then reads',
        )


def _spill(batches: Iterable[pl.DataFrame], path: Path, *more: str) -> pl.LazyFrame:
    """Keep batches on disk, so that memory holds one at a time."""
    schema = {"person_id": pl.Int64, **dict.fromkeys(more, pl.Int64), "start_date": pl.Date}
    with pq.ParquetWriter(path, pl.DataFrame(schema=schema).to_arrow().schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(batch.to_arrow())
    return pl.scan_parquet(path)


def _read(path: Path, command: str) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise DataError(f"no `{path}`", hint=f"run `{command}` first") from None
    except pl.exceptions.PolarsError:
        raise DataError(f"`{path}` is not a Parquet file", hint=f"run `{command}` again") from None


def _summarise(frame: pl.DataFrame, target: Path) -> None:
    missing = f", {int(frame['history_missing'].sum()):,} of them without prior history" if "history_missing" in frame.columns else ""
    print(f"{frame.height:,} ECGs{missing}, {frame.width - 3} features -> {target}", file=sys.stderr)
