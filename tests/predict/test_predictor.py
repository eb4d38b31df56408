"""The stable Python interface of a trained model."""

import numpy as np
import polars as pl
import pytest
import torch

import hfrisk
from hfrisk.checkpoint import load_model
from hfrisk.errors import ConfigError, DataError, ParseError


def test_risks_are_those_of_the_network_on_the_parsed_signals(make_model, signals):
    path = make_model(logit_shift=-1.0)
    network, _ = load_model(path)
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(signals), None)).numpy()
    assert hfrisk.Predictor.load(path, device="cpu")(signals) == pytest.approx(expected, rel=1e-5)


def test_a_path_its_bytes_its_recording_and_its_signal_have_the_same_risk(make_model, files):
    predictor = hfrisk.Predictor.load(make_model())
    path = files / "ecg1.xml"
    ecg = hfrisk.parse(path)
    risks = np.array([predictor([given])[0] for given in (path, str(path), path.read_bytes(), ecg)] + [predictor(ecg.signal[None])[0]])
    assert np.ptp(risks) == 0


def test_a_risk_does_not_depend_on_what_stands_beside_it(make_model, signals):
    predictor = hfrisk.Predictor.load(make_model())
    many = np.concatenate([signals] * 20)
    assert predictor(many)[:4] == pytest.approx(predictor(signals), rel=1e-5)


def test_features_are_standardised_by_the_models_own_statistics(make_model, signals, statistics):
    path = make_model("both")
    rows = [{"age": 70.0, "diabetes": 1}, {"diabetes": 0}, {"age": 50.0, "diabetes": 1, "hf_outcome": 1}, {"age": None, "diabetes": 0}]
    encoded = statistics.encode(np.array([[70, 1], [np.nan, 0], [50, 1], [np.nan, 0]], dtype=float))
    network, _ = load_model(path)
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(signals), torch.from_numpy(encoded))).numpy()
    assert hfrisk.Predictor.load(path)(signals, tabular=rows) == pytest.approx(expected, rel=1e-5)


def test_no_recordings_have_no_risks(make_model):
    assert hfrisk.Predictor.load(make_model())([]).shape == (0,)


def test_a_model_with_features_says_which_it_wants(make_model, signals):
    with pytest.raises(ConfigError, match=r"2 tabular features \(age, diabetes\)"):
        hfrisk.Predictor.load(make_model("both"))(signals)


def test_a_model_trained_with_modality_dropout_does_without_the_table(make_model, signals):
    path = make_model("both", modality_dropout=0.2)
    network, _ = load_model(path)
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(signals), None)).numpy()
    assert hfrisk.Predictor.load(path)(signals) == pytest.approx(expected, rel=1e-5)


def test_a_table_without_a_feature_is_refused(make_model, signals):
    with pytest.raises(DataError, match="lacks `diabetes`"):
        hfrisk.Predictor.load(make_model("both"))(signals, tabular=pl.DataFrame({"age": [1.0, 2.0, 3.0, 4.0]}))


def test_a_table_of_another_length_is_refused(make_model, signals):
    with pytest.raises(DataError, match="4 recordings and 1 rows"):
        hfrisk.Predictor.load(make_model("both"))(signals, tabular=[{"age": 1.0, "diabetes": 0}])


@pytest.mark.parametrize("shape", [(4, 12, 2500), (4, 8, 5000), (12, 5000)])
def test_signals_of_another_shape_are_refused(make_model, shape):
    with pytest.raises(DataError, match="expected \\(N, 12, 5000\\)"):
        hfrisk.Predictor.load(make_model())(np.zeros(shape, np.float32))


def test_a_signal_with_gaps_has_no_risk(make_model, signals):
    signals[2, 3, 7] = np.nan
    with pytest.raises(DataError, match="gaps"):
        hfrisk.Predictor.load(make_model())(signals)


def test_a_file_that_is_no_recording_is_named_by_its_kind(make_model, files):
    with pytest.raises(ParseError) as caught:
        hfrisk.Predictor.load(make_model())([files / "broken.xml"])
    assert caught.value.kind == "unsupported_format:html"
