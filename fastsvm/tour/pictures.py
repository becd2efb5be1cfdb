"""Figures of the report that are of no use elsewhere; :mod:`fastsvm.plots` has the others.

Words come from the texts of the report's language, by way of the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastsvm.datasets import Dataset
from fastsvm.plots.style import BLUE, INK, MUTED, VERMILLION, drawing, look, styled
from fastsvm.storage import as_numbers


def pixels(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Samples as pictures from 0 to 1: (k, height, width) or, in colour, (k, height, width, 3)."""
    assert dataset.image_shape is not None
    height, width, *channels = dataset.image_shape
    X = as_numbers(np.ascontiguousarray(dataset.X[rows]), np.float32)
    low, high = (0.0, 255.0) if dataset.X.dtype == np.uint8 and dataset.X.max() > 16 else (float(X.min()), float(X.max()))
    X = np.clip((X - low) / (high - low or 1.0), 0.0, 1.0)
    if not channels:
        return X.reshape(-1, height, width)
    planes = X.reshape(-1, channels[0], height, width)
    return planes.transpose(0, 2, 3, 1) if channels[0] == 3 else planes.mean(axis=1)


def samples(dataset: Dataset, per_class: int, rng: np.random.Generator) -> Axes:
    """A row of examples for each class."""
    shown = min(dataset.n_classes, 12)
    chosen = []
    for k in range(shown):
        rows = np.flatnonzero(dataset.y == k)
        chosen.append(rng.choice(rows, per_class, replace=len(rows) < per_class) if len(rows) else np.zeros(per_class, int))
    pictures = pixels(dataset, np.concatenate(chosen))
    size, gap = pictures.shape[1:3], max(1, pictures.shape[1] // 12)
    colour = pictures.shape[3:]
    canvas = np.full((shown * (size[0] + gap) - gap, per_class * (size[1] + gap) - gap, *colour), 1.0 if colour else 0.0)
    for place, picture in enumerate(pictures):
        top, left = (place // per_class) * (size[0] + gap), (place % per_class) * (size[1] + gap)
        canvas[top : top + size[0], left : left + size[1]] = picture
    with drawing(None, size=(7.2, 7.2 * canvas.shape[0] / canvas.shape[1] * 0.92)) as ax:
        ax.imshow(canvas, cmap=None if colour else "gray_r", vmin=0, vmax=1, interpolation="nearest")
        middles = np.arange(shown) * (size[0] + gap) + (size[0] - 1) / 2
        ax.set(xticks=[], yticks=middles, yticklabels=dataset.class_names[:shown])
        _as_written(ax)
        ax.tick_params(length=0)
        _bare(ax)
    return ax


def worked_example(
    picture: np.ndarray | None, names: Sequence[str], scores: np.ndarray, label: int, delta: float, words: dict[str, str]
) -> Figure:
    """Scores of one example as bars, and the line that the other classes must stay below."""
    with styled():
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        if picture is None:
            right = figure.add_subplot()
        else:
            left, right = figure.subplots(1, 2, width_ratios=[1, 2.6])
            left.imshow(picture, cmap="gray_r" if picture.ndim == 2 else None, vmin=0, vmax=1, interpolation="nearest")
            left.set(xticks=[], yticks=[])
            left.set_title(names[label], fontsize=10, parse_math=False)
            _bare(left)
        limit = scores[label] - delta
        colours = [BLUE if k == label else VERMILLION if scores[k] > limit else MUTED for k in range(len(scores))]
        places = np.arange(len(scores))[::-1]
        right.barh(places, scores, color=colours, height=0.7)
        for k, place in enumerate(places):
            if k != label and scores[k] > limit:  # what this class adds to the loss
                right.plot([limit, scores[k]], [place, place], color=INK, linewidth=2.2, solid_capstyle="butt")
        right.axvline(limit, color=INK, linestyle=(0, (4, 3)), linewidth=1.1)
        right.axvline(0, color=MUTED, linewidth=0.8)
        right.annotate(
            words["limit"], (limit, 1.0), xycoords=right.get_xaxis_transform(), xytext=(0, 3), textcoords="offset points",
            ha="center", fontsize=9,
        )  # fmt: skip
        right.set(yticks=places, yticklabels=names, xlabel=words["score"])
        _as_written(right)
        right.get_yticklabels()[label].set_color(BLUE)
        right.tick_params(axis="y", length=0)
        right.grid(False, axis="y")
    return figure


def error_against_step(steps: np.ndarray, errors: dict[str, np.ndarray], words: dict[str, str]) -> Axes:
    """Relative error of finite differences against their step, one line for each way of taking them."""
    with drawing(None, size=(6.6, 3.9)) as ax:
        for k, (name, values) in enumerate(errors.items()):
            style = look(k)
            ax.plot(
                steps, np.maximum(values, 1e-17), color=style.color, linestyle=style.linestyle, marker=style.marker, label=name
            )
        ax.set(xscale="log", yscale="log", xlabel=words["step"], ylabel=words["error"])
        ax.legend()
    return ax


def scatter_curves(
    curves: dict[str, tuple[Any, Any]], *, xlabel: str, ylabel: str, log: str = "", size: tuple[float, float] = (6.8, 4.0)
) -> Axes:
    """Lines with markers and a legend: name -> (x, y); ``log`` names the logarithmic axes."""
    with drawing(None, size=size) as ax:
        for k, (name, (x, y)) in enumerate(curves.items()):
            style = look(k)
            marker = style.marker if len(x) <= 30 else None
            ax.plot(x, y, color=style.color, linestyle=style.linestyle, marker=marker, label=name)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if "x" in log:
            ax.set_xscale("log")
        if "y" in log:
            ax.set_yscale("log")
        if len(curves) > 1:
            ax.legend()
    return ax


def _as_written(ax: Axes) -> None:
    """Dollars in names of classes are dollars, not mathematics."""
    for text in ax.get_yticklabels():
        text.set_parse_math(False)


def _bare(ax: Axes) -> None:
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
