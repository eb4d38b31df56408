"""The two tables that are compared, from wherever they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.config import load_config
from hfrisk.errors import DataError
from hfrisk.records import FLAGS, read_records

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("risk", "acquired_at", "flags", "rejection", "y")
"""What a comparison uses; all but `risk` may be null throughout, where it is not known."""


def read_predictions(path: Path) -> pl.DataFrame:
    """Read predictions for a comparison.

    Args:
        path: What `hfrisk predict` wrote (.csv or .parquet), with a column `y` added where outcomes are known by now; or the folder of an
            evaluated run, whose test split is taken with the outcomes, dates and flags that belong to it.

    Returns:
        `risk` (Float64, null for a rejected file), `acquired_at` (Datetime), `flags` (names, separated by spaces; null where unknown),
        `rejection` (String), `y` (Int8).

    Raises:
        DataError: There is no such table, it lacks `risk`, or a risk lies outside 0 to 1.
    """
    table = _of_run(path) if path.is_dir() else _of_file(path)
    if "risk" not in table.columns:
        raise DataError(f"`{path}` has no column `risk`", hint="give what `hfrisk predict` wrote, or the folder of an evaluated run")
    types = {"risk": pl.Float64, "flags": pl.String, "rejection": pl.String, "y": pl.Int8}
    missing = [pl.lit(None).alias(name) for name in COLUMNS if name not in table.columns]
    table = table.with_columns(missing).with_columns(_dates(table), *(pl.col(name).cast(type_) for name, type_ in types.items()))
    risks = table["risk"].drop_nulls()
    if risks.is_empty():
        raise DataError(f"`{path}` holds no risk", hint="every file of it was rejected; look at the column `rejection`")
    if not risks.is_between(0, 1).all():
        raise DataError(f"`{path}`: a risk lies outside 0 to 1", hint="the column `risk` holds probabilities, not logits")
    return table.select(COLUMNS)


def _dates(table: pl.DataFrame) -> pl.Expr:
    if table.schema.get("acquired_at") == pl.String:
        return pl.col("acquired_at").str.to_datetime(time_unit="ms", strict=False)
    return pl.col("acquired_at").cast(pl.Datetime("ms"))


def _of_file(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    except FileNotFoundError:
        raise DataError(f"no predictions at `{path}`", hint="`hfrisk predict MODEL SOURCE --out predictions.csv` writes them") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"`{path}` is no table of predictions: {str(error).splitlines()[0]}", hint="give a .csv or .parquet file") from None


def _of_run(folder: Path) -> pl.DataFrame:
    predictions = folder / "predictions.parquet"
    if not predictions.is_file():
        raise DataError(f"no predictions in `{folder}`", hint="evaluate the run first: `hfrisk evaluate RUN`")
    records = read_records(load_config(folder / "config.toml").paths.store)
    named = pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in FLAGS).list.drop_nulls().list.join(" ")
    test = pl.read_parquet(predictions).filter(pl.col("split") == "test").select("row", "risk", "y")
    return test.join(records.select("row", "acquired_at", flags=named), on="row", how="left", maintain_order="left")
