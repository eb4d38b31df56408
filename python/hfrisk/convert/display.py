"""What a conversion shows on stderr: progress while it runs, tables when it has ended."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hfrisk.convert.api import Progress, Summary, Verification

_WIDTH = 80


@contextlib.contextmanager
def progress_display(verb: str = "converting") -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr: a bar on a terminal, else a line every 10 %."""
    unit = "files" if verb == "converting" else "rows"
    if not sys.stderr.isatty():
        yield _TenthsPrinter(unit)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10) as bar:
        task = bar.add_task("", total=None, note="")
        yield lambda progress: bar.update(task, total=progress.num_files or None, completed=progress.num_done, note=_note(progress, unit))


class _TenthsPrinter:
    """Writes one line for each tenth of the work."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._tenth = 0

    def __call__(self, progress: Progress) -> None:
        tenth = 10 * progress.num_done // max(progress.num_files, 1)
        if tenth > self._tenth:
            self._tenth = tenth
            print(
                f"{progress.num_done:,} of {progress.num_files:,} {self._unit} ({10 * tenth} %), {_note(progress, self._unit)}",
                file=sys.stderr,
            )


def _note(progress: Progress, unit: str) -> str:
    if progress.num_files == 0:
        before = "comparing checksums" if unit == "rows" else "comparing payloads"
        return f"{before}, {progress.num_bytes / 1e6:,.0f} MB read" if progress.num_bytes else "listing the sources"
    seconds = max(progress.seconds, 1e-9)
    speed = f"{(progress.num_done - progress.num_resumed) / seconds:,.0f} {unit}/s, {progress.num_bytes / seconds / 1e6:,.0f} MB/s"
    return speed if unit == "rows" else f"{speed}, {progress.num_rejected:,} rejected"


def show_summary(summary: Summary, out: Path) -> None:
    """Say what became of the files, and count them by kind of rejection and by flag."""
    if not summary.is_complete:
        line = f"{summary.num_files_read:,} files done in {summary.seconds:.1f} s; when all parts are: hfrisk-convert --finish {out}"
        print(line, file=sys.stderr)
        return
    counts = f"{summary.num_converted:,} of {summary.num_files:,} files converted"
    if summary.num_files_read == 0:
        line = f"already complete: {counts}"
    else:
        line = f"{counts} in {summary.seconds:.1f} s ({summary.num_files_read / max(summary.seconds, 1e-9):,.0f}/s)"
    print(f"{line}, {summary.num_rejected:,} rejected", file=sys.stderr)
    if summary.num_duplicates:
        print(f"skipped: {summary.num_duplicates:,} whose recordings the store has from other files", file=sys.stderr)
    _show_counts("rejected because", "files", summary.rejections, summary.num_files)
    _show_counts("flag", "recordings", summary.flags, summary.num_converted)
    if summary.rejections:
        kind, number = max(summary.rejections.items(), key=lambda item: item[1])
        print(f"hint: see {out / 'rejected.parquet'}, most often: {kind} ({number:,})", file=sys.stderr)


def _show_counts(title: str, unit: str, counts: dict[str, int], total: int) -> None:
    if not counts:
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column(title, overflow="fold", min_width=24)
    table.add_column(unit, justify="right")
    table.add_column("share", justify="right")
    for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(name, f"{number:,}", f"{number / max(total, 1):.2%}")
    Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH, markup=False, highlight=False).print(table)


def show_verification(found: Verification, out: Path) -> None:
    """Say what was read, and everything that is damaged."""
    for damage in found.damages:
        print(damage, file=sys.stderr)
    what = f"{found.num_recordings:,} recordings in {found.num_rows:,} rows, {found.num_files:,} files, {found.num_bytes / 1e6:,.1f} MB"
    if found.damages:
        print(f"{len(found.damages):,} damages in {out}: {what} read in {found.seconds:.1f} s", file=sys.stderr)
    else:
        print(f"{out} is sound: {what} read in {found.seconds:.1f} s", file=sys.stderr)
