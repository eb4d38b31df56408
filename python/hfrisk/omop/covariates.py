"""Concept sets of the covariates: read, kept apart from heart failure, resolved; and their dated records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.config import PhenotypeConfig
from hfrisk.errors import DataError
from hfrisk.omop.catalog import find_table
from hfrisk.omop.concept_set import SHIPPED, read_entries, resolve
from hfrisk.omop.phenotype import condition_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hfrisk.config import CovariatesConfig, OmopConfig
    from hfrisk.omop.source import Source

_RECORD = {"person_id": pl.Int64, "concept_id": pl.Int64, "start_date": pl.Date}


@dataclass(frozen=True, slots=True)
class Covariates:
    """Concept sets whose ids are known.

    Attributes:
        names: Covariates, in the order of their file.
        concepts: Pairs `covariate`, `concept_id`.
        num_taken_out: Pairs left out because their concept is heart failure.
        resolved_by: `concept_ancestor` or `listed`.
    """

    names: tuple[str, ...]
    concepts: pl.DataFrame
    num_taken_out: int
    resolved_by: str


def resolve_covariates(source: Source, omop: OmopConfig, config: CovariatesConfig) -> Covariates:
    """Read the concept sets and find their ids; whatever belongs to heart failure is taken out of them.

    Hypertensive heart failure descends from hypertension and would otherwise make hypertension the label in disguise.

    Raises:
        DataError: The file cannot be read, a set is banned by its name or a concept's, or descendants cannot be listed.
    """
    entries = read_covariate_sets(config)
    table = find_table(source, omop.vocabulary_schema or omop.cdm_schema, omop.concept_ancestor_table)
    if table is None and config.descendants == "required":
        raise DataError(
            f"the database shows no `{omop.concept_ancestor_table}`, so the descendants of the covariates' concepts are unknown",
            hint='set `omop.vocabulary_schema`, or list every concept in `covariates.file` and set `covariates.descendants = "listed"`',
        )
    pairs = entries.select("covariate", "concept_id", "exclude")
    if table is not None:
        roots = entries.filter("include_descendants")
        schema = {"ancestor_concept_id": pl.Int64, "concept_id": pl.Int64}
        values = {"concept_ids": roots["concept_id"].unique().sort().to_list()}
        below = source.frame("descendants", values, schema, concept_ancestor=table.path)
        found = roots.join(below, left_on="concept_id", right_on="ancestor_concept_id")
        pairs = pl.concat([pairs, found.select("covariate", "exclude", concept_id="concept_id_right").select(pairs.columns)])
    wanted = pairs.filter(~pl.col("exclude")).join(pairs.filter("exclude"), on=["covariate", "concept_id"], how="anti")
    wanted = wanted.select("covariate", "concept_id").unique().sort("covariate", "concept_id")
    family = _heart_failure(source, omop)
    kept = wanted.filter(~pl.col("concept_id").is_in(family))
    names = tuple(entries["covariate"].unique(maintain_order=True).to_list())
    empty = [name for name in names if name not in set(kept["covariate"])]
    if empty:
        raise DataError(f"covariate `{empty[0]}` is nothing but heart failure", hint="take it out of `covariates.file`")
    return Covariates(names, kept, wanted.height - kept.height, "listed" if table is None else "concept_ancestor")


def read_covariate_sets(config: CovariatesConfig) -> pl.DataFrame:
    """Read the concept sets that ship with hfrisk, or those of `covariates.file`.

    Returns:
        `covariate`, `concept_id`, `concept_name`, `include_descendants`, `exclude`.

    Raises:
        DataError: The file cannot be read, or a set is banned and not allowed by name.
    """
    if config.file is not None:
        entries = read_entries(config.file, str(config.file), key="covariate", setting="covariates.file")
    else:
        with resources.as_file(resources.files("hfrisk.omop").joinpath("concepts", "covariates.csv")) as path:
            entries = read_entries(path, "covariates", key="covariate", setting="covariates.file")
    allowed = {name.strip() for name in config.allow_banned.split(",")}
    included = entries.filter(~pl.col("exclude"))
    for covariate, concept in included.select("covariate", "concept_name").iter_rows():
        for name, (group, why) in banned([covariate, concept or ""]).items():
            if group not in allowed:
                raise DataError(
                    f"covariate `{covariate}` is banned for `{name}`: {why}, so it tells the label",
                    hint=f'take it out of the concept sets, or set `covariates.allow_banned = "{group}"` if that is meant',
                )
    return entries


def banned(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Find names of features that are heart failure in disguise.

    Returns:
        For each such name the banned group and why it is banned.
    """
    text = resources.files("hfrisk.omop").joinpath("concepts", "banned.csv").read_bytes()
    groups = [(name, re.compile(pattern, re.IGNORECASE), why) for name, pattern, why in pl.read_csv(text).iter_rows()]
    found: dict[str, tuple[str, str]] = {}
    for feature in names:
        for group, pattern, why in groups:
            if pattern.search(feature):
                found.setdefault(feature, (group, why))
    return found


def stream_records(source: Source, omop: OmopConfig, covariates: Covariates, persons: pl.Series) -> Iterator[pl.DataFrame]:
    """Yield the dated records of the covariates' concepts: `person_id` Int64, `concept_id` Int64, `start_date` Date."""
    names = condition_table(source, omop).names()
    del names["condition_source_value"], names["visit_occurrence_id"]
    values = {"concept_ids": covariates.concepts["concept_id"].unique().sort().to_list(), "person_ids": persons.to_list()}
    yield from source.stream("covariate_conditions", values, _RECORD, **names)


def stream_visits(source: Source, omop: OmopConfig, persons: pl.Series) -> Iterator[pl.DataFrame] | None:
    """The days on which visits began: `person_id` Int64, `start_date` Date; None without such a table."""
    table = find_table(source, omop.cdm_schema, omop.visit_occurrence_table)
    if table is None or not table.columns.issuperset((omop.person_id_column, "visit_start_date")):
        return None
    schema = {"person_id": pl.Int64, "start_date": pl.Date}
    values = {"person_ids": persons.to_list()}
    return source.stream("covariate_visits", values, schema, visit=table.path, person_id=omop.person_id_column)


def _heart_failure(source: Source, omop: OmopConfig) -> list[int]:
    """Every concept of heart failure, those included that the outcome leaves out."""
    found = resolve(source, omop, PhenotypeConfig(concept_set=SHIPPED))
    return sorted({*found.concept_ids, *found.excluded_ids})
