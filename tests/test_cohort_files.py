"""`hfrisk cohort`: what it reads and writes."""

import datetime as dt
import hashlib
import json
import re
import shutil

import polars as pl
import pytest

from hfrisk import cohort
from hfrisk.config import PathsConfig, SplitConfig, StudyConfig
from hfrisk.errors import DataError

FILES = ["attrition.csv", "cohort.json", "cohort.parquet", "labels.csv", "labels_with_hf.csv", "split.csv", "split.json"]
NUM_PERSONS = 60


@pytest.fixture
def hospital(tmp_path):
    """Sixty persons with an ECG each, every third with heart failure, and a study that points at them."""
    for folder in ("store", "meta", "data"):
        (tmp_path / folder).mkdir()
    persons = list(range(1, NUM_PERSONS + 1))
    sick = persons[::3]
    pl.DataFrame(
        {
            "row": range(NUM_PERSONS),
            "ecg_file": [f"{person}.xml" for person in persons],
            "acquired_at": [dt.datetime(2020, 1, 1, 8)] * NUM_PERSONS,  # noqa: DTZ001
            "payload_hash": pl.Series(range(NUM_PERSONS), dtype=pl.UInt64),
        }
    ).write_parquet(tmp_path / "store" / "records.parquet")
    rows = "".join(f"{person},x/{person}.xml\n" for person in persons)
    (tmp_path / "meta" / "2020.csv.csv").write_text(f"nid,nstri_path\n{rows}", encoding="utf-8")
    pl.DataFrame({"person_id": sick, "condition_concept_id": 316139, "condition_start_date": dt.date(2019, 1, 1)}).write_parquet(
        tmp_path / "data" / "conditions.parquet"
    )
    pl.DataFrame({"person_id": persons}).write_parquet(tmp_path / "data" / "persons.parquet")
    pl.DataFrame({"person_id": persons, "hf_outcome": [int(p in sick) for p in persons]}).write_csv(tmp_path / "data" / "hf_outcome.csv")
    return StudyConfig(paths=PathsConfig(store=tmp_path / "store", registry=tmp_path / "meta", data=tmp_path / "data"))


def outputs(study) -> dict[str, bytes]:
    """The bytes of every file, but for the one line that tells the time."""
    read = {name: (study.paths.data / name).read_bytes() for name in FILES}
    return read | {"cohort.json": re.sub(rb'"created_at": "[^"]+"', b"", read["cohort.json"], count=1)}


def test_every_file_is_written_and_none_is_left_half(hospital, capsys):
    cohort.run(hospital)
    inputs = {"conditions.parquet", "persons.parquet", "hf_outcome.csv"}
    assert {path.name for path in hospital.paths.data.iterdir()} == inputs | set(FILES)
    output = capsys.readouterr()
    assert output.out == ""
    assert "60 of 60 ECGs are labelled, of 60 persons: 20 positive (33.3%)" in output.err


def test_the_notebooks_files_have_their_columns(hospital):
    cohort.run(hospital)
    assert (hospital.paths.data / "labels.csv").read_text().splitlines()[:2] == ["person_id,ecg_file", "1,1.xml"]
    assert (hospital.paths.data / "labels_with_hf.csv").read_text().splitlines()[:3] == [
        "person_id,ecg_file,hf_outcome",
        "1,1.xml,1",
        "2,2.xml,0",
    ]


def test_the_same_inputs_give_the_same_bytes(hospital):
    cohort.run(hospital)
    before = outputs(hospital)
    cohort.run(hospital)
    assert outputs(hospital) == before


def test_the_written_split_can_be_given_back(hospital):
    cohort.run(hospital)
    before = pl.read_parquet(hospital.paths.data / "cohort.parquet")
    given = hospital.paths.data.parent / "mine.csv"
    shutil.copy(hospital.paths.data / "split.csv", given)
    cohort.run(StudyConfig(paths=hospital.paths, split=SplitConfig(file=given)))
    assert pl.read_parquet(hospital.paths.data / "cohort.parquet").equals(before)


