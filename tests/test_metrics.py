"""Metrics against scikit-learn, SciPy, closed forms and a bootstrap that copies rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from hfrisk import metrics
from hfrisk.errors import DataError


def study(*, num_ecgs=400, num_persons=150, seed=0, slope=1.0, shift=0.0, decimals=1):
    """Labels, logits with ties, and persons with several ECGs each."""
    rng = np.random.default_rng(seed)
    person = rng.integers(num_persons, size=num_ecgs)
    logit = np.round(rng.normal(-1, 1.2, num_ecgs), decimals)
    y = (rng.random(num_ecgs) < expit(shift + slope * logit)).astype(np.int8)
    return y, logit, person


@st.composite
def labelled_scores(draw):
    size = draw(st.integers(2, 60))
    y = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size).filter(lambda labels: 0 < sum(labels) < len(labels)))
    score = draw(st.lists(st.integers(-6, 6), min_size=size, max_size=size))
    return np.array(y), np.array(score) / 2


@given(labelled_scores())
@settings(max_examples=100, deadline=None)
def test_auroc_counts_pairs_that_are_in_order(sample):
    y, score = sample
    above = score[y == 1][:, None] - score[y == 0][None, :]
    assert metrics.auroc(y, score) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())


@given(labelled_scores(), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_the_weighted_metrics_of_a_draw_equal_those_of_scikit_learn(sample, seed):
    y, logit = sample
    weights = np.random.default_rng(seed).integers(0, 3, y.size).astype(float)
    weights[[np.argmax(y == 0), np.argmax(y == 1)]] += 1
    statistic = metrics.RiskStatistics(y, logit)
    found = dict(zip(statistic.names, statistic.draw(weights), strict=True))
    assert found["auroc"] == pytest.approx(roc_auc_score(y, logit, sample_weight=weights))
    assert found["auprc"] == pytest.approx(average_precision_score(y, logit, sample_weight=weights))
    assert found["brier"] == pytest.approx(brier_score_loss(y, expit(logit), sample_weight=weights))
    assert found["auprc_ratio"] == pytest.approx(found["auprc"] / np.average(y, weights=weights))
    assert found["observed_to_expected"] == pytest.approx(weights @ y / (weights @ expit(logit)))


@given(labelled_scores())
@settings(max_examples=50, deadline=None)
def test_calibration_in_the_large_is_the_root_of_the_mean_risk(sample):
    y, logit = sample
    root = brentq(lambda shift: np.mean(expit(logit + shift) - y), -30, 30, xtol=1e-10)
    assert metrics.calibration_intercept(y, logit) == pytest.approx(root, abs=1e-5)


@pytest.mark.parametrize(("slope", "shift"), [(1, 0), (0.4, 0.3), (2.5, -1)])
def test_the_calibration_slope_is_that_of_maximum_likelihood(slope, shift):
    y, logit, _ = study(slope=slope, shift=shift)

    def negative_log_likelihood(parameters):
        linear = parameters[0] + parameters[1] * logit
        return np.sum(np.logaddexp(0, linear) - y * linear)

    best = minimize(negative_log_likelihood, [0.0, 1.0], method="BFGS", options={"gtol": 1e-6})
    assert metrics.calibration_slope(y, logit) == pytest.approx(best.x[1], abs=1e-4)


def test_overconfident_risks_have_a_slope_below_one():
    y, logit, _ = study(num_ecgs=20_000)
    assert metrics.calibration_slope(y, 2 * logit) == pytest.approx(0.5, abs=0.03)


def test_risks_that_are_all_too_low_have_an_intercept_above_zero():
    y, logit, _ = study(num_ecgs=20_000)
    assert metrics.calibration_intercept(y, logit - 1) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("logit", [[-1.0, -2, 1, 2], [0.5, 0.5, 0.5, 0.5]], ids=["separated", "constant"])
def test_a_slope_that_the_data_do_not_determine_is_not_a_number(logit):
    assert np.isnan(metrics.calibration_slope([0, 0, 1, 1], logit))


def test_giving_everybody_the_prevalence_has_no_brier_skill():
    y = np.array([0, 0, 0, 1])
    assert metrics.brier(y, np.full(4, 0.25)) == pytest.approx(0.25 * 0.75)
    assert metrics.brier_skill(y, np.full(4, 0.25)) == pytest.approx(0)


def test_certainty_that_is_right_has_full_brier_skill():
    assert metrics.brier_skill([0, 1, 1], [0, 1, 1]) == 1


def test_wilson_equals_the_interval_of_scipy():
    low, high = metrics.wilson([0, 3, 50], [10, 40, 50])
    oracles = [binomtest(k, n).proportion_ci(method="wilson") for k, n in ((0, 10), (3, 40), (50, 50))]
    assert low == pytest.approx([ci.low for ci in oracles], abs=1e-12)
    assert high == pytest.approx([ci.high for ci in oracles], abs=1e-12)


def test_the_calibration_curve_puts_every_ecg_in_one_bin_and_equal_risks_together():
    y, logit, _ = study(num_ecgs=1000)
    curve = metrics.calibration_curve(y, expit(logit))
    assert curve.num_ecgs.sum() == 1000
    assert len(curve.num_ecgs) == 10
    assert curve.predicted @ curve.num_ecgs / 1000 == pytest.approx(expit(logit).mean())
    assert curve.observed @ curve.num_ecgs / 1000 == pytest.approx(y.mean())
    assert (np.diff(curve.predicted) > 0).all()
    assert len(metrics.calibration_curve([0, 1, 1], [0.5, 0.5, 0.5]).num_ecgs) == 1


def test_the_area_under_the_thinned_roc_curve_is_the_auroc():
    y, logit, _ = study(num_ecgs=30_000, decimals=6)
    curve = metrics.roc(y, logit, max_points=400)
    assert len(curve.x) <= 400
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(metrics.auroc(y, logit), abs=2e-3)


def test_the_area_under_the_thinned_precision_recall_curve_is_the_auprc():
    y, logit, _ = study(num_ecgs=30_000, decimals=6)
    curve = metrics.precision_recall(y, logit, max_points=400)
    assert len(curve.x) <= 400
    assert (curve.x[0], curve.x[-1]) == (0, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(metrics.auprc(y, logit), abs=3e-3)


def test_the_bootstrap_equals_one_that_copies_the_rows_of_the_drawn_persons():
    y, logit, person = study(num_ecgs=120, num_persons=40)
    found = metrics.estimates(y, logit, person, num_resamples=60, seed=7)
    rng = np.random.default_rng(7)
    people = np.unique(person)
    drawn = []
    for _ in range(60):
        rows = np.concatenate([np.flatnonzero(person == people[i]) for i in rng.integers(len(people), size=len(people))])
        drawn.append((roc_auc_score(y[rows], logit[rows]), average_precision_score(y[rows], logit[rows]), y[rows].mean()))
    for name, column in zip(("auroc", "auprc", "prevalence"), np.transpose(drawn), strict=True):
        assert (found[name].low, found[name].high) == pytest.approx(np.percentile(column, (2.5, 97.5)))


def test_the_estimates_are_those_of_the_single_functions():
    y, logit, person = study()
    found = metrics.estimates(y, logit, person, num_resamples=20)
    assert found["auroc"].value == pytest.approx(metrics.auroc(y, logit))
    assert found["auprc"].value == pytest.approx(metrics.auprc(y, logit))
    assert found["brier_skill"].value == pytest.approx(metrics.brier_skill(y, expit(logit)))
    assert found["calibration_slope"].value == pytest.approx(metrics.calibration_slope(y, logit))
    assert found["calibration_intercept"].value == pytest.approx(metrics.calibration_intercept(y, logit))
    assert found["ici"].value == pytest.approx(metrics.ici(y, logit))
    # The ICI is a mean of distances, which resampling noise can only lengthen.
    assert all(estimate.low <= estimate.value <= estimate.high for name, estimate in found.items() if name != "ici")


def test_copies_of_one_persons_ecg_do_not_narrow_the_intervals():
    y, logit, person = study(num_ecgs=150, num_persons=100_000)
    once = metrics.estimates(y, logit, person, num_resamples=200)["auroc"]
    copied = metrics.estimates(np.tile(y, 5), np.tile(logit, 5), np.tile(person, 5), num_resamples=200)["auroc"]
    assert copied.high - copied.low == pytest.approx(once.high - once.low)


def test_the_same_seed_gives_the_same_intervals():
    y, logit, person = study()
    assert metrics.estimates(y, logit, person, num_resamples=30, seed=1) == metrics.estimates(y, logit, person, num_resamples=30, seed=1)
    assert metrics.estimates(y, logit, person, num_resamples=30, seed=1) != metrics.estimates(y, logit, person, num_resamples=30, seed=2)


def test_resamples_without_a_positive_are_left_out():
    found = metrics.estimates([1, 0, 0, 0], [2.0, 0, 1, -1], ["a", "b", "c", "d"], num_resamples=200)
    assert 0 < found["prevalence"].low <= found["prevalence"].high < 1


def test_text_person_ids_are_as_good_as_numbers():
    y, logit, person = study()
    names = np.char.zfill(person.astype(str), 6)
    assert metrics.estimates(y, logit, names, num_resamples=20) == metrics.estimates(y, logit, person, num_resamples=20)


@pytest.mark.parametrize(
    ("y", "score", "message"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3], "no positive among 3"),
        ([1, 1], [0.1, 0.2], "no negative among 2"),
        ([0, 1], [0.1, np.nan], "1 of 2 scores are not finite"),
        ([0, 2], [0.1, 0.2], "neither 0 nor 1"),
        ([0, 1], [0.1], "shape"),
        ([], [], "no positive among 0"),
    ],
)
@pytest.mark.parametrize("metric", [metrics.auroc, metrics.auprc, metrics.brier, metrics.calibration_slope, metrics.roc])
def test_what_cannot_be_measured_is_refused_with_a_hint(metric, y, score, message):
    with pytest.raises(DataError, match=message) as caught:
        metric(y, score)
    assert caught.value.hint


def test_a_missing_person_id_is_refused():
    with pytest.raises(DataError, match="2 labels but 1 person ids"):
        metrics.estimates([0, 1], [0.1, 0.2], [5])
