"""The CSV files around the ECGs: the registry's metadata, a file a year, and the notebooks' table of comorbidities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.synthetic.concepts import COMORBIDITIES
from hfrisk.synthetic.seeds import Stream, generator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hfrisk.synthetic.files import EcgFile
    from hfrisk.synthetic.patients import Patient

# Departments in Korean, as the registry has them: cardiology, emergency medicine, internal medicine, health check.
DEPARTMENTS = (
    "\uc21c\ud658\uae30\ub0b4\uacfc",
    "\uc751\uae09\uc758\ud559\uacfc",
    "\ub0b4\uacfc",
    "\uac74\uac15\uac80\uc9c4\uc13c\ud130",
)
BOM_YEAR = 2014
CP949_YEAR = 2016
_ARCHIVE = "/data/datasets/ECG-Registry/1.0.0/1.MAIN"
_UNLISTED_SHARE = 0.004
_REPEATED_SHARE = 0.02
_MISSING_SHARE = 0.04


def registry_tables(files: Sequence[EcgFile], *, seed: int) -> dict[int, pl.DataFrame]:
    """Return the metadata of each year, in the order of acquisition.

    Even years give absolute paths, odd years relative ones. Some files are listed twice, a few not at all, and each year lists one that
    does not exist.
    """
    by_year: dict[int, list[EcgFile]] = {}
    for file in files:
        by_year.setdefault(file.acquired.year, []).append(file)
    tables = {}
    for year, members in sorted(by_year.items()):
        rng = generator(seed, Stream.REGISTRY, year)
        root = _ARCHIVE if year % 2 == 0 else "1.MAIN"
        rows = []
        for file in members:
            times = 0 if rng.random() < _UNLISTED_SHARE else 2 if rng.random() < _REPEATED_SHARE else 1
            department = DEPARTMENTS[int(rng.integers(0, len(DEPARTMENTS)))]
            path = f"{root}/{year}/{file.name}"
            rows += [(file.patient.person_id, f"{file.acquired:%Y-%m-%d %H:%M:%S}", department, "ECG", path)] * times
        lost = f"MUSE_{year}1231_235959_99999.xml"
        rows.append((members[0].patient.person_id, f"{year}-12-31 23:59:59", DEPARTMENTS[0], "ECG", f"{root}/{year}/{lost}"))
        tables[year] = pl.DataFrame(rows, schema=["nid", "study_dt", "dept_nm", "modality", "nstri_path"], orient="row")
    return tables


def write_registry(tables: dict[int, pl.DataFrame], folder: Path) -> None:
    """Write `YEAR.csv.csv`: UTF-8, one year with a byte order mark, one in cp949."""
    for year, table in tables.items():
        encoding = {BOM_YEAR: "utf-8-sig", CP949_YEAR: "cp949"}.get(year, "utf-8")
        (folder / f"{year}.csv.csv").write_bytes(table.write_csv().encode(encoding))


def comorbidity_table(patients: Sequence[Patient], *, seed: int) -> pl.DataFrame:
    """Return the notebooks' `tabular.csv`: one row a person of the CDM, comorbidities 0/1 with gaps, age, and the outcome by mistake.

    The comorbidities are those recorded up to the person's first ECG; `hf_outcome` is whether heart failure was ever recorded, which is
    the answer itself: whoever trains on this table must leave it out.
    """
    rows = []
    for patient in patients:
        if not patient.in_cdm:
            continue
        rng = generator(seed, Stream.TABULAR, patient.number)
        first = patient.acquired[0].date()
        known = {name for name, day in patient.comorbidities.items() if day <= first}
        gaps = rng.random(len(COMORBIDITIES)) < _MISSING_SHARE
        flags = (None if gap else int(disease.name in known) for disease, gap in zip(COMORBIDITIES, gaps, strict=True))
        rows.append((patient.person_id, *flags, patient.age_on(first), int(patient.recorded is not None)))
    columns = ["person_id", *(disease.name for disease in COMORBIDITIES), "age", "hf_outcome"]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.Int64), orient="row")
