"""The yearly metadata files, in the states in which hospitals keep them."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfrisk import person_id
from hfrisk.errors import DataError
from hfrisk.registry import read_registry

HEADER = "nid,nstri_path,검사명"


def write(folder, name, *rows, header=HEADER, encoding="utf-8"):
    (folder / name).write_bytes(("\n".join([header, *rows]) + "\n").encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_every_encoding_of_a_korean_hospital_is_read(tmp_path, encoding):
    write(tmp_path, "2010.csv.csv", "7,1.MAIN/심전도.xml,안정", encoding=encoding)
    assert read_registry(tmp_path).rows() == [("심전도.xml", 7)]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    write(tmp_path, "2010.csv.csv", "7,a.xml,", encoding="utf-8-sig")
    assert read_registry(tmp_path)["person_id"].to_list() == [7]


@pytest.mark.parametrize("path", ["a.xml", "/data/1.MAIN/a.xml", "1.MAIN/2010/a.xml", r"D:\ecg\2010\a.xml", r"..\x/y\a.xml", " x/a.xml "])
def test_a_path_in_any_style_gives_its_last_part(tmp_path, path):
    write(tmp_path, "2010.csv.csv", f"7,{path},")
    assert read_registry(tmp_path)["ecg_file"].to_list() == ["a.xml"]


def test_files_are_read_together_and_repeated_rows_once(tmp_path):
    write(tmp_path, "2011.csv.csv", "2,b.xml,x", "1,old/a.xml,y")
    write(tmp_path, "2010.csv.csv", "1,new/a.xml,x", "1,a.xml,x")
    write(tmp_path, "notes.csv", "9,z.xml,x")
    table = read_registry(tmp_path)
    assert table.schema == {"ecg_file": pl.String, "person_id": pl.Int64}
    assert table.rows() == [("a.xml", 1), ("b.xml", 2)]


def test_columns_may_stand_in_another_order_in_another_year(tmp_path):
    write(tmp_path, "2010.csv.csv", "1,a.xml,x")
    write(tmp_path, "2011.csv.csv", "b.xml,2", header="nstri_path, nid ")
    assert read_registry(tmp_path).rows() == [("a.xml", 1), ("b.xml", 2)]


def test_ids_that_are_not_all_numbers_stay_text(tmp_path):
    write(tmp_path, "2010.csv.csv", "A1,a.xml,x", "2,b.xml,x")
    assert read_registry(tmp_path).rows() == [("a.xml", "A1"), ("b.xml", "2")]


def test_one_person_written_in_two_ways_is_one_person(tmp_path):
    write(tmp_path, "2010.csv.csv", "007,a.xml,x")
    write(tmp_path, "2011.csv.csv", "7.0,a.xml,x", "7,b.xml,x")
    assert read_registry(tmp_path).rows() == [("a.xml", 7), ("b.xml", 7)]


def test_rows_without_a_person_or_a_path_are_nobodys(tmp_path):
    write(tmp_path, "2010.csv.csv", ",a.xml,x", "2,,x", "3,c.xml,x", "4,folder/,x")
    assert read_registry(tmp_path).rows() == [("c.xml", 3)]


@pytest.mark.parametrize(("header", "column"), [("nid,path", "nstri_path"), ("pid,nstri_path", "nid")])
def test_a_missing_column_names_file_and_column_and_what_is_there(tmp_path, header, column):
    write(tmp_path, "2010.csv.csv", "1,a.xml", header="nid,nstri_path")
    write(tmp_path, "2011.csv.csv", "1,a.xml", header=header)
    with pytest.raises(DataError, match=rf"2011\.csv\.csv` has no column `{column}`") as error:
        read_registry(tmp_path)
    assert header.split(",")[0] in error.value.hint


def test_an_ecg_under_two_persons_is_an_error_that_counts_and_names_nobody(tmp_path):
    write(tmp_path, "2010.csv.csv", "4711,a.xml,x", "4712,a.xml,x", "4713,b.xml,x")
    with pytest.raises(DataError, match=r"^1 of the ECG files") as error:
        read_registry(tmp_path)
    assert "471" not in str(error.value)
    assert "a.xml" not in str(error.value)


def test_an_ecg_under_three_persons_counts_once(tmp_path):
    write(tmp_path, "2010.csv.csv", "1,a.xml,x", "2,a.xml,x", "3,a.xml,x")
    with pytest.raises(DataError, match=r"^1 of the ECG files"):
        read_registry(tmp_path)


def test_an_empty_folder_names_the_setting(tmp_path):
    with pytest.raises(DataError, match=r"no `\*\.csv\.csv` file") as error:
        read_registry(tmp_path)
    assert "paths.registry" in error.value.hint


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot read the registry folder"):
        read_registry(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81nid", b"nid,nstri_path\n1,a\n1,a,b,c\n"])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    (tmp_path / "2010.csv.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"2010\.csv\.csv"):
        read_registry(tmp_path)


def test_a_registry_without_any_ecg_is_an_error(tmp_path):
    write(tmp_path, "2010.csv.csv", ",,")
    with pytest.raises(DataError, match="list no ECG"):
        read_registry(tmp_path)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_ids_mean_the_same_as_numbers_and_as_text(ids):
    as_text = pl.Series("person_id", [f" {i}" for i in ids])
    assert person_id.canonical(as_text).to_list() == person_id.canonical(pl.Series("person_id", ids)).to_list() == ids


def test_aligned_ids_have_one_type():
    left, right = person_id.align(pl.DataFrame({"person_id": [1, 2]}), pl.DataFrame({"person_id": ["2", "x"]}))
    assert left["person_id"].to_list() == ["1", "2"]
    assert right["person_id"].to_list() == ["2", "x"]


def test_fractions_are_no_ids():
    with pytest.raises(DataError, match="holds fractions"):
        person_id.canonical(pl.Series("person_id", [1.5]))
