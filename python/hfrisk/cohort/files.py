"""`hfrisk cohort`: read the tables, build, write."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.cohort.build import Cohort, build
from hfrisk.cohort.split import SPLITS
from hfrisk.errors import DataError
from hfrisk.outputs import Outputs
from hfrisk.registry import metadata_files, read_registry

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import StudyConfig

SCHEMA = 1
_LABELS_HINT = "run `hfrisk labels` first"


def run(config: StudyConfig) -> None:
    """Write the cohort and everything beside it into the study's data folder.

    labels.csv and labels_with_hf.csv are the original notebooks' files; cohort.parquet is what training reads; split.csv, attrition.csv
    and cohort.json (settings, hashes, counts) say how it came about. The same inputs give the same bytes.

    Raises:
        DataError: An input is missing or cannot be used; see `build`.
    """
    data = config.paths.data
    inputs = {
        "records": config.paths.store / "records.parquet",
        "conditions": data / "conditions.parquet",
        "persons": data / "persons.parquet",
        "outcome": data / "hf_outcome.csv",
    }
    tables = {
        "records": _read(inputs["records"], hint="run `hfrisk-convert` first, and set `paths.store` to its OUT"),
        **{name: _read(inputs[name], hint=_LABELS_HINT) for name in ("conditions", "persons", "outcome")},
        "registry": read_registry(config.paths.registry),
    }
    cohort = build(**tables, config=config)
    hashes = {name: _sha256(path) for name, path in inputs.items()}
    # Of many files: the hash over their hashes, one a line, in the order of their names.
    yearly = "\n".join(_sha256(path) for path in metadata_files(config.paths.registry))
    hashes["registry"] = hashlib.sha256(yearly.encode("ascii")).hexdigest()
    for name, path in (("concept_set", data / "concept_set.json"), ("split_file", config.split.file)):
        if path is not None and path.exists():
            hashes[name] = _sha256(path)
    _write(cohort, config, hashes, {name: table.height for name, table in tables.items()})
    _summarise(cohort.frame)


def _write(cohort: Cohort, config: StudyConfig, hashes: dict[str, str], num_rows: dict[str, int]) -> None:
    with Outputs(config.paths.data) as outputs:
        cohort.labels.write_csv(outputs.path("labels.csv"))
        cohort.labels_with_hf.write_csv(outputs.path("labels_with_hf.csv"))
        cohort.attrition.write_csv(outputs.path("attrition.csv"))
        splits = cohort.frame.select("person_id", "split").drop_nulls("person_id").unique().sort("person_id")
        splits.write_csv(outputs.path("split.csv"))
        cohort.frame.write_parquet(outputs.path("cohort.parquet"))
        split = {key: value for key, value in dataclasses.asdict(config.split).items() if key != "file"}
        provenance = {
            "schema": SCHEMA,
            "settings": {"cohort": dataclasses.asdict(config.cohort), "split": split},
            "inputs": {name: {"sha256": digest, "num_rows": num_rows.get(name)} for name, digest in hashes.items()},
            "counts": _counts(cohort.frame),
            "reasons": dict(cohort.frame["reason"].value_counts().sort("reason").iter_rows()),
        }
        outputs.path("cohort.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")


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


def _read(path: Path, *, hint: str) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema_length=None) if path.suffix == ".csv" else pl.read_parquet(path)
    except OSError as error:
        raise DataError(f"cannot read `{path}`: {error.strerror or 'No such file or directory'}", hint=hint) from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"`{path}` is damaged: {str(error).splitlines()[0]}", hint=hint) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
