"""`hfrisk labels` and `hf_outcome`, against PostgreSQL."""

import csv
import datetime as dt
import json
from pathlib import Path

import polars as pl
import psycopg2
import pytest

from hfrisk import labels
from hfrisk.config import PathsConfig, StudyConfig
from hfrisk.errors import DatabaseError, DataError

from .conftest import CONCEPT, CONDITION, CONDITION_WITH_SOURCE, PERIOD, VISIT

SYNTHEA = Path(__file__).parents[3] / "shared" / "omop"
D = dt.date
FILES = ["concept_set.json", "conditions.parquet", "hf_outcome.csv", "persons.parquet"]
PROVENANCE = "labels_provenance.json"


def study(cdm, data: Path, **settings) -> StudyConfig:
    return StudyConfig(omop=cdm.config(**settings), paths=PathsConfig(data=data))


ONE_OF_TWO = ((1, 319835, D(2020, 1, 1)), (2, 201820, D(2020, 1, 1)), (1, 319835, D(2019, 5, 5)))


def add_minimal(cdm, rows=ONE_OF_TWO):
    cdm.add("base", CONDITION, rows)
    cdm.execute("CREATE VIEW CDM.condition_occurrence_v AS SELECT person_id, condition_concept_id, condition_start_date FROM CDM.base")


def outcome_of(cdm, **arguments) -> dict[int, int]:
    mine = cdm.connect()
    try:
        return dict(labels.hf_outcome(mine, schema=cdm.schema, **arguments).iter_rows())
    finally:
        mine.close()


def test_a_view_of_three_columns_is_enough(cdm, tmp_path):
    add_minimal(cdm)
    labels.run(study(cdm, tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, PROVENANCE])
    assert (tmp_path / "hf_outcome.csv").read_text() == "person_id,hf_outcome\n1,1\n2,0\n"
    conditions = pl.read_parquet(tmp_path / "conditions.parquet")
    assert conditions.schema == {"person_id": pl.Int64, "condition_concept_id": pl.Int64, "condition_start_date": pl.Date}
    assert conditions.rows() == [(1, 319835, D(2019, 5, 5)), (1, 319835, D(2020, 1, 1))]
    assert pl.read_parquet(tmp_path / "persons.parquet")["person_id"].to_list() == [1, 2]


def test_the_same_database_gives_the_same_bytes(cdm, tmp_path):
    add_minimal(cdm)
    for name in ("a", "b"):
        labels.run(study(cdm, tmp_path / name))
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in FILES)


@pytest.fixture
def chart(cdm):
    """Tables of persons: two periods of one, a death, and two visits."""
    add_minimal(cdm)
    cdm.add(
        "person",
        "person_id bigint, year_of_birth integer, month_of_birth integer, gender_concept_id integer",
        [(1, 1950, 7, 8507), (3, 1960, None, 8532)],
    )
    cdm.add("observation_period_v", PERIOD, [(1, D(2010, 1, 1), D(2012, 1, 1)), (1, D(2015, 1, 1), D(2021, 1, 1))])
    visits = [(8, 1, 9201, D(2020, 3, 1), D(9999, 12, 31)), (9, 3, 9202, D(2019, 3, 1), None), (10, 3, 9202, D(2018, 3, 1), None)]
    cdm.add("visit_occurrence", VISIT, visits)
    cdm.add("death_v", "person_id bigint, death_date timestamp", [(3, D(2020, 2, 2)), (3, D(2020, 2, 3))])
    return cdm


def test_persons_carry_what_the_tables_of_persons_say(chart, tmp_path):
    labels.run(study(chart, tmp_path))
    persons = pl.read_parquet(tmp_path / "persons.parquet")
    assert persons.columns == [
        "person_id", "year_of_birth", "month_of_birth", "day_of_birth", "gender_concept_id",
        "observation_start", "observation_end", "last_visit_date", "death_date",
    ]  # fmt: skip
    assert persons.rows() == [
        (1, 1950, 7, None, 8507, D(2010, 1, 1), D(2021, 1, 1), D(2020, 3, 1), None),
        (2, None, None, None, None, None, None, None, None),
        (3, 1960, None, None, 8532, None, None, D(2019, 3, 1), D(2020, 2, 2)),
    ]


