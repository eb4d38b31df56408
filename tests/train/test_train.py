"""Training end to end on a made-up store: what it leaves, what it learns, what it refuses."""

import dataclasses
import json
import logging
import re

import numpy as np
import polars as pl
import pytest
import torch

from hfrisk import metrics
from hfrisk.checkpoint import load_model, load_payload
from hfrisk.config import dump_config, load_config
from hfrisk.errors import DataError
from hfrisk.predict import predict_logits
from hfrisk.train import run
from hfrisk.train.optimizer import learning_rate_at


def changed(study, **sections):
    """The study with some keys of some sections changed: `changed(study, train={"num_epochs": 3})`."""
    return dataclasses.replace(study, **{name: dataclasses.replace(getattr(study, name), **values) for name, values in sections.items()})


def rewrite_cohort(study, change):
    path = study.paths.data / "cohort.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def final_weights(study):
    return load_payload(study.paths.run / "hf_risk_model.pth")["state_dict"]


def same_weights(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def log_of(study, kind):
    lines = (study.paths.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def without_clock(entries):
    return [{k: v for k, v in entry.items() if k not in ("created_at", "ecg_per_s", "data_wait_share")} for entry in entries]


def test_a_run_leaves_every_file_it_promises(study):
    run(study)
    names = {path.relative_to(study.paths.run).as_posix() for path in study.paths.run.rglob("*") if path.is_file()}
    assert names == {"config.toml", "run.json", "lint.json", "metrics.jsonl", "checkpoints/best.pt", "hf_risk_model.pth"} | {
        f"checkpoints/step-{step:09}.pt" for step in (4, 8)
    }


def test_the_resolved_settings_are_kept_and_read_back_equal(study):
    run(study)
    assert load_config(study.paths.run / "config.toml") == study


def test_the_origin_names_hashes_versions_and_size(study):
    run(study)
    origin = json.loads((study.paths.run / "run.json").read_text(encoding="utf-8"))
    assert len(origin["sha256"]["cohort"]) == len(origin["sha256"]["tabular"]) == 64
    assert torch.__version__.startswith(origin["versions"]["torch"])
    assert origin["num_parameters"] > 0
    assert origin["seed"] == 42


def test_every_batch_and_every_epoch_is_logged(study):
    run(study)
    steps, epochs = log_of(study, "step"), log_of(study, "epoch")
    assert [entry["step"] for entry in steps] == list(range(1, len(steps) + 1))
    assert len(steps) == 2 * -(-json.loads((study.paths.run / "run.json").read_text())["num_train_ecgs"] // 16)
    assert [entry["epoch"] for entry in epochs] == [0, 1]
    assert {"loss", "learning_rate", "ecg_per_s", "data_wait_share", "created_at"} <= steps[0].keys()
    assert {"train_loss", "validation_loss", "validation_auroc", "validation_auprc", "validation_prevalence"} <= epochs[0].keys()


def test_the_console_shows_speed_and_the_share_of_time_spent_waiting_for_data(study, capsys):
    run(study)
    lines = [line for line in capsys.readouterr().err.splitlines() if " step " in line]
    assert lines
    assert all(re.search(r"\| [\d,]+ ecg/s \| data \d+% \|", line) for line in lines)


def test_a_learnable_task_is_learnt(study):
    study = changed(study, train={"num_epochs": 6}, model={"inputs": "ecg", "dropout": 0.0})
    run(study)
    assert max(entry["validation_auroc"] for entry in log_of(study, "epoch")) > 0.9


def test_the_same_seed_gives_the_same_bits(study, tmp_path):
    run(study)
    again = changed(study, paths={"run": tmp_path / "again"})
    run(again)
    assert same_weights(final_weights(study), final_weights(again))
    assert without_clock(log_of(study, "step")) == without_clock(log_of(again, "step"))


def test_another_seed_gives_other_weights(study, tmp_path):
    run(study)
    again = changed(study, paths={"run": tmp_path / "again"}, train={"seed": 7})
    run(again)
    assert not same_weights(final_weights(study), final_weights(again))


def test_early_stopping_ends_before_the_last_epoch(study):
    run(changed(study, train={"num_epochs": 12, "patience": 1, "learning_rate": 1e-9}))
    assert len(log_of(study, "epoch")) < 12


def test_weighted_sampling_stores_the_correction_of_the_prior(study):
    run(changed(study, train={"sampler": "weighted"}))
    model, meta = load_model(study.paths.run / "hf_risk_model.pth")
    prevalence = meta["prevalence"]
    assert meta["calibration"]["prior_shift"] == pytest.approx(np.log(prevalence / (1 - prevalence)))
    fitted = meta["calibration"]
    assert float(model.logit_shift) == pytest.approx(fitted["scale"] * fitted["prior_shift"] + fitted["shift"])


def test_natural_sampling_needs_no_correction_of_the_prior(study):
    run(study)
    assert load_model(study.paths.run / "hf_risk_model.pth")[1]["calibration"]["prior_shift"] == 0


def test_the_saved_model_is_calibrated_on_the_validation_split(study, monkeypatch):
    monkeypatch.setattr(metrics, "fit_recalibration", lambda y, logits: metrics.Recalibration("platt", 0.5, len(y) + float(logits[0])))
    run(study)
    model, meta = load_model(study.paths.run / "hf_risk_model.pth")
    validation = pl.read_parquet(study.paths.data / "cohort.parquet").filter(pl.col("split") == "validation")
    raw = (predict_logits(study.paths.run / "hf_risk_model.pth", study, validation) - float(model.logit_shift)) / 0.5
    assert (meta["calibration"]["method"], float(model.logit_scale)) == ("platt", 0.5)
    assert float(model.logit_shift) == pytest.approx(validation.height + raw[0], abs=1e-4)


def test_statistics_come_from_the_training_split_only(study):
    run(study)
    cohort = pl.read_parquet(study.paths.data / "cohort.parquet").filter(pl.col("split") == "train")
    table = pl.read_csv(study.paths.tabular)
    expected = cohort.join(table, on="person_id")["age"].drop_nulls()
    features = load_model(study.paths.run / "hf_risk_model.pth")[1]["features"]
    assert features["means"][0] == pytest.approx(expected.mean())
    assert features["stds"][0] == pytest.approx(expected.std(ddof=0))


def test_an_outlier_in_the_test_split_changes_no_weight(study, tmp_path):
    run(study)
    outlier = pl.when(pl.col("person_id") == 2).then(1e9).otherwise("age").alias("age")  # person 2 is in the test split
    pl.read_csv(study.paths.tabular).with_columns(outlier).write_csv(study.paths.tabular)
    again = changed(study, paths={"run": tmp_path / "again"})
    run(again)
    assert same_weights(final_weights(study), final_weights(again))


def test_the_outcome_in_the_tabular_file_is_no_feature_and_is_noted(study, caplog):
    with caplog.at_level(logging.WARNING):
        run(study)
    assert load_model(study.paths.run / "hf_risk_model.pth")[1]["features"]["names"] == ["age", "diabetes"]
    assert "hf_outcome" in caplog.text


def test_the_model_file_carries_no_path(study, tmp_path):
    run(study)
    meta = load_model(study.paths.run / "hf_risk_model.pth")[1]
    assert str(tmp_path) not in json.dumps(meta)


def test_the_model_file_loads_with_weights_only_and_describes_its_input(study):
    run(study)
    saved = torch.load(study.paths.run / "hf_risk_model.pth", weights_only=True)
    assert saved["lead_order"] == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert (saved["units"], saved["sampling_rate_hz"]) == ("uV", 500)
    assert saved["config"]["model"]["width"] == 8


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_without_positives_is_refused(study, split):
    rewrite_cohort(study, lambda cohort: cohort.with_columns(y=pl.when(pl.col("split") == split).then(0).otherwise("y").cast(pl.Int8)))
    with pytest.raises(DataError, match=f"the {split} split .* has no positives") as refusal:
        run(study)
    assert refusal.value.hint
    assert not study.paths.run.exists()


def test_a_person_in_two_splits_is_refused(study):
    rewrite_cohort(study, lambda cohort: cohort.with_columns(person_id=pl.col("person_id") // 4))
    with pytest.raises(DataError, match="persons are in the train and the validation split"):
        run(study)


def test_rows_without_a_label_are_not_trained_on(study):
    rewrite_cohort(study, lambda cohort: cohort.with_columns(y=pl.when(pl.col("row") < 4).then(None).otherwise("y")))
    run(study)
    origin = json.loads((study.paths.run / "run.json").read_text(encoding="utf-8"))
    cohort = pl.read_parquet(study.paths.data / "cohort.parquet")
    assert origin["num_train_ecgs"] == cohort.filter(pl.col("y").is_not_null(), split="train").height


def test_a_missing_cohort_is_one_sentence_with_a_hint(study):
    (study.paths.data / "cohort.parquet").unlink()
    with pytest.raises(DataError, match="no cohort at") as refusal:
        run(study)
    assert "hfrisk cohort" in refusal.value.hint


def test_a_row_beyond_the_store_is_refused(study):
    rewrite_cohort(study, lambda cohort: cohort.with_columns(pl.col("row") + 50))
    with pytest.raises(DataError, match="the store has 96 rows"):
        run(study)


def test_the_seed_network_trains(study):
    run(changed(study, model={"encoder": "seed_cnn"}, train={"num_epochs": 1}))
    assert (study.paths.run / "hf_risk_model.pth").exists()


def test_the_command_prints_an_error_without_a_traceback(study, tmp_path, capsys, monkeypatch):
    from hfrisk.train.__main__ import main

    (study.paths.data / "cohort.parquet").unlink()
    (tmp_path / "study.toml").write_text(dump_config(study), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["train", "--config", str(tmp_path / "study.toml"), "--set", "train.num_epochs=1"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 1
    assert capsys.readouterr().err.startswith("error: no cohort at")


def test_the_learning_rate_rises_then_falls_to_zero():
    rates = [learning_rate_at(step, peak=1.0, num_steps=100, warmup=0.1) for step in range(100)]
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 <= rates[-1] < 0.01


def test_a_study_that_leaks_is_not_trained(study):
    pl.read_csv(study.paths.tabular).with_columns(nt_probnp=pl.col("person_id") % 3).write_csv(study.paths.tabular)
    with pytest.raises(DataError, match="leakage lint, covariate_is_outcome"):
        run(study)
    assert not study.paths.run.exists()


def test_a_leak_that_is_let_pass_is_recorded_in_the_run(study):
    pl.read_csv(study.paths.tabular).with_columns(nt_probnp=pl.col("person_id") % 3).write_csv(study.paths.tabular)
    run(changed(study, lint={"allow": ("covariate_is_outcome",), "reason": "for comparison"}))
    checks = {check["name"]: check for check in json.loads((study.paths.run / "lint.json").read_text(encoding="utf-8"))["checks"]}
    assert checks["covariate_is_outcome"]["outcome"] == "allowed"
    assert "for comparison" in checks["covariate_is_outcome"]["message"]
