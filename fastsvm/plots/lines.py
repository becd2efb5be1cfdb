"""The loss along one direction: a line through W, the lecture's bowl, one step of many sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from fastsvm.plots.arrays import as_numbers, as_text, check_fields
from fastsvm.plots.style import BLUE, INK, MUTED, RASTER_FROM, VERMILLION, drawing, label_ends, look
from fastsvm.plots.words import label
from fastsvm.validation import check_flag

if TYPE_CHECKING:
    from fastsvm.landscape import Bowl, Breakpoints, Line, Sweep

#: Kinks up to this many are marked on the curve; more are shown as a rug below it.
MARKED_KINKS = 60

#: Indices in the names of a bowl's terms, and the characters they are written with: w0 as w₀.
_INDEX, _LOWERED = re.compile(r"(?<=[wx])\d+"), str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

#: The lecture's table: loss after one step from a loss of 2.200718, on CIFAR-10 at random weights.
LECTURE_SWEEP = {
    1e-10: 2.200652, 1e-9: 2.200057, 1e-8: 2.194116, 1e-7: 2.135493, 1e-6: 1.647802,
    1e-5: 2.844355, 1e-4: 25.558142, 1e-3: 254.086573, 1e-2: 2539.370888, 1e-1: 25392.214036,
}  # fmt: skip


def line(line: Line, breakpoints: Breakpoints | Any = None, *, ax: Axes | None = None) -> Axes:
    """The loss along a line through W.

    Parameters
    ----------
    line : landscape.Line
        ``a`` (m,), ``loss`` (m,), ``data_loss`` (m,), which is drawn too where the penalty makes a difference.
    breakpoints : landscape.Breakpoints or array (K,), optional
        Where the data loss has kinks: marked on the curve where they are few, else as a rug below it.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    check_fields("line", line, "a loss data_loss", "what fastsvm.landscape.line returns")
    a = as_numbers("line.a", line.a)
    loss = as_numbers("line.loss", line.loss, shape=a.shape)
    data_loss = as_numbers("line.data_loss", line.data_loss, shape=a.shape)
    kinks = np.zeros(0)
    given: Any = getattr(breakpoints, "a", breakpoints)
    if given is not None and np.size(given):
        kinks = as_numbers("breakpoints", given)
        kinks = kinks[(kinks >= a.min()) & (kinks <= a.max())]
    with drawing(ax) as ax:
        penalised = not np.allclose(loss, data_loss, rtol=1e-3, atol=0, equal_nan=True)
        ends = []
        ax.plot(a, data_loss, color=BLUE, zorder=3)
        if penalised:
            ax.plot(a, loss, color=VERMILLION, linestyle=(0, (5, 1.5)), zorder=2)
            ends = [(a[-1], data_loss[-1], label("data loss"), BLUE), (a[-1], loss[-1], label("with penalty"), VERMILLION)]
        if 0 < len(kinks) <= MARKED_KINKS:
            order = np.argsort(a)
            ax.plot(
                kinks, np.interp(kinks, a[order], data_loss[order]), "o", color="white", markeredgecolor=BLUE, markersize=5,
                zorder=4, label=label("kinks", count=len(kinks)),
            )  # fmt: skip
        elif len(kinks):
            ax.plot(
                kinks, np.full(len(kinks), 0.02), "|", color=MUTED, markersize=9, markeredgewidth=0.4, alpha=0.4,
                transform=ax.get_xaxis_transform(), rasterized=len(kinks) > RASTER_FROM,
            )  # fmt: skip
            ax.plot([], [], "|", color=MUTED, markersize=9, markeredgewidth=1.2, label=label("kinks", count=f"{len(kinks):,}"))
        ax.set(xlabel=label("along one"), ylabel=label("loss"))
        ax.margins(x=0.01)
        if len(kinks):
            ax.legend(loc="best")
        label_ends(ax, ends)
    return ax


