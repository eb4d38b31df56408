"""`hfrisk reproduce RUN`."""

import dataclasses
import json

import polars as pl
import pytest
import torch

from hfrisk import evaluate, reproduce
from hfrisk.checkpoint import load_payload, save_atomic
from hfrisk.errors import ConfigError, DataError
from hfrisk.train import run as train


@pytest.fixture
def finished(study):
    """A run that was trained and evaluated."""
    study = dataclasses.replace(study, evaluate=dataclasses.replace(study.evaluate, num_bootstrap=20))
    train(study)
    evaluate.run(study.paths.run)
    return study.paths.run


def test_a_run_repeats_to_the_last_bit_on_the_same_machine(finished):
    found = reproduce.run(finished)
    assert found.verdict == "identical"
    assert found.has_same_weights
    assert {name for name, _, _ in found.metrics} >= {"auroc", "brier"}
    written = json.loads((finished.with_name("run-reproduced") / "reproduction.json").read_text(encoding="utf-8"))
    assert written["verdict"] == "identical"


@pytest.mark.parametrize("changed", ["cohort", "tabular", "store"])
def test_a_changed_input_is_named_before_anything_is_trained(finished, study, changed):
    path = {
        "cohort": study.paths.data / "cohort.parquet",
        "tabular": study.paths.tabular,
        "store": study.paths.store / "ecg.zarr" / "signals" / "zarr.json",
    }[changed]
    if changed == "cohort":
        pl.read_parquet(path).head(90).write_parquet(path)
    else:
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"changed since the run: {changed}"):
        reproduce.run(finished)
    assert not finished.with_name("run-reproduced").exists()


def test_other_weights_are_told_from_the_same_ones(finished):
    again = finished.with_name("again")
    again.mkdir()
    payload = load_payload(finished / "hf_risk_model.pth")
    report = json.loads((finished / "report.json").read_text(encoding="utf-8"))
    save_atomic(again / "hf_risk_model.pth", payload)
    assert reproduce.compare(finished, again, report, report, {}).verdict == "identical"
    name, weights = next(
        (name, tensor) for name, tensor in payload["state_dict"].items() if tensor.is_floating_point() and tensor.numel() > 1
    )
    payload["state_dict"][name] = torch.nextafter(weights, weights + 1)
    save_atomic(again / "hf_risk_model.pth", payload)
    found = reproduce.compare(finished, again, report, report, {})
    assert (found.verdict, found.has_same_weights) == ("close", False)


def test_figures_that_differ_are_called_different(finished):
    report = json.loads((finished / "report.json").read_text(encoding="utf-8"))
    other = json.loads(json.dumps(report))
    other["splits"]["test"]["metrics"]["auroc"]["value"] -= 0.02
    assert reproduce.compare(finished, finished, report, other, {}).verdict == "different"


def test_another_version_of_a_library_is_noted(finished):
    report = json.loads((finished / "report.json").read_text(encoding="utf-8"))
    found = reproduce.compare(finished, finished, report, report, {"versions": {"torch": "1.0"}})
    assert found.versions["torch"].startswith("1.0 -> ")


def test_a_run_that_was_not_evaluated_is_refused(study):
    train(study)
    with pytest.raises(DataError, match=r"no `report\.json`"):
        reproduce.run(study.paths.run)


def test_a_run_is_not_repeated_over_itself(finished):
    with pytest.raises(ConfigError, match="the run itself"):
        reproduce.run(finished, out=finished)
