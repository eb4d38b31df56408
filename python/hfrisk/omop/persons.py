"""Who is in the database, and from when to when it would know of an illness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.omop.catalog import Table, find_table

if TYPE_CHECKING:
    from hfrisk.config import OmopConfig
    from hfrisk.omop.source import Source
    from hfrisk.omop.statements import Name, Schema

PERSON: Schema = {
    "person_id": pl.Int64,
    "year_of_birth": pl.Int32,
    "month_of_birth": pl.Int32,
    "day_of_birth": pl.Int32,
    "gender_concept_id": pl.Int64,
}
PERIOD: Schema = {"person_id": pl.Int64, "start": pl.Date, "end": pl.Date}
LAST_VISIT: Schema = {"person_id": pl.Int64, "last_visit_date": pl.Date}
DEATH: Schema = {"person_id": pl.Int64, "death_date": pl.Date}


def persons(source: Source, config: OmopConfig) -> pl.DataFrame | None:
    """Everybody in the person table: `person_id` and `gender_concept_id` Int64, `year_of_birth`, `month_of_birth` and `day_of_birth` Int32.

    Returns:
        Ordered by person, a column that the site lacks null; None without such a table.
    """
    table = _table(source, config, config.person_table)
    if table is None:
        return None
    names: dict[str, Name] = {name: table.optional(name) for name in PERSON if name != "person_id"}
    return source.frame("persons", {}, PERSON, person=table.path, person_id=config.person_id_column, **names)


def observation_periods(source: Source, config: OmopConfig) -> pl.DataFrame | None:
    """Every period of observation: `person_id` Int64, `start` and `end` Date; None without such a table."""
    table = _table(source, config, config.observation_period_table, "observation_period_start_date", "observation_period_end_date")
    if table is None:
        return None
    return source.frame("observation_periods", {}, PERIOD, observation_period=table.path, person_id=config.person_id_column)


def last_visits(source: Source, config: OmopConfig) -> pl.DataFrame | None:
    """The day on which each person's last visit began: `person_id` Int64, `last_visit_date` Date; None without such a table."""
    table = _table(source, config, config.visit_occurrence_table, "visit_start_date")
    if table is None:
        return None
    return source.frame("last_visits", {}, LAST_VISIT, visit=table.path, person_id=config.person_id_column)


def deaths(source: Source, config: OmopConfig) -> pl.DataFrame | None:
    """When each person who died did so: `person_id` Int64, `death_date` Date; None without such a table."""
    table = _table(source, config, config.death_table, "death_date")
    if table is None:
        return None
    return source.frame("deaths", {}, DEATH, death=table.path, person_id=config.person_id_column)


def _table(source: Source, config: OmopConfig, name: str, *columns: str) -> Table | None:
    """The table when it is there with these columns."""
    table = find_table(source, config.cdm_schema, name)
    return table if table is not None and table.columns.issuperset((config.person_id_column, *columns)) else None
