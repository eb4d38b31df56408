"""What can go wrong for a user: every error says what and where, and carries a hint of what to do."""

from __future__ import annotations


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


class ConfigError(HfriskError):
    """A setting is unknown, has the wrong type, or contradicts another."""


class DataError(HfriskError):
    """A table lacks a column, holds what it must not, or does not fit another table."""


class DatabaseError(HfriskError):
    """The database cannot be reached, or does not show what is needed."""
