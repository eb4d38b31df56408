"""A study: its file, its folders, its store, its database, and what broken runs left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hfrisk
from hfrisk.config import load_config
from hfrisk.doctor.finding import Finding
from hfrisk.doctor.machine import disk
from hfrisk.errors import HfriskError
from hfrisk.omop.connection import connect
from hfrisk.omop.rights import read_rights
from hfrisk.omop.source import open_source
from hfrisk.records import read_rejected
from hfrisk.registry import metadata_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hfrisk.config import StudyConfig

_LEFTOVERS = (".hfrisk.partial", ".hfrisk-predict-*", ".*.tmp")
_MANY_REJECTED = 0.05


def examine_study(path: Path) -> Iterator[Finding]:
    """Look at all that a study names."""
    try:
        config = load_config(path)
    except HfriskError as error:
        yield _failed("study file", error)
        return
    yield Finding("study file", "ok", f"`{path}`: {config.name}")
    yield _registry(config)
    yield from _store(config)
    yield _tabular(config)
    yield from _database(config)
    yield disk(config.paths.store, "disk of the store")
    yield disk(config.paths.run, "disk of the run")
    yield _leftovers(config)


def _failed(subject: str, error: HfriskError) -> Finding:
    return Finding(subject, "error", error.message, error.hint or "see the README")


def _registry(config: StudyConfig) -> Finding:
    try:
        files = metadata_files(config.paths.registry)
    except HfriskError as error:
        return _failed("registry", error)
    return Finding("registry", "ok", f"{len(files)} metadata files in `{config.paths.registry}`")


def _store(config: StudyConfig) -> Iterator[Finding]:
    try:
        store = hfrisk.open(config.paths.store)
        rows = store.records["row"]
        num_rejected = read_rejected(config.paths.store).height
        sample = rows.gather_every(max(1, len(rows) // 64))
        if len(sample):
            store.read(sample.to_numpy())
    except HfriskError as error:
        yield _failed("store", error)
        return
    yield Finding("store", "ok", f"{len(store):,} rows, {len(rows):,} recordings, {store.codec}; {len(sample)} of them read and checked")
    if num_rejected > _MANY_REJECTED * max(len(store), 1):
        yield Finding(
            "store",
            "warning",
            f"{num_rejected:,} of {len(store):,} files were rejected",
            f"look at `kind` and `message` in `{config.paths.store / 'rejected.parquet'}`",
        )


def _tabular(config: StudyConfig) -> Finding:
    path = config.paths.tabular
    if path is None:
        return Finding("tabular file", "ok", "none named; the model reads the ECG alone")
    if not path.is_file():
        return Finding("tabular file", "error", f"no file at `{path}`", "set `paths.tabular`, or leave it out to train on the ECG alone")
    return Finding("tabular file", "ok", f"`{path}`")


def _database(config: StudyConfig) -> Iterator[Finding]:
    schema = config.omop.cdm_schema
    if config.omop.source != "postgres":
        yield _export(config)
        return
    try:
        with connect(config.omop) as database:
            rights = read_rights(database, schema)
    except HfriskError as error:
        yield _failed("database", error)
        return
    if not rights.num_readable:
        yield Finding("database", "error", f"the role may read no table in schema `{schema}`", "set `omop.cdm_schema`, or ask for SELECT")
        return
    yield Finding("database", "ok", f"PostgreSQL {rights.server_version}, {rights.num_readable} readable tables in `{schema}`")
    if rights.may_write:
        what = "is a superuser" if rights.is_superuser else f"may change {rights.num_writable} tables in `{schema}` or make new ones"
        yield Finding(
            "database",
            "warning",
            f"the role {what}; hfrisk's sessions are read-only all the same",
            "ask the database's administrator for a role with SELECT only",
        )


def _export(config: StudyConfig) -> Finding:
    try:
        with open_source(config.omop) as source:
            tables = source.tables(config.omop.cdm_schema)
    except HfriskError as error:
        return _failed("OMOP tables", error)
    if not tables:
        return Finding("OMOP tables", "error", f"schema `{config.omop.cdm_schema}` holds no table", "set `omop.cdm_schema`, often `main`")
    return Finding("OMOP tables", "ok", f"{len(tables)} tables at `{config.omop.path}`, opened read-only")


def _leftovers(config: StudyConfig) -> Finding:
    folders = {config.paths.store, config.paths.data, config.paths.run, config.paths.run.parent}
    left = sorted({path for folder in folders if folder.is_dir() for pattern in _LEFTOVERS for path in folder.glob(pattern)})
    if not left:
        return Finding("leftovers", "ok", "no broken run left anything behind")
    named = ", ".join(f"`{path}`" for path in left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")  # noqa: PLR2004
    return Finding("leftovers", "warning", f"left by a run that broke: {named}", "remove them when nothing of hfrisk is running")
