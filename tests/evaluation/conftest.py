"""A trained run without a training: the files that evaluation reads, and a stand-in for the network."""

import functools
import json
import sys
from datetime import date, timedelta
from types import ModuleType, SimpleNamespace

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

import hfrisk
from hfrisk import evaluate, explain, metrics, report
from hfrisk.config import EvaluateConfig, PathsConfig, StudyConfig, dump_config
from hfrisk.records import RECORDS_SCHEMA

NUM_PERSONS = 400


def beats(seed):
    """Twelve leads in µV with a QRS a second, float32 (12, 5000)."""
    rng = np.random.default_rng(seed)
    phase = (np.arange(5000) / 500) % 1
    beat = 1000 * np.exp(-(((phase - 0.4) / 0.012) ** 2)) + 200 * np.exp(-(((phase - 0.65) / 0.05) ** 2))
    return (rng.uniform(-1, 1.5, (12, 1)) * beat + rng.normal(0, 8, (12, 5000))).astype(np.float32)


def write_records(folder, num_ecgs, z, rng):
    """A records.parquet whose QRS duration tells something about the outcome."""
    folder.mkdir()
    values = {
        "row": np.arange(num_ecgs),
        "age_years": rng.normal(65, 12, num_ecgs),
        "sex": rng.choice(["MALE", "FEMALE"], num_ecgs),
        "device": np.where(np.arange(num_ecgs) < 6, "MAC5K", "MAC55"),
        "qrs_duration_ms": 100 + 8 * z + rng.normal(0, 10, num_ecgs),
    }
    frame = pl.DataFrame(values)
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in RECORDS_SCHEMA.items() if name not in values]
    frame.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in RECORDS_SCHEMA.items()).write_parquet(
        folder / "records.parquet"
    )


def write_run(
    folder,
    monkeypatch,
    *,
    mode="prevalent",
    name="A study",
    logit_of=lambda z: z - 0.2,
    change=lambda cohort: cohort,
    num_bootstrap=40,
    tabular=True,
):
    """Write data and a run folder, and put in a model that predicts `logit_of` the logits by which the outcome was drawn."""
    rng = np.random.default_rng(3)
    num_ecgs = rng.integers(1, 4, NUM_PERSONS)
    person = np.repeat(np.arange(NUM_PERSONS), num_ecgs)
    z = np.repeat(rng.normal(-1.2, 1.3, NUM_PERSONS), num_ecgs)
    y = np.repeat(rng.random(NUM_PERSONS), num_ecgs) < 1 / (1 + np.exp(-z))
    split = np.repeat(rng.choice(["train", "validation", "test"], NUM_PERSONS, p=[0.5, 0.2, 0.3]), num_ecgs)
    cohort = pl.DataFrame(
        {
            "row": np.arange(len(person)),
            "ecg_file": [f"MUSE_{i}.xml" for i in range(len(person))],
            "person_id": 90_000_000 + person,
            "index_date": pl.Series(date(2015, 1, 1) + timedelta(days=int(days)) for days in rng.integers(0, 1800, len(person))),
            "y": pl.Series(y).cast(pl.Int8),
            "split": split,
        }
    )
    write_records(folder / "store", len(person), z, rng)
    pl.DataFrame(
        {
            "person_id": 90_000_000 + np.arange(NUM_PERSONS),
            "diabetes": rng.integers(0, 2, NUM_PERSONS),
            "atrial_fibrillation": rng.integers(0, 2, NUM_PERSONS),
            "creatinine": np.where(rng.random(NUM_PERSONS) < 0.9, rng.normal(1, 0.2, NUM_PERSONS), np.nan),
        }
    ).fill_nan(None).write_csv(folder / "tabular.csv")
    data, run = folder / "data", folder / "run"
    data.mkdir()
    run.mkdir()
    change(cohort).write_parquet(data / "cohort.parquet")
    (data / "attrition.csv").write_text(
        "step,rule,num_ecgs,num_persons,removed_ecgs,removed_persons\n"
        "0,all recordings in the store,1500,600,0,0\n"
        "1,person unknown to the database <or> masked,802,400,698,200\n",
        encoding="utf-8",
    )
    config = StudyConfig(
        name=name,
        paths=PathsConfig(store=folder / "store", registry=folder, data=data, run=run, tabular=folder / "tabular.csv" if tabular else None),
        evaluate=EvaluateConfig(num_bootstrap=num_bootstrap),
    )
    (run / "config.toml").write_text(dump_config(config).replace('mode = "prevalent"', f'mode = "{mode}"'), encoding="utf-8")
    (run / "run.json").write_text(json.dumps({"seed": 42, "hashes": {"cohort": "12ab"}, "git_revision": None}), encoding="utf-8")
    epochs = [{"epoch": e, "train_loss": 0.6 / (e + 1), "validation_loss": 0.5 + 0.01 * e, "validation_auroc": 0.8} for e in range(6)]
    steps = [{"epoch": 0, "step": 1, "loss": 0.7}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(e) + "\n" for e in [*steps, *epochs]) + '{"epoch": 6, "tra', encoding="utf-8")
    (run / "hf_risk_model.pth").write_bytes(b"stand-in")
    stand_in = ModuleType("hfrisk.predict")
    stand_in.predict_logits = lambda _model, _config, frame: logit_of(z[frame["row"].to_numpy()])
    stand_in.recalibration_of = lambda _model: metrics.Recalibration("platt", 0.8, -0.3)
    monkeypatch.setitem(sys.modules, "hfrisk.predict", stand_in)
    monkeypatch.setattr(explain, "explain_cases", lambda _folder, _cases, _signals: None)
    store = SimpleNamespace(read=lambda rows: np.stack([beats(row) for row in rows]))
    monkeypatch.setitem(vars(hfrisk), "open", lambda _path: store)
    return run


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Small tables: the threads of the boosting would only wait for each other."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture
def trained_run(tmp_path, monkeypatch):
    """Return a function that writes a run and gives its folder; its keywords are those of `write_run`."""
    return functools.partial(write_run, tmp_path, monkeypatch)


@pytest.fixture(scope="package")
def page_path(tmp_path_factory):
    """The page of one evaluated run, made once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = write_run(tmp_path_factory.mktemp("page"), monkeypatch)
        evaluate.run(run)
        return report.run(run)


@pytest.fixture(scope="package")
def page(page_path):
    return page_path.read_text(encoding="utf-8")
