"""Risks straight from files, beside converting the files and running the model on signals that are in memory already."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import hfrisk
from hfrisk import predict
from hfrisk.checkpoint import model_meta, save_model
from hfrisk.config import ModelConfig, StudyConfig
from hfrisk.convert import convert
from hfrisk.model import build_model
from rounds import read_into_memory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model_path(tmp_path) -> Path:
    """The smallest network of the package with random weights, so that the files weigh as much as they can."""
    torch.manual_seed(0)
    config = ModelConfig(inputs="ecg", encoder="seed_cnn")
    path = tmp_path / "model.pth"
    save_model(
        path,
        build_model(config, num_features=0).eval(),
        model_meta(StudyConfig(model=config), None, prevalence=0.1, fingerprints={}, software={}),
    )
    return path


def test_predict(corpus, model_path, tmp_path, compare):
    """Risks of 512 MUSE files of 145 KB (two cores)"""
    predictor = hfrisk.Predictor.load(model_path, device="cpu")
    out = tmp_path / "store"
    convert(corpus, out)
    signals = hfrisk.open(out).read(np.arange(len(corpus)))

    def apart() -> np.ndarray:
        shutil.rmtree(out)
        convert(corpus, out)
        return predictor(signals)

    ours = predict.run(model_path, corpus, tmp_path / "risks.parquet", device="cpu")
    assert np.sort(ours["risk"].to_numpy()) == pytest.approx(np.sort(apart()), abs=1e-5)
    compare(
        {
            "hfrisk predict": lambda: predict.run(model_path, corpus, tmp_path / "risks.parquet", device="cpu"),
            "convert, then the model on signals in memory": apart,
        },
        items=len(corpus),
        unit="files",
        targets={"convert, then the model on signals in memory": 0.8},
        rounds=5,
        # Benches before this one may have driven the files out of memory, and what comes from the disk is given back to it.
        before=lambda: read_into_memory(corpus),
    )
