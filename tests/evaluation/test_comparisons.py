"""What evaluation says of other models, of groups and of time: against the predictions themselves, and with planted faults."""

import json
import sys
from datetime import date
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from hfrisk import evaluate, metrics
from hfrisk.cohort.shuffle import shuffle_labels
from hfrisk.config import EvaluateConfig
from hfrisk.errors import ConfigError
from hfrisk.evaluate import baselines, contenders, ecgs, subgroups, table_one
from hfrisk.evaluate.numbers import cell


@pytest.fixture(scope="module")
def described():
    """600 ECGs of 300 persons, whose `tabular:risk` tells the outcome and whose other columns do not."""
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(300), 2)
    risk = np.repeat(rng.normal(0, 1, 300), 2)
    return pl.DataFrame(
        {
            "row": np.arange(600),
            "person_id": person,
            "y": (rng.random(600) < 1 / (1 + np.exp(1 - 2 * risk))).astype(np.int8),
            "split": np.where(person < 180, "train", np.where(person < 220, "validation", "test")),
            "index_date": [date(2015 + i % 5, 1, 1 + i % 28) for i in range(600)],
            "age_years": rng.normal(60, 10, 600),
            "sex": rng.choice(["male", "female"], 600),
            "device": np.where(np.arange(600) % 200 == 199, "old", "new"),
            "tabular:risk": risk,
            "tabular:flag": (rng.random(600) < 0.3).astype(float),
            "qrs_duration_ms": rng.normal(100, 15, 600),
        }
    ).with_columns(
        is_male=(pl.col("sex") == "male").cast(pl.Float64),
        has_af=pl.col("tabular:flag") == 1,
        is_paced=pl.lit(None, dtype=pl.Boolean),
        year=pl.col("index_date").dt.year().cast(pl.Int64),
    )


@pytest.fixture(scope="module")
def parts(described):
    return [described.filter(pl.col("split") == name) for name in ("train", "test")]


def test_a_baseline_finds_what_its_features_tell_and_not_what_they_do_not(parts):
    train, test = parts
    areas = {one.name: roc_auc_score(test["y"], baselines.fit_and_predict(one, train, test, seed=0)) for one in baselines.available(train)}
    assert list(areas) == [one.name for one in baselines.BASELINES]
    assert areas["Tabular, logistic"] > 0.8
    assert areas["Tabular + ECG measurements, gradient boosting"] > 0.75
    assert areas["Age and sex, logistic"] < 0.65
    assert areas["ECG measurements, logistic"] < 0.65


def test_a_study_without_a_tabular_file_has_the_baselines_of_the_rest(parts):
    bare = parts[0].drop("tabular:risk", "tabular:flag")
    assert [one.inputs for one in baselines.available(bare)] == ["demographic", "measurements"]
    assert baselines.strongest(bare).inputs == "measurements"


def test_a_training_split_with_too_few_events_has_no_baseline(parts):
    train, test = parts
    few = train.with_columns(y=(pl.int_range(pl.len()) < 4).cast(pl.Int8))
    assert baselines.fit_and_predict(baselines.BASELINES[0], few, test, seed=0) is None


def judged(train, test):
    statistics = {contenders.PERMUTED: metrics.RiskStatistics(*contenders.permuted(train, test, seed=0))}
    return contenders.judge_permuted(metrics.bootstrap(statistics, test["person_id"], num_resamples=100))


def test_shuffled_labels_teach_nothing(parts):
    found = judged(*parts)
    assert found["passed"]
    assert abs(found["auroc"]["value"] - 0.5) < 0.15


def test_shuffled_labels_that_are_learned_all_the_same_are_seen(parts, monkeypatch):
    train, test = parts
    dealt = shuffle_labels(pl.concat([part.select("person_id", "y") for part in parts]), seed=0)[train.height :]
    leak = dealt.to_numpy() + np.random.default_rng(0).normal(0, 1, test.height)
    monkeypatch.setattr(baselines, "fit_and_predict", lambda *_, **__: leak)
    assert not judged(train, test)["passed"]


def test_a_strong_honest_feature_is_no_alarm(parts, monkeypatch):
    train, test = parts
    monkeypatch.setattr(baselines, "fit_and_predict", lambda *_, **__: test["tabular:risk"].to_numpy())
    assert judged(train, test)["passed"]


def test_the_temporal_hold_out_learns_only_from_what_is_older(parts, monkeypatch):
    train, test = parts
    seen = []

    def record(_baseline, part, late, **_):
        seen.append((part, late))
        return late["tabular:risk"].to_numpy()

    monkeypatch.setattr(baselines, "fit_and_predict", record)
    found = contenders.temporal(train, test, test["tabular:risk"].to_numpy(), smallest=5, num_resamples=20, seed=0)
    (early, late), (whole, _) = seen
    cutoff = date.fromisoformat(found["cutoff"])
    assert early["index_date"].max() < cutoff <= late["index_date"].min()
    assert whole.height == train.height
    assert found["num_ecgs"] == late.height > 20
    late_area = roc_auc_score(late["y"], late["tabular:risk"])
    assert found["rows"][0]["auroc"]["value"] == pytest.approx(late_area)


