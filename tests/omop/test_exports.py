"""OMOP from exported tables and from DuckDB gives what PostgreSQL gives."""

import datetime as dt
import json
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from hfrisk import doctor, labels
from hfrisk.config import OmopConfig, PathsConfig, StudyConfig
from hfrisk.doctor import study as doctor_study
from hfrisk.errors import ConfigError, DatabaseError
from hfrisk.omop import persons
from hfrisk.omop.source import open_source

SYNTHEA = Path(__file__).parents[3] / "shared" / "omop"
COLUMNS = {
    "condition_occurrence": (
        "person_id bigint, condition_concept_id bigint, condition_start_date date, condition_source_value text, visit_occurrence_id bigint",
        [
            (1, 316139, "2019-03-01", "I50.9", 11),
            (1, 201820, "2018-03-01", "E11", None),
            (2, 0, "2020-05-06", "I50.0", 12),
            (3, 201820, "2020-05-06", "E11", 13),
            (4, 316139, "2021-01-01", "", None),
        ],
    ),
    "person": (
        "person_id bigint, gender_concept_id bigint, year_of_birth integer, month_of_birth integer, day_of_birth integer",
        [(1, 8507, 1950, 2, 3), (2, 8532, 1960, None, None), (3, 8507, 1970, 5, 6), (4, 8532, 1980, 1, 1)],
    ),
    "observation_period": (
        "person_id bigint, observation_period_start_date date, observation_period_end_date date",
        [(1, "2010-01-01", "2022-01-01"), (2, "2012-01-01", "2015-01-01"), (2, "2017-01-01", "2022-01-01")],
    ),
    "visit_occurrence": (
        "visit_occurrence_id bigint, person_id bigint, visit_concept_id bigint, visit_start_date date",
        [(11, 1, 9201, "2019-03-01"), (12, 2, 9202, "2020-05-06"), (13, 3, 9202, "2020-05-06")],
    ),
    "death": ("person_id bigint, death_date date", [(4, "2021-06-01")]),
}


def names_of(columns):
    return [column.split()[0] for column in columns.split(", ")]


@pytest.fixture
def configs(cdm, tmp_path):
    """The same small CDM four times."""
    for name, (columns, rows) in COLUMNS.items():
        cdm.add(name, columns, rows)
    csv, parquet = tmp_path / "csv", tmp_path / "parquet"
    csv.mkdir()
    parquet.mkdir()
    connection = duckdb.connect(str(tmp_path / "cdm.duckdb"))
    for name, (columns, rows) in COLUMNS.items():
        frame = pl.DataFrame(rows, schema=names_of(columns), orient="row")
        frame.write_csv(csv / f"{name.upper()}.csv")
        dates = [pl.col(column).str.to_date() for column in frame.columns if column.endswith("_date")]
        frame.with_columns(dates).write_parquet(parquet / f"{name}.parquet")
        connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(frame.columns))})", [list(row) for row in rows])
    connection.close()
    return {
        "postgres": cdm.config(),
        "csv": OmopConfig(source="files", path=csv),
        "parquet": OmopConfig(source="files", path=parquet),
        "duckdb": OmopConfig(source="duckdb", path=tmp_path / "cdm.duckdb", cdm_schema="main"),
    }


def written(config, folder):
    labels.run(StudyConfig(omop=config, paths=PathsConfig(data=folder)))
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("conditions", "persons", "observation_periods")}
    return tables | {"outcome": pl.read_csv(folder / "hf_outcome.csv")}


def test_all_sources_give_the_same_tables(configs, tmp_path):
    found = {kind: written(config, tmp_path / f"data-{kind}") for kind, config in configs.items()}
    for kind in ("csv", "parquet", "duckdb"):
        for name, table in found["postgres"].items():
            assert found[kind][name].equals(table), (kind, name)
    assert found["csv"]["conditions"].height == 3


def test_the_provenance_says_which_kind_of_source_it_was(configs, tmp_path):
    written(configs["csv"], tmp_path / "data")
    said = json.loads((tmp_path / "data" / "labels_provenance.json").read_text(encoding="utf-8"))
    assert said["source"] == "files"
    assert said["version"].startswith("DuckDB ")
    assert all("316139" not in query["sql"] for query in said["queries"])


def test_a_table_in_cp949_is_read(configs, tmp_path):
    path = configs["csv"].path / "CONDITION_OCCURRENCE.csv"
    text = path.read_text(encoding="utf-8").replace("E11", "당뇨")
    path.write_bytes(text.encode("cp949"))
    assert written(configs["csv"], tmp_path / "data")["conditions"].height == 3
    assert path.read_bytes() == text.encode("cp949"), "sources are read-only"


def test_a_database_is_opened_read_only(configs):
    with open_source(configs["duckdb"]) as source, pytest.raises(duckdb.Error, match="read-only"):
        source.connection.execute("DELETE FROM person")


def test_nothing_is_ever_fetched_from_the_net(configs):
    with open_source(configs["csv"]) as source, pytest.raises(duckdb.Error):
        source.connection.execute("SELECT * FROM read_parquet('https://localhost:1/x.parquet')")


def test_a_value_of_another_kind_is_not_repeated(configs, tmp_path):
    path = configs["csv"].path / "PERSON.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("\n3,", "\nK-987-secret,"), encoding="utf-8")
    with pytest.raises(DatabaseError, match="values of another kind") as caught:
        written(configs["csv"], tmp_path / "data")
    assert "secret" not in str(caught.value)


