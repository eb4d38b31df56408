"""The commands as a stranger meets them: wrong input gives one sentence and a hint, never a traceback."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfrisk.errors import exit_on_error

ROOT = Path(__file__).parent.parent


def hfrisk(*arguments, cwd=None, **environment) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hfrisk.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_user_error(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert done.stdout == ""
    for words in said:
        assert words in done.stderr


def test_every_verb_explains_itself():
    listed = hfrisk("--help")
    assert listed.returncode == 0
    for verb in ("convert", "labels", "cohort", "train", "evaluate", "report", "plot", "demo"):
        assert verb in listed.stdout
        assert hfrisk(verb, "--help").returncode == 0


@pytest.mark.parametrize("verb", ["labels", "cohort", "train"])
def test_a_missing_study_file_is_named(verb, tmp_path):
    assert_user_error(hfrisk(verb, "--config", tmp_path / "none.toml"), "none.toml")


def test_an_unknown_setting_is_named(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text("", encoding="utf-8")
    assert_user_error(hfrisk("cohort", "--config", study, "--set", "cohort.horizon=5"), "`horizon`", "[cohort]")


@pytest.mark.parametrize("verb", ["cohort", "train"])
def test_a_study_without_a_store_says_what_to_run_first(verb, tmp_path):
    study = tmp_path / "study.toml"
    study.write_text("", encoding="utf-8")
    assert_user_error(hfrisk(verb, "--config", study), str(tmp_path))


@pytest.mark.parametrize("verb", ["evaluate", "report"])
def test_a_run_folder_that_is_not_there_is_named(verb, tmp_path):
    assert_user_error(hfrisk(verb, tmp_path / "no_run"), "no_run")


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text("", encoding="utf-8")
    done = hfrisk("labels", "--config", study, HFRISK_DSN=f"host={tmp_path} dbname=omop user=somebody")
    assert_user_error(done)


def test_a_plot_of_something_else_is_refused(tmp_path):
    other = tmp_path / "notes.xml"
    other.write_text("no ECG", encoding="utf-8")
    assert_user_error(hfrisk("plot", other, "-o", tmp_path / "ecg.png"), "notes.xml")
    assert not (tmp_path / "ecg.png").exists()


def test_a_package_that_is_not_installed_is_named(capsys):
    with pytest.raises(SystemExit) as stopped, exit_on_error():
        importlib.import_module("a_package_that_nobody_has.inner")
    assert stopped.value.code == 1
    assert "`a_package_that_nobody_has`" in capsys.readouterr().err


def test_a_missing_module_of_our_own_is_our_mistake_and_no_message_for_users():
    with pytest.raises(ModuleNotFoundError), exit_on_error():
        importlib.import_module("hfrisk.a_module_that_is_not_there")


def loaded_modules(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import hfrisk", "import hfrisk.convert", "import hfrisk.cli"])
def test_the_converter_starts_without_the_heavy_libraries(statement):
    heavy = {"torch", "psycopg2", "matplotlib", "polars", "pandas", "sklearn", "zarr", "pyarrow", "rich"}
    assert loaded_modules(statement) & heavy == set()
