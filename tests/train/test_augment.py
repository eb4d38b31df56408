"""What augmentation changes, what it leaves, and that it is a function of the step."""

import dataclasses

import numpy as np
import pytest
import torch

from hfrisk.config import AugmentConfig
from hfrisk.errors import ConfigError
from hfrisk.train.augment import augment
from hfrisk.train.draws import hashed, key_of, normal, seed_of, uniform

CPU = torch.device("cpu")
ALL = AugmentConfig(time_shift_s=1.0, crop_s=8.0, amplitude=0.3, lead_dropout=0.2, wander_uv=100.0, noise_uv=20.0)


def consistent_batch(num=6):
    """Signals in which III, aVR, aVL and aVF follow from I and II."""
    x_BLT = torch.randn(num, 12, 5000, generator=torch.Generator().manual_seed(0)) * 300  # noqa: N806
    one, two = x_BLT[:, 0], x_BLT[:, 1]
    x_BLT[:, 2:6] = torch.stack([two - one, -(one + two) / 2, one - two / 2, two - one / 2], dim=1)
    return x_BLT


def augmented(x_BLT, settings, *, step=0, first=0):  # noqa: N803
    index_B = torch.arange(first, first + len(x_BLT), dtype=torch.int32)  # noqa: N806
    return augment(x_BLT, key_of(42, step, device=CPU), index_B, settings)


def test_the_hash_is_the_published_one():
    # The finaliser of two multiplications in plain Python, unsigned.
    def finalise(x):
        for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
            x = (x ^ (x >> shift)) * multiplier % 2**32
        return x

    places = [0, 1, 2, 12345, 2**31 - 1, -1, -(2**31)]
    key = key_of(1, 2, 3, device=CPU)
    ours = hashed(key, torch.tensor(places, dtype=torch.int32)).numpy().view(np.uint32)
    assert ours.tolist() == [finalise((finalise(place % 2**32) + int(key)) % 2**32) for place in places]


def test_uniform_numbers_are_uniform_and_differ_between_steps():
    index_B = torch.arange(20_000, dtype=torch.int32)  # noqa: N806
    draws = [uniform(key_of(7, step, device=CPU), index_B, 5) for step in (0, 1)]
    counts = torch.histc(draws[0], 50, 0, 1)
    assert ((counts - 2000).abs() < 5 * 2000**0.5).all()
    assert (draws[0] >= 0).all()
    assert (draws[0] < 1).all()
    correlations = np.corrcoef(np.concatenate([draw.numpy() for draw in draws], axis=1), rowvar=False)
    assert np.abs(correlations - np.eye(10)).max() < 5 / 20_000**0.5


def test_normal_numbers_have_mean_0_and_variance_1():
    values = normal(key_of(7, 0, device=CPU), torch.arange(200_000, dtype=torch.int32))
    assert float(values.mean()) == pytest.approx(0, abs=0.01)
    assert float(values.var()) == pytest.approx(1, abs=0.01)
    assert abs(float((values[1:] * values[:-1]).mean())) < 0.01


def test_seeds_of_different_parts_differ():
    assert len({seed_of(a, b, c) for a in range(8) for b in range(8) for c in range(8)}) == 512
    assert all(0 <= seed_of(a, 2**40) < 2**63 for a in range(100))


def test_an_augmented_batch_is_a_function_of_the_step():
    x_BLT = consistent_batch()  # noqa: N806
    assert torch.equal(augmented(x_BLT, ALL, step=3), augmented(x_BLT, ALL, step=3))
    assert not torch.equal(augmented(x_BLT, ALL, step=3), augmented(x_BLT, ALL, step=4))


def test_a_part_of_a_batch_is_changed_as_within_the_whole():
    x_BLT = consistent_batch()  # noqa: N806
    whole = augmented(x_BLT, ALL)
    assert torch.equal(whole[2:5], augmented(x_BLT[2:5], ALL, first=2))


