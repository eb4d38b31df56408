"""Conversions from Python."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, Literal

from hfrisk import _core
from hfrisk.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Codec = Literal["ecgpack", "zstd", "none"]
SkipBy = Literal["file", "payload"]


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
    num_duplicates: int
    """Files that were not converted, now or earlier, because another gave the same recording (`skip_by="payload"`); not in `num_files`."""
    num_new_files: int
    """Files that were planned last: all of them, or those that were added to a finished store; of a part, those done so far."""
    num_new_duplicates: int
    """Files that were listed with these and not converted, because another gave the same recording."""
    num_new_rejected: int
    """Of `num_new_files`, those that were rejected."""
    is_complete: bool
    """Whether the store is finished; after a part it waits for the others and for `finish`."""
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
    skip_by: SkipBy = "file",
    max_file_mb: float | None = None,
    memory: int | None = None,
    part: tuple[int, int] | None = None,
    dask: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Convert ECG files to a store, continue a conversion that was stopped, or add files to a finished store.

    Files that a finished store has already (same path, size and time) are skipped; others get rows in shards of their own.
    A file that is no recording never ends the run; it is listed in OUT/rejected.parquet.

    Args:
        sources: Folders (walked for `*.xml`), glob patterns, text files of paths (`*.txt`, one a line), or files.
        out: Folder of the store.
        num_threads: Worker threads; 0 takes one a core.
        codec: `ecgpack`, `zstd` or `none`; see the README.
        strict: Reject what would otherwise only be flagged.
        overwrite: Start again when `out` holds a store already; other files in it stay.
        keep_statements: Keep the lines of the diagnosis in the records.
        skip_by: Of new files, skip those with a path, size and time that the store knows (`file`), or also those that hold a recording
            which the store, or a new file before them, has (`payload`); this reads every new file once more.
        max_file_mb: Reject larger files; 64 unless told otherwise.
        memory: Bytes that the process may take at most: fewer threads run where they would not fit.
        part: (i, n) converts the i-th of n equal shares of the shards, from 1, at the same time as others convert theirs; then `finish`.
        dask: Address of a Dask scheduler, such as `tcp://host:8786`, or its scheduler file: the cluster's workers convert the shards, and
            see `sources` and `out` under the same paths. Their number and memory are the cluster's.
        on_progress: Called about twenty times a second; an exception from it stops the run.

    Raises:
        StoreError: The sources cannot be listed, the cluster cannot work, or `out` holds something else or cannot be written.
        KeyboardInterrupt: Ctrl-C; the same call continues.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    names = [os.fspath(source) for source in sources]
    settings: dict[str, Any] = {
        "num_threads": num_threads,
        "codec": codec,
        "strict": strict,
        "overwrite": overwrite,
        "keep_statements": keep_statements,
        "skip_by": skip_by,
        "max_file_mb": max_file_mb,
        "on_progress": _listener(on_progress),
    }
    if dask is None:
        return Summary(**_core.convert(names, out, memory=memory, part=part, **settings))
    if memory is not None or part is not None:
        raise ValueError("`memory` and `part` are of a local run; with `dask` the cluster decides both")
    try:
        from hfrisk.convert.cluster import convert_on_cluster  # noqa: PLC0415 - the package is optional
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"dask", "distributed"}:
            raise
        raise StoreError(
            f"a conversion on a cluster needs the package `{error.name}`, which is not installed", hint="pip install 'hfrisk[dask]'"
        ) from None
    return Summary(**convert_on_cluster(names, out, dask, **settings))


def finish(out: str | os.PathLike[str], *, num_threads: int = 0, on_progress: Callable[[Progress], None] | None = None) -> Summary:
    """Close a store whose parts are all done.

    Raises:
        StoreError: A shard is missing, or a part is still being written.
    """
    return Summary(**_core.finish(out, num_threads=num_threads, on_progress=_listener(on_progress)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing in a store that is not as it was written."""

    file: str
    """The file, relative to OUT."""
    row: int | None
    """The row, when the damage is that of a single one."""
    problem: str
    """What is wrong."""

    def __str__(self) -> str:
        return f"{self.file}{'' if self.row is None else f', row {self.row}'}: {self.problem}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was read of a store, and what is wrong with it."""

    num_rows: int
    num_recordings: int
    """Rows that hold a recording, each of which was decoded."""
    num_files: int
    num_bytes: int
    damages: list[Damage]
    """Sorted by file and row; empty for a sound store."""
    seconds: float


def verify(out: str | os.PathLike[str], *, num_threads: int = 0, on_progress: Callable[[Progress], None] | None = None) -> Verification:
    """Read every byte of a finished store and tell what is damaged; nothing is written.

    Raises:
        StoreError: There is no store, or it is not complete.
    """
    found: dict[str, Any] = dict(_core.verify(out, num_threads=num_threads, on_progress=_listener(on_progress)))
    damages = [Damage(file=file, row=row, problem=problem) for file, row, problem in found.pop("damages")]
    return Verification(**found, damages=damages)


def _listener(on_progress: Callable[[Progress], None] | None) -> Callable[[Any], None] | None:
    return None if on_progress is None else lambda found: on_progress(Progress(**found))
