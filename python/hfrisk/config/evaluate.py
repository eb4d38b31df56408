"""`[evaluate]`: how the result is measured."""

from __future__ import annotations

from dataclasses import dataclass

from hfrisk.errors import ConfigError

_RULES = ("sensitivity", "specificity", "risk")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateConfig:
    """How the result is measured."""

    num_bootstrap: int = 1000
    """Resamples of persons for the 95 % intervals."""
    seed: int = 42
    operating_points: str = "sensitivity=0.9, youden, specificity=0.9, specificity=0.95"
    """Where thresholds are put, on the validation split: `sensitivity=…`, `specificity=…`, `risk=…`, `youden`."""
    smallest_cell: int = 5
    """Counts of persons or ECGs from 1 up to below this are not shown, nor what is measured on so few."""
    num_example_ecgs: int = 2
    """ECGs drawn in the report, on `--with-cases`."""

    def __post_init__(self) -> None:
        """Refuse operating points that cannot be read."""
        self.points()
        if self.num_bootstrap < 0 or self.smallest_cell < 1:
            raise ConfigError(
                f"`evaluate`: num_bootstrap {self.num_bootstrap}, smallest_cell {self.smallest_cell}",
                hint="num_bootstrap is at least 0, smallest_cell at least 1",
            )

    def points(self) -> list[tuple[str, float | None]]:
        """The operating points as rule and target.

        Raises:
            ConfigError: One of them is none.
        """
        found: list[tuple[str, float | None]] = []
        for part in filter(None, (part.strip() for part in self.operating_points.split(","))):
            rule, _, text = (piece.strip() for piece in part.partition("="))
            try:
                target = float(text) if text else None
            except ValueError:
                target = None
            is_share = target is not None and 0 < target < 1
            if not (rule == "youden" and not text) and not (rule in _RULES and is_share):
                raise ConfigError(
                    f"`evaluate.operating_points`: `{part}` is no operating point",
                    hint="as in `sensitivity=0.9, specificity=0.95, risk=0.1, youden`",
                )
            found.append((rule, target))
        return found
