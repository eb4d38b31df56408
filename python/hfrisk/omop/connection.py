"""The only place that knows psycopg2: a read-only connection, its errors in plain words, and queries that stream."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Self

import polars as pl
import psycopg2
from psycopg2 import errorcodes, extensions, sql

from hfrisk.errors import ConfigError, ConnectionLostError, DatabaseError
from hfrisk.omop.interrupt import Interruptible
from hfrisk.omop.statements import Statement, statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from hfrisk.config import OmopConfig
    from hfrisk.omop.catalog import Table
    from hfrisk.omop.statements import Name, Names, Schema, Values

DSN_VARIABLE = "HFRISK_DSN"
CONNECT_TIMEOUT_S = 15
BATCH_ROWS = 100_000
_CONNECTION_CLASSES = ("08", "57P")
_SECRETS = ("password", "sslpassword")
_CONNECT_HINTS = (
    ("password", "set PGPASSWORD or a PGPASSFILE for this user; a password never stands in the study file"),
    ("does not exist", "check the names of database and user in `omop.dsn`, HFRISK_DSN or PGDATABASE and PGUSER"),
    ("definition of service", "check PGSERVICE and the service file PGSERVICEFILE"),
    ("pg_hba.conf", "the server does not admit this user from this machine: ask its administrator"),
    ("ssl", "check `sslmode` in `omop.dsn`"),
)
# A server that does not listen in silence would keep a query waiting for hours: what libpq and the system notice of it, in seconds.
_LIVENESS = {"keepalives_idle": "60", "keepalives_interval": "15", "keepalives_count": "4"}
_CONNECT_HINT = f"check host and port in `omop.dsn`, {DSN_VARIABLE} or PGHOST and PGPORT, and that the server is up"


def connect(config: OmopConfig) -> Database:
    """Open a read-only session: the study file's DSN, else HFRISK_DSN, else libpq's own environment or service file.

    Raises:
        ConfigError: The DSN cannot be read, or holds a password in the study file.
        ConnectionLostError: The server cannot be reached.
        DatabaseError: The server refuses the session.
    """
    dsn, origin = (config.dsn, "omop.dsn") if config.dsn else (os.environ.get(DSN_VARIABLE, ""), DSN_VARIABLE)
    try:
        settings = extensions.parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        # libpq repeats the part that it does not understand, and that may be a password.
        raise ConfigError(
            f"`{origin}` is not a libpq connection string", hint="as in `host=db.example port=5432 dbname=cdm user=reader`"
        ) from None
    secrets = [settings[key] for key in _SECRETS if key in settings]
    if config.dsn and secrets:
        raise ConfigError("`omop.dsn` holds a password", hint="take it out, and set PGPASSWORD or a PGPASSFILE instead")
    options = settings.get("options", os.environ.get("PGOPTIONS", ""))
    settings["options"] = f"{options} -c default_transaction_read_only=on -c statement_timeout={config.statement_timeout_s * 1000}".strip()
    if "PGAPPNAME" not in os.environ:
        settings.setdefault("application_name", "hfrisk")
    settings.setdefault("connect_timeout", str(CONNECT_TIMEOUT_S))
    settings = _LIVENESS | settings
    if config.sslmode:
        settings["sslmode"] = config.sslmode
    try:
        connection = psycopg2.connect(**settings)
    except psycopg2.OperationalError as error:
        raise _connect_error(str(error), [*secrets, os.environ.get("PGPASSWORD", "")]) from None
    # One snapshot for the whole session, so that tables read one after the other agree.
    connection.set_session(isolation_level=extensions.ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    return Database(connection)


def _connect_error(message: str, secrets: list[str]) -> DatabaseError:
    reason = " ".join(message.splitlines()[0].split())
    for secret in filter(None, secrets):
        reason = reason.replace(secret, "***")
    sentence = f"cannot connect to the database: {reason}"
    hint = next((hint for word, hint in _CONNECT_HINTS if word in reason.lower()), None)
    return ConnectionLostError(sentence, hint=_CONNECT_HINT) if hint is None else DatabaseError(sentence, hint=hint)


class Database:
    """Queries over a psycopg2 connection, which stays the caller's to configure; as a context manager it closes the connection.

    Names are quoted by `psycopg2.sql.Identifier`, given as text or as a tuple (schema, table); values are the server's parameters.
    """

    def __init__(self, connection: Any) -> None:  # noqa: ANN401
        self.connection = connection
        self.statements: list[Statement] = []
        self.found: set[Table] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.connection.close()

    def describe(self) -> dict[str, Any]:
        """Kind, version and encoding of the server."""
        get = self.connection.get_parameter_status
        return {"source": "postgres", "version": get("server_version"), "encoding": get("server_encoding")}

    def schemas(self) -> list[str]:
        """Schemas that are not the server's own."""
        return self._names("schemas", {})

    def tables(self, schema: str) -> list[str]:
        """Tables and views of a schema, readable or not."""
        return self._names("tables", {"schema": schema})

    def columns(self, schema: str, table: str) -> list[str]:
        """Columns that this user may read; none when there is no such table."""
        return self._names("columns", {"schema": schema, "table": table})

    def frame(self, query: str, values: Values, schema: Schema, **names: Name) -> pl.DataFrame:
        """Run a query and return all its rows."""
        return pl.concat([pl.DataFrame(schema=schema), *self.stream(query, values, schema, **names)])

    def stream(self, query: str, values: Values, schema: Schema, **names: Name) -> Iterator[pl.DataFrame]:
        """Run a query through a server-side cursor and yield frames of at most 100 000 rows, so that memory stays bounded.

        Raises:
            ConnectionLostError: The server goes away.
            DatabaseError: The server refuses the query or stops it.
        """
        composed = _compose(query, names)
        num_rows = 0
        for batch in self._batches(composed, values, schema):
            num_rows += batch.height
            yield batch
        self.statements.append(Statement(query, composed.as_string(self.connection), num_rows))

    def _names(self, query: str, values: Values) -> list[str]:
        names: list[str] = []
        for batch in self._batches(_compose(query, {}), values, {"name": pl.String}):
            names += batch["name"].to_list()
        return names

    def _batches(self, composed: sql.Composed, values: Values, schema: Schema) -> Iterator[pl.DataFrame]:
        was_idle = self.connection.status == extensions.STATUS_READY
        # A named cursor lives in a transaction; a caller's autocommit connection has none, so there its cursor is held over.
        cursor = self.connection.cursor(name="hfrisk", withhold=bool(self.connection.autocommit))
        try:
            with Interruptible(self.connection.cancel) as run, _plain_errors():
                run(cursor.execute, composed, dict(values))
                while rows := run(cursor.fetchmany, BATCH_ROWS):
                    yield pl.DataFrame(rows, schema=schema, orient="row")
        finally:
            self._leave(cursor, was_idle=was_idle)

    def _leave(self, cursor: Any, *, was_idle: bool) -> None:  # noqa: ANN401
        if self.connection.closed:
            return
        if self.connection.info.transaction_status != extensions.TRANSACTION_STATUS_INERROR:
            cursor.close()
        elif was_idle:  # the failed transaction is ours, not the caller's
            self.connection.rollback()


