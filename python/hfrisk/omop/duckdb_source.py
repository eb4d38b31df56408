"""The only place that knows DuckDB: an OMOP CDM from a folder of exported tables, or from a DuckDB database opened read-only."""

from __future__ import annotations

import contextlib
import csv
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import polars as pl

from hfrisk.errors import ConfigError, DatabaseError
from hfrisk.omop.interrupt import Interruptible
from hfrisk.omop.statements import Statement, statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from hfrisk.config import OmopConfig
    from hfrisk.omop.catalog import Table
    from hfrisk.omop.statements import Name, Names, Schema, Values

BATCH_ROWS = 100_000
TABLE_SUFFIXES = (".csv", ".parquet")
DELIMITERS = (",", "\t", ";", "|")
_BLOCK = 1 << 20
_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "2GB",
    "preserve_insertion_order": "false",
}
"""Nothing is ever fetched, and memory is bounded; what does not fit is spilled to a temporary folder."""
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = $schema AND table_name = $table ORDER BY ordinal_position"
)
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = $schema ORDER BY table_name"
_SCHEMAS = "SELECT DISTINCT table_schema FROM information_schema.tables ORDER BY table_schema"


def open_files(config: OmopConfig) -> DuckDb:
    """Open `omop.path`: a folder of tables (`PERSON.csv`, `condition_occurrence.parquet`, ...; any case), or a DuckDB database.

    The tables of a folder stand in the schemas that the study file names. CSV is UTF-8 or cp949, values are read when a query asks.

    Raises:
        ConfigError: `omop.path` is not set.
        DatabaseError: There is no such folder or database, it holds no table, or two files are one table.
    """
    path = config.path
    if path is None:
        raise ConfigError(
            f'`omop.source` is "{config.source}", and `omop.path` is not set', hint="name the folder of tables, or the database"
        )
    if config.source == "duckdb":
        if not path.is_file():
            raise DatabaseError(f"no DuckDB database at `{path}`", hint="check `omop.path`")
        with _plain_errors():
            return DuckDb(duckdb.connect(str(path), read_only=True, config=dict(_SETTINGS)), kind="duckdb")
    if not path.is_dir():
        raise DatabaseError(f"no folder of tables at `{path}`", hint="check `omop.path`")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLE_SUFFIXES and not file.name.startswith("."))
    names = [file.stem.lower() for file in files]
    if not files:
        raise DatabaseError(f"`{path}` holds no .csv and no .parquet file", hint="`omop.path` names the folder of the exported OMOP tables")
    if twice := {name for name in names if names.count(name) > 1}:
        raise DatabaseError(f"`{path}` holds `{min(twice)}` twice", hint="keep one file a table")
    with contextlib.ExitStack() as undo, _plain_errors():
        source = undo.enter_context(DuckDb(duckdb.connect(config=dict(_SETTINGS)), kind="files"))
        for schema in dict.fromkeys((config.cdm_schema, config.vocabulary_schema or config.cdm_schema)):
            source.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            for file, name in zip(files, names, strict=True):
                source.add_view(file, schema, name)
        undo.pop_all()
    return source


