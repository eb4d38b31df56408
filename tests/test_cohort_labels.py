"""Labels: a truth table with a patient on every boundary, and random histories against an oracle in plain Python."""

import datetime as dt
import functools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import label_oracle
from hfrisk.cohort.follow_up import attach_follow_up
from hfrisk.cohort.history import attach_events, read_history
from hfrisk.cohort.rules import conclude, decide
from hfrisk.config import CohortConfig
from hfrisk.errors import ConfigError, DataError

INDEX = dt.date(2018, 6, 15)
IP, OP, ER = 9201, 9202, 9203
ANY = (-4000, 4000)
INCIDENT = {"mode": "incident"}
DIAGNOSTIC = {"mode": "diagnostic"}


def day(offset):
    return None if offset is None else INDEX + dt.timedelta(offset)


def frames(patients):
    """Tables of patients who each have one ECG on the index date: (records, periods, last visit, death), all in days from it."""
    conditions = [(p, day(d), kind, visit) for p, (records, *_) in enumerate(patients) for d, kind, visit in records]
    periods = [(p, day(a), day(b)) for p, (_, spans, _, _) in enumerate(patients) for a, b in spans]
    ids = list(range(len(patients)))
    return (
        pl.DataFrame(
            {"row": ids, "ecg_file": [f"{i}.xml" for i in ids], "person_id": ids, "index_date": [INDEX] * len(ids), "in_cdm": True}
        ).with_columns(payload_hash=pl.col("row").cast(pl.UInt64)),
        pl.DataFrame(
            conditions,
            schema={"person_id": pl.Int64, "condition_start_date": pl.Date, "visit_concept_id": pl.Int64, "visit_occurrence_id": pl.Int64},
            orient="row",
        ),
        pl.DataFrame(
            [(p, day(visit), day(death)) for p, (_, _, visit, death) in enumerate(patients)],
            schema={"person_id": pl.Int64, "last_visit_date": pl.Date, "death_date": pl.Date},
            orient="row",
        ),
        pl.DataFrame(periods, schema={"person_id": pl.Int64, "start": pl.Date, "end": pl.Date}, orient="row"),
    )


def label(patients, config):
    ecgs, conditions, persons, periods = frames(patients)
    history = read_history(conditions, config)
    frame = conclude(decide(attach_follow_up(attach_events(ecgs, history, config), persons, periods, config), config))
    return frame.select("y", "reason", "event_date", "time_to_event_days", "event_observed").rows()


def records(*days):
    return [(d, OP, i) if not isinstance(d, tuple) else (*d, i) for i, d in enumerate(days)]


def patient(*days, observed=ANY, last_visit=None, death=None):
    spans = observed if isinstance(observed, list) else [observed] if observed else []
    return records(*days), spans, last_visit, death


