"""`hfrisk predict MODEL SOURCE...`: one row of risk for every file, straight from XML, zip archives, or a store.

Files pass through the same conversion as for training, into a temporary store beside the output, so what a model sees does not depend on
the way by which a recording came, and memory stays bounded whatever their number.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import hfrisk
from hfrisk.convert import convert
from hfrisk.errors import ConfigError, DataError
from hfrisk.outputs import Outputs
from hfrisk.predict.predictor import Predictor
from hfrisk.records import FLAGS, read_rejected
from hfrisk.registry import read_registry
from hfrisk.tabular import read_tabular

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hfrisk.store import EcgStore

TEMPORARY = ".hfrisk-predict-"
"""How the folder of a prediction under way begins; `hfrisk doctor` looks for left ones."""
COLUMNS = ("source", "ecg_file", "person_id", "acquired_at", "risk", "flags", "rejection")


def run(
    model: Path,
    sources: Sequence[Path],
    output: Path,
    *,
    tabular: Path | None = None,
    registry: Path | None = None,
    device: str = "auto",
    num_threads: int = 0,
) -> pl.DataFrame:
    """Predict every recording of the sources and write one row a file.

    Args:
        model: A `hf_risk_model.pth`.
        sources: A store that `hfrisk-convert` wrote; or whatever `hfrisk-convert` takes.
        output: Table to write, .csv or .parquet: `source`, `ecg_file`, `person_id` (null where unknown), `acquired_at`, `risk` (null for a
            rejected file), `flags` (names, separated by spaces), `rejection` (kind, null where there is a risk).
        tabular: CSV with `person_id` or `ecg_file` and the features that the model was trained on.
        registry: Folder of metadata files, which say whose an ECG is.
        device: `auto` takes CUDA when there is one.
        num_threads: Threads that convert and decode; 0 takes one a core.

    Returns:
        The table as written.

    Raises:
        ConfigError: The output has another ending, or the model needs a table that is not given.
        DataError: The model or the table does not fit, or no file is a recording.
        StoreError: The sources cannot be listed or read.
    """
    if output.suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"`{output}`: no table format `{output.suffix}`", hint="end the name in .csv or .parquet")
    predictor = Predictor.load(model, device=device)
    table = None if tabular is None else read_tabular(tabular)
    predictor.require_table(table)
    if table is not None and not {"row", "ecg_file"} & set(table.columns) and registry is None:
        raise ConfigError(
            f"`{tabular}` is by person, and nothing says whose the ECGs are",
            hint="name the metadata files with `--registry FOLDER`, or give a table with a column `ecg_file`",
        )
    if table is not None and not _is_store(sources):
        # Rows are those of the store that the table was made for, and these files are none of it.
        if {"row", "ecg_file"} & set(table.columns) == {"row"}:
            raise ConfigError(
                f"`{tabular}` is by row of a store, and the sources are files", hint="give a table with a column `ecg_file`, or the store"
            )
        table = table.drop("row", strict=False)
    owners = None if registry is None else read_registry(registry)
    output.parent.mkdir(parents=True, exist_ok=True)
    with _as_store(sources, output.parent, num_threads) as store:
        predicted = _predict(predictor, store, table, owners)
    with Outputs(output.parent) as outputs:
        if output.suffix == ".csv":
            predicted.write_csv(outputs.path(output.name))
        else:
            predicted.write_parquet(outputs.path(output.name))
    return predicted


def _predict(predictor: Predictor, store: EcgStore, table: pl.DataFrame | None, owners: pl.DataFrame | None) -> pl.DataFrame:
    records = store.records
    if records.is_empty():
        raise DataError("none of the files is a recording", hint="look at one with `hfrisk plot FILE.xml`, which says what is wrong")
    if owners is None:
        records = records.with_columns(person_id=pl.lit(None, dtype=pl.String))
    else:
        records = records.join(owners.select("ecg_file", "person_id"), on="ecg_file", how="left", maintain_order="left", validate="m:1")
    frame = records.select("row", "ecg_file", "person_id")
    named = pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in FLAGS).list.drop_nulls().list.join(" ")
    predicted = records.select(
        "source",
        "ecg_file",
        pl.col("person_id").cast(pl.String),
        "acquired_at",
        pl.Series("risk", predictor.of_store(store, frame, table)),
        flags=named,
        rejection=pl.lit(None, dtype=pl.String),
    )
    rejected = read_rejected(store.path).select("source", "ecg_file", rejection="kind")
    return pl.concat([predicted, rejected], how="diagonal").select(COLUMNS).sort("source", maintain_order=True)


def _is_store(sources: Sequence[Path]) -> bool:
    return len(sources) == 1 and ((sources[0] / "ecg.zarr").is_dir() or sources[0].name == "ecg.zarr")


@contextlib.contextmanager
def _as_store(sources: Sequence[Path], workplace: Path, num_threads: int) -> Iterator[EcgStore]:
    """Open the one source that is a store, or convert the sources to a temporary one."""
    if _is_store(sources):
        yield hfrisk.open(sources[0], num_threads=num_threads)
        return
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=workplace))
    try:
        with _sigterm_as_exit():
            summary = convert(list(sources), folder / "store", num_threads=num_threads)
            if summary.num_rejected:
                print(f"note: {summary.num_rejected:,} of {summary.num_files:,} files are no recordings; see `rejection`", file=sys.stderr)
            yield hfrisk.open(folder / "store", num_threads=num_threads)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind, so that the temporary store goes; outside the main thread it cannot be caught and stays as it is."""
    try:
        before: Any = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
