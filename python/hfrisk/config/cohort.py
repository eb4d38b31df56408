"""`[cohort]`: how an ECG gets its label. Settings that PatientLevelPrediction has carry its names, in snake case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hfrisk.errors import ConfigError

TIMED_MODES = ("diagnostic", "incident")
"""Modes that look at a time at risk, and so at who was observed."""
_DEFAULT_WASHOUT_DAYS = 365


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortConfig:
    """How an ECG gets its label. Days are counted from the index, the day of the ECG; both ends of a window belong to it."""

    mode: Literal["ever", "prevalent", "diagnostic", "incident"] = "prevalent"
    """`prevalent`: heart failure recorded on or before the ECG's date. `diagnostic`: first recorded in a window around it.
    `incident`: first recorded after it, by those who had none. `ever`: at any time, which leaks the future."""
    rule: Literal["any1", "first_plus_second", "inpatient1", "ip1_or_op2", "min3visits"] = "any1"
    """Which records make a case. Its date is that of the first record that takes part."""
    unconfirmed: Literal["unknown", "negative"] = "unknown"
    """What a person is who has records where the label looks, but no case by the rule."""
    day_zero: Literal["prevalent", "exclude"] = "prevalent"
    """What a first record on the ECG's own date means; without effect in `ever` and `diagnostic`."""
    not_in_cdm: Literal["unknown", "negative"] = "unknown"
    """What a person is whom the database does not know; the original notebooks called such a person negative."""
    one_ecg_per_person: Literal["all", "first", "last", "last_before_event", "random"] = "all"
    """`random` is a hash of (`random_seed`, recording), so it stays when other recordings come or go."""
    random_seed: int = 42
    washout_days: int | None = None
    """Days of observation before the index that "no heart failure before" takes; None is 365 in `diagnostic` and `incident`, else 0."""
    blanking_days: int = 30
    """`incident`: a first record up to this day may be what the ECG was taken for; it drops the ECG."""
    horizon_days: int = 365
    """`incident`: last day at risk."""
    diagnostic_window_days: int = 30
    """`diagnostic`: first and last day of the window, before and after the index."""
    risk_window_start: int | None = None
    """First day at risk; decides instead of `blanking_days`, and of the window's start in `diagnostic`."""
    risk_window_end: int | None = None
    """Last day at risk; decides instead of `horizon_days`, and of the window's end in `diagnostic`."""
    remove_subjects_with_prior_outcome: bool = True
    """False: a case on or before the index (`diagnostic`: before the window) counts for nothing, and the next record after it does."""
    prior_outcome_lookback: int | None = None
    """Days before the index in which a case is a prior one; None is any time."""
    require_time_at_risk: bool = True
    """Whether a negative must have been observed; without it those who left early count as healthy."""
    min_time_at_risk: int | None = None
    """Days from the first day at risk that a negative must have been observed; None is up to the last day at risk."""
    observed_until: Literal["observation_end", "last_visit", "either"] = "observation_end"
    """What ends observation: the observation period, the last visit, or the later of both."""
    death: Literal["unknown", "competing_event"] = "unknown"
    """What death without heart failure before the last day at risk is: no label, or a negative, since it can no longer occur."""

    def __post_init__(self) -> None:
        """Refuse windows that mean nothing, and choices that leave no positive."""
        for name in (
            "washout_days",
            "blanking_days",
            "horizon_days",
            "diagnostic_window_days",
            "prior_outcome_lookback",
            "min_time_at_risk",
        ):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f"`cohort.{name}` is {value}, expected 0 or more days", hint="see the README's table of modes")
        if self.mode == "incident" and self.first_day_at_risk < 1:
            raise ConfigError(
                f"`cohort.risk_window_start` is {self.first_day_at_risk}, and `incident` asks for what comes after the ECG",
                hint='1 or more, or `mode = "diagnostic"` for a window that begins before the ECG',
            )
        if self.mode in TIMED_MODES and self.last_day_at_risk < self.first_day_at_risk:
            raise ConfigError(
                f"`cohort`: the time at risk begins on day {self.first_day_at_risk} and ends on day {self.last_day_at_risk}",
                hint="raise `horizon_days` or lower `blanking_days` (`risk_window_end`, `risk_window_start`)",
            )
        if self.mode == "prevalent" and self.one_ecg_per_person == "last_before_event":
            raise ConfigError(
                '`cohort.one_ecg_per_person` is "last_before_event", and in `prevalent` every positive ECG comes after the event',
                hint='"first", "last" or "random"',
            )

    @property
    def first_day_at_risk(self) -> int:
        """First day of the time at risk of the modes that have one."""
        if self.risk_window_start is not None:
            return self.risk_window_start
        return self.blanking_days + 1 if self.mode == "incident" else -self.diagnostic_window_days

    @property
    def last_day_at_risk(self) -> int:
        """Last day of the time at risk of the modes that have one."""
        if self.risk_window_end is not None:
            return self.risk_window_end
        return self.horizon_days if self.mode == "incident" else self.diagnostic_window_days

    @property
    def last_day_required(self) -> int:
        """Up to which day a negative must have been observed."""
        if self.min_time_at_risk is None:
            return self.last_day_at_risk
        return min(self.first_day_at_risk + self.min_time_at_risk, self.last_day_at_risk)

    @property
    def washout(self) -> int:
        """Days of observation before the index that are required."""
        if self.washout_days is not None:
            return self.washout_days
        return _DEFAULT_WASHOUT_DAYS if self.mode in TIMED_MODES else 0
