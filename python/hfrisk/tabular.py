"""Comorbidities: read the table, join it by person, standardise it with the training split's statistics.

A missing value becomes the mean (0 after standardising), and a column that has missing values in the training split gets an indicator
column beside it, so that the model can tell an average value from an unknown one.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from hfrisk.errors import DataError
from hfrisk.person_id import align

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_KEY = "person_id"
_ECG_KEYS = ("row", "ecg_file")
_OUTCOME = "hf_outcome"
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """How raw features become the network's: (value - mean) / std, then one indicator for each column in `indicators`.

    Attributes:
        names: Raw columns, in order.
        means: Mean over the training split, one a column.
        stds: Standard deviation over the training split; 1 where the column is constant.
        indicators: Columns that had missing values in the training split.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    indicators: tuple[str, ...]

    @classmethod
    def fit(cls, values: NDArray[np.float64], names: Sequence[str]) -> Self:
        """Measure the training split: (N, F) with NaN for missing."""
        present = np.isfinite(values)
        count = np.maximum(present.sum(axis=0), 1)
        means = np.where(present, values, 0.0).sum(axis=0) / count
        variances = np.square(np.where(present, values - means, 0.0)).sum(axis=0) / count
        stds = np.sqrt(variances)
        # A constant column has a deviation of rounding size; dividing by it would blow up the first other value.
        constant = stds <= 1e-9 * np.maximum(np.abs(means), 1.0)
        return cls(
            names=tuple(names),
            means=tuple(means.tolist()),
            stds=tuple(np.where(constant, 1.0, stds).tolist()),
            indicators=tuple(name for index, name in enumerate(names) if not present[:, index].all()),
        )

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        return cls(**{field.name: tuple(raw[field.name]) for field in dataclasses.fields(cls)})

    def to_dict(self) -> dict[str, list[Any]]:
        """Give plain lists, as a checkpoint stores them."""
        return {field.name: list(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @property
    def num_encoded(self) -> int:
        """Columns that `encode` gives."""
        return len(self.names) + len(self.indicators)

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Standardise (N, F) raw values; NaN is missing. Gives float32 (N, num_encoded)."""
        present = np.isfinite(values)
        scaled = np.where(present, (np.where(present, values, 0.0) - self.means) / self.stds, 0.0)
        flagged = [self.names.index(name) for name in self.indicators]
        return np.concatenate([scaled, ~present[:, flagged]], axis=1).astype(np.float32)


def read_tabular(path: Path) -> pl.DataFrame:
    """Read one row a person, or one row an ECG as `hfrisk covariates` writes it: CSV or Parquet, keys and numeric columns as Float64.

    A table with `row` or `ecg_file` is by ECG, any other by `person_id`. A column `hf_outcome` is left out with a note in the log.

    Raises:
        DataError: The file cannot be read, has no key or no features, holds a column that is not numeric, or names a person or an ECG
            twice with different values.
    """
    try:
        if path.suffix == ".parquet":
            raw = pl.read_parquet(path)
        else:
            raw = pl.read_csv(path, infer_schema_length=None, null_values=["", "NA", "NaN", "nan", "NULL", "null"])
    except FileNotFoundError:
        hint = "set `paths.tabular`, build it with `hfrisk covariates`, or leave it out to train on the ECG alone"
        raise DataError(f"no tabular file at `{path}`", hint=hint) from None
    except (pl.exceptions.PolarsError, OSError) as error:
        kind = "Parquet file" if path.suffix == ".parquet" else "CSV in UTF-8"
        raise DataError(f"`{path}` is not a {kind}: {str(error).splitlines()[0]}") from None
    keys = [name for name in _ECG_KEYS if name in raw.columns] or [_KEY]
    if not set(keys) <= set(raw.columns):
        raise DataError(f"`{path}` has no column `{_KEY}`", hint=f"its columns begin with {', '.join(raw.columns[:_MAX_NAMED])}")
    if _OUTCOME in raw.columns:
        _log.warning("note: `%s` in %s is the outcome, not a feature; it is ignored", _OUTCOME, path.name)
    features = raw.drop(_KEY, *_ECG_KEYS, _OUTCOME, strict=False)
    wrong = [column.name for column in features if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null))]
    if wrong:
        named = ", ".join(f"`{name}`" for name in wrong[:_MAX_NAMED]) + (
            f" and {len(wrong) - _MAX_NAMED} more" if len(wrong) > _MAX_NAMED else ""
        )
        raise DataError(f"`{path}`: not numeric: {named}", hint="encode these columns as numbers, or leave them out")
    if not features.width:
        raise DataError(f"`{path}` has no columns besides `{keys[0]}`", hint="leave `paths.tabular` out to train on the ECG alone")
    table = raw.select(*keys, pl.col(features.columns).cast(pl.Float64)).drop_nulls(keys).unique(maintain_order=True)
    num_repeated = table.height - table.select(keys).n_unique()
    if num_repeated:
        unit = "persons" if keys == [_KEY] else "ECGs"
        raise DataError(f"`{path}` names {num_repeated:,} {unit} more than once, with different values", hint=f"one row each of the {unit}")
    return table


def feature_names(table: pl.DataFrame) -> list[str]:
    """The features of a table that `read_tabular` gave, without its keys."""
    return [name for name in table.columns if name not in {_KEY, *_ECG_KEYS}]


def join_tabular(examples: pl.DataFrame | pl.Series, table: pl.DataFrame, *, names: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Look up the features of each example: of its person, by value whatever the type of the key, or of its ECG when the table is by ECG.

    Args:
        examples: Person of each example, (N,); or a frame with `person_id`, `row` and, where it is known, `ecg_file`, which goes before
            `row`, because rows are those of one store only.
        table: As `read_tabular` gives it.
        names: Columns to take, in order; all by default.

    Returns:
        Raw values, (N, F); NaN where the value or the person is missing.

    Raises:
        DataError: A named column is absent, or no person or ECG of the examples is in the table.
    """
    names = list(names) if names is not None else feature_names(table)
    absent = [name for name in names if name not in table.columns]
    if absent:
        named = ", ".join(f"`{name}`" for name in absent[:_MAX_NAMED])
        raise DataError(
            f"the tabular file lacks {len(absent)} of the {len(names)} features the model was trained on: {named}",
            hint="give the file with the same columns",
        )
    if _KEY not in table.columns:
        return _join_ecgs(examples, table, names)
    persons = examples if isinstance(examples, pl.Series) else examples[_KEY]
    left, right = align(pl.DataFrame({_KEY: persons}), table.select(_KEY, *names))
    right = right.filter(pl.col(_KEY).is_not_null())
    if right[_KEY].is_duplicated().any():
        raise DataError("the tabular file writes one person in several ways, as in `7` and `07`", hint="one row a person is expected")
    if left.height and not left[_KEY].is_in(right[_KEY].implode()).any():
        raise DataError(
            f"none of the {persons.n_unique():,} persons of the cohort is among the {table.height:,} of the tabular file",
            hint="do both use the same person identifiers?",
        )
    return left.join(right, on=_KEY, how="left", validate="m:1", maintain_order="left").select(names).to_numpy().astype(np.float64)


def _join_ecgs(examples: pl.DataFrame | pl.Series, table: pl.DataFrame, names: list[str]) -> NDArray[np.float64]:
    columns = set() if isinstance(examples, pl.Series) else set(examples.columns) & set(table.columns)
    usable = [key for key in ("ecg_file", "row") if key in columns and not table[key].is_duplicated().any()]
    if isinstance(examples, pl.Series) or not usable:
        raise DataError("the tabular file is by ECG, and nothing says which ECG an example is", hint="give a table by `person_id`")
    key = usable[0]
    left = examples.select(key if key == "ecg_file" else pl.col(key).cast(pl.Int64))
    right = table.select(key if key == "ecg_file" else pl.col(key).cast(pl.Int64), *names)
    if left.height and left.join(right, on=key, how="semi").is_empty():
        raise DataError(
            f"none of the {left.height:,} ECGs of the cohort is among the {table.height:,} of the tabular file",
            hint="does it belong to this store? `hfrisk covariates` builds it",
        )
    return left.join(right, on=key, how="left", validate="m:1", maintain_order="left").select(names).to_numpy().astype(np.float64)
