"""One step: what moves the weights, and that nothing in it waits."""

import contextlib
import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hfrisk.batches import Batch
from hfrisk.checkpoint import load_model, load_payload
from hfrisk.config import AugmentConfig, ModelConfig, StudyConfig, TrainConfig
from hfrisk.errors import ConfigError
from hfrisk.model import build_model
from hfrisk.train import run
from hfrisk.train.compiling import choose_mode
from hfrisk.train.ema import MovingAverage
from hfrisk.train.ranks import Ranks
from hfrisk.train.stepper import Stepper

MODEL = ModelConfig(width=4, num_stages=2, dropout=0.0)
WAITS = {"aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal", "aten::nonzero", "aten::allclose"}


def changed(study, **sections):
    return dataclasses.replace(study, **{name: dataclasses.replace(getattr(study, name), **values) for name, values in sections.items()})


def stepper_of(model=MODEL, augment=AugmentConfig(), pos_weight=1.0, **train):  # noqa: B008 - frozen
    config = StudyConfig(
        model=model, augment=augment, train=TrainConfig(**{"batch_size": 8, "device": "cpu", "warmup_fraction": 0.0, **train})
    )
    return Stepper(config, Ranks(config.train), num_features=3, num_steps=20, pos_weight=pos_weight)


def batch_of(num=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x_BLT = torch.randn(num, 12, 5000, generator=generator) * 300  # noqa: N806
    y = (torch.rand(num, generator=generator) < 0.5).float()
    return Batch(x_BLT, torch.randn(num, 3, generator=generator), y, np.arange(num))


class CountWaits(TorchDispatchMode):
    """Count what would make the host wait for a device."""

    def __init__(self):
        super().__init__()
        self.num_waits = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.num_waits += function.name() in WAITS
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def fetches_counted(monkeypatch):
    """Count calls that fetch values from a device."""
    calls = []
    with monkeypatch.context() as patch, CountWaits() as dispatched:
        for name in ("item", "cpu", "tolist", "numpy", "__bool__", "__float__", "__int__"):
            as_written = getattr(torch.Tensor, name)
            patch.setattr(torch.Tensor, name, lambda self, *a, _f=as_written, _n=name, **k: (calls.append(_n), _f(self, *a, **k))[1])
        yield lambda: len(calls) + dispatched.num_waits


def test_steps_fetch_nothing_from_the_device(monkeypatch):
    everything = AugmentConfig(time_shift_s=0.5, amplitude=0.2, lead_dropout=0.1, wander_uv=50.0, noise_uv=5.0)
    model = dataclasses.replace(MODEL, modality_dropout=0.2, dropout=0.1)
    stepper = stepper_of(model, everything, pos_weight=2.0, ema_decay=0.9, accumulation_steps=2)
    parts = [batch_of(4, 0), batch_of(4, 1)]
    with fetches_counted(monkeypatch) as num_fetches:
        for step in range(3):
            stepper.step(parts, step)
        assert num_fetches() == 0
        assert bool(torch.tensor(1.0) > 0)  # the counters see a fetch
        assert num_fetches() > 0


def test_the_loop_fetches_once_a_window(study, monkeypatch):
    fetched = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: (fetched.append(self.shape), tolist(self))[1])
    run(changed(study, train={"num_epochs": 1, "log_every_steps": 2}))
    assert fetched == [(2,), (2,)]


def test_accumulated_parts_move_the_weights_as_the_whole_batch_does():
    # Without normalisation layers, which see one part at a time.
    model = ModelConfig(encoder="seed_cnn")
    whole, parted = stepper_of(model), stepper_of(model, accumulation_steps=2)
    batch = batch_of(8)
    parts = [Batch(batch.x_BLT[part], batch.x_BF[part], batch.y[part], batch.rows[part]) for part in (slice(0, 5), slice(5, 8))]
    losses = [whole.step([batch], 0), parted.step(parts, 0)]
    torch.testing.assert_close(losses[1], losses[0])
    for left, right in zip(whole.model.parameters(), parted.model.parameters(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("clip", "expected"), [(1e-3, 1e-3), (1e6, None)])
def test_gradients_are_clipped_to_the_norm_that_is_set(clip, expected):
    stepper, norms = stepper_of(gradient_clip=clip), []
    stepper.optimizer.register_step_pre_hook(
        lambda *_: norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in stepper.model.parameters() if p.grad is not None])))
    )
    stepper.step([batch_of()], 0)
    assert norms == [pytest.approx(expected, rel=1e-3)] if expected else norms[0] > 1e-2


