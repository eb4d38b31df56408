"""`hfrisk-convert`: hospital ECG XML to a store; `parse` for a single file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hfrisk import _core
from hfrisk._core import Recording, __version__, build_profile, instruction_sets, parse
from hfrisk.errors import exit_on_error, report_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "Progress",
    "Recording",
    "Summary",
    "__version__",
    "build_profile",
    "convert",
    "convert_command",
    "instruction_sets",
    "main",
    "parse",
]

Codec = Literal["ecgpack", "zstd", "none"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a conversion is."""

    num_files: int
    """Files in the plan; 0 while the sources are being listed."""
    num_done: int
    """Files done, those of an earlier run included."""
    num_resumed: int
    """Files that an earlier run had done."""
    num_rejected: int
    """Files rejected in this run."""
    num_bytes: int
    """Bytes read in this run."""
    seconds: float
    """Seconds since the first file of this run."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of a conversion; counts are over the whole store, whichever run wrote its parts."""

    num_files: int
    num_converted: int
    num_rejected: int
    rejections: dict[str, int]
    """Rejected files by kind."""
    flags: dict[str, int]
    """Recordings by quality flag; flags that no recording has are left out."""
    num_skipped: int
    """Files in the sources' folders that are not XML; 0 when an earlier run listed them."""
    num_files_read: int
    """Files that this run read; 0 when the store was complete."""
    num_bytes: int
    """Bytes that this run read."""
    seconds: float
    """Duration of this run."""


def convert(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    num_threads: int = 0,
    codec: Codec = "ecgpack",
    strict: bool = False,
    overwrite: bool = False,
    keep_statements: bool = False,
    max_file_mb: float | None = None,
    memory: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Convert ECG files to a store, or continue a conversion that was stopped.

    A file that is no recording never ends the run; it is listed in OUT/rejected.parquet.

    Args:
        sources: Folders (walked for `*.xml` and `*.zip`), zip archives, glob patterns, text files of paths (`*.txt`, one a line), or files.
        out: Folder of the store.
        num_threads: Worker threads; 0 takes one a core.
        codec: `ecgpack`, `zstd` or `none`; see the README.
        strict: Reject what would otherwise only be flagged.
        overwrite: Start again when `out` holds a store already; other files in it stay.
        keep_statements: Keep the lines of the diagnosis in the records.
        max_file_mb: Reject larger files; 64 unless told otherwise.
        memory: Bytes that the process may take at most: fewer threads run where they would not fit.
        on_progress: Called about twenty times a second; an exception from it stops the run.

    Raises:
        StoreError: The sources cannot be listed, or `out` holds something else or cannot be written.
        KeyboardInterrupt: Ctrl-C; the same call continues.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    listener = None if on_progress is None else lambda found: on_progress(Progress(**found))
    summary = _core.convert(
        [os.fspath(source) for source in sources],
        out,
        num_threads=num_threads,
        codec=codec,
        strict=strict,
        overwrite=overwrite,
        keep_statements=keep_statements,
        max_file_mb=max_file_mb,
        memory=memory,
        on_progress=listener,
    )
    return Summary(**summary)


def _bytes(size: str) -> int:
    """Read a size such as 800M: a number, and K, M or G (each 1,024 times the last), with or without B behind it."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:I?B)?", size.strip().upper())
    if found is None:
        message = f"{size!r} is no size such as 800M or 2G"
        raise typer.BadParameter(message)
    return int(float(found[1]) * 1024 ** " KMG".index(found[2] or " "))


def convert_command(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders, zip archives, 'glob patterns', text files of paths (.txt), or files.", metavar="SOURCE")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the store.", metavar="OUT")],
    *,
    threads: Annotated[int, typer.Option(min=0, help="Worker threads; 0 takes one a core.")] = 0,
    codec: Annotated[Codec, typer.Option(help="How signals are stored.")] = "ecgpack",
    strict: Annotated[bool, typer.Option("--strict", help="Reject what would otherwise only be flagged.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start again when OUT holds a store already.")] = False,
    keep_statements: Annotated[bool, typer.Option("--keep-statements", help="Keep diagnosis lines in the records.")] = False,
    max_file_mb: Annotated[float, typer.Option(min=0.001, help="Reject larger files.")] = 64,
    memory: Annotated[int | None, typer.Option(parser=_bytes, help="The most memory to take, such as 800M or 2G.", metavar="SIZE")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")] = False,
) -> None:
    """Convert hospital ECG XML to a store; the same command again continues."""
    with exit_on_error():
        try:
            with contextlib.nullcontext() if quiet else _progress_display() as on_progress:
                summary = convert(
                    sources,
                    out,
                    num_threads=threads,
                    codec=codec,
                    strict=strict,
                    overwrite=overwrite,
                    keep_statements=keep_statements,
                    max_file_mb=max_file_mb,
                    memory=memory,
                    on_progress=on_progress,
                )
        except KeyboardInterrupt:
            report_error("interrupted; what was finished is kept", "the same command continues where this one stopped")
            raise SystemExit(130) from None
        if as_json:
            print(json.dumps(dataclasses.asdict(summary)))
        if not quiet:
            _report(summary, out)


def _report(summary: Summary, out: Path) -> None:
    if summary.num_files_read == 0:
        line = f"already complete: {summary.num_converted:,} of {summary.num_files:,} files converted"
    else:
        rate = summary.num_files_read / max(summary.seconds, 1e-9)
        line = f"{summary.num_converted:,} of {summary.num_files:,} files converted in {summary.seconds:.1f} s ({rate:,.0f}/s)"
    print(f"{line}, {summary.num_rejected:,} rejected", file=sys.stderr)
    if summary.rejections:
        kind, number = max(summary.rejections.items(), key=lambda item: item[1])
        print(f"hint: see {out / 'rejected.parquet'}, most often: {kind} ({number:,})", file=sys.stderr)


@contextlib.contextmanager
def _progress_display() -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr: a bar on a terminal, else a line every 10 %."""
    if not sys.stderr.isatty():
        yield _TenthsPrinter()
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("converting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10) as bar:
        task = bar.add_task("", total=None, note="")
        yield lambda progress: bar.update(task, total=progress.num_files or None, completed=progress.num_done, note=_note(progress))


class _TenthsPrinter:
    """Writes one line for each tenth of the files."""

    def __init__(self) -> None:
        self._tenth = 0

    def __call__(self, progress: Progress) -> None:
        tenth = 10 * progress.num_done // max(progress.num_files, 1)
        if tenth > self._tenth:
            self._tenth = tenth
            print(f"{progress.num_done:,} of {progress.num_files:,} files ({10 * tenth} %), {_note(progress)}", file=sys.stderr)


def _note(progress: Progress) -> str:
    if progress.num_files == 0:
        return "listing the sources"
    seconds = max(progress.seconds, 1e-9)
    files_a_second = (progress.num_done - progress.num_resumed) / seconds
    return f"{files_a_second:,.0f} files/s, {progress.num_bytes / seconds / 1e6:,.0f} MB/s, {progress.num_rejected:,} rejected"


def main() -> None:
    """Run the `hfrisk-convert` command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name="hfrisk-convert")(convert_command)
    app()


if __name__ == "__main__":
    main()
