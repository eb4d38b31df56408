"""The queries that ship with hfrisk: one file each, in SQL that PostgreSQL and DuckDB understand alike.

In a file `{name}` stands for an identifier and `%(name)s` for a value. A column that the site lacks is None and reads as NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeAlias

import polars as pl

Name: TypeAlias = str | tuple[str, str] | None
Names: TypeAlias = Mapping[str, Name]
Values: TypeAlias = Mapping[str, Any]
Schema: TypeAlias = Mapping[str, type[pl.DataType]]


@dataclass(frozen=True, slots=True)
class Statement:
    """A query that was run to its end.

    Attributes:
        query: Its name.
        text: What the source was asked, with the names filled in and the values left out, for values may be persons.
        num_rows: Rows that came back.
    """

    query: str
    text: str
    num_rows: int


def statement(query: str) -> str:
    """The text of a query that ships with hfrisk."""
    return resources.files("hfrisk.omop").joinpath("sql", f"{query}.sql").read_text(encoding="utf-8")
