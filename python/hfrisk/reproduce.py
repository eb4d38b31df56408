"""`hfrisk reproduce RUN`: train and measure once more from what the run folder says, and compare inputs, weights and figures."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from hfrisk import evaluate, train
from hfrisk.checkpoint import load_model
from hfrisk.errors import ConfigError, DataError
from hfrisk.evaluate import MODEL_FILE, load_run_config
from hfrisk.outputs import Outputs
from hfrisk.run_folder import describe_software, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import StudyConfig

SCHEMA = 1
"""Of reproduction.json."""
CLOSE = 0.01
"""Figures that differ by less come from another machine or library, not from another study."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of it.

    Attributes:
        verdict: `identical`, to the last bit of the weights; `close`, every figure within 0.01; `different`.
        versions: Packages of another version than then, as `then -> now`.
        has_same_weights: Whether every weight has the same bits.
        metrics: Of the test split: name, value then, value now.
    """

    verdict: Literal["identical", "close", "different"]
    versions: dict[str, str]
    has_same_weights: bool
    metrics: tuple[tuple[str, float, float], ...]


def run(run_folder: Path, *, out: Path | None = None) -> Reproduction:
    """Repeat a run.

    Args:
        run_folder: Folder of a run that was evaluated.
        out: Folder of the repetition; by default the run's name with `-reproduced`. reproduction.json is written there.

    Returns:
        The comparison.

    Raises:
        DataError: The run is not complete, or an input has changed since.
        ConfigError: The repetition's folder is not empty.
    """
    config = load_run_config(run_folder)
    then, origin = (_read(run_folder / name) for name in ("report.json", "run.json"))
    again = run_folder.with_name(f"{run_folder.resolve().name}-reproduced") if out is None else out
    if again.resolve() == run_folder.resolve():
        raise ConfigError(f"`{out}` is the run itself", hint="choose another folder for the repetition")
    if changed := changed_inputs(config, origin.get("sha256", {})):
        raise DataError(
            f"changed since the run: {', '.join(changed)}; other inputs give another result",
            hint="restore them, or train a new run on the new ones",
        )
    train.run(dataclasses.replace(config, paths=dataclasses.replace(config.paths, run=again)))
    evaluate.run(again)
    found = compare(run_folder, again, then, _read(again / "report.json"), origin)
    with Outputs(again) as outputs:
        text = json.dumps({"schema": SCHEMA, **dataclasses.asdict(found)}, indent=1)
        outputs.path("reproduction.json").write_text(text + "\n", encoding="utf-8")
    return found


def changed_inputs(config: StudyConfig, then: dict[str, str | None]) -> list[str]:
    """Name the files whose hash is not what run.json says; a file that is gone has changed too."""
    paths = {
        "cohort": config.paths.data / "cohort.parquet",
        "store": config.paths.store / "ecg.zarr" / "signals" / "zarr.json",
        "tabular": config.paths.tabular,
    }
    changed = []
    for name, digest in then.items():
        path = paths.get(name)
        if digest is not None and path is not None and (not path.is_file() or sha256_of(path) != digest):
            changed.append(name)
    return changed


def compare(first: Path, second: Path, then: dict[str, Any], now: dict[str, Any], origin: dict[str, Any]) -> Reproduction:
    """Compare two runs of one study by their weights and by the figures of their reports."""
    old, new = (load_model(folder / MODEL_FILE)[0].state_dict() for folder in (first, second))
    same_weights = old.keys() == new.keys() and all(np.array_equal(old[name].numpy(), new[name].numpy(), equal_nan=True) for name in old)
    measured = tuple(_metrics(then, now))
    versions = describe_software()["versions"]
    moved = {
        name: f"{version} -> {versions.get(name)}" for name, version in origin.get("versions", {}).items() if version != versions.get(name)
    }
    worst = max((abs(a - b) for _, a, b in measured), default=0.0)
    verdict: Literal["identical", "close", "different"] = "close" if worst <= CLOSE else "different"
    if same_weights and worst == 0:
        verdict = "identical"
    return Reproduction(verdict, moved, same_weights, measured)


def show(found: Reproduction) -> None:
    """Print the comparison."""
    console = Console(soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("metric", "then", "now", "difference"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, then, now in found.metrics:
        table.add_row(name, f"{then:.6f}", f"{now:.6f}", f"{now - then:+.2e}" if now != then else "0")
    console.print(table)
    for name, change in found.versions.items():
        console.print(f"note: {name} {change}")
    weights = "the same bits" if found.has_same_weights else "not the same"
    console.print(f"\nverdict: {found.verdict}; weights: {weights}")


def _metrics(then: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Figures of the test split that both reports have as numbers."""
    old, new = (report["splits"]["test"]["metrics"] for report in (then, now))
    pairs = [(name, old[name]["value"], new[name]["value"]) for name in old if name in new]
    return [(name, a, b) for name, a, b in pairs if a is not None and b is not None]


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"no `{path.name}` in `{path.parent}`", hint="a run is complete once it is trained and evaluated") from None
    except json.JSONDecodeError:
        raise DataError(f"`{path}` is damaged", hint="evaluate the run again: `hfrisk evaluate RUN`") from None
    return content
