"""The list of a given file: who is in which split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk import person_id
from hfrisk.cohort.columns import require
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "validation", "test")
_SPELLINGS = {name: name for name in SPLITS} | {"val": "validation"}


def read_split_file(path: Path, persons: pl.Series) -> pl.DataFrame:
    """Read who is in which split, of the given persons.

    Args:
        path: CSV, or Parquet by its name: `person_id`, `split`.
        persons: Ids, each once.

    Returns:
        `person_id` in the type of `persons`, `split`; persons whom the file leaves out are left out.

    Raises:
        DataError: The file cannot be read, lacks a column, names a split that is none, or puts a person into two.
    """
    table = _read(path)
    require(table.columns, f"`{path}`", "person_id", "split")
    named = table["split"].cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase().replace_strict(_SPELLINGS, default=None)
    if named.has_nulls():
        raise DataError(
            f"`{path}`: {named.null_count():,} rows name a split that is none", hint="train, validation (or val), test; nothing else"
        )
    wanted, given = person_id.align(persons.to_frame("person_id"), table.with_columns(named.alias("split")))
    given = given.select("person_id", "split").unique()
    num_torn = given.height - given["person_id"].n_unique()
    if num_torn:
        raise DataError(f"`{path}` puts {num_torn:,} persons into two splits or more", hint="give every person one split")
    return wanted.join(given, on="person_id", how="inner").with_columns(pl.col("person_id").cast(persons.dtype))


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except OSError as error:
        raise DataError(f"cannot read the split file `{path}`: {error.strerror or error}", hint="check `split.file`") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"`{path}` is not a table: {str(error).splitlines()[0]}", hint="columns `person_id`, `split`") from None
