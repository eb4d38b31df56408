"""Gather what is trained on: the cohort's splits, the encoded comorbidities and the store, each checked before the first step."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

import hfrisk
from hfrisk.batches import Examples
from hfrisk.errors import DataError
from hfrisk.predict import make_examples
from hfrisk.run_folder import sha256_of
from hfrisk.tabular import FeatureStatistics, feature_names, join_tabular, read_tabular

if TYPE_CHECKING:
    from pathlib import Path

    from hfrisk.config import StudyConfig
    from hfrisk.store import EcgStore

_COLUMNS = ("row", "person_id", "y", "split")


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Two splits and where their signals are.

    Attributes:
        store: The signals; None where the model reads none.
        train: Training split.
        validation: Validation split.
        statistics: Of the tabular features, from the training split; None where there are none.
        fingerprints: SHA-256 of cohort.parquet, of the store's zarr.json and of the tabular file.
    """

    store: EcgStore | None
    train: Examples
    validation: Examples
    statistics: FeatureStatistics | None
    fingerprints: dict[str, str | None]

    @property
    def prevalence(self) -> float:
        """Share of positives in the training split."""
        return float(self.train.y.mean())


def share_of(examples: Examples, rank: int, size: int) -> Examples:
    """Take every `size`-th example, beginning with number `rank`."""
    tabular = None if examples.tabular is None else examples.tabular[rank::size]
    return Examples(examples.rows[rank::size], examples.y[rank::size], tabular)


def load_training_data(config: StudyConfig, *, num_sharing: int = 1) -> TrainingData:
    """Read cohort.parquet and the tabular file, and open the store.

    Args:
        config: The study.
        num_sharing: Processes that decode on this machine's cores.

    Raises:
        DataError: A file is missing or does not fit the others, or a split lacks one of the classes.
        StoreError: The store cannot be opened.
    """
    path = config.paths.data / "cohort.parquet"
    cohort = _read_cohort(path)
    train = _split(cohort, "train", path)
    validation = _split(cohort, "validation", path)
    num_shared = train["person_id"].unique().is_in(validation["person_id"].unique().implode()).sum()
    if num_shared:
        raise DataError(f"{num_shared:,} persons are in the train and the validation split of `{path}`", hint="run `hfrisk cohort` again")
    table = read_tabular(config.paths.tabular) if config.paths.tabular is not None and config.model.inputs != "ecg" else None
    statistics = None
    if table is not None:
        names = feature_names(table)
        statistics = FeatureStatistics.fit(join_tabular(train, table, names=names), names)
    num_threads = config.train.num_threads
    if not num_threads and num_sharing > 1:
        num_threads = max(1, min(8, (os.cpu_count() or 1) // num_sharing))
    store = hfrisk.open(config.paths.store, num_threads=num_threads) if config.model.inputs != "tabular" else None
    return TrainingData(
        store=store,
        train=make_examples(train, table, statistics),
        validation=make_examples(validation, table, statistics),
        statistics=statistics,
        fingerprints={
            "cohort": sha256_of(path),
            "store": sha256_of(store.signals_path / "zarr.json") if store is not None else None,
            "tabular": sha256_of(config.paths.tabular) if table is not None and config.paths.tabular is not None else None,
        },
    )


def _read_cohort(path: Path) -> pl.DataFrame:
    try:
        cohort = pl.read_parquet(path)
    except FileNotFoundError:
        raise DataError(f"no cohort at `{path}`", hint="run `hfrisk cohort` first") from None
    except pl.exceptions.PolarsError:
        raise DataError(f"`{path}` is not a Parquet file", hint="run `hfrisk cohort` again") from None
    absent = [name for name in _COLUMNS if name not in cohort.columns]
    if absent:
        raise DataError(f"`{path}` lacks the columns {', '.join(absent)}", hint="run `hfrisk cohort` again")
    return cohort.filter(pl.col("y").is_not_null())


def _split(cohort: pl.DataFrame, name: str, path: Path) -> pl.DataFrame:
    part = cohort.filter(pl.col("split") == name)
    num_positive = part.filter(pl.col("y") == 1).height
    if 0 < num_positive < part.height:
        return part
    lacking = "positives" if num_positive == 0 else "negatives"
    raise DataError(
        f"the {name} split of `{path}` has no {lacking}: {num_positive:,} positive of {part.height:,} labelled ECGs",
        hint="check the counts in attrition.csv, choose larger fractions or another seed in `[split]`, and run `hfrisk cohort` again",
    )