# Settings, patient, y, reason, days to the event or to censoring. The time at risk is days 31 to 365, the washout 365 days.
INCIDENT_TRUTH = [
    # day zero and the days beside it
    ({}, patient(-1), None, "prior_outcome", -1),
    ({}, patient(0), None, "prior_outcome", 0),
    ({}, patient(1), None, "event_in_blanking", 1),
    ({"day_zero": "exclude"}, patient(0), None, "hf_on_index_date", 0),
    ({"day_zero": "exclude"}, patient(-1), None, "prior_outcome", -1),
    ({"day_zero": "exclude"}, patient(1), None, "event_in_blanking", 1),
    # edges of the blanking
    ({}, patient(30), None, "event_in_blanking", 30),
    ({}, patient(31), 1, "hf_in_window", 31),
    ({"blanking_days": 0}, patient(1), 1, "hf_in_window", 1),
    ({"blanking_days": 0}, patient(0), None, "prior_outcome", 0),
    ({"risk_window_start": 91}, patient(90), None, "event_in_blanking", 90),
    ({"risk_window_start": 91}, patient(91), 1, "hf_in_window", 91),
    # edges of the horizon
    ({}, patient(365), 1, "hf_in_window", 365),
    ({}, patient(366), 0, "hf_after_window", 366),
    ({"horizon_days": 1825}, patient(1825), 1, "hf_in_window", 1825),
    ({"risk_window_end": 100}, patient(101), 0, "hf_after_window", 101),
    ({}, patient(), 0, "no_hf_record", 4000),
    ({}, patient(40, 366), 1, "hf_in_window", 40),
    ({}, patient(30, 40), None, "event_in_blanking", 30),
    # edges of censoring
    ({}, patient(observed=(-4000, 365)), 0, "no_hf_record", 365),
    ({}, patient(observed=(-4000, 364)), None, "censored", 364),
    ({}, patient(observed=(-4000, 0)), None, "censored", 0),
    ({}, patient(200, observed=(-4000, 100)), 1, "hf_in_window", 200),
    ({}, patient(500, observed=(-4000, 100)), None, "censored", 500),
    ({"require_time_at_risk": False}, patient(observed=(-4000, 100)), 0, "no_hf_record", 100),
    ({"min_time_at_risk": 69}, patient(observed=(-4000, 100)), 0, "no_hf_record", 100),
    ({"min_time_at_risk": 70}, patient(observed=(-4000, 100)), None, "censored", 100),
    ({"min_time_at_risk": 9999}, patient(observed=(-4000, 365)), 0, "no_hf_record", 365),
    ({"observed_until": "last_visit"}, patient(last_visit=365), 0, "no_hf_record", 365),
    ({"observed_until": "last_visit"}, patient(last_visit=364), None, "censored", 364),
    ({"observed_until": "last_visit"}, patient(last_visit=-9), None, "censored", 0),
    ({"observed_until": "either"}, patient(observed=(-4000, 100), last_visit=365), 0, "no_hf_record", 365),
    ({"observed_until": "either"}, patient(observed=(-4000, 365), last_visit=10), 0, "no_hf_record", 365),
    # gaps between periods of observation
    ({}, patient(observed=[(-4000, 100), (102, 4000)]), None, "censored", 100),
    ({}, patient(observed=[(-4000, 100), (101, 4000)]), 0, "no_hf_record", 4000),
    ({}, patient(observed=[(-4000, 10), (-50, 400), (-3, 5)]), 0, "no_hf_record", 400),
    # edges of the washout
    ({}, patient(40, observed=(-365, 4000)), 1, "hf_in_window", 40),
    ({}, patient(40, observed=(-364, 4000)), None, "insufficient_history", 40),
    ({"washout_days": 0}, patient(40, observed=(0, 4000)), 1, "hf_in_window", 40),
    ({}, patient(observed=[(-4000, -366), (-364, 4000)]), None, "insufficient_history", 4000),
    ({}, patient(observed=[(-4000, -366), (-365, 4000)]), 0, "no_hf_record", 4000),
    ({}, patient(observed=(1, 4000)), None, "insufficient_history", None),
    ({"washout_days": 0}, patient(observed=(1, 4000)), None, "censored", None),
    # edges of death
    ({}, patient(death=364), None, "died", 364),
    ({}, patient(death=365, observed=(-4000, 365)), 0, "no_hf_record", 365),
    ({"death": "competing_event"}, patient(death=364), 0, "death_without_hf", 364),
    ({"death": "competing_event"}, patient(death=364, observed=(-4000, 100)), 0, "death_without_hf", 100),
    ({"death": "competing_event"}, patient(death=365, observed=(-4000, 365)), 0, "no_hf_record", 365),
    ({}, patient(100, death=100), 1, "hf_in_window", 100),
    ({}, patient(death=0), None, "died", 0),
    ({}, patient(death=-1), None, "index_after_death", 0),
    # prior outcomes that do not count, or no longer
    ({"remove_subjects_with_prior_outcome": False}, patient(-5, 0, 40), 1, "hf_in_window", 40),
    ({"remove_subjects_with_prior_outcome": False}, patient(-5), 0, "hf_before_lookback", 4000),
    ({"remove_subjects_with_prior_outcome": False}, patient(-5, 1), None, "event_in_blanking", 1),
    ({"remove_subjects_with_prior_outcome": False, "day_zero": "exclude"}, patient(0, 40), None, "hf_on_index_date", 0),
    ({"prior_outcome_lookback": 730}, patient(-730, 40), None, "prior_outcome", -730),
    ({"prior_outcome_lookback": 730}, patient(-731, 40), 1, "hf_in_window", 40),
    ({"prior_outcome_lookback": 730}, patient(-731), 0, "hf_before_lookback", 4000),
    # a record without a date
    ({}, patient(None), None, "hf_date_unknown", 4000),
    ({}, patient(None, 40), None, "hf_date_unknown", 40),
    ({}, patient(None, -1), None, "prior_outcome", -1),
]
DIAGNOSTIC_TRUTH = [
    ({}, patient(-31), None, "prior_outcome", -31),
    ({}, patient(-30), 1, "hf_in_window", -30),
    ({}, patient(0), 1, "hf_in_window", 0),
    ({}, patient(30), 1, "hf_in_window", 30),
    ({}, patient(31), 0, "hf_after_window", 31),
    ({}, patient(), 0, "no_hf_record", 4000),
    ({}, patient(observed=(-4000, 30)), 0, "no_hf_record", 30),
    ({}, patient(observed=(-4000, 29)), None, "censored", 29),
    ({}, patient(death=29), None, "died", 29),
    ({}, patient(death=30, observed=(-4000, 30)), 0, "no_hf_record", 30),
    ({}, patient(0, observed=(-364, 30)), None, "insufficient_history", 0),
    ({"diagnostic_window_days": 7}, patient(-7), 1, "hf_in_window", -7),
    ({"diagnostic_window_days": 7}, patient(8), 0, "hf_after_window", 8),
    ({"remove_subjects_with_prior_outcome": False}, patient(-31, 5), 1, "hf_in_window", 5),
    ({"remove_subjects_with_prior_outcome": False}, patient(-31), 0, "hf_before_lookback", 4000),
]
# Rules: with `prevalent`, which looks at nothing but dates up to the index, and with `incident`.
RULE_TRUTH = [
    ({"rule": "first_plus_second"}, patient(-400, -35), 1, "hf_on_or_before_index", -400),
    ({"rule": "first_plus_second"}, patient(-401, -35), None, "hf_unconfirmed", 4000),
    ({"rule": "first_plus_second"}, patient(-35, -35), None, "hf_unconfirmed", 4000),
    ({"rule": "first_plus_second"}, patient(-35, -34), 1, "hf_on_or_before_index", -35),
    ({"rule": "first_plus_second"}, patient(-2000, -400, -35), 1, "hf_on_or_before_index", -400),
    ({"rule": "first_plus_second"}, patient(0, 365), 1, "hf_on_or_before_index", 0),
    ({"rule": "first_plus_second"}, patient(0, 366), None, "hf_unconfirmed", 4000),
    ({"rule": "first_plus_second", "unconfirmed": "negative"}, patient(0, 366), 0, "no_hf_by_rule", 4000),
    ({"rule": "first_plus_second"}, patient(1), 0, "no_hf_by_rule", 4000),
    ({"rule": "inpatient1"}, patient((-5, IP)), 1, "hf_on_or_before_index", -5),
    ({"rule": "inpatient1"}, patient((-5, ER)), 1, "hf_on_or_before_index", -5),
    ({"rule": "inpatient1"}, patient((-5, 262)), 1, "hf_on_or_before_index", -5),
    ({"rule": "inpatient1"}, patient((-5, OP), (4, IP)), None, "hf_unconfirmed", 4),
    ({"rule": "inpatient1"}, patient((-5, None), (4, IP)), None, "hf_unconfirmed", 4),
    ({"rule": "inpatient1"}, patient((5, OP), (4, IP)), 0, "hf_after_index", 4),
    ({"rule": "ip1_or_op2"}, patient((-5, IP)), 1, "hf_on_or_before_index", -5),
    ({"rule": "ip1_or_op2"}, patient(-31, -1), 1, "hf_on_or_before_index", -31),
    ({"rule": "ip1_or_op2"}, patient(-30, -1), None, "hf_unconfirmed", 4000),
    ({"rule": "ip1_or_op2"}, patient(-366, -1), 1, "hf_on_or_before_index", -366),
    ({"rule": "ip1_or_op2"}, patient(-367, -1), None, "hf_unconfirmed", 4000),
    ({"rule": "ip1_or_op2"}, patient(-45, -35, -5), 1, "hf_on_or_before_index", -45),
    ({"rule": "ip1_or_op2"}, patient(-60, (-30, IP)), 1, "hf_on_or_before_index", -30),
    ({"rule": "min3visits"}, patient(-9, -8, -7), 1, "hf_on_or_before_index", -9),
    ({"rule": "min3visits"}, patient(-9, -8), None, "hf_unconfirmed", 4000),
    ({"rule": "min3visits"}, ([(-9, OP, 1), (-8, OP, 1), (-7, OP, 2)], [ANY], None, None), None, "hf_unconfirmed", 4000),
    ({"rule": "min3visits"}, ([(-9, OP, 1), (-9, OP, 2), (-9, OP, 3)], [ANY], None, None), 1, "hf_on_or_before_index", -9),
    ({"rule": "min3visits", "mode": "ever"}, patient(3, 4), None, "hf_unconfirmed", 4000),
    ({"rule": "min3visits", "mode": "ever"}, patient(3, 4, 5), 1, "hf_at_any_time", 3),
    ({"rule": "inpatient1", **INCIDENT}, patient((100, IP)), 1, "hf_in_window", 100),
    ({"rule": "inpatient1", **INCIDENT}, patient((-9, OP), (100, IP)), None, "hf_unconfirmed", 100),
    ({"rule": "inpatient1", **INCIDENT}, patient((50, OP), (100, IP)), 1, "hf_in_window", 100),
    ({"rule": "inpatient1", **INCIDENT}, patient((50, OP), (400, IP)), None, "hf_unconfirmed", 400),
    ({"rule": "inpatient1", **INCIDENT}, patient((366, OP)), 0, "no_hf_by_rule", 4000),
    ({"washout_days": 365}, patient(observed=(-364, 10)), None, "insufficient_history", 10),
    ({"washout_days": 365}, patient(-1, observed=(-364, 10)), 1, "hf_on_or_before_index", -1),
]
TRUTH = (
    [({**INCIDENT, **s}, *rest) for s, *rest in INCIDENT_TRUTH]
    + [({**DIAGNOSTIC, **s}, *rest) for s, *rest in DIAGNOSTIC_TRUTH]
    + RULE_TRUTH
)