def test_a_cohort_without_dates_has_no_temporal_hold_out(parts):
    train, test = (part.drop("index_date") for part in parts)
    assert "no dates" in contenders.temporal(train, test, np.zeros(test.height), smallest=5, num_resamples=5, seed=0)["reason"]


def test_every_subgroup_is_measured_on_its_own_ecgs(parts):
    test = parts[1].with_columns(logit=pl.col("tabular:risk"))
    groups = subgroups.subgroups(test)
    statistics = subgroups.subgroup_statistics(groups, test, 5)
    drawn = metrics.bootstrap(statistics, test["person_id"], num_resamples=20)
    summary = {one["characteristic"]: {row["group"]: row for row in one["groups"]} for one in subgroups.summarise(groups, test, drawn, 5)}
    assert {"Sex", "Age", "Atrial fibrillation", "QRS duration", "Year"} <= set(summary)
    assert "Paced rhythm" not in summary
    of_women = test.filter(pl.col("sex") == "female")
    found = summary["Sex"]["female"]
    assert found["num_ecgs"] == of_women.height
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(of_women["y"], of_women["logit"]))
    assert sum(row["num_ecgs"] for row in summary["Age"].values()) == test.height


def test_a_group_of_few_persons_shows_neither_its_count_nor_a_metric(parts):
    rare = pl.when(pl.col("row") >= 597).then(pl.lit("rare")).otherwise(pl.lit("usual"))
    test = parts[1].with_columns(logit=pl.col("tabular:risk"), device=rare)
    groups = subgroups.subgroups(test)
    statistics = subgroups.subgroup_statistics(groups, test, 5)
    assert "Device/usual" in statistics
    assert "Device/rare" not in statistics
    drawn = metrics.bootstrap(statistics, test["person_id"], num_resamples=5)
    device = next(one for one in subgroups.summarise(groups, test, drawn, 5) if one["characteristic"] == "Device")
    row = next(row for row in device["groups"] if row["group"] == "rare")
    assert row["num_ecgs"] is None
    assert "auroc" not in row


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (1, None), (4, None), (5, 5)])
def test_a_small_cell_is_not_shown_and_an_empty_one_is(number, shown):
    assert cell(number, 5) == shown


def test_table_one_counts_what_is_there(described):
    rows = {row["name"]: row for row in table_one.table_one(described, 5)}
    train = described.filter(pl.col("split") == "train")
    assert rows["ECGs"]["train"] == train.height
    assert rows["ECGs with the outcome"]["train"] == {"num": train["y"].sum(), "of": train.height}
    assert rows["Age, years"]["train"]["median"] == pytest.approx(np.median(train["age_years"]))
    assert rows["QRS duration, ms"]["test"]["high"] == pytest.approx(
        np.quantile(described.filter(pl.col("split") == "test")["qrs_duration_ms"], 0.75)
    )


def test_table_one_hides_small_cells_on_either_side(described):
    rare = described.with_columns(pl.Series("tabular:flag", (np.arange(600) < 3).astype(float)))
    common = described.with_columns(pl.Series("tabular:flag", (np.arange(600) >= 3).astype(float)))
    for frame in (rare, common):
        row = next(row for row in table_one.table_one(frame, 5) if row["name"] == "Flag")
        assert row["train"]["num"] is None
        assert row["test"]["num"] is not None


def test_a_better_contender_has_a_difference_below_zero(trained_run):
    report = evaluate.run(trained_run(logit_of=lambda z: np.random.default_rng(0).normal(size=z.size)))
    best = next(one for one in report["comparisons"] if one["inputs"] == "measurements")
    assert best["difference"]["auroc"]["high"] < 0
    ours = report["splits"]["test"]["metrics"]["auroc"]["value"]
    assert best["difference"]["auroc"]["value"] == pytest.approx(ours - best["metrics"]["auroc"]["value"])


def test_thresholds_come_from_the_validation_split(trained_run):
    run = trained_run()
    points = {one["rule"]: one for one in evaluate.run(run)["operating_points"] if one["target"] != 0.95}
    predictions = pl.read_parquet(run / "predictions.parquet")
    validation, test = (predictions.filter(pl.col("split") == name) for name in ("validation", "test"))
    cut = points["sensitivity"]["threshold"]
    positives = validation.filter(pl.col("y") == 1)["risk"]
    assert (positives >= cut).mean() >= 0.9
    assert (positives > cut).mean() < 0.9
    assert points["sensitivity"]["sensitivity"]["value"] == pytest.approx((test.filter(pl.col("y") == 1)["risk"] >= cut).mean())


