"""Attributions, feature importance and the cases that are drawn."""

import numpy as np
import polars as pl
import pytest
import torch
from matplotlib.collections import LineCollection

from hfrisk import plot
from hfrisk.batches import Batch
from hfrisk.config import ModelConfig
from hfrisk.errors import ConfigError, DataError
from hfrisk.explain import attributions, choose_cases, permutation_importance
from hfrisk.model import build_model
from hfrisk.tabular import FeatureStatistics


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def signal_uv():
    return np.random.default_rng(0).normal(0, 100, (2, 12, 5000)).astype(np.float32)


class FromLeadAndFeature(torch.nn.Module):
    """A network whose answer is known: the mean of one lead's first half in mV, plus one feature."""

    def __init__(self, lead):
        super().__init__()
        self.ecg = torch.nn.Identity()
        self.lead = lead
        self.register_buffer("scale", torch.tensor(1e-3))
        self.register_buffer("logit_shift", torch.tensor(0.0))

    def forward(self, x_BLT, x_BF):  # noqa: N803
        logit = (x_BLT * self.scale)[:, self.lead, :2500].mean(dim=1)
        return logit if x_BF is None else logit + x_BF[:, 0]


def test_only_what_a_known_network_reads_is_attributed(signal_uv):
    shared = attributions(FromLeadAndFeature(lead=6), signal_uv, None)
    expected = np.zeros_like(signal_uv)
    expected[:, 6, :2500] = signal_uv[:, 6, :2500] * 1e-3 / 2500
    assert shared == pytest.approx(expected, abs=1e-8)


def test_attributions_sum_up_to_the_change_of_the_logit(signal_uv):
    torch.manual_seed(0)
    model = build_model(ModelConfig(width=8, num_stages=2), num_features=3).eval()
    features = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
    with torch.inference_mode():
        x_BF = torch.from_numpy(features)  # noqa: N806
        change = model(torch.from_numpy(signal_uv), x_BF) - model(torch.zeros(2, 12, 5000), x_BF)
    total = attributions(model, signal_uv, features).sum(axis=(1, 2))
    assert total == pytest.approx(change.numpy(), abs=0.02 * float(change.abs().max()))


def test_a_model_without_an_ecg_has_nothing_to_attribute(signal_uv):
    model = build_model(ModelConfig(inputs="tabular"), num_features=3)
    with pytest.raises(ConfigError, match="reads no ECG"):
        attributions(model, signal_uv, np.zeros((2, 3), np.float32))


class FeaturesOnly(torch.nn.Module):
    """Ranks by the first feature and its indicator, never by the second."""

    ecg = None

    def __init__(self):
        super().__init__()
        self.register_buffer("logit_shift", torch.tensor(0.0))

    def forward(self, _x_BLT, x_BF):  # noqa: N803
        return x_BF[:, 0] + 2 * x_BF[:, 2]


STATISTICS = FeatureStatistics(names=("used", "idle"), means=(0.0, 0.0), stds=(1.0, 1.0), indicators=("used",))


def examples(num=400):
    generator = np.random.default_rng(3)
    persons = np.arange(num) // 2
    values = generator.normal(size=(num // 2, 2))[persons]
    values[generator.random(num // 2)[persons] < 0.2, 0] = np.nan
    features = STATISTICS.encode(values)
    y = (features[:, 0] + 2 * features[:, 2] + generator.normal(0, 0.5, num) > 0.5).astype(np.float32)
    rows = np.arange(num)
    batches = [Batch(None, torch.from_numpy(features[part]), torch.from_numpy(y[part]), rows[part]) for part in np.array_split(rows, 7)]
    return batches, persons


def test_a_feature_that_is_used_ranks_above_one_that_is_not():
    batches, persons = examples()
    used, idle = permutation_importance(FeaturesOnly(), batches, persons, STATISTICS)
    assert (used.feature, idle.feature) == ("used", "idle")
    assert used.low > 0.2
    assert (idle.auroc_drop, idle.low, idle.high) == (0, 0, 0)


def test_shuffling_gives_all_ecgs_of_a_person_the_same_other_value():
    batches, persons = examples()
    seen = []

    class Watching(FeaturesOnly):
        def forward(self, x_BLT, x_BF):  # noqa: N803
            seen.append(x_BF.numpy().copy())
            return super().forward(x_BLT, x_BF)

    permutation_importance(Watching(), batches, persons, STATISTICS, num_repeats=1)
    original, shuffled = seen[:2]
    assert (shuffled[::2] == shuffled[1::2]).all()
    assert sorted(shuffled[::2, 0]) == sorted(original[::2, 0])
    assert (shuffled[:, 1] == original[:, 1]).all()


def test_the_encoder_is_back_in_its_place_afterwards():
    torch.manual_seed(0)
    model = build_model(ModelConfig(width=8, num_stages=1), num_features=3).eval()
    encoder = model.ecg
    batches, persons = examples(40)
    signals = torch.randn(40, 12, 5000)
    full = [Batch(signals[batch.rows], batch.x_BF, batch.y, batch.rows) for batch in batches]
    permutation_importance(model, full, persons, STATISTICS, num_repeats=2)
    assert model.ecg is encoder


def test_cases_are_the_extremes_and_the_most_uncertain_each_of_another_person():
    predictions = pl.DataFrame({"row": range(7), "person_id": [1, 1, 2, 3, 4, 5, 6], "risk": [0.99, 0.98, 0.9, 0.52, 0.3, 0.02, 0.01]})
    chosen = choose_cases(predictions, 2)
    assert dict(chosen.select("case", "row").iter_rows()) == {
        "highest-1": 0, "highest-2": 2, "lowest-1": 6, "lowest-2": 5, "uncertain-1": 3, "uncertain-2": 4
    }  # fmt: skip


def test_a_handful_of_ecgs_is_shared_out_without_repetition():
    chosen = choose_cases(pl.DataFrame({"row": [0, 1], "person_id": [1, 2], "risk": [0.2, 0.7]}), 1)
    assert dict(chosen.select("case", "row").iter_rows()) == {"highest-1": 1, "lowest-1": 0}


def colours_of(figure):
    found = {}
    for collection in figure.axes[0].collections:
        if isinstance(collection, LineCollection) and len(collection.get_segments()):
            found.setdefault(collection.get_gid().removeprefix("attribution-"), []).extend(collection.get_colors()[:, :3].tolist())
    return found


def test_what_raised_the_risk_is_red_and_what_lowered_it_blue(signal_uv):
    attribution = np.zeros((12, 5000), np.float32)
    attribution[6, 2600:2700] = 1  # V1 stands in the third column, 5.0 to 7.5 s
    attribution[7, 2600:2700] = -1
    colours = colours_of(plot.draw_ecg(signal_uv[0], attribution=attribution))
    red, blue = (list(plot.mpl.colors.to_rgb(colour)) for colour in (plot.RAISED, plot.LOWERED))
    assert set(colours) == {"V1", "V2"}
    assert all(colour == red for colour in colours["V1"])
    assert all(colour == blue for colour in colours["V2"])


def test_an_ecg_that_moved_nothing_has_no_colour(signal_uv):
    assert colours_of(plot.draw_ecg(signal_uv[0], attribution=np.zeros((12, 5000), np.float32))) == {}


def test_an_attribution_of_another_shape_is_refused(signal_uv):
    with pytest.raises(DataError, match="does not fit"):
        plot.draw_ecg(signal_uv[0], attribution=np.zeros((12, 4999), np.float32))
