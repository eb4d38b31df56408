"""A million ECGs joined with ten million diagnoses to a labelled cohort: seconds and peak memory of a process that does nothing else."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

if TYPE_CHECKING:
    from pathlib import Path

NUM_ECGS = 1_000_000
NUM_CONDITIONS = 10_000_000
NUM_PERSONS = 400_000
TARGET_S, TARGET_GB = 10, 2
STUDIES = {
    "prevalent": {"mode": "prevalent"},
    "incident": {"mode": "incident"},
    "incident, earlier heart failure kept": {"mode": "incident", "remove_subjects_with_prior_outcome": False},
    "incident, ip1_or_op2, look-back of 730 days": {"mode": "incident", "rule": "ip1_or_op2", "prior_outcome_lookback": 730},
}
"""The usual two, which look at a person's first record, and two that look at every record."""

CHILD = """
import json, sys, time
from pathlib import Path
import polars as pl
from hfrisk import cohort
from hfrisk.config import CohortConfig, StudyConfig
folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
started = time.perf_counter()
read = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("records", "registry", "persons", "outcome", "periods")}
made = cohort.build(conditions=pl.scan_parquet(folder / "conditions.parquet"), config=StudyConfig(cohort=CohortConfig(**settings)), **read)
seconds = time.perf_counter() - started
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
told = {"positive": int(made.frame["y"].sum()), "rows": made.frame.height}
print(json.dumps({"seconds": seconds, "gigabytes": int(peak) * 1024 / 1e9, **told}))
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Records, registry, persons and heart-failure records of a registry, as the commands before `hfrisk cohort` leave them."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    person = rng.integers(NUM_PERSONS, size=NUM_ECGS)
    day = np.datetime64("2012-01-01")
    acquired = (day + rng.integers(0, 3000, NUM_ECGS)).astype("datetime64[ms]")
    names = [f"MUSE_{number:07}.xml" for number in range(NUM_ECGS)]
    numbers = np.arange(NUM_ECGS)
    records = {"row": numbers, "ecg_file": names, "acquired_at": acquired, "payload_hash": numbers.astype(np.uint64)}
    pl.DataFrame(records).write_parquet(folder / "records.parquet")
    pl.DataFrame({"ecg_file": names, "person_id": person}).write_parquet(folder / "registry.parquet")
    sick = rng.choice(NUM_PERSONS, NUM_PERSONS // 5, replace=False)
    dates = day + rng.integers(0, 4000, NUM_CONDITIONS)
    who = np.concatenate([sick, sick[rng.integers(len(sick), size=NUM_CONDITIONS - len(sick))]])
    visits = rng.choice([9201, 9202], NUM_CONDITIONS, p=[0.2, 0.8])
    conditions = {"person_id": who, "condition_concept_id": np.full(NUM_CONDITIONS, 316139), "condition_start_date": dates}
    pl.DataFrame(conditions | {"visit_concept_id": visits}).with_columns(pl.col("condition_start_date").cast(pl.Date)).write_parquet(
        folder / "conditions.parquet"
    )
    everybody = np.arange(NUM_PERSONS)
    span = {"observation_start": dt.date(2008, 1, 1), "observation_end": dt.date(2023, 1, 1)}
    unknown = [pl.lit(None, dtype=pl.Date).alias(name) for name in ("last_visit_date", "death_date")]
    pl.DataFrame({"person_id": everybody} | span).with_columns(unknown).write_parquet(folder / "persons.parquet")
    pl.DataFrame({"person_id": everybody, "hf_outcome": np.isin(everybody, sick).astype(int)}).write_parquet(folder / "outcome.parquet")
    periods = {"person_id": everybody, "start": dt.date(2008, 1, 1), "end": dt.date(2023, 1, 1)}
    pl.DataFrame(periods).write_parquet(folder / "periods.parquet")
    return folder


def test_cohort(tables, compare, benchmark):
    """One million ECGs, ten million diagnoses to a labelled cohort with its splits, reading included (two cores)"""
    found: dict[str, dict[str, float]] = {}

    def child(study: str) -> None:
        command = [sys.executable, "-c", CHILD, str(tables), json.dumps(STUDIES[study])]
        found[study] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    compare({study: lambda study=study: child(study) for study in STUDIES}, items=NUM_ECGS, unit="ECGs", rounds=2)
    assert all(one["rows"] == NUM_ECGS and 0 < one["positive"] < NUM_ECGS for one in found.values())
    benchmark.extra_info["notes"] = [
        f"`{study}`: {one['seconds']:.1f} s in the process itself (target at most {TARGET_S} s: {_verdict(one['seconds'] <= TARGET_S)}), "
        f"peak memory {one['gigabytes']:.2f} GB (target at most {TARGET_GB} GB: {_verdict(one['gigabytes'] <= TARGET_GB)})."
        for study, one in found.items()
    ]


def _verdict(is_met: bool) -> str:  # noqa: FBT001
    return "met" if is_met else "**missed**"
