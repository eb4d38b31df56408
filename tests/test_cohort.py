"""The cohort: a truth table of labels, who is removed and why, and the notebooks' files."""

import datetime as dt

import polars as pl
import pytest

from hfrisk import cohort
from hfrisk.config import CohortConfig, SplitConfig, StudyConfig
from hfrisk.errors import DataError

D = dt.date
INDEX = D(2020, 6, 15)
BEFORE, AFTER = D(2020, 6, 14), D(2020, 6, 16)


def study(split=None, **settings) -> StudyConfig:
    return StudyConfig(cohort=CohortConfig(**settings), split=split or SplitConfig(validation_fraction=0.0, test_fraction=0.0))


def tables(ecgs, conditions, persons=()):
    """Frames as the files hold them, with one positive and one negative person added, so that no split lacks a class."""
    ecgs = [*ecgs, ("pos.xml", 901, D(2020, 1, 1), 901), ("neg.xml", 902, D(2020, 1, 1), 902)]
    conditions = [*conditions, (901, D(2019, 1, 1))]
    known = sorted({*persons, 901, 902, *(person for person, _ in conditions)})
    positive = {person for person, _ in conditions}
    return {
        "records": pl.DataFrame(
            [
                (row, file, None if day is None else dt.datetime.combine(day, dt.time(23, 59)), payload)
                for row, (file, _, day, payload) in enumerate(ecgs)
            ],
            schema={"row": pl.Int64, "ecg_file": pl.String, "acquired_at": pl.Datetime("ms"), "payload_hash": pl.UInt64},
            orient="row",
        ),
        "registry": pl.DataFrame(
            [(file, person) for file, person, _, _ in ecgs if person is not None],
            schema={"ecg_file": pl.String, "person_id": pl.Int64},
            orient="row",
        ).unique(maintain_order=True),
        "conditions": pl.DataFrame(conditions, schema={"person_id": pl.Int64, "condition_start_date": pl.Date}, orient="row"),
        "persons": pl.DataFrame({"person_id": known}),
        "outcome": pl.DataFrame({"person_id": known, "hf_outcome": [int(person in positive) for person in known]}),
    }


def verdict(ecgs, conditions, persons=(1,), **settings) -> list[tuple]:
    built = cohort.build(**tables(ecgs, conditions, persons), config=study(**settings))
    return built.frame.head(len(ecgs)).select("y", "reason").rows()


def one(day, *events, persons=(1,), **settings) -> tuple:
    return verdict([("a.xml", 1, day, 1)], [(1, event) for event in events], persons, **settings)[0]


# Day of the ECG, days of heart failure, settings, y, reason.
TRUTH = [
    # prevalent, the day itself counted
    (INDEX, [BEFORE], {}, 1, "hf_on_or_before_index"),
    (INDEX, [INDEX], {}, 1, "hf_on_or_before_index"),
    (INDEX, [AFTER], {}, 0, "hf_after_index"),
    (INDEX, [], {}, 0, "no_hf_record"),
    (INDEX, [D(1990, 1, 1)], {}, 1, "hf_on_or_before_index"),
    (INDEX, [D(2030, 1, 1)], {}, 0, "hf_after_index"),
    (INDEX, [AFTER, BEFORE], {}, 1, "hf_on_or_before_index"),
    (INDEX, [AFTER, INDEX], {}, 1, "hf_on_or_before_index"),
    (INDEX, [BEFORE, BEFORE], {}, 1, "hf_on_or_before_index"),
    (None, [BEFORE], {}, None, "no_index_date"),
    (None, [], {}, None, "no_index_date"),
    # a record without a date
    (INDEX, [None], {}, None, "hf_date_unknown"),
    (INDEX, [None, AFTER], {}, None, "hf_date_unknown"),
    (INDEX, [None, INDEX], {}, 1, "hf_on_or_before_index"),
    (INDEX, [None, BEFORE], {}, 1, "hf_on_or_before_index"),
    # prevalent, the day itself excluded
    (INDEX, [BEFORE], {"day_zero": "exclude"}, 1, "hf_on_or_before_index"),
    (INDEX, [INDEX], {"day_zero": "exclude"}, None, "hf_on_index_date"),
    (INDEX, [INDEX, AFTER], {"day_zero": "exclude"}, None, "hf_on_index_date"),
    (INDEX, [BEFORE, INDEX], {"day_zero": "exclude"}, 1, "hf_on_or_before_index"),
    (INDEX, [AFTER], {"day_zero": "exclude"}, 0, "hf_after_index"),
    (INDEX, [], {"day_zero": "exclude"}, 0, "no_hf_record"),
    (None, [INDEX], {"day_zero": "exclude"}, None, "no_index_date"),
    # ever: the notebooks' rule
    (INDEX, [BEFORE], {"mode": "ever"}, 1, "hf_at_any_time"),
    (INDEX, [AFTER], {"mode": "ever"}, 1, "hf_at_any_time"),
    (INDEX, [INDEX], {"mode": "ever", "day_zero": "exclude"}, 1, "hf_at_any_time"),
    (INDEX, [None], {"mode": "ever"}, 1, "hf_at_any_time"),
    (INDEX, [], {"mode": "ever"}, 0, "no_hf_record"),
    (None, [AFTER], {"mode": "ever"}, 1, "hf_at_any_time"),
    (None, [], {"mode": "ever"}, 0, "no_hf_record"),
]


