"""What evaluation reads from the run folder and the study's data folder."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import polars as pl

from hfrisk.cohort.split import num_in_two_splits
from hfrisk.config import load_config
from hfrisk.disclosure import pooled_attrition
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from hfrisk.config import StudyConfig

MODEL_FILE = "hf_risk_model.pth"
_COHORT_COLUMNS = ("row", "person_id", "y", "split")


def load_run_config(run_folder: Path) -> StudyConfig:
    """Read the settings that a run was made with.

    Raises:
        DataError: There is no such run.
    """
    path = run_folder / "config.toml"
    if not path.is_file():
        raise DataError(
            f"`{run_folder}` is not a run folder: it holds no config.toml", hint="name the folder in `paths.run` of the study file"
        )
    return load_config(path)


def read_cohort(path: Path, *, allow: Collection[str] = ()) -> pl.DataFrame:
    """Read the labelled ECGs.

    Args:
        path: cohort.parquet.
        allow: Checks of the leakage lint that the study lets pass, with a reason.

    Raises:
        DataError: The file is absent or lacks a column, a person or a signal is in two splits, or nothing is there to test on.
    """
    if not path.is_file():
        raise DataError(f"no cohort at `{path}`", hint="`hfrisk cohort --config study.toml` writes it")
    cohort = pl.read_parquet(path)
    if missing := [name for name in _COHORT_COLUMNS if name not in cohort.columns]:
        raise DataError(f"`{path}` lacks the column `{missing[0]}`", hint="`hfrisk cohort --config study.toml` writes it anew")
    cohort = cohort.filter(pl.col("y").is_not_null())
    num_split_persons = cohort.group_by("person_id").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1).height
    if num_split_persons:
        raise DataError(
            f"`{path}`: {num_split_persons} persons are in more than one split, so the test would flatter",
            hint="`hfrisk cohort --config study.toml` writes it anew; with `split.file`, give each person one line",
        )
    if "payload_hash" in cohort.columns and "signal_in_two_splits" not in allow:
        num_split_signals = num_in_two_splits(cohort, "payload_hash")
        if num_split_signals:
            raise DataError(
                f"`{path}`: {num_split_signals} signals are in more than one split, so the test would flatter",
                hint="`hfrisk lint` tells more; `hfrisk cohort --config study.toml` writes it anew",
            )
    if cohort.filter(pl.col("split") == "test").is_empty():
        raise DataError(f"`{path}`: no labelled ECG is in the test split", hint="raise split.test_fraction, or add persons")
    return cohort


def read_attrition(path: Path, smallest: int) -> list[dict[str, Any]]:
    """How many ECGs and persons each rule removed, rules that removed few pooled; empty where that was not written."""
    return pooled_attrition(pl.read_csv(path).to_dicts(), smallest) if path.is_file() else []


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file; an absent file is an empty one.

    Raises:
        DataError: The file is not JSON.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise DataError(f"`{path}` is not JSON: {error}", hint="the command that writes it writes it anew") from None
    return facts


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that end an epoch; a line cut short by a crash is none."""
    epochs = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "validation_loss" in entry:
            epochs.append(entry)
    return epochs


def settings(config: StudyConfig) -> dict[str, Any]:
    """Every setting that bears on the result, as plain values; where things lay and how the database was reached stay on the site."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=lambda path: path.name))
    return {name: section for name, section in plain.items() if isinstance(section, dict) and name not in {"paths", "omop"}}


def inputs_of(config: StudyConfig) -> str:
    """What the model reads: `both` without a tabular file is the ECG alone."""
    return "ecg" if config.model.inputs == "both" and config.paths.tabular is None else config.model.inputs
