"""Comorbidities: what is read, how persons are joined, and how values become features."""

import logging

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import StandardScaler

from hfrisk.errors import DataError
from hfrisk.tabular import FeatureStatistics, feature_names, join_tabular, read_tabular


def csv(tmp_path, text):
    path = tmp_path / "tabular.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_numeric_and_boolean_columns_are_features(tmp_path):
    table = read_tabular(csv(tmp_path, "person_id,age,smoker\n1,60,true\n2,,false\n"))
    assert table.columns == ["person_id", "age", "smoker"]
    assert table.rows() == [(1, 60.0, 1.0), (2, None, 0.0)]


def test_the_outcome_is_left_out_with_a_note(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        table = read_tabular(csv(tmp_path, "person_id,hf_outcome,age\n1,1,60\n"))
    assert table.columns == ["person_id", "age"]
    assert "ignored" in caplog.text


def test_a_text_column_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="not numeric: `sex`") as refusal:
        read_tabular(csv(tmp_path, "person_id,age,sex\n1,60,F\n2,61,M\n"))
    assert refusal.value.hint


def test_a_value_far_down_decides_the_type_of_its_column(tmp_path):
    rows = "".join(f"{person},1\n" for person in range(2000))
    assert read_tabular(csv(tmp_path, f"person_id,score\n{rows}9999,2.5\n"))["score"][-1] == 2.5


@pytest.mark.parametrize("text", ["age\n1\n", "person_id\n1\n", "person_id,hf_outcome\n1,1\n"])
def test_a_table_without_persons_or_features_is_refused(tmp_path, text):
    with pytest.raises(DataError, match="has no column"):
        read_tabular(csv(tmp_path, text))


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="no tabular file at"):
        read_tabular(tmp_path / "nowhere.csv")


def test_an_empty_file_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="not a CSV"):
        read_tabular(csv(tmp_path, ""))


def test_a_person_with_two_different_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="1 persons more than once"):
        read_tabular(csv(tmp_path, "person_id,age\n1,60\n1,61\n"))


def test_a_repeated_row_counts_once(tmp_path):
    assert read_tabular(csv(tmp_path, "person_id,age\n1,60\n1,60\n")).height == 1


@pytest.mark.parametrize("persons", [[7, 8], ["7", "8"], ["007", " 8 "], [7.0, 8.0]])
@pytest.mark.parametrize("keys", ["7,8", '"7","8"', "7.0,8.0", "07,08"])
def test_persons_are_joined_by_value_whatever_their_type(tmp_path, persons, keys):
    left, right = keys.split(",")
    table = read_tabular(csv(tmp_path, f"person_id,age\n{left},60\n{right},70\n"))
    assert join_tabular(pl.Series(persons), table).tolist() == [[60.0], [70.0]]


def test_ids_that_are_text_join_as_text(tmp_path):
    table = read_tabular(csv(tmp_path, "person_id,age\nP1,60\nP2,70\n"))
    assert join_tabular(pl.Series(["P2", "P1", "P2"]), table)[:, 0].tolist() == [70, 60, 70]


def test_a_person_absent_from_the_table_is_missing(tmp_path):
    table = read_tabular(csv(tmp_path, "person_id,age\n1,60\n"))
    assert np.isnan(join_tabular(pl.Series([1, 2]), table)[:, 0]).tolist() == [False, True]


def test_no_overlap_is_refused_without_naming_a_person(tmp_path):
    table = read_tabular(csv(tmp_path, "person_id,age\n123456,60\n"))
    with pytest.raises(DataError, match="none of the 2 persons") as refusal:
        join_tabular(pl.Series([7654321, 7654322]), table)
    assert "123456" not in str(refusal.value)
    assert "765432" not in str(refusal.value)


def test_columns_come_in_the_asked_order(tmp_path):
    table = read_tabular(csv(tmp_path, "person_id,a,b\n1,2,3\n"))
    assert join_tabular(pl.Series([1]), table, names=["b", "a"]).tolist() == [[3, 2]]


def test_an_absent_column_is_named(tmp_path):
    table = read_tabular(csv(tmp_path, "person_id,a\n1,2\n"))
    with pytest.raises(DataError, match="`b`"):
        join_tabular(pl.Series([1]), table, names=["a", "b"])


values_of = hnp.arrays(np.float64, st.tuples(st.integers(2, 30), st.integers(1, 4)), elements=st.integers(-1000, 1000).map(float))


@given(values_of)
def test_complete_columns_are_standardised_as_by_scikit_learn(values):
    statistics = FeatureStatistics.fit(values, [f"c{i}" for i in range(values.shape[1])])
    np.testing.assert_allclose(statistics.encode(values), StandardScaler().fit_transform(values), atol=1e-5)
    assert statistics.indicators == ()


def test_a_missing_value_becomes_the_mean_and_is_flagged():
    values = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, 7.0]])
    statistics = FeatureStatistics.fit(values, ["a", "b"])
    assert statistics.indicators == ("a",)
    assert statistics.num_encoded == 3
    encoded = statistics.encode(values)
    assert encoded.dtype == np.float32
    assert encoded[:, 0].tolist() == [-1, 0, 1]
    assert encoded[:, 2].tolist() == [0, 1, 0]


def test_an_infinite_value_is_missing():
    statistics = FeatureStatistics.fit(np.array([[1.0], [np.inf], [3.0]]), ["a"])
    assert (statistics.means, statistics.indicators) == ((2.0,), ("a",))


def test_a_constant_or_empty_column_does_no_harm():
    values = np.array([[0.1, np.nan], [0.1, np.nan], [0.1, np.nan]])
    statistics = FeatureStatistics.fit(values, ["constant", "empty"])
    assert np.isfinite(statistics.encode(np.array([[5.0, 3.0], [np.nan, np.nan]]))).all()


def test_statistics_survive_plain_lists():
    statistics = FeatureStatistics.fit(np.array([[1.0], [np.nan], [4.0]]), ["a"])
    plain = statistics.to_dict()
    assert all(type(value) is list for value in plain.values())
    assert FeatureStatistics.from_dict(plain) == statistics


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_by_ecg_gives_each_ecg_its_own_row(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    frame = pl.DataFrame({"row": [4, 2], "ecg_file": ["b", "a"], "person_id": [1, 1], "age": [61, 60]})
    frame.write_csv(path) if ending == "csv" else frame.write_parquet(path)
    table = read_tabular(path)
    assert feature_names(table) == ["age"]
    examples = pl.DataFrame({"row": [2, 4, 5], "person_id": [1, 1, 2]})
    np.testing.assert_array_equal(join_tabular(examples, table), [[60], [61], [np.nan]])


def test_the_name_of_an_ecg_goes_before_its_row_in_another_store(tmp_path):
    table = read_tabular(csv(tmp_path, "row,ecg_file,age\n0,a,60\n1,b,61\n"))
    assert join_tabular(pl.DataFrame({"row": [0, 1], "ecg_file": ["b", "a"]}), table)[:, 0].tolist() == [61, 60]


def test_a_table_by_ecg_of_another_store_is_refused(tmp_path):
    table = read_tabular(csv(tmp_path, "ecg_file,age\nx,60\n"))
    with pytest.raises(DataError, match="none of the 1 ECGs"):
        join_tabular(pl.DataFrame({"row": [0], "ecg_file": ["b"]}), table)


def test_an_ecg_with_two_different_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="1 ECGs more than once"):
        read_tabular(csv(tmp_path, "row,age\n1,60\n1,61\n"))
