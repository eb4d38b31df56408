"""Counts that may leave a closed environment: none so small that it could tell of single persons, not even by subtraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS = ("ecgs", "persons")


def pooled_attrition(steps: Sequence[dict[str, Any]], smallest: int) -> list[dict[str, Any]]:
    """Pool steps that removed few with their neighbours, so that neither a removed count nor a difference of two totals is small.

    Hiding a small count alone would not do: it follows from the totals before and after it.

    Args:
        steps: Rows of attrition.csv: `rule`, `num_ecgs`, `num_persons`, `removed_ecgs`, `removed_persons`; the first removes nothing.
        smallest: Counts from 1 to below it are small.

    Returns:
        The rows, `step` counted anew; a pooled one names all its rules. Where all that was removed is few, one row without them.
    """

    def is_small(step: dict[str, Any]) -> bool:
        return any(0 < step[f"removed_{unit}"] < smallest for unit in _UNITS)

    start, *rest = steps
    pooled: list[dict[str, Any]] = []
    for step in rest:
        if not pooled or not is_small(pooled[-1]):
            pooled.append(step)
        elif _removes(step):
            pooled[-1] = _together(pooled[-1], step)
    while pooled and is_small(pooled[-1]):
        late = pooled.pop()
        while pooled and not _removes(pooled[-1]):
            pooled.pop()
        if not pooled:
            start = late | {f"removed_{unit}": 0 for unit in _UNITS} | {"rule": f"{start['rule']}, less a few that were removed"}
            break
        pooled[-1] = _together(pooled[-1], late)
    return [step | {"step": number} for number, step in enumerate([start, *pooled])]


def _removes(step: dict[str, Any]) -> bool:
    return any(step[f"removed_{unit}"] for unit in _UNITS)


def _together(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    removed = {f"removed_{unit}": first[f"removed_{unit}"] + second[f"removed_{unit}"] for unit in _UNITS}
    return second | removed | {"rule": f"{first['rule']}; or {second['rule']}"}
