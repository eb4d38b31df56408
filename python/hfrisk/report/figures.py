"""The charts of the report, drawn from what report.json holds. Lines carry their names; no chart needs its colours to be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

from hfrisk.report.svg import BAND, GRID, INK, QUIET, SERIES_1, SERIES_2, SURFACE, inline
from hfrisk.report.words import fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from matplotlib.axes import Axes

_SIZE_INCHES = (4.6, 3.8)
_SMALL = 8.5
_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
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
    "legend.fontsize": _SMALL,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "lines.solid_capstyle": "round",
}
_SPLIT_LINES: dict[str, dict[str, Any]] = {
    "test": {"color": SERIES_1, "linewidth": 2.0, "zorder": 3},
    "validation": {"color": QUIET, "linewidth": 1.1, "linestyle": (0, (4, 2)), "zorder": 2},
}
_TICK_SPACING = 0.12
"""Of the width of the axis."""
_DENSITY_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def roc(splits: dict[str, Any]) -> Markup:
    """ROC curves of the measured splits, with the diagonal of a coin."""
    with mpl.rc_context(_STYLE):
        figure, axes = _square_axes("False positive rate (1 \N{MINUS SIGN} specificity)", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
        axes.text(0.60, 0.57, "chance", color=QUIET, fontsize=_SMALL, rotation=39, rotation_mode="anchor")
        _plot_splits(axes, splits, curve="roc", metric="auroc")
        axes.legend(loc="lower right", title="AUROC (95 % interval)", alignment="left", title_fontsize=_SMALL)
        return inline(figure, name="roc", label="ROC curve")


def precision_recall(splits: dict[str, Any]) -> Markup:
    """Precision-recall curves of the measured splits, with the prevalence that a useless score has."""
    prevalence = splits["test"]["metrics"]["prevalence"]["value"]
    with mpl.rc_context(_STYLE):
        figure, axes = _square_axes("Recall (sensitivity)", "Precision (positive predictive value)")
        axes.axhline(prevalence, color=QUIET, linewidth=0.8, linestyle=":")
        axes.text(0.01, prevalence + 0.015, "prevalence", color=QUIET, fontsize=_SMALL)
        _plot_splits(axes, splits, curve="precision_recall", metric="auprc", drawstyle="steps-pre")
        axes.legend(loc="upper right", title="AUPRC (95 % interval)", alignment="left", title_fontsize=_SMALL)
        return inline(figure, name="precision-recall", label="Precision-recall curve")


def calibration(measured: dict[str, Any]) -> Markup:
    """Observed against predicted risk: the flexible curve with its band, before recalibration beside it, and bins of equal count."""
    curves = {name: _arrays(measured["curves"][name]) for name in ("calibration", "flexible", "flexible_before")}
    bins, after, before = curves["calibration"], curves["flexible"], curves["flexible_before"]
    upper = float(np.nanmax([after["predicted"].max(), bins["high"].max(), 0.1]))
    upper = min(1.0, np.ceil(10 * upper) / 10)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        axes.plot([0, upper], [0, upper], color=QUIET, linewidth=0.8, linestyle=":")
        axes.fill_between(after["predicted"], after["low"], after["high"], color=BAND, linewidth=0, zorder=1)
        is_moved = not np.allclose(before["predicted"], after["predicted"], atol=1e-4)
        if is_moved:
            axes.plot(
                before["predicted"],
                before["observed"],
                color=QUIET,
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                zorder=2,
                label="before recalibration",
            )
        axes.plot(
            after["predicted"], after["observed"], color=SERIES_1, linewidth=2.0, zorder=3, label="after" if is_moved else "flexible curve"
        )
        error = np.abs(np.stack([bins["low"], bins["high"]]) - bins["observed"])
        axes.errorbar(
            bins["predicted"], bins["observed"], error, fmt="o", color=SERIES_2, elinewidth=0.9, markersize=4.2, markeredgecolor=SURFACE,
            markeredgewidth=0.7, zorder=4, label="bins of equal count",
        )  # fmt: skip
        axes.set(xlim=(0, upper), ylim=(0, upper), xlabel="Predicted risk", ylabel="Observed share")
        axes.legend(loc="best")
        _percent_axes(axes)
        return inline(figure, name="calibration", label="Calibration curve")


def densities(measured: dict[str, Any]) -> Markup:
    """How the risks of those with and without the outcome are spread, along logits labelled as risks."""
    spread = _arrays(measured["curves"]["risk_density"])
    logits = np.log(spread["risk"] / (1 - spread["risk"]))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        named = (("negative", "without the outcome", QUIET, (0, (4, 2))), ("positive", "with the outcome", SERIES_2, "solid"))
        for name, text, colour, dashes in named:
            axes.plot(logits, spread[name], color=colour, linewidth=1.8, linestyle=dashes)
            peak = int(np.argmax(spread[name]))
            axes.annotate(
                text, (logits[peak], spread[name][peak]), (0, 5), textcoords="offset points", ha="center", fontsize=_SMALL, color=INK
            )
        axes.xaxis.set_major_locator(FixedLocator(_spaced_ticks(logits[0], logits[-1])))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda logit, _: f"{100 / (1 + np.exp(-logit)):.3g} %"))
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines["left"].set_visible(False)
        axes.set(xlabel="Predicted risk (logit scale)", ylim=(0, 1.18 * max(spread["negative"].max(), spread["positive"].max())))
        axes.margins(x=0)
        return inline(figure, name="densities", label="Densities of the predicted risks by outcome")


def decisions(measured: dict[str, Any]) -> Markup:
    """Net benefit of acting on the model's risk, beside acting on everybody and on nobody."""
    curve = _arrays(measured["curves"]["net_benefit"])
    highest = float(np.nanmax(np.append(curve["model"], curve["all"][0])))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color=INK, linewidth=0.9)
        axes.fill_between(curve["threshold"], curve["low"], curve["high"], color=BAND, linewidth=0, zorder=1)
        axes.plot(curve["threshold"], curve["all"], color=QUIET, linewidth=1.2, linestyle=(0, (4, 2)), zorder=2)
        axes.plot(curve["threshold"], curve["model"], color=SERIES_1, linewidth=2.0, zorder=3)
        axes.set(
            xlim=(0, 0.5), ylim=(-0.25 * highest, 1.15 * highest), xlabel="Threshold: risk from which one would act", ylabel="Net benefit"
        )
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        axes.text(0.495, -0.02 * highest, "act on nobody", ha="right", va="top", fontsize=_SMALL, color=INK)
        low = int(np.argmin(np.abs(curve["all"] + 0.13 * highest)))
        axes.annotate(
            "act on everybody", (curve["threshold"][low], curve["all"][low]), (6, 0), textcoords="offset points", va="center",
            fontsize=_SMALL, color=INK,
        )  # fmt: skip
        place = int(np.searchsorted(curve["threshold"], 0.2))
        axes.annotate(
            "this model", (curve["threshold"][place], curve["model"][place]), (4, 8), textcoords="offset points", fontsize=_SMALL, color=INK
        )
        return inline(figure, name="decisions", label="Decision curve: net benefit by threshold")


