"""Heart-failure labels from the OMOP database: `hfrisk labels`, and `hf_outcome` for a notebook."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hfrisk.config import OmopConfig, PhenotypeConfig
from hfrisk.errors import DataError
from hfrisk.omop import persons as people
from hfrisk.omop import phenotype
from hfrisk.omop.concept_set import ResolvedConceptSet, resolve
from hfrisk.omop.connection import Database
from hfrisk.omop.provenance import provenance
from hfrisk.omop.source import read_source
from hfrisk.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hfrisk.config import StudyConfig
    from hfrisk.omop.source import Source

PERIODS = "observation_periods.parquet"


def hf_outcome(
    connection: Any,  # noqa: ANN401
    *,
    schema: str = "cdm_public",
    table: str = "condition_occurrence_v",
    vocabulary_schema: str = "",
    concept_set: str | Path = "heart_failure",
    check: Literal["strict", "warn"] = "strict",
) -> pl.DataFrame:
    """Tell for every person of the condition table whether any record, at any time, is heart failure.

    The connection is used as it is and stays open; `.to_pandas()` on the result gives the original notebooks' frame.

    Args:
        connection: An open psycopg2 connection.
        schema: Schema of the OMOP CDM.
        table: The condition table or view.
        vocabulary_schema: Schema of `concept` and `concept_ancestor`; empty means `schema`.
        concept_set: Name of a concept set that ships with hfrisk, or the path of a CSV of your own.
        check: `strict` refuses concepts of your own that are not standard conditions inside heart failure, `warn` only says so.

    Returns:
        `person_id` Int64 and `hf_outcome` Int8 (0 or 1), ordered by person.

    Raises:
        DatabaseError: The table or a column is not there, or the server stops the query.
        DataError: The concept set does not stand up to the check.
    """
    omop = OmopConfig(cdm_schema=schema, condition_table=table, vocabulary_schema=vocabulary_schema)
    is_file = isinstance(concept_set, Path) or concept_set.endswith(".csv")
    chosen = PhenotypeConfig(file=Path(concept_set), check=check) if is_file else PhenotypeConfig(concept_set=str(concept_set), check=check)
    database = Database(connection)
    conditions = phenotype.condition_table(database, omop)
    concepts = resolve(database, omop, chosen)
    _tell_notes(concepts)
    return phenotype.outcome(database, conditions, concepts)


def run(config: StudyConfig) -> None:
    """Write what the study needs of the database into its data folder.

    hf_outcome.csv, conditions.parquet, persons.parquet and concept_set.json; observation_periods.parquet where the site has such a table;
    and labels_provenance.json, which says where they come from. All appear together, when the last one is complete, and they show one
    moment of the database: when the connection is lost, everything is read again.

    Raises:
        ConfigError: The DSN cannot be read or holds a password.
        DatabaseError: The server cannot be reached, or a table or column is not there.
        DataError: The concept set does not stand up to the check, or nobody has heart failure.
    """
    read_source(config.omop, lambda source: _write_labels(source, config))


def _write_labels(source: Source, config: StudyConfig) -> None:
    with Outputs(config.paths.data) as outputs, _progress() as progress:
        task = progress.add_task("finding the tables")
        conditions = phenotype.condition_table(source, config.omop)
        concepts = resolve(source, config.omop, config.phenotype)
        _tell_notes(concepts)
        progress.update(task, description=f"reading {conditions.table.schema}.{conditions.table.name}")
        outcome = phenotype.outcome(source, conditions, concepts)
        num_cases = int(outcome["hf_outcome"].sum())
        if num_cases == 0:
            raise DataError(
                f"none of the {outcome.height:,} persons in `{conditions.table.schema}.{conditions.table.name}` has heart failure",
                hint=f"none of {len(concepts.concept_ids)} concepts occurs there: is `omop.condition_table` the right table?",
            )
        outcome.write_csv(outputs.path("hf_outcome.csv"))
        progress.update(task, description="reading dated heart-failure records")
        num_records, num_by_code = _write_conditions(outputs.path("conditions.parquet"), source, conditions, concepts)
        progress.update(task, description="reading persons")
        periods = people.observation_periods(source, config.omop)
        persons = _persons(source, config.omop, outcome, periods)
        persons.write_parquet(outputs.path("persons.parquet"))
        if periods is not None:
            periods.write_parquet(outputs.path(PERIODS))
        frozen = concepts.frozen() | {
            "source_codes": phenotype.SOURCE_CODES if conditions.has_source_values else None,
            "num_records": num_records,
            "num_records_by_source_code": num_by_code,
        }
        _write_json(outputs.path("concept_set.json"), frozen)
        _write_json(outputs.path("labels_provenance.json"), provenance(source))
    if periods is None:
        (config.paths.data / PERIODS).unlink(missing_ok=True)  # of a source that had them
    by_code = f"{num_by_code:,} by source code" if conditions.has_source_values else "no source codes in the table"
    _tell(
        f"{num_cases:,} of {outcome.height:,} persons have heart failure ({num_cases / outcome.height:.1%}): {num_records:,} records, "
        f"{by_code}; {len(concepts.concept_ids)} concepts, resolved by {concepts.resolved_by}; {persons.height:,} persons in the database"
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_conditions(path: Path, source: Source, conditions: phenotype.ConditionTable, concepts: ResolvedConceptSet) -> tuple[int, int]:
    """Stream the records into parquet; return how many there are, and how many were found by their source code."""
    num_records = num_by_code = 0
    with contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for batch in phenotype.stream_conditions(source, conditions, concepts):
            table = batch.to_arrow()
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd"))
            writer.write_table(table)
            num_records += batch.height
            num_by_code += int((batch["condition_concept_id"] == 0).sum())
    return num_records, num_by_code


def _persons(source: Source, config: OmopConfig, outcome: pl.DataFrame, periods: pl.DataFrame | None) -> pl.DataFrame:
    """Everybody the database knows, be it only by a condition, with what it tells of them; what it does not tell is null."""
    table = people.persons(source, config)
    if table is None:
        _tell(f"note: no person table `{config.cdm_schema}.{config.person_table}`, so only persons with a condition are known")
        table = pl.DataFrame(schema=people.PERSON)
    spans = pl.DataFrame(schema=people.PERIOD) if periods is None else periods
    spans = spans.group_by("person_id").agg(observation_start=pl.col("start").min(), observation_end=pl.col("end").max())
    visits, deaths = people.last_visits(source, config), people.deaths(source, config)
    facts = [
        table.unique("person_id", keep="first", maintain_order=True),
        spans,
        pl.DataFrame(schema=people.LAST_VISIT) if visits is None else visits,
        pl.DataFrame(schema=people.DEATH) if deaths is None else deaths,
    ]
    persons = pl.concat([frame.select("person_id") for frame in (outcome, *facts)]).unique().sort("person_id")
    for frame in facts:
        persons = persons.join(frame, on="person_id", how="left", maintain_order="left", validate="m:1")
    return persons


def _tell_notes(concepts: ResolvedConceptSet) -> None:
    for note in concepts.notes:
        _tell(f"note: {note}")


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