@pytest.mark.parametrize(("day", "events", "settings", "y", "reason"), TRUTH)
def test_the_truth_table_of_labels(day, events, settings, y, reason):
    assert one(day, *events, **settings) == (y, reason)


@pytest.mark.parametrize("mode", ["prevalent", "ever"])
def test_a_person_absent_from_the_database_is_unknown_not_negative(mode):
    assert one(INDEX, persons=(), mode=mode) == (None, "not_in_cdm")


def test_a_person_absent_from_the_database_is_negative_only_where_the_study_says_so():
    assert one(INDEX, persons=(), mode="ever", not_in_cdm="negative") == (0, "not_in_cdm")


def test_a_person_known_only_by_a_condition_is_in_the_database():
    assert one(INDEX, AFTER, persons=()) == (0, "hf_after_index")


def test_times_count_from_the_ecg_to_the_first_dated_event():
    ecgs = [("a.xml", 1, INDEX, 1), ("b.xml", 2, INDEX, 2), ("c.xml", 3, INDEX, 3)]
    built = cohort.build(**tables(ecgs, [(1, D(2020, 6, 1)), (1, AFTER), (2, D(2021, 6, 15))], (3,)), config=study())
    assert built.frame.head(3).select("event_date", "time_to_event_days", "event_observed").rows() == [
        (D(2020, 6, 1), -14, True),
        (D(2021, 6, 15), 365, True),
        (None, None, False),
    ]


def test_the_columns_and_types_are_those_that_training_reads():
    built = cohort.build(**tables([], []), config=study())
    assert built.frame.schema == {
        "row": pl.Int64,
        "ecg_file": pl.String,
        "person_id": pl.Int64,
        "index_date": pl.Date,
        "y": pl.Int8,
        "reason": pl.String,
        "event_date": pl.Date,
        "time_to_event_days": pl.Int32,
        "event_observed": pl.Boolean,
        "split": pl.String,
        "payload_hash": pl.UInt64,
    }


def test_a_recording_that_the_registry_does_not_list_is_nobodys():
    assert verdict([("a.xml", None, INDEX, 1)], []) == [(None, "not_in_registry")]


def test_names_are_matched_as_they_are_before_case_is_ignored():
    data = tables([("a.xml", None, INDEX, 1), ("A.xml", None, INDEX, 2), ("B.XML", None, INDEX, 3)], [], (1, 2, 3))
    more = pl.DataFrame({"ecg_file": ["a.xml", "A.xml", "b.xml"], "person_id": [1, 2, 3]})
    data["registry"] = pl.concat([data["registry"], more])
    built = cohort.build(**data, config=study())
    assert built.frame["person_id"].head(3).to_list() == [1, 2, 3]


