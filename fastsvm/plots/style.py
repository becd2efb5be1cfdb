"""How figures look: colours, line styles, the axes they are drawn in.

Nothing here, or anywhere in this package, uses pyplot: a figure belongs to its axes alone and is freed with them, and no
display is needed. Settings hold while a figure is drawn and are then put back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogFormatterMathtext

from fastsvm.plots.arrays import as_text
from fastsvm.plots.fonts import families

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is lost on white paper.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
INK, MUTED, FAINT = "#222222", "#666666", "#DDDDDD"

#: Perceptually uniform from dark to light, the same to readers with and without red and green.
SEQUENTIAL = "viridis"

#: Points of a scatter or cells of a plane from which on an SVG holds an image of them in place of their outlines.
RASTER_FROM = 500

#: Resolution of those images and of PNG files, dots per inch.
DPI = 150

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "font.size": 10,
    "mathtext.fontset": "dejavusans",
    "text.usetex": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "fastsvm",
    "pdf.fonttype": 42,
}


class Look(NamedTuple):
    """What tells one series from the others, in colour and without."""

    color: str
    linestyle: Any
    marker: str


LOOKS = (
    Look(BLUE, "-", "o"),
    Look(VERMILLION, (0, (5, 1.5)), "s"),
    Look(GREEN, (0, (5, 1.5, 1, 1.5)), "^"),
    Look(INK, (0, (1.2, 1.2)), "D"),
    Look(PURPLE, (0, (8, 2)), "v"),
    Look(ORANGE, (0, (3, 1, 1, 1, 1, 1)), "P"),
    Look(SKY, "-", "X"),
)


def look(k: int) -> Look:
    """The look of series ``k``; the seven repeat."""
    return LOOKS[k % len(LOOKS)]


#: rcParams belong to the process: one figure is drawn, and its settings put back, before the next.
_lock = threading.RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style above; what was set before is put back."""
    settings: Any = {**STYLE, "font.family": families()}
    with _lock, matplotlib.rc_context(settings):
        yield


@contextmanager
def drawing(ax: Axes | None, *, size: tuple[float, float] = (6.4, 4.0), projection: str | None = None) -> Iterator[Axes]:
    """Axes to draw in: ``ax``, or the only ones of a new figure of ``size`` inches that no one else holds.

    Raises
    ------
    TypeError
        If ``ax`` is not matplotlib's Axes.
    ValueError
        If a 3-d figure is to go into flat axes or the other way round.
    """
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib Axes or None; got {type(ax).__name__}")
    if ax is not None and (ax.name == "3d") != (projection == "3d"):
        wanted = "made with projection='3d'" if projection == "3d" else "flat, not 3-d"
        raise ValueError(f"ax must be {wanted}; got {type(ax).__name__}")
    with styled():
        if ax is None:
            ax = Figure(figsize=size, layout="constrained").add_subplot(projection=projection)
        yield ax


def halo(width: float = 2.5, color: str = "white") -> list[Any]:
    """Path effect that sets a line off from what is behind it."""
    return [withStroke(linewidth=width, foreground=color)]


class _PlainNumbers(LogFormatterMathtext):
    """Ticks of a logarithmic axis as 0.2, 30, 4,000 where all can be written so, else as powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)  # empty where there would be too many
        assert self.axis is not None
        low, high = sorted(self.axis.get_view_interval())
        return as_text(x) if text and low >= 1e-4 and high < 1e5 else text


def log_heights(ax: Axes) -> None:
    """Make the vertical axis logarithmic."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(_PlainNumbers())
    ax.yaxis.set_minor_formatter(_PlainNumbers(labelOnlyBase=False, minor_thresholds=(1.2, 0.7)))


def label_ends(ax: Axes, ends: list[tuple[float, float, str, str]], linestyles: Sequence[Any] = ()) -> None:
    """Write each name at the right edge of the axes, as near the height of its curve's end as the others allow.

    Call it when everything is drawn: the limits of the axes stay as they are then.

    Parameters
    ----------
    ends : list of (x, y, text, color)
        Last points of curves.
    linestyles : sequence, optional
        One per curve, a piece of which is then drawn before its name: for curves that share a colour.
    """
    if not ends:
        return
    ax.autoscale_view()
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    to_fraction = ax.transScale + ax.transLimits
    points = np.clip(np.nan_to_num([to_fraction.transform((x, y)) for x, y, _, _ in ends], nan=1.0), 0.0, 1.0)
    size = matplotlib.rcParams["font.size"] - 1
    figure = ax.get_figure(root=True)
    assert figure is not None
    height = 72 * figure.get_figheight() * ax.get_position().height
    places = spread(points[:, 1], 1.35 * size / height)
    start = 1.085 if linestyles else 1.025
    for linestyle, (_, _, _, color), place in zip(linestyles, ends, places, strict=False):
        piece = Line2D([1.02, 1.075], [place, place], color=color, linestyle=linestyle, linewidth=1.3, transform=ax.transAxes)
        piece.set_clip_on(False)
        ax.add_artist(piece)
    for (_, _, text, color), (x, y), place in zip(ends, points, places, strict=True):
        leader = Line2D([x, 1.015], [y, place], color=color, linewidth=0.6, alpha=0.6, transform=ax.transAxes, clip_on=False)
        ax.add_artist(leader)
        ink = 0.6 * np.array(to_rgb(color)) + 0.4 * np.array(to_rgb(INK))  # thin letters need more contrast than lines
        ax.text(start, place, text, color=tuple(ink), fontsize=size, va="center", transform=ax.transAxes)


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Heights at least ``gap`` apart, in the order of the wanted ones and near them: what is too close shares its mean."""
    order = np.argsort(wanted, kind="stable")
    clusters: list[list[float]] = []
    for value in wanted[order].tolist():
        clusters.append([value])
        while len(clusters) > 1:
            low, high = clusters[-2:]
            if np.mean(high) - np.mean(low) >= gap * (len(low) + len(high)) / 2:
                break
            low.extend(clusters.pop())
    placed = [np.mean(one) + gap * (k - (len(one) - 1) / 2) for one in clusters for k in range(len(one))]
    result = np.empty(len(wanted))
    result[order] = placed
    return result
