"""What the database role may do: reading is enough, and writing is a risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from hfrisk.omop.connection import Database


@dataclass(frozen=True, slots=True)
class Rights:
    """Of the role in this session, over one schema.

    Attributes:
        server_version: Of PostgreSQL.
        is_superuser: Whether the role may do anything.
        may_create: Whether it may make tables in the schema.
        num_writable: Tables of the schema that it may change.
        num_readable: Tables and views of the schema that it may read.
    """

    server_version: str
    is_superuser: bool
    may_create: bool
    num_writable: int
    num_readable: int

    @property
    def may_write(self) -> bool:
        """Whether a mistake could change the schema."""
        return self.is_superuser or self.may_create or self.num_writable > 0


def read_rights(database: Database, schema: str) -> Rights:
    """Ask the server what the session's role may do; hfrisk's own sessions are read-only in any case.

    Raises:
        DatabaseError: The server refuses the query or goes away.
    """
    types = {
        "server_version": pl.String,
        "is_superuser": pl.Boolean,
        "may_create": pl.Boolean,
        "num_writable": pl.Int64,
        "num_readable": pl.Int64,
    }
    (row,) = database.frame("rights", {"schema": schema}, types).iter_rows(named=True)
    return Rights(**row)
