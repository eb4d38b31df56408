"""The made-up hospital's OMOP CDM as frames: persons, observation periods, visits, deaths, conditions and the vocabulary they need."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from hfrisk.synthetic import concepts
from hfrisk.synthetic.seeds import Stream, generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from hfrisk.synthetic.patients import Patient

Rows = dict[str, list[tuple[object, ...]]]
_BY_NAME = {disease.name: disease for disease in concepts.COMORBIDITIES}
_TYPES: dict[type, type[pl.DataType]] = {int: pl.Int64, str: pl.String, dt.date: pl.Date}

PERSON = {
    "person_id": int,
    "gender_concept_id": int,
    "year_of_birth": int,
    "month_of_birth": int,
    "day_of_birth": int,
    "race_concept_id": int,
    "ethnicity_concept_id": int,
    "person_source_value": str,
    "gender_source_value": str,
}
OBSERVATION_PERIOD = {
    "observation_period_id": int,
    "person_id": int,
    "observation_period_start_date": dt.date,
    "observation_period_end_date": dt.date,
    "period_type_concept_id": int,
}
VISIT_OCCURRENCE = {
    "visit_occurrence_id": int,
    "person_id": int,
    "visit_concept_id": int,
    "visit_start_date": dt.date,
    "visit_end_date": dt.date,
    "visit_type_concept_id": int,
}
DEATH = {
    "person_id": int,
    "death_date": dt.date,
    "death_type_concept_id": int,
}
CONDITION_OCCURRENCE = {
    "condition_occurrence_id": int,
    "person_id": int,
    "condition_concept_id": int,
    "condition_start_date": dt.date,
    "condition_end_date": dt.date,
    "condition_type_concept_id": int,
    "visit_occurrence_id": int,
    "condition_source_value": str,
    "condition_source_concept_id": int,
}
CONCEPT = {
    "concept_id": int,
    "concept_name": str,
    "domain_id": str,
    "vocabulary_id": str,
    "standard_concept": str,
}
CONCEPT_ANCESTOR = {
    "ancestor_concept_id": int,
    "descendant_concept_id": int,
    "min_levels_of_separation": int,
    "max_levels_of_separation": int,
}
TABLES: Mapping[str, Mapping[str, type]] = {
    "person": PERSON,
    "observation_period": OBSERVATION_PERIOD,
    "visit_occurrence": VISIT_OCCURRENCE,
    "death": DEATH,
    "condition_occurrence": CONDITION_OCCURRENCE,
    "concept": CONCEPT,
    "concept_ancestor": CONCEPT_ANCESTOR,
}


def make_tables(patients: Sequence[Patient], *, seed: int) -> dict[str, pl.DataFrame]:
    """Return the tables of the CDM by name; a person with `in_cdm` False is in none of them."""
    rows: Rows = {name: [] for name in TABLES}
    for patient in patients:
        if patient.in_cdm:
            _Chart(rows, patient, generator(seed, Stream.OMOP, patient.number)).write()
    rows["concept"] = [
        (0, "No matching concept", "Metadata", "None", None),
        (concepts.MALE, "MALE", "Gender", "Gender", "S"),
        (concepts.FEMALE, "FEMALE", "Gender", "Gender", "S"),
        (concepts.INPATIENT, "Inpatient Visit", "Visit", "Visit", "S"),
        (concepts.OUTPATIENT, "Outpatient Visit", "Visit", "Visit", "S"),
        (concepts.EMERGENCY, "Emergency Room Visit", "Visit", "Visit", "S"),
        (concepts.EHR, "EHR", "Type Concept", "Type Concept", "S"),
        *((concept, name, "Condition", "SNOMED", "S") for concept, name in sorted(concepts.NAMES.items())),
    ]
    rows["concept_ancestor"] = list(concepts.ancestors())
    return {
        name: pl.DataFrame(rows[name], schema={column: _TYPES[kind] for column, kind in columns.items()}, orient="row")
        for name, columns in TABLES.items()
    }


class _Chart:
    """Writes one person's rows, with a visit for every day on which something happened."""

    def __init__(self, rows: Rows, patient: Patient, rng: np.random.Generator) -> None:
        self._rows = rows
        self._patient = patient
        self._rng = rng
        self._visits: dict[dt.date, int] = {}

    def write(self) -> None:
        patient, rng = self._patient, self._rng
        person, born = patient.person_id, patient.born
        gender, code = (concepts.MALE, "M") if patient.is_male else (concepts.FEMALE, "F")
        self._rows["person"].append((person, gender, born.year, born.month, born.day, 8515, 0, f"SYN{patient.number:08d}", code))
        self._rows["observation_period"].append((len(self._rows["observation_period"]) + 1, person, *patient.observed, concepts.EHR))
        if patient.died is not None:
            self._rows["death"].append((person, patient.died, concepts.EHR))
        if patient.recorded is not None:
            self._heart_failure(patient.recorded)
        elif rng.random() < 0.03:
            lookalike = concepts.LOOKALIKES[int(rng.integers(0, len(concepts.LOOKALIKES)))]
            self._condition(self._day(), lookalike[0], lookalike[2], concepts.OUTPATIENT)
        for name, first in patient.comorbidities.items():
            self._comorbidity(_BY_NAME[name], first)
        for moment in patient.acquired:
            self._visit(moment.date(), concepts.EMERGENCY if rng.random() < 0.15 else concepts.OUTPATIENT)
        for _ in range(int(rng.poisson(4))):
            self._visit(self._day(), concepts.OUTPATIENT)

    def _heart_failure(self, recorded: dt.date) -> None:
        """Write the first record and those that follow it, under the concepts that clinicians happen to choose."""
        rng, records = self._rng, concepts.HEART_FAILURE_RECORDS
        weights = [1 / (rank + 1.5) for rank in range(len(records))]
        share = [weight / sum(weights) for weight in weights]
        day = recorded
        for number in range(1 + int(rng.poisson(3 * self._patient.severity))):
            if day > self._patient.observed[1]:
                break
            concept, _, source = records[int(rng.choice(len(records), p=share))]
            is_inpatient = rng.random() < (0.55 if number == 0 else 0.25)
            self._condition(day, concept, source, concepts.INPATIENT if is_inpatient else concepts.OUTPATIENT)
            if number > 0 and rng.random() < 0.06:  # a code that the site never mapped
                self._condition(day, 0, "I50.9", concepts.OUTPATIENT)
            day += dt.timedelta(days=14 + int(rng.exponential(200)))

    def _comorbidity(self, disease: concepts.Comorbidity, first: dt.date) -> None:
        day = first
        for _ in range(1 + int(self._rng.poisson(1.6))):
            if day > self._patient.observed[1]:
                break
            self._condition(day, disease.concept_id, disease.source_value, concepts.OUTPATIENT)
            day += dt.timedelta(days=30 + int(self._rng.exponential(240)))

    def _condition(self, day: dt.date, concept: int, source: str, where: int) -> None:
        table = self._rows["condition_occurrence"]
        end = day if self._rng.random() < 0.6 else None
        table.append((len(table) + 1, self._patient.person_id, concept, day, end, concepts.EHR, self._visit(day, where), source, 0))

    def _visit(self, day: dt.date, concept: int) -> int:
        """Find or make the visit of a day."""
        if day not in self._visits:
            table = self._rows["visit_occurrence"]
            stay = 2 + int(self._rng.gamma(2, 3)) if concept == concepts.INPATIENT else 0
            end = min(day + dt.timedelta(days=stay), max(self._patient.observed[1], day))
            table.append((len(table) + 1, self._patient.person_id, concept, day, end, concepts.EHR))
            self._visits[day] = len(table)
        return self._visits[day]

    def _day(self) -> dt.date:
        first, last = self._patient.observed
        return first + dt.timedelta(days=int(self._rng.integers(0, max((last - first).days, 0) + 1)))
