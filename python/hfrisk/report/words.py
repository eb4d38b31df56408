"""How numbers, settings and intervals are written on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_KNOWN = "n/a"
FEW = "few"
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"


def fixed(value: float | None, digits: int = 3) -> str:
    """Three decimals, with a true minus sign."""
    return NOT_KNOWN if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def signed(value: float | None) -> str:
    """Three decimals with their sign, as a difference is written."""
    return NOT_KNOWN if value is None else f"{value:+.3f}".replace("-", _MINUS)


def percent(share: float | None, digits: int = 1) -> str:
    """One decimal; a share that is not quite none or all never reads as such."""
    if share is None:
        return NOT_KNOWN
    shown = f"{100 * share:.{digits}f}"
    smallest = f"{0:.{digits}f}"
    if 0 < share < 1:
        least = 10.0**-digits
        shown = {smallest: f"under {least:.{digits}f}", f"{100:.{digits}f}": f"over {100 - least:.{digits}f}"}.get(shown, shown)
    return f"{shown}{_SPACE}%"


def count(number: int | None) -> str:
    """Thousands parted by commas; a cell that is not shown says so."""
    return FEW if number is None else f"{number:,}"


def plain(value: object) -> str:
    """A setting as a reader would say it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value) or "none"
    return str(value)


def interval(estimate: Mapping[str, float | None], digits: int = 3) -> str:
    """`0.611 to 0.865`; nothing where no interval was estimated."""
    low, high = estimate["low"], estimate["high"]
    return "" if low is None and high is None and estimate["value"] is not None else f"{fixed(low, digits)} to {fixed(high, digits)}"


def percent_interval(estimate: Mapping[str, float | None]) -> str:
    """`52.2 to 92.5 %`."""
    low, high = estimate["low"], estimate["high"]
    return NOT_KNOWN if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}{_SPACE}%"


def amount(value: float | None) -> str:
    """A measurement, with as many decimals as it needs to three digits."""
    if value is None:
        return FEW
    return (f"{value:.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.2g}").replace("-", _MINUS)  # noqa: PLR2004


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


FILTERS = {
    "fixed": fixed,
    "signed": signed,
    "percent": percent,
    "count": count,
    "plain": plain,
    "interval": interval,
    "percent_interval": percent_interval,
    "amount": amount,
    "capital": capital,
}
"""For the template."""
