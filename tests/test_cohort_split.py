"""Splits: a pure function of the person, disjoint, and never without a class."""

import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfrisk.cohort.split import assign_splits, check_classes, check_disjoint
from hfrisk.config import SplitConfig
from hfrisk.errors import DataError

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
        ("", "is not a CSV table"),
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