def test_a_name_that_is_two_persons_regardless_of_case_is_nobodys():
    data = tables([("A.XML", None, INDEX, 1)], [])
    data["registry"] = pl.concat([data["registry"], pl.DataFrame({"ecg_file": ["a.xml", "A.xml"], "person_id": [1, 2]})])
    assert cohort.build(**data, config=study()).frame["reason"][0] == "not_in_registry"


def test_the_same_signal_of_the_same_person_counts_once():
    assert [reason for _, reason in verdict([("a.xml", 1, INDEX, 5), ("b.xml", 1, INDEX, 5)], [])] == ["no_hf_record", "duplicate_payload"]


def test_the_same_signal_under_two_persons_is_used_for_neither():
    reasons = [reason for _, reason in verdict([("a.xml", 1, INDEX, 5), ("b.xml", 2, INDEX, 5)], [], (1, 2))]
    assert reasons == ["payload_under_two_persons"] * 2


def test_recordings_without_a_payload_hash_are_no_duplicates():
    assert verdict([("a.xml", 1, INDEX, None), ("b.xml", 2, INDEX, None)], [], (1, 2)) == [(0, "no_hf_record")] * 2


def test_a_file_name_of_two_different_recordings_is_used_for_neither():
    reasons = [reason for _, reason in verdict([("a.xml", 1, INDEX, 5), ("a.xml", 1, INDEX, 6)], [])]
    assert reasons == ["file_name_not_unique"] * 2


def test_a_signal_of_a_stranger_does_not_cost_the_owner_the_ecg():
    assert verdict([("a.xml", 1, INDEX, 5), ("b.xml", None, INDEX, 5)], []) == [(0, "no_hf_record"), (None, "not_in_registry")]


@pytest.mark.parametrize(
    ("which", "reasons"),
    [
        ("all", ["hf_after_index", "hf_after_index", "no_index_date"]),
        ("first", ["hf_after_index", "not_first_ecg", "no_index_date"]),
        ("last", ["not_last_ecg", "hf_after_index", "no_index_date"]),
    ],
)
def test_one_ecg_a_person_is_chosen_among_those_that_can_be_labelled(which, reasons):
    ecgs = [("a.xml", 1, INDEX, 1), ("b.xml", 1, D(2020, 7, 1), 2), ("c.xml", 1, None, 3)]
    assert [reason for _, reason in verdict(ecgs, [(1, D(2022, 1, 1))], one_ecg_per_person=which)] == reasons


def test_the_notebooks_labels_come_out_as_they_were():
    data = tables([("a.xml", 1, INDEX, 1), ("b.xml", 2, INDEX, 2), ("c.xml", 3, INDEX, 3)], [(1, AFTER)], (2,))
    built = cohort.build(**data, config=study())
    assert built.labels.columns == ["person_id", "ecg_file"]
    assert built.labels_with_hf.rows()[:3] == [(1, "a.xml", 1), (2, "b.xml", 0), (3, "c.xml", 0)]
    assert built.labels_with_hf.columns == ["person_id", "ecg_file", "hf_outcome"]


def test_ids_are_joined_by_value_whatever_their_type():
    data = tables([("a.xml", 1, INDEX, 1)], [(1, BEFORE)])
    data["registry"] = data["registry"].with_columns(pl.col("person_id").cast(pl.String))
    built = cohort.build(**data, config=study())
    assert built.frame["y"][0] == 1
    assert built.labels_with_hf["hf_outcome"][0] == 1


def test_ids_that_do_not_overlap_are_an_error_that_names_types_and_nobody():
    data = tables([("a.xml", 1, INDEX, 1)], [])
    data["registry"] = data["registry"].with_columns(pl.format("P{}", "person_id").alias("person_id"))
    with pytest.raises(DataError, match=r"none of the 3 persons .* String in the registry, Int64 in the database") as error:
        cohort.build(**data, config=study())
    assert "P901" not in str(error.value)