def test_every_observation_period_is_kept_by_itself(chart, tmp_path):
    labels.run(study(chart, tmp_path))
    periods = pl.read_parquet(tmp_path / "observation_periods.parquet")
    assert periods.schema == {"person_id": pl.Int64, "start": pl.Date, "end": pl.Date}
    assert periods.rows() == [(1, D(2010, 1, 1), D(2012, 1, 1)), (1, D(2015, 1, 1), D(2021, 1, 1))]


def test_periods_of_an_earlier_source_do_not_stay_behind(chart, tmp_path):
    labels.run(study(chart, tmp_path))
    chart.execute("DROP TABLE CDM.observation_period_v")
    labels.run(study(chart, tmp_path))
    assert not (tmp_path / "observation_periods.parquet").exists()


def test_a_record_carries_the_kind_of_its_visit(cdm, tmp_path):
    rows = [(1, 316139, D(2020, 1, 1), "x", 8), (1, 316139, D(2020, 1, 2), "x", 77), (2, 0, D(2020, 1, 3), "I50", None)]
    cdm.add("condition_occurrence_v", CONDITION_WITH_SOURCE, rows)
    cdm.add("visit_occurrence_v", VISIT, [(8, 1, 9201, D(2020, 1, 1), None)])
    labels.run(study(cdm, tmp_path))
    conditions = pl.read_parquet(tmp_path / "conditions.parquet")
    assert conditions.select("visit_occurrence_id", "visit_concept_id").rows() == [(8, 9201), (77, None), (None, None)]


def test_the_provenance_names_source_tables_queries_and_counts_but_no_person(chart, tmp_path):
    labels.run(study(chart, tmp_path))
    text = (tmp_path / PROVENANCE).read_text()
    said = json.loads(text)
    assert said["source"] == "postgres"
    assert said["version"] == chart.execute("SHOW server_version")[0][0]
    assert said["encoding"] == "UTF8"
    assert dt.datetime.fromisoformat(said["created_at"]).tzinfo is not None
    rows = {query["name"]: query["num_rows"] for query in said["queries"]}
    assert rows == {"hf_outcome": 2, "conditions": 2, "observation_periods": 2, "persons": 2, "last_visits": 2, "deaths": 1}
    assert any(f'FROM "{chart.schema}"."condition_occurrence_v"' in query["sql"] for query in said["queries"])
    found = {table["name"]: table["columns"] for table in said["tables"]}
    assert found["condition_occurrence_v"] == ["condition_concept_id", "condition_start_date", "person_id"]
    assert "316139" not in text


CODES = ["I50", "I50.9", "i509", " I50.91 ", "I11.0", "I110", "I13.0", "I132"]
OTHER_CODES = ["I5", "I51.0", "I11.9", "I13.1", "XI50", "I50X", "", None]


@pytest.mark.parametrize(("code", "expected"), [*((code, 1) for code in CODES), *((code, 0) for code in OTHER_CODES)])
def test_a_record_without_a_concept_counts_by_its_code(cdm, code, expected):
    cdm.add("condition_occurrence_v", CONDITION_WITH_SOURCE, [(5, 0, D(2020, 1, 1), code, 9)])
    assert outcome_of(cdm) == {5: expected}


def test_a_record_with_a_concept_does_not_count_by_its_code(cdm):
    cdm.add("condition_occurrence_v", CONDITION_WITH_SOURCE, [(5, 201820, D(2020, 1, 1), "I50.9", 9)])
    assert outcome_of(cdm) == {5: 0}


def test_records_found_by_their_code_are_counted(cdm, tmp_path, capsys):
    rows = [(1, 316139, D(2020, 1, 1), "x", 1), (2, 0, D(2020, 1, 1), "I50.0", 2), (3, None, D(2020, 1, 2), "I11.0", 3)]
    cdm.add("condition_occurrence_v", CONDITION_WITH_SOURCE, rows)
    labels.run(study(cdm, tmp_path))
    assert json.loads((tmp_path / "concept_set.json").read_text())["num_records_by_source_code"] == 2
    output = capsys.readouterr()
    assert "2 by source code" in output.err
    assert output.out == ""
    assert pl.read_parquet(tmp_path / "conditions.parquet")["visit_occurrence_id"].to_list() == [1, 2, 3]


