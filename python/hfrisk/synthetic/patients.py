"""The people of the made-up hospital: who has heart failure since when, with what else, and when their ECGs were taken."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from hfrisk.synthetic.concepts import COMORBIDITIES
from hfrisk.synthetic.seeds import Stream, generator

FIRST_DAY = dt.date(2012, 1, 1)
LAST_DAY = dt.date(2020, 12, 31)
_ONSET_FROM = dt.date(2008, 1, 1)
_RECORDS_FROM = dt.date(2006, 1, 1)
_NUM_TRAITS = 16
# Makes about a fifth of the persons heart-failure patients, given the pulls of the comorbidities.
_HEART_FAILURE_LOG_ODDS = -2.30


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """One person, as nature knows them; what the database knows is less.

    Attributes:
        number: Position in the population, from 0.
        person_id: Number in the CDM and in the registry.
        born: Date of birth.
        is_male: Sex.
        severity: How ill a heart failure makes them or would make them, 0 to 1.
        onset: When heart failure began, or None.
        recorded: When a clinician first wrote it down, on or after `onset`.
        comorbidities: Name to date of the first record.
        traits: Standard normal numbers that make this person's ECG their own.
        acquired: When their ECGs were taken, in order.
        in_cdm: Whether the database has them at all.
        observed: First and last day under observation.
        died: Day of death, or None.
    """

    number: int
    person_id: int
    born: dt.date
    is_male: bool
    severity: float
    onset: dt.date | None
    recorded: dt.date | None
    comorbidities: dict[str, dt.date]
    traits: tuple[float, ...]
    acquired: tuple[dt.datetime, ...]
    in_cdm: bool
    observed: tuple[dt.date, dt.date]
    died: dt.date | None

    def age_on(self, day: dt.date) -> int:
        """Whole years."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))

    def illness_on(self, day: dt.date) -> float:
        """How far heart failure shows on a day, 0 to 1: it grows over the year before it is diagnosed."""
        if self.onset is None:
            return 0.0
        return self.severity / (1 + float(np.exp(-((day - self.onset).days / 150 + 1.2))))


def make_population(num_patients: int, *, seed: int) -> list[Patient]:
    """Make people; the n-th is the same whatever `num_patients` is."""
    return [_make_patient(number, seed) for number in range(num_patients)]


def _day(rng: np.random.Generator, first: dt.date, last: dt.date) -> dt.date:
    return first + dt.timedelta(days=int(rng.integers(0, max((last - first).days, 0) + 1)))


def _early_day(rng: np.random.Generator, first: dt.date, last: dt.date) -> dt.date:
    """When a chronic disease is first written down: most often soon after a person comes under observation."""
    return first + dt.timedelta(days=int(rng.beta(1, 4) * (last - first).days))


def _make_patient(number: int, seed: int) -> Patient:
    rng = generator(seed, Stream.PATIENT, number)
    age = float(np.clip(rng.normal(61, 14), 20, 92))  # in mid-2016
    born = dt.date(2016, 7, 1) - dt.timedelta(days=int(age * 365.25))
    decades = (age - 60) / 10
    has = [disease for disease in COMORBIDITIES if rng.random() < _sigmoid(disease.log_odds + disease.per_decade * decades)]
    log_odds = _HEART_FAILURE_LOG_ODDS + 0.35 * decades + sum(disease.pull for disease in has)
    ill = rng.random() < _sigmoid(log_odds)
    severity = float(rng.beta(2.4, 1.2))
    # Heart failure brings atrial fibrillation and kidney disease with it.
    if ill:
        has += [
            d for d in COMORBIDITIES if d.name in {"atrial_fibrillation", "chronic_kidney_disease"} and d not in has and rng.random() < 0.15
        ]
    onset = _day(rng, _ONSET_FROM, dt.date(2020, 6, 30)) if ill else None
    recorded = onset + dt.timedelta(days=int(rng.exponential(12))) if onset else None
    acquired = _acquisitions(rng, onset)
    died = None
    if rng.random() < (0.22 if ill else 0.06):
        died = max(acquired[-1].date(), recorded or FIRST_DAY) + dt.timedelta(days=1 + int(rng.exponential(400)))
    start = min([acquired[0].date(), *([recorded] if recorded else [])]) - dt.timedelta(days=int(rng.gamma(2, 420)))
    last = max([acquired[-1].date(), *([recorded] if recorded else [])]) + dt.timedelta(days=int(rng.gamma(2, 300)))
    observed = (max(start, _RECORDS_FROM), died or last)
    return Patient(
        number=number,
        person_id=20_000_000 + 41 * number + int(rng.integers(0, 41)),
        born=born,
        is_male=bool(rng.random() < 0.52),
        severity=severity,
        onset=onset,
        recorded=recorded,
        comorbidities={disease.name: _early_day(rng, *observed) for disease in has},
        traits=tuple(float(value) for value in rng.standard_normal(_NUM_TRAITS)),
        acquired=acquired,
        in_cdm=bool(rng.random() >= 0.03),
        observed=observed,
        died=died,
    )


def _acquisitions(rng: np.random.Generator, onset: dt.date | None) -> tuple[dt.datetime, ...]:
    """One to five moments between FIRST_DAY and LAST_DAY, most of them after the onset when there is one."""
    weights = (0.10, 0.20, 0.28, 0.24, 0.18) if onset else (0.22, 0.27, 0.25, 0.16, 0.10)
    days = []
    for _ in range(1 + int(rng.choice(5, p=weights))):
        if onset is not None and onset > FIRST_DAY and rng.random() < 0.35:
            days.append(_day(rng, FIRST_DAY, onset))
        elif onset is not None and rng.random() < 0.5:
            days.append(min(max(onset, FIRST_DAY) + dt.timedelta(days=int(rng.exponential(300))), LAST_DAY))
        else:
            days.append(_day(rng, max(onset or FIRST_DAY, FIRST_DAY), LAST_DAY))
    clock = [dt.time(int(rng.integers(7, 20)), int(rng.integers(0, 60)), int(rng.integers(0, 60))) for _ in days]
    return tuple(sorted(dt.datetime.combine(day, time) for day, time in zip(days, clock, strict=True)))


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
