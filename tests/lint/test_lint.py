"""Each trap is planted and caught; a study without one passes."""

import dataclasses
import datetime as dt
import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from hfrisk import lint
from hfrisk.cli import app
from hfrisk.config import LintConfig, dump_config
from hfrisk.errors import ConfigError, DataError
from hfrisk.lint.covariates import permuted_label
from hfrisk.tabular import FeatureStatistics, feature_names, join_tabular, read_tabular


def outcomes(study, **given):
    return {finding.name: finding.outcome for finding in lint.lint(study, **given)}


def statistics_of(study, split="train"):
    frame = pl.read_parquet(study.paths.data / "cohort.parquet").filter(pl.col("split") == split, pl.col("y").is_not_null())
    table = read_tabular(study.paths.tabular)
    return FeatureStatistics.fit(join_tabular(frame, table), feature_names(table))


def test_a_study_without_a_leak_passes_every_check(study):
    found = outcomes(study, statistics=statistics_of(study))
    assert set(found) == set(lint.CHECKS)
    assert set(found.values()) == {"passed"}


def test_a_person_in_two_splits_is_caught(study, change_cohort):
    change_cohort(person_id=pl.lit(7, dtype=pl.Int64))
    assert outcomes(study)["person_in_two_splits"] == "failed"


def test_a_signal_in_two_splits_is_caught(study, change_cohort):
    change_cohort(payload_hash=pl.col("row").cast(pl.UInt64) // 50)
    assert outcomes(study)["signal_in_two_splits"] == "failed"


def test_a_signal_under_two_persons_is_caught_within_one_split_too(study, change_cohort):
    change_cohort(payload_hash=pl.when(pl.col("split") == "train").then(0).otherwise(pl.col("row") + 1).cast(pl.UInt64))
    found = outcomes(study)
    assert (found["signal_under_two_persons"], found["signal_in_two_splits"]) == ("failed", "passed")


def test_an_ecg_after_its_outcome_is_caught(study, change_cohort):
    change_cohort(event_date=pl.when(pl.col("y") == 1).then(pl.col("index_date")))
    assert outcomes(study)["index_after_outcome"] == "failed"


def test_a_negative_that_left_early_is_caught(study, change_cohort):
    change_cohort(time_to_event_days=pl.when((pl.col("y") == 0) & (pl.col("row") < 20)).then(200).otherwise(pl.col("time_to_event_days")))
    assert outcomes(study)["unobserved_negative"] == "failed"


def test_a_label_that_the_dates_do_not_give_is_caught(study, change_cohort):
    change_cohort(y=pl.when(pl.col("row") == 3).then(1 - pl.col("y")).otherwise(pl.col("y")))
    assert outcomes(study)["label_not_reproducible"] == "failed"


def test_conditions_that_changed_since_are_caught(study):
    path = study.paths.data / "conditions.parquet"
    pl.read_parquet(path).with_columns(condition_start_date=pl.col("condition_start_date") + dt.timedelta(days=9)).write_parquet(path)
    assert outcomes(study)["label_not_reproducible"] == "failed"


def test_a_label_that_looks_ahead_is_a_warning(study):
    ever = dataclasses.replace(study, cohort=dataclasses.replace(study.cohort, mode="ever"))
    assert outcomes(ever)["future_label"] == "warning"


def test_a_tabular_file_by_person_is_a_warning(study):
    path = study.paths.data / "tabular.csv"
    pl.DataFrame({"person_id": range(1, 601), "age": np.linspace(40, 90, 600)}).write_csv(path)
    given = dataclasses.replace(study, paths=dataclasses.replace(study.paths, tabular=path))
    assert outcomes(given)["covariate_not_dated"] == "warning"


def test_a_tabular_file_that_was_changed_after_it_was_built_is_caught(study):
    pl.read_parquet(study.paths.tabular).with_columns(age=pl.col("age") + 1).write_parquet(study.paths.tabular)
    assert outcomes(study)["covariate_not_dated"] == "failed"


@pytest.mark.parametrize("name", ["nt_probnp", "heart_failure_history", "furosemide", "ejection_fraction", "hf_outcome_2", "label"])
def test_a_feature_that_is_the_outcome_by_its_name_is_caught(study, change_table, name):
    change_table(**{name: pl.col("age") * 0 + pl.col("row") % 3})
    assert outcomes(study)["covariate_is_outcome"] == "failed"


def test_a_score_that_is_built_without_heart_failure_is_none(study):
    assert "charlson_no_chf" in feature_names(read_tabular(study.paths.tabular))
    assert outcomes(study)["covariate_is_outcome"] == "passed"


@pytest.mark.parametrize("leak", ["value", "reversed", "missing"])
def test_a_feature_that_alone_tells_the_outcome_is_caught(study, change_table, leak):
    y = pl.read_parquet(study.paths.data / "cohort.parquet")["y"].cast(pl.Float64)
    planted = {"value": y, "reversed": -y, "missing": pl.select(pl.when(y == 1).then(1.0)).to_series()}[leak]
    change_table(marker=planted)
    assert outcomes(study)["covariate_tells_outcome"] == "failed"


def test_statistics_of_everybody_are_caught(study):
    everybody = FeatureStatistics.fit(np.random.default_rng(1).normal(60, 10, (50, 2)), ["age", "charlson_no_chf"])
    assert outcomes(study, statistics=everybody)["statistics_from_elsewhere"] == "failed"
    assert outcomes(study, statistics=statistics_of(study, "test"))["statistics_from_elsewhere"] == "failed"


def ecgs(num_persons, *, torn, seed=0):
    """Two ECGs a person with nearly the same features; `torn` puts one of them into each split."""
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(num_persons), 2)
    first = np.tile([True, False], num_persons)
    is_train = first if torn else person % 2 == 0
    y = (generator.random(num_persons) < 0.4).astype(np.int8)[person]
    values = generator.normal(size=(num_persons, 3))[person] + generator.normal(0, 1e-3, (2 * num_persons, 3))
    return values, pl.DataFrame({"person_id": person, "y": y, "split": np.where(is_train, "train", "validation")})


