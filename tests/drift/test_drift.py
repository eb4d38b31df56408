"""`hfrisk drift`: what has changed is found, and what has not is left in peace."""

import json

import numpy as np
import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

from hfrisk.cli import app
from hfrisk.drift import compare, read_predictions
from hfrisk.drift.compare import stability_index
from hfrisk.errors import DataError


def table(num=4000, *, seed=0, shift=0.0, off=0.0, flagged=0.02, rejected=0.01, with_outcome=True):
    """Calibrated risks of a made-up year; `shift` moves their logits, `off` moves the outcomes' logits only."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-2 + shift, 1, num)
    y = generator.random(num) < 1 / (1 + np.exp(-(logits + off)))
    is_rejected = generator.random(num) < rejected
    frame = pl.DataFrame(
        {
            "risk": 1 / (1 + np.exp(-logits)),
            "acquired_at": np.datetime64("2020-01-01T08:00", "ms") + np.sort(generator.integers(0, 365, num)).astype("timedelta64[D]"),
            "flags": np.where(generator.random(num) < flagged, "crc_unknown noise_marked", ""),
            "rejection": pl.Series([None] * num, dtype=pl.String),
            "y": y.astype(np.int8),
        }
    )
    gone = pl.Series(is_rejected)
    frame = frame.with_columns(
        pl.when(gone).then(None).otherwise(pl.col(name)).alias(name) for name in ("risk", "acquired_at", "flags", "y")
    ).with_columns(rejection=pl.when(gone).then(pl.lit("truncated")))
    return frame if with_outcome else frame.with_columns(y=pl.lit(None, dtype=pl.Int8))


def statuses(found):
    return {verdict["subject"]: verdict["status"] for verdict in found["verdicts"]}


def test_the_same_kind_of_data_is_stable():
    found = compare(table(seed=1), table(seed=2))
    assert set(statuses(found).values()) == {"stable"}
    assert found["verdict"] == "stable"


def test_shifted_scores_are_found():
    found = compare(table(), table(seed=2, shift=1.0))
    assert statuses(found)["scores"] == "drift"
    assert found["verdict"] == "drift"


def test_a_worse_export_is_found_by_its_flags_and_rejections():
    assert statuses(compare(table(), table(seed=2, flagged=0.2)))["input quality"] == "drift"
    assert statuses(compare(table(), table(seed=2, rejected=0.06)))["input quality"] == "watch"


def test_risks_that_no_longer_come_true_are_found_while_scores_stay():
    found = compare(table(), table(seed=2, off=1.0))
    assert statuses(found)["scores"] == "stable"
    assert statuses(found)["calibration"] == "drift"


def test_a_rarer_outcome_is_found():
    assert statuses(compare(table(), table(seed=2, off=-1.0)))["prevalence"] == "watch"


def test_without_outcomes_nothing_is_claimed_about_them():
    found = compare(table(), table(seed=2, with_outcome=False))
    assert statuses(found)["calibration"] == statuses(found)["prevalence"] == "unknown"
    assert found["verdict"] == "stable"


def test_a_handful_of_ecgs_is_no_drift_by_its_size_alone():
    assert statuses(compare(table(), table(40, seed=5)))["scores"] == "stable"


def test_chance_passes_the_stated_bound_in_about_one_of_twenty_comparisons():
    generator = np.random.default_rng(4)
    passed = 0
    for _ in range(300):
        old, now = (pl.DataFrame({"risk": generator.random(num)}) for num in (3000, 1000))
        psi, by_chance = stability_index(old, now, np.quantile(old["risk"].to_numpy(), np.arange(1, 10) / 10))
        passed += psi > by_chance
    assert stats.binomtest(passed, 300, 0.05).pvalue > 0.001


def test_the_stability_index_of_a_known_change():
    old = pl.DataFrame({"risk": [0.1] * 5000 + [0.9] * 5000})
    now = pl.DataFrame({"risk": [0.1] * 8000 + [0.9] * 2000})
    psi, _ = stability_index(old, now, np.array([0.5]))
    assert psi == pytest.approx((0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5), abs=1e-3)


def test_periods_follow_each_other_and_hide_small_ones():
    new = table(400, seed=3)
    late = new.head(3).with_columns(acquired_at=pl.lit("2031-05-01").str.to_datetime(time_unit="ms"))
    periods = compare(table(), pl.concat([new, late]))["periods"]
    assert [period["begins"] for period in periods] == ["2020-01-01", "2020-04-01", "2020-07-01", "2020-10-01", "2031-04-01"]
    assert periods[-1] == {"begins": "2031-04-01", "num_recordings": None}
    assert sum(period["num_recordings"] for period in periods[:-1]) == new["risk"].count()


def test_a_year_in_which_the_scores_moved_shows_when():
    spring, autumn = table(1000, seed=6), table(1000, seed=7, shift=1.5)
    moved = autumn.with_columns(pl.col("acquired_at").dt.offset_by("1y"))
    first, *_, last = compare(table(), pl.concat([spring, moved]), period="year")["periods"]
    assert first["psi"] < 0.1
    assert last["psi"] > 0.25


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_written_table_reads_back_the_same(tmp_path, ending):
    path = tmp_path / f"p.{ending}"
    given = table(50)
    given.write_csv(path) if ending == "csv" else given.write_parquet(path)
    read = read_predictions(path)
    assert read["acquired_at"].to_list() == given["acquired_at"].to_list()
    assert read["risk"].to_list() == pytest.approx(given["risk"].to_list(), nan_ok=True)
    assert read["y"].to_list() == given["y"].to_list()


def test_a_table_of_risks_alone_is_enough(tmp_path):
    pl.DataFrame({"risk": np.linspace(0, 1, 100)}).write_csv(tmp_path / "p.csv")
    read = read_predictions(tmp_path / "p.csv")
    assert compare(read, read)["verdict"] == "stable"


def test_a_table_without_risks_is_refused(tmp_path):
    pl.DataFrame({"score": [0.5]}).write_csv(tmp_path / "p.csv")
    with pytest.raises(DataError, match="no column `risk`"):
        read_predictions(tmp_path / "p.csv")


def test_logits_are_not_taken_for_risks(tmp_path):
    pl.DataFrame({"risk": [0.5, -3.0]}).write_csv(tmp_path / "p.csv")
    with pytest.raises(DataError, match="outside 0 to 1"):
        read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize("name", ["none.csv", "empty"])
def test_what_is_no_table_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no predictions"):
        read_predictions(tmp_path / name)


def test_the_command_writes_numbers_and_can_fail_a_job(tmp_path):
    table().write_parquet(tmp_path / "old.parquet")
    table(seed=2, shift=1.0).write_parquet(tmp_path / "new.parquet")
    arguments = ["drift", str(tmp_path / "old.parquet"), str(tmp_path / "new.parquet"), "-o", str(tmp_path / "drift.json")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert "verdict: drift" in done.stdout
    assert json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))["verdict"] == "drift"
    assert CliRunner().invoke(app, [*arguments, "--fail"]).exit_code == 4
