"""Splits: a pure function of the person, disjoint, and never without a class."""

import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfrisk.cohort.split import assign_splits, check_classes, check_disjoint
from hfrisk.config import SplitConfig
from hfrisk.errors import ConfigError, DataError

PERSONS = st.lists(st.integers(-(2**62), 2**62), min_size=1, unique=True)

# Seed 42, fractions 0.1 and 0.2: persons change their split never, not in any version.
GOLDEN = {"train": [1, 3, 4, 6, 7, 8, 9, 10, 11, 12], "test": [2], "validation": [5]}


def splits(persons, **settings) -> dict:
    return dict(assign_splits(pl.Series("person_id", persons), SplitConfig(**settings)).iter_rows())


@given(PERSONS, PERSONS, st.integers())
def test_a_person_keeps_the_split_when_others_come_and_go(some, others, seed):
    alone = splits(some, seed=seed)
    together = splits(list({*some, *others}), seed=seed)
    assert {person: together[person] for person in some} == alone


@given(PERSONS)
def test_every_person_is_in_exactly_one_split(persons):
    frame = assign_splits(pl.Series("person_id", persons), SplitConfig())
    assert sorted(frame["person_id"].to_list()) == sorted(persons)
    check_disjoint(frame)


@given(PERSONS)
def test_numbers_and_text_are_split_alike(persons):
    as_text = splits([str(person) for person in persons])
    assert {int(person): split for person, split in as_text.items()} == splits(persons)


@given(st.integers(0, 10**9), st.integers(0, 1000))
def test_the_split_is_the_documented_hash(person, seed):
    digest = hashlib.blake2b(f"{seed}:{person}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    expected = "test" if position < 0.2 else "validation" if position < 0.3 else "train"
    assert splits([person], seed=seed)[person] == expected


def test_known_persons_are_where_they_always_were():
    assert splits(list(range(1, 13))) == {person: name for name, group in GOLDEN.items() for person in group}


def test_the_fractions_are_met():
    counts = assign_splits(pl.Series("person_id", range(20_000)), SplitConfig())["split"].value_counts()
    share = {name: count / 20_000 for name, count in counts.iter_rows()}
    assert share == pytest.approx({"train": 0.7, "validation": 0.1, "test": 0.2}, abs=0.01)


def test_another_seed_is_another_split():
    assert splits(list(range(100))) != splits(list(range(100)), seed=43)


def test_another_validation_fraction_leaves_the_test_split_alone():
    one, two = splits(list(range(500))), splits(list(range(500)), validation_fraction=0.3)
    assert {p for p, s in one.items() if s == "test"} == {p for p, s in two.items() if s == "test"}


def given_file(tmp_path, text):
    path = tmp_path / "split.csv"
    path.write_text(text, encoding="utf-8")
    return SplitConfig(file=path)


def test_a_given_file_decides_and_val_is_validation(tmp_path):
    config = given_file(tmp_path, "person_id,split\n1,train\n02,VAL\n3,test\n3,test\n4,validation\n99,test\n")
    assert dict(assign_splits(pl.Series("person_id", [1, 2, 3, 4]), config).iter_rows()) == {
        1: "train",
        2: "validation",
        3: "test",
        4: "validation",
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("person_id,split\n1,train\n", "leaves out 1 of the 2 persons"),
        ("person_id,split\n1,train\n2,test\n2,train\n", "puts 1 persons into two splits"),
        ("person_id,split\n1,train\n2,holdout\n", "1 rows name a split that is none"),
        ("person,split\n1,train\n", "no column `person_id`"),
        ("", "is not a table"),
    ],
)
def test_a_given_file_that_cannot_be_used_is_one_sentence(tmp_path, text, complaint):
    with pytest.raises(DataError, match=complaint):
        assign_splits(pl.Series("person_id", [1, 2]), given_file(tmp_path, text))


def test_a_given_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot read the split file"):
        assign_splits(pl.Series("person_id", [1]), SplitConfig(file=tmp_path / "none.csv"))


def test_a_person_in_two_splits_is_caught():
    frame = pl.DataFrame({"person_id": [1, 1, 2], "split": ["train", "test", "test"]})
    with pytest.raises(DataError, match="1 persons are in two splits"):
        check_disjoint(frame)