def test_a_missing_condition_table_is_named(configs, tmp_path):
    (configs["csv"].path / "CONDITION_OCCURRENCE.csv").unlink()
    with pytest.raises(DatabaseError, match="condition_occurrence_v"):
        written(configs["csv"], tmp_path / "data")


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"source": "files"}, ConfigError, "`omop.path` is not set"),
        ({"source": "files", "path": "nowhere"}, DatabaseError, "no folder of tables"),
        ({"source": "duckdb", "path": "nowhere.duckdb"}, DatabaseError, "no DuckDB database"),
        ({"source": "files", "path": "."}, DatabaseError, "holds no .csv"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, monkeypatch, settings, error, said):
    monkeypatch.chdir(tmp_path)
    given = settings | ({"path": Path(settings["path"])} if "path" in settings else {})
    with pytest.raises(error, match=said.replace(".", r"\.")):
        open_source(OmopConfig(**given))


def test_a_table_that_is_there_twice_is_refused(configs):
    (configs["csv"].path / "person.csv").write_text("person_id\n1\n", encoding="utf-8")
    with pytest.raises(DatabaseError, match="`person` twice"):
        open_source(configs["csv"])


def test_without_duckdb_the_package_is_named(configs, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.delitem(sys.modules, "hfrisk.omop.duckdb_source", raising=False)
    with pytest.raises(DatabaseError, match="`duckdb` is not installed") as caught:
        open_source(configs["csv"])
    assert caught.value.hint == "pip install 'hfrisk[duckdb]'"


def test_the_doctor_goes_on_without_duckdb(configs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.delitem(sys.modules, "hfrisk.omop.duckdb_source", raising=False)
    (finding,) = doctor_study._database(StudyConfig(omop=configs["csv"], paths=PathsConfig(data=tmp_path)))
    assert (finding.status, finding.hint) == ("error", "pip install 'hfrisk[duckdb]'")


def test_the_doctor_counts_the_tables(configs, tmp_path):
    study = StudyConfig(omop=configs["parquet"], paths=PathsConfig(data=tmp_path))
    (finding,) = doctor_study._database(study)
    assert finding == doctor.Finding("OMOP tables", "ok", f"5 tables at `{configs['parquet'].path}`, opened read-only")


def exported(folder, **tables):
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return OmopConfig(source="files", path=folder)


def test_days_without_leading_zeros_are_compared_as_days(tmp_path):
    visits = "person_id,visit_start_date\n1,2019-3-1\n1,2019-12-01\n"
    config = exported(tmp_path / "cdm", visit_occurrence=visits, death="person_id,death_date\n1,2019/9/1\n1,2019/10/01\n")
    with open_source(config) as source:
        assert persons.last_visits(source, config)["last_visit_date"].to_list() == [dt.date(2019, 12, 1)]
        assert persons.deaths(source, config)["death_date"].to_list() == [dt.date(2019, 9, 1)]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_quotes_that_come_late_in_a_table_are_understood(tmp_path, delimiter):
    plain = "".join(f"{i},8507,x\n" for i in range(30_000)).replace(",", delimiter)
    header = delimiter.join(("person_id", "gender_concept_id", "person_source_value"))
    late = f'30000{delimiter}8532{delimiter}"a{delimiter}b"\n30001{delimiter}8532{delimiter}"a\nb"\n'
    config = exported(tmp_path / "cdm", person=f"{header}\n{plain}{late}")
    with open_source(config) as source:
        assert persons.persons(source, config)["person_id"].to_list() == list(range(30_002))


@pytest.mark.parametrize("row", ["2,85", "2,8507,1950,1"])
def test_a_row_of_another_length_is_an_error_and_never_a_missing_table(tmp_path, row):
    config = exported(tmp_path / "cdm", person=f"person_id,gender_concept_id,year_of_birth\n1,8507,1950\n{row}\n")
    with open_source(config) as source, pytest.raises(DatabaseError, match="Line: 3"):
        persons.persons(source, config)


def test_an_id_with_a_fraction_is_an_error_and_never_another_id(tmp_path):
    config = exported(tmp_path / "cdm", person="person_id,gender_concept_id\n1.0,8507\n7.5,8507\n")
    with open_source(config) as source, pytest.raises(DatabaseError, match="person_id has a fraction") as caught:
        persons.persons(source, config)
    assert "7.5" not in str(caught.value)
    config = exported(tmp_path / "whole", person="person_id,gender_concept_id\n1.0,8507\n7,8507.00\n")
    with open_source(config) as source:
        assert persons.persons(source, config)["person_id"].to_list() == [1, 7]


@pytest.mark.parametrize("text", ["", "\n1,2\n", "person_id,PERSON_ID\n1,2\n"])
def test_a_table_without_a_header_is_named(tmp_path, text):
    with pytest.raises(DatabaseError, match=r"first line of .*person\.csv"):
        open_source(exported(tmp_path / "cdm", person=text))


@pytest.mark.skipif(not SYNTHEA.is_dir(), reason="the small CDM is not at hand")
def test_the_persons_of_a_real_export_are_found(tmp_path):
    found = written(OmopConfig(source="files", path=SYNTHEA), tmp_path)
    assert found["outcome"]["hf_outcome"].sum() == 8
    assert found["persons"].height == 1130
