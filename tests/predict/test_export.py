"""Models for other runtimes give the same risks."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import hfrisk
from hfrisk.cli import app
from hfrisk.errors import ConfigError
from hfrisk.export import run

onnxruntime = pytest.importorskip("onnxruntime")

ROWS = [{"age": 70.0, "diabetes": 1}, {"diabetes": 0}, {"age": 50.0}, {"age": 40.0, "diabetes": 0}]
RAW = np.array([[row.get("age", np.nan), row.get("diabetes", np.nan)] for row in ROWS], dtype=np.float32)


def inputs_of(inputs, signals):
    given = {"signal_uv": signals} if inputs != "tabular" else {}
    return given | ({"features": RAW} if inputs != "ecg" else {})


def risks_of(path, inputs, signals):
    return hfrisk.Predictor.load(path, device="cpu")(signals, tabular=None if inputs == "ecg" else ROWS)


@pytest.mark.parametrize(("inputs", "encoder"), [("ecg", "resnet"), ("both", "resnet"), ("tabular", "resnet"), ("ecg", "seed_cnn")])
def test_onnx_runtime_gives_the_same_risks(make_model, signals, tmp_path, inputs, encoder):
    path = make_model(inputs, encoder=encoder, logit_shift=-0.5)
    run(path, onnx=tmp_path / "m.onnx", torch_program=None)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (risks,) = session.run(None, inputs_of(inputs, signals))
    assert np.abs(risks - risks_of(path, inputs, signals)).max() < 1e-4
    assert risks.std() > 0


def test_a_loaded_torch_program_gives_the_same_risks(make_model, signals, tmp_path):
    path = make_model("both")
    run(path, onnx=None, torch_program=tmp_path / "m.pt2")
    program = torch.export.load(tmp_path / "m.pt2").module()
    risks = program(**{name: torch.from_numpy(value) for name, value in inputs_of("both", signals).items()}).detach().numpy()
    assert np.abs(risks - risks_of(path, "both", signals)).max() < 1e-5


def test_any_number_of_recordings_goes_through_an_exported_model(make_model, signals, tmp_path):
    path = make_model()
    run(path, onnx=tmp_path / "m.onnx", torch_program=None)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (one,), (many,) = (session.run(None, {"signal_uv": given}) for given in (signals[:1], np.tile(signals, (9, 1, 1))))
    assert session.get_inputs()[0].shape == ["batch", 12, 5000]
    assert many[::4] == pytest.approx(np.repeat(one, 9), abs=1e-5)


def test_the_file_says_what_it_wants(make_model, tmp_path):
    run(make_model("both"), onnx=tmp_path / "m.onnx", torch_program=None)
    facts = onnxruntime.InferenceSession(tmp_path / "m.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(facts["hfrisk.features"]) == ["age", "diabetes"]
    assert json.loads(facts["hfrisk.lead_order"])[:3] == ["I", "II", "III"]
    assert json.loads(facts["hfrisk.units"]) == "uV"


def test_exporting_to_nothing_is_a_mistake(make_model):
    with pytest.raises(ConfigError, match="nothing to export"):
        run(make_model(), onnx=None, torch_program=None)


def test_the_command_writes_both(make_model, tmp_path):
    made = CliRunner().invoke(app, ["export", str(make_model()), "--onnx", str(tmp_path / "m.onnx"), "--torch", str(tmp_path / "m.pt2")])
    assert made.exit_code == 0, made.output
    assert {path.name for path in tmp_path.iterdir()} >= {"m.onnx", "m.pt2"}
