"""The picture of docs/estimator.md: suboptimality against time."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from diagrams import MUTED
from fits.data import FILES

#: What is nearer to the bound than this is drawn as if it were here: the bound itself is not much closer to the optimum.
NEAREST = 1e-7

OURS, PEERS = ("o-", 2.0), ("s--", 1.2)


def curves(panels: list[dict[str, Any]]) -> Figure:
    """A panel for each objective and data set; fastsvm's solvers in full lines, its peers in broken ones."""
    sets = list(dict.fromkeys(panel["data"] for panel in panels))
    objectives = list(dict.fromkeys(panel["objective"] for panel in panels))
    figure = Figure(figsize=(4.3 * len(objectives), 4.3 * len(sets)), facecolor="white", layout="constrained")
    grid = figure.subplots(len(sets), len(objectives), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for panel in panels:
        axes = grid[sets.index(panel["data"])][objectives.index(panel["objective"])]
        axes.set_axis_on()
        draw(axes, panel)
    for row in grid:
        row[0].set_ylabel("objective above the certified bound, relative")
    return figure


def draw(axes: Any, panel: dict[str, Any]) -> None:
    """One panel."""
    for one in (one for one in panel["series"] if one["points"]):
        points = np.array([point[:2] for point in one["points"]]).reshape(-1, 2)
        seconds, above = points.T
        marker, width = OURS if one["group"] == "fastsvm" else PEERS
        axes.plot(
            seconds, np.maximum(above, NEAREST), marker, linewidth=width, markersize=3.5, label=one["label"], alpha=0.9
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="seconds of the fit")
    axes.set_title(f"{panel['objective']}\n", loc="left", weight="bold", fontsize=10.5)
    where = f"{FILES[panel['data']][1]}, C = {panel['C']:g}, no intercept"
    axes.text(0, 1.025, where, transform=axes.transAxes, fontsize=8.5, color=MUTED)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#d8dee4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
