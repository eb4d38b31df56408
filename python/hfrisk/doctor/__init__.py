"""`hfrisk doctor [STUDY]`: what of the machine, the study, its store and its database is not as it should be, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from hfrisk.doctor.finding import Finding
from hfrisk.doctor.machine import examine_machine
from hfrisk.doctor.study import examine_study

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Finding", "examine", "show"]

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "error": ("error", "red")}


def examine(study: Path | None) -> Iterator[Finding]:
    """Look at the machine, and at a study when one is named; each finding comes as soon as it is made.

    Args:
        study: A study file, or None.
    """
    yield from examine_machine()
    if study is not None:
        yield from examine_study(study)


def show(findings: Iterable[Finding]) -> bool:
    """Print the findings; whether none of them is an error."""
    console = Console(soft_wrap=True, highlight=False)
    counts = {"ok": 0, "warning": 0, "error": 0}
    for finding in findings:
        counts[finding.status] += 1
        word, colour = _MARKS[finding.status]
        console.print(Text.assemble((f"{word:<8}", colour), (f"{finding.subject}: ", "bold"), finding.detail))
        if finding.hint:
            console.print(Text(f"        hint: {finding.hint}", "dim"))
    console.print(f"\n{counts['ok']} in order, {counts['warning']} warnings, {counts['error']} errors")
    return counts["error"] == 0
