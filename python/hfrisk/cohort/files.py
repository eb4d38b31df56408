"""`hfrisk cohort`: read the tables, build, write."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from hfrisk.cohort.build import Cohort, build
from hfrisk.cohort.split import check_disjoint
from hfrisk.cohort.split_file import SPLITS
from hfrisk.errors import DataError
from hfrisk.outputs import Outputs
from hfrisk.registry import metadata_files, read_registry
from hfrisk.run_folder import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hfrisk.config import StudyConfig

SCHEMA = 2
_LABELS_HINT = "run `hfrisk labels` first"
PERIODS = "observation_periods.parquet"


def run(config: StudyConfig) -> None:
    """Write the cohort and everything beside it into the study's data folder.

    labels.csv and labels_with_hf.csv are the original notebooks' files; cohort.parquet is what training reads; split.csv and split.json
    (its settings) can be given back as `split.file`; attrition.csv (see `attrition`; a report draws its flow from it) and cohort.json
    (settings, concepts, SQL, hashes, counts) say how it came about. The same inputs give the same bytes, but for `created_at` in
    cohort.json.

    Raises:
        DataError: An input is missing or cannot be used; see `build`.
    """
    inputs = input_files(config)
    tables = read_tables(config)
    cohort = build(**tables, config=config)
    num_rows = {
        name: table.height if isinstance(table, pl.DataFrame) else _height(table) for name, table in tables.items() if table is not None
    }
    _write(cohort, config, input_hashes(config), num_rows | {name: None for name in inputs if name not in tables})
    _summarise(cohort.frame)


def input_files(config: StudyConfig) -> dict[str, Path]:
    """The files that the cohort is made of, by name; the metadata files of the registry are not among them."""
    data = config.paths.data
    files = {
        "records": config.paths.store / "records.parquet",
        "conditions": data / "conditions.parquet",
        "persons": data / "persons.parquet",
        "outcome": data / "hf_outcome.csv",
    }
    optional = {"periods": data / PERIODS, "concept_set": data / "concept_set.json", "split_file": config.split.file}
    return files | {name: path for name, path in optional.items() if path is not None and path.exists()}


def input_hashes(config: StudyConfig) -> dict[str, str]:
    """SHA-256 of every input; of the registry, which is many files, that of their hashes, one a line, in the order of their names."""
    hashes = {name: sha256_of(path) for name, path in input_files(config).items()}
    yearly = "\n".join(sha256_of(path) for path in metadata_files(config.paths.registry))
    return hashes | {"registry": hashlib.sha256(yearly.encode("ascii")).hexdigest()}


def read_tables(config: StudyConfig) -> dict[str, Any]:
    """Read what `build` takes; the conditions, which are many, lazily.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    files = input_files(config)
    columns = [config.split.column] if config.split.method == "group" else []
    _read_schema(files["conditions"])
    return {
        "records": _read(files["records"], hint="run `hfrisk-convert` first, and set `paths.store` to its OUT"),
        "conditions": pl.scan_parquet(files["conditions"]),
        **{name: _read(files[name], hint=_LABELS_HINT) for name in ("persons", "outcome")},
        "periods": _read(files["periods"], hint=_LABELS_HINT) if "periods" in files else None,
        "registry": read_registry(config.paths.registry, columns=columns),
    }


def read_cohort(path: Path, *, check: bool = True) -> pl.DataFrame:
    """Read cohort.parquet, and refuse one in which a person or a signal is in two splits.

    Args:
        path: The file.
        check: False leaves that to the caller.

    Raises:
        DataError: The file is missing or damaged, or its splits are not disjoint.
    """
    frame = _read(path, hint="run `hfrisk cohort` first")
    if check:
        check_disjoint(frame)
    return frame