class DuckDb:
    """Queries over a DuckDB connection; see `hfrisk.omop.source.Source`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, kind: str) -> None:
        self.connection = connection
        self.statements: list[Statement] = []
        self.found: set[Table] = set()
        self._kind = kind
        self._copies = tempfile.TemporaryDirectory(prefix="hfrisk-omop-")
        self.connection.execute(f"SET temp_directory = {_text(self._copies.name)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.connection.close()
        self._copies.cleanup()

    def add_view(self, file: Path, schema: str, name: str) -> None:
        """Let a file be a table, with its columns' names in lower case."""
        if file.suffix.lower() == ".parquet":
            reader = f"read_parquet({_text(file)})"
            columns = [row[0] for row in self.connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()]
        else:
            readable = self._in_utf8(file)
            delimiter, columns = _header(readable, file)
            types = ", ".join(f"{_text(column)}: 'VARCHAR'" for column in columns)
            # Nothing is guessed from the rows: a guess misread a table with one short row, and refused one whose quotes come late.
            dialect = f"auto_detect = false, header = true, delim = {_text(delimiter)}, quote = '\"', escape = '\"'"
            reader = f"read_csv({_text(readable)}, {dialect}, columns = {{{types}}})"
        value = _quoted if file.suffix.lower() == ".parquet" else _whole_id
        chosen = ", ".join(f"{value(column)} AS {_quoted(column.lower().strip())}" for column in columns)
        self.connection.execute(f"CREATE VIEW {_quoted(schema)}.{_quoted(name)} AS SELECT {chosen} FROM {reader}")

    def describe(self) -> dict[str, Any]:
        """Kind and version."""
        return {"source": self._kind, "version": f"DuckDB {duckdb.__version__}", "encoding": "UTF8"}

    def schemas(self) -> list[str]:
        """Schemas that hold a table."""
        return self._names(_SCHEMAS, {})

    def tables(self, schema: str) -> list[str]:
        """Tables and views of a schema."""
        return self._names(_TABLES, {"schema": schema})

    def columns(self, schema: str, table: str) -> list[str]:
        """Columns of a table; none when there is no such table."""
        return self._names(_COLUMNS, {"schema": schema, "table": table})

    def frame(self, query: str, values: Values, schema: Schema, **names: Name) -> pl.DataFrame:
        """Run a query and return all its rows."""
        return pl.concat([pl.DataFrame(schema=schema), *self.stream(query, values, schema, **names)])

    def stream(self, query: str, values: Values, schema: Schema, **names: Name) -> Iterator[pl.DataFrame]:
        """Run a query and yield frames of at most 100 000 rows, so that memory stays bounded.

        Raises:
            DatabaseError: A table is damaged, or a column holds values of another kind.
        """
        text = _compose(query, names)
        num_rows = 0
        with Interruptible(self.connection.interrupt) as run, _plain_errors():
            reader = run(lambda: self.connection.sql(text, params=dict(values)).to_arrow_reader(BATCH_ROWS))
            while (batch := run(next, reader, None)) is not None:
                frame = pl.DataFrame(pl.from_arrow(batch))
                num_rows += frame.height
                yield frame.rename(dict(zip(frame.columns, schema, strict=True))).cast(pl.Schema(schema))
        self.statements.append(Statement(query, text, num_rows))

    def _names(self, text: str, values: Values) -> list[str]:
        with _plain_errors():
            return [str(row[0]) for row in self.connection.execute(text, dict(values)).fetchall()]

    def _in_utf8(self, file: Path) -> Path:
        """The file itself, or a copy in UTF-8 of one in cp949."""
        if _is_utf8(file):
            return file
        copy = Path(self._copies.name) / f"{file.stem}.csv"
        try:
            with file.open(encoding="cp949", newline="") as source, copy.open("w", encoding="utf-8", newline="") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
        except UnicodeDecodeError:
            raise DatabaseError(f"`{file}` is neither UTF-8 nor cp949", hint="save it as UTF-8 in a copy of the folder") from None
        return copy


def _whole_id(column: str) -> str:
    """The text of a column, or an error where an id has a fraction: read as a number it would be rounded to another id."""
    name = _quoted(column)
    if not column.lower().strip().endswith("_id"):
        return name
    fraction = f"contains({name}, '.') AND TRY_CAST({name} AS DOUBLE) <> floor(TRY_CAST({name} AS DOUBLE))"
    return f"CASE WHEN {fraction} THEN error({_text(f'an id in column {column} has a fraction')}) ELSE {name} END"


def _header(readable: Path, file: Path) -> tuple[str, list[str]]:
    """Delimiter and names of the columns, from the first line of the file or of its copy in UTF-8."""
    with readable.open(encoding="utf-8-sig", newline="") as lines:
        line = lines.readline()
    delimiter = max(DELIMITERS, key=line.count)
    columns = next(csv.reader([line], delimiter=delimiter), [])
    plain = [column.lower().strip() for column in columns]
    if not all(plain) or not plain or len(set(plain)) < len(plain):
        raise DatabaseError(f"the first line of `{file}` does not name its columns, each once", hint="export the table with its header")
    return delimiter, columns


def _is_utf8(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as lines:
            while lines.read(_BLOCK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _compose(query: str, names: Names) -> str:
    parts = {}
    for key, name in names.items():
        path = (name,) if isinstance(name, str) else name
        parts[key] = "NULL" if path is None else ".".join(_quoted(part) for part in path)
    return re.sub(r"%\((\w+)\)s", r"$\1", statement(query).format(**parts))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.ConversionException:
        # DuckDB's own message would repeat the value, and that may be a person's id.
        raise DatabaseError(
            "a column holds values of another kind", hint="ids must be whole numbers and dates must be dates (YYYY-MM-DD)"
        ) from None
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DatabaseError(
            f"the tables cannot be read: {reason}", hint="compare `[omop]` in the study file with the exported tables"
        ) from None
