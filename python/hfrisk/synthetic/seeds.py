"""One random stream for each thing, derived from the seed, so that the order of generation does not matter."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a random stream decides; each value starts streams of its own."""

    PATIENT = 1
    ECG = 2
    DEFECT = 3
    REGISTRY = 4
    OMOP = 5
    TABULAR = 6
    BODY = 7


def generator(seed: int, stream: Stream, *keys: int) -> np.random.Generator:
    """Open the stream of `keys` (such as a patient's number) under `seed`."""
    return np.random.default_rng([seed, int(stream), *keys])
