"""The networks: sizes, inputs, scale."""

import pytest
import torch
from torch import nn

from hfrisk.config import ModelConfig
from hfrisk.errors import ConfigError
from hfrisk.model import (
    LEAD_ORDER,
    ECGEncoder,
    SeedCNN,
    XResNet50,
    autocast,
    build_model,
    choose_device,
    num_parameters,
    training_flops,
)
from hfrisk.model.plane import as_plane

TINY = ModelConfig(width=4, num_stages=2)


def batch(num=3, num_features=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(num, 12, 5000, generator=generator) * 300, torch.randn(num, num_features, generator=generator)


def notebook_network(num_features):
    """The original notebooks' layers, written down independently."""
    ecg = nn.Sequential(
        nn.Conv1d(12, 32, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(32, 64, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    )
    tabular = nn.Sequential(nn.Linear(num_features, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    return ecg, tabular, nn.Sequential(nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 1))


def test_the_seed_network_is_the_notebooks():
    model = build_model(ModelConfig(encoder="seed_cnn"), num_features=5)
    ours = [tuple(p.shape) for p in model.parameters()]
    theirs = [tuple(p.shape) for part in notebook_network(5) for p in part.parameters()]
    assert ours == theirs


def test_the_seed_network_computes_what_the_notebooks_compute():
    model = build_model(ModelConfig(encoder="seed_cnn"), num_features=5)
    ecg, tabular, head = notebook_network(5)
    theirs = [p for part in (ecg, tabular, head) for p in part.parameters()]
    with torch.no_grad():
        for mine, other in zip(model.parameters(), theirs, strict=True):
            other.copy_(mine)
    x_BLT, x_BF = batch()  # noqa: N806
    expected = head(torch.cat([ecg(x_BLT / 1000), tabular(x_BF)], dim=1)).squeeze(1)
    torch.testing.assert_close(model(x_BLT, x_BF), expected)


@pytest.mark.parametrize("encoder", ["resnet", "seed_cnn"])
@pytest.mark.parametrize("inputs", ["both", "ecg", "tabular"])
def test_every_network_gives_one_logit_a_recording_from_what_it_reads(encoder, inputs):
    model = build_model(ModelConfig(encoder=encoder, inputs=inputs, width=4, num_stages=2), num_features=5).eval()
    x_BLT, x_BF = batch()  # noqa: N806
    logits = model(x_BLT if inputs != "tabular" else None, x_BF if inputs != "ecg" else None)
    assert logits.shape == (3,)
    assert logits.isfinite().all()


def test_without_tabular_features_both_is_the_ecg():
    assert build_model(TINY, num_features=0).tabular is None


def test_tabular_alone_without_features_is_refused():
    with pytest.raises(ConfigError, match="no tabular features"):
        build_model(ModelConfig(inputs="tabular"), num_features=0)


def test_the_default_network_has_about_a_million_parameters():
    assert 0.2e6 < num_parameters(build_model(ModelConfig(), num_features=10)) < 1.1e6


def test_every_sample_and_lead_reaches_the_logit():
    model = build_model(ModelConfig(inputs="ecg", width=4, num_stages=3), num_features=0).eval()
    x_BLT = batch(1)[0].requires_grad_()  # noqa: N806
    # Through the mean alone: the maximum passes the gradient of one time point only.
    model.ecg.stages(model.ecg.stem(as_plane(x_BLT * model.scale))).mean().backward()
    assert (x_BLT.grad != 0).any(dim=1).float().mean() > 0.99
    assert (x_BLT.grad != 0).any(dim=2).all()


@pytest.mark.parametrize("encoder", [ECGEncoder(width=4, num_stages=4), XResNet50(), SeedCNN()])
def test_encoders_take_any_length_of_signal(encoder):
    assert encoder.eval()(torch.zeros(2, len(LEAD_ORDER), 1237)).shape == (2, 64)


def test_a_training_batch_of_one_is_possible():
    model = build_model(TINY, num_features=5).train()
    assert model(*batch(1)).isfinite().all()


def test_predictions_do_not_depend_on_the_rest_of_the_batch():
    model = build_model(TINY, num_features=5).eval()
    x_BLT, x_BF = batch()  # noqa: N806
    torch.testing.assert_close(model(x_BLT, x_BF)[:1], model(x_BLT[:1], x_BF[:1]))


def test_the_logit_is_scaled_and_then_shifted():
    model = build_model(TINY, num_features=5).eval()
    before = model(*batch())
    model.logit_scale.fill_(0.5)
    model.logit_shift.fill_(-2.0)
    torch.testing.assert_close(model(*batch()), 0.5 * before - 2)


def test_scale_and_shift_are_saved_and_not_trained():
    model = build_model(TINY, num_features=5)
    assert {"scale", "logit_scale", "logit_shift"} <= model.state_dict().keys()
    assert not {"scale", "logit_scale", "logit_shift"} & dict(model.named_parameters()).keys()


def test_a_device_that_is_not_there_is_a_setting_error():
    with pytest.raises(ConfigError, match="does not have"):
        choose_device("cuda:99")


def test_bfloat16_gives_nearly_the_same_logits_in_float32():
    model = build_model(TINY, num_features=5).eval()
    with autocast(torch.device("cpu"), "bfloat16"):
        logits = model(*batch())
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, model(*batch()), atol=0.02, rtol=0.05)


def conv1d_flops(time, num_in, num_out, kernel_size):
    return 2 * time * num_in * num_out * kernel_size


def test_the_operations_of_the_seed_network_are_those_counted_by_hand():
    model = build_model(ModelConfig(encoder="seed_cnn"), num_features=5)
    first, second = conv1d_flops(4996, 12, 32, 5), conv1d_flops(2494, 32, 64, 5)
    dense = 2 * (5 * 64 + 64 * 32 + 96 * 32 + 32)
    # Backward costs twice the forward, but nobody asks for the gradient of the signal or of the features.
    assert training_flops(model, num_features=5) == 2 * first + 3 * second + 3 * dense - 2 * 5 * 64


def test_counting_operations_leaves_the_network_as_it_was():
    model = build_model(TINY, num_features=5)
    training_flops(model, num_features=5)
    assert model(*batch(2)).isfinite().all()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("encoder", ["resnet", "xresnet50", "seed_cnn"])
@pytest.mark.parametrize("inputs", ["both", "ecg", "tabular"])
def test_every_encoder_takes_the_ecg_the_comorbidities_or_both(encoder, inputs):
    model = build_model(ModelConfig(encoder=encoder, inputs=inputs, width=4, num_stages=2), num_features=5).eval()
    x_BLT, x_BF = batch(2)  # noqa: N806
    used = model(x_BLT, x_BF)
    assert used.shape == (2,)
    assert torch.equal(used, model(None if inputs == "tabular" else x_BLT, None if inputs == "ecg" else x_BF))


def test_the_benchmark_network_begins_as_a_stack_of_shortcuts():
    model = XResNet50().eval()
    zeroed = [block.body[-1].weight for block in model.blocks]
    assert len(zeroed) == 16
    assert all((weight == 0).all() for weight in zeroed)


WITH_GAPS = ModelConfig(width=4, num_stages=2, modality_dropout=0.3)


def test_a_model_trained_with_modality_dropout_answers_without_either_input():
    model = build_model(WITH_GAPS, num_features=5).eval()
    x_BLT, x_BF = batch()  # noqa: N806
    answers = [model(x_BLT, x_BF), model(None, x_BF), model(x_BLT, None)]
    assert model.accepts_missing
    assert all(answer.shape == (3,) for answer in answers)
    assert not torch.equal(answers[0], answers[1])


def test_a_hidden_input_counts_as_a_missing_one():
    model = build_model(WITH_GAPS, num_features=5).eval()
    torch.nn.init.normal_(model.absent_ecg)
    torch.nn.init.normal_(model.absent_tabular)
    x_BLT, x_BF = batch()  # noqa: N806
    keep_BM = torch.tensor([[True, True], [False, True], [True, False]])  # noqa: N806
    expected = torch.cat([model(x_BLT[:1], x_BF[:1]), model(None, x_BF[1:2]), model(x_BLT[2:], None)])
    torch.testing.assert_close(model(x_BLT, x_BF, keep_BM), expected)


@pytest.mark.parametrize("settings", [{"inputs": "ecg"}, {"inputs": "tabular"}, {"modality_dropout": 0.0}])
def test_a_model_of_one_input_or_without_modality_dropout_needs_all_it_reads(settings):
    model = build_model(ModelConfig(width=4, num_stages=2, **{"modality_dropout": 0.3, **settings}), num_features=5)
    assert not model.accepts_missing
    with pytest.raises(AssertionError, match="the model reads"):
        model(None, None)


def test_convolutions_run_channels_last_through_the_whole_encoder():
    model = build_model(TINY, num_features=5).eval()
    layouts = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: layouts.append(out.is_contiguous(memory_format=torch.channels_last)))
    model(*batch())
    assert len(layouts) == 7
    assert all(layouts)
