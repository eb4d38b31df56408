"""`hfrisk doctor`: each fault is planted and found."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from hfrisk.cli import app
from hfrisk.convert import convert
from hfrisk.doctor import examine, machine, show
from hfrisk.doctor import study as study_module
from hfrisk.doctor.finding import Finding
from hfrisk.errors import DatabaseError
from hfrisk.omop.rights import Rights
from muse_xml import muse_xml, random_leads


class NoDatabase:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    """A database whose role may only read."""
    monkeypatch.setattr(study_module, "connect", lambda _config: NoDatabase())
    rights = Rights(server_version="16.1", is_superuser=False, may_create=False, num_writable=0, num_readable=9)
    monkeypatch.setattr(study_module, "read_rights", lambda _database, _schema: rights)


@pytest.fixture
def study(tmp_path):
    for folder in ("xml", "ECG_Metafile"):
        (tmp_path / folder).mkdir()
    (tmp_path / "xml" / "a.xml").write_bytes(muse_xml(random_leads(0)))
    convert(tmp_path / "xml", tmp_path / "store")
    pl.DataFrame({"nid": [1], "nstri_path": ["a.xml"]}).write_csv(tmp_path / "ECG_Metafile" / "2019.csv.csv")
    (tmp_path / "study.toml").write_text('name = "test"\n', encoding="utf-8")
    return tmp_path / "study.toml"


def problems(study):
    return {finding.subject: finding for finding in study_module.examine_study(study) if finding.status != "ok"}


def test_a_study_in_order_has_no_problem(study):
    assert problems(study) == {}


def test_a_wrong_key_in_the_study_file_is_found(study):
    study.write_text("[cohort]\nmood = 1\n", encoding="utf-8")
    assert "unknown key `mood`" in problems(study)["study file"].detail


def test_an_absent_registry_is_found(study):
    shutil.rmtree(study.parent / "ECG_Metafile")
    assert problems(study)["registry"].status == "error"


def test_an_incomplete_store_is_found(study):
    (study.parent / "store" / "records.parquet").unlink()
    assert "not complete" in problems(study)["store"].detail


def test_a_damaged_chunk_is_found(study):
    (shard,) = [path for path in (study.parent / "store" / "ecg.zarr" / "signals" / "c").rglob("*") if path.is_file()]
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    assert problems(study)["store"].status == "error"


def test_many_rejected_files_are_a_warning(study):
    (study.parent / "xml" / "b.xml").write_bytes(b"<html/>")
    convert(study.parent / "xml", study.parent / "store", overwrite=True)
    assert problems(study)["store"].detail == "1 of 2 files were rejected"


def test_an_absent_tabular_file_is_found(study):
    study.write_text('[paths]\ntabular = "none.csv"\n', encoding="utf-8")
    assert problems(study)["tabular file"].status == "error"


@pytest.mark.parametrize(
    ("rights", "said"),
    [({"is_superuser": True}, "is a superuser"), ({"num_writable": 3}, "may change 3 tables"), ({"may_create": True}, "make new")],
)
def test_a_role_that_may_write_is_a_warning(study, monkeypatch, rights, said):
    given = {"server_version": "16.1", "is_superuser": False, "may_create": False, "num_writable": 0, "num_readable": 9} | rights
    monkeypatch.setattr(study_module, "read_rights", lambda _database, _schema: Rights(**given))
    assert said in problems(study)["database"].detail
    assert problems(study)["database"].status == "warning"


def test_a_role_that_sees_nothing_is_an_error(study, monkeypatch):
    rights = Rights(server_version="16.1", is_superuser=False, may_create=False, num_writable=0, num_readable=0)
    monkeypatch.setattr(study_module, "read_rights", lambda _database, _schema: rights)
    assert problems(study)["database"].status == "error"


def test_a_database_out_of_reach_is_an_error_with_its_hint(study, monkeypatch):
    def refuse(_config):
        raise DatabaseError("cannot connect", hint="is it up?")

    monkeypatch.setattr(study_module, "connect", refuse)
    assert problems(study)["database"].hint == "is it up?"


@pytest.mark.parametrize("name", ["store/.hfrisk.partial", "run/.last.pt.12.tmp", ".hfrisk-predict-abc"])
def test_what_a_broken_run_left_is_found(study, name):
    left = study.parent / name
    left.parent.mkdir(exist_ok=True)
    left.mkdir()
    assert str(left) in problems(study)["leftovers"].detail


def test_a_full_disk_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=100e9, used=99e9, free=1e9))
    assert machine.disk(tmp_path / "new" / "folder", "disk").status == "warning"


def test_a_folder_without_the_right_to_write_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.os, "access", lambda _path, _mode: False)
    assert machine.disk(tmp_path, "disk").status == "error"


def test_a_missing_package_is_an_error_that_names_it(monkeypatch):
    found = machine._version
    monkeypatch.setattr(machine, "_version", lambda name: None if name == "polars" else found(name))
    (finding,) = [finding for finding in machine._packages() if finding.status == "error"]
    assert finding.hint == "pip install polars"


def test_a_debug_build_is_a_warning(monkeypatch):
    monkeypatch.setattr(machine, "build_profile", "debug")
    assert machine._build().status == "warning"


def test_a_processor_without_avx2_is_a_warning(monkeypatch):
    monkeypatch.setattr(machine, "instruction_sets", [])
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    assert machine._processor().status == "warning"


def test_a_problem_comes_with_a_hint():
    with pytest.raises(AssertionError, match="hint"):
        Finding("disk", "warning", "full")


def test_only_an_error_makes_the_command_fail(capsys):
    assert show([Finding("a", "ok", "fine"), Finding("b", "warning", "odd", "look")])
    assert not show([Finding("a", "error", "broken", "mend it")])
    assert "hint: mend it" in capsys.readouterr().out


def test_without_a_study_only_the_machine_is_looked_at():
    assert {finding.subject for finding in examine(None)} == {"hfrisk", "packages", "processor", "memory", "disk of this folder", "GPU"}


def test_the_command_ends_with_one_when_a_study_is_broken(study):
    study.unlink()
    done = CliRunner().invoke(app, ["doctor", str(Path(study))])
    assert done.exit_code == 1
    assert "hint:" in done.stdout
