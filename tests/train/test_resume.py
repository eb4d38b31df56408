"""Stopping and resuming changes no bit, and only the same study is resumed."""

import dataclasses
import json
import signal

import numpy as np
import polars as pl
import pytest
import torch

from hfrisk.checkpoint import load_payload
from hfrisk.errors import ConfigError, DataError, StoreError
from hfrisk.train import run
from processes import start


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


def everything(study):
    """The study with all that is random, averaged or accumulated switched on, and a checkpoint after every second step."""
    return changed(
        study,
        train={"ema_decay": 0.9, "accumulation_steps": 2, "pos_weight": 2.0, "checkpoint_every_minutes": 0.0},
        augment={"time_shift_s": 0.5, "crop_s": 8.0, "amplitude": 0.2, "noise_uv": 5.0, "wander_uv": 50.0, "lead_dropout": 0.1},
        model={"modality_dropout": 0.2},
    )


def test_a_run_killed_again_and_again_resumes_to_the_same_bits(study, on_disk, tmp_path):
    study = everything(study)
    run(study)
    killed = on_disk(changed(study, paths={"run": tmp_path / "killed"}))
    for at_step in np.random.default_rng(5).choice(np.arange(1, 8), 3, replace=False):
        codes, said = start(tmp_path, "kill", at_step=at_step)
        assert codes == [-signal.SIGKILL] or load_state(killed)["step"] > at_step, said
    run(killed, resume=True)
    assert same_weights(final_weights(study), final_weights(killed))
    for kind in ("step", "epoch"):
        assert without_clock(log_of(study, kind)) == without_clock(log_of(killed, kind))


def load_state(study):
    return load_payload(max((study.paths.run / "checkpoints").glob("step-*.pt")))["state"]


def test_the_newest_checkpoints_stay_and_older_ones_go(study):
    run(changed(study, train={"checkpoint_every_minutes": 0.0, "keep_checkpoints": 3}))
    names = sorted(path.name for path in (study.paths.run / "checkpoints").glob("step-*.pt"))
    assert names == ["step-000000004.pt", "step-000000006.pt", "step-000000008.pt"]


def test_resuming_with_another_augmentation_is_refused(study):
    run(study)
    with pytest.raises(ConfigError, match=r"augment\.noise_uv"):
        run(changed(study, augment={"noise_uv": 1.0}), resume=True)


@pytest.mark.parametrize(("planted", "said"), [({"schema": 1}, "schema"), ({"lead_order": ["II", "I"]}, "lead_order")])
def test_a_checkpoint_of_another_schema_or_lead_order_is_refused(study, planted, said):
    run(study)
    newest = study.paths.run / "checkpoints" / "step-000000008.pt"
    torch.save({**torch.load(newest, weights_only=True), **planted}, newest)
    with pytest.raises(DataError, match=said):
        run(study, resume=True)


def test_ctrl_c_saves_and_says_how_to_resume(study, store, capsys):
    store.signal_at = {2: signal.SIGINT}
    with pytest.raises(KeyboardInterrupt):
        run(study)
    # The batches are read ahead, so the signal may find the loop in the first step or the second.
    (saved,) = (study.paths.run / "checkpoints").iterdir()
    assert saved.name in {"step-000000001.pt", "step-000000002.pt"}
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
