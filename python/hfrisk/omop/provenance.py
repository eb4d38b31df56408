"""Where tables come from: what was asked of which source, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfrisk.omop.source import Source

SCHEMA = 1


def provenance(source: Source) -> dict[str, Any]:
    """Source, its version and encoding, every query with its text and the number of rows that it gave, time and package version.

    Values are left out of the queries: concept ids stand in concept_set.json, and persons nowhere.
    """
    return {
        "schema": SCHEMA,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hfrisk": version("hfrisk"),
        **source.describe(),
        "tables": [
            {"schema": table.schema, "name": table.name, "columns": sorted(table.columns)}
            for table in sorted(source.found, key=lambda table: table.path)
        ],
        "queries": [{"name": done.query, "sql": done.text, "num_rows": done.num_rows} for done in source.statements],
    }
