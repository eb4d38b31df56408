"""`[evaluate]`: how the result is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateConfig:
    """How the result is measured."""

    num_bootstrap: int = 1000
    """Resamples of persons for the 95 % intervals."""
    seed: int = 42
    num_example_ecgs: int = 2
    """ECGs drawn in the report."""
