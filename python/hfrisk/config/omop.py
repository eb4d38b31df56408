"""`[omop]` and `[phenotype]`: the database, and what counts as heart failure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - load_config resolves annotations at run time
from typing import Literal

from hfrisk.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class OmopConfig:
    """How to reach the OMOP CDM. A password never stands here: use PGPASSWORD, PGPASSFILE or a service file."""

    source: Literal["postgres", "files", "duckdb"] = "postgres"
    """`files`: a folder of exported tables, CSV or Parquet. `duckdb`: a DuckDB database, opened read-only."""
    path: Path | None = None
    """The folder, or the database."""
    dsn: str = ""
    """libpq connection string without a password; empty takes HFRISK_DSN, then libpq's own environment (PGHOST, PGSERVICE, ...)."""
    cdm_schema: str = "cdm_public"
    vocabulary_schema: str = ""
    """Schema of `concept` and `concept_ancestor`; empty means `cdm_schema`."""
    condition_table: str = "condition_occurrence_v"
    person_table: str = "person_v"
    observation_period_table: str = "observation_period_v"
    visit_occurrence_table: str = "visit_occurrence_v"
    death_table: str = "death_v"
    concept_table: str = "concept"
    concept_ancestor_table: str = "concept_ancestor"
    person_id_column: str = "person_id"
    condition_concept_id_column: str = "condition_concept_id"
    condition_start_date_column: str = "condition_start_date"
    condition_source_value_column: str = "condition_source_value"
    """Where it exists, records without a standard concept (concept 0) count by their ICD-10 or KCD code."""
    visit_occurrence_id_column: str = "visit_occurrence_id"
    sslmode: Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = ""
    """How the connection is encrypted, as libpq has it; empty leaves it to the DSN and to PGSSLMODE."""
    statement_timeout_s: int = 3600
    retries: int = 3
    """How often everything is read again from the start after the connection was lost."""
    retry_wait_s: float = 2.0
    """Seconds before the first of these; each later one waits twice as long as the one before, at most a minute."""

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        for name in ("statement_timeout_s", "retries", "retry_wait_s"):
            if getattr(self, name) < 0:
                raise ConfigError(f"`omop.{name}` is {getattr(self, name)}, expected 0 or more", hint="0 switches it off")


@dataclass(frozen=True, kw_only=True, slots=True)
class PhenotypeConfig:
    """What counts as heart failure."""

    concept_set: str = "heart_failure"
    """Name of a concept set that ships with hfrisk."""
    file: Path | None = None
    """CSV of a concept set of your own (concept_id, concept_name, include_descendants, exclude) that decides instead."""
    check: Literal["strict", "warn"] = "strict"
    """What happens when a concept of that CSV is not a standard condition inside heart failure: the run stops, or it says so."""
