"""A study without a leak: 600 persons with an ECG each, with a tabular file by ECG that says how it is dated."""

import dataclasses
import datetime as dt
import hashlib
import json

import numpy as np
import polars as pl
import pytest

from hfrisk import cohort
from hfrisk.config import CohortConfig, PathsConfig, StudyConfig

NUM_PERSONS = 600
INDEX = dt.date(2020, 1, 1)


@pytest.fixture
def study(tmp_path):
    for folder in ("store", "meta", "data"):
        (tmp_path / folder).mkdir()
    generator = np.random.default_rng(0)
    persons = np.arange(1, NUM_PERSONS + 1)
    sick = persons[generator.random(NUM_PERSONS) < 0.3]
    data = tmp_path / "data"
    records = {
        "row": range(NUM_PERSONS),
        "ecg_file": [f"{person}.xml" for person in persons],
        "acquired_at": [dt.datetime(2020, 1, 1, 8)] * NUM_PERSONS,  # noqa: DTZ001
        "payload_hash": pl.Series(range(NUM_PERSONS), dtype=pl.UInt64),
    }
    pl.DataFrame(records).write_parquet(tmp_path / "store" / "records.parquet")
    rows = "".join(f"{person},x/{person}.xml\n" for person in persons)
    (tmp_path / "meta" / "2020.csv.csv").write_text(f"nid,nstri_path\n{rows}", encoding="utf-8")
    conditions = {"person_id": sick, "condition_concept_id": 316139, "condition_start_date": INDEX + dt.timedelta(days=100)}
    pl.DataFrame(conditions).write_parquet(data / "conditions.parquet")
    observed = {"observation_start": dt.date(2015, 1, 1), "observation_end": dt.date(2023, 1, 1)}
    pl.DataFrame({"person_id": persons} | observed).write_parquet(data / "persons.parquet")
    pl.DataFrame({"person_id": persons, "hf_outcome": np.isin(persons, sick).astype(int)}).write_csv(data / "hf_outcome.csv")
    features = {
        "row": range(NUM_PERSONS),
        "age": 60 + generator.normal(0, 10, NUM_PERSONS),
        "charlson_no_chf": generator.integers(0, 4, NUM_PERSONS),
    }
    pl.DataFrame(features).write_parquet(data / "covariates.parquet")
    digest = hashlib.sha256((data / "covariates.parquet").read_bytes()).hexdigest()
    (data / "covariates.json").write_text(json.dumps({"sha256": digest}), encoding="utf-8")
    paths = PathsConfig(
        store=tmp_path / "store", registry=tmp_path / "meta", data=data, tabular=data / "covariates.parquet", run=tmp_path / "run"
    )
    made = StudyConfig(paths=paths, cohort=CohortConfig(mode="incident"))
    cohort.run(made)
    return made


@pytest.fixture
def change_cohort(study):
    """Plant something into cohort.parquet."""

    def change(**columns):
        path = study.paths.data / "cohort.parquet"
        pl.read_parquet(path).with_columns(**columns).write_parquet(path)

    return change


@pytest.fixture
def change_table(study):
    """Plant something into the tabular file; covariates.json then tells of the new file."""

    def change(**columns):
        path = study.paths.tabular
        pl.read_parquet(path).with_columns(**columns).write_parquet(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (path.parent / "covariates.json").write_text(json.dumps({"sha256": digest}), encoding="utf-8")

    return change


def settings(study, section, **values):
    return dataclasses.replace(study, **{section: dataclasses.replace(getattr(study, section), **values)})
