"""Several processes train to what one trains to, stop together, and end together. Each test starts real processes."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from hfrisk.checkpoint import load_payload
from hfrisk.config import TrainConfig
from hfrisk.errors import ConfigError
from hfrisk.train import run
from hfrisk.train.ranks import Ranks
from processes import start


def changed(study, **sections):
    return dataclasses.replace(study, **{name: dataclasses.replace(getattr(study, name), **values) for name, values in sections.items()})


def log_of(study, kind):
    lines = (study.paths.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


@pytest.fixture
def everything(study):
    """All that is random or averaged, except drop-out, whose draws differ between processes."""
    return changed(
        study,
        train={"log_every_steps": 1, "ema_decay": 0.9, "pos_weight": 2.0},
        augment={"time_shift_s": 0.5, "amplitude": 0.2, "noise_uv": 5.0, "wander_uv": 50.0, "lead_dropout": 0.1},
        model={"modality_dropout": 0.2, "dropout": 0.0},
    )


def test_two_processes_train_to_what_one_trains_to_also_after_a_stop(everything, on_disk, tmp_path):
    run(everything)
    double = on_disk(changed(everything, paths={"run": tmp_path / "double"}))
    codes, said = start(tmp_path, "stop", rank=1, at_step=2, size=2)
    assert codes == [0, 0], said
    assert "--resume" in said[0]
    assert not (double.paths.run / "hf_risk_model.pth").exists()
    codes, said = start(tmp_path, size=2)
    assert codes == [0, 0], said
    assert "epoch" not in said[1]
    losses = [[entry["loss"] for entry in log_of(which, "step")] for which in (everything, double)]
    assert losses[1] == pytest.approx(losses[0], rel=2e-4)
    for key in ("validation_loss", "validation_auroc", "train_loss"):
        assert [e[key] for e in log_of(double, "epoch")] == pytest.approx([e[key] for e in log_of(everything, "epoch")], rel=2e-3), key
    weights = [load_payload(which.paths.run / "hf_risk_model.pth")["state_dict"] for which in (everything, double)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-2, atol=2e-3, msg=name)


def test_a_failing_process_ends_the_others_with_a_message(study, on_disk, tmp_path):
    on_disk(study)
    codes, said = start(tmp_path, "fail", rank=1, at_step=2, size=2)
    assert codes == [1, 1], said
    assert "error: process 1 of 2: shard 3 is damaged" in said[1]
    assert "error: process 0 of 2 ends, because another one did" in said[0]
    assert "Traceback" not in "".join(said)


def test_what_is_wrong_for_all_is_said_once(study, on_disk, tmp_path):
    on_disk(study)
    (study.paths.data / "cohort.parquet").unlink()
    codes, said = start(tmp_path, size=2)
    assert codes == [1, 1]
    assert said[0].startswith("error: no cohort at")
    assert said[1] == ""


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="does not divide"):
        Ranks(TrainConfig(batch_size=64, accumulation_steps=3, device="cpu"))


def test_a_device_number_is_refused_among_several_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="a device of its own"):
        Ranks(TrainConfig(device="cuda:0"))


def test_one_process_hears_a_stop_at_once():
    ranks = Ranks(TrainConfig(device="cpu"))
    assert not ranks.wants_stop(asked=False)
    assert ranks.wants_stop(asked=True)
    assert np.array_equal(ranks.gather(3), [3])
