"""`[covariates]`: what `hfrisk covariates` builds from the database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - load_config resolves annotations at run time
from typing import Literal

from hfrisk.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class CovariatesConfig:
    """Features of an ECG, from what was known strictly before its date."""

    look_back_days: int = 365
    """How many days before the ECG's date count; 0 is any time before."""
    demographics: bool = True
    """Age at the ECG and sex."""
    conditions: bool = True
    """One column a concept set: 1 recorded in the window, 0 not, null without any observation in it."""
    scores: bool = True
    """`charlson_no_chf` and `cha2ds2va_no_c`, from the same window."""
    history: bool = True
    """Days of prior observation and number of prior visits."""
    ecg_measurements: bool = True
    """The machine's measurements, from records.parquet."""
    file: Path | None = None
    """CSV of concept sets of your own (covariate, concept_id, concept_name, include_descendants, exclude, source) that decides instead."""
    descendants: Literal["required", "listed"] = "required"
    """Without `concept_ancestor`: the command stops, or counts the listed concepts alone."""
    allow_banned: str = ""
    """Names of banned groups to let pass, separated by commas; each is heart failure in disguise."""

    def __post_init__(self) -> None:
        """Refuse a window that reaches into the future, and nothing to build."""
        if self.look_back_days < 0:
            raise ConfigError(f"`covariates.look_back_days` is {self.look_back_days}", hint="days before the ECG; 0 is any time before")
        if not any((self.demographics, self.conditions, self.scores, self.history, self.ecg_measurements)):
            raise ConfigError("`covariates` switches every group off", hint="leave at least one on")
