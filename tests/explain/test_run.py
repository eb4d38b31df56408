"""`hfrisk explain RUN`."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from hfrisk import explain
from hfrisk.checkpoint import model_meta, save_model
from hfrisk.cli import app
from hfrisk.config import EvaluateConfig, ModelConfig, PathsConfig, StudyConfig, TrainConfig, dump_config
from hfrisk.convert import convert
from hfrisk.errors import DataError
from hfrisk.model import build_model
from hfrisk.tabular import FeatureStatistics
from muse_xml import muse_xml, random_leads


@pytest.fixture
def run_folder(tmp_path):
    """A run of six persons that was evaluated, with a model of random weights."""
    torch.set_num_threads(1)
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "xml").mkdir()
    for number in range(6):
        (tmp_path / "xml" / f"{number}.xml").write_bytes(muse_xml(random_leads(number)))
    convert(tmp_path / "xml", tmp_path / "store")
    pl.DataFrame({"person_id": range(6), "age": [40, 50, 60, 70, 80, 90]}).write_csv(tmp_path / "tabular.csv")
    config = StudyConfig(
        paths=PathsConfig(store=tmp_path / "store", tabular=tmp_path / "tabular.csv", run=folder, data=tmp_path, registry=tmp_path),
        model=ModelConfig(width=8, num_stages=1),
        train=TrainConfig(device="cpu"),
        evaluate=EvaluateConfig(),
    )
    (folder / "config.toml").write_text(dump_config(config), encoding="utf-8")
    statistics = FeatureStatistics(names=("age",), means=(60.0,), stds=(10.0,), indicators=())
    torch.manual_seed(0)
    model = build_model(config.model, num_features=1).eval()
    save_model(folder / "hf_risk_model.pth", model, model_meta(config, statistics, prevalence=0.1, fingerprints={}, software={}))
    risks = np.linspace(0.1, 0.9, 6)
    table = {"row": range(6), "person_id": range(6), "split": "test", "y": [0, 0, 1, 0, 1, 1], "risk": risks, "logit": np.log(risks)}
    pl.DataFrame(table).write_parquet(folder / "predictions.parquet")
    return folder


def test_importance_is_written_and_holds_no_patient(run_folder):
    explain.run(run_folder)
    explained = json.loads((run_folder / "explain.json").read_text(encoding="utf-8"))
    assert [one["feature"] for one in explained["features"]] == ["age"]
    assert set(explained) == {"schema", "num_ecgs", "num_repeats", "features"}


def test_cases_are_drawn_only_on_request(run_folder):
    explain.run(run_folder)
    assert not (run_folder / "cases").exists()
    explain.run(run_folder, with_cases=True)
    assert sorted(path.name for path in (run_folder / "cases").iterdir()) == ["highest-1.svg", "lowest-1.svg", "uncertain-1.svg"]


def test_cases_of_an_earlier_call_do_not_stay(run_folder):
    explain.run(run_folder, with_cases=True, num_cases=2)
    explain.run(run_folder, with_cases=True)
    assert len(list((run_folder / "cases").iterdir())) == 3


def test_a_drawn_case_carries_no_identifier(run_folder):
    explain.run(run_folder, with_cases=True)
    text = (run_folder / "cases" / "highest-1.svg").read_text(encoding="utf-8")
    assert "5.xml" not in text
    assert "DOE" not in text


def test_a_run_that_was_not_evaluated_is_refused(run_folder):
    (run_folder / "predictions.parquet").unlink()
    with pytest.raises(DataError, match="no predictions"):
        explain.run(run_folder)


def test_the_command_prints_the_features(run_folder):
    done = CliRunner().invoke(app, ["explain", str(run_folder)])
    assert done.exit_code == 0, done.output
    assert "age" in done.stdout
