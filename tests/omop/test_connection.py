"""The connection: read-only, its errors in plain words, streams that stop."""

import os
import signal
import threading
import time
import traceback
from pathlib import Path

import polars as pl
import psycopg2
import pytest

from hfrisk.config import OmopConfig
from hfrisk.errors import ConfigError, ConnectionLostError, DatabaseError, HfriskError
from hfrisk.omop import connection
from hfrisk.omop.catalog import find_table, require_table
from hfrisk.omop.connection import Database, connect

SECRET = "hunter2-swordfish"  # noqa: S105
NUMBER = {"n": pl.Int64}


@pytest.fixture
def queries(monkeypatch):
    """Let the database run statements that do not ship with hfrisk."""
    texts = {}
    monkeypatch.setattr(connection, "statement", texts.__getitem__)
    return texts


@pytest.fixture
def locked_out(embedded):
    """A user whom the embedded server asks for a password."""
    rules = Path(embedded.pgdata) / "pg_hba.conf"
    before = rules.read_text()
    admin = psycopg2.connect(embedded.get_uri())
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'")
        rules.write_text("local all reader scram-sha-256\n" + before)
        cursor.execute("SELECT pg_reload_conf()")
        dsn = embedded.get_uri().replace("postgres:@", "reader@")
        while admits(dsn):
            time.sleep(0.05)
        yield dsn
        rules.write_text(before)
        cursor.execute("SELECT pg_reload_conf()")
        cursor.execute("DROP ROLE reader")
    admin.close()


def admits(dsn: str) -> bool:
    """Whether the server lets the user in without a password."""
    try:
        psycopg2.connect(dsn).close()
    except psycopg2.OperationalError:
        return False
    return True


def told(error: pytest.ExceptionInfo[HfriskError]) -> str:
    """Everything of an error that could reach a screen or a log."""
    return str(error.value) + "".join(traceback.format_exception(error.value))


def test_the_session_refuses_to_write(cdm):
    cdm.add("t", "n integer", [(1,)])
    with connect(cdm.config()) as database, database.connection.cursor() as cursor, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        cursor.execute(f'DELETE FROM "{cdm.schema}".t')
    assert cdm.execute("SELECT n FROM CDM.t") == [(1,)]


def test_the_session_refuses_to_write_even_when_the_transaction_is_made_anew(cdm):
    with connect(cdm.config()) as database:
        database.connection.rollback()
        with database.connection.cursor() as cursor, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute(f'CREATE TABLE "{cdm.schema}".t (n integer)')