def test_the_risks_before_recalibration_are_measured_beside(trained_run):
    run = trained_run()
    test = evaluate.run(run)["splits"]["test"]
    predictions = pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "test")
    raw = (predictions["logit"].to_numpy() + 0.3) / 0.8
    assert test["before_recalibration"]["calibration_slope"]["value"] == pytest.approx(
        metrics.calibration_slope(predictions["y"], raw), abs=1e-6
    )
    assert test["before_recalibration"]["auroc"] == test["metrics"]["auroc"]


def test_a_network_of_one_input_that_was_trained_is_compared(trained_run):
    run = trained_run()
    folder = run / "ablations" / "ecg"
    folder.mkdir(parents=True)
    (folder / "hf_risk_model.pth").write_bytes(b"stand-in")
    (folder / "config.toml").write_text((run / "config.toml").read_text(encoding="utf-8"), encoding="utf-8")
    first = evaluate.run(run)["comparisons"][0]
    assert (first["name"], first["kind"], first["inputs"]) == ("ECG only, network", "network", "ecg")
    assert first["difference"]["auroc"] == {"value": 0, "low": 0, "high": 0}


def test_ablations_are_trained_with_the_settings_of_the_run_and_one_input(trained_run, monkeypatch):
    run = trained_run()
    asked = []
    stand_in = ModuleType("hfrisk.train")
    stand_in.run = lambda config, **_: asked.append((config.model.inputs, config.paths.run, config.train))
    monkeypatch.setitem(sys.modules, "hfrisk.train", stand_in)
    monkeypatch.setattr("hfrisk.train", stand_in, raising=False)
    evaluate.train_ablations(run)
    assert [(inputs, folder) for inputs, folder, _ in asked] == [(name, run / "ablations" / name) for name in ("ecg", "tabular")]
    assert {settings for *_, settings in asked} == {evaluate.load_run_config(run).train}


def test_a_model_of_one_input_has_nothing_to_leave_out(trained_run):
    with pytest.raises(ConfigError, match="one input only"):
        evaluate.train_ablations(trained_run(tabular=False))


def test_small_counts_of_the_attrition_are_not_in_the_report(trained_run):
    run = trained_run()
    path = run.parent / "data" / "attrition.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("698,200", "3,2"), encoding="utf-8")
    evaluate.run(run)
    (only,) = json.loads((run / "report.json").read_text(encoding="utf-8"))["attrition"]
    assert (only["num_ecgs"], only["removed_ecgs"]) == (802, 0)


def test_atrial_fibrillation_is_taken_from_the_tabular_file_where_no_statement_was_kept(trained_run):
    run = trained_run()
    config = evaluate.load_run_config(run)
    frame = ecgs.describe(pl.read_parquet(config.paths.data / "cohort.parquet"), config)
    table = pl.read_csv(config.paths.tabular)
    expected = frame.select("person_id").join(table, on="person_id", how="left", maintain_order="left")["atrial_fibrillation"] == 1
    assert frame["has_af"].to_list() == expected.to_list()
    assert frame["sex"].unique().sort().to_list() == ["female", "male"]


@pytest.mark.parametrize("text", ["sensitivity", "sensitivity=2", "youden=0.5", "recall=0.9", "risk=x"])
def test_an_operating_point_that_is_none_is_a_setting_error(text):
    with pytest.raises(ConfigError, match="no operating point"):
        EvaluateConfig(operating_points=text)


def test_operating_points_are_read_in_order():
    assert EvaluateConfig(operating_points="risk=0.1, youden").points() == [("risk", 0.1), ("youden", None)]


def test_a_model_that_can_do_without_an_input_is_compared_with_itself_without_it(trained_run, monkeypatch):
    run = trained_run()
    path = run / "config.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("modality_dropout = 0.0", "modality_dropout = 0.3"), encoding="utf-8")
    stand_in = sys.modules["hfrisk.predict"]
    whole = stand_in.predict_logits
    noise = np.random.default_rng(0)

    def predict(model, config, frame, *, leave_out=None):
        return noise.normal(size=frame.height) if leave_out == "ecg" else whole(model, config, frame)

    monkeypatch.setattr(stand_in, "predict_logits", predict)
    without_tabular, without_ecg, *_ = evaluate.run(run)["comparisons"]
    assert (without_tabular["inputs"], without_ecg["inputs"]) == ("ecg", "tabular")
    assert without_tabular["difference"]["auroc"]["value"] == 0
    assert without_ecg["metrics"]["auroc"]["value"] < 0.65
