"""Which tables and columns a site shows, and what to say when one is missing."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hfrisk.omop.connection import Database

NUM_NAMED = 12


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view that exists, and its columns that this user may read."""

    schema: str
    name: str
    columns: frozenset[str]

    @property
    def path(self) -> tuple[str, str]:
        """Schema and name, as `psycopg2.sql.Identifier` wants them."""
        return self.schema, self.name

    def optional(self, column: str) -> str | None:
        """The column's name when it is there."""
        return column if column in self.columns else None


def find_table(database: Database, schema: str, name: str) -> Table | None:
    """Look for a table that a study can do without: under its name, else with `_v` taken away or added; None when there is none."""
    twin = name.removesuffix("_v") if name.endswith("_v") else f"{name}_v"
    for candidate in (name, twin):
        if columns := _columns(database, schema, candidate):
            return Table(schema, candidate, frozenset(columns))
    return None


def require_table(database: Database, schema: str, name: str, *, setting: str, columns: Mapping[str, str]) -> Table:
    """Find a table that a study cannot do without.

    Args:
        database: Where to look.
        schema: The schema's name.
        name: The table's or view's name.
        setting: Key of the study file that names the table.
        columns: Columns that must be there, each with the key that names it.

    Raises:
        DatabaseError: The schema, the table or a column is not there or may not be read; what is there is named.
    """
    found = _columns(database, schema, name)
    if not found:
        raise _missing_table(database, schema, name, setting)
    for column, key in columns.items():
        if column not in found:
            raise DatabaseError(
                f"`{schema}.{name}` has no column `{column}`", hint=f"set `{key}`; its columns are {_listed(found, like=column)}"
            )
    return Table(schema, name, frozenset(found))


def _missing_table(database: Database, schema: str, name: str, setting: str) -> DatabaseError:
    tables = database.frame("tables", {"schema": schema}, {"name": pl.String})["name"].to_list()
    if name in tables:
        return DatabaseError(f"`{schema}.{name}` is there but may not be read", hint="ask the database's administrator for SELECT on it")
    if tables:
        return DatabaseError(f"no table or view `{schema}.{name}`", hint=f"set `{setting}`; `{schema}` has {_listed(tables, like=name)}")
    schemas = database.frame("schemas", {}, {"name": pl.String})["name"].to_list()
    return DatabaseError(
        f"no schema `{schema}` with tables in it", hint=f"set `omop.cdm_schema`; the database has {_listed(schemas, like=schema)}"
    )


def _columns(database: Database, schema: str, name: str) -> list[str]:
    return database.frame("columns", {"schema": schema, "table": name}, {"name": pl.String})["name"].to_list()


def _listed(names: list[str], *, like: str) -> str:
    close = difflib.get_close_matches(like, names, n=NUM_NAMED, cutoff=0.5)
    ordered = close + [name for name in names if name not in close]
    rest = len(ordered) - NUM_NAMED
    return ", ".join(f"`{name}`" for name in ordered[:NUM_NAMED]) + (f" and {rest} more" if rest > 0 else "") if ordered else "none"