@pytest.mark.parametrize(("chosen", "person", "y", "reason", "time"), TRUTH)
def test_the_truth_table_of_timed_labels(chosen, person, y, reason, time):
    found = labelled(CohortConfig(**chosen))[TRUTH.index((chosen, person, y, reason, time))]
    assert (found[0], found[1], found[3]) == (y, reason, time)


@functools.cache
def labelled(config):
    """The label of every patient of the table by these settings: one query for all who share them."""
    return label([person for _, person, *_ in TRUTH], config)


@pytest.mark.parametrize(("chosen", "person", "y", "reason", "time"), TRUTH)
def test_the_oracle_agrees_with_the_truth_table(chosen, person, y, reason, time):
    config = CohortConfig(**chosen)
    assert oracle(person, config)[:2] == (y, reason)
    assert oracle(person, config)[3] == time


def oracle(person, config):
    found, spans, last_visit, death = person
    dated = [(day(d), kind, visit) for d, kind, visit in found]
    merged = []
    for a, b in sorted(spans):
        if merged and a <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], b)
        else:
            merged.append([a, b])
    return label_oracle.label(INDEX, dated, [(day(a), day(b)) for a, b in merged], day(last_visit), day(death), config)


EDGES = st.sampled_from([-731, -730, -366, -365, -31, -30, -29, -1, 0, 1, 29, 30, 31, 364, 365, 366, 400]) | st.integers(-800, 800)
PATIENTS = st.tuples(
    st.lists(st.tuples(EDGES | st.none(), st.sampled_from([IP, OP, ER, 262, None]), st.integers(1, 4) | st.none()), max_size=6),
    st.lists(st.tuples(EDGES, EDGES).map(sorted).map(tuple), max_size=3),
    EDGES | st.none(),
    EDGES | st.none(),
)
CONFIGS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["ever", "prevalent", "diagnostic", "incident"]),
        "rule": st.sampled_from(["any1", "first_plus_second", "inpatient1", "ip1_or_op2", "min3visits"]),
        "unconfirmed": st.sampled_from(["unknown", "negative"]),
        "day_zero": st.sampled_from(["prevalent", "exclude"]),
        "washout_days": st.sampled_from([None, 0, 30]),
        "blanking_days": st.sampled_from([0, 30]),
        "remove_subjects_with_prior_outcome": st.booleans(),
        "prior_outcome_lookback": st.sampled_from([None, 0, 30, 365]),
        "require_time_at_risk": st.booleans(),
        "min_time_at_risk": st.sampled_from([None, 0, 60]),
        "observed_until": st.sampled_from(["observation_end", "last_visit", "either"]),
        "death": st.sampled_from(["unknown", "competing_event"]),
    }
).map(lambda chosen: CohortConfig(**chosen))
# Somebody of whom everything is known, so that no setting lacks its table.
KNOWN = patient((3, IP), observed=ANY, last_visit=10, death=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(PATIENTS, min_size=30, max_size=30), CONFIGS)
def test_random_histories_are_labelled_as_the_oracle_does(patients, config):
    assert label([*patients, KNOWN], config) == [oracle(person, config) for person in [*patients, KNOWN]]


