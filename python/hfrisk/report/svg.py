"""A matplotlib figure as an element of a page: no ids that clash, nothing that loads, colours that follow the page."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import matplotlib as mpl
from markupsafe import Markup, escape

from hfrisk import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, QUIET, GRID, SURFACE = "#23262b", "#6b7280", "#e4e6ea", "#fefefe"
SERIES_1, SERIES_2, BAND = "#0072b2", "#d55e00", "#d3e5f2"
"""Colours of the charts in light mode (the series are Okabe and Ito's blue and vermilion); the page's variables replace them."""

_VARIABLES = {
    INK: "--ink",
    QUIET: "--quiet",
    GRID: "--rule",
    SERIES_1: "--series-1",
    SERIES_2: "--series-2",
    BAND: "--band",
    SURFACE: "--surface",
    plot.PAPER: "--ecg-paper",
    plot.GRID_MINOR: "--ecg-minor",
    plot.GRID_MAJOR: "--ecg-major",
    plot.INK: "--ecg-ink",
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def inline(figure: Figure, *, name: str, label: str) -> Markup:
    """Turn a figure into an `<svg>` element that needs nothing outside itself but the page's colours.

    Args:
        figure: What to draw.
        name: Unique on the page; it begins every id inside.
        label: What the picture shows, for those who cannot see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "hfrisk", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # The rule for `*` would reach the whole page; the page has it for its own pictures.
    text = re.sub(r"<style\b.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+xmlns(:\w+)?=\"[^\"]*\"", "", text).replace("xlink:href=", "href=")
    referenced = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r" id=\"([^\"]+)\"", lambda match: f' id="{name}-{match[1]}"' if match[1] in referenced else "", text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))  # noqa: S704 - made above