def losses(epochs: Sequence[dict[str, Any]]) -> Markup:
    """Training and validation loss, epoch by epoch; the log counts epochs from 0, readers from 1."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        for key, label, colour, dashes in (
            ("train_loss", "training", QUIET, (0, (4, 2))),
            ("validation_loss", "validation", SERIES_1, "solid"),
        ):
            points = np.array([(epoch["epoch"] + 1, epoch[key]) for epoch in epochs if epoch.get(key) is not None])
            if not len(points):
                continue
            axes.plot(*points.T, color=colour, linewidth=1.6, linestyle=dashes, marker="o", markersize=3)
            axes.annotate(
                label, points[-1], (6, 0), textcoords="offset points", va="center", fontsize=_SMALL, color=INK, annotation_clip=False
            )
        axes.set(xlabel="Epoch", ylabel="Binary cross-entropy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(x=0.04)
        return inline(figure, name="losses", label="Training and validation loss by epoch")


def _arrays(curve: dict[str, list[float | None]]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    return {name: np.array([np.nan if value is None else value for value in values]) for name, values in curve.items()}


def _spaced_ticks(low: float, high: float) -> list[float]:
    """Logits of round risks inside a range, none so near to the one before that their labels would touch."""
    chosen: list[float] = []
    for tick in (float(np.log(risk / (1 - risk))) for risk in _DENSITY_TICKS):
        if low <= tick <= high and (not chosen or tick - chosen[-1] >= _TICK_SPACING * (high - low)):
            chosen.append(tick)
    return chosen


def _percent_axes(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


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