FULL = [(name, y) for name in ("train", "validation", "test") for y in (0, 1)]


@pytest.mark.parametrize(("split", "y"), FULL)
def test_a_split_that_lacks_a_class_is_named(split, y):
    frame = pl.DataFrame([row for row in FULL if row != (split, y)], schema={"split": pl.String, "y": pl.Int8}, orient="row")
    word = "positive" if y else "negative"
    with pytest.raises(DataError, match=f"split `{split}` has no {word} ECG"):
        check_classes(frame, SplitConfig())


def test_an_unlabelled_ecg_is_no_class():
    rows = [row for row in FULL if row != ("test", 1)] + [("test", None)]
    with pytest.raises(DataError, match="split `test` has no positive"):
        check_classes(pl.DataFrame(rows, schema={"split": pl.String, "y": pl.Int8}, orient="row"), SplitConfig())


def test_a_split_that_the_study_does_without_is_not_missed():
    frame = pl.DataFrame({"split": ["train", "train", "test", "test"], "y": [0, 1, 0, 1]})
    check_classes(frame, SplitConfig(validation_fraction=0.0))


def persons(num, positive=(), held_out=()):
    ids = list(range(num))
    return pl.DataFrame({"person_id": ids, "is_positive": [i in positive for i in ids], "is_held_out": [i in held_out for i in ids]})


def test_strata_give_every_split_its_share_of_positives():
    few = set(range(0, 200, 10))
    frame = persons(200, few)
    found = assign_splits(frame, SplitConfig(stratify=True)).join(frame, on="person_id")
    assert dict(found.filter("is_positive")["split"].value_counts().iter_rows()) == {"train": 14, "validation": 2, "test": 4}
    assert dict(found.filter(~pl.col("is_positive"))["split"].value_counts().iter_rows()) == {"train": 126, "validation": 18, "test": 36}


@pytest.mark.parametrize("stratify", [False, True])
def test_every_person_is_tested_in_exactly_one_fold(stratify):
    frame = persons(100, set(range(0, 100, 5)))
    tested = [
        set(assign_splits(frame, SplitConfig(method="k_fold", fold=fold, stratify=stratify)).filter(pl.col("split") == "test")["person_id"])
        for fold in range(5)
    ]
    assert set().union(*tested) == set(range(100))
    assert sum(len(fold) for fold in tested) == 100


def test_the_validation_fold_is_the_test_fold_of_the_next_run():
    folds = [assign_splits(persons(100), SplitConfig(method="k_fold", fold=fold)) for fold in (0, 1)]
    validated = folds[0].filter(pl.col("split") == "validation")["person_id"]
    assert validated.equals(folds[1].filter(pl.col("split") == "test")["person_id"])


def test_a_fold_stays_when_persons_come():
    small, large = (assign_splits(persons(n), SplitConfig(method="k_fold")) for n in (50, 500))
    assert large.filter(pl.col("person_id") < 50).equals(small)


def test_whoever_is_held_out_is_tested_and_nobody_else():
    found = assign_splits(persons(100, held_out={3, 8}), SplitConfig(method="temporal", test_from="2020-01-01", validation_fraction=0.5))
    assert set(found.filter(pl.col("split") == "test")["person_id"]) == {3, 8}
    assert 30 < found.filter(pl.col("split") == "validation").height < 70


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"method": "temporal"}, "test_from` is '', expected a date"),
        ({"method": "temporal", "test_from": "2020"}, "test_from` is '2020', expected a date"),
        ({"method": "group", "column": "device"}, "test_values` is empty"),
        ({"method": "k_fold", "num_folds": 2}, "fold 0 of 2 folds"),
        ({"method": "k_fold", "fold": 5}, "fold 5 of 5 folds"),
    ],
)
def test_a_method_without_what_it_needs_is_refused(settings, complaint):
    with pytest.raises(ConfigError, match=complaint):
        SplitConfig(**settings)


def test_a_signal_in_two_splits_is_caught():
    frame = pl.DataFrame({"person_id": [1, 2], "split": ["train", "test"], "y": [0, 1], "payload_hash": [7, 7]})
    with pytest.raises(DataError, match="1 signals are in two splits"):
        check_disjoint(frame)
    check_disjoint(frame.with_columns(y=pl.Series([0, None])))
