"""A log for programs: one JSON object a line, without names of files or anything from them but counts."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from hfrisk._core import __version__

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from hfrisk.convert.api import Progress, Summary

_SECONDS_BETWEEN_LINES = 5.0


class JsonLog(contextlib.AbstractContextManager["JsonLog"]):
    """Appends events to a file: `start`, `progress`, `rejections` (one a kind), and `end`, which is there however the run ends."""

    def __init__(self, path: Path, **settings: object) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._next = 0.0
        self._num_done = -1
        self._ended = False
        self._write("start", version=__version__, **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not self._ended:
            self._write("end", complete=False, error=None if kind is None else kind.__name__)
        self._file.close()

    def on_progress(self, progress: Progress) -> None:
        """Write a line every five seconds, and one for the last file."""
        now = time.monotonic()
        is_last = progress.num_done == progress.num_files
        if progress.num_files and progress.num_done != self._num_done and (is_last or now >= self._next):
            self._num_done = progress.num_done
            self._next = now + _SECONDS_BETWEEN_LINES
            self._write("progress", **dataclasses.asdict(progress))

    def end(self, summary: Summary, exit_code: int) -> None:
        """Write the counts of each kind of rejection and the end."""
        values = dataclasses.asdict(summary)
        for kind, number in values.pop("rejections").items():
            self._write("rejections", kind=kind, num_files=number)
        self._write("end", complete=summary.is_complete, exit_code=exit_code, **values)
        self._ended = True

    def _write(self, event: str, **values: object) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
