"""Which person is in which split: a pure function of the seed and the person, a hold-out, or the list of a given file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.cohort.split_file import SPLITS, read_split_file
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from hfrisk.config import SplitConfig


def held_out(ecgs: pl.DataFrame, config: SplitConfig) -> pl.Expr | None:
    """The condition of an ECG that belongs to the hold-out; None for methods that have none.

    Raises:
        DataError: The column is absent, or nothing in it is held out.
    """
    if config.method == "temporal":
        return (pl.col("index_date") >= config.holdout_date()).fill_null(value=False)
    if config.method != "group":
        return None
    if config.column not in ecgs.columns:
        raise DataError(
            f"`split.column` is {config.column}, and neither records.parquet nor the metadata files have it",
            hint="name one of their columns, such as `device`",
        )
    condition = pl.col(config.column).cast(pl.String).str.strip_chars().is_in(config.test_values).fill_null(value=False)
    if not ecgs.select(condition.any()).item():
        named = ", ".join(repr(value) for value in config.test_values)
        raise DataError(f"no recording has {named} in `{config.column}`", hint="correct `split.test_values`; case matters")
    return condition


def assign_splits(persons: pl.DataFrame | pl.Series, config: SplitConfig) -> pl.DataFrame:
    """Put every person into one split.

    With the method `person`, a person's split depends on nothing but the seed, the fractions and the person's id, so it stays when other
    persons come or go; so does the fold. Strata and hold-outs depend on the others' data: give the split.csv of before as `file` to keep
    those who were there.

    Args:
        persons: `person_id` once, and where the settings ask for them `is_positive` and `is_held_out`; or ids alone.
        config: Method, seed and fractions, or the file that decides.

    Returns:
        `person_id`, `split`, and with folds `fold`, ordered by person.

    Raises:
        DataError: The given file cannot be used, or leaves a person out.
    """
    frame = (persons.to_frame("person_id") if isinstance(persons, pl.Series) else persons).sort("person_id")
    if config.file is None:
        return _by_method(frame, config)
    given = read_split_file(config.file, frame["person_id"])
    missing = frame.join(given, on="person_id", how="anti")
    if missing.is_empty():
        return given.sort("person_id")
    if config.new_persons == "refuse":
        raise DataError(
            f"`{config.file}` leaves out {missing.height:,} of the {frame.height:,} persons of the cohort",
            hint='give every person one of the splits, or set `split.new_persons = "assign"`',
        )
    return pl.concat([given, _by_method(missing, config).select("person_id", "split")]).sort("person_id")


def _by_method(frame: pl.DataFrame, config: SplitConfig) -> pl.DataFrame:
    position = pl.Series("position", [_position(config.seed, one) for one in frame["person_id"]], dtype=pl.Float64)
    frame = frame.with_columns(position)
    if config.stratify:
        # The same order as without strata, at even distances within each stratum.
        rank = pl.col("position").rank("ordinal").over("is_positive") - 0.5
        frame = frame.with_columns(position=rank / pl.len().over("is_positive"))
    if config.method == "k_fold":
        fold = (pl.col("position") * config.num_folds).floor().cast(pl.Int64)
        validation = (config.fold + 1) % config.num_folds
        return frame.select("person_id", split=_named(fold == config.fold, fold == validation), fold=fold)
    if config.method == "person":
        is_test, validation_from = pl.col("position") < config.test_fraction, config.test_fraction
    else:
        is_test, validation_from = pl.col("is_held_out"), 0.0
    is_validation = pl.col("position") < validation_from + config.validation_fraction
    return frame.select("person_id", split=_named(is_test, is_validation))


def _named(is_test: pl.Expr, is_validation: pl.Expr) -> pl.Expr:
    return pl.when(is_test).then(pl.lit("test")).when(is_validation).then(pl.lit("validation")).otherwise(pl.lit("train"))


def check_disjoint(frame: pl.DataFrame) -> None:
    """Refuse a cohort in which a person, or a signal, is in two splits. Called whenever a cohort is read.

    Args:
        frame: `person_id`, `split`; `payload_hash` and `y` where they are there. A signal counts where it is labelled.

    Raises:
        DataError: With how many are.
    """
    num_torn = num_in_two_splits(frame, "person_id")
    if num_torn:
        raise DataError(f"{num_torn:,} persons are in two splits or more", hint="run `hfrisk cohort` again")
    if "payload_hash" in frame.columns:
        used = frame.drop_nulls("y") if "y" in frame.columns else frame
        num_torn = num_in_two_splits(used, "payload_hash")
        if num_torn:
            raise DataError(f"{num_torn:,} signals are in two splits or more", hint="run `hfrisk cohort` again")


def num_in_two_splits(frame: pl.DataFrame, key: str) -> int:
    """Count the values of a column that are in more than one split."""
    return frame.select(key, "split").drop_nulls().unique().filter(pl.col(key).is_duplicated())[key].n_unique()


def check_classes(frame: pl.DataFrame, config: SplitConfig) -> None:
    """Refuse a split in which nothing can be learned or measured.

    Raises:
        DataError: A split has no positive or no negative ECG.
    """
    wanted = {"train"}
    if config.file is not None:
        wanted |= set(frame["split"].drop_nulls())
    elif config.method == "k_fold":
        wanted |= set(SPLITS)
    else:
        wanted |= {name for name in ("validation", "test") if getattr(config, f"{name}_fraction") > 0}
        wanted |= {"test"} if config.method != "person" else set()
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
