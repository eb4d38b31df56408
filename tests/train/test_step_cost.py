"""What one step costs beyond its arithmetic: conversions, layout changes, graph breaks and small kernels."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hfrisk.batches import Batch
from hfrisk.config import AugmentConfig, ModelConfig, StudyConfig, TrainConfig
from hfrisk.model import autocast, build_model
from hfrisk.train.augment import augment
from hfrisk.train.draws import key_of
from hfrisk.train.ema import MovingAverage
from hfrisk.train.ranks import Ranks
from hfrisk.train.stepper import Stepper

ENCODERS = ("seed_cnn", "resnet", "xresnet50")
CPU = torch.device("cpu")
PRODUCTS = {"aten::convolution", "aten::convolution_backward", "aten::mm", "aten::addmm", "aten::bmm"}
COPIES = {"aten::clone", "aten::copy_", "aten::_to_copy"}
NUM, NUM_SAMPLES = 4, 2000


class Recorder(TorchDispatchMode):
    """Note every operation with its first tensor."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        self.seen.append((function.name(), tensors[0] if tensors else None))
        return function(*args, **(kwargs or {}))

    def types_of_products(self):
        return {tensor.dtype for name, tensor in self.seen if name in PRODUCTS}

    def copies_of_signals(self):
        """Copies of whole batches in the shape of the network's planes, (B, C, 1, T)."""
        return [tensor for name, tensor in self.seen if name in COPIES and tensor.ndim == 4 and len(tensor) == NUM and tensor.shape[3] > 1]


def batch():
    generator = torch.Generator().manual_seed(0)
    x_BLT = torch.randn(NUM, 12, NUM_SAMPLES, generator=generator) * 300  # noqa: N806
    return Batch(x_BLT, torch.randn(NUM, 3, generator=generator), torch.tensor([0.0, 1.0, 0.0, 1.0]), range(NUM))


def recorded_step(encoder, precision):
    model = ModelConfig(encoder=encoder, width=8, num_stages=2, modality_dropout=0.1)
    config = StudyConfig(model=model, train=TrainConfig(batch_size=NUM, device="cpu", precision=precision, ema_decay=0.9))
    stepper = Stepper(config, Ranks(config.train), num_features=3, num_steps=2, pos_weight=1.0)
    with Recorder() as recorder:
        stepper.step([batch()], 0)
    return recorder


@pytest.mark.parametrize("encoder", ENCODERS)
def test_in_bfloat16_no_convolution_or_product_of_a_step_is_computed_in_float32(encoder):
    assert recorded_step(encoder, "bfloat16").types_of_products() == {torch.bfloat16}


def test_the_recorder_sees_products_in_float32():
    assert recorded_step("resnet", "float32").types_of_products() == {torch.float32}


@pytest.mark.parametrize("encoder", ["resnet", "xresnet50"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_batch_changes_its_layout_once_on_its_way_in_and_never_again(encoder, precision):
    assert [tensor.shape[1] for tensor in recorded_step(encoder, precision).copies_of_signals()] == [12]


# Of torch itself, as it imports its compiler and looks at what enters a region.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:The .grad attribute:UserWarning")
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_network_is_traced_in_one_graph(encoder):
    torch._dynamo.reset()
    model = build_model(ModelConfig(encoder=encoder, width=8, num_stages=2, modality_dropout=0.1), num_features=3)
    traced = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    keep_BM = torch.ones(NUM, 2, dtype=torch.bool)  # noqa: N806
    with autocast(CPU, "bfloat16"):
        assert traced(batch().x_BLT, batch().x_BF, keep_BM).shape == (NUM,)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_all_augmentation_is_traced_in_one_graph():
    torch._dynamo.reset()
    everything = AugmentConfig(time_shift_s=0.5, crop_s=3.0, amplitude=0.2, lead_dropout=0.1, wander_uv=50.0, noise_uv=5.0)
    arguments = (batch().x_BLT, key_of(1, 2, device=CPU), torch.arange(NUM, dtype=torch.int32), everything)
    traced = torch.compile(augment, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(traced(*arguments), augment(*arguments))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_weights_move_with_one_kernel_for_each_kind_of_decay(encoder):
    names = [name for name, _ in recorded_step(encoder, "float32").seen]
    assert names.count("aten::_fused_adamw_") == 2
    assert not [name for name in names if "addcdiv" in name or "addcmul" in name]  # what an optimiser that is not fused is made of


@pytest.mark.parametrize("num_stages", [1, 3])
def test_the_average_moves_with_two_kernels_whatever_the_depth(num_stages):
    model = build_model(ModelConfig(width=4, num_stages=num_stages), num_features=3)
    average = MovingAverage(model, 0.5)
    with Recorder() as recorder:
        average.update(0)
    assert len([name for name, _ in recorder.seen if not name.startswith("profiler::")]) == 2
