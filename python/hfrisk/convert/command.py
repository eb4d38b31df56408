"""The command `hfrisk-convert`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from hfrisk.convert.api import Codec, SkipBy, convert, finish, verify
from hfrisk.convert.display import progress_display, show_summary, show_verification
from hfrisk.convert.log import JsonLog
from hfrisk.errors import exit_on_error, report_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hfrisk.convert.api import Progress, Summary

EXIT_TOO_MANY_REJECTED = 3


def _bytes(size: str) -> int:
    """Read a size such as 800M: a number, and K, M or G (each 1,024 times the last), with or without B behind it."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:I?B)?", size.strip().upper())
    if found is None:
        message = f"{size!r} is no size such as 800M or 2G"
        raise typer.BadParameter(message)
    return int(float(found[1]) * 1024 ** " KMG".index(found[2] or " "))


def convert_command(  # noqa: C901 - one branch an option
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Folders, zip archives, 'glob patterns', text files of paths (.txt), or files; then the folder of the store.",
            metavar="SOURCE... OUT",
        ),
    ],
    *,
    threads: Annotated[int, typer.Option(min=0, help="Worker threads; 0 takes one a core.")] = 0,
    codec: Annotated[Codec, typer.Option(help="How signals are stored.")] = "ecgpack",
    strict: Annotated[bool, typer.Option("--strict", help="Reject what would otherwise only be flagged.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start again when OUT holds a store already.")] = False,
    keep_statements: Annotated[bool, typer.Option("--keep-statements", help="Keep diagnosis lines in the records.")] = False,
    skip_by: Annotated[
        SkipBy,
        typer.Option(help="Skip new files that are known by path, size and time, or also by what they hold, which reads them twice."),
    ] = "file",
    max_file_mb: Annotated[float, typer.Option(min=0.001, help="Reject larger files.")] = 64,
    memory: Annotated[int | None, typer.Option(parser=_bytes, help="The most memory to take, such as 800M or 2G.", metavar="SIZE")] = None,
    max_rejected: Annotated[float, typer.Option(min=0, max=100, help="Percent of files; with more rejected the exit code is 3.")] = 5,
    part: Annotated[str, typer.Option(metavar="I/N", help="Convert the I-th of N shares, as one task of a job array.")] = "",
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Convert on a Dask cluster: its scheduler's address or file.")] = None,
    finish_it: Annotated[bool, typer.Option("--finish", help="Close the store OUT when all parts are done.")] = False,
    verify_it: Annotated[bool, typer.Option("--verify", help="Read all of the store OUT and report damage; nothing is written.")] = False,
    log_json: Annotated[Path | None, typer.Option(metavar="FILE", help="Append events to FILE, one JSON object a line.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")] = False,
) -> None:
    """Convert hospital ECG XML to a store; the same command again continues, and new files are added."""
    *sources, out = paths
    if verify_it or finish_it:
        if sources or (verify_it and finish_it) or part or dask:
            raise typer.BadParameter("`--verify` and `--finish` take OUT alone")
    elif not sources:
        raise typer.BadParameter("name at least one SOURCE, then OUT")
    share = _read_part(part)
    if share is not None and overwrite:
        raise typer.BadParameter("a part cannot overwrite what others are writing; remove OUT first")
    if dask and (part or memory is not None):
        raise typer.BadParameter(
            "with `--dask` the cluster decides who does what and how much memory there is: leave out --part and --memory"
        )
    with exit_on_error():
        if verify_it:
            _verify(out, threads, quiet=quiet, as_json=as_json)
            return

        def work(listener: Callable[[Progress], None] | None) -> Summary:
            if finish_it:
                return finish(out, num_threads=threads, on_progress=listener)
            return convert(
                sources,
                out,
                num_threads=threads,
                codec=codec,
                strict=strict,
                overwrite=overwrite,
                keep_statements=keep_statements,
                skip_by=skip_by,
                max_file_mb=max_file_mb,
                memory=memory,
                part=share,
                dask=dask,
                on_progress=listener,
            )

        settings = {
            "codec": codec,
            "strict": strict,
            "part": part or None,
            "dask": dask is not None,
            "finish": finish_it,
            "max_rejected": max_rejected,
        }
        with contextlib.nullcontext() if log_json is None else JsonLog(log_json, **settings) as log:
            try:
                with contextlib.nullcontext() if quiet else progress_display() as shown:
                    summary = work(_both(shown, None if log is None else log.on_progress))
            except KeyboardInterrupt:
                report_error("interrupted; what was finished is kept", "the same command continues where this one stopped")
                raise SystemExit(130) from None
            num_new = summary.num_new_files + summary.num_new_duplicates
            too_many = summary.num_new_rejected * 100 > max_rejected * num_new
            if log is not None:
                log.end(summary, EXIT_TOO_MANY_REJECTED if too_many else 0)
        if as_json:
            print(json.dumps(dataclasses.asdict(summary)))
        if not quiet:
            show_summary(summary, out)
        if too_many:
            percent = f"{100 * summary.num_new_rejected / num_new:.1f} %"
            report_error(f"{percent} of the files were rejected, more than {max_rejected:g} %; the rest is converted", _ALLOW_MORE)
            raise SystemExit(EXIT_TOO_MANY_REJECTED)


_ALLOW_MORE = "see rejected.parquet in OUT for each file and its reason, or allow more with `--max-rejected`"


def _verify(out: Path, threads: int, *, quiet: bool, as_json: bool) -> None:
    with contextlib.nullcontext() if quiet else progress_display("verifying") as on_progress:
        found = verify(out, num_threads=threads, on_progress=on_progress)
    if as_json:
        print(json.dumps(dataclasses.asdict(found)))
    if not quiet:
        show_verification(found, out)
    if found.damages:
        report_error(f"the store at `{out}` is damaged", "restore it from a copy, or convert again with `--overwrite`")
        raise SystemExit(1)


def _read_part(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise typer.BadParameter(f"`--part {text}` is not I/N with I from 1 to N, such as 3/8")
    return int(found[1]), int(found[2])


def _both(first: Callable[[Progress], None] | None, second: Callable[[Progress], None] | None) -> Callable[[Progress], None] | None:
    if first is None or second is None:
        return first or second

    def listener(progress: Progress) -> None:
        first(progress)
        second(progress)

    return listener


def main() -> None:
    """Run the `hfrisk-convert` command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name="hfrisk-convert")(convert_command)
    app()