def test_files_that_do_not_overlap_are_an_error():
    data = tables([], [])
    data["records"] = data["records"].with_columns(pl.format("other-{}", "ecg_file").alias("ecg_file"))
    with pytest.raises(DataError, match="none of the 2 recordings"):
        cohort.build(**data, config=study())


def test_tables_of_two_runs_are_refused():
    data = tables([], [])
    data["outcome"] = data["outcome"].with_columns(hf_outcome=pl.lit(0))
    with pytest.raises(DataError, match="disagree about 1 persons"):
        cohort.build(**data, config=study())


@pytest.mark.parametrize("name", ["records", "registry", "conditions", "persons", "outcome"])
def test_a_missing_column_is_named(name):
    data = tables([], [])
    gone = data[name].columns[-1]
    data[name] = data[name].drop(gone)
    with pytest.raises(DataError, match=f"has no column `{gone}`"):
        cohort.build(**data, config=study())


def test_attrition_counts_every_ecg_and_person_once():
    ecgs = [
        ("ok.xml", 1, INDEX, 1),
        ("again.xml", 1, INDEX, 1),
        ("undated.xml", 2, None, 2),
        ("stranger.xml", None, INDEX, 3),
        ("absent.xml", 4, INDEX, 4),
    ]
    data = tables(ecgs, [], (1, 2))
    missing = pl.DataFrame({"ecg_file": ["gone.xml", "gone2.xml"], "person_id": [5, 1]})
    data["registry"] = pl.concat([data["registry"], missing])
    table = cohort.build(**data, config=study()).attrition
    removed = {rule: (ecgs, persons) for rule, ecgs, persons in table.select("rule", "removed_ecgs", "removed_persons").rows() if ecgs}
    assert list(removed.values()) == [(2, 1), (1, 0), (1, 0), (1, 1), (1, 1)]
    assert table.select("num_ecgs", "num_persons").rows()[0] == (9, 6)
    assert table.select("num_ecgs", "num_persons").rows()[-1] == (3, 3)
    assert (table["num_ecgs"].diff().drop_nulls() == -table["removed_ecgs"][1:]).all()
    assert (table["num_persons"].diff().drop_nulls() == -table["removed_persons"][1:]).all()


@pytest.mark.parametrize(
    "settings", [{}, {"mode": "ever"}, {"day_zero": "exclude"}, {"one_ecg_per_person": "last"}, {"not_in_cdm": "negative"}]
)
def test_attrition_ends_with_what_is_labelled(settings):
    ecgs = [("a.xml", 1, INDEX, 1), ("b.xml", 1, BEFORE, 2), ("c.xml", 2, None, 3), ("d.xml", 3, INDEX, 4), ("e.xml", None, INDEX, 5)]
    built = cohort.build(**tables(ecgs, [(1, INDEX), (2, None)]), config=study(**settings))
    labelled = built.frame.drop_nulls("y")
    assert built.attrition.select("num_ecgs", "num_persons").rows()[-1] == (labelled.height, labelled["person_id"].n_unique())


HOLDOUT = [("early.xml", 1, D(2018, 1, 1), 1), ("late.xml", 1, D(2020, 1, 1), 2), ("other.xml", 2, D(2018, 1, 1), 3)]


@pytest.mark.parametrize(
    "split",
    [
        {"method": "temporal", "test_from": "2020-01-01"},
        {"method": "group", "column": "device", "test_values": ("late.xml", "pos.xml", "neg.xml")},
        {"method": "group", "column": "dept_nm", "test_values": ("late.xml", "pos.xml", "neg.xml")},
    ],
)
def test_a_held_out_person_is_tested_on_held_out_ecgs_alone(split):
    data = tables([*HOLDOUT, ("sick.xml", 3, D(2018, 1, 1), 4)], [(3, D(2017, 1, 1))], (1, 2))
    data["records"] = data["records"].with_columns(device="ecg_file")
    data["registry"] = data["registry"].with_columns(dept_nm="ecg_file")
    built = cohort.build(**data, config=study(split=SplitConfig(validation_fraction=0.0, **split)))
    assert built.frame.select("reason", "split").rows()[:3] == [
        ("person_in_holdout", "test"),
        ("no_hf_record", "test"),
        ("no_hf_record", "train"),
    ]
    assert built.attrition.filter(pl.col("reason") == "person_in_holdout")["removed_ecgs"].item() == 1


