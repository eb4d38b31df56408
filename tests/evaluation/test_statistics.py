"""Numbers at thresholds, flexible calibration, differences and recalibration against independent computations."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import norm, rankdata
from sklearn.metrics import confusion_matrix, roc_auc_score

from hfrisk import metrics
from hfrisk.errors import DataError
from hfrisk.metrics import calibration


def study(*, num_ecgs=600, num_persons=250, seed=0, slope=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    person = rng.integers(num_persons, size=num_ecgs)
    score = rng.normal(-1, 1.2, num_ecgs)
    y = (rng.random(num_ecgs) < expit(shift + slope * score)).astype(np.int8)
    return y, score, person


def maximum_likelihood(design, y):
    def loss(beta):
        linear = design @ beta
        return np.sum(np.logaddexp(0, linear) - y * linear)

    def gradient(beta):
        return (expit(design @ beta) - y) @ design

    return minimize(loss, np.zeros(design.shape[1]), jac=gradient, method="BFGS", options={"gtol": 1e-7}).x


def natural_cubic_spline(x, knots):
    """An independent basis of the same space: cardinal natural splines, continued as straight lines."""
    spline = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    slopes = spline.derivative()
    inside = spline(np.clip(x, knots[0], knots[-1]))
    below, above = np.minimum(x - knots[0], 0)[:, None], np.maximum(x - knots[-1], 0)[:, None]
    return inside + below * slopes(knots[0]) + above * slopes(knots[-1])


def named(statistic, values):
    return dict(zip(statistic.names, values, strict=True))


def test_the_flexible_curve_is_the_likeliest_natural_cubic_spline():
    y, score, _ = study(slope=0.6, shift=0.4)
    knots = np.quantile(score, (0.05, 0.35, 0.65, 0.95))
    oracle = expit(natural_cubic_spline(score, knots) @ maximum_likelihood(natural_cubic_spline(score, knots), y))
    assert metrics.ici(y, score) == pytest.approx(np.abs(oracle - expit(score)).mean(), abs=1e-5)
    curve = metrics.FlexibleCurve(y, score)
    order = np.argsort(score)
    expected = np.interp(curve.predicted, expit(score)[order], oracle[order])
    assert curve.point() == pytest.approx(expected, abs=3e-3)


def test_few_events_bend_the_flexible_curve_at_fewer_knots():
    score = np.linspace(-3, 3, 200)
    assert calibration.spline_knots(score, num_events=49).size == 3
    assert calibration.spline_knots(score, num_events=50).size == 4
    assert calibration.spline_knots(np.zeros(200), num_events=50).size == 0


def test_perfectly_calibrated_risks_have_little_calibration_error_and_shifted_ones_have_theirs():
    y, score, _ = study(num_ecgs=60_000)
    assert metrics.ici(y, score) < 0.01
    assert metrics.ece(y, expit(score)) < 0.01
    shifted = np.abs(expit(score + 1) - expit(score)).mean()
    assert metrics.ici(y, score + 1) == pytest.approx(shifted, abs=0.01)
    assert metrics.ece(y, expit(score + 1)) == pytest.approx(shifted, abs=0.01)


def test_the_expected_calibration_error_weighs_the_bins_of_the_curve():
    y = np.array([0, 1, 0, 0, 1, 1])
    risk = np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9])
    assert metrics.ece(y, risk, num_bins=2) == pytest.approx((abs(1 / 3 - 0.1) + abs(2 / 3 - 0.9)) / 2)


def test_the_numbers_at_a_threshold_are_those_of_the_confusion_matrix():
    y, score, _ = study()
    statistic = metrics.RiskStatistics(y, score, thresholds=[0.2, 0.5])
    found = named(statistic, statistic.point())
    for index, threshold in enumerate((0.2, 0.5)):
        (tn, fp), (fn, tp) = confusion_matrix(y, expit(score) >= threshold)
        expected = (tp / (tp + fn), tn / (tn + fp), tp / (tp + fp), tn / (tn + fn), (tp + fp) / y.size, (tp + fp) / tp)
        assert [found[f"{name}@{index}"] for name in metrics.AT_THRESHOLD] == pytest.approx(expected)


def test_a_threshold_that_flags_nobody_has_no_predictive_value_and_full_specificity():
    y, score, _ = study()
    statistic = metrics.RiskStatistics(y, score, thresholds=[1.0])
    found = named(statistic, statistic.point())
    assert (found["sensitivity@0"], found["specificity@0"], found["flagged@0"]) == (0, 1, 0)
    assert np.isnan(found["ppv@0"])
    assert np.isnan(found["number_needed_to_screen@0"])


def test_the_net_benefit_is_that_of_its_definition():
    y, score, _ = study()
    cuts = np.array([0.05, 0.3])
    statistic = metrics.RiskStatistics(y, score, benefit_thresholds=cuts)
    found = named(statistic, statistic.point())
    for index, cut in enumerate(cuts):
        flagged = expit(score) >= cut
        expected = np.mean(flagged & (y == 1)) - np.mean(flagged & (y == 0)) * cut / (1 - cut)
        assert found[f"net_benefit@{index}"] == pytest.approx(expected)
        everybody = y.mean() - (1 - y.mean()) * cut / (1 - cut)
        assert metrics.net_benefit_of_all(y.mean(), cuts)[index] == pytest.approx(everybody)


@pytest.mark.parametrize("target", [0.5, 0.9, 1.0])
def test_the_threshold_for_a_sensitivity_is_the_highest_that_reaches_it(target):
    y, score, _ = study(num_ecgs=300)
    risk = np.round(expit(score), 2)
    found = metrics.choose_threshold(y, risk, metrics.OperatingPoint("sensitivity", target))
    reaching = [cut for cut in np.unique(risk) if np.mean(risk[y == 1] >= cut) >= target]
    assert found == max(reaching)


@pytest.mark.parametrize("target", [0.5, 0.9, 0.95])
def test_the_threshold_for_a_specificity_is_the_lowest_that_reaches_it(target):
    y, score, _ = study(num_ecgs=300)
    risk = np.round(expit(score), 2)
    found = metrics.choose_threshold(y, risk, metrics.OperatingPoint("specificity", target))
    assert found == min(cut for cut in np.unique(risk) if np.mean(risk[y == 0] < cut) >= target)


def test_a_specificity_that_no_risk_reaches_flags_nobody():
    y, risk = np.array([0, 1, 0]), np.array([0.9, 0.2, 0.1])
    assert metrics.choose_threshold(y, risk, metrics.OperatingPoint("specificity", 0.99)) > 0.9


def test_youdens_threshold_has_the_largest_sum_of_sensitivity_and_specificity():
    y, score, _ = study(num_ecgs=300)
    risk = expit(score)
    found = metrics.choose_threshold(y, risk, metrics.OperatingPoint("youden"))
    sums = {cut: np.mean(risk[y == 1] >= cut) + np.mean(risk[y == 0] < cut) for cut in risk}
    assert sums[found] == pytest.approx(max(sums.values()))


def delong(y, first, second):
    """Difference of two AUROCs and its standard error, by the placements of DeLong, DeLong and Clarke-Pearson."""
    placements = []
    for score in (first, second):
        positive, negative = score[y == 1], score[y == 0]
        both = rankdata(np.concatenate([positive, negative]))
        above = (both[: positive.size] - rankdata(positive)) / negative.size
        below = 1 - (both[positive.size :] - rankdata(negative)) / positive.size
        placements.append((above, below))
    difference = placements[0][0].mean() - placements[1][0].mean()
    variance = sum(np.var(placements[0][side] - placements[1][side], ddof=1) / placements[0][side].size for side in (0, 1))
    return difference, np.sqrt(variance)


def test_the_interval_of_a_difference_is_delongs_where_every_person_has_one_ecg():
    y, score, _ = study(num_ecgs=1500)
    other = score + np.random.default_rng(5).normal(0, 1.0, score.size)
    statistics = {"a": metrics.RiskStatistics(y, score), "b": metrics.RiskStatistics(y, other)}
    found = metrics.bootstrap(statistics, np.arange(y.size), num_resamples=1500).difference("a", "b", "auroc")
    difference, error = delong(y, score, other)
    assert found.value == pytest.approx(difference)
    assert found.high - found.low == pytest.approx(2 * norm.ppf(0.975) * error, rel=0.08)


def test_a_model_does_not_differ_from_itself():
    y, score, person = study()
    same = {"a": metrics.RiskStatistics(y, score), "b": metrics.RiskStatistics(y, 2 * score)}
    found = metrics.bootstrap(same, person, num_resamples=50).difference("a", "b", "auroc")
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_logits_taken_together_in_the_draws_change_no_interval():
    y, score, person = study(num_ecgs=9000, num_persons=4000)
    statistic = metrics.RiskStatistics(y, score, thresholds=[0.3], benefit_thresholds=[0.2])
    coarse = metrics.bootstrap({"s": statistic}, person, num_resamples=40).estimates("s")
    assert statistic._drawn.logit.size < statistic._exact.logit.size
    statistic._drawn = statistic._exact
    exact = metrics.bootstrap({"s": statistic}, person, num_resamples=40).estimates("s")
    for name in statistic.names:
        assert (coarse[name].low, coarse[name].high) == pytest.approx((exact[name].low, exact[name].high), rel=2e-3, abs=5e-4), name


def test_counting_every_person_once_weighs_each_ecg_by_its_share():
    y, score, person = study()
    counts = np.bincount(person)
    weights = 1 / counts[person]
    statistic = metrics.PerPerson(metrics.RiskStatistics(y, score), person)
    found = named(statistic, statistic.point())
    assert found["auroc"] == pytest.approx(roc_auc_score(y, score, sample_weight=weights))
    assert found["prevalence"] == pytest.approx(np.average(y, weights=weights))
    assert found["prevalence"] == pytest.approx(np.mean([y[person == one].mean() for one in np.unique(person)]))


def test_a_subset_is_measured_as_if_it_were_alone():
    y, score, _ = study()
    chosen = score > np.median(score)
    whole = metrics.Subset(metrics.RiskStatistics(y[chosen], score[chosen]), chosen)
    weights = np.random.default_rng(2).integers(0, 3, y.size).astype(float)
    assert whole.draw(weights)[0] == pytest.approx(roc_auc_score(y[chosen], score[chosen], sample_weight=weights[chosen]))


def test_platts_scale_and_shift_are_those_of_maximum_likelihood_on_his_targets():
    y, score, _ = study(slope=0.5, shift=0.7)
    found = metrics.fit_recalibration(y, score)
    num_positive, num_negative = y.sum(), (1 - y).sum()
    targets = np.where(y == 1, (num_positive + 1) / (num_positive + 2), 1 / (num_negative + 2))
    shift, scale = maximum_likelihood(np.stack([np.ones_like(score), score], axis=1), targets)
    assert (found.method, found.scale, found.shift) == ("platt", pytest.approx(scale, abs=1e-4), pytest.approx(shift, abs=1e-4))
    assert found.undo(found.apply(score)) == pytest.approx(score)


def test_recalibration_repairs_what_resampling_did_to_the_risks():
    y, score, _ = study(num_ecgs=20_000)
    fitted = metrics.fit_recalibration(y[:10_000], 2 * score[:10_000] + 1.5)
    repaired = fitted.apply(2 * score[10_000:] + 1.5)
    assert metrics.calibration_slope(y[10_000:], repaired) == pytest.approx(1, abs=0.08)
    assert metrics.calibration_intercept(y[10_000:], repaired) == pytest.approx(0, abs=0.08)


def test_separated_classes_are_recalibrated_to_finite_risks():
    y = np.repeat([0, 1], 30)
    found = metrics.fit_recalibration(y, np.linspace(-1, 1, 60))
    assert np.isfinite([found.scale, found.shift]).all()


def test_a_score_that_falls_with_the_outcome_is_not_turned_around():
    y, score, _ = study()
    found = metrics.fit_recalibration(y, -score)
    assert (found.method, found.scale) == ("shift", 1.0)
    assert expit(found.apply(-score)).mean() == pytest.approx(y.mean(), abs=0.01)


def test_too_few_events_leave_the_risks_as_they_are():
    y = np.array([1] * 9 + [0] * 200)
    assert metrics.fit_recalibration(y, np.arange(209.0)).method == "none"


def test_a_risk_and_its_logit_belong_together():
    risk = np.array([0.001, 0.3, 0.99])
    assert metrics.logit_of(risk) == pytest.approx(logit(risk))
    assert metrics.sigmoid(metrics.logit_of(risk)) == pytest.approx(risk)
    assert np.isfinite(metrics.logit_of([0.0, 1.0])).all()


def test_an_operating_point_by_risk_needs_its_risk():
    with pytest.raises(DataError, match="has no risk"):
        metrics.choose_threshold([0, 1], [0.1, 0.2], metrics.OperatingPoint("risk"))
