"""The charts of the report, drawn from what report.json holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hfrisk.report.svg import GRID, INK, QUIET, SERIES_1, SERIES_2, SURFACE, inline
from hfrisk.report.words import fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from matplotlib.axes import Axes

_SIZE_INCHES = (4.4, 3.7)
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "lines.solid_capstyle": "round",
}
_SPLIT_LINES: dict[str, dict[str, Any]] = {
    "test": {"color": SERIES_1, "linewidth": 1.9, "zorder": 3},
    "validation": {"color": SERIES_2, "linewidth": 1.1, "linestyle": (0, (4, 2)), "zorder": 2},
}


def roc(splits: dict[str, Any]) -> Markup:
    """ROC curves of the measured splits, with the diagonal of a coin."""
    with mpl.rc_context(_STYLE):
        figure, axes = _square_axes("False positive rate (1 - specificity)", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
        _plot_splits(axes, splits, curve="roc", metric="auroc")
        axes.legend(loc="lower right", title="AUROC (95 % interval)", alignment="left", title_fontsize=8.5)
        return inline(figure, name="roc", label="ROC curve")


def precision_recall(splits: dict[str, Any]) -> Markup:
    """Precision-recall curves of the measured splits, with the prevalence that a useless score has."""
    prevalence = splits["test"]["metrics"]["prevalence"]["value"]
    with mpl.rc_context(_STYLE):
        figure, axes = _square_axes("Recall (sensitivity)", "Precision (positive predictive value)")
        axes.axhline(prevalence, color=QUIET, linewidth=0.8, linestyle=":")
        axes.text(0.01, prevalence + 0.015, "prevalence", color=QUIET, fontsize=8)
        _plot_splits(axes, splits, curve="precision_recall", metric="auprc", drawstyle="steps-pre")
        axes.legend(loc="upper right", title="AUPRC (95 % interval)", alignment="left", title_fontsize=8.5)
        return inline(figure, name="precision-recall", label="Precision-recall curve")


def calibration(measured: dict[str, Any]) -> Markup:
    """Observed against predicted risk, over the histograms of the risks with and without the outcome."""
    curve = {name: np.array(values) for name, values in measured["curves"]["calibration"].items()}
    histogram = {name: np.array(values) for name, values in measured["risk_histogram"].items()}
    occupied = np.flatnonzero(histogram["negative"] + histogram["positive"])
    upper = min(1.0, np.ceil(10 * max(histogram["edges"][occupied[-1] + 1], curve["high"].max())) / 10)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
        axes.plot([0, upper], [0, upper], color=QUIET, linewidth=0.8, linestyle=":")
        error = np.abs(np.stack([curve["low"], curve["high"]]) - curve["observed"])
        axes.errorbar(
            curve["predicted"], curve["observed"], error, fmt="o-", color=SERIES_1, linewidth=1.2, elinewidth=1.0, markersize=4.5,
            markeredgecolor=SURFACE, markeredgewidth=0.7,
        )  # fmt: skip
        axes.set(xlim=(0, upper), ylim=(0, upper), ylabel="Observed share")
        for name, colour, sign in (("positive", SERIES_2, 1), ("negative", QUIET, -1)):
            share = sign * histogram[name] / max(1, histogram[name].max())
            below.stairs(share, histogram["edges"], fill=True, color=colour, alpha=0.75)
        for y, text in ((0.93, "with outcome"), (-0.93, "without")):
            below.text(0.995, y, text, transform=below.get_yaxis_transform(), ha="right", va="center", fontsize=8, color=QUIET)
        below.axhline(0, color=QUIET, linewidth=0.5)
        below.set(xlabel="Predicted risk", ylim=(-1.15, 1.15), yticks=[])
        below.grid(visible=False)
        below.spines["left"].set_visible(False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        return inline(figure, name="calibration", label="Calibration curve over histograms of the predicted risks")


def losses(epochs: Sequence[dict[str, Any]]) -> Markup:
    """Training and validation loss, epoch by epoch; the log counts epochs from 0, readers from 1."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        for key, label, colour in (("train_loss", "training", QUIET), ("validation_loss", "validation", SERIES_2)):
            points = [(epoch["epoch"] + 1, epoch[key]) for epoch in epochs if epoch.get(key) is not None]
            axes.plot(*np.array(points).T, label=label, color=colour, linewidth=1.5, marker="o", markersize=3)
        axes.set(xlabel="Epoch", ylabel="Binary cross-entropy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper right")
        return inline(figure, name="losses", label="Training and validation loss by epoch")


def _square_axes(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.005, 1.005), ylim=(-0.005, 1.02), xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def _plot_splits(axes: Axes, splits: dict[str, Any], *, curve: str, metric: str, drawstyle: str = "default") -> None:
    for split, style in _SPLIT_LINES.items():
        if "curves" in splits[split]:
            points, estimate = splits[split]["curves"][curve], splits[split]["metrics"][metric]
            label = f"{split} {fixed(estimate['value'])} ({fixed(estimate['low'])} to {fixed(estimate['high'])})"
            axes.plot(points["x"], points["y"], label=label, drawstyle=drawstyle, **style)
