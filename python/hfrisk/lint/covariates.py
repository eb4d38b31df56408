"""Checks of what is learnt beside the ECG."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hfrisk import metrics
from hfrisk.lint.finding import Finding
from hfrisk.omop.covariates import banned
from hfrisk.run_folder import sha256_of
from hfrisk.tabular import FeatureStatistics, feature_names, join_tabular

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from hfrisk.config import StudyConfig

_OUTCOME = re.compile(r"outcome|(^|_)(label|target|y)(_|$)", re.IGNORECASE)
_NUM_SHUFFLES = 5
_FEWEST_OF_A_CLASS = 10
_NUM_NAMED = 3


def check_covariates(
    frame: pl.DataFrame, table: pl.DataFrame | None, config: StudyConfig, *, statistics: FeatureStatistics | None = None
) -> Iterator[Finding]:
    """Check the tabular features of a study.

    Args:
        frame: cohort.parquet.
        table: As `read_tabular` gives it; None where the study has none.
        config: The study.
        statistics: Those that a training uses; None looks at none.
    """
    names = ("covariate_not_dated", "covariate_is_outcome", "covariate_tells_outcome", "statistics_from_elsewhere", "permuted_label")
    if table is None:
        for name in names:
            yield Finding(name, "not run", "the study has no tabular file")
        return
    used = frame.drop_nulls("y")
    train, validation = (used.filter(used["split"] == split) for split in ("train", "validation"))
    features = feature_names(table)
    yield _dated(table, config)
    yield _named(features)
    values = join_tabular(train, table, names=features)
    y = train["y"].to_numpy().astype(np.float64)
    yield _single(values, y, features, config.lint.max_covariate_auroc)
    yield _statistics(values, features, statistics)
    yield permuted_label(
        values, y, join_tabular(validation, table, names=features), validation["y"].to_numpy(), config.lint.max_permuted_auroc
    )


def permuted_label(
    train: NDArray[np.float64], y: NDArray[np.float64], test: NDArray[np.float64], y_test: NDArray[np.generic], limit: float
) -> Finding:
    """Teach a logistic regression shuffled labels; what it can still tell on the other split was leaked.

    Args:
        train: Features, (N, F), NaN for missing.
        y: Their outcomes.
        test: Features of the other split.
        y_test: Their outcomes.
        limit: AUROC that shuffled labels may reach; a small split is given the room that chance takes.
    """
    counts = [int((labels == value).sum()) for labels in (y, y_test) for value in (0, 1)]
    if min(counts) < _FEWEST_OF_A_CLASS:
        return Finding("permuted_label", "not run", "a split has fewer than 10 ECGs of one class")
    generator = np.random.default_rng(0)
    means = np.nanmean(np.where(np.isfinite(train).any(axis=0), train, 0.0), axis=0)
    filled = [np.where(np.isfinite(values), values, means) for values in (train, test)]
    reached = []
    for _ in range(_NUM_SHUFFLES):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        model.fit(filled[0], generator.permutation(y))
        reached.append(metrics.auroc(y_test, model.decision_function(filled[1])))
    mean = float(np.mean(reached))
    # Of a useless score, with the standard deviation of Mann and Whitney's statistic.
    chance = 3 * np.sqrt((sum(counts[2:]) + 1) / (12 * counts[2] * counts[3]) / _NUM_SHUFFLES)
    message = f"taught shuffled labels, the tabular features reach an AUROC of {mean:.3f} on validation"
    if mean > max(limit, 0.5 + chance):
        return Finding("permuted_label", "failed", f"{message}, above {max(limit, 0.5 + chance):.2f}")
    return Finding("permuted_label", "passed", message)


def _dated(table: pl.DataFrame, config: StudyConfig) -> Finding:
    name = "covariate_not_dated"
    said = config.paths.tabular.parent / "covariates.json" if config.paths.tabular is not None else None
    if "person_id" in table.columns and not {"row", "ecg_file"} & set(table.columns):
        return Finding(
            name,
            "warning",
            "the tabular file has one row a person, so a disease that was found after an ECG counts as known before it; "
            "`hfrisk covariates` builds a row an ECG",
        )
    if said is None or not said.is_file():
        return Finding(name, "warning", "the tabular file is by ECG, and no covariates.json beside it says how its features are dated")
    try:
        built = json.loads(said.read_text(encoding="utf-8"))["sha256"]
    except (ValueError, LookupError, TypeError):
        return Finding(name, "failed", "covariates.json beside the tabular file is damaged; run `hfrisk covariates` again")
    if config.paths.tabular is not None and built != sha256_of(config.paths.tabular):
        return Finding(name, "failed", "the tabular file is not the one that covariates.json tells of, so nobody knows how it is dated")
    return Finding(name, "passed", "the features were built from what was recorded strictly before each ECG")


def _named(features: list[str]) -> Finding:
    name = "covariate_is_outcome"
    # Scores that say so in their names are built without heart failure.
    spoken = {re.sub(r"_no_c(hf)?$", "", feature): feature for feature in features}
    found = [(spoken[alias], group) for alias, (group, _) in banned(spoken).items()]
    found += [(feature, "the outcome") for feature in features if _OUTCOME.search(feature)]
    if found:
        named = ", ".join(f"`{feature}` ({why.replace('_', ' ')})" for feature, why in found[:_NUM_NAMED])
        more = f" and {len(found) - _NUM_NAMED} more" if len(found) > _NUM_NAMED else ""
        return Finding(name, "failed", f"by their names these are the label in disguise: {named}{more}; leave them out")
    return Finding(name, "passed", f"none of {len(features)} names is on the list")


def _single(values: NDArray[np.float64], y: NDArray[np.float64], features: list[str], limit: float) -> Finding:
    name = "covariate_tells_outcome"
    if min((y == 0).sum(), (y == 1).sum()) == 0:
        return Finding(name, "not run", "the training split has one class only")
    best, which = 0.0, ""
    for feature, column in zip(features, values.T, strict=True):
        present = np.isfinite(column)
        # A value that is missing tells something too: it stands apart, below and then above all others.
        for missing in (-1e30, 1e30):
            area = metrics.auroc(y, np.where(present, column, missing))
            if max(area, 1 - area) > best:
                best, which = max(area, 1 - area), feature
    if best > limit:
        return Finding(name, "failed", f"`{which}` alone reaches an AUROC of {best:.3f} on the training split, so it is the outcome")
    return Finding(name, "passed", f"the best single feature, `{which}`, reaches an AUROC of {best:.3f} on the training split")


def _statistics(values: NDArray[np.float64], features: list[str], statistics: FeatureStatistics | None) -> Finding:
    name = "statistics_from_elsewhere"
    if statistics is None:
        return Finding(name, "not run", "nothing is trained yet")
    expected = FeatureStatistics.fit(values, features)
    if list(statistics.names) != features:
        return Finding(name, "failed", "the model standardises other features than the tabular file has")
    same = np.allclose(statistics.means, expected.means, rtol=1e-6) and np.allclose(statistics.stds, expected.stds, rtol=1e-6)
    if not same:
        return Finding(name, "failed", "means and deviations of the features are not those of the training split")
    return Finding(name, "passed", "means and deviations of the features are those of the training split")
