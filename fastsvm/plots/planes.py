"""The loss over a plane: as contours and as a surface, with a path on it or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm

from fastsvm.plots.arrays import as_numbers, as_text, check_fields
from fastsvm.plots.style import FAINT, INK, MUTED, SEQUENTIAL, drawing, halo
from fastsvm.plots.words import label
from fastsvm.validation import check_finite, check_real

if TYPE_CHECKING:
    from fastsvm.landscape import Plane

#: Behind coloured paths: light greys, so that they stand out on paper too.
PALE = LinearSegmentedColormap.from_list("pale", ["#FFFFFF", "#C4C4C4"])

#: Values crowd at the low end where half of them are within this share of their range.
CROWDED = 0.2

#: Behind words on colours. A halo around the letters would turn them into outlines in an SVG.
PAPER = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "boxstyle": "round,pad=0.15"}

#: Values at which contours are drawn.
LEVELS = 12


def plane_contour(plane: Plane, *, path: Any = None, ax: Axes | None = None) -> Axes:
    """The loss over a plane through W as colours with contours; dark is low.

    Parameters
    ----------
    plane : landscape.Plane
        ``a`` (m,), ``b`` (k,), ``loss`` (k, m). W itself, at (0, 0), is marked where the plane holds it.
    path : array (points, 2), optional
        Coordinates (a, b) of points to join, from the start to the end.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    a, b, loss = as_plane("plane", plane)
    points = None if path is None else as_numbers("path", path, shape=(None, 2))
    with drawing(ax, size=(5.8, 4.6)) as ax:
        draw_plane(ax, a, b, loss)
        if points is None and a.min() <= 0 <= a.max() and b.min() <= 0 <= b.max():
            _mark(ax, 0.0, 0.0, "+", "W")
        if points is not None:
            draw_path(ax, points)
        ax.set(xlabel=label("along first"), ylabel=label("along second"))
    return ax


def plane_surface(
    plane: Plane, *, path: Any = None, elevation: float = 32.0, azimuth: float = -60.0, ax: Axes | None = None
) -> Axes:
    """The loss over a plane through W as a surface in three dimensions.

    Parameters
    ----------
    plane : landscape.Plane
        ``a`` (m,), ``b`` (k,), ``loss`` (k, m).
    path : array (points, 2), optional
        Coordinates (a, b) of points to join; their heights are interpolated from the plane. Points outside it are left out.
    elevation, azimuth : float, degrees
        Where the reader stands.
    ax : Axes with projection="3d", optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes (3-d)
    """
    a, b, loss = as_plane("plane", plane)
    points = None if path is None else as_numbers("path", path, shape=(None, 2))
    elevation, azimuth = check_real("elevation", elevation), check_real("azimuth", azimuth)
    with drawing(ax, size=(6.0, 4.8), projection="3d") as ax:
        _draw_surface(ax, a, b, loss, points)
        ax.view_init(elevation, azimuth)  # type: ignore[attr-defined]
    return ax


def _draw_surface(ax: Any, a: np.ndarray, b: np.ndarray, loss: np.ndarray, points: np.ndarray | None) -> None:
    ax.computed_zorder = False  # else the surface hides the path in places
    low, high = _limits(loss)
    floor = low - 0.25 * (high - low)
    floor = floor if low < 0 else max(0.0, floor)  # no heights that a loss cannot have
    ax.plot_surface(
        *np.meshgrid(a, b), loss, cmap=SEQUENTIAL, vmin=low, vmax=high, rcount=50, ccount=50, linewidth=0.3,
        edgecolor=(1, 1, 1, 0.35), rasterized=True, zorder=2,
    )  # fmt: skip
    levels = np.linspace(low, high, LEVELS + 2)[1:-1]
    ax.contour(a, b, loss, levels=levels, zdir="z", offset=floor, cmap=SEQUENTIAL, linewidths=0.8, zorder=1)
    if points is not None:
        height = _heights(a, b, loss, points)
        ax.plot(points[:, 0], points[:, 1], height, color="white", linewidth=2.2, path_effects=halo(4.0, INK), zorder=4)
        inside = np.flatnonzero(np.isfinite(height))
        for k, marker in [(0, "o"), (-1, "*")] if inside.size else []:
            place = inside[k]
            ax.plot(*points[place], height[place], marker, color="white", markersize=10, markeredgecolor=INK, zorder=5)
    ax.set(xlabel=label("along first"), ylabel=label("along second"), zlabel=label("loss"), zlim=(floor, high))
    ax.tick_params(labelsize=8, pad=1)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color("white")
        axis._axinfo["grid"].update(color=FAINT)  # 3-d axes have no public way to it
    ax.set_box_aspect(None, zoom=0.9)  # room for the label of the vertical axis


