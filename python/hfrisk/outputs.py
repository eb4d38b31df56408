"""Files that appear together or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Outputs:
    """Write a group of files under temporary names and give them their names when all of them are complete.

    Used as a context manager: when the block ends well every file is renamed, in the order in which it was asked for; when it ends in an
    exception, Ctrl-C included, the temporary files go and what stood there before still stands.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def path(self, name: str) -> Path:
        """The temporary path at which to write the file that will be called `name`."""
        self._names.append(name)
        return self._temporary(name)

    def _temporary(self, name: str) -> Path:
        return self._folder / f".{name}.{os.getpid()}.tmp"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                for name in self._names:
                    self._temporary(name).replace(self._folder / name)
        finally:
            for name in self._names:
                self._temporary(name).unlink(missing_ok=True)
