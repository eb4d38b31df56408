"""`hfrisk covariates` on a real PostgreSQL: read, kept apart from heart failure, built, written."""

import datetime as dt
import json

import polars as pl
import pytest

from hfrisk import covariates
from hfrisk.config import CovariatesConfig, PathsConfig, StudyConfig
from hfrisk.errors import ConfigError, DataError
from hfrisk.omop.persons import PERSON
from hfrisk.records import RECORDS_SCHEMA

from .conftest import ANCESTOR, CONDITION, VISIT

D = dt.date
# Hypertensive heart failure (444101) descends from hypertension (316866) and from heart failure.
TREE = [(316139, 316139), (316139, 444101), (316866, 316866), (316866, 320128), (316866, 444101), (255573, 255573)]
RECORDS = [
    (1, 320128, D(2020, 1, 1)),
    (2, 444101, D(2020, 1, 1)),
    (3, 255573, D(2020, 3, 1)),
    (3, 999, D(2020, 1, 1)),
    (9, 320128, D(2020, 1, 1)),
]


@pytest.fixture
def study(cdm, tmp_path):
    cdm.add("concept_ancestor", ANCESTOR, TREE)
    cdm.add("condition_occurrence_v", CONDITION, RECORDS)
    cdm.add("visit_occurrence", VISIT, [(i, i, 9202, D(2020, 2, 1), None) for i in (1, 2, 3)])
    data, store = tmp_path / "data", tmp_path / "store"
    data.mkdir()
    store.mkdir()
    cohort = {"row": [0, 1, 2], "ecg_file": ["a", "b", "c"], "person_id": [1, 2, 3], "index_date": [D(2020, 3, 1)] * 3}
    pl.DataFrame(cohort).write_parquet(data / "cohort.parquet")
    records = pl.DataFrame({"row": [0, 1, 2]}).cast(pl.Int64)
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in RECORDS_SCHEMA.items() if name != "row"]
    records.with_columns(absent).select(RECORDS_SCHEMA.names()).write_parquet(store / "records.parquet")
    pl.DataFrame([(i, 1950, None, None, 8507) for i in (1, 2, 3)], schema=PERSON, orient="row").write_parquet(data / "persons.parquet")

    def make(tabular=None, **settings):
        paths = PathsConfig(data=data, store=store, tabular=tabular)
        return StudyConfig(omop=cdm.config(), paths=paths, covariates=CovariatesConfig(**settings))

    return make


def test_the_table_has_one_row_an_ecg_with_descendants_counted(study, tmp_path):
    covariates.run(study())
    frame = pl.read_parquet(tmp_path / "data" / "covariates.parquet")
    assert frame.select("row", "ecg_file", "person_id").rows() == [(0, "a", 1), (1, "b", 2), (2, "c", 3)]
    assert frame["hypertension"].to_list() == [1, 0, 0]
    assert frame["copd"].to_list() == [0, 0, 0]
    assert frame["num_prior_visits"].to_list() == [1, 1, 1]


def test_heart_failure_is_taken_out_of_hypertension(study, tmp_path):
    covariates.run(study())
    said = json.loads((tmp_path / "data" / "covariates.json").read_text())
    assert said["num_heart_failure_concepts_taken_out"] == 1
    assert said["concept_ids"]["hypertension"] == [316866, 320128]


def test_persons_outside_the_cohort_are_not_read(study, tmp_path):
    covariates.run(study())
    said = json.loads((tmp_path / "data" / "covariates.json").read_text())
    rows = {query["name"]: query["num_rows"] for query in said["queries"]}
    assert rows["covariate_conditions"] == 2
    assert said["settings"]["look_back_days"] == 365


def test_a_table_that_somebody_gave_is_never_overwritten(study, tmp_path):
    given = tmp_path / "data" / "tabular.csv"
    given.write_text("person_id,age\n1,60\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="did not write it"):
        covariates.run(study(given))
    assert given.read_text() == "person_id,age\n1,60\n"


def test_its_own_table_is_written_anew(study, tmp_path):
    own = tmp_path / "data" / "built.csv"
    covariates.run(study(own))
    covariates.run(study(own, look_back_days=30))
    assert pl.read_csv(own)["hypertension"].to_list() == [0, 0, 0]


def test_without_ancestors_the_command_stops_unless_the_listed_concepts_are_meant(study, cdm, tmp_path):
    cdm.execute("DROP TABLE CDM.concept_ancestor")
    with pytest.raises(DataError, match="descendants of the covariates' concepts are unknown"):
        covariates.run(study())
    covariates.run(study(descendants="listed"))
    frame = pl.read_parquet(tmp_path / "data" / "covariates.parquet")
    assert frame["hypertension"].to_list() == [0, 0, 0]
