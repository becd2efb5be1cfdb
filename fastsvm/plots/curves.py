"""Losses over time: of trainings, and of the attempts of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fastsvm.plots.arrays import as_numbers, as_text, check_fields
from fastsvm.plots.style import BLUE, INK, MUTED, RASTER_FROM, VERMILLION, Look, drawing, label_ends, log_heights, look
from fastsvm.plots.words import label
from fastsvm.training.history import History
from fastsvm.validation import check_choice, check_flag, check_integer

if TYPE_CHECKING:
    from fastsvm.search import SearchResult


def loss_curves(
    curves: Mapping[str, Any] | Any,
    *,
    per: str = "epoch",
    column: str = "loss",
    smooth: int = 1,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Loss (or accuracy) of one or several trainings.

    A curve whose numbers stop being finite ends in a cross where the last finite one was: the training diverged.

    Parameters
    ----------
    curves : mapping of name to curve, or a single curve
        A curve is a `History`, anything with a ``history`` (a `TrainResult`), or an array (points,) of one number per epoch
        or update. Validation losses of a history are drawn thinner and lighter beside the losses.
    per : {"epoch", "update"}, default "epoch"
        What the numbers belong to. Of a history, "update" takes ``update_losses``, which ``record="update"`` keeps.
    column : {"loss", "accuracy"}, default "loss"
        Which numbers of a history, per epoch.
    smooth : int >= 1, default 1
        Numbers that are averaged for a point of the line; the numbers themselves are drawn faintly behind it.
    log : bool, default False
        Whether losses are drawn on a logarithmic axis.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    check_choice("per", per, ("epoch", "update"))
    check_choice("column", column, ("loss", "accuracy"))
    smooth = check_integer("smooth", smooth, at_least=1)
    check_flag("log", log)
    named = _named_curves(curves, per, column)
    with drawing(ax) as ax:
        ends = []
        for k, (name, (values, validation)) in enumerate(named.items()):
            style = look(k)
            end = draw_curve(ax, values, style, smooth=smooth)
            if name or validation is not None:
                ends.append((*end, name or label("training"), style.color))
            if validation is not None:
                end = draw_curve(ax, validation, style, width=1.0, alpha=0.7)
                ends.append((*end, label("validation", name=name) if name else label("validation only"), style.color))
        if log:
            log_heights(ax)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel=label(per), ylabel=label(column))
        label_ends(ax, ends)
    return ax


def _named_curves(curves: Any, per: str, column: str) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    if not isinstance(curves, Mapping):
        return {"": numbers_of("curves", curves, per, column)}
    if not curves:
        raise ValueError("curves must hold at least one curve; got an empty mapping")
    return {str(name): numbers_of(f"curves[{name!r}]", curve, per, column) for name, curve in curves.items()}


def numbers_of(name: str, curve: Any, per: str, column: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The numbers of a curve, and those of its validation set or ``None``."""
    history = getattr(curve, "history", curve)
    if not isinstance(history, History):
        return as_numbers(name, curve), None
    if per == "update":
        if history.update_losses is None:
            raise ValueError(f"{name} must hold a loss per update; train with record='update'")
        return as_numbers(name, history.update_losses), None
    if not len(history):
        raise ValueError(f"{name} must hold at least one epoch; got {history!r}")
    validation = history[f"val_{column}"]
    return history[column], None if np.isnan(validation).all() else validation


def draw_curve(
    ax: Axes,
    values: np.ndarray,
    style: Look,
    *,
    at: np.ndarray | None = None,
    smooth: int = 1,
    width: float = 1.8,
    alpha: float = 1.0,
) -> tuple[float, float]:
    """Draw numbers at ``at``, by default 1, 2, …, up to the last before one that is not finite, and return where that is."""
    finite = np.isfinite(values)
    count = len(values) if finite.all() else int(finite.argmin())
    if count == 0:
        ax.plot([1], [0.97], "X", transform=ax.get_xaxis_transform(), color=style.color, markeredgecolor="white", markersize=11)
        return 1.0, float("nan")
    x, y = (np.arange(1, len(values) + 1) if at is None else at)[:count], values[:count]
    many = count > RASTER_FROM
    if smooth > 1 and count > smooth:
        ax.plot(x, y, color=style.color, linewidth=0.6, alpha=0.3, rasterized=many)
        y = np.convolve(y, np.full(smooth, 1 / smooth), mode="valid")
        x = x[(smooth - 1) // 2 :][: len(y)]
    marker = style.marker if count <= 30 else None
    every = max(1, len(x) // 12)
    ax.plot(
        x, y, color=style.color, linestyle=style.linestyle, linewidth=width, alpha=alpha, marker=marker, markevery=every,
        rasterized=many and smooth == 1,
    )  # fmt: skip
    if count < len(values):
        ax.plot(x[-1:], y[-1:], marker="X", color=style.color, markeredgecolor="white", markersize=11, zorder=5)
    return float(x[-1]), float(y[-1])


def search_history(result: SearchResult, *, ax: Axes | None = None) -> Axes:
    """The loss of each attempt of a search, and the lowest so far.

    Parameters
    ----------
    result : search.SearchResult
        ``losses``, ``best_losses`` (n_attempts,), ``accepted`` (n_attempts,) bool.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_fields("result", result, "losses accepted", "what a search of fastsvm.search returns")
    losses = as_numbers("result.losses", result.losses)
    accepted = as_numbers("result.accepted", result.accepted, shape=(len(losses),)).astype(bool)
    best = as_numbers("result.best_losses", result.best_losses, shape=losses.shape)
    with drawing(ax) as ax:
        attempts = np.arange(1, len(losses) + 1)
        many = len(losses) > RASTER_FROM
        rest = ~accepted
        ax.plot(
            attempts[rest], losses[rest], ".", color=MUTED, alpha=0.45, markersize=3 if many else 6, rasterized=many,
            label=label("each attempt"),
        )  # fmt: skip
        ax.step(attempts, best, where="post", color=BLUE, label=label("best so far"))
        ax.plot(
            attempts[accepted], losses[accepted], "o", color=VERMILLION, markersize=3.5, markeredgecolor="white",
            markeredgewidth=0.4, rasterized=many, label=label("accepted"), zorder=4,
        )  # fmt: skip
        ax.annotate(
            as_text(best[-1]), xy=(attempts[-1], best[-1]), xytext=(4, 0), textcoords="offset points", va="center", color=INK,
            fontsize=9, annotation_clip=False,
        )  # fmt: skip
        ax.set(xlabel=label("attempt"), ylabel=label("loss"))
        ax.legend(loc="upper right", markerscale=2)
    return ax
