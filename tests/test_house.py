"""House rules that a machine can check."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {
    ".ci", ".git", ".gitignore", "CHANGELOG.md", "Cargo.lock", "Cargo.toml", "LICENSE", "Makefile", "README.md",
    "benches", "pyproject.toml", "python", "rust", "tests",
}  # fmt: skip


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).exists()]


def test_the_top_level_holds_only_what_the_design_names():
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_source_file_is_longer_than_three_hundred_and_twenty_lines():
    sources = [path for path in tracked() if path.suffix in {".py", ".rs"} and path.relative_to(ROOT).parts[0] in {"python", "rust"}]
    lengths = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in sources}
    assert {name: length for name, length in lengths.items() if length > 320 and "/tests/" not in name} == {}


def test_no_module_is_called_utils():
    assert [path for path in tracked() if path.stem in {"utils", "util", "helpers", "misc", "common"}] == []


def test_no_error_is_swallowed_by_a_broad_except():
    broad = re.compile(r"except( Exception)?:\s*$|except \(?Exception\b", re.MULTILINE)
    package = [path for path in tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / "python")]
    assert [path.name for path in package if broad.search(path.read_text(encoding="utf-8"))] == []
