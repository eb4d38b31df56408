"""`[cohort]` and `[split]`: how an ECG gets its label and its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - load_config resolves annotations at run time
from typing import Literal

from hfrisk.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortConfig:
    """How an ECG gets its label."""

    mode: Literal["ever", "prevalent"] = "prevalent"
    """`prevalent`: heart failure recorded on or before the ECG's date. `ever`: at any time, which leaks the future."""
    day_zero: Literal["prevalent", "exclude"] = "prevalent"
    """What a first record on the ECG's own date means."""
    not_in_cdm: Literal["unknown", "negative"] = "unknown"
    """What a person is whom the database does not know; the original notebooks called such a person negative."""
    one_ecg_per_person: Literal["all", "first", "last"] = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitConfig:
    """Which person is in which split."""

    seed: int = 42
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    file: Path | None = None
    """CSV (`person_id`, `split` as train, validation or val, test) that decides instead of the hash."""

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on."""
        if min(self.validation_fraction, self.test_fraction) < 0 or self.validation_fraction + self.test_fraction >= 1:
            raise ConfigError(
                f"`split`: validation_fraction {self.validation_fraction} and test_fraction {self.test_fraction} leave nothing to train on",
                hint="choose two fractions that are not negative and sum to less than 1",
            )
