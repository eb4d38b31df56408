"""Simple models on what is known without reading the signal: what a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from hfrisk import metrics
from hfrisk.evaluate.ecgs import DEMOGRAPHIC, TABULAR
from hfrisk.records import MEASUREMENTS
from hfrisk.tabular import FeatureStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hfrisk.metrics import Floats

_FEWEST_EVENTS = 5


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple model.

    Attributes:
        name: How the report calls it.
        kind: `logistic` or `boosting`.
        inputs: `demographic`, `tabular`, `measurements` or `both`; age and sex are always among them.
    """

    name: str
    kind: str
    inputs: str


BASELINES = (
    Baseline("Age and sex, logistic", "logistic", "demographic"),
    Baseline("Tabular, logistic", "logistic", "tabular"),
    Baseline("ECG measurements, logistic", "logistic", "measurements"),
    Baseline("Tabular + ECG measurements, logistic", "logistic", "both"),
    Baseline("Tabular + ECG measurements, gradient boosting", "boosting", "both"),
)


def available(frame: pl.DataFrame) -> list[Baseline]:
    """The baselines whose features this study has, in order of what they need."""
    has_tabular = any(name.startswith(TABULAR) for name in frame.columns)
    has_measurements = any(name in frame.columns for name in MEASUREMENTS)
    known = {"demographic": True, "tabular": has_tabular, "measurements": has_measurements, "both": has_tabular and has_measurements}
    return [baseline for baseline in BASELINES if known[baseline.inputs] and _features(frame, baseline)]


def strongest(frame: pl.DataFrame) -> Baseline | None:
    """The boosted baseline, on all features that the study has; None where it has none."""
    inputs = [baseline.inputs for baseline in available(frame)]
    return Baseline("Gradient boosting", "boosting", inputs[-1]) if inputs else None


def fit_and_predict(
    baseline: Baseline, train: pl.DataFrame, test: pl.DataFrame, *, seed: int, y: NDArray[np.int8] | None = None
) -> Floats | None:
    """Fit on the training split and give the logits of the test split.

    Args:
        baseline: Which model.
        train: Described ECGs to fit on.
        test: Described ECGs to predict.
        seed: Of the boosting.
        y: Labels to fit in place of the training split's own.

    Returns:
        Logits, (N,); None where the training split has too few of a class to fit anything.
    """
    labels = train["y"].to_numpy() if y is None else y
    if min(labels.sum(), labels.size - labels.sum()) < _FEWEST_EVENTS:
        return None
    names = _features(train, baseline)
    raw, raw_test = (frame.select(pl.col(names).cast(pl.Float64)).to_numpy() for frame in (train, test))
    if baseline.kind == "boosting":
        boosting = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=100, max_leaf_nodes=15, l2_regularization=1.0, random_state=seed
        )
        return metrics.logit_of(boosting.fit(raw, labels).predict_proba(raw_test)[:, 1])
    statistics = FeatureStatistics.fit(raw, names)
    encoded, encoded_test = (statistics.encode(values).astype(np.float64) for values in (raw, raw_test))
    logits: Floats = LogisticRegression(max_iter=2000).fit(encoded, labels).decision_function(encoded_test)
    return logits


def _features(frame: pl.DataFrame, baseline: Baseline) -> Sequence[str]:
    """Columns that a baseline reads: those that vary and are known for somebody; without its tabular age twice."""
    names = [name for name in DEMOGRAPHIC if name in frame.columns]
    if baseline.inputs in {"tabular", "both"}:
        names += [name for name in frame.columns if name.startswith(TABULAR)]
    if baseline.inputs in {"measurements", "both"}:
        names += [name for name in MEASUREMENTS if name in frame.columns]
    return [name for name in names if frame[name].n_unique() > 1]
