"""Which person is in which split: a pure function of the seed and the person, or the list of a given file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from hfrisk import person_id
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import SplitConfig

SPLITS = ("train", "validation", "test")
_SPELLINGS = {name: name for name in SPLITS} | {"val": "validation"}


def assign_splits(persons: pl.Series, config: SplitConfig) -> pl.DataFrame:
    """Put every person into one split.

    A person's split depends on nothing but the seed, the fractions and the person's id, so it stays when other persons come or go.

    Args:
        persons: Ids, each once.
        config: Seed and fractions, or the file that decides.

    Returns:
        `person_id`, `split`, ordered by person.

    Raises:
        DataError: The given file cannot be used, or leaves a person out.
    """
    if config.file is not None:
        return _read_splits(config.file, persons)
    ordered = persons.sort().alias("person_id")
    position = pl.Series("position", [_position(config.seed, one) for one in ordered], dtype=pl.Float64)
    split = (
        pl.when(pl.col("position") < config.test_fraction)
        .then(pl.lit("test"))
        .when(pl.col("position") < config.test_fraction + config.validation_fraction)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    return pl.DataFrame([ordered, position]).select("person_id", split=split)


def check_disjoint(frame: pl.DataFrame) -> None:
    """Refuse a cohort in which a person is in two splits.

    Raises:
        DataError: With how many persons are.
    """
    pairs = frame.select("person_id", "split").drop_nulls("person_id").unique()
    num_torn = pairs.height - pairs["person_id"].n_unique()
    if num_torn:
        raise DataError(f"{num_torn:,} persons are in two splits or more", hint="run `hfrisk cohort` again")


def check_classes(frame: pl.DataFrame, config: SplitConfig) -> None:
    """Refuse a split in which nothing can be learned or measured.

    Raises:
        DataError: A split has no positive or no negative ECG.
    """
    wanted = {"train"}
    if config.file is not None:
        wanted |= set(frame["split"].drop_nulls())
    else:
        wanted |= {name for name in ("validation", "test") if getattr(config, f"{name}_fraction") > 0}
    present = frame.drop_nulls("y").select("split", "y").unique().rows()
    for name in (split for split in SPLITS if split in wanted):
        for y, word in ((1, "positive"), (0, "negative")):
            if (name, y) not in present:
                raise DataError(
                    f"split `{name}` has no {word} ECG",
                    hint="give it a larger fraction in `[split]`, or see attrition.csv for what became of the ECGs",
                )


def _position(seed: int, person: int | str) -> float:
    """A number in [0, 1) that only the seed and the person decide, on every machine and in every version."""
    digest = hashlib.blake2b(f"{seed}:{person}".encode(), digest_size=8).digest()
    # 53 bits are what a float64 holds exactly, so the result is never rounded up to 1.
    return (int.from_bytes(digest) >> 11) / 2**53


def _read_splits(path: Path, persons: pl.Series) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False)
    except OSError as error:
        raise DataError(f"cannot read the split file `{path}`: {error.strerror or error}", hint="check `split.file`") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"`{path}` is not a CSV table: {str(error).splitlines()[0]}", hint="columns `person_id`, `split`") from None
    for column in ("person_id", "split"):
        if column not in table.columns:
            present = ", ".join(f"`{name}`" for name in table.columns)
            raise DataError(f"`{path}` has no column `{column}`", hint=f"its columns are {present}")
    named = table["split"].fill_null("").str.strip_chars().str.to_lowercase().replace_strict(_SPELLINGS, default=None)
    if named.has_nulls():
        raise DataError(
            f"`{path}`: {named.null_count():,} rows name a split that is none", hint="train, validation (or val), test; nothing else"
        )
    wanted, given = person_id.align(pl.DataFrame({"person_id": persons}), table.with_columns(named.alias("split")))
    given = given.select("person_id", "split").unique()
    num_torn = given.height - given["person_id"].n_unique()
    if num_torn:
        raise DataError(f"`{path}` puts {num_torn:,} persons into two splits or more", hint="give every person one split")
    missing = wanted.join(given, on="person_id", how="anti").height
    if missing:
        raise DataError(
            f"`{path}` leaves out {missing:,} of the {wanted.height:,} persons of the cohort", hint="give every person one of the splits"
        )
    chosen = wanted.join(given, on="person_id", how="left").sort("person_id")
    return chosen.with_columns(pl.col("person_id").cast(persons.dtype))
