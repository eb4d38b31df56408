"""Other models on the same ECGs: networks of one input, baselines, and one that was taught nonsense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from hfrisk import metrics
from hfrisk.cohort.shuffle import shuffle_labels
from hfrisk.evaluate import baselines
from hfrisk.evaluate.inputs import MODEL_FILE, inputs_of, load_run_config
from hfrisk.evaluate.numbers import count, plain, plain_estimate

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import StudyConfig
    from hfrisk.metrics import Bootstrap, Floats

ABLATIONS = {"ecg": "ECG only, network", "tabular": "Tabular only, network"}
"""Networks of one input: folder below `RUN/ablations`, and name in the report."""
_WITHOUT: tuple[tuple[Literal["ecg", "tabular"], str, str], ...] = (
    ("tabular", "ecg", "This model, tabular features missing"),
    ("ecg", "tabular", "This model, ECG missing"),
)
PERMUTED = "permuted"
_COMPARED = ("auroc", "auprc", "brier", "brier_skill")
_PERMUTED_LIMIT = 0.6
_LATE_SHARE = 0.8
"""Of the training ECGs lie before the date from which the temporal hold-out begins."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A model beside the one that is evaluated.

    Attributes:
        name: As the report calls it.
        kind: `network`, `logistic` or `boosting`.
        inputs: What it reads.
        logit: (N,) of the test ECGs.
    """

    name: str
    kind: str
    inputs: str
    logit: Floats


def contenders(run_folder: Path, config: StudyConfig, train: pl.DataFrame, test: pl.DataFrame) -> list[Contender]:
    """Predict the test ECGs with every other model that can be had.

    Args:
        run_folder: `ablations/NAME` below it hold networks of one input, where they were trained.
        config: Of the run; a model trained with modality drop-out is asked again with one input missing.
        train: Described ECGs of the training split.
        test: Described ECGs of the test split.
    """
    found = []
    if config.model.modality_dropout > 0 and inputs_of(config) == "both":
        from hfrisk.predict import predict_logits  # noqa: PLC0415 - torch takes seconds, and is not always needed

        for left_out, rest, title in _WITHOUT:
            logit = np.asarray(predict_logits(run_folder / MODEL_FILE, config, test, leave_out=left_out), dtype=np.float64)
            found.append(Contender(title, "network", rest, logit))
    for name, title in ABLATIONS.items():
        folder = run_folder / "ablations" / name
        if (folder / MODEL_FILE).is_file():
            from hfrisk.predict import predict_logits  # noqa: PLC0415 - torch takes seconds, and is not always needed

            logit = np.asarray(predict_logits(folder / MODEL_FILE, load_run_config(folder), test), dtype=np.float64)
            found.append(Contender(title, "network", name, logit))
    for baseline in baselines.available(train):
        fitted = baselines.fit_and_predict(baseline, train, test, seed=config.evaluate.seed)
        if fitted is not None:
            found.append(Contender(baseline.name, baseline.kind, baseline.inputs, fitted))
    return found


def permuted(train: pl.DataFrame, test: pl.DataFrame, *, seed: int) -> tuple[Floats, Floats] | None:
    """Teach the boosted baseline shuffled labels; whatever it still finds of them in the test ECGs is a leak.

    Returns:
        Shuffled labels and logits of the test ECGs, (N,) each; None without features, or where one class is missing after the shuffle.
    """
    baseline = baselines.strongest(train)
    if baseline is None:
        return None
    shuffled = shuffle_labels(pl.concat([part.select("person_id", "y") for part in (train, test)]), seed=seed).to_numpy()
    taught, expected = shuffled[: train.height], shuffled[train.height :]
    logit = baselines.fit_and_predict(baseline, train, test, seed=seed, y=taught)
    return None if logit is None or expected.min() == expected.max() else (expected.astype(np.float64), logit)


def compare(found: list[Contender], drawn: Bootstrap) -> list[dict[str, Any]]:
    """Every contender's numbers, and how much better (above 0) or worse the evaluated model is, on the same resamples."""
    return [
        {"name": one.name, "kind": one.kind, "inputs": one.inputs}
        | {"metrics": {name: plain_estimate(drawn.estimates(one.name)[name]) for name in _COMPARED}}
        | {"difference": {name: plain_estimate(drawn.difference("ecg", one.name, name)) for name in _COMPARED}}
        for one in found
    ]


def judge_permuted(drawn: Bootstrap) -> dict[str, Any]:
    """Whether shuffled labels taught nothing, as they must."""
    area = drawn.estimates(PERMUTED)["auroc"]
    passed = not (area.value > _PERMUTED_LIMIT and area.low > 0.5)  # noqa: PLR2004 - chance
    return {"auroc": plain_estimate(area), "limit": _PERMUTED_LIMIT, "passed": passed}


def temporal(train: pl.DataFrame, test: pl.DataFrame, logit: Floats, *, smallest: int, num_resamples: int, seed: int) -> dict[str, Any]:
    """Hold out time besides persons: learn before a date, test after it.

    The boosted baseline is fitted to early ECGs alone, and beside it to all; the network, which was trained on the whole period, is shown
    on the late ECGs as it is.

    Returns:
        The date, counts and AUROCs; only `reason` where the cohort does not allow it.
    """
    if "index_date" not in train.columns or train["index_date"].null_count() == train.height:
        return {"reason": "the ECGs have no dates"}
    cutoff = train["index_date"].drop_nulls().sort()[int(_LATE_SHARE * (train["index_date"].len() - train["index_date"].null_count() - 1))]
    early = train.filter(pl.col("index_date") < cutoff)
    is_late = (test["index_date"] >= cutoff).fill_null(value=False)
    late = test.filter(is_late)
    if min(late["y"].sum(), late.height - late["y"].sum()) < smallest:
        return {"reason": f"under {smallest} test ECGs of one class lie after {cutoff}"}
    y, chosen = late["y"].to_numpy(), is_late.to_numpy()
    statistics = {"This model (trained on the whole period)": metrics.RiskStatistics(y, logit[chosen], with_calibration=False)}
    baseline = baselines.strongest(train)
    if baseline is not None:
        for title, part in (("learned before", early), ("learned from the whole period", train)):
            fitted = baselines.fit_and_predict(baseline, part, late, seed=seed)
            if fitted is not None:
                statistics[f"Gradient boosting, {title}"] = metrics.RiskStatistics(y, fitted, with_calibration=False)
    drawn = metrics.bootstrap(statistics, late["person_id"].to_numpy(), num_resamples=num_resamples, seed=seed)
    rows = []
    for name in statistics:
        measured = plain(drawn.estimates(name))
        rows.append({"name": name} | {key: measured[key] for key in ("auroc", "auprc", "observed_to_expected")})
    return {"cutoff": str(cutoff), "num_early_ecgs": early.height, **count(late), "rows": rows}