def test_the_provenance_holds_settings_hashes_and_counts(hospital):
    cohort.run(hospital)
    told = json.loads((hospital.paths.data / "cohort.json").read_text())
    records = (hospital.paths.store / "records.parquet").read_bytes()
    assert told["inputs"]["records"] == {"sha256": hashlib.sha256(records).hexdigest(), "num_rows": NUM_PERSONS}
    assert told["settings"]["cohort"]["mode"] == "prevalent"
    assert sum(split["num_ecgs"] for split in told["counts"].values()) == NUM_PERSONS
    assert told["reasons"] == {"hf_on_or_before_index": 20, "no_hf_record": 40}


@pytest.mark.parametrize(
    ("name", "hint"), [("conditions.parquet", "hfrisk labels"), ("hf_outcome.csv", "hfrisk labels"), ("records.parquet", "hfrisk-convert")]
)
def test_a_missing_input_names_the_command_that_makes_it(hospital, name, hint):
    for folder in (hospital.paths.data, hospital.paths.store):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(DataError, match=f"cannot read `.*{name}`") as error:
        cohort.run(hospital)
    assert hint in error.value.hint


def test_a_damaged_input_is_named(hospital):
    (hospital.paths.data / "persons.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"persons\.parquet` is damaged"):
        cohort.run(hospital)


def test_a_failure_leaves_what_was_there(hospital):
    cohort.run(hospital)
    before = outputs(hospital)
    with pytest.raises(DataError, match="has no"):
        cohort.run(StudyConfig(paths=hospital.paths, split=SplitConfig(test_fraction=0.0001)))
    assert outputs(hospital) == before
    assert not [path for path in hospital.paths.data.iterdir() if path.name.endswith(".tmp")]


def test_the_provenance_holds_the_concepts_and_the_queries(hospital):
    (hospital.paths.data / "concept_set.json").write_text('{"concept_ids": [316139], "sha256": "ab"}')
    (hospital.paths.data / "labels_provenance.json").write_text('{"server": "16.2", "queries": [{"sql": "SELECT 1", "num_rows": 3}]}')
    cohort.run(hospital)
    told = json.loads((hospital.paths.data / "cohort.json").read_text())
    assert told["concept_set"] == {"concept_ids": [316139], "sha256": "ab"}
    assert told["database"]["queries"] == [{"sql": "SELECT 1", "num_rows": 3}]
    assert told["hfrisk"]
    assert told["created_at"].endswith("+00:00")


def test_persons_of_an_old_split_stay_when_data_grow(hospital):
    cohort.run(hospital)
    old = pl.read_csv(hospital.paths.data / "split.csv")
    given = hospital.paths.data.parent / "old.parquet"
    old.filter(pl.col("person_id") % 2 == 0).with_columns(split=pl.lit("test")).write_parquet(given)
    with pytest.raises(DataError, match="leaves out 30 of the 60 persons") as error:
        cohort.run(StudyConfig(paths=hospital.paths, split=SplitConfig(file=given)))
    assert "new_persons" in error.value.hint
    cohort.run(StudyConfig(paths=hospital.paths, split=SplitConfig(file=given, new_persons="assign")))
    grown = pl.read_csv(hospital.paths.data / "split.csv")
    assert set(grown.filter(pl.col("person_id") % 2 == 0)["split"]) == {"test"}
    assert grown.filter(pl.col("person_id") % 2 == 1).equals(old.filter(pl.col("person_id") % 2 == 1))


def test_a_cohort_with_a_signal_in_two_splits_is_refused_when_read(hospital):
    cohort.run(hospital)
    path = hospital.paths.data / "cohort.parquet"
    cohort.read_cohort(path)
    pl.read_parquet(path).with_columns(payload_hash=pl.lit(5, dtype=pl.UInt64)).write_parquet(path)
    with pytest.raises(DataError, match="1 signals are in two splits"):
        cohort.read_cohort(path)
