"""`hfrisk cohort`: what it reads and writes."""

import datetime as dt
import hashlib
import json
import shutil

import polars as pl
import pytest

from hfrisk import cohort
from hfrisk.config import PathsConfig, SplitConfig, StudyConfig
from hfrisk.errors import DataError

FILES = ["attrition.csv", "cohort.json", "cohort.parquet", "labels.csv", "labels_with_hf.csv", "split.csv"]
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
    return {name: (study.paths.data / name).read_bytes() for name in FILES}


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
