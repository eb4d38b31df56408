"""The whole path on a made-up hospital: the commands a reader would type, one after the other, each echoed before it runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console

from hfrisk.errors import HfriskError
from hfrisk.synthetic.database import serve
from hfrisk.synthetic.hospital import ECG_FOLDER, make_hospital

if TYPE_CHECKING:
    from pathlib import Path


def run(out: Path, num_patients: int, seed: int) -> None:
    """Make a hospital in `out`, start its database, and run convert, labels, cohort, train, evaluate and report on it.

    Args:
        out: Folder to make; it must not exist or be empty.
        num_patients: Persons with ECGs.
        seed: Of the hospital; training has its own in study.toml.

    Raises:
        DataError: `out` is not empty.
        DatabaseError: The database does not start.
        HfriskError: A command failed; what it said stands above.
    """
    started = time.monotonic()
    console = Console(stderr=True, highlight=False)
    _echo(console, f"hfrisk demo {shlex.quote(str(out))} --patients {num_patients} --seed {seed}")
    make_hospital(out, num_patients=num_patients, seed=seed)
    _echo(console, f"cd {shlex.quote(str(out))}")
    with serve(out) as dsn:
        _echo(console, f"export HFRISK_DSN={shlex.quote(dsn)}    # from: python -m hfrisk.synthetic.database .")
        environment = {**os.environ, "HFRISK_DSN": dsn}
        for shown, module, *arguments in (
            ("hfrisk-convert", "hfrisk.convert", ECG_FOLDER, "store", "--max-rejected", "50"),
            ("hfrisk", "hfrisk.cli", "labels", "--config", "study.toml"),
            ("hfrisk", "hfrisk.cli", "cohort", "--config", "study.toml"),
            ("hfrisk", "hfrisk.cli", "lint", "--config", "study.toml"),
            ("python -m hfrisk.train", "hfrisk.train", "--config", "study.toml"),
            ("hfrisk", "hfrisk.cli", "evaluate", "run"),
            ("hfrisk", "hfrisk.cli", "explain", "run"),
            ("hfrisk", "hfrisk.cli", "report", "run", "--with-cases"),
        ):
            command = shlex.join(arguments)
            _echo(console, f"{shown} {command}")
            # Through this interpreter, so that the demo does not depend on PATH.
            done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=out, env=environment, check=False)  # noqa: S603
            if done.returncode != 0:
                raise HfriskError(f"`{shown} {command}` failed", hint=f"run it again by hand in `{out}`, after: export HFRISK_DSN='{dsn}'")
    _conclude(out, time.monotonic() - started)


def _echo(console: Console, command: str) -> None:
    console.print(f"\n[bold]$ {command}[/bold]", soft_wrap=True)


def _conclude(out: Path, seconds: float) -> None:
    run_folder = out.resolve() / "run"
    report: dict[str, Any] = json.loads((run_folder / "report.json").read_text(encoding="utf-8"))
    auroc = report["splits"]["test"]["metrics"]["auroc"]
    print(f"\nreport      {run_folder / 'report.html'}")
    print(f"model       {run_folder / 'hf_risk_model.pth'}")
    print(f"test AUROC  {auroc['value']:.3f} (95 % interval {auroc['low']:.3f} to {auroc['high']:.3f})")
    print(f"in {seconds:.0f} s")
