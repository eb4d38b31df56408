"""A lost connection: everything is read again, in one snapshot, and never half of a table appears."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from hfrisk import labels
from hfrisk.config import PathsConfig, StudyConfig
from hfrisk.errors import ConnectionLostError, DatabaseError
from hfrisk.omop import connection, phenotype, source

from .conftest import CONDITION

NUM_RECORDS = 5000


@pytest.fixture
def hospital(cdm, monkeypatch):
    monkeypatch.setattr(connection, "BATCH_ROWS", 1000)
    days = [dt.date(2010, 1, 1) + dt.timedelta(days=i) for i in range(NUM_RECORDS)]
    cdm.add("condition_occurrence_v", CONDITION, [(i, 316139, day) for i, day in enumerate(days)])
    return cdm


def study(cdm, folder, **settings):
    return StudyConfig(omop=cdm.config(**{"retry_wait_s": 0.0, **settings}), paths=PathsConfig(data=folder))


@pytest.fixture
def break_reading(hospital, monkeypatch):
    """End the server's side of the connection in the middle of the first `times` readings of the records."""

    def install(times):
        whole, breaks = phenotype.stream_conditions, []

        def broken(database, *arguments):
            for number, batch in enumerate(whole(database, *arguments)):
                if number == 1 and len(breaks) < times:
                    breaks.append(database.connection.info.backend_pid)
                    hospital.execute("SELECT pg_terminate_backend(%s)", breaks[-1])
                yield batch

        monkeypatch.setattr(phenotype, "stream_conditions", broken)
        return breaks

    return install


def test_a_connection_lost_in_the_middle_of_a_table_is_retried_and_every_row_comes_once(hospital, break_reading, tmp_path, capsys):
    breaks = break_reading(2)
    labels.run(study(hospital, tmp_path))
    assert len(set(breaks)) == 2
    assert pl.read_parquet(tmp_path / "conditions.parquet")["person_id"].to_list() == list(range(NUM_RECORDS))
    assert "reading everything again in 0 s (2 of 3)" in capsys.readouterr().err


def test_a_connection_lost_too_often_is_an_error_and_leaves_no_file(hospital, break_reading, tmp_path):
    break_reading(100)
    with pytest.raises(ConnectionLostError, match="was lost"):
        labels.run(study(hospital, tmp_path, retries=1))
    assert list(tmp_path.iterdir()) == []


def test_waits_double_up_to_a_minute(hospital, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)

    def fail(_):
        raise ConnectionLostError("gone")

    with pytest.raises(ConnectionLostError):
        source.read_source(hospital.config(retries=6, retry_wait_s=2.0), fail)
    assert waits == [2, 4, 8, 16, 32, 60]


def test_a_server_that_was_never_reached_is_not_waited_for(hospital, monkeypatch, tmp_path):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(DatabaseError, match="cannot connect"):
        labels.run(study(hospital, tmp_path, dsn=f"host={tmp_path} dbname=cdm"))


def test_what_is_no_loss_is_not_retried(hospital, tmp_path):
    hospital.execute("DROP TABLE CDM.condition_occurrence_v")
    with pytest.raises(DatabaseError) as error:
        labels.run(study(hospital, tmp_path))
    assert not isinstance(error.value, ConnectionLostError)


def test_an_interrupted_command_stops_its_query_on_the_server_and_leaves_no_file(cdm, tmp_path):
    cdm.execute("CREATE VIEW CDM.condition_occurrence_v AS SELECT 1 AS person_id, 316139 AS condition_concept_id, "
                "DATE '2020-01-01' AS condition_start_date FROM pg_sleep(120)")  # fmt: skip
    name = cdm.schema
    (tmp_path / "study.toml").write_text(f'[omop]\ncdm_schema = "{name}"\n', encoding="utf-8")
    environment = {**os.environ, "HFRISK_DSN": cdm.dsn, "PGAPPNAME": name}
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
    # Under a shell without job control SIGINT is ignored in children, which a user's terminal never does.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from hfrisk.cli import main; main()"
    command = [sys.executable, "-c", program, "labels", "--config", str(tmp_path / "study.toml")]
    child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        while cdm.execute(running, name) != [(1,)]:
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130
    assert "Traceback" not in said
    assert cdm.execute(running, name) == [(0,)]
    assert list((tmp_path / "data").iterdir()) == []
