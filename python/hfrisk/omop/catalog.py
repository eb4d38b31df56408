"""Which tables and columns a site shows, and what to say when one is missing."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hfrisk.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hfrisk.omop.source import Source

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


def find_table(source: Source, schema: str, name: str) -> Table | None:
    """Look for a table: under its name, else with `_v` taken away or added, for what one site shows as a view another exports as a table.

    Returns:
        The table, or None when there is none of the two that this user may read.
    """
    twin = name.removesuffix("_v") if name.endswith("_v") else f"{name}_v"
    for candidate in (name, twin):
        if columns := source.columns(schema, candidate):
            table = Table(schema, candidate, frozenset(columns))
            source.found.add(table)
            return table
    return None


def require_table(source: Source, schema: str, name: str, *, setting: str, columns: Mapping[str, str]) -> Table:
    """Find a table that a study cannot do without, under the names that `find_table` tries.

    Args:
        source: Where to look.
        schema: The schema's name.
        name: The table's or view's name.
        setting: Key of the study file that names the table.
        columns: Columns that must be there, each with the key that names it.

    Raises:
        DatabaseError: The schema, the table or a column is not there or may not be read; what is there is named.
    """
    table = find_table(source, schema, name)
    if table is None:
        raise _missing_table(source, schema, name, setting)
    for column, key in columns.items():
        if column not in table.columns:
            raise DatabaseError(
                f"`{schema}.{table.name}` has no column `{column}`",
                hint=f"set `{key}`; its columns are {_listed(sorted(table.columns), like=column)}",
            )
    return table


def _missing_table(source: Source, schema: str, name: str, setting: str) -> DatabaseError:
    tables = source.tables(schema)
    if name in tables:
        return DatabaseError(f"`{schema}.{name}` is there but may not be read", hint="ask the database's administrator for SELECT on it")
    if tables:
        return DatabaseError(f"no table or view `{schema}.{name}`", hint=f"set `{setting}`; `{schema}` has {_listed(tables, like=name)}")
    schemas = source.schemas()
    return DatabaseError(
        f"no schema `{schema}` with tables in it", hint=f"set `omop.cdm_schema`; the database has {_listed(schemas, like=schema)}"
    )


def _listed(names: list[str], *, like: str) -> str:
    close = difflib.get_close_matches(like, names, n=NUM_NAMED, cutoff=0.5)
    ordered = close + [name for name in names if name not in close]
    rest = len(ordered) - NUM_NAMED
    return ", ".join(f"`{name}`" for name in ordered[:NUM_NAMED]) + (f" and {rest} more" if rest > 0 else "") if ordered else "none"
