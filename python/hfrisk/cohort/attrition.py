"""How many ECGs and persons each rule removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk.cohort.rules import REMOVALS, removals
from hfrisk.cohort.selection import SELECTIONS
from hfrisk.cohort.split import held_out

if TYPE_CHECKING:
    from hfrisk.config import StudyConfig


def attrition(frame: pl.DataFrame, registry: pl.DataFrame, config: StudyConfig) -> pl.DataFrame:
    """Count step by step, from everything that is registered or converted to what is labelled.

    Args:
        frame: One row a recording: `registry_file`, `person_id`, `removal` (null where labelled).
        registry: `ecg_file`, `person_id`.
        config: Decides which rules were in force; those are listed even where they removed nothing.

    Returns:
        `step`, `rule`, `num_ecgs` and `num_persons` (left after the step), `removed_ecgs`, `removed_persons` (without any ECG since),
        `reason` (as in cohort.parquet). The numbers are exact; `hfrisk.disclosure.pooled_attrition` makes them fit to leave the site.
    """
    rules = ["start", "not_converted", *_in_force(frame, config)]
    text = {"start": "ECG is registered or converted", "not_converted": "registered, but not converted"} | REMOVALS
    missing = registry.join(frame, left_on="ecg_file", right_on="registry_file", how="anti")
    # The step at which an ECG goes; one past the last step stays. A person goes with the last ECG.
    step = pl.col("removal").replace_strict({rule: i for i, rule in enumerate(rules)}, default=len(rules), return_dtype=pl.Int64)
    ecgs = pl.concat([missing.select("person_id", step=pl.lit(1, dtype=pl.Int64)), frame.select("person_id", step=step)])
    persons = ecgs.drop_nulls("person_id").group_by("person_id").agg(pl.col("step").max())
    table = pl.DataFrame(
        {"step": range(len(rules)), "rule": [text[rule] for rule in rules], "reason": rules}, schema_overrides={"step": pl.Int64}
    )
    for unit, gone in (("ecgs", ecgs), ("persons", persons)):
        counts = gone.group_by("step").agg(pl.len().cast(pl.Int64).alias(f"removed_{unit}"))
        table = table.join(counts, on="step", how="left", maintain_order="left").with_columns(pl.col(f"removed_{unit}").fill_null(0))
        table = table.with_columns((gone.height - pl.col(f"removed_{unit}").cum_sum()).alias(f"num_{unit}"))
    return table.select("step", "rule", "num_ecgs", "num_persons", "removed_ecgs", "removed_persons", "reason")


def _in_force(frame: pl.DataFrame, config: StudyConfig) -> list[str]:
    in_force = set(removals(config.cohort))
    in_force |= {reason for which, reason in SELECTIONS.items() if which == config.cohort.one_ecg_per_person}
    if held_out(frame, config.split) is not None:
        in_force.add("person_in_holdout")
    return [rule for rule in REMOVALS if rule in in_force]
