"""`[split]`: which person is in which split."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - load_config resolves annotations at run time
from typing import Literal

from hfrisk.errors import ConfigError

_FEWEST_FOLDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitConfig:
    """Which person is in which split. A person is in one only, whatever the method."""

    method: Literal["person", "temporal", "group", "k_fold"] = "person"
    """`person`: by a hash of (seed, person). `temporal`: who has a labelled ECG from `test_from` on is tested on these.
    `group`: who has one with a `test_values` in `column` is. `k_fold`: fold `fold` is tested, the next one validates."""
    seed: int = 42
    validation_fraction: float = 0.1
    """Of all persons, in `temporal` and `group` of those who are not tested."""
    test_fraction: float = 0.2
    stratify: bool = False
    """Cut persons with and without a positive ECG apart, so that every split has its share; then growing data move persons."""
    test_from: str = ""
    """`temporal`: first day of the hold-out, as 2019-01-01."""
    column: str = ""
    """`group`: a column of records.parquet or of the metadata files, such as the device or the site."""
    test_values: tuple[str, ...] = ()
    """`group`: values of that column that are held out."""
    num_folds: int = 5
    fold: int = 0
    """`k_fold`: which of the folds, from 0, is tested."""
    file: Path | None = None
    """CSV or Parquet (`person_id`, `split` as train, validation or val, test) that decides instead, such as a split.csv from before."""
    new_persons: Literal["refuse", "assign"] = "refuse"
    """What becomes of persons whom `file` leaves out: an error, or a split by the method above."""

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on, and a method without what it needs."""
        if min(self.validation_fraction, self.test_fraction) < 0 or self.validation_fraction + self.test_fraction >= 1:
            raise ConfigError(
                f"`split`: validation_fraction {self.validation_fraction} and test_fraction {self.test_fraction} leave nothing to train on",
                hint="choose two fractions that are not negative and sum to less than 1",
            )
        if self.method == "temporal":
            self.holdout_date()
        if self.method == "group" and not (self.column and self.test_values):
            raise ConfigError(
                '`split.method` is "group", and `split.column` or `split.test_values` is empty',
                hint='as in column = "device", test_values = ["MAC55"]',
            )
        if self.method == "k_fold" and not (self.num_folds >= _FEWEST_FOLDS and 0 <= self.fold < self.num_folds):
            raise ConfigError(
                f"`split`: fold {self.fold} of {self.num_folds} folds", hint="at least 3 folds, and a `fold` from 0 to below their number"
            )

    def holdout_date(self) -> dt.date:
        """The first day of the temporal hold-out.

        Raises:
            ConfigError: It is no date.
        """
        try:
            return dt.date.fromisoformat(self.test_from)
        except ValueError:
            raise ConfigError(f"`split.test_from` is {self.test_from!r}, expected a date", hint='as in "2019-01-01"') from None
