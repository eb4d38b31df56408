"""The main job, end to end on a synthetic hospital: XML and a real PostgreSQL in, an evaluated model out."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

import hfrisk
from hfrisk import cohort, evaluate, labels, report, train
from hfrisk.cohort.files import read_tables
from hfrisk.config import load_config
from hfrisk.convert import convert
from hfrisk.synthetic import make_hospital
from hfrisk.synthetic.database import serve

SETTINGS = ["split.test_fraction=0.35", "evaluate.num_bootstrap=200"]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """A hospital converted, labelled and joined to a cohort."""
    out = tmp_path_factory.mktemp("hospital")
    make_hospital(out, num_patients=450, seed=2)
    convert(out / "datasets/ECG-Registry/1.0.0/1.MAIN", out / "store")
    with serve(out) as dsn, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HFRISK_DSN", dsn)
        config = load_config(out / "study.toml", SETTINGS)
        labels.run(config)
    cohort.run(config)
    return out


def trained_report(hospital, *settings) -> dict:
    config = load_config(hospital / "study.toml", [*SETTINGS, *settings])
    train.run(config)
    evaluate.run(config.paths.run)
    return json.loads((config.paths.run / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def result(hospital):
    return trained_report(hospital)


def test_a_trained_model_is_good_but_not_perfect(result):
    auroc = result["splits"]["test"]["metrics"]["auroc"]
    assert 0.80 <= auroc["value"] <= 0.95
    assert auroc["low"] < auroc["value"] < auroc["high"]


def test_with_permuted_labels_nothing_can_be_learned(hospital, tmp_path):
    frame = pl.read_parquet(hospital / "data" / "cohort.parquet")
    known = frame.filter(pl.col("y").is_not_null())
    permuted = known.with_columns(pl.Series("y", np.random.default_rng(0).permutation(known["y"].to_numpy())))
    assert permuted["y"].sum() == known["y"].sum()
    permuted.write_parquet(tmp_path / "cohort.parquet")
    (tmp_path / "attrition.csv").write_bytes((hospital / "data" / "attrition.csv").read_bytes())
    found = trained_report(hospital, f"paths.data={tmp_path}", f"paths.run={tmp_path / 'run'}", "train.num_epochs=2")
    assert abs(found["splits"]["test"]["metrics"]["auroc"]["value"] - 0.5) <= 0.1


def test_torchrun_trains_it_with_two_processes(hospital, tmp_path):
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hfrisk.train"]
    settings = [*SETTINGS, f"paths.run={run}", "train.num_epochs=1", "train.device=cpu"]
    command = [*launch, "--config", str(hospital / "study.toml"), *(word for setting in settings for word in ("--set", setting))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=240)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count(" done | train loss ") == 1, "said once, by the first process"
    assert torch.load(run / "hf_risk_model.pth", weights_only=True)


def test_the_model_file_loads_without_running_code_and_says_what_it_needs(hospital, result):
    assert result
    model = torch.load(hospital / "run" / "hf_risk_model.pth", weights_only=True)
    text = repr({key: value for key, value in model.items() if key != "model"})
    for wanted in ("aVR", "uV", "hypertension", "mean", "resnet"):
        assert wanted in text


def test_every_defect_of_the_hospital_ends_as_its_table_says(hospital):
    expected = pl.read_csv(hospital / "defects.csv")
    rejected = set(pl.read_parquet(hospital / "store" / "rejected.parquet")["ecg_file"])
    kept = set(hfrisk.open(hospital / "store").records["ecg_file"])
    assert rejected == set(expected.filter(pl.col("outcome") == "rejected")["ecg_file"])
    assert kept >= set(expected.filter(pl.col("outcome") == "converted")["ecg_file"])
    assert kept | rejected == {path.name for path in (hospital / "datasets").rglob("*.xml")}


def test_the_report_stands_alone(hospital, result):
    assert result
    page = report.run(hospital / "run").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']?https?:""", page)
    assert f"{result['splits']['test']['metrics']['auroc']['value']:.3f}" in page


def test_no_name_or_number_of_a_patient_is_in_what_was_made(hospital, result):
    assert result
    report.run(hospital / "run")
    sources = sorted((hospital / "datasets").rglob("*.xml"))[:40]
    tags = rb"<(?:PatientLastName|PatientFirstName|PatientID|DateofBirth|OverreaderLastName)>([^<]{4,})<"
    secrets = {found.strip() for path in sources for found in re.findall(tags, path.read_bytes())}
    assert len(secrets) > 20
    made = [path for folder in ("store", "run") for path in (hospital / folder).rglob("*") if path.is_file()]
    made += [hospital / "data" / "cohort.json", hospital / "data" / "attrition.csv"]
    text = {path: path.read_bytes() for path in made if path.suffix in {".parquet", ".json", ".jsonl", ".html", ".csv", ".toml"}}
    assert [(path.name, secret) for path, content in text.items() for secret in secrets if secret in content] == []


def test_incident_labels_come_from_the_same_hospital(hospital):
    config = load_config(hospital / "study.toml", [*SETTINGS, "cohort.mode=incident", "cohort.horizon_days=1825"])
    made = cohort.build(**read_tables(config), config=config)
    labelled = made.frame.drop_nulls("y")
    event = labelled.filter(pl.col("y") == 1)
    assert 0 < event.height < labelled.height < made.frame.height
    assert event["time_to_event_days"].is_between(31, 1825).all()
    assert (labelled.filter(pl.col("y") == 0, ~pl.col("event_observed"))["time_to_event_days"] >= 1825).all()
    assert set(made.frame.filter(pl.col("y").is_null())["reason"]) & {
        "censored",
        "prior_outcome",
        "event_in_blanking",
        "insufficient_history",
    }
