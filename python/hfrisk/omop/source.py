"""What a source of an OMOP CDM can do, and reading from it until it is whole."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from hfrisk.errors import ConnectionLostError, DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    import polars as pl

    from hfrisk.config import OmopConfig
    from hfrisk.omop.catalog import Table
    from hfrisk.omop.statements import Name, Schema, Statement, Values

_T = TypeVar("_T")
MAX_WAIT_S = 60.0


class Source(Protocol):
    """An OMOP CDM that is read and never written; as a context manager it closes what it opened.

    Attributes:
        statements: Queries that ran to their end, in order; those about tables and columns are left out.
        found: Tables that `hfrisk.omop.catalog` found in it.
    """

    statements: list[Statement]
    found: set[Table]

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def describe(self) -> dict[str, Any]:
        """Kind, version and encoding of the source, as plain values for the provenance."""

    def schemas(self) -> list[str]:
        """Schemas that are not the system's own."""

    def tables(self, schema: str) -> list[str]:
        """Tables and views of a schema."""

    def columns(self, schema: str, table: str) -> list[str]:
        """Columns that may be read; none when there is no such table."""

    def frame(self, query: str, values: Values, schema: Schema, **names: Name) -> pl.DataFrame:
        """Run a query of `hfrisk.omop.statements` and return all its rows."""

    def stream(self, query: str, values: Values, schema: Schema, **names: Name) -> Iterator[pl.DataFrame]:
        """Run a query and yield its rows in frames of bounded size; a source that fails in between raises, so no table ends early."""


def read_source(config: OmopConfig, work: Callable[[Source], _T]) -> _T:
    """Open the source, do the work and close it; when the connection is lost, do all of it again after a while.

    Everything is read anew, because what was read before the loss belongs to a snapshot of the database that is gone: tables of two
    snapshots would contradict each other. So the work must write nothing under a final name before it is done.

    Raises:
        ConnectionLostError: The connection was lost once more after `omop.retries` retries, or the server was never reached.
        DatabaseError: The source cannot be opened or does not show what is needed.
    """
    was_open = False
    attempt = 0
    while True:
        try:
            with open_source(config) as source:
                was_open = True
                return work(source)
        except ConnectionLostError as error:
            if not was_open or attempt >= config.retries:
                raise
            wait_s = min(config.retry_wait_s * 2**attempt, MAX_WAIT_S)
            attempt += 1
            told = f"note: {error.message}; reading everything again in {wait_s:g} s ({attempt} of {config.retries})"
            print(told, file=sys.stderr)
            time.sleep(wait_s)


def open_source(config: OmopConfig) -> Source:
    """Open what `omop.source` says: the database that `omop.dsn` or the environment names, or what stands at `omop.path`.

    Raises:
        ConfigError: The DSN cannot be read, or holds a password in the study file.
        DatabaseError: The source cannot be reached or is not there, or the package that reads it is not installed.
    """
    if config.source != "postgres":
        try:
            from hfrisk.omop.duckdb_source import open_files  # noqa: PLC0415 - DuckDB is for those who read exports
        except ModuleNotFoundError as error:
            if error.name != "duckdb":
                raise
            raise DatabaseError(
                f'`omop.source` is "{config.source}", and the package `duckdb` is not installed', hint="pip install 'hfrisk[duckdb]'"
            ) from None
        return open_files(config)
    from hfrisk.omop.connection import connect  # noqa: PLC0415 - psycopg2 is for those who read PostgreSQL

    return connect(config)
