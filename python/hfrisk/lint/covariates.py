"""Checks of what is learnt beside the ECG."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from sklearn.ensemble import ExtraTreesClassifier

from hfrisk import metrics
from hfrisk.cohort.shuffle import shuffle_labels
from hfrisk.lint.finding import Finding
from hfrisk.omop.covariates import banned
from hfrisk.run_folder import sha256_of
from hfrisk.tabular import FeatureStatistics, feature_names, join_tabular

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    train = used.filter(pl.col("split") == "train")
    features = feature_names(table)
    yield _dated(table, config)
    yield _named(features)
    values = join_tabular(train, table, names=features)
    y = train["y"].to_numpy().astype(np.float64)
    yield _single(values, y, features, config.lint.max_covariate_auroc)
    yield _statistics(values, features, statistics)
    yield permuted_label(join_tabular(used, table, names=features), used, config.lint.max_permuted_auroc)


def permuted_label(values: NDArray[np.float64], used: pl.DataFrame, limit: float) -> Finding:
    """Teach randomised trees labels dealt out anew among persons; what they find again on validation comes from recognising persons.

    Args:
        values: Features of all labelled ECGs, (N, F), NaN for missing.
        used: Their `person_id`, `y` and `split`.
        limit: AUROC that shuffled labels may reach; a small split is given the room that chance takes.
    """
    is_train, is_validation = ((used["split"] == split).to_numpy() for split in ("train", "validation"))
    filled = np.nan_to_num(values, nan=-1e9, posinf=1e9, neginf=-1e9)
    reached, room = [], 0.0
    for seed in range(_NUM_SHUFFLES):
        y = shuffle_labels(used, seed=seed).to_numpy()
        counts = [int((y[part] == label).sum()) for part in (is_train, is_validation) for label in (0, 1)]
        if min(counts) < _FEWEST_OF_A_CLASS:
            return Finding("permuted_label", "not run", "a split has fewer than 10 ECGs of one class")
        model = ExtraTreesClassifier(n_estimators=50, random_state=seed)
        model.fit(filled[is_train], y[is_train])
        reached.append(metrics.auroc(y[is_validation], model.predict_proba(filled[is_validation])[:, 1]))
        num_persons = used.filter(pl.Series(is_validation))["person_id"].n_unique()
        share = counts[3] / (counts[2] + counts[3])
        # The standard deviation of a useless score, of as many independent ECGs as there are persons.
        room = 3 * float(np.sqrt((num_persons + 1) / (12 * num_persons**2 * share * (1 - share)) / _NUM_SHUFFLES))
    mean, bound = float(np.mean(reached)), max(limit, 0.5 + room)
    message = f"taught labels dealt out anew among persons, the tabular features find them again with an AUROC of {mean:.3f}"
    if mean > bound:
        return Finding("permuted_label", "failed", f"{message}, above {bound:.2f}: persons of the training split are in validation")
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