def settings_of(config: StudyConfig) -> dict[str, Any]:
    """What decides labels and splits, as plain values; where the split file lies is no setting, its hash stands among the inputs."""
    split = {key: value for key, value in dataclasses.asdict(config.split).items() if key != "file"}
    plain: dict[str, Any] = json.loads(json.dumps({"cohort": dataclasses.asdict(config.cohort), "split": split}))
    return plain


def _write(cohort: Cohort, config: StudyConfig, hashes: dict[str, str], num_rows: dict[str, int | None]) -> None:
    with Outputs(config.paths.data) as outputs:
        cohort.labels.write_csv(outputs.path("labels.csv"))
        cohort.labels_with_hf.write_csv(outputs.path("labels_with_hf.csv"))
        cohort.attrition.write_csv(outputs.path("attrition.csv"))
        cohort.splits.write_csv(outputs.path("split.csv"))
        cohort.frame.write_parquet(outputs.path("cohort.parquet"))
        settings = settings_of(config)
        counts = dict(cohort.splits["split"].value_counts().sort("split").iter_rows())
        _write_json(outputs.path("split.json"), {"schema": SCHEMA, "settings": settings["split"], "num_persons": counts})
        provenance = {
            "schema": SCHEMA,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "hfrisk": version("hfrisk"),
            "settings": settings,
            "inputs": {name: {"sha256": digest, "num_rows": num_rows.get(name)} for name, digest in hashes.items()},
            "split_file": _read_json(config.split.file.with_suffix(".json")) if config.split.file else None,
            "concept_set": _read_json(config.paths.data / "concept_set.json"),
            "database": _read_json(config.paths.data / "labels_provenance.json"),
            "counts": _counts(cohort.frame),
            "reasons": dict(cohort.frame["reason"].value_counts().sort("reason").iter_rows()),
        }
        _write_json(outputs.path("cohort.json"), provenance)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:  # noqa: ANN401
    """What a file beside the inputs tells of them; None without it."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"`{path}` is not JSON: {error}", hint=_LABELS_HINT) from None


def _counts(frame: pl.DataFrame) -> dict[str, dict[str, int]]:
    """ECGs, persons and positives of every split, of what is labelled."""
    labelled = frame.drop_nulls("y")
    counts = {}
    for split in SPLITS:
        part = labelled.filter(pl.col("split") == split)
        counts[split] = {
            "num_ecgs": part.height,
            "num_persons": part["person_id"].n_unique(),
            "num_positive_ecgs": int(part["y"].cast(pl.Int64).sum()),
        }
    return counts


def _summarise(frame: pl.DataFrame) -> None:
    labelled = frame.drop_nulls("y")
    num_positive = int(labelled["y"].cast(pl.Int64).sum())
    print(
        f"{labelled.height:,} of {frame.height:,} ECGs are labelled, of {labelled['person_id'].n_unique():,} persons: "
        f"{num_positive:,} positive ({num_positive / labelled.height:.1%})",
        file=sys.stderr,
    )
    for split, count in _counts(frame).items():
        print(
            f"  {split}: {count['num_ecgs']:,} ECGs of {count['num_persons']:,} persons, {count['num_positive_ecgs']:,} positive",
            file=sys.stderr,
        )
    if labelled.height < frame.height:
        print("hint: attrition.csv says why the others are not", file=sys.stderr)


def _height(table: pl.LazyFrame) -> int:
    return int(table.select(pl.len()).collect().item())


def _read(path: Path, *, hint: str) -> pl.DataFrame:
    with _named_errors(path, hint=hint):
        return pl.read_csv(path, infer_schema_length=None) if path.suffix == ".csv" else pl.read_parquet(path)


def _read_schema(path: Path) -> None:
    """Refuse a file that cannot be scanned, before anything is computed."""
    with _named_errors(path, hint=_LABELS_HINT):
        pl.read_parquet_schema(path)


@contextlib.contextmanager
def _named_errors(path: Path, *, hint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read `{path}`: {error.strerror or 'No such file or directory'}", hint=hint) from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"`{path}` is damaged: {str(error).splitlines()[0]}", hint=hint) from None
