"""The demonstration: which commands it runs, in which order, and what it says at the end."""

import contextlib
import json
import subprocess

import pytest

from hfrisk.errors import HfriskError
from hfrisk.synthetic import demo

DSN = "host=/nowhere dbname=hospital user=hfrisk_reader"


@pytest.fixture
def commands(monkeypatch):
    """Replace database and commands; a command writes what the demonstration reads at its end."""
    seen = []

    @contextlib.contextmanager
    def served(_hospital):
        yield DSN

    def ran(command, *, cwd, env, check):
        assert not check
        seen.append((command[2:], env["HFRISK_DSN"]))
        (cwd / "run").mkdir(exist_ok=True)
        interval = {"value": 0.871, "low": 0.81, "high": 0.92}
        report = {"splits": {"test": {"metrics": {"auroc": interval}}}}
        (cwd / "run" / "report.json").write_text(json.dumps(report), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo, "serve", served)
    monkeypatch.setattr(demo.subprocess, "run", ran)
    return seen


def test_the_demo_runs_the_real_commands_in_order_with_the_databases_dsn(tmp_path, commands):
    demo.run(tmp_path / "h", num_patients=4, seed=1)
    study = ["--config", "study.toml"]
    assert [command for command, _ in commands] == [
        ["hfrisk.convert", "datasets/ECG-Registry/1.0.0/1.MAIN", "store", "--max-rejected", "50"],
        ["hfrisk.cli", "labels", *study],
        ["hfrisk.cli", "cohort", *study],
        ["hfrisk.cli", "lint", *study],
        ["hfrisk.train", *study],
        ["hfrisk.cli", "evaluate", "run"],
        ["hfrisk.cli", "explain", "run"],
        ["hfrisk.cli", "report", "run", "--with-cases"],
    ]
    assert {dsn for _, dsn in commands} == {DSN}


def test_the_demo_echoes_what_a_reader_would_type(tmp_path, commands, capsys):
    demo.run(tmp_path / "h", num_patients=4, seed=1)
    echoed = [line[2:] for line in capsys.readouterr().err.splitlines() if line.startswith("$ ")]
    assert "hfrisk-convert datasets/ECG-Registry/1.0.0/1.MAIN store --max-rejected 50" in echoed
    assert "python -m hfrisk.train --config study.toml" in echoed
    assert len(echoed) == len(commands) + 3, "the hospital, its folder and its database come first"


def test_the_demo_ends_with_the_report_the_model_and_the_auroc(tmp_path, commands, capsys):
    demo.run(tmp_path / "h", num_patients=4, seed=1)
    out = capsys.readouterr().out
    assert str(tmp_path / "h" / "run" / "report.html") in out
    assert str(tmp_path / "h" / "run" / "hf_risk_model.pth") in out
    assert "test AUROC  0.871 (95 % interval 0.810 to 0.920)" in out
    assert commands


def test_a_command_that_fails_stops_the_demo_and_is_named(tmp_path, commands, monkeypatch):
    monkeypatch.setattr(demo.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(HfriskError, match=r"hfrisk-convert .* failed"):
        demo.run(tmp_path / "h", num_patients=4, seed=1)
    assert not commands
