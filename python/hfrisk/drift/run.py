"""`hfrisk drift`: read, compare, write, print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hfrisk.drift.compare import Period, compare
from hfrisk.drift.tables import read_predictions
from hfrisk.outputs import Outputs

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = {"stable": "green", "watch": "yellow", "drift": "red", "unknown": "dim"}
_PLAIN = {
    "stable": "nothing speaks against using the model as before",
    "watch": "something has changed; look at it before relying on the model",
    "drift": "the model meets other data than it was measured on; measure it again before using it",
    "unknown": "nothing can be told",
}


def run(reference: Path, new: Path, *, out: Path | None = None, period: Period = "quarter") -> dict[str, Any]:
    """Compare two sets of predictions.

    Args:
        reference: A run folder, or predictions made when the model was measured.
        new: The same of later ECGs.
        out: JSON file for every number; it holds counts and shares, no single patient.
        period: What the new ECGs are cut into.

    Returns:
        As `hfrisk.drift.compare`.

    Raises:
        DataError: A side cannot be read.
    """
    found = compare(read_predictions(reference), read_predictions(new), period=period)
    if out is not None:
        with Outputs(out.parent) as outputs:
            outputs.path(out.name).write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return found


def show(found: dict[str, Any]) -> None:
    """Print what was found, the verdict last."""
    console = Console(soft_wrap=True, highlight=False)
    if found["periods"]:
        table = Table(box=None, pad_edge=False)
        table.add_column("from")
        for heading in ("recordings", "mean risk", "PSI", "by chance", "outcome", "obs./exp."):
            table.add_column(heading, justify="right")
        for period in found["periods"]:
            ratio = period.get("observed_to_expected")
            table.add_row(
                period["begins"],
                "< 5" if period["num_recordings"] is None else f"{period['num_recordings']:,}",
                _number(period.get("mean_risk"), ".3f"),
                _number(period.get("psi"), ".3f"),
                _number(period.get("psi_by_chance"), ".3f"),
                _number(period.get("prevalence"), ".1%"),
                _number(ratio and ratio["value"], ".2f"),
            )
        console.print(table)
        console.print()
    for verdict in found["verdicts"]:
        word, colour = verdict["status"], _COLOURS[verdict["status"]]
        console.print(Text.assemble((f"{word:<8}", colour), (f"{verdict['subject']}: ", "bold"), verdict["sentence"]))
    console.print(Text.assemble("\nverdict: ", (found["verdict"], _COLOURS[found["verdict"]]), f", {_PLAIN[found['verdict']]}"))


def _number(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)
