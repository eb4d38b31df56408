"""Which single ECGs are worth a look, and their drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hfrisk import plot

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hfrisk.outputs import Outputs

KINDS = {"highest": "highest risk", "lowest": "lowest risk", "uncertain": "most uncertain"}


def choose_cases(predictions: pl.DataFrame, num_each: int) -> pl.DataFrame:
    """Take the ECGs with the highest and lowest risks and those nearest to even odds; a person once, an ECG once.

    Args:
        predictions: `row`, `person_id`, `risk`.
        num_each: How many of each kind.

    Returns:
        The rows taken, with `case`: `highest-1`, `lowest-1`, `uncertain-1`, ...
    """
    one_each = predictions.sort("risk", "row", descending=[True, False]).unique("person_id", keep="first", maintain_order=True)
    highest = one_each.head(num_each)
    rest = one_each.join(highest, on="row", how="anti", maintain_order="left")
    lowest = rest.reverse().head(num_each)
    rest = rest.join(lowest, on="row", how="anti", maintain_order="left")
    uncertain = rest.sort((pl.col("risk") - 0.5).abs(), "row").head(num_each)
    kinds = zip(KINDS, (highest, lowest, uncertain), strict=True)
    return pl.concat([part.with_columns(case=pl.format("{}-{}", pl.lit(kind), pl.int_range(1, pl.len() + 1))) for kind, part in kinds])


def draw_cases(cases: pl.DataFrame, signal_uv: NDArray[np.float32], shared: NDArray[np.float32], outputs: Outputs) -> list[Path]:
    """Draw each case on ECG paper, coloured by what moved its logit.

    Args:
        cases: As `choose_cases` gives them, with `y`.
        signal_uv: Their signals, (N, 12, 5000) in µV.
        shared: Their attributions, (N, 12, 5000).
        outputs: Takes the pictures.
    """
    paths = []
    for case, signal, parts in zip(cases.iter_rows(named=True), signal_uv, shared, strict=True):
        kind = KINDS[case["case"].partition("-")[0]]
        label = {1: "outcome recorded", 0: "no outcome recorded"}.get(case["y"], "outcome unknown")
        title = f"{kind}: {case['risk']:.1%}, {label}    red raised the risk, blue lowered it"
        path = outputs.path(f"{case['case']}.svg")
        plot.save_to(plot.draw_ecg(signal, title=title, attribution=parts), path, "svg")
        paths.append(path)
    return paths
