"""What can go wrong for a user: every error says what and where, and carries a hint of what to do."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class HfriskError(Exception):
    """A mistake or a circumstance that the user can act on.

    Attributes:
        message: One sentence: what and where.
        hint: What to do, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n\nhint: {self.hint}"


class ParseError(HfriskError):
    """One ECG file could not become a recording.

    Attributes:
        kind: Stable machine name, as in the column `kind` of rejected.parquet.
        byte_offset: Where in the file, when one place can be named.
    """

    def __init__(self, message: str, *, kind: str, byte_offset: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.byte_offset = byte_offset


class StoreError(HfriskError):
    """The store cannot be written or read."""


class NotCountsError(StoreError):
    """Counts were asked for, and a record is stored as floats or as twelve leads that do not follow from eight."""


class ConfigError(HfriskError):
    """A setting is unknown, has the wrong type, or contradicts another."""


class DataError(HfriskError):
    """A table lacks a column, holds what it must not, or does not fit another table."""


class DatabaseError(HfriskError):
    """The database cannot be reached, or does not show what is needed."""


class ConnectionLostError(DatabaseError):
    """The server went away or did not answer: reading everything again may help."""


@contextlib.contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn what a user can cause into one line on stderr and an exit code: 1 for an error, 130 for Ctrl-C; other exceptions pass."""
    try:
        yield
    except HfriskError as error:
        report_error(error.message, error.hint)
        raise SystemExit(1) from None
    except OSError as error:
        where = f" `{error.filename}`" if error.filename else ""
        report_error(f"{error.strerror or error}{where}", "check the path, its permissions and the space on its disk")
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "hfrisk"}:
            raise
        report_error(f"this command needs the package `{package}`, which is not installed", f"pip install {package}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        report_error("interrupted", None)
        raise SystemExit(130) from None


def report_error(message: str, hint: str | None) -> None:
    """Write `error: …` and `hint: …` to stderr."""
    print(f"error: {message}", file=sys.stderr)
    if hint is not None:
        print(f"\nhint: {hint}", file=sys.stderr)
