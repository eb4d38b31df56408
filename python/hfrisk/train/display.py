"""What a person sees while a model trains: lines on stderr, and on a terminal a progress bar below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

_MINUTE_S = 60
_HOUR_S = 3600


class Display:
    """Lines and a bar over all steps of a run."""

    def __init__(self, num_steps: int, *, is_silent: bool = False) -> None:
        self._num_steps = num_steps
        self._console = Console(stderr=True, highlight=False, quiet=is_silent)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=is_silent or not self._console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=num_steps)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, entry: Mapping[str, float], *, num_epochs: int, eta_s: float) -> None:
        """Print where the run stands, from the last object of a logged window."""
        step = int(entry["step"])
        self._progress.update(self._task, completed=step)
        self.line(
            f"epoch {entry['epoch'] + 1}/{num_epochs} | step {step:,}/{self._num_steps:,} ({step / self._num_steps:.0%})"
            f" | loss {entry['loss']:.4f} | {entry['ecg_per_s']:,.0f} ecg/s | data {entry['data_wait_share']:.0%} | eta {_duration(eta_s)}"
        )

    def epoch(self, entry: Mapping[str, float], *, num_epochs: int, is_best: bool) -> None:
        """Print the result of an epoch."""
        self.line(
            f"epoch {entry['epoch'] + 1}/{num_epochs} done | train loss {entry['train_loss']:.4f}"
            f" | validation loss {entry['validation_loss']:.4f} AUROC {entry['validation_auroc']:.4f}"
            f" AUPRC {entry['validation_auprc']:.4f} (prevalence {entry['validation_prevalence']:.3f}){' | best so far' if is_best else ''}"
        )

    def line(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:.0f}s"
    return f"{seconds / _MINUTE_S:.1f}m" if seconds < _HOUR_S else f"{seconds / _HOUR_S:.1f}h"
