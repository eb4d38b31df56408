"""Timing for noisy machines: all contenders in one process, round after round in turn, medians and their ratios."""

from __future__ import annotations

import gc
import os
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    before: Callable[[], object] | None = None,
    num_warm: int = 0,
) -> dict[str, float]:
    """Run every contender once a round and return the median seconds of each; one round before the first is not counted.

    `before` runs before each of them and is not timed; so does the contender itself, `num_warm` times, for work that goes on for hours
    but is over in a millisecond here, when the caches and branch predictors still hold what the contender before it left.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for contender in contenders.values():
        if before is not None:
            before()
        contender()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            # The first place of a round may be warmer or colder than the last: everybody has it equally often.
            turn = number % len(order)
            for name in order[turn:] + order[:turn]:
                if before is not None:
                    before()
                for _ in range(num_warm):
                    contenders[name]()
                start = time.perf_counter()
                contenders[name]()
                seconds[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in seconds.items()}


def read_into_memory(paths: Iterable[Path]) -> None:
    """Bring files into the page cache: what a conversion finds on the disk it leaves there."""
    for path in paths:
        path.read_bytes()


def evict(paths: Iterable[Path]) -> None:
    """Drive files out of the page cache."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
