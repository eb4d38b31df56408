"""Features of an ECG: hand-made patients with dates on every boundary."""

import datetime as dt

import polars as pl
import pytest

from hfrisk.config import CovariatesConfig
from hfrisk.covariates.build import History, build
from hfrisk.omop.covariates import read_covariate_sets
from hfrisk.omop.persons import PERSON
from hfrisk.records import MEASUREMENTS

INDEX = dt.date(2020, 6, 15)
NAMES = tuple(read_covariate_sets(CovariatesConfig())["covariate"].unique(maintain_order=True))
IDS = {name: number for number, name in enumerate(NAMES, start=1)}
CONCEPTS = pl.DataFrame({"covariate": NAMES, "concept_id": list(IDS.values())}, schema_overrides={"concept_id": pl.Int64})
ECG = {"row": pl.Int64, "ecg_file": pl.String, "person_id": pl.Int64, "index_date": pl.Date}


def frame_of(rows, **columns):
    return pl.DataFrame(rows, schema={"person_id": pl.Int64, **columns}, orient="row")


def day(offset: int) -> dt.date:
    return INDEX + dt.timedelta(days=offset)


def features(
    *conditions, periods=((-2000, 500),), visits=(), index=INDEX, born=(1950, 6, 15), gender=8507, header=(None, None), person=1, **settings
):
    """Features of one person's ECG; days are relative to it."""
    ecgs = pl.DataFrame({"row": [0], "ecg_file": ["a.xml"], "person_id": [person], "index_date": [index]}, schema=ECG)
    values = {name: [None] for name in MEASUREMENTS} | {f"original_{name}": [None] for name in MEASUREMENTS}
    values |= {"qrs_duration_ms": [110], "original_qrs_duration_ms": [120], "r_axis_deg": [30]}
    records = pl.DataFrame({"row": [0], "age_years": [header[0]], "sex": [header[1]], **values}, schema_overrides={"sex": pl.String})
    spans = None if periods is None else frame_of([(1, day(a), day(b)) for a, b in periods], start=pl.Date, end=pl.Date)
    history = History(
        persons=pl.DataFrame([(1, *born, gender)], schema=PERSON, orient="row"),
        periods=spans,
        conditions=frame_of([(1, IDS[name], day(d)) for name, d in conditions], concept_id=pl.Int64, start_date=pl.Date).lazy(),
        visits=None if visits is None else frame_of([(1, day(d)) for d in visits], start_date=pl.Date).lazy(),
        concepts=CONCEPTS,
        names=NAMES,
    )
    frame = build(ecgs, records, history, CovariatesConfig(**settings))
    assert frame.height == 1
    return frame.row(0, named=True)


@pytest.mark.parametrize(("offset", "expected"), [(-1, 1), (0, 0), (1, 0), (-365, 1), (-366, 0), (-364, 1), (-2, 1), (400, 0), (-1900, 0)])
def test_a_record_counts_from_365_days_before_to_the_day_before_the_ecg(offset, expected):
    assert features(("diabetes", offset))["diabetes"] == expected


@pytest.mark.parametrize(("offset", "expected"), [(-1, 1), (0, 0), (1, 0), (-366, 1), (-1999, 1)])
def test_a_look_back_of_zero_is_any_time_before(offset, expected):
    assert features(("diabetes", offset), look_back_days=0)["diabetes"] == expected


@pytest.mark.parametrize(("offset", "expected"), [(-7, 1), (-8, 0)])
def test_the_look_back_is_a_setting(offset, expected):
    assert features(("copd", offset), look_back_days=7)["copd"] == expected


def test_a_record_after_the_ecg_does_not_hide_one_before_it():
    assert features(("copd", -10), ("copd", 0), ("copd", 3))["copd"] == 1


def test_one_disease_does_not_count_for_another():
    row = features(("copd", -10))
    assert {name for name in NAMES if row[name] == 1} == {"copd"}