def test_a_positive_weight_counts_a_positive_that_many_times():
    plain, weighted = stepper_of(), stepper_of(pos_weight=3.0)
    batch = batch_of()
    with torch.no_grad():
        logits = copy.deepcopy(plain.model).train()(batch.x_BLT, batch.x_BF)
    each = torch.nn.functional.softplus(torch.where(batch.y == 1, -logits, logits))
    torch.testing.assert_close(plain.step([batch], 0), each.mean())
    torch.testing.assert_close(weighted.step([batch], 0), (each * torch.where(batch.y == 1, 3.0, 1.0)).mean())


@pytest.mark.parametrize(("pos_weight", "expected"), [(4.0, 4.0), (0.0, None)])
def test_a_weighted_loss_is_corrected_in_the_logits(study, pos_weight, expected):
    run(changed(study, train={"pos_weight": pos_weight, "num_epochs": 1}))
    meta = load_model(study.paths.run / "hf_risk_model.pth")[1]
    odds = meta["prevalence"] / (1 - meta["prevalence"])
    assert meta["calibration"]["prior_shift"] == pytest.approx(-math.log(expected or 1 / odds))


def test_balancing_twice_is_refused():
    with pytest.raises(ConfigError, match="both balance"):
        TrainConfig(sampler="weighted", pos_weight=0.0)


def test_the_average_follows_the_weights_as_its_formula_says():
    model = build_model(MODEL, num_features=3)
    average = MovingAverage(model, 0.5)
    expected = copy.deepcopy(model.head[0].weight.detach())
    for step in range(4):
        with torch.no_grad():
            model.head[0].weight.add_(1.0)
            next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)).num_batches_tracked.add_(1)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.head[0].weight.detach()
    torch.testing.assert_close(average.model.head[0].weight, expected)
    counters = [tensor for name, tensor in average.model.state_dict().items() if name.endswith("num_batches_tracked")]
    assert counters[0] == 4
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


def test_with_an_average_the_average_is_validated_and_exported(study):
    run(changed(study, train={"ema_decay": 0.9}))
    saved = load_payload(max((study.paths.run / "checkpoints").glob("step-*.pt")))
    best = load_payload(study.paths.run / "checkpoints" / "best.pt")
    exported = load_payload(study.paths.run / "hf_risk_model.pth")["state_dict"]
    name = "ecg.stem.0.weight"
    assert torch.equal(exported[name], best["model"][name])
    assert not torch.equal(saved["average"][name], saved["model"][name])
    if best["metrics"]["epoch"] == 1:
        assert torch.equal(best["model"][name], saved["average"][name])


def test_modality_dropout_hides_one_input_of_its_share_and_never_both():
    stepper = stepper_of(dataclasses.replace(MODEL, modality_dropout=0.4))
    keep_BM = torch.cat([stepper._kept(step, torch.arange(500, dtype=torch.int32)) for step in range(8)])  # noqa: N806
    assert keep_BM.any(dim=1).all()
    assert (~keep_BM).float().mean(dim=0).numpy() == pytest.approx([0.2, 0.2], abs=0.03)


def test_drop_out_is_a_function_of_the_step_whatever_was_drawn_before():
    model = dataclasses.replace(MODEL, dropout=0.5)
    losses = []
    for num_drawn in (0, 7):
        stepper = stepper_of(model)
        torch.rand(num_drawn)
        losses.append(stepper.step([batch_of()], 5))
    assert torch.equal(*losses)


def test_compilation_is_chosen_by_device():
    assert choose_mode("auto", torch.device("cpu")) == "off"
    assert choose_mode("full", torch.device("cpu")) == "full"


# Of torch itself, as it imports its compiler and looks at what enters a region.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:The .grad attribute:UserWarning")
@pytest.mark.parametrize("mode", ["regional", "full"])
def test_a_compiled_network_trains_alike_and_keeps_its_names(mode):
    eager = stepper_of()
    torch._dynamo.reset()
    with pytest.MonkeyPatch.context() as patch:
        # Tracing is what is ours to get right; generating code for it takes a minute.
        patch.setattr(
            torch.nn.Module,
            "compile",
            lambda self, **k: setattr(self, "_compiled_call_impl", torch.compile(self._call_impl, backend="aot_eager", **k)),
        )
        compiled = stepper_of(compile=mode)
    compiled._augment = eager._augment
    for step, num in enumerate((8, 8, 3)):  # a short batch runs uncompiled
        batch = batch_of(num, step)
        torch.testing.assert_close(compiled.step([batch], step), eager.step([batch], step), rtol=1e-3, atol=1e-4)
    assert compiled.model.state_dict().keys() == eager.model.state_dict().keys()
