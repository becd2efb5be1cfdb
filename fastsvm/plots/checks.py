"""Checks of a classifier and of its gradients: what is confused with what, and analytic against numerical gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from fastsvm.plots.arrays import as_numbers, check_fields
from fastsvm.plots.style import BLUE, INK, MUTED, ORANGE, RASTER_FROM, VERMILLION, drawing
from fastsvm.plots.words import label
from fastsvm.validation import check_flag, check_labels

if TYPE_CHECKING:
    from fastsvm.gradients import GradientCheck

#: Classes up to this many have their counts written in the cells.
COUNTED = 20


def confusion_matrix(
    y_true: Any, y_pred: Any, *, class_names: Sequence[str] | None = None, shares: bool = False, ax: Axes | None = None
) -> Axes:
    """How often each class was taken for each: rows are what samples are, columns what they were taken for.

    Shades are shares of a row, so that large classes do not outshine small ones.

    Parameters
    ----------
    y_true, y_pred : integer arrays (n_samples,)
        Class indices.
    class_names : sequence of str, optional
        One per class, by default the indices of the classes that occur.
    shares : bool, default False
        Whether cells hold per cent of their row in place of counts.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    y_true = np.asarray(y_true)
    y_true = check_labels("y_true", y_true, n_samples=y_true.shape[0] if y_true.ndim else 0)
    y_pred = check_labels("y_pred", np.asarray(y_pred), n_samples=len(y_true))
    n_classes = int(max(y_true.max(), y_pred.max())) + 1 if class_names is None else len(class_names)
    for name, labels in (("y_true", y_true), ("y_pred", y_pred)):
        check_labels(name, labels, n_samples=len(labels), n_classes=n_classes)
    check_flag("shares", shares)
    names = [str(k) for k in range(n_classes)] if class_names is None else [str(name) for name in class_names]
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (y_true, y_pred), 1)
    fractions = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = 2.2 + 0.44 * min(n_classes, 16)
    with drawing(ax, size=(side + 0.6, side)) as ax:
        image = ax.imshow(fractions, cmap="Blues", vmin=0.0, vmax=1.0, interpolation="none")
        if n_classes <= COUNTED:
            for row, column in np.ndindex(counts.shape):
                text = f"{100 * fractions[row, column]:.0f}" if shares else f"{counts[row, column]}"
                if counts[row, column]:
                    ax.text(
                        column, row, text, ha="center", va="center", fontsize=8 if counts.max() < 10_000 else 7,
                        color="white" if fractions[row, column] > 0.55 else INK,
                    )  # fmt: skip
        longest = max(map(len, names))
        if n_classes <= 2 * COUNTED:
            ax.set_xticks(range(n_classes), names, rotation=0 if longest <= 3 else 45, ha="center" if longest <= 3 else "right")
            ax.set_yticks(range(n_classes), names)
        if longest > 3:
            ax.tick_params(axis="x", pad=1)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.set(xlabel=label("predicted"), ylabel=label("actual"))
        figure = ax.get_figure()
        assert figure is not None
        bar = figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02, aspect=28)
        bar.set_ticks([0.0, 0.5, 1.0], labels=["0 %", "50 %", "100 %"])
        bar.set_label(label("share of row"))
        bar.outline.set_visible(False)  # type: ignore[operator]
    return ax


def gradient_check(check: GradientCheck, *, ax: Axes | None = None) -> Axes:
    """Analytic against numerical gradient, one point per coordinate, and how their relative errors are distributed.

    Coordinates at a kink, which are not judged, are drawn apart.

    Parameters
    ----------
    check : GradientCheck
        As :func:`fastsvm.check_gradient` and :func:`fastsvm.check_objective_gradient` return it.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_fields("check", check, "analytic numerical relative_error kink tolerance", "what fastsvm.check_gradient returns")
    analytic = as_numbers("check.analytic", check.analytic)
    numerical = as_numbers("check.numerical", check.numerical, shape=analytic.shape)
    errors = as_numbers("check.relative_error", check.relative_error, shape=analytic.shape)
    kink = as_numbers("check.kink", check.kink, shape=analytic.shape).astype(bool)
    wrong = ~kink & ~(errors <= check.tolerance)
    right = ~kink & ~wrong
    with drawing(ax, size=(5.6, 4.8)) as ax:
        many = len(analytic) > RASTER_FROM
        both = np.concatenate([analytic, numerical])
        reach = np.array([np.nanmin(both), np.nanmax(both)])
        ax.plot(reach, reach, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        groups: tuple[tuple[np.ndarray, str, dict[str, Any]], ...] = (
            (right, "passing", {"marker": "o", "color": BLUE, "alpha": 0.6, "markeredgecolor": "none"}),
            (kink, "at kinks", {"marker": "D", "color": "none", "markeredgecolor": ORANGE, "markersize": 6}),
            (wrong, "failing", {"marker": "X", "color": VERMILLION, "markeredgecolor": "white", "markersize": 9}),
        )
        for chosen, key, look in groups:
            if chosen.any():
                count = f"{label(key)} ({int(chosen.sum()):,})"
                ax.plot(analytic[chosen], numerical[chosen], linestyle="none", rasterized=many, label=count, **look)
        ax.set(xlabel=label("analytic"), ylabel=label("numerical"))
        ax.ticklabel_format(scilimits=(-3, 4))
        ax.margins(0.06)
        ax.legend(loc="upper left")
        _error_histogram(ax, errors[~kink], float(check.tolerance))
    return ax


def _error_histogram(ax: Axes, errors: np.ndarray, tolerance: float) -> None:
    """A small histogram of relative errors in the lower right corner, below the diagonal."""
    inset = ax.inset_axes((0.62, 0.13, 0.35, 0.24))
    exponents = np.log10(np.clip(errors[np.isfinite(errors)], 1e-16, 1e3))
    if exponents.size:
        inset.hist(
            exponents, bins=np.arange(np.floor(exponents.min()), np.ceil(exponents.max()) + 0.51, 0.5).tolist(), color=BLUE
        )
    inset.axvline(np.log10(tolerance), color=VERMILLION, linewidth=1.2)
    inset.annotate(
        label("tolerance"), (np.log10(tolerance), 1.0), xycoords=inset.get_xaxis_transform(), xytext=(0, 2),
        textcoords="offset points", ha="center", va="bottom", color=VERMILLION, fontsize=8,
    )  # fmt: skip
    low, high = inset.get_xlim()
    ticks = np.unique(np.linspace(np.ceil(low), np.floor(high), 4).astype(int))
    inset.set_xticks(ticks, [f"$10^{{{k}}}$" for k in ticks])
    inset.set_yticks([])
    inset.grid(False)
    inset.spines["left"].set_visible(False)
    inset.patch.set_alpha(0.0)
    inset.tick_params(labelsize=8)
    inset.set_xlabel(label("relative error"), fontsize=8.5)
