"""A made-up study: a store whose positives can be told by V1, a cohort, a tabular file."""

import json

import numpy as np
import polars as pl
import pytest
import torch

import hfrisk
from fake_store import FakeStore
from hfrisk.config import ModelConfig, PathsConfig, StudyConfig, TrainConfig, dump_config

NUM_ROWS = 96


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny tensors: threads would only wait for each other
    yield
    torch.set_num_threads(before)


@pytest.fixture
def store(monkeypatch, tmp_path):
    folder = tmp_path / "store" / "ecg.zarr" / "signals"
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text("{}", encoding="utf-8")
    fake = FakeStore(np.random.default_rng(0).random(NUM_ROWS) < 0.4, folder)
    monkeypatch.setitem(vars(hfrisk), "open", lambda _path, **_settings: fake)
    return fake


@pytest.fixture
def study(tmp_path, store):
    """A study of 96 ECGs of 48 persons, with a tabular file whose `age` says nothing."""
    generator = np.random.default_rng(1)
    persons = np.arange(NUM_ROWS) // 2
    split = np.select([persons % 4 == 3, persons % 8 == 2], ["validation", "test"], "train")
    data = tmp_path / "data"
    data.mkdir()
    pl.DataFrame({"row": np.arange(NUM_ROWS), "person_id": persons, "y": store.outcomes.astype(np.int8), "split": split}).write_parquet(
        data / "cohort.parquet"
    )
    age = generator.normal(60, 10, 48)
    age[5] = np.nan
    pl.DataFrame({"person_id": range(48), "age": age, "diabetes": generator.integers(0, 2, 48), "hf_outcome": [0, 1] * 24}).fill_nan(
        None
    ).write_csv(tmp_path / "tabular.csv")
    return StudyConfig(
        paths=PathsConfig(
            store=tmp_path / "store", registry=tmp_path / "registry", data=data, tabular=tmp_path / "tabular.csv", run=tmp_path / "run"
        ),
        model=ModelConfig(width=8, num_stages=2, dropout=0.1),
        train=TrainConfig(num_epochs=2, batch_size=16, learning_rate=1e-2, device="cpu", log_every_steps=2, patience=0),
    )


@pytest.fixture
def on_disk(store, tmp_path):
    """Write a study down as other processes find it; see `processes.start`."""
    (tmp_path / "outcomes.json").write_text(json.dumps(store.outcomes.tolist()), encoding="utf-8")

    def write(study):
        (tmp_path / "study.toml").write_text(dump_config(study), encoding="utf-8")
        return study

    return write
