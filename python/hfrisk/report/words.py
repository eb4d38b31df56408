"""How numbers and settings are written on the page."""

from __future__ import annotations

NOT_KNOWN = "n/a"


def fixed(value: float | None) -> str:
    """Three decimals, with a true minus sign."""
    return NOT_KNOWN if value is None else f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def percent(share: float | None) -> str:
    """One decimal; a share that is not quite none or all never reads as such."""
    if share is None:
        return NOT_KNOWN
    shown = f"{100 * share:.1f}"
    if 0 < share < 1:
        shown = {"0.0": "under 0.1", "100.0": "over 99.9"}.get(shown, shown)
    return f"{shown}\N{NO-BREAK SPACE}%"


def count(number: int) -> str:
    """Thousands parted by commas."""
    return f"{number:,}"


def plain(value: object) -> str:
    """A setting as a reader would say it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


FILTERS = {"fixed": fixed, "percent": percent, "count": count, "plain": plain}
"""For the template."""