@pytest.mark.parametrize(("column", "values", "complaint"), [("cart", ("A",), "neither"), ("device", ("a",), "no recording has 'a'")])
def test_a_hold_out_that_holds_nothing_is_an_error(column, values, complaint):
    data = tables(HOLDOUT, [], (1, 2))
    data["records"] = data["records"].with_columns(device=pl.lit("A"))
    with pytest.raises(DataError, match=complaint):
        cohort.build(**data, config=study(split=SplitConfig(method="group", column=column, test_values=values)))


def test_the_last_ecg_before_the_event_is_kept():
    ecgs = [("a.xml", 1, INDEX, 1), ("b.xml", 1, D(2020, 7, 1), 2), ("c.xml", 1, D(2020, 8, 1), 3)]
    reasons = [reason for _, reason in verdict(ecgs, [(1, D(2020, 8, 1))], mode="ever", one_ecg_per_person="last_before_event")]
    assert reasons == ["not_last_ecg_before_event", "hf_at_any_time", "not_last_ecg_before_event"]


def test_a_drawn_ecg_stays_when_others_come():
    ecgs = [(f"{n}.xml", 1, INDEX, 1000 + n) for n in range(8)]
    few, many = (verdict(ecgs[:n], [], one_ecg_per_person="random") for n in (5, 8))
    drawn = [[y is not None for y, _ in found] for found in (few, many)]
    assert sum(drawn[0]) == sum(drawn[1]) == 1
    assert drawn[1].index(True) == drawn[0].index(True) or drawn[1].index(True) >= 5


def test_another_seed_draws_another_ecg():
    ecgs = [(f"{n}.xml", 1, INDEX, 1000 + n) for n in range(8)]
    drawn = {
        tuple(y is not None for y, _ in verdict(ecgs, [], one_ecg_per_person="random", random_seed=seed)).index(True) for seed in range(5)
    }
    assert len(drawn) > 1


def test_incident_labels_need_only_what_the_files_hold():
    data = tables([("a.xml", 1, INDEX, 1), ("b.xml", 2, INDEX, 2)], [(1, D(2020, 9, 1)), (901, D(2020, 6, 1))], (1, 2))
    data["conditions"] = data["conditions"].filter(pl.col("condition_start_date") > D(2019, 1, 1))
    spans = {"observation_start": pl.lit(D(2010, 1, 1)), "observation_end": pl.lit(D(2030, 1, 1))}
    data["persons"] = data["persons"].with_columns(**spans)
    built = cohort.build(**data, config=study(mode="incident"))
    assert built.frame.select("y", "reason").rows() == [(1, "hf_in_window"), (0, "no_hf_record"), (1, "hf_in_window"), (0, "no_hf_record")]


@pytest.mark.parametrize("mode", ["incident", "diagnostic"])
def test_attrition_of_timed_modes_lists_every_rule_in_force(mode):
    data = tables([("a.xml", 1, INDEX, 1)], [(1, AFTER), (901, D(2020, 1, 9 if mode == "diagnostic" else 31) + dt.timedelta(9))], (1,))
    data["conditions"] = data["conditions"].filter(pl.col("condition_start_date") > D(2019, 1, 1))
    spans = {"observation_start": pl.lit(D(2010, 1, 1)), "observation_end": pl.lit(D(2030, 1, 1))}
    data["persons"] = data["persons"].with_columns(**spans)
    rules = set(cohort.build(**data, config=study(mode=mode)).attrition["reason"])
    assert rules >= {"insufficient_history", "prior_outcome", "died", "censored"}
    assert ("event_in_blanking" in rules) == (mode == "incident")
