"""Table 1: who is in which split. One column a split, small cells suppressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from hfrisk.evaluate.ecgs import TABULAR
from hfrisk.evaluate.numbers import cell
from hfrisk.records import MEASUREMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABBREVIATIONS = {"af", "bmi", "ckd", "copd", "egfr"}
SPLITS = ("train", "validation", "test")


def table_one(frame: pl.DataFrame, smallest: int) -> list[dict[str, Any]]:
    """Describe every split.

    Args:
        frame: Described ECGs.
        smallest: Counts from 1 to below this are None.

    Returns:
        Rows of `section`, `name`, `kind` and, under each split, what the kind says: `count` a count; `share` a count and of how many it
        is known; `quantiles` median, quartiles and of how many. A row counts ECGs unless its name says persons.
    """
    return list(_rows(frame, smallest))


def _rows(frame: pl.DataFrame, smallest: int) -> Iterator[dict[str, Any]]:
    splits = {name: frame.filter(pl.col("split") == name) for name in SPLITS}

    def row(section: str, name: str, kind: str, **of_split: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"section": section, "name": name, "kind": kind, **of_split}

    yield row("", "ECGs", "count", **{name: part.height for name, part in splits.items()})
    yield row("", "Persons", "count", **{name: part["person_id"].n_unique() for name, part in splits.items()})
    yield row("", "ECGs with the outcome", "share", **{name: _share(part["y"] == 1, smallest) for name, part in splits.items()})
    if frame["age_years"].null_count() < frame.height:
        yield row("Persons", "Age, years", "quantiles", **{name: _quantiles(part["age_years"], smallest) for name, part in splits.items()})
    if frame["sex"].null_count() < frame.height:
        yield row("Persons", "Female", "share", **{name: _share(part["sex"] == "female", smallest) for name, part in splits.items()})
    for column in (name for name in frame.columns if name.startswith(TABULAR)):
        name = column.removeprefix(TABULAR)
        if name in {"age", "age_years", "sex"} and frame["age_years"].null_count() < frame.height:
            continue
        if set(frame[column].drop_nulls().unique()) <= {0.0, 1.0}:
            yield row(
                "Comorbidities", _title(name), "share", **{split: _share(part[column] == 1, smallest) for split, part in splits.items()}
            )
        else:
            yield row(
                "Comorbidities", _title(name), "quantiles", **{split: _quantiles(part[column], smallest) for split, part in splits.items()}
            )
    for column in (name for name in MEASUREMENTS if name in frame.columns):
        if frame[column].null_count() < frame.height:
            yield row(
                "ECG machine", _measurement(column), "quantiles", **{s: _quantiles(part[column], smallest) for s, part in splits.items()}
            )


def _share(flags: pl.Series, smallest: int) -> dict[str, int | None]:
    """How many of how many; None where either they or the others are few."""
    known = flags.drop_nulls()
    shown = cell(int(known.sum()), smallest)
    others = cell(known.len() - int(known.sum()), smallest)
    return {"num": shown if others is not None else None, "of": known.len()}


def _quantiles(values: pl.Series, smallest: int) -> dict[str, float | int | None]:
    known = values.drop_nulls()
    if known.len() < smallest:
        return {"median": None, "low": None, "high": None, "of": cell(known.len(), smallest)}
    low, median, high = (known.quantile(share, interpolation="linear") for share in (0.25, 0.5, 0.75))
    return {"median": median, "low": low, "high": high, "of": known.len()}


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return words.upper() if name in _ABBREVIATIONS else words[:1].upper() + words[1:]


def _measurement(name: str) -> str:
    """`qrs_duration_ms` as `QRS duration, ms`."""
    units = {"bpm": "/min", "ms": "ms", "deg": "degrees"}
    *words, unit = name.split("_")
    capitals = {"pr": "PR", "qrs": "QRS", "qt": "QT", "qtc": "QTc", "p": "P", "r": "R", "t": "T"}
    text = " ".join(capitals.get(word, word) for word in words)
    return f"{text[:1].upper()}{text[1:]}, {units[unit]}"
