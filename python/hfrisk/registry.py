"""The ECG registry: one metadata file a year, `*.csv.csv`, that says whose each ECG file is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from hfrisk import person_id
from hfrisk.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

PATTERN = "*.csv.csv"
PERSON_COLUMN = "nid"
PATH_COLUMN = "nstri_path"
# In this order: a byte order mark is no part of the first column's name, and UTF-8 is tried first because text in cp949 is hardly ever
# valid UTF-8, while the reverse is common.
ENCODINGS = ("utf-8-sig", "cp949")


def read_registry(folder: str | Path, *, columns: Sequence[str] = ()) -> pl.DataFrame:
    """Read every `*.csv.csv` of a folder.

    Rows without a person or without a path name no one's ECG and are left out; the cohort counts the recordings that this leaves unowned.

    Args:
        folder: Where they are.
        columns: Further columns to take as text, such as the department; of those that no file has there is none in the result.

    Returns:
        `ecg_file` (String, the last part of `nstri_path`, in whatever style the path is written) and `person_id` (Int64 when every `nid`
        is a whole number, else String), one row a file, in the order of the files' names and rows.

    Raises:
        DataError: No metadata file, one that cannot be decoded or lacks a column, or one ECG file under two persons.
    """
    paths = metadata_files(folder)
    table = pl.concat([_read_file(path, columns) for path in paths], how="diagonal").drop_nulls(["ecg_file", "person_id"])
    table = table.with_columns(person_id.canonical(table["person_id"])).unique(["ecg_file", "person_id"], keep="first", maintain_order=True)
    num_disputed = table.filter(pl.col("ecg_file").is_duplicated())["ecg_file"].n_unique()
    if num_disputed:
        raise DataError(
            f"{num_disputed:,} of the ECG files in `{folder}` are listed under two persons or more",
            hint="an ECG has one owner: correct or remove the rows that repeat a file name, in a copy of the folder",
        )
    if table.is_empty():
        raise DataError(
            f"the metadata files in `{folder}` list no ECG that has both `{PERSON_COLUMN}` and `{PATH_COLUMN}`",
            hint="look at one of them: are the two columns filled?",
        )
    return table


def metadata_files(folder: str | Path) -> list[Path]:
    """The metadata files of a folder, sorted by name.

    Raises:
        DataError: The folder does not exist, cannot be read, or holds none.
    """
    folder = Path(folder)
    hint = "set `paths.registry` to the folder of the yearly metadata files, `ECG_Metafile`"
    try:
        names = sorted(path for path in folder.iterdir() if path.match(PATTERN) and not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot read the registry folder `{folder}`: {error.strerror}", hint=hint) from None
    if not names:
        raise DataError(f"no `{PATTERN}` file in `{folder}`", hint=hint)
    return names


def _read_file(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    text = _decode(path)
    try:
        table = pl.read_csv(io.StringIO(text), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"`{path}` is not a CSV table: {reason}", hint="open it and compare its rows with its header") from None
    table = table.rename({name: name.strip() for name in table.columns})
    for column in (PERSON_COLUMN, PATH_COLUMN):
        if column not in table.columns:
            present = ", ".join(f"`{name}`" for name in table.columns)
            raise DataError(f"`{path}` has no column `{column}`", hint=f"its columns are {present}")
    basename = pl.col(PATH_COLUMN).str.strip_chars().str.replace_all("\\", "/", literal=True).str.split("/").list.last()
    return table.select(
        ecg_file=pl.when(basename != "").then(basename),
        person_id=pl.col(PERSON_COLUMN).str.strip_chars(),
        **{name: pl.col(name) for name in columns if name in table.columns},
    )


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read `{path}`: {error.strerror}", hint="check its permissions") from None
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"`{path}` is neither UTF-8 nor cp949", hint="save it as UTF-8 in a copy of the folder")