def _compose(query: str, names: Names) -> sql.Composed:
    parts = {}
    for key, name in names.items():
        path = (name,) if isinstance(name, str) else name
        parts[key] = sql.SQL("NULL") if path is None else sql.Identifier(*path)
    return sql.SQL(statement(query)).format(**parts)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        code = error.pgcode
        reason = (error.diag.message_primary or str(error).strip() or type(error).__name__).splitlines()[0]
        if code is None or code.startswith(_CONNECTION_CLASSES):
            raise ConnectionLostError(f"the connection to the database was lost: {reason}", hint="run the same command again") from None
        if code == errorcodes.QUERY_CANCELED:
            sentence, hint = f"the server stopped a query: {reason}", "raise `omop.statement_timeout_s`"
        elif code == errorcodes.INSUFFICIENT_PRIVILEGE:
            sentence, hint = f"the database refuses to show a table: {reason}", "ask its administrator for SELECT on it"
        elif code.startswith(errorcodes.CLASS_DATA_EXCEPTION):
            # The server's own message would repeat the value, and that may be a person's id.
            name = errorcodes.lookup(code).replace("_", " ").lower()
            sentence, hint = f"a column holds values of another kind ({name})", "ids must be whole numbers and dates must be dates"
        else:
            sentence, hint = f"the database refused a query: {reason}", "compare `[omop]` in the study file with the site's tables"
        raise DatabaseError(sentence, hint=hint) from None
