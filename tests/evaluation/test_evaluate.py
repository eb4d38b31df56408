"""Evaluation of a run: what is measured, what is written, what is refused."""

import json
import re

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hfrisk import evaluate
from hfrisk.errors import DataError


def test_the_numbers_of_the_report_are_those_of_the_predictions(trained_run):
    run = trained_run()
    report = evaluate.run(run)
    predictions = pl.read_parquet(run / "predictions.parquet")
    for split in ("test", "validation"):
        of_split = predictions.filter(pl.col("split") == split)
        measured = report["splits"][split]
        assert measured["metrics"]["auroc"]["value"] == pytest.approx(roc_auc_score(of_split["y"], of_split["risk"]))
        assert measured["metrics"]["auprc"]["value"] == pytest.approx(average_precision_score(of_split["y"], of_split["risk"]))
        assert measured["num_ecgs"] == of_split.height
        assert measured["num_persons"] == of_split["person_id"].n_unique()
        assert measured["num_positive_ecgs"] == of_split["y"].sum()


def test_report_json_holds_what_was_returned(trained_run):
    run = trained_run()
    report = evaluate.run(run)
    assert json.loads((run / "report.json").read_text(encoding="utf-8")) == report


def test_predictions_cover_the_held_out_splits_with_risk_and_logit(trained_run):
    run = trained_run()
    evaluate.run(run)
    predictions = pl.read_parquet(run / "predictions.parquet")
    assert predictions.columns == ["row", "person_id", "split", "y", "risk", "logit"]
    assert set(predictions["split"]) == {"test", "validation"}
    assert predictions["risk"].to_numpy() == pytest.approx(1 / (1 + np.exp(-predictions["logit"].to_numpy())))


def test_the_same_run_is_measured_to_the_same_numbers(trained_run):
    run = trained_run()
    first, second = evaluate.run(run), evaluate.run(run)
    assert first["splits"] == second["splits"]


def test_ecgs_without_a_label_are_not_measured(trained_run):
    run = trained_run(change=lambda cohort: cohort.with_columns(y=pl.when(pl.col("row") % 3 > 0).then("y")))
    evaluate.run(run)
    assert (pl.read_parquet(run / "predictions.parquet")["row"] % 3 > 0).all()


def test_the_test_table_goes_to_stdout_with_intervals(trained_run, capsys):
    measured = evaluate.run(trained_run())["splits"]["test"]
    out = capsys.readouterr().out
    for name, label in evaluate.METRIC_NAMES.items():
        estimate = measured["metrics"][name]
        line = next(line for line in out.splitlines() if line.startswith(label))
        assert line.split()[-4:] == [f"{estimate['value']:.3f}", f"{estimate['low']:.3f}", "to", f"{estimate['high']:.3f}"]


def test_epochs_are_read_and_a_line_cut_short_is_not_one(trained_run):
    assert [epoch["epoch"] for epoch in evaluate.run(trained_run())["epochs"]] == [0, 1, 2, 3, 4, 5]


def test_neither_paths_nor_the_way_to_the_database_are_in_the_report(trained_run):
    run = trained_run()
    config = run / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('dsn = ""', 'dsn = "host=secret.example user=alice"'), encoding="utf-8")
    evaluate.run(run)
    text = (run / "report.json").read_text(encoding="utf-8")
    assert "secret.example" not in text
    assert str(run.parent) not in text


def test_a_model_without_a_tabular_file_is_said_to_read_the_ecg_alone(trained_run):
    assert evaluate.run(trained_run(tabular=False))["inputs"] == "ecg"


def test_a_slope_that_is_not_determined_is_null(trained_run):
    report = evaluate.run(trained_run(logit_of=np.zeros_like))
    assert report["splits"]["test"]["metrics"]["calibration_slope"]["value"] is None


def test_a_validation_split_of_one_class_does_not_stop_the_test(trained_run):
    run = trained_run(
        change=lambda cohort: cohort.with_columns(y=pl.when(pl.col("split") != "validation").then("y").otherwise(0).cast(pl.Int8))
    )
    report = evaluate.run(run)
    assert "no positive" in report["splits"]["validation"]["not_measured"]
    assert report["splits"]["test"]["metrics"]["auroc"]["value"] > 0.5


def test_an_absent_validation_split_does_not_stop_the_test(trained_run):
    report = evaluate.run(trained_run(change=lambda cohort: cohort.filter(pl.col("split") != "validation")))
    assert report["splits"]["validation"]["num_ecgs"] == 0


def refused(run, message):
    with pytest.raises(DataError, match=message) as caught:
        evaluate.run(run)
    assert caught.value.hint
    assert not (run / "report.json").exists()
    assert not (run / "predictions.parquet").exists()


def test_a_test_split_without_positives_is_refused(trained_run):
    refused(trained_run(change=lambda cohort: cohort.with_columns(y=pl.lit(0, pl.Int8))), "test split: no positive among")


def test_an_empty_test_split_is_refused(trained_run):
    refused(trained_run(change=lambda cohort: cohort.filter(pl.col("split") != "test")), "no labelled ECG is in the test split")


def test_a_person_in_two_splits_is_refused(trained_run):
    moved = pl.when(pl.col("row") == pl.col("row").max().over("person_id")).then(pl.lit("train")).otherwise("split")
    refused(trained_run(change=lambda cohort: cohort.with_columns(split=moved)), "persons are in more than one split")


def test_a_signal_in_two_splits_is_refused(trained_run):
    torn = pl.lit(7, dtype=pl.UInt64)
    refused(trained_run(change=lambda cohort: cohort.with_columns(payload_hash=torn)), "1 signals are in more than one split")


def test_a_signal_in_two_splits_that_the_study_lets_pass_is_measured(trained_run):
    run = trained_run(change=lambda cohort: cohort.with_columns(payload_hash=pl.lit(7, dtype=pl.UInt64)))
    path = run / "config.toml"
    lint = 'allow = ["signal_in_two_splits"]\nreason = "copies of one demonstration"'
    path.write_text(
        re.sub(r"\[lint\]\nallow = [^\n]*\nreason = [^\n]*", f"[lint]\n{lint}", path.read_text(encoding="utf-8")), encoding="utf-8"
    )
    assert evaluate.run(run)["splits"]["test"]["num_ecgs"] > 0


def test_predictions_that_are_not_finite_are_refused(trained_run):
    refused(trained_run(logit_of=lambda z: np.full_like(z, np.nan)), "scores are not finite")


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.toml", "is not a run folder"), ("hf_risk_model.pth", "no trained model"), ("../data/cohort.parquet", "no cohort")],
)
def test_what_is_missing_is_named(trained_run, missing, message):
    run = trained_run()
    (run / missing).unlink()
    refused(run, message)


def test_a_missing_column_of_the_cohort_is_named(trained_run):
    refused(trained_run(change=lambda cohort: cohort.drop("person_id")), "lacks the column `person_id`")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    refused(tmp_path / "nowhere", "nowhere` is not a run folder")
