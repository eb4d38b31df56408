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
    from hfrisk.omop.source import Source
    from hfrisk.omop.statements import Name

# I50.x, I11.0, I13.0 and I13.2 of ICD-10 and of KCD-7, which is built on it; the dot may be missing, and letters are compared in capitals.
SOURCE_CODES = r"^\s*(I50|I11\.?0|I13\.?[02])\.?[0-9]*\s*$"


@dataclass(frozen=True, slots=True)
class ConditionTable:
    """The site's condition table, and what its columns are called.

    Attributes:
        table: The table.
        visits: The table that tells the kind of a visit; None where the site has none, or the records do not name their visit.
        config: Names of the columns.
    """

    table: Table
    visits: Table | None
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


def condition_table(source: Source, config: OmopConfig) -> ConditionTable:
    """Find the condition table; `person_id`, `condition_concept_id` and `condition_start_date` are all that it must have.

    Raises:
        DatabaseError: The table or one of the three columns is not there.
    """
    keys = ("person_id_column", "condition_concept_id_column", "condition_start_date_column")
    columns = {getattr(config, key): f"omop.{key}" for key in keys}
    table = require_table(source, config.cdm_schema, config.condition_table, setting="omop.condition_table", columns=columns)
    visits = find_table(source, config.cdm_schema, config.visit_occurrence_table)
    is_linked = visits is not None and visits.columns.issuperset(("visit_occurrence_id", "visit_concept_id"))
    return ConditionTable(table, visits if is_linked and config.visit_occurrence_id_column in table.columns else None, config)


def outcome(source: Source, conditions: ConditionTable, concepts: ResolvedConceptSet) -> pl.DataFrame:
    """Tell for every person of the condition table whether any record, at any time, is heart failure.

    Returns:
        `person_id` Int64 and `hf_outcome` Int8 (0 or 1), ordered by person.
    """
    names = conditions.names()
    del names["condition_start_date"], names["visit_occurrence_id"]
    return source.frame("hf_outcome", _values(concepts), {"person_id": pl.Int64, "hf_outcome": pl.Int8}, **names)


def stream_conditions(source: Source, conditions: ConditionTable, concepts: ResolvedConceptSet) -> Iterator[pl.DataFrame]:
    """Yield every heart-failure record, ordered by person and date.

    Returns:
        Frames of `person_id` Int64, `condition_concept_id` Int64 (0: found by its source code), `condition_start_date` Date, where the
        table has it `visit_occurrence_id` Int64, and where the site tells the kind of a visit `visit_concept_id` Int64.
    """
    schema: dict[str, type[pl.DataType]] = dict.fromkeys(("person_id", "condition_concept_id"), pl.Int64)
    schema |= {"condition_start_date": pl.Date, "visit_occurrence_id": pl.Int64, "visit_concept_id": pl.Int64}
    names = conditions.names()
    query = "conditions"
    if conditions.visits is not None:
        query = "conditions_with_visits"
        names["visit"] = conditions.visits.path
    unknown = [] if conditions.visits is not None else ["visit_concept_id"] if conditions.has_visits else list(schema)[3:]
    for batch in source.stream(query, _values(concepts), schema, **names):
        yield batch.drop(unknown)


def _values(concepts: ResolvedConceptSet) -> dict[str, object]:
    return {"concept_ids": list(concepts.concept_ids), "source_codes": SOURCE_CODES}
