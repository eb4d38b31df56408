"""Model files: they load with weights only, describe themselves, and are refused when they do not fit."""

import numpy as np
import pytest
import torch

from hfrisk.checkpoint import SCHEMA, feature_statistics, load_model, load_payload, model_meta, save_atomic, save_model
from hfrisk.config import ModelConfig, StudyConfig
from hfrisk.errors import DataError
from hfrisk.model import build_model
from hfrisk.tabular import FeatureStatistics

STUDY = StudyConfig(model=ModelConfig(width=4, num_stages=2))
STATISTICS = FeatureStatistics.fit(np.array([[1.0, 2.0], [3.0, np.nan]]), ["a", "b"])


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "hf_risk_model.pth"
    torch.manual_seed(0)
    model = build_model(STUDY.model, num_features=STATISTICS.num_encoded)
    save_model(path, model, model_meta(STUDY, STATISTICS, prevalence=0.1))
    return path, model


def tamper(path, **changes):
    payload = torch.load(path, weights_only=True)
    torch.save({**payload, **changes}, path)


def test_a_saved_model_predicts_as_before(saved):
    path, model = saved
    loaded, _ = load_model(path)
    x_BLT, x_BF = torch.randn(2, 12, 5000) * 300, torch.randn(2, 3)  # noqa: N806
    assert torch.equal(loaded(x_BLT, x_BF), model.eval()(x_BLT, x_BF))


def test_a_loaded_model_is_in_evaluation_mode(saved):
    assert not load_model(saved[0])[0].training


def test_the_file_describes_itself_in_plain_types(saved):
    meta = load_model(saved[0])[1]
    assert (meta["schema"], meta["units"], meta["sampling_rate_hz"], meta["prevalence"]) == (SCHEMA, "uV", 500, 0.1)
    assert feature_statistics(meta) == STATISTICS
    assert "paths" not in meta["config"]
    assert "omop" not in meta["config"]


def test_the_previous_file_stands_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_atomic(path, {"schema": SCHEMA, "step": 1})

    def fail(_payload, target):
        target.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_atomic(path, {"schema": SCHEMA, "step": 2})
    assert load_payload(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="no model or checkpoint"):
        load_model(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 half a zip"])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load_model(path)


def test_a_truncated_file_is_refused(saved):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="damaged"):
        load_model(path)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"schema": SCHEMA, "code": print}, tmp_path / "model.pth")
    with pytest.raises(DataError, match="damaged"):
        load_model(tmp_path / "model.pth")


def test_another_schema_is_refused(saved):
    tamper(saved[0], schema=SCHEMA + 1)
    with pytest.raises(DataError, match="schema"):
        load_model(saved[0])


def test_another_lead_order_is_refused(saved):
    tamper(saved[0], lead_order=["II", "I"])
    with pytest.raises(DataError, match="lead_order"):
        load_model(saved[0])


def test_other_features_than_the_weights_are_refused(saved):
    tamper(saved[0], features=FeatureStatistics.fit(np.zeros((2, 5)), list("abcde")).to_dict())
    with pytest.raises(DataError, match="another network"):
        load_model(saved[0])


def test_a_checkpoint_is_no_model(tmp_path):
    save_atomic(tmp_path / "last.pt", model_meta(STUDY, None))
    with pytest.raises(DataError, match="not a model file"):
        load_model(tmp_path / "last.pt")


@pytest.mark.parametrize("content", [b"not a model", b"", b"\x80\x02.", b"PK\x03\x04 cut", b"(lp0\n" * 9])
def test_whatever_is_no_model_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "m.pth").write_bytes(content)
    with pytest.raises(DataError, match="is damaged, or no file of hfrisk"):
        load_model(tmp_path / "m.pth")