@pytest.mark.parametrize(
    ("chosen", "hint"),
    [
        ({"rule": "inpatient1"}, "visit_occurrence_table"),
        ({"rule": "ip1_or_op2"}, "visit_occurrence_table"),
        ({"rule": "min3visits"}, "visit_occurrence_table"),
    ],
)
def test_a_rule_that_needs_visits_says_so(chosen, hint):
    conditions = frames([KNOWN])[1].drop("visit_concept_id", "visit_occurrence_id")
    with pytest.raises(DataError, match=r"conditions\.parquet has no `visit") as error:
        read_history(conditions, CohortConfig(**chosen))
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("chosen", "complaint", "hint"),
    [
        ({"mode": "incident"}, "since when", "washout_days = 0"),
        ({"mode": "incident", "washout_days": 0}, "until when", "require_time_at_risk"),
        ({"mode": "diagnostic", "washout_days": 0, "observed_until": "last_visit"}, "until when", "visit_occurrence_table"),
        (
            {"mode": "incident", "washout_days": 0, "require_time_at_risk": False, "death": "competing_event"},
            "no column `death_date`",
            "death_table",
        ),
    ],
)
def test_a_mode_that_needs_observation_says_so(chosen, complaint, hint):
    config = CohortConfig(**chosen)
    ecgs, conditions, persons, _ = frames([KNOWN])
    ecgs = attach_events(ecgs, read_history(conditions, config), config)
    with pytest.raises(DataError, match=complaint) as error:
        attach_follow_up(ecgs, persons.select("person_id"), None, config)
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        ({"mode": "incident", "blanking_days": 400}, "begins on day 401 and ends on day 365"),
        ({"mode": "incident", "risk_window_start": 0}, "risk_window_start` is 0"),
        ({"washout_days": -1}, "washout_days` is -1"),
        ({"one_ecg_per_person": "last_before_event"}, "comes after the event"),
    ],
)
def test_windows_that_mean_nothing_are_refused(chosen, complaint):
    with pytest.raises(ConfigError, match=complaint):
        CohortConfig(**chosen)


def test_without_periods_the_span_of_the_person_counts():
    config = CohortConfig(mode="incident")
    ecgs, conditions, persons, _ = frames([patient(), patient()])
    spans = persons.with_columns(observation_start=pl.Series([day(-365), day(-364)]), observation_end=pl.Series([day(365), day(365)]))
    ecgs = attach_events(ecgs, read_history(conditions, config), config)
    frame = conclude(decide(attach_follow_up(ecgs, spans, None, config), config))
    assert frame["reason"].to_list() == ["no_hf_record", "insufficient_history"]
