"""Columns that a table must have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfrisk.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable


def require(present: Iterable[str], table: str, *wanted: str, hint: str | None = None) -> None:
    """Refuse a table without a column.

    Args:
        present: The columns that are there.
        table: What the table is called.
        wanted: The columns that are needed.
        hint: What to do; by default the columns that are there are named.

    Raises:
        DataError: The first of the wanted columns that is absent.
    """
    present = list(present)
    for column in wanted:
        if column not in present:
            raise DataError(
                f"{table} has no column `{column}`", hint=hint or "its columns are " + ", ".join(f"`{name}`" for name in present)
            )
