"""A figure by every function of fastsvm.plots, of small real results, and how to read one."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fastsvm[plot]'")
from matplotlib.axes import Axes
from matplotlib.text import Text

import fastsvm
from fastsvm import effects, landscape, plots, search, trajectories, tuning

CLASS_NAMES = tuple("abc")


@cache
def results() -> SimpleNamespace:
    """Small real results of every part that figures are drawn of."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), np.arange(60) % 3
    X[np.arange(60), y] += 2.0
    W, D1, D2 = (rng.standard_normal((3, 4)) for _ in range(3))
    a = np.linspace(-1, 1, 21)
    data: dict[str, Any] = {"X": X, "y": y, "W": W}
    training = {"batch_size": 20, "standardize": "none"}
    trained = fastsvm.train(X, y, epochs=4, record="update", validation=(X, y), **training)
    paths = [
        trajectories.record_path(X, y, epochs=4, optimizer=optimizer, **training)
        for optimizer in (fastsvm.SGD(0.1), fastsvm.Adam(0.1))
    ]
    planes = trajectories.path_planes(X, y, paths, resolution=9)
    decayed = effects.decay_study(X, y, epochs=12, optimizer=fastsvm.SGD(0.05), **training)
    return SimpleNamespace(
        **data,
        trained=trained,
        line=landscape.line(W, X, y, D1, a, alpha=0.1),
        kinks=landscape.breakpoints(W, X, y, D1),
        plane=landscape.plane(W, X, y, D1, D2, a, a),
        bowl=landscape.bowl(np.linspace(-3, 3, 50)),
        sweep=landscape.step_sizes(W, X, y),
        random=search.random_search(X, y, n_attempts=30, scale=0.1, standardize="none"),
        path=planes[0],
        paths=dict(zip(("SGD", "Adam"), planes, strict=True)),
        descents=trajectories.side_by_side("bowl", steps=10),
        rates=effects.learning_rates(X, y, [1e-6, 0.05, 1e300], epochs=4, optimizer="sgd", **training),
        decayed=decayed,
        batches=effects.batch_gradients(W, X, y, [1, 4, 16, "full"], draws=8),
        sizes=effects.batch_sizes(X, y, [8, "full"], epochs=3, standardize="none"),
        tuned=tuning.tune(
            X, y, learning_rates=[0.01, 1e20], alphas=[0.0, 0.1, 1.0], method="grid", epochs=2, standardize="none"
        ),
        check=fastsvm.check_objective_gradient(W, X, y),
    )


#: A call of every function that draws, with ``ax`` still to be given.
FIGURES: dict[str, Callable[..., Axes]] = {
    "accuracies": lambda **at: plots.accuracies({"one": 0.2, "two": 0.4}, lecture={"one": 0.155}, chance=0.1, **at),
    "batch_gradients": lambda **at: plots.batch_gradients(results().batches, **at),
    "batch_sizes": lambda **at: plots.batch_sizes(results().sizes, **at),
    "bowl": lambda **at: plots.bowl(results().bowl, **at),
    "confusion_matrix": lambda **at: plots.confusion_matrix([0, 1, 2, 2], [0, 2, 2, 2], class_names=CLASS_NAMES, **at),
    "decay": lambda **at: plots.decay(results().decayed.curves[0], (3, 6), decayed=results().decayed.curves[-1], **at),
    "gradient_check": lambda **at: plots.gradient_check(results().check, **at),
    "line": lambda **at: plots.line(results().line, results().kinks, **at),
    "loss_curves": lambda **at: plots.loss_curves({"trained": results().trained, "array": [3.0, 2.0, np.nan]}, **at),
    "path_plane": lambda **at: plots.path_plane(results().path, **at),
    "plane_contour": lambda **at: plots.plane_contour(results().plane, path=[[-0.5, 0.5], [0.0, 0.0]], **at),
    "plane_surface": lambda **at: plots.plane_surface(results().plane, path=[[-0.5, 0.5], [0.0, 0.0]], **at),
    "rates": lambda **at: plots.rates(results().rates, **at),
    "search_history": lambda **at: plots.search_history(results().random, **at),
    "sweep": lambda **at: plots.sweep(results().sweep, lecture=True, **at),
    "trajectories": lambda **at: plots.trajectories(trajectories.SURFACES["bowl"], results().descents, **at),
    "tuning": lambda **at: plots.tuning(results().tuned, **at),
    "weight_templates": lambda **at: plots.weight_templates(results().W, image_shape=(2, 2), class_names=CLASS_NAMES, **at),
}

every_figure = pytest.mark.parametrize("name", FIGURES)


def texts(ax: Axes) -> list[str]:
    """All that is written in a figure, but the numbers of axes."""
    return [artist.get_text() for artist in ax.get_figure().findobj(Text) if re.search(r"[^\W\d_]", artist.get_text())]


def curve(ax: Axes, k: int) -> np.ndarray:
    """The points (n, 2) of a line."""
    return ax.get_lines()[k].get_xydata()
