"""`hfrisk predict`: from files to a table of risks."""

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import hfrisk
from hfrisk.cli import app
from hfrisk.convert import convert
from hfrisk.errors import ConfigError, DataError
from hfrisk.predict import run
from hfrisk.predict.files import COLUMNS, TEMPORARY


def test_every_file_has_one_row_with_a_risk_or_a_rejection(make_model, files, tmp_path):
    table = run(make_model(), [files], tmp_path / "out.csv")
    assert dict(table.select("ecg_file", "rejection").iter_rows()) == {
        "broken.xml": "unsupported_format:html", **{f"ecg{number}.xml": None for number in range(4)}
    }  # fmt: skip
    assert (table["risk"].is_null() == table["rejection"].is_not_null()).all()


def test_risks_from_files_are_those_of_their_signals(make_model, files, signals, tmp_path):
    path = make_model()
    table = run(path, [files], tmp_path / "out.parquet").filter(pl.col("risk").is_not_null()).sort("ecg_file")
    assert table["risk"].to_numpy() == pytest.approx(hfrisk.Predictor.load(path)(signals), rel=1e-5)


def test_a_store_gives_the_same_table_as_its_files(make_model, files, tmp_path):
    convert(files, tmp_path / "store")
    path = make_model()
    from_files, from_store = (run(path, [source], tmp_path / "out.csv") for source in (files, tmp_path / "store"))
    assert from_files.equals(from_store)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_is_what_is_returned(make_model, files, tmp_path, ending):
    out = tmp_path / "new" / f"out.{ending}"
    table = run(make_model(), [files], out)
    written = pl.read_csv(out) if ending == "csv" else pl.read_parquet(out)
    assert tuple(written.columns) == COLUMNS
    assert written["risk"].to_list() == pytest.approx(table["risk"].to_list(), nan_ok=True)


def test_nothing_but_the_table_is_left_behind(make_model, files, tmp_path):
    run(make_model(), [files], tmp_path / "out" / "risks.csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["risks.csv"]


def test_an_error_leaves_neither_table_nor_temporary_store(make_model, files, tmp_path):
    for path in files.glob("ecg*.xml"):
        path.unlink()
    with pytest.raises(DataError, match="none of the files is a recording"):
        run(make_model(), [files], tmp_path / "out" / "risks.csv")
    assert list((tmp_path / "out").iterdir()) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(TEMPORARY)]


def test_features_are_found_by_ecg_file(make_model, files, by_file, signals, tmp_path):
    path = make_model("both")
    table = run(path, [files], tmp_path / "out.csv", tabular=by_file).filter(pl.col("risk").is_not_null()).sort("ecg_file")
    rows = [{"age": 40.0, "diabetes": 0}, {"age": 50.0, "diabetes": 1}, {"age": None, "diabetes": 0}, {"age": 70.0, "diabetes": 1}]
    assert table["risk"].to_numpy() == pytest.approx(hfrisk.Predictor.load(path)(signals, tabular=rows), rel=1e-5)


def test_features_are_found_by_person_through_the_registry(make_model, files, signals, tmp_path):
    registry = tmp_path / "registry"
    registry.mkdir()
    pl.DataFrame({"nid": [8, 8, 9, 9], "nstri_path": [f"a/ecg{number}.xml" for number in range(4)]}).write_csv(registry / "2019.csv.csv")
    pl.DataFrame({"person_id": [9, 8], "age": [50.0, 70.0], "diabetes": [0, 1]}).write_csv(tmp_path / "persons.csv")
    path = make_model("both")
    table = run(path, [files], tmp_path / "out.csv", tabular=tmp_path / "persons.csv", registry=registry)
    table = table.filter(pl.col("risk").is_not_null()).sort("ecg_file")
    old, young = {"age": 70.0, "diabetes": 1}, {"age": 50.0, "diabetes": 0}
    assert table["person_id"].to_list() == ["8", "8", "9", "9"]
    assert table["risk"].to_numpy() == pytest.approx(hfrisk.Predictor.load(path)(signals, tabular=[old, old, young, young]), rel=1e-5)


def test_a_table_by_person_wants_to_know_whose_the_files_are(make_model, files, tmp_path):
    pl.DataFrame({"person_id": [9], "age": [50.0], "diabetes": [0]}).write_csv(tmp_path / "persons.csv")
    with pytest.raises(ConfigError, match="nothing says whose"):
        run(make_model("both"), [files], tmp_path / "out.csv", tabular=tmp_path / "persons.csv")


def test_rows_of_a_store_mean_nothing_to_files(make_model, files, tmp_path):
    pl.DataFrame({"row": range(4), "age": [50.0] * 4, "diabetes": [0] * 4}).write_csv(tmp_path / "rows.csv")
    with pytest.raises(ConfigError, match="by row of a store"):
        run(make_model("both"), [files], tmp_path / "out.csv", tabular=tmp_path / "rows.csv")


def test_a_table_with_rows_and_files_is_joined_by_file(make_model, files, by_file, tmp_path):
    table = pl.read_csv(by_file)
    table.with_columns(row=pl.int_range(table.height)).write_csv(tmp_path / "both.csv")
    path = make_model("both")
    expected, found = (run(path, [files], tmp_path / "out.csv", tabular=given) for given in (by_file, tmp_path / "both.csv"))
    assert found.equals(expected)


def test_quality_flags_are_named(make_model, files, tmp_path):
    text = (files / "ecg0.xml").read_text(encoding="latin-1")
    (files / "ecg0.xml").write_text(text.replace("<LeadDataCRC32>", "<LeadDataCRC32>1"), encoding="latin-1")
    table = run(make_model(), [files], tmp_path / "out.csv")
    flags = dict(table.select("ecg_file", "flags").iter_rows())
    assert "crc_mismatch" in flags["ecg0.xml"].split()
    assert flags["ecg1.xml"] == ""


def test_the_command_says_how_many_were_predicted(make_model, files, tmp_path):
    done = CliRunner().invoke(app, ["predict", str(make_model()), str(files), "-o", str(tmp_path / "out.csv")])
    assert done.exit_code == 0
    assert "4 recordings predicted, 1 files rejected" in done.stderr


def test_the_command_refuses_a_table_it_cannot_write(make_model, files, tmp_path):
    done = CliRunner().invoke(app, ["predict", str(make_model()), str(files), "-o", str(tmp_path / "out.xlsx")])
    assert done.exit_code == 1
    assert "no table format `.xlsx`" in done.stderr
    assert np.all([not path.name.startswith(TEMPORARY) for path in tmp_path.iterdir()])