def test_a_wrong_password_is_one_sentence_without_the_password(locked_out, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", f"not-{SECRET}")
    with pytest.raises(DatabaseError, match="password authentication failed") as error:
        connect(OmopConfig(dsn=locked_out))
    assert "PGPASSFILE" in error.value.hint
    assert SECRET not in told(error)


def test_the_right_password_comes_from_the_environment(locked_out, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with connect(OmopConfig(dsn=locked_out)) as database:
        assert database.connection.info.user == "reader"


def test_a_missing_password_names_where_to_put_it(locked_out):
    with pytest.raises(DatabaseError) as error:
        connect(OmopConfig(dsn=locked_out))
    assert "PGPASSWORD" in error.value.hint


@pytest.mark.parametrize(
    "dsn", [f"host=db user=me password={SECRET}", f"postgresql://me:{SECRET}@db/cdm", f"postgresql://db/cdm?password={SECRET}"]
)
def test_a_password_in_the_study_file_is_refused_and_not_repeated(dsn):
    with pytest.raises(ConfigError, match="holds a password") as error:
        connect(OmopConfig(dsn=dsn))
    assert "PGPASSFILE" in error.value.hint
    assert SECRET not in told(error)


def test_a_dsn_that_cannot_be_read_is_not_repeated(monkeypatch):
    monkeypatch.setenv("HFRISK_DSN", f"host=db {SECRET}")
    with pytest.raises(ConfigError, match="`HFRISK_DSN` is not a libpq connection string") as error:
        connect(OmopConfig())
    assert SECRET not in told(error)


def test_a_password_in_the_environments_dsn_does_not_reach_the_message(monkeypatch, tmp_path):
    monkeypatch.setenv("HFRISK_DSN", f"host={tmp_path}/{SECRET} dbname=cdm password={SECRET}")
    with pytest.raises(DatabaseError, match="cannot connect") as error:
        connect(OmopConfig())
    assert SECRET not in told(error)


def test_a_server_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(DatabaseError, match="cannot connect to the database") as error:
        connect(OmopConfig(dsn=f"host={tmp_path} dbname=cdm"))
    assert "\n" not in error.value.message
    assert "host and port" in error.value.hint


def test_an_unknown_database_is_named(server_dsn):
    with pytest.raises(DatabaseError, match='database "nonesuch" does not exist'):
        connect(OmopConfig(dsn=psycopg2.extensions.make_dsn(server_dsn, dbname="nonesuch")))


def test_the_environments_dsn_is_taken_when_the_study_file_has_none(cdm, monkeypatch):
    monkeypatch.setenv("HFRISK_DSN", cdm.dsn)
    with connect(OmopConfig()) as database:
        assert database.connection.closed == 0


def test_libpqs_own_options_stay_beside_ours(cdm, monkeypatch, queries):
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    queries["q"] = "SELECT (current_setting('search_path') = 'elsewhere' AND current_setting('statement_timeout') = '7s')::int"
    with connect(cdm.config(statement_timeout_s=7)) as database:
        assert database.frame("q", {}, NUMBER)["n"].to_list() == [1]


def test_the_study_files_sslmode_reaches_the_server(server_dsn):
    settings = psycopg2.extensions.parse_dsn(server_dsn) | {"host": "127.0.0.1", "port": "1"}
    with pytest.raises(DatabaseError) as error:
        connect(OmopConfig(dsn=psycopg2.extensions.make_dsn(**settings), sslmode="verify-full"))
    assert "root certificate" in error.value.message or "cannot connect" in error.value.message


def test_a_long_result_streams_in_batches(cdm, queries):
    queries["q"] = "SELECT generate_series(1, 250000)::bigint"
    with connect(cdm.config()) as database:
        batches = [batch["n"] for batch in database.stream("q", {}, NUMBER)]
    assert [len(batch) for batch in batches] == [100_000, 100_000, 50_000]
    assert pl.concat(batches).to_list() == list(range(1, 250_001))


def test_an_empty_result_keeps_its_columns(cdm, queries):
    queries["q"] = "SELECT 1::bigint WHERE false"
    with connect(cdm.config()) as database:
        assert database.frame("q", {}, NUMBER).schema == {"n": pl.Int64}


def test_a_query_past_the_timeout_names_the_setting(cdm, queries):
    queries["q"] = "SELECT 1::bigint FROM pg_sleep(30)"
    with connect(cdm.config(statement_timeout_s=1)) as database, pytest.raises(DatabaseError) as error:
        database.frame("q", {}, NUMBER)
    assert "statement_timeout_s" in error.value.hint


@pytest.fixture
def _python_sees_interrupts():
    # A test run in the background of a shell inherits that SIGINT is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_python_sees_interrupts")
def test_an_interrupt_cancels_the_query_on_the_server(cdm, queries):
    queries["q"] = "SELECT 1::bigint FROM pg_sleep(120)"
    running = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
    with connect(cdm.config(statement_timeout_s=30)) as database:
        pid = database.connection.info.backend_pid

        def interrupt():
            while cdm.execute(running, pid) != [(1,)]:
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            database.frame("q", {}, NUMBER)
        thread.join()
        assert cdm.execute(running, pid) == [(0,)]


def test_a_lost_connection_is_an_error_and_not_a_short_table(cdm, queries):
    queries["q"] = "SELECT generate_series(1, 300000)::bigint"
    with connect(cdm.config()) as database:
        stream = database.stream("q", {}, NUMBER)
        next(stream)
        cdm.execute("SELECT pg_terminate_backend(%s)", database.connection.info.backend_pid)
        with pytest.raises(DatabaseError, match="connection to the database was lost"):
            list(stream)


def test_a_query_of_a_lost_connection_is_not_counted_as_done(cdm, queries):
    queries["q"] = "SELECT generate_series(1, 300000)::bigint"
    with connect(cdm.config()) as database:
        stream = database.stream("q", {}, NUMBER)
        next(stream)
        cdm.execute("SELECT pg_terminate_backend(%s)", database.connection.info.backend_pid)
        with pytest.raises(ConnectionLostError):
            list(stream)
        assert database.statements == []


def test_a_value_of_another_kind_is_not_repeated(cdm, queries):
    cdm.add("t", "person_id text", [("P00042",)])
    queries["q"] = "SELECT person_id::bigint FROM {t}"
    with connect(cdm.config()) as database, pytest.raises(DatabaseError) as error:
        database.frame("q", {}, NUMBER, t=(cdm.schema, "t"))
    assert "P00042" not in told(error)


def test_names_reach_the_server_as_identifiers_only(cdm, queries):
    odd = 'odd"; DROP SCHEMA public; --'
    cdm.execute('CREATE TABLE CDM."odd""; DROP SCHEMA public; --" (n bigint)')
    queries["q"] = "SELECT n FROM {t}"
    with connect(cdm.config()) as database:
        assert database.frame("q", {}, NUMBER, t=(cdm.schema, odd)).is_empty()


def test_a_callers_connection_is_left_open_and_usable_after_an_error(cdm, queries):
    queries["q"] = "SELECT 1 / 0"
    mine = cdm.connect()
    with pytest.raises(DatabaseError):
        Database(mine).frame("q", {}, NUMBER)
    with mine.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    mine.close()


def test_a_callers_autocommit_connection_works(cdm, queries):
    queries["q"] = "SELECT 7::bigint"
    mine = cdm.connect()
    mine.autocommit = True
    assert Database(mine).frame("q", {}, NUMBER)["n"].to_list() == [7]
    mine.close()


def test_a_missing_table_names_what_is_there(cdm):
    cdm.add("condition_occurrences", "person_id bigint")
    with connect(cdm.config()) as database, pytest.raises(DatabaseError, match="no table or view") as error:
        require_table(database, cdm.schema, "condition_occurrence_v", setting="omop.condition_table", columns={})
    assert "`omop.condition_table`" in error.value.hint
    assert "`condition_occurrences`" in error.value.hint


def test_a_required_table_is_also_found_without_its_suffix(cdm):
    cdm.add("condition_occurrence", "person_id bigint")
    with connect(cdm.config()) as database:
        found = require_table(database, cdm.schema, "condition_occurrence_v", setting="omop.condition_table", columns={})
    assert found.name == "condition_occurrence"


def test_a_missing_column_names_what_is_there(cdm):
    cdm.add("t", "patient bigint")
    with connect(cdm.config()) as database, pytest.raises(DatabaseError, match="no column `person_id`") as error:
        require_table(database, cdm.schema, "t", setting="s", columns={"person_id": "omop.person_id_column"})
    assert "`omop.person_id_column`" in error.value.hint
    assert "`patient`" in error.value.hint


def test_a_missing_schema_names_what_is_there(cdm):
    with connect(cdm.config()) as database, pytest.raises(DatabaseError, match="no schema `elsewhere`") as error:
        require_table(database, "elsewhere", "t", setting="s", columns={})
    assert "omop.cdm_schema" in error.value.hint


def test_a_view_and_a_materialised_view_are_tables_too(cdm):
    cdm.execute("CREATE VIEW CDM.seen AS SELECT 1 AS a")
    cdm.execute("CREATE MATERIALIZED VIEW CDM.kept AS SELECT 1 AS b")
    with connect(cdm.config()) as database:
        assert find_table(database, cdm.schema, "seen").columns == {"a"}
        assert find_table(database, cdm.schema, "kept").columns == {"b"}


def test_an_optional_table_is_also_found_without_its_suffix(cdm):
    cdm.add("person", "person_id bigint")
    with connect(cdm.config()) as database:
        assert find_table(database, cdm.schema, "person_v").name == "person"
        assert find_table(database, cdm.schema, "visit_v") is None
