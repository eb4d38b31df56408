"""Makes a whole hospital in SNUH's layout: ECG files, registry, OMOP tables, comorbidities and a study file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hfrisk.errors import DataError
from hfrisk.synthetic.defects import BY_NAME
from hfrisk.synthetic.files import EcgFile, plan_files, write_files
from hfrisk.synthetic.omop import make_tables
from hfrisk.synthetic.patients import make_population
from hfrisk.synthetic.tables import comorbidity_table, registry_tables, write_registry

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY_FOLDER = "datasets/ECG-Registry/1.0.0"
ECG_FOLDER = f"{REGISTRY_FOLDER}/1.MAIN"
METAFILE_FOLDER = f"{REGISTRY_FOLDER}/ECG_Metafile"
_CHUNK = 50
# Of the persons in the database, as many have no ECG.
_WITHOUT_ECG_SHARE = 0.1

_STUDY = """\
# A study of the made-up hospital in this folder; paths are relative to this file.
name = "synthetic hospital"

[paths]
store = "store"                                            # written by: hfrisk-convert {ecg} store
registry = "{metafile}"   # yearly *.csv.csv: nid, nstri_path
data = "data"                                              # labels, cohort and attrition go here
tabular = "data/tabular.csv"                               # comorbidities, one row a person
run = "run"                                                # one training run: checkpoints, model, report

[omop]
# The connection is taken from HFRISK_DSN; `python -m hfrisk.synthetic.database .` starts the database of omop/*.csv and prints it.
dsn = ""
cdm_schema = "cdm_public"
vocabulary_schema = "cdm_public"
condition_table = "condition_occurrence_v"
person_table = "person_v"
observation_period_table = "observation_period_v"

[cohort]
mode = "prevalent"    # heart failure recorded on or before the day of the ECG

[split]
seed = 42
validation_fraction = 0.15
test_fraction = 0.25

[model]
width = 16            # a small network for two CPU cores; 32 and more on a GPU
num_stages = 4

[train]
num_epochs = 8
batch_size = 32
learning_rate = 0.001
patience = 3
"""


def make_hospital(out: Path, *, num_patients: int, seed: int) -> None:
    """Make a hospital in `out`: the same for the same seed, byte by byte, on one kind of machine.

    Layout: `datasets/ECG-Registry/1.0.0/1.MAIN/YEAR/*.xml`, `.../ECG_Metafile/YEAR.csv.csv`, `omop/*.csv`, `data/tabular.csv`,
    `study.toml`, and `defects.csv`, which no hospital has: which files are broken, how, and what should become of them.

    Args:
        out: Folder to make; it must not exist or be empty.
        num_patients: Persons with ECGs, about 2.7 each.
        seed: Another seed is another hospital.

    Raises:
        DataError: `out` is there and not empty, or cannot be written.
    """
    try:
        if out.exists() and any(out.iterdir()):
            raise DataError(f"`{out}` is not empty", hint="name a folder that does not exist, or empty this one")
        for folder in (METAFILE_FOLDER, "omop", "data"):
            (out / folder).mkdir(parents=True)
    except OSError as error:
        raise DataError(f"cannot make a hospital in `{out}`: {error.strerror}", hint="name a folder that you may write") from None
    patients = make_population(num_patients, seed=seed)
    files = plan_files(patients, seed=seed)
    _write_ecgs(files, out / ECG_FOLDER, seed=seed)
    write_registry(registry_tables(files, seed=seed), out / METAFILE_FOLDER)
    without_ecg = make_population(num_patients + round(_WITHOUT_ECG_SHARE * num_patients), seed=seed)[num_patients:]
    for name, table in make_tables([*patients, *without_ecg], seed=seed).items():
        table.write_csv(out / "omop" / f"{name}.csv")
    comorbidity_table(patients, seed=seed).write_csv(out / "data" / "tabular.csv")
    broken = [(file.name, file.defect, BY_NAME[file.defect].outcome) for file in files if file.defect]
    pl.DataFrame(broken, schema=dict.fromkeys(["ecg_file", "defect", "outcome"], pl.String), orient="row").write_csv(out / "defects.csv")
    (out / "study.toml").write_text(_STUDY.format(ecg=ECG_FOLDER, metafile=METAFILE_FOLDER), encoding="utf-8")


def _write_ecgs(files: list[EcgFile], folder: Path, *, seed: int) -> None:
    for year in {file.acquired.year for file in files}:
        (folder / str(year)).mkdir(parents=True)
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    progress = Progress(
        TextColumn("making ECGs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    with progress:
        task = progress.add_task("", total=len(files))
        for chunk in chunks:
            progress.advance(task, write_files(chunk, folder, seed=seed))
