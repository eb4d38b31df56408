"""Twelve leads on ECG paper at true scale: 25 mm/s, 10 mm/mV, one drawing unit a millimetre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

import hfrisk
from hfrisk.errors import ConfigError, DataError
from hfrisk.outputs import Outputs

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
GRID_LEADS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
"""Rows of the 3 x 4 layout; its columns follow each other in time."""

MM_PER_SECOND = 25.0
MM_PER_MV = 10.0
MM_PER_INCH = 25.4

PAPER, GRID_MINOR, GRID_MAJOR, INK = "#fffafa", "#f9dcd9", "#eeb1ab", "#1c1b1f"
"""The only colours of the drawing; the report replaces them to follow a dark page."""
RAISED, LOWERED = "#d6331f", "#1f5fd6"
"""Behind the parts of a trace that raised the risk, and that lowered it."""

_BIN_S, _STRONGEST, _LEAST_SHOWN = 0.04, 0.995, 0.1
"""Attributions are summed over a millimetre of paper; the scale ends at this quantile; less than this share of it stays uncoloured."""
_LEFT_MM, _RIGHT_MM, _FOOT_MM, _TITLE_MM = 15.0, 5.0, 6.0, 8.0
_PULSE_START_MM, _PULSE_MM = 6.0, 5.0
_ROW_GAP_MM, _EDGE_MM = (25.0, 40.0), (15.0, 30.0)
"""Least and most room between two baselines, and between the outer baselines and the edges: tall QRS widen the paper,
which stays within a landscape A4 sheet."""


def draw_ecg(
    signal_uv: npt.NDArray[np.float32],
    *,
    sampling_rate_hz: float = 500.0,
    layout: Literal["3x4+rhythm"] = "3x4+rhythm",
    title: str | None = None,
    attribution: npt.NDArray[np.float32] | None = None,
) -> Figure:
    """Draw twelve leads as three rows of four columns, with lead II over the whole time below.

    Each lead is shifted by its median, as the high-pass filter of a cart would. NaN leaves a gap.

    Args:
        signal_uv: Shape (12, num_samples), µV, leads in the order of `LEADS`.
        sampling_rate_hz: Of the signal.
        layout: `3x4+rhythm` is the only one.
        title: Text above the paper; nothing by default, so that no identifier slips in.
        attribution: What each sample added to the logit, in the signal's shape; it is summed over 40 ms and coloured behind the traces.

    Returns:
        A figure of true size, in which one data unit is one millimetre.

    Raises:
        DataError: The signal has another shape or holds no finite sample.
    """
    signal = np.asarray(signal_uv, dtype=np.float64)
    if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.shape[1] < len(GRID_LEADS[0]):  # noqa: PLR2004 - leads x samples
        raise DataError(f"a signal of shape {signal.shape} cannot be drawn as {layout}", hint="give (12, num_samples) in µV")
    if not np.isfinite(signal).any():
        raise DataError("the signal holds no finite sample", hint="a row whose file was rejected has no recording; see rejected.parquet")
    if attribution is not None and attribution.shape != signal.shape:
        raise DataError(f"an attribution of shape {attribution.shape} does not fit a signal of {signal.shape}")
    rows = _rows(signal)
    baselines, height = _baselines(rows)
    seconds = signal.shape[1] / sampling_rate_hz
    width = _LEFT_MM + seconds * MM_PER_SECOND + _RIGHT_MM
    top = _TITLE_MM if title else 0.0
    figure = Figure(figsize=(width / MM_PER_INCH, (height + _FOOT_MM + top) / MM_PER_INCH), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(-_FOOT_MM, height + top)
    axes.set_axis_off()
    _draw_grid(axes, width, height)
    for row, baseline in zip(rows, baselines, strict=True):
        if attribution is not None:
            _draw_attribution(axes, row, baseline, sampling_rate_hz, attribution)
        _draw_row(axes, row, baseline, sampling_rate_hz)
    axes.text(5, -_FOOT_MM / 2, f"25 mm/s, 10 mm/mV, {sampling_rate_hz:g} Hz", va="center", fontsize=7, color=INK)
    if title:
        axes.text(5, height + top / 2, title, va="center", fontsize=9, color=INK)
    return figure


def run(source: Path, row: int | None, output: Path, *, title: str | None = None) -> None:
    """Draw one recording and write it to `output`.

    Args:
        source: An ECG XML file, or the store that `hfrisk-convert` wrote.
        row: Row of the store; None for a file.
        output: Picture to write, .svg, .png or .pdf.
        title: Text above the paper; without it nothing on the picture says whose it is.

    Raises:
        ConfigError: The picture's format is unknown, or a row is missing or given in vain.
        DataError: The row has no recording.
        ParseError: The file is not an ECG that can be read.
    """
    if output.suffix.lower() not in {".svg", ".png", ".pdf"}:
        raise ConfigError(f"`{output}`: no picture format `{output.suffix}`", hint="end the name in .svg, .png or .pdf")
    if source.is_dir():
        if row is None:
            raise ConfigError(f"`{source}` is a store, so a row is needed", hint=f"as in `hfrisk plot {source} 0`")
        signal = hfrisk.open(source).read([row])[0]
    else:
        if row is not None:
            raise ConfigError(f"`{source}` is one recording, so row {row} means nothing", hint="leave the row out")
        signal = hfrisk.parse(source).signal
    save(draw_ecg(signal, title=title), output)


def save(figure: Figure, output: Path) -> None:
    """Write a figure in the format of the name's ending, under its name only once complete."""
    with Outputs(output.parent) as outputs:
        save_to(figure, outputs.path(output.name), output.suffix.lower().removeprefix("."))


