"""Figures: one function each, from the results and arrays of the other parts.

    ax = plots.sweep(landscape.step_sizes(W, X, y))
    plots.save(ax, "sweep.png")                               # or .svg, .pdf

    with plots.language("ko"):                                # labels in Korean
        page = plots.to_svg(plots.rates(study))               # to stand in an HTML page

Every function draws in ``ax``, or without it in a new figure of its own, and returns the axes. No display is needed, pyplot is
not used, and matplotlib's settings are afterwards what they were before. Series differ in line and marker as well as in colour
(Okabe and Ito's), and scales from dark to light are perceptually uniform, so that figures can be read in print and by the
colour-blind.
"""

from __future__ import annotations

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError(
        "fastsvm.plots needs matplotlib, which is not installed: pip install matplotlib, or fastsvm with its extra 'plot'"
    ) from error

from fastsvm.plots.checks import confusion_matrix, gradient_check
from fastsvm.plots.comparisons import accuracies, tuning
from fastsvm.plots.curves import loss_curves, search_history
from fastsvm.plots.lines import bowl, line, sweep
from fastsvm.plots.output import save, to_svg
from fastsvm.plots.paths import path_plane, trajectories
from fastsvm.plots.planes import plane_contour, plane_surface
from fastsvm.plots.studies import batch_gradients, batch_sizes, decay, rates
from fastsvm.plots.weights import weight_templates
from fastsvm.plots.words import language

__all__ = [
    "accuracies",
    "batch_gradients",
    "batch_sizes",
    "bowl",
    "confusion_matrix",
    "decay",
    "gradient_check",
    "language",
    "line",
    "loss_curves",
    "path_plane",
    "plane_contour",
    "plane_surface",
    "rates",
    "save",
    "search_history",
    "sweep",
    "to_svg",
    "trajectories",
    "tuning",
    "weight_templates",
]
