"""The folder of one training run: who may write into it, its log, and what it says about its origin.

config.toml (resolved), run.json (origin), metrics.jsonl (one object a step and an epoch), checkpoints/step-000000120.pt (the last few) and
best.pt, and at the end hf_risk_model.pth.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfrisk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WRITTEN_FIRST = {"config.toml", "run.json", "metrics.jsonl", "lint.json"}
_CHECKPOINTS = "checkpoints/step-*.pt"
_PACKAGES = ("hfrisk", "torch", "numpy", "polars", "zarr", "scikit-learn")


class RunFolder:
    """Names and writes the files of a run.

    Attributes:
        path: The folder.
        best: Checkpoint of the best validation AUROC so far.
        model: The final model.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best = path / "checkpoints" / "best.pt"
        self.model = path / "hf_risk_model.pth"
        self._metrics = path / "metrics.jsonl"

    @property
    def last(self) -> Path | None:
        """Newest checkpoint, from which `--resume` continues; None where there is none yet."""
        return max(self.path.glob(_CHECKPOINTS), default=None)

    def checkpoint(self, step: int) -> Path:
        """Name the checkpoint after so many steps."""
        return self.best.with_name(f"step-{step:09}.pt")

    def drop_old_checkpoints(self, num_kept: int) -> None:
        """Delete all but the newest."""
        for path in sorted(self.path.glob(_CHECKPOINTS))[:-num_kept]:
            path.unlink()

    def refuse_used(self) -> None:
        """Refuse to start a new run where another one is. One that broke before its first checkpoint is none.

        Raises:
            ConfigError: The folder holds checkpoints or files of others, or is no folder.
        """
        if self.path.is_dir() and {entry.name for entry in self.path.iterdir()} <= _WRITTEN_FIRST:
            return
        if self.path.exists():
            raise ConfigError(
                f"the run folder `{self.path}` is not empty",
                hint="continue that run with `--resume`, or choose another with `--set paths.run=…`",
            )

    def begin(self, config: str, origin: Mapping[str, Any]) -> None:
        """Write config.toml and run.json, and start an empty log."""
        self.path.mkdir(parents=True, exist_ok=True)
        _write_atomic(self.path / "config.toml", config)
        _write_atomic(self.path / "run.json", json.dumps({"created_at": _now(), **origin}, indent=2) + "\n")
        _write_atomic(self._metrics, "")

    def log(self, *entries: Mapping[str, Any]) -> None:
        """Append objects to metrics.jsonl."""
        now = _now()
        lines = [json.dumps({**entry, "created_at": now}) + "\n" for entry in entries]
        with self._metrics.open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def rewind_log(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Drop what was logged after the checkpoint that a resumed run starts from, and a line that a kill cut short."""
        kept = []
        for line in self._metrics.read_text(encoding="utf-8").splitlines() if self._metrics.exists() else ():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if keep(entry):
                kept.append(line + "\n")
        _write_atomic(self._metrics, "".join(kept))


def describe_software() -> dict[str, Any]:
    """Name the git revision of a checkout, and the versions of Python and of what computes."""
    return {"git_revision": _git_revision(), "python": platform.python_version(), "versions": {name: _version(name) for name in _PACKAGES}}


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _write_atomic(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
