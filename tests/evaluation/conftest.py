"""A trained run without a training: the files that evaluation reads, and a stand-in for the network."""

import functools
import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import polars as pl
import pytest

import hfrisk
from hfrisk import evaluate, report
from hfrisk.config import EvaluateConfig, PathsConfig, StudyConfig, dump_config

NUM_PERSONS = 400


def beats(seed):
    """Twelve leads in µV with a QRS a second, float32 (12, 5000)."""
    rng = np.random.default_rng(seed)
    phase = (np.arange(5000) / 500) % 1
    beat = 1000 * np.exp(-(((phase - 0.4) / 0.012) ** 2)) + 200 * np.exp(-(((phase - 0.65) / 0.05) ** 2))
    return (rng.uniform(-1, 1.5, (12, 1)) * beat + rng.normal(0, 8, (12, 5000))).astype(np.float32)


def write_run(
    folder, monkeypatch, *, mode="prevalent", name="A study", logit_of=lambda z: z - 0.2, change=lambda cohort: cohort, num_bootstrap=40
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
            "y": pl.Series(y).cast(pl.Int8),
            "split": split,
        }
    )
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
        paths=PathsConfig(store=folder / "store", registry=folder, data=data, run=run),
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
    monkeypatch.setitem(sys.modules, "hfrisk.predict", stand_in)
    store = SimpleNamespace(read=lambda rows: np.stack([beats(row) for row in rows]))
    monkeypatch.setitem(vars(hfrisk), "open", lambda _path: store)
    return run


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
