"""Concept sets: read from CSV, resolved to ids, and checked against the site's vocabulary before any label is made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import polars as pl

from hfrisk.config import PhenotypeConfig
from hfrisk.errors import ConfigError, DataError
from hfrisk.omop.catalog import find_table

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import OmopConfig
    from hfrisk.omop.source import Source

HEART_FAILURE = 316139
SHIPPED = "heart_failure"
_ALIASES = {"id": "concept_id", "name": "concept_name", "descendants": "include_descendants", "excluded": "exclude"}
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


@dataclass(frozen=True, slots=True)
class ConceptSet:
    """Concepts as a person lists them.

    Attributes:
        name: Name of a set that ships with hfrisk, or the path of a CSV.
        shipped: Whether it ships with hfrisk.
        entries: `concept_id` Int64, `concept_name` String (null when not given), `include_descendants` and `exclude` Boolean.
    """

    name: str
    shipped: bool
    entries: pl.DataFrame


@dataclass(frozen=True, slots=True)
class ResolvedConceptSet:
    """The ids that make the outcome, and how they were found.

    Attributes:
        concept_set: What was asked for.
        concept_ids: Every id, descendants included and exclusions taken out, ascending.
        resolved_by: `concept_ancestor`, or `snapshot` for the list of descendants that ships with hfrisk.
        notes: What a reader of the labels should know, one sentence each.
        excluded_ids: Every id that an excluding entry takes out, descendants included.
    """

    concept_set: ConceptSet
    concept_ids: tuple[int, ...]
    resolved_by: str
    notes: tuple[str, ...]
    excluded_ids: tuple[int, ...] = ()

    def frozen(self) -> dict[str, Any]:
        """Everything as plain values for concept_set.json, with a SHA-256 over the ids, one a line."""
        text = "\n".join(map(str, self.concept_ids))
        return {
            "name": self.concept_set.name,
            "entries": self.concept_set.entries.to_dicts(),
            "resolved_by": self.resolved_by,
            "concept_ids": list(self.concept_ids),
            "sha256": hashlib.sha256(text.encode("ascii")).hexdigest(),
            "notes": list(self.notes),
        }


def read_concept_set(config: PhenotypeConfig) -> ConceptSet:
    """Read the CSV that `phenotype.file` names, else the set of that name that ships with hfrisk.

    A CSV needs `concept_id`; `concept_name`, `include_descendants` and `exclude` (1 or 0) may be left out.

    Raises:
        ConfigError: No set of that name ships with hfrisk.
        DataError: The file cannot be read, lacks `concept_id`, or holds a value of another kind.
    """
    if config.file is not None:
        return ConceptSet(str(config.file), shipped=False, entries=read_entries(config.file, str(config.file)))
    folder = resources.files("hfrisk.omop").joinpath("concepts")
    known = sorted(
        item.name.removesuffix(".csv")
        for item in folder.iterdir()
        if item.name.startswith(SHIPPED) and not item.name.endswith("_snapshot.csv")
    )
    if config.concept_set not in known:
        raise ConfigError(
            f"no concept set `{config.concept_set}` ships with hfrisk",
            hint=f"there is {', '.join(f'`{name}`' for name in known)}; name a CSV of your own in `phenotype.file`",
        )
    with resources.as_file(folder.joinpath(f"{config.concept_set}.csv")) as path:
        return ConceptSet(config.concept_set, shipped=True, entries=read_entries(path, config.concept_set))


def resolve(source: Source, omop: OmopConfig, phenotype: PhenotypeConfig) -> ResolvedConceptSet:
    """Find the ids of the study's concept set and check them against what the site shows of the vocabulary.

    Raises:
        DataError: A concept of the user's own set does not exist, is not standard, is not a condition, lies outside heart failure or
            cannot be checked (unless `phenotype.check` is `warn`); or descendants are wanted that nobody can list.
    """
    concept_set = read_concept_set(phenotype)
    descendants, resolved_by = _descendants(source, omop, concept_set)
    problems, notes = _check(source, omop, concept_set, descendants)
    if problems and not concept_set.shipped and phenotype.check == "strict":
        raise DataError(
            f"concept set `{concept_set.name}`: {'; '.join(problems)}",
            hint='correct the file, or set `phenotype.check = "warn"` if these concepts are meant',
        )
    entries = concept_set.entries
    with_descendants = entries.filter("include_descendants").join(descendants, left_on="concept_id", right_on="ancestor_concept_id")
    ids = pl.concat([entries.select("concept_id", "exclude"), with_descendants.select(concept_id="concept_id_right", exclude="exclude")])
    kept = ids.filter(~pl.col("exclude")).join(ids.filter("exclude"), on="concept_id", how="anti")
    concept_ids = tuple(kept["concept_id"].unique().sort().to_list())
    if not concept_ids:
        raise DataError(f"concept set `{concept_set.name}` includes no concept", hint="at least one row needs `exclude` 0")
    excluded = tuple(ids.filter("exclude")["concept_id"].unique().sort().to_list())
    return ResolvedConceptSet(concept_set, concept_ids, resolved_by, (*notes, *problems), excluded)


def read_entries(path: Path, name: str, *, key: str | None = None, setting: str = "phenotype.file") -> pl.DataFrame:
    """Read a CSV of concepts, whose columns may also be called as ATLAS exports them (`Id`, `Name`, `Exclude`, `Descendants`).

    Args:
        path: The file.
        name: What messages call it.
        key: A further column of text that must be there and filled.
        setting: Key of the study file that names the file.

    Returns:
        The key, `concept_id`, `concept_name` (null when not given), `include_descendants` and `exclude`.

    Raises:
        DataError: The file cannot be read, lacks a column, or holds a value of another kind.
    """
    try:
        table = pl.read_csv(path.read_bytes(), infer_schema=False)
    except OSError as error:
        raise DataError(f"cannot read the concept set `{name}`: {error.strerror}", hint=f"check `{setting}`") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"concept set `{name}` is not a CSV table: {str(error).splitlines()[0]}", hint="its first row names columns"
        ) from None
    plain = {column: column.strip().lower().replace(" ", "_") for column in table.columns}
    table = table.rename({column: _ALIASES.get(name, name) for column, name in plain.items()})
    for wanted in filter(None, ("concept_id", key)):
        if wanted not in table.columns:
            present = ", ".join(f"`{column}`" for column in plain)
            raise DataError(f"concept set `{name}` has no column `{wanted}`", hint=f"its columns are {present}")
    text = {column: table[column].fill_null("").str.strip_chars() for column in table.columns}
    flags = {}
    for column in ("include_descendants", "exclude"):
        values = text.get(column, pl.Series(column, [""]).new_from_index(0, table.height)).str.to_lowercase()
        if not values.is_in(list(_FLAGS)).all():
            raise DataError(f"concept set `{name}`: `{column}` holds a value that is neither 1 nor 0", hint="write 1 or 0")
        flags[column] = values.replace_strict(_FLAGS, return_dtype=pl.Boolean)
    ids = text["concept_id"].cast(pl.Int64, strict=False)
    if ids.has_nulls():
        raise DataError(f"concept set `{name}`: {ids.null_count()} `concept_id` are not whole numbers", hint="one OMOP concept id a row")
    names = text.get("concept_name", pl.Series([""]).new_from_index(0, table.height))
    if key is not None and (text[key] == "").any():
        raise DataError(f"concept set `{name}`: `{key}` is empty in {(text[key] == '').sum()} rows", hint="every row belongs to one")
    keys = {} if key is None else {key: text[key]}
    return pl.DataFrame({**keys, "concept_id": ids, "concept_name": names.replace("", None), **flags})


def _descendants(source: Source, omop: OmopConfig, concept_set: ConceptSet) -> tuple[pl.DataFrame, str]:
    """Pairs `ancestor_concept_id`, `concept_id` for the set and for heart failure, and where they come from."""
    roots = concept_set.entries.filter("include_descendants")["concept_id"].to_list()
    table = find_table(source, omop.vocabulary_schema or omop.cdm_schema, omop.concept_ancestor_table)
    if table is not None:
        schema = {"ancestor_concept_id": pl.Int64, "concept_id": pl.Int64}
        values = {"concept_ids": sorted({*roots, *_snapshot()["ancestor_concept_id"]})}
        pairs = source.frame("descendants", values, schema, concept_ancestor=table.path)
        # A vocabulary cut down to other concepts would otherwise resolve heart failure to one id in silence.
        if (pairs["ancestor_concept_id"] == HEART_FAILURE).any():
            return pairs, "concept_ancestor"
    unknown = sorted(set(roots) - set(_snapshot()["ancestor_concept_id"]))
    if unknown:
        raise DataError(
            f"concept set `{concept_set.name}` wants the descendants of {', '.join(map(str, unknown))}, and the database shows no usable "
            f"`{omop.concept_ancestor_table}`",
            hint="set `omop.vocabulary_schema`, or list the descendants themselves with `include_descendants` 0",
        )
    return _snapshot().select("ancestor_concept_id", "concept_id"), "snapshot"


def _check(source: Source, omop: OmopConfig, concept_set: ConceptSet, descendants: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Problems of the set's entries, and remarks that never stop a run."""
    roots = read_concept_set(PhenotypeConfig(concept_set=SHIPPED)).entries.filter(~pl.col("exclude"))["concept_id"]
    family = {*roots, *descendants.filter(pl.col("ancestor_concept_id").is_in(roots.implode()))["concept_id"]}
    ids = concept_set.entries["concept_id"].to_list()
    facts = _vocabulary(source, omop, [*ids, HEART_FAILURE])
    complete = HEART_FAILURE in facts
    problems, notes = [], []
    if not complete:
        notes.append(
            "the database shows no vocabulary with heart failure in it, so concept ids were checked against hfrisk's own list only"
        )
    for entry in concept_set.entries.iter_rows(named=True):
        concept_id, fact = entry["concept_id"], facts.get(entry["concept_id"])
        name = f"{concept_id} is `{fact['concept_name']}`" if fact else f"{concept_id}"
        if fact is None and complete:
            problems.append(f"{concept_id} does not exist in the vocabulary")
            continue
        if fact and fact["domain_id"] != "Condition":
            problems.append(f"{name}, not a condition but of domain `{fact['domain_id']}`")
        elif not entry["exclude"] and concept_id not in family:
            problems.append(f"{name}, outside heart failure" if fact else f"{name} is none of the heart-failure concepts known to hfrisk")
        elif fact and fact["standard_concept"] != "S":
            problems.append(f"{name}, not a standard concept")
        if fact and entry["concept_name"] and fact["concept_name"].casefold() != entry["concept_name"].casefold():
            notes.append(f"{name}, while concept set `{concept_set.name}` calls it `{entry['concept_name']}`")
    return problems, notes


def _vocabulary(source: Source, omop: OmopConfig, ids: list[int]) -> dict[int, dict[str, Any]]:
    table = find_table(source, omop.vocabulary_schema or omop.cdm_schema, omop.concept_table)
    if table is None:
        return {}
    schema = {"concept_id": pl.Int64, "concept_name": pl.String, "domain_id": pl.String, "standard_concept": pl.String}
    found = source.frame("concepts", {"concept_ids": ids}, schema, concept=table.path)
    return {row["concept_id"]: row for row in found.iter_rows(named=True)}


def _snapshot() -> pl.DataFrame:
    text = resources.files("hfrisk.omop").joinpath("concepts", f"{SHIPPED}_snapshot.csv").read_bytes()
    return pl.read_csv(text, schema_overrides={"ancestor_concept_id": pl.Int64, "concept_id": pl.Int64})
