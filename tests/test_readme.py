"""The README tells the truth: its settings load, its Python runs, its lists are complete."""

import re
import tomllib
from pathlib import Path

import pytest

import hfrisk
from hfrisk.config import load_config
from hfrisk.convert import convert
from hfrisk.records import FLAGS
from muse_xml import muse_xml, random_leads

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(language: str, containing: str) -> str:
    return next(text for name, text in BLOCKS if name == language and containing in text)


def test_the_study_file_loads(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(block("toml", "[paths]"), encoding="utf-8")
    config = load_config(study)
    for section, table in tomllib.loads(study.read_text(encoding="utf-8")).items():
        if isinstance(table, dict) and section != "paths":
            assert all(getattr(getattr(config, section), key) == value for key, value in table.items())


def test_the_python_example_runs(tmp_path, monkeypatch):
    name = "MUSE_20191105_101500_00001.xml"
    for number in range(1, 6):
        (tmp_path / name.replace("00001", f"{number:05}")).write_bytes(muse_xml(random_leads(number)))
    convert(tmp_path, tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(block("python", "hfrisk.parse"), names)  # noqa: S102
    assert names["ecg"].signal.shape == (12, 5000)
    assert len(names["store"]) == 5


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_in_the_table(flag):
    assert f"| `{flag}` |" in README


def test_every_rejection_kind_is_in_the_table():
    source = (ROOT / "rust/ecg/src/error.rs").read_text(encoding="utf-8")
    kinds = re.findall(r'Self::\w+(?: \{ \.\. \})? => "(\w+)"', source)
    assert len(kinds) > 15
    assert [kind for kind in kinds if f"`{kind}`" not in README] == []


def rows_of(heading: str) -> list[str]:
    """Return the names in the first column of the table with that heading."""
    table = README.split(heading, 1)[1].split("\n\n", 1)[0]
    return [
        name.split(":")[0] for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1] if "|" in line else "")
    ]


def test_the_tables_name_no_flag_and_no_kind_that_does_not_exist():
    source = (ROOT / "rust/ecg/src/error.rs").read_text(encoding="utf-8")
    assert rows_of("| flag | meaning |") == list(FLAGS)
    kinds = rows_of("| kind | meaning |")
    assert [kind for kind in kinds if f'"{kind}"' not in source and f'"{kind}:' not in source] == []


def test_every_dialect_is_in_the_table():
    source = (ROOT / "rust/ecg/src/xml.rs").read_text(encoding="utf-8")
    roots = re.findall(r'b"(\w+)" => \w+::parse', source)
    assert len(roots) == 5
    assert [root for root in roots if f"| `{root}` |" not in README] == []


def test_every_link_into_the_page_has_its_heading():
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    assert [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", README) if anchor not in headings] == []


def test_the_version_is_that_of_the_crate():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert hfrisk.__version__ == manifest["workspace"]["package"]["version"]