def bowl(bowl: Bowl, *, ax: Axes | None = None) -> Axes:
    """The terms of the loss of a few one-dimensional samples as one weight varies, and their sum: a bowl of straight pieces.

    Terms of the same sample have the same colour; what is drawn thick is the mean of the samples' losses.

    Parameters
    ----------
    bowl : landscape.Bowl
        ``w`` (m,), ``terms``, a list of (name, values (m,)), ``losses`` (n_samples, m), ``total`` (m,).
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_fields("bowl", bowl, "w terms losses total", "what fastsvm.landscape.bowl returns")
    w = as_numbers("bowl.w", bowl.w)
    total = as_numbers("bowl.total", bowl.total, shape=w.shape)
    n_samples = len(as_numbers("bowl.losses", bowl.losses, shape=(None, len(w))))
    terms = [(name, as_numbers(f"bowl.terms[{k}]", values, shape=w.shape)) for k, (name, values) in enumerate(bowl.terms)]
    each = max(1, len(terms) // n_samples)
    with drawing(ax, size=(7.4, 4.2)) as ax:
        ends, linestyles = [], []
        for k, (name, values) in enumerate(terms):
            color, linestyle = look(k // each).color, look(k % each).linestyle
            ax.plot(w, values, color=color, linestyle=linestyle, linewidth=1.3)
            ends.append((w[-1], values[-1], _INDEX.sub(lambda index: index[0].translate(_LOWERED), name), color))
            linestyles.append(linestyle)
        ax.plot(w, total, color=INK, linewidth=3.2, zorder=3)
        ends.append((w[-1], total[-1], label("sum"), INK))
        ax.margins(x=0.0)
        ax.set_ylim(bottom=-0.03 * max(float(total.max()), *(float(values.max()) for _, values in terms)))
        varies = getattr(bowl, "varies", None)
        weight = "w" if varies is None else f"w{varies}".translate(_LOWERED)
        ax.set(xlabel=label("one weight", name=weight), ylabel=label("loss"))
        label_ends(ax, ends, [*linestyles, "-"])
    return ax


def sweep(sweep: Sweep, *, lecture: bool = False, values: bool = True, ax: Axes | None = None) -> Axes:
    """The loss after one step of each size against the gradient, both axes logarithmic.

    Parameters
    ----------
    sweep : landscape.Sweep
        ``step_sizes`` (m,) > 0, ``losses`` (m,), ``initial_loss``.
    lecture : bool, default False
        Whether the lecture's table is drawn beside it, in grey.
    values : bool, default True
        Whether each loss is written at its point, as the lecture's table has them; not done for more than 15 points.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_fields("sweep", sweep, "step_sizes losses initial_loss", "what fastsvm.landscape.step_sizes returns")
    steps = as_numbers("sweep.step_sizes", sweep.step_sizes)
    losses = as_numbers("sweep.losses", sweep.losses, shape=steps.shape)
    if not (steps > 0).all():
        raise ValueError(f"sweep.step_sizes must be > 0; got a smallest of {steps.min()}")
    check_flag("lecture", lecture)
    check_flag("values", values)
    with drawing(ax, size=(6.8, 4.2)) as ax:
        ax.set(xscale="log", yscale="log", xlabel=label("step size"), ylabel=label("loss"))
        initial = float(sweep.initial_loss)
        ax.axhline(initial, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.0, zorder=1)
        ax.annotate(
            label("loss at start", value=as_text(initial)), xy=(0.01, initial), xytext=(0, -6),
            xycoords=ax.get_yaxis_transform(), textcoords="offset points", va="top", color=MUTED, fontsize=9,
        )  # fmt: skip
        if lecture:
            ax.plot(
                list(LECTURE_SWEEP), list(LECTURE_SWEEP.values()), "x", color=MUTED, markersize=6, zorder=2,
                label=label("lecture"),
            )  # fmt: skip
        ax.plot(steps, losses, color=BLUE, marker="o" if len(steps) <= 40 else None, zorder=3)
        best = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.inf)))
        ax.plot(
            steps[best], losses[best], "o", color="none", markeredgecolor=VERMILLION, markeredgewidth=1.8, markersize=12,
            label=label("best step", value=f"{as_text(losses[best])} ({steps[best]:g})"), linestyle="none", zorder=4,
        )  # fmt: skip
        if values and len(steps) <= 15:
            for k, (step, loss) in enumerate(zip(steps, losses, strict=True)):
                ax.annotate(
                    as_text(loss, 4), (step, loss), xytext=(0, -19 if k == best else 8), textcoords="offset points",
                    ha="center", fontsize=8, color=INK,
                )  # fmt: skip
        ax.margins(y=0.12)
        ax.tick_params(axis="x", which="minor", length=0)
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return ax