@pytest.mark.parametrize(
    ("periods", "missing", "days"),
    [
        (((-10, 10),), 0, 10),
        (((-1, 0),), 0, 1),
        (((0, 100),), 1, None),
        (((1, 100),), 1, None),
        ((), 1, None),
        (((-800, -366),), 1, 435),
        (((-800, -365),), 0, 436),
        (((-900, -500), (-100, 5)), 0, 100),
        (((-900, -500), (5, 50)), 1, 401),
    ],
)
def test_without_observation_in_the_window_history_is_missing_and_not_0(periods, missing, days):
    row = features(periods=periods, visits=(-3,))
    assert row["history_missing"] == missing
    assert row["prior_observation_days"] == days
    for name in ("diabetes", "charlson_no_chf", "cha2ds2va_no_c"):
        assert row[name] == (None if missing else (1 if name == "cha2ds2va_no_c" else 0))
    assert row["num_prior_visits"] == (None if missing else 1)


@pytest.mark.parametrize(("visits", "conditions", "missing"), [((-1,), (), 0), ((0,), (), 1), ((-366,), (), 1), ((), (("copd", -5),), 0)])
def test_without_periods_any_record_shows_that_a_person_was_observed(visits, conditions, missing):
    row = features(*conditions, periods=None, visits=visits)
    assert row["history_missing"] == missing
    assert "prior_observation_days" not in row


@pytest.mark.parametrize(("visits", "expected"), [((-1, 0, 1), 1), ((-365, -366, -1, -1), 3), ((), 0)])
def test_visits_are_counted_in_the_window_only(visits, expected):
    assert features(visits=visits)["num_prior_visits"] == expected


@pytest.mark.parametrize(
    ("born", "age"), [((1950, 6, 15), 70), ((1950, 6, 16), 69), ((1950, 6, 14), 70), ((1950, None, None), 70), ((None, None, None), 33.5)]
)
def test_age_is_in_completed_years_on_the_day_of_the_ecg(born, age):
    assert features(born=born, header=(33.5, None))["age"] == age


@pytest.mark.parametrize(
    ("gender", "sex", "male"), [(8507, "female", 1), (8532, None, 0), (0, "male", 1), (None, "female", 0), (0, None, None)]
)
def test_sex_is_the_databases_and_else_the_headers(gender, sex, male):
    assert features(gender=gender, header=(None, sex))["male"] == male


def test_the_machines_own_measurement_goes_before_the_edited_one():
    row = features()
    assert (row["ecg_qrs_duration_ms"], row["ecg_r_axis_deg"], row["ecg_pr_interval_ms"]) == (120, 30, None)


@pytest.mark.parametrize(
    ("conditions", "score"),
    [
        ((), 0),
        (("myocardial_infarction", "stroke", "copd"), 3),
        (("diabetes",), 1),
        (("diabetes", "diabetes_complicated"), 2),
        (("malignancy",), 2),
        (("malignancy", "metastatic_malignancy"), 6),
        (("chronic_kidney_disease", "hemiplegia", "liver_disease", "dementia"), 6),
        (("hypertension", "atrial_fibrillation", "obesity", "anaemia"), 0),
        (("rheumatic_disease", "peptic_ulcer", "peripheral_vascular_disease"), 3),
    ],
)
def test_charlson_adds_the_weights_of_its_groups_without_heart_failure(conditions, score):
    assert features(*((name, -5) for name in conditions))["charlson_no_chf"] == score


@pytest.mark.parametrize(
    ("conditions", "year", "score"),
    [
        ((), 1960, 0), ((), 1955, 1), ((), 1956, 0), ((), 1945, 2), ((), 1946, 1),
        (("hypertension", "diabetes"), 1980, 2), (("stroke",), 1980, 2),
        (("myocardial_infarction", "peripheral_vascular_disease"), 1980, 1),
        (("hypertension", "diabetes", "stroke", "myocardial_infarction"), 1930, 7),
    ],
)  # fmt: skip
def test_cha2ds2va_has_no_point_for_heart_failure_and_none_for_sex(conditions, year, score):
    for gender in (8507, 8532):
        assert features(*((name, -5) for name in conditions), born=(year, 1, 1), gender=gender)["cha2ds2va_no_c"] == score


def test_an_ecg_of_nobody_has_no_history_and_no_row_less():
    row = features(("copd", -5), person=None, header=(61.0, "male"))
    assert (row["copd"], row["history_missing"], row["age"], row["male"]) == (None, 1, 61, 1)


def test_an_ecg_without_a_date_has_no_history():
    assert features(("copd", -5), index=None)["copd"] is None


def test_groups_can_be_left_out():
    row = features(demographics=False, scores=False, history=False, ecg_measurements=False)
    assert set(row) == {"row", "ecg_file", "person_id", "history_missing", *NAMES}
