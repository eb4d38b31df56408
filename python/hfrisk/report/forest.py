"""Intervals as small pictures in the rows of a table, all on one scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WIDTH, _HEIGHT, _MARGIN = 180, 20, 8
_FEWEST_TICKS = 3


class Scale:
    """A common axis for the rows of one table.

    Attributes:
        low: The left end.
        high: The right end.
        reference: Where a vertical line stands in every row.
    """

    def __init__(self, low: float, high: float, *, reference: float) -> None:
        self.low, self.high, self.reference = low, high, reference

    @classmethod
    def of(cls, estimates: Iterable[Mapping[str, float | None]], *, reference: float, step: float = 0.1) -> Scale:
        """Span all intervals and the reference, in whole steps."""
        values = [reference]
        for estimate in estimates:
            values += [value for value in estimate.values() if value is not None]
        low, high = math.floor(min(values) / step + 1e-9) * step, math.ceil(max(values) / step - 1e-9) * step
        return cls(round(low, 6), round(max(high, low + step), 6), reference=reference)

    def at(self, value: float) -> float:
        """Where a value lies along the picture; what is outside lies at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (_WIDTH - 2 * _MARGIN), 1)

    def row(self, estimate: Mapping[str, float | None], *, strong: bool = False) -> Markup:
        """A dot and its interval; the numbers stand beside it, so it is hidden from those who listen to the page."""
        middle = _HEIGHT / 2
        parts = [f'<line class="reference" x1="{self.at(self.reference)}" x2="{self.at(self.reference)}" y1="0" y2="{_HEIGHT}"/>']
        low, high, value = estimate["low"], estimate["high"], estimate["value"]
        if low is not None and high is not None:
            parts.append(f'<line class="interval" x1="{self.at(low)}" x2="{self.at(high)}" y1="{middle}" y2="{middle}"/>')
        if value is not None:
            parts.append(f'<circle class="dot" cx="{self.at(value)}" cy="{middle}" r="{4.5 if strong else 3.6}"/>')
        return _svg(parts, _HEIGHT, "forest strong" if strong else "forest")

    def axis(self) -> Markup:
        """The scale, for the head of the column."""
        ticks = [self.low, self.reference, self.high]
        shown = []
        for tick in sorted(set(ticks)):
            anchor = "start" if tick == self.low else "end" if tick == self.high else "middle"
            crowded = tick == self.reference and min(abs(self.at(tick) - self.at(end)) for end in (self.low, self.high) if end != tick) < 28  # noqa: PLR2004
            if len(set(ticks)) < _FEWEST_TICKS or not crowded:
                shown.append(f'<text x="{self.at(tick)}" y="11" text-anchor="{anchor}">{round(tick, 2):g}</text>')
        return _svg(shown, 14, "forest axis")


def scale_of(rows: Iterable[Mapping[str, Any]], name: str, *, reference: float, step: float = 0.1) -> Scale:
    """A scale for one number of all rows that have it."""
    return Scale.of((row[name] for row in rows if name in row), reference=reference, step=step)


def _svg(parts: list[str], height: int, kind: str) -> Markup:
    body = "".join(parts)
    return Markup(f'<svg class="{kind}" viewBox="0 0 {_WIDTH} {height}" aria-hidden="true">{body}</svg>')  # noqa: S704 - numbers only