def save_to(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure as `svg`, `png` or `pdf`, the same bytes each time."""
    no_date: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with mpl.rc_context({"svg.hashsalt": "hfrisk"}):
        figure.savefig(path, format=kind, dpi=200, metadata=no_date)


def _rows(signal: npt.NDArray[np.float64]) -> list[list[tuple[str, int, npt.NDArray[np.float64]]]]:
    """Rows of (lead, first sample, millimetres above the baseline)."""
    height = {}
    for lead, microvolts in zip(LEADS, signal, strict=True):
        finite = microvolts[np.isfinite(microvolts)]
        height[lead] = (microvolts - (np.median(finite) if finite.size else 0)) / 1000 * MM_PER_MV
    cuts = np.linspace(0, signal.shape[1], len(GRID_LEADS[0]) + 1).astype(int)
    rows = [
        [(lead, int(begin), height[lead][begin:end]) for lead, begin, end in zip(leads, cuts, cuts[1:], strict=False)]
        for leads in GRID_LEADS
    ]
    return [*rows, [("II", 0, height["II"])]]


def _baselines(rows: list[list[tuple[str, int, npt.NDArray[np.float64]]]]) -> tuple[list[float], float]:
    """Baselines from the lowest edge, in mm on thick lines of the grid, and the height: as close as the traces allow."""
    num_columns = len(GRID_LEADS[0])
    up, down = [], []
    for row in rows:
        pieces = [piece for _, _, whole in row for piece in np.array_split(whole, num_columns // len(row))]
        up.append([_reach(piece) for piece in pieces])
        down.append([_reach(-piece) for piece in pieces])
    room = [_rounded(max(up[0]), _EDGE_MM)]
    room += [_rounded(max(np.add(down[i], up[i + 1])) + 2, _ROW_GAP_MM) for i in range(len(rows) - 1)]
    below = _rounded(max(down[-1]), _EDGE_MM)
    height = sum(room) + below
    return [float(height - depth) for depth in np.cumsum(room)], float(height)


def _reach(trace: npt.NDArray[np.float64]) -> float:
    return max(0.0, float(np.max(trace, where=np.isfinite(trace), initial=0.0)))


def _rounded(room_mm: float, bounds: tuple[float, float]) -> float:
    return float(np.clip(5 * np.ceil(room_mm / 5), *bounds))


def _draw_grid(axes: Axes, width: float, height: float) -> None:
    """Lines every 1 mm and thicker ones every 5 mm, each set as one outline, which keeps the file small."""
    for step, colour, line_width in ((1.0, GRID_MINOR, 0.3), (5.0, GRID_MAJOR, 0.5)):
        x, y = np.arange(0, width + step / 2, step), np.arange(0, height + step / 2, step)
        upright = np.stack([np.repeat(x, 2), np.tile([0, height], len(x))], axis=1)
        level = np.stack([np.tile([0, width], len(y)), np.repeat(y, 2)], axis=1)
        vertices = np.concatenate([upright, level])
        outline = Outline(vertices, np.tile([Outline.MOVETO, Outline.LINETO], len(vertices) // 2))
        outline.should_simplify = False
        axes.add_patch(PathPatch(outline, fill=False, edgecolor=colour, linewidth=line_width, gid=f"grid-{step:g}mm"))


def _draw_row(axes: Axes, row: list[tuple[str, int, npt.NDArray[np.float64]]], baseline: float, sampling_rate_hz: float) -> None:
    pulse_x = _PULSE_START_MM + np.array([0, 1, 1, 1 + _PULSE_MM, 1 + _PULSE_MM, 2 + _PULSE_MM])
    axes.plot(pulse_x, baseline + np.array([0, 0, MM_PER_MV, MM_PER_MV, 0, 0]), color=INK, linewidth=0.7, gid="pulse")
    for lead, first_sample, trace in row:
        x = _LEFT_MM + (first_sample + np.arange(trace.size)) / sampling_rate_hz * MM_PER_SECOND
        axes.plot(x, baseline + trace, color=INK, linewidth=0.7, solid_joinstyle="round", gid=f"trace-{lead}")
        if first_sample:
            axes.plot([x[0], x[0]], baseline + np.array([-3, 3]), color=INK, linewidth=0.5)
        label = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.8}
        axes.text(x[0] + 1.5, baseline + 8, lead, va="center", fontsize=8, fontweight="bold", color=INK, bbox=label, zorder=1.5)


def _draw_attribution(
    axes: Axes,
    row: list[tuple[str, int, npt.NDArray[np.float64]]],
    baseline: float,
    sampling_rate_hz: float,
    attribution: npt.NDArray[np.float32],
) -> None:
    """Colour a band behind each trace: red where it raised the logit, blue where it lowered it, stronger for more."""
    width = max(1, round(_BIN_S * sampling_rate_hz))
    sizes = np.abs(_binned(attribution, width))
    strongest = np.quantile(sizes, _STRONGEST) or sizes.max()
    if not strongest > 0:
        return
    for lead, first_sample, trace in row:
        shares = np.clip(_binned(attribution[LEADS.index(lead), first_sample : first_sample + trace.size], width) / strongest, -1, 1)
        x = _LEFT_MM + (first_sample + np.arange(trace.size)) / sampling_rate_hz * MM_PER_SECOND
        points = np.stack([x, baseline + trace], axis=1)
        shown = np.flatnonzero(np.abs(shares) >= _LEAST_SHOWN)
        # One sample more than its bin, so that neighbours meet.
        bands = [points[part * width : (part + 1) * width + 1] for part in shown]
        colours = [mpl.colors.to_rgba(RAISED if shares[part] > 0 else LOWERED, 0.15 + 0.6 * abs(shares[part])) for part in shown]
        axes.add_collection(LineCollection(bands, colors=colours, linewidths=4.5, capstyle="butt", gid=f"attribution-{lead}"))


def _binned(values: npt.NDArray[Any], width: int) -> npt.NDArray[np.float64]:
    """Sums over `width` samples, along the last axis; what is left at its end is a bin of its own."""
    return np.add.reduceat(values, np.arange(0, values.shape[-1], width), axis=-1, dtype=np.float64)