def test_columns_may_have_other_names(cdm, tmp_path):
    cdm.add("diagnoses", "patient bigint, code integer, day timestamp", [(7, 316139, dt.datetime(2020, 1, 1, 13))])  # noqa: DTZ001
    names = {"person_id_column": "patient", "condition_concept_id_column": "code", "condition_start_date_column": "day"}
    labels.run(study(cdm, tmp_path, condition_table="diagnoses", **names))
    assert pl.read_parquet(tmp_path / "conditions.parquet").rows() == [(7, 316139, D(2020, 1, 1))]


def test_ids_beyond_32_bits_are_kept(cdm):
    cdm.add("condition_occurrence_v", CONDITION, [(2**40 + 1, 316139, D(2020, 1, 1))])
    assert outcome_of(cdm) == {2**40 + 1: 1}


def test_a_frame_becomes_the_notebooks_pandas_frame(cdm):
    add_minimal(cdm)
    mine = cdm.connect()
    frame = labels.hf_outcome(mine, schema=cdm.schema).to_pandas()
    mine.close()
    assert list(frame.columns) == ["person_id", "hf_outcome"]
    assert frame["hf_outcome"].sum() == 1


def test_nobody_with_heart_failure_writes_nothing(cdm, tmp_path):
    add_minimal(cdm, [(1, 201820, D(2020, 1, 1))])
    (tmp_path / "hf_outcome.csv").write_text("before", encoding="utf-8")
    with pytest.raises(DataError, match="none of the 1 persons") as error:
        labels.run(study(cdm, tmp_path))
    assert "omop.condition_table" in error.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["hf_outcome.csv"]
    assert (tmp_path / "hf_outcome.csv").read_text() == "before"


def test_a_missing_table_writes_nothing(cdm, tmp_path):
    with pytest.raises(DatabaseError, match="no schema"):
        labels.run(study(cdm, tmp_path / "data"))
    assert list((tmp_path / "data").iterdir()) == []


def test_a_missing_column_names_its_setting(cdm, tmp_path):
    cdm.add("condition_occurrence_v", "person_id bigint, condition_concept_id integer, start_date date")
    with pytest.raises(DatabaseError, match="no column `condition_start_date`") as error:
        labels.run(study(cdm, tmp_path))
    assert "omop.condition_start_date_column" in error.value.hint
    assert "`start_date`" in error.value.hint


def test_the_notebooks_own_list_is_refused_by_name(cdm, concept_csv):
    add_minimal(cdm)
    cdm.add("concept", CONCEPT, [(316139, "Heart failure", "Condition", "S"), (316140, "Another thing", "Condition", "S")])
    with pytest.raises(DataError, match="316140 is `Another thing`, outside heart failure"):
        outcome_of(cdm, concept_set=concept_csv([(316139, "", 0, 0), (316140, "", 0, 0)]))


def kind_of(column: str) -> str:
    if column.endswith("_date"):
        return "date"
    return "bigint" if column in ("person_id", "year_of_birth") or column.endswith(("concept_id", "occurrence_id")) else "text"


@pytest.mark.skipif(not SYNTHEA.exists(), reason="the Synthea tables are not here")
def test_synthea_has_eight_persons_with_heart_failure(cdm, tmp_path):
    for name in ("CONDITION_OCCURRENCE", "PERSON", "OBSERVATION_PERIOD", "CONCEPT"):
        path = SYNTHEA / f"{name}.csv"
        with path.open(encoding="utf-8") as file:
            header = next(csv.reader(file))
            cdm.add(name.lower(), ", ".join(f"{column} {kind_of(column)}" for column in header))
            with cdm.admin.cursor() as cursor:
                cursor.copy_expert(f'COPY "{cdm.schema}".{name.lower()} FROM STDIN CSV', file)
    labels.run(study(cdm, tmp_path, condition_table="condition_occurrence"))
    outcome = pl.read_csv(tmp_path / "hf_outcome.csv")
    expected = cdm.execute("SELECT DISTINCT person_id FROM CDM.condition_occurrence WHERE condition_concept_id = 4229440 ORDER BY 1")
    assert outcome.filter(pl.col("hf_outcome") == 1).select("person_id").rows() == expected
    assert len(expected) == 8
    assert pl.read_parquet(tmp_path / "persons.parquet").height == 1130


def test_a_users_own_error_leaves_the_callers_connection_alone(cdm):
    mine = cdm.connect()
    with pytest.raises(DatabaseError):
        labels.hf_outcome(mine, schema="nowhere")
    assert mine.closed == 0
    assert mine.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_INERROR
    mine.close()