def test_derived_leads_still_follow_from_the_others():
    x_BLT = augmented(consistent_batch(40), ALL)  # noqa: N806
    one, two = x_BLT[:, 0], x_BLT[:, 1]
    for number, derived in ((2, two - one), (3, -(one + two) / 2), (4, one - two / 2), (5, two - one / 2)):
        torch.testing.assert_close(x_BLT[:, number], derived, atol=1e-3, rtol=1e-4)


def test_nothing_switched_on_changes_nothing():
    x_BLT = consistent_batch()  # noqa: N806
    assert not AugmentConfig().is_on
    assert torch.equal(augmented(x_BLT, AugmentConfig()), x_BLT)


def test_a_shift_moves_all_leads_alike_and_holds_the_edge():
    ramp = torch.arange(5000.0).expand(50, 12, -1)
    moved = augmented(ramp, AugmentConfig(time_shift_s=0.5))
    shift = moved[:, :, 2500] - 2500
    assert (shift == shift[:, :1]).all()
    assert shift.abs().max() <= 250
    assert shift.min() < -150 < 150 < shift.max()
    assert torch.equal(moved, (ramp + shift[:, :, None]).clamp(0, 4999))


def test_a_crop_is_a_window_of_the_recording():
    ramp = torch.arange(5000.0).expand(50, 12, -1)
    cropped = augmented(ramp, AugmentConfig(crop_s=4.0))
    assert cropped.shape == (50, 12, 2000)
    assert (cropped.diff(dim=2) == 1).all()
    assert cropped.min() < 300
    assert cropped.max() > 4700


def test_one_factor_scales_all_leads():
    ratio = augmented(torch.ones(200, 12, 20), AugmentConfig(amplitude=0.25))
    assert torch.allclose(ratio, ratio[:, :1, :1].expand_as(ratio), rtol=1e-4)
    assert 1 / 1.25 - 1e-4 <= ratio.min() < 0.85
    assert 1.2 < ratio.max() <= 1.25 + 1e-4


def test_chest_leads_fall_silent_by_themselves_and_limb_leads_together():
    silent = (augmented(torch.ones(2000, 12, 20), AugmentConfig(lead_dropout=0.3)) == 0).all(dim=2)
    assert (silent[:, :6] == silent[:, :1]).all()
    assert silent[:, 6:].float().mean() == pytest.approx(0.3, abs=0.02)
    assert silent[:, 0].float().mean() == pytest.approx(0.3, abs=0.04)
    assert abs(np.corrcoef(silent[:, 6:].numpy(), rowvar=False) - np.eye(6)).max() < 0.1


def test_wander_is_slow_and_bounded():
    x_BLT = augmented(torch.zeros(100, 12, 5000), AugmentConfig(wander_uv=100.0))  # noqa: N806
    assert 90 < x_BLT[:, 6:].abs().max() <= 100
    power = torch.fft.rfft(x_BLT[:, 6:], dim=2).abs().square().mean(dim=(0, 1))
    assert power[:10].sum() / power.sum() > 0.95  # below 1 Hz


def test_noise_has_its_deviation_and_is_independent_in_the_independent_leads():
    x_BLT = augmented(torch.zeros(4, 12, 5000), AugmentConfig(noise_uv=20.0))  # noqa: N806
    assert float(x_BLT[:, 0].std()) == pytest.approx(20, rel=0.02)
    rows = x_BLT[:, [0, 1, 6, 7, 8, 9, 10, 11]].reshape(32, 5000)
    assert abs(np.corrcoef(rows.numpy()) - np.eye(32)).max() < 0.08


@pytest.mark.parametrize(
    "planted",
    [{"noise_uv": -1.0}, {"lead_dropout": 1.0}, {"time_shift_s": 10.0}, {"crop_s": 0.5}, {"crop_s": 11.0}],
)
def test_an_augmentation_that_leaves_no_recording_is_refused(planted):
    with pytest.raises(ConfigError, match=next(iter(planted))):
        AugmentConfig(**planted)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(AugmentConfig)])
def test_each_change_can_be_switched_on_alone(field):
    settings = AugmentConfig(**{field: getattr(ALL, field)})
    assert settings.is_on
    assert augmented(consistent_batch(2), settings).isfinite().all()