def as_plane(name: str, plane: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_fields(name, plane, "a b loss", "what fastsvm.landscape.plane returns")
    a = as_numbers(f"{name}.a", plane.a)
    b = as_numbers(f"{name}.b", plane.b)
    if len(a) < 2 or len(b) < 2:
        raise ValueError(f"{name}.a and {name}.b must hold at least 2 numbers each; got {len(a)} and {len(b)}")
    loss = as_numbers(f"{name}.loss", plane.loss, shape=(len(b), len(a)))
    for axis, values in (("a", a), ("b", b)):
        check_finite(f"{name}.{axis}", values)
        if not (np.diff(values) > 0).all():
            k = int((np.diff(values) <= 0).argmax())
            raise ValueError(f"{name}.{axis} must be ascending; got {values[k]:g} before {values[k + 1]:g}")
    return a, b, loss


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest finite value; never equal."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return low, high if high > low else low + max(1e-12, abs(low) * 1e-6)


def _power(values: np.ndarray) -> float:
    """Exponent of the scale of colours and contours: 1, or one that parts values which crowd at the low end."""
    low, high = _limits(values)
    middle = (float(np.nanmedian(values)) - low) / (high - low)
    return 1.0 if middle > CROWDED else float(max(0.2, np.log(0.5) / np.log(max(middle, 1e-6))))


def _colors(ax: Axes, a: np.ndarray, b: np.ndarray, values: np.ndarray, cmap: Any, norm: PowerNorm) -> ScalarMappable:
    """The values as colours. An image of an even grid takes a fraction of the bytes of a mesh."""
    steps = np.diff(a), np.diff(b)
    if all(np.allclose(step, step[0], rtol=1e-3) for step in steps):
        half = steps[0][0] / 2, steps[1][0] / 2
        extent = (a[0] - half[0], a[-1] + half[0], b[0] - half[1], b[-1] + half[1])
        return ax.imshow(
            values, cmap=cmap, norm=norm, extent=extent, origin="lower", aspect="auto", interpolation="bilinear", zorder=0
        )  # fmt: skip
    return ax.pcolormesh(a, b, values, cmap=cmap, norm=norm, shading="gouraud", rasterized=True, zorder=0)


def draw_plane(ax: Axes, a: np.ndarray, b: np.ndarray, loss: np.ndarray) -> None:
    low, high = _limits(loss)
    norm = PowerNorm(_power(loss), vmin=low, vmax=high)
    mesh = _colors(ax, a, b, loss, SEQUENTIAL, norm)
    levels = norm.inverse(np.linspace(0, 1, LEVELS + 2))[1:-1]
    lines = ax.contour(a, b, loss, levels=levels, colors=["white"], linewidths=0.7, alpha=0.8, zorder=1)
    for text in ax.clabel(lines, levels=levels[1::3], fmt=as_text, fontsize=8, colors=[INK]):
        text.set_bbox(PAPER)
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(mesh, ax=ax, pad=0.02, aspect=28)
    bar.set_label(label("loss"))
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=8)
    ax.grid(False)
    ax.set(xlim=(a.min(), a.max()), ylim=(b.min(), b.max()))


def pale_plane(ax: Axes, a: np.ndarray, b: np.ndarray, values: np.ndarray) -> None:
    """A background for coloured paths: light is low."""
    low, high = _limits(values)
    norm = PowerNorm(_power(values), vmin=low, vmax=high)
    _colors(ax, a, b, values, PALE, norm)
    levels = norm.inverse(np.linspace(0, 1, LEVELS + 2))
    ax.contour(a, b, values, levels=levels, colors=[MUTED], linewidths=0.5, linestyles="solid", alpha=0.6, zorder=1)
    ax.grid(False)
    ax.set(xlim=(a.min(), a.max()), ylim=(b.min(), b.max()))


def draw_path(ax: Axes, points: np.ndarray) -> None:
    ax.plot(points[:, 0], points[:, 1], color="white", linewidth=1.6, path_effects=halo(3.4, INK), zorder=3)
    if len(points) <= 60:
        ax.plot(
            points[:, 0], points[:, 1], ".", color="white", markersize=4, markeredgecolor=INK, markeredgewidth=0.5, zorder=4
        )
    _mark(ax, points[0, 0], points[0, 1], "o", label("start"))
    _mark(ax, points[-1, 0], points[-1, 1], "*", label("end"))


def _mark(ax: Axes, x: float, y: float, marker: str, text: str) -> None:
    size = 13 if marker == "*" else 8
    if marker == "+":
        ax.plot(x, y, marker, color="white", markersize=11, markeredgewidth=2, path_effects=halo(4.0, INK), zorder=5)
    else:
        ax.plot(x, y, marker, color="white", markersize=size, markeredgecolor=INK, zorder=5)
    say(ax, x, y, text)


def say(ax: Axes, x: float, y: float, text: str) -> None:
    """A word beside a point, towards the middle of the axes so that it stays inside, in place of numbers that stand there."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    towards_left, towards_bottom = x > left + 0.6 * (right - left), y > bottom + 0.8 * (top - bottom)
    figure = ax.get_figure(root=True)
    assert figure is not None
    middle = ax.transData.transform((x, y)) + np.array([-24 if towards_left else 24, -14 if towards_bottom else 14]) * (
        figure.dpi / 72
    )
    for number in ax.texts:
        apart = np.abs(ax.transData.transform(number.get_position()) - middle) * 72 / figure.dpi
        if number.get_transform() == ax.transData and apart[0] < 36 and apart[1] < 15:
            number.set_visible(False)
    ax.annotate(
        text, (x, y), xytext=(-8 if towards_left else 8, -8 if towards_bottom else 8), textcoords="offset points",
        ha="right" if towards_left else "left", va="top" if towards_bottom else "bottom", color=INK, fontsize=9.5,
        bbox=PAPER, zorder=21, annotation_clip=True,
    )  # fmt: skip


def _heights(a: np.ndarray, b: np.ndarray, loss: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The plane's loss at points (a, b), interpolated; NaN outside it."""
    from scipy.interpolate import RegularGridInterpolator

    grid = RegularGridInterpolator((b, a), loss, bounds_error=False)
    return np.asarray(grid(points[:, ::-1]))