def test_persons_on_both_sides_are_found_by_shuffled_labels():
    assert permuted_label(*ecgs(200, torn=True), 0.6).outcome == "failed"


def test_persons_who_keep_to_their_split_are_not():
    assert permuted_label(*ecgs(200, torn=False), 0.6).outcome == "passed"


def test_a_feature_that_honestly_tells_the_outcome_is_no_alarm():
    values, used = ecgs(200, torn=False)
    honest = np.column_stack([values, used["y"] + np.random.default_rng(1).normal(0, 1, used.height)])
    assert permuted_label(honest, used, 0.6).outcome == "passed"


def test_a_small_split_has_the_room_that_chance_takes():
    found = [permuted_label(*ecgs(90, torn=False, seed=seed), 0.5).outcome for seed in range(20)]
    assert "not run" not in found
    assert found.count("failed") <= 2


def test_too_few_of_a_class_are_not_judged():
    assert permuted_label(*ecgs(12, torn=False), 0.6).outcome == "not run"


def test_a_failed_check_stops_what_asks_for_a_clean_study(study, change_cohort):
    change_cohort(person_id=pl.lit(7, dtype=pl.Int64))
    with pytest.raises(DataError, match="leakage lint, person_in_two_splits"):
        lint.require_clean(study)


def test_a_check_that_is_allowed_with_a_reason_passes_and_is_recorded(study, change_table):
    change_table(nt_probnp=pl.col("age") * 0 + pl.col("row") % 3)
    allowed = dataclasses.replace(study, lint=LintConfig(allow=("covariate_is_outcome",), reason="measured at admission"))
    found = lint.require_clean(allowed)
    lint.write(found, allowed, study.paths.run)
    written = json.loads((study.paths.run / "lint.json").read_text(encoding="utf-8"))
    (check,) = [check for check in written["checks"] if check["name"] == "covariate_is_outcome"]
    assert check["outcome"] == "allowed"
    assert "measured at admission" in check["message"]


def test_allowing_a_check_takes_a_reason():
    with pytest.raises(ConfigError, match=r"`lint.reason` is empty"):
        LintConfig(allow=("permuted_label",))


def test_allowing_an_unknown_check_is_a_mistake(study):
    given = dataclasses.replace(study, lint=LintConfig(allow=("no_such_check",), reason="x"))
    with pytest.raises(ConfigError, match="no_such_check"):
        lint.lint(given)


def test_nothing_that_is_written_names_a_person(study, change_cohort):
    change_cohort(person_id=pl.lit(987654321, dtype=pl.Int64), y=pl.lit(1, dtype=pl.Int8))
    found = lint.lint(study)
    lint.write(found, study, study.paths.run)
    text = (study.paths.run / "lint.json").read_text(encoding="utf-8")
    assert "987654321" not in text
    assert ".xml" not in text


def test_the_command_prints_a_line_a_check_and_fails_with_one(study, change_cohort):
    path = study.paths.data.parent / "study.toml"
    path.write_text(dump_config(study), encoding="utf-8")
    clean = CliRunner().invoke(app, ["lint", "--config", str(path)])
    assert clean.exit_code == 0, clean.output
    assert clean.stdout.count("\n") == len(lint.CHECKS)
    change_cohort(person_id=pl.lit(7, dtype=pl.Int64))
    assert CliRunner().invoke(app, ["lint", "--config", str(path)]).exit_code == 1
