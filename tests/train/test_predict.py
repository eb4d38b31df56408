"""Predictions of a saved model."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from hfrisk.checkpoint import load_model
from hfrisk.errors import ConfigError, DataError
from hfrisk.predict import Predictor, predict_logits
from hfrisk.train import run


def changed(study, **sections):
    """The study with some keys of some sections changed: `changed(study, train={"num_epochs": 3})`."""
    return dataclasses.replace(study, **{name: dataclasses.replace(getattr(study, name), **values) for name, values in sections.items()})


@pytest.mark.parametrize("inputs", ["ecg", "tabular", "both"])
def test_predictions_of_a_saved_model_are_those_of_validation(study, inputs):
    study = changed(study, model={"inputs": inputs})
    run(study)
    cohort = pl.read_parquet(study.paths.data / "cohort.parquet").filter(pl.col("split") == "validation")
    logits = predict_logits(study.paths.run / "hf_risk_model.pth", study, cohort)
    loss = float(np.mean(np.logaddexp(0, logits) - cohort["y"].to_numpy() * logits))
    assert logits.dtype == np.float64
    assert loss == pytest.approx(load_model(study.paths.run / "hf_risk_model.pth")[1]["metrics"]["validation_loss"], rel=1e-6)


def test_predictions_follow_the_order_of_the_frame(study):
    run(study)
    frame = pl.DataFrame({"row": [3, 1, 2], "person_id": [1, 0, 1]})
    path = study.paths.run / "hf_risk_model.pth"
    assert predict_logits(path, study, frame) == pytest.approx(predict_logits(path, study, frame.reverse())[::-1], rel=1e-5)


def test_a_model_refuses_a_tabular_file_without_its_features(study):
    run(study)
    pl.read_csv(study.paths.tabular).drop("age").write_csv(study.paths.tabular)
    with pytest.raises(DataError, match="`age`"):
        predict_logits(study.paths.run / "hf_risk_model.pth", study, pl.DataFrame({"row": [0], "person_id": [0]}))


def test_a_model_trained_with_drop_out_predicts_without_one_input(study):
    run(changed(study, model={"modality_dropout": 0.3}))
    path = study.paths.run / "hf_risk_model.pth"
    frame = pl.read_parquet(study.paths.data / "cohort.parquet")
    whole = predict_logits(path, study, frame)
    for left_out in ("ecg", "tabular"):
        found = predict_logits(path, study, frame, leave_out=left_out)
        assert np.isfinite(found).all()
        assert not np.allclose(found, whole)
    assert len(np.unique(predict_logits(path, study, frame, leave_out="ecg").round(5))) <= frame["person_id"].n_unique()


def test_a_model_that_needs_its_input_says_so(study):
    run(study)
    frame = pl.read_parquet(study.paths.data / "cohort.parquet")
    with pytest.raises(ConfigError, match="needs its input `ecg`"):
        predict_logits(study.paths.run / "hf_risk_model.pth", study, frame, leave_out="ecg")


@pytest.mark.parametrize("modality_dropout", [0.0, 0.3])
def test_without_a_tabular_file_only_a_model_trained_to_do_without_answers(study, modality_dropout):
    study = changed(study, model={"modality_dropout": modality_dropout}, train={"num_epochs": 1})
    run(study)
    path = study.paths.run / "hf_risk_model.pth"
    frame = pl.DataFrame({"row": [0, 1], "person_id": [0, 0]})
    without = changed(study, paths={"tabular": None})
    signals = np.zeros((2, 12, 5000), np.float32)
    if modality_dropout:
        assert np.isfinite(predict_logits(path, without, frame)).all()
        assert np.isfinite(Predictor.load(path, device="cpu")(signals)).all()
        return
    with pytest.raises(ConfigError, match="tabular"):
        predict_logits(path, without, frame)
    with pytest.raises(ConfigError, match="tabular"):
        Predictor.load(path, device="cpu")(signals)
