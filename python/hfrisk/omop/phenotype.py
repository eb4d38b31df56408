"""Heart failure in the condition table: who ever has it, and every dated record of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.omop.catalog import Table, find_table, require_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hfrisk.config import OmopConfig
    from hfrisk.omop.concept_set import ResolvedConceptSet
    from hfrisk.omop.connection import Database, Name

# I50.x, I11.0, I13.0 and I13.2 of ICD-10 and of KCD-7, which is built on it; the dot may be missing.
SOURCE_CODES = r"^\s*(I50|I11\.?0|I13\.?[02])\.?[0-9]*\s*$"


@dataclass(frozen=True, slots=True)
class ConditionTable:
    """The site's condition table, and what its columns are called."""

    table: Table
    config: OmopConfig

    @property
    def has_source_values(self) -> bool:
        """Whether records without a standard concept can be looked up by their code."""
        return self.config.condition_source_value_column in self.table.columns

    @property
    def has_visits(self) -> bool:
        """Whether records say in which visit they were made."""
        return self.config.visit_occurrence_id_column in self.table.columns

    def names(self) -> dict[str, Name]:
        """Every name that the queries of this module use."""
        return {
            "condition": self.table.path,
            "person_id": self.config.person_id_column,
            "condition_concept_id": self.config.condition_concept_id_column,
            "condition_start_date": self.config.condition_start_date_column,
            "condition_source_value": self.table.optional(self.config.condition_source_value_column),
            "visit_occurrence_id": self.table.optional(self.config.visit_occurrence_id_column),
        }


def condition_table(database: Database, config: OmopConfig) -> ConditionTable:
    """Find the condition table; `person_id`, `condition_concept_id` and `condition_start_date` are all that it must have.

    Raises:
        DatabaseError: The table or one of the three columns is not there.
    """
    keys = ("person_id_column", "condition_concept_id_column", "condition_start_date_column")
    columns = {getattr(config, key): f"omop.{key}" for key in keys}
    table = require_table(database, config.cdm_schema, config.condition_table, setting="omop.condition_table", columns=columns)
    return ConditionTable(table, config)


def outcome(database: Database, conditions: ConditionTable, concepts: ResolvedConceptSet) -> pl.DataFrame:
    """Tell for every person of the condition table whether any record, at any time, is heart failure.

    Returns:
        `person_id` Int64 and `hf_outcome` Int8 (0 or 1), ordered by person.
    """
    names = conditions.names()
    del names["condition_start_date"], names["visit_occurrence_id"]
    return database.frame("hf_outcome", _values(concepts), {"person_id": pl.Int64, "hf_outcome": pl.Int8}, **names)


def stream_conditions(database: Database, conditions: ConditionTable, concepts: ResolvedConceptSet) -> Iterator[pl.DataFrame]:
    """Yield every heart-failure record, ordered by person and date.

    Returns:
        Frames of `person_id` Int64, `condition_concept_id` Int64 (0: found by its source code), `condition_start_date` Date, and
        `visit_occurrence_id` Int64 where the table has it.
    """
    schema = {"person_id": pl.Int64, "condition_concept_id": pl.Int64, "condition_start_date": pl.Date, "visit_occurrence_id": pl.Int64}
    for batch in database.stream("conditions", _values(concepts), schema, **conditions.names()):
        yield batch if conditions.has_visits else batch.drop("visit_occurrence_id")


def persons(database: Database, config: OmopConfig) -> pl.DataFrame | None:
    """Everybody in the person table: `person_id` Int64, `year_of_birth` Int32, `gender_concept_id` Int64; None without such a table."""
    table = find_table(database, config.cdm_schema, config.person_table)
    if table is None or config.person_id_column not in table.columns:
        return None
    schema = {"person_id": pl.Int64, "year_of_birth": pl.Int32, "gender_concept_id": pl.Int64}
    names: dict[str, Name] = {name: table.optional(name) for name in ("year_of_birth", "gender_concept_id")}
    return database.frame("persons", {}, schema, person=table.path, person_id=config.person_id_column, **names)


def observation(database: Database, config: OmopConfig) -> pl.DataFrame | None:
    """First and last day under observation: `person_id` Int64, `observation_start` and `observation_end` Date; None when unknown."""
    table = find_table(database, config.cdm_schema, config.observation_period_table)
    dates = ("observation_period_start_date", "observation_period_end_date")
    if table is None or not table.columns.issuperset((config.person_id_column, *dates)):
        return None
    schema = {"person_id": pl.Int64, "observation_start": pl.Date, "observation_end": pl.Date}
    return database.frame("observation", {}, schema, observation_period=table.path, person_id=config.person_id_column)


def _values(concepts: ResolvedConceptSet) -> dict[str, object]:
    return {"concept_ids": list(concepts.concept_ids), "source_codes": SOURCE_CODES}
