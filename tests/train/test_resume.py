"""Stopping and resuming changes no bit, and only the same study is resumed."""

import dataclasses
import json
import signal

import polars as pl
import pytest
import torch

from hfrisk.checkpoint import load_payload
from hfrisk.errors import ConfigError, DataError, StoreError
from hfrisk.train import run


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


# 4 training and 2 validation batches an epoch: reads 2 to 4 fall into training, 6 into validation, 9 into the second epoch.
@pytest.mark.parametrize("reads", [[2], [3, 4], [6], [9], [2, 5, 8]])
def test_a_stopped_and_resumed_run_equals_an_undisturbed_one(study, store, tmp_path, reads):
    run(study)
    stopped = changed(study, paths={"run": tmp_path / "stopped"})
    for num_reads in reads:
        store.num_reads = 0
        store.signal_at = {num_reads: signal.SIGTERM}
        with pytest.raises(SystemExit) as exit_:
            run(stopped, resume=True)
        assert exit_.value.code == 0
    assert not (stopped.paths.run / "hf_risk_model.pth").exists()
    run(stopped, resume=True)
    assert same_weights(final_weights(study), final_weights(stopped))
    for kind in ("step", "epoch"):
        assert without_clock(log_of(study, kind)) == without_clock(log_of(stopped, kind))


# What a power cut leaves: the last save is the end of an epoch (10 minutes), or any logged step (0 minutes).
@pytest.mark.parametrize("checkpoint_every_minutes", [10, 0])
@pytest.mark.parametrize("num_reads", [3, 10, 12])
def test_a_run_that_broke_without_warning_resumes_to_the_same_bits(study, store, tmp_path, num_reads, checkpoint_every_minutes):
    run(study)
    broken = changed(study, paths={"run": tmp_path / "broken"}, train={"checkpoint_every_minutes": float(checkpoint_every_minutes)})
    store.num_reads, store.breaks_at = 0, num_reads
    with pytest.raises(StoreError):
        run(broken)
    store.breaks_at = None
    with (broken.paths.run / "metrics.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"kind": "step", "st')  # a line that the cut left half written
    run(broken, resume=True)
    assert same_weights(final_weights(study), final_weights(broken))
    for kind in ("step", "epoch"):
        assert without_clock(log_of(study, kind)) == without_clock(log_of(broken, kind))


def test_ctrl_c_saves_and_says_how_to_resume(study, store, capsys):
    store.signal_at = {2: signal.SIGINT}
    with pytest.raises(KeyboardInterrupt):
        run(study)
    assert (study.paths.run / "checkpoints" / "last.pt").exists()
    assert "--resume" in capsys.readouterr().err


def test_handlers_are_put_back_after_a_run(study):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    run(study)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_used_run_folder_is_refused_with_a_way_out(study):
    run(study)
    with pytest.raises(ConfigError, match="not empty") as refusal:
        run(study)
    assert "--resume" in refusal.value.hint


def test_a_folder_with_files_of_others_is_refused(study):
    study.paths.run.mkdir()
    (study.paths.run / "thesis.docx").touch()
    with pytest.raises(ConfigError, match="not empty"):
        run(study)


def test_a_run_that_broke_before_its_first_checkpoint_may_begin_anew(study, store):
    store.breaks_at = 2
    with pytest.raises(StoreError):
        run(study)
    store.breaks_at = None
    run(study)
    assert [entry["step"] for entry in log_of(study, "step")] == list(range(1, 9))


def test_resuming_a_finished_run_changes_nothing(study):
    run(study)
    before = final_weights(study)
    run(study, resume=True)
    assert same_weights(before, final_weights(study))


def test_resuming_with_another_learning_rate_is_refused(study):
    run(study)
    with pytest.raises(ConfigError, match=r"train\.learning_rate"):
        run(changed(study, train={"learning_rate": 1e-4}), resume=True)


def test_resuming_with_other_threads_is_fine(study):
    run(study)
    run(changed(study, train={"num_threads": 2}), resume=True)


def test_resuming_on_other_features_is_refused(study):
    run(study)
    pl.read_csv(study.paths.tabular).rename({"age": "weight"}).write_csv(study.paths.tabular)
    with pytest.raises(DataError, match="other tabular features"):
        run(study, resume=True)


def test_resuming_on_another_cohort_is_refused(study):
    run(study)
    rewrite_cohort(study, lambda cohort: cohort.with_columns(y=pl.when(pl.col("row") == 0).then(None).otherwise("y")))
    with pytest.raises(DataError, match=r"changed|other tabular"):
        run(study, resume=True)
