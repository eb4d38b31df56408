"""Run every check, record what it says, and stop where it says so."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from hfrisk.cohort.files import read_cohort
from hfrisk.errors import ConfigError, DataError
from hfrisk.lint.covariates import check_covariates
from hfrisk.lint.finding import CHECKS, Finding
from hfrisk.lint.labels import check_labels
from hfrisk.outputs import Outputs
from hfrisk.tabular import read_tabular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

    from hfrisk.config import StudyConfig
    from hfrisk.tabular import FeatureStatistics

SCHEMA = 1
FILE = "lint.json"
_COLOURS = {"passed": "green", "warning": "yellow", "failed": "red", "allowed": "magenta", "not run": "dim"}


def run(config: StudyConfig) -> bool:
    """Check a study, write lint.json into its data folder and print the findings; whether training may begin.

    Raises:
        DataError: The cohort or the tabular file is missing or damaged.
        ConfigError: `[lint] allow` names a check that does not exist.
    """
    found = lint(config)
    write(found, config, config.paths.data)
    show(found)
    return not any(finding.outcome == "failed" for finding in found)


def lint(config: StudyConfig, *, statistics: FeatureStatistics | None = None) -> list[Finding]:
    """Run every check; a failed one that `[lint] allow` names comes back as `allowed`.

    Args:
        config: The study.
        statistics: Of the tabular features, where a training is about to use them.

    Raises:
        DataError: The cohort or the tabular file is missing or damaged.
        ConfigError: `[lint] allow` names a check that does not exist.
    """
    if unknown := [name for name in config.lint.allow if name not in CHECKS]:
        raise ConfigError(f"`lint.allow` names `{unknown[0]}`, which is no check", hint="checks are: " + ", ".join(CHECKS))
    frame = read_cohort(config.paths.data / "cohort.parquet", check=False)
    table: pl.DataFrame | None = None
    if config.paths.tabular is not None and config.model.inputs != "ecg":
        table = read_tabular(config.paths.tabular)
    found = [*check_labels(frame, config), *check_covariates(frame, table, config, statistics=statistics)]
    return [_allowed(finding, config) for finding in found]


def require_clean(config: StudyConfig, *, statistics: FeatureStatistics | None = None) -> list[Finding]:
    """Check a study before it is trained.

    Returns:
        All findings; none of them has failed.

    Raises:
        DataError: A check failed that nothing allows; the others that failed are named too.
    """
    found = lint(config, statistics=statistics)
    if failed := [finding for finding in found if finding.outcome == "failed"]:
        more = f" (and {len(failed) - 1} more: {', '.join(finding.name for finding in failed[1:])})" if len(failed) > 1 else ""
        raise DataError(
            f"leakage lint, {failed[0].name}: {failed[0].message}{more}",
            hint="mend it, `hfrisk lint` shows all; or name it in `[lint] allow` with a `reason`, which the report will show",
        )
    return found


def write(found: Iterable[Finding], config: StudyConfig, folder: Path) -> None:
    """Write lint.json."""
    content = {"schema": SCHEMA, "reason": config.lint.reason, "checks": [dataclasses.asdict(finding) for finding in found]}
    with Outputs(folder) as outputs:
        outputs.path(FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def show(found: Iterable[Finding]) -> None:
    """Print a line a check."""
    console = Console(soft_wrap=True, highlight=False)
    for finding in found:
        console.print(Text.assemble((f"{finding.outcome:<8}", _COLOURS[finding.outcome]), (f"{finding.name}: ", "bold"), finding.message))


def _allowed(finding: Finding, config: StudyConfig) -> Finding:
    if finding.outcome != "failed" or finding.name not in config.lint.allow:
        return finding
    return dataclasses.replace(finding, outcome="allowed", message=f"{finding.message} Let pass: {config.lint.reason.strip()}")
