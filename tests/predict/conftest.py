"""A model with random weights, saved as training saves it, and a folder of files for it."""

import numpy as np
import polars as pl
import pytest
import torch

from hfrisk.checkpoint import model_meta, save_model
from hfrisk.config import ModelConfig, StudyConfig
from hfrisk.model import build_model
from hfrisk.tabular import FeatureStatistics
from muse_xml import muse_xml, random_leads


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def statistics():
    return FeatureStatistics(names=("age", "diabetes"), means=(60.0, 0.25), stds=(10.0, 0.5), indicators=("age",))


@pytest.fixture
def make_model(tmp_path, statistics):
    """Save a model that reads `inputs` and give its path."""

    def make(inputs="ecg", *, encoder="resnet", logit_shift=0.0, modality_dropout=0.0):
        torch.manual_seed(7)
        config = ModelConfig(encoder=encoder, inputs=inputs, width=8, num_stages=2, modality_dropout=modality_dropout)
        used = None if inputs == "ecg" else statistics
        model = build_model(config, num_features=0 if used is None else used.num_encoded)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        model.logit_shift.fill_(logit_shift)
        path = tmp_path / f"{inputs}-{encoder}.pth"
        save_model(path, model.eval(), model_meta(StudyConfig(model=config), used, prevalence=0.1, fingerprints={}, software={}))
        return path

    return make


@pytest.fixture
def files(tmp_path):
    """Four recordings and a file that is none."""
    folder = tmp_path / "xml"
    folder.mkdir()
    for number in range(4):
        (folder / f"ecg{number}.xml").write_bytes(muse_xml(random_leads(number)))
    (folder / "broken.xml").write_bytes(b"<html></html>")
    return folder


@pytest.fixture
def by_file(tmp_path):
    """Features by ECG file, one of them missing."""
    path = tmp_path / "by_file.csv"
    table = {"ecg_file": [f"ecg{number}.xml" for number in (3, 2, 1, 0)], "age": [70.0, None, 50.0, 40.0], "diabetes": [1, 0, 1, 0]}
    pl.DataFrame(table).write_csv(path)
    return path


@pytest.fixture
def signals(files):
    import hfrisk

    return np.stack([hfrisk.parse(files / f"ecg{number}.xml").signal for number in range(4)])
