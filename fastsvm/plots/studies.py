"""Studies of trainings: rates too low, good and too high, where to lower a rate, and what a batch's gradient is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fastsvm.plots.arrays import as_numbers, as_text, check_fields
from fastsvm.plots.curves import draw_curve, numbers_of
from fastsvm.plots.kinds import BatchSizeStudy, BatchStudy, RateStudy
from fastsvm.plots.style import BLUE, GREEN, MUTED, ORANGE, VERMILLION, Look, drawing, label_ends, log_heights, look
from fastsvm.plots.words import label
from fastsvm.validation import check_choice, check_flag

#: Looks of the verdicts of a `RateStudy`: colour, line, marker.
VERDICTS = {
    "too low": Look(ORANGE, (0, (5, 1.5)), "v"),
    "good": Look(GREEN, "-", "o"),
    "too high": Look(VERMILLION, (0, (1.2, 1.2)), "^"),
}


def rates(study: RateStudy, *, ax: Axes | None = None) -> Axes:
    """Loss curves of learning rates that are too low, good and too high, as the lecture contrasts them.

    Parameters
    ----------
    study : effects.RateStudy
        ``rates`` (r,), ``curves`` (r, epochs), NaN after divergence, ``verdict`` per rate.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_fields("study", study, "rates curves verdict", "what fastsvm.effects.learning_rates returns")
    learning_rates = as_numbers("study.rates", study.rates)
    curves = as_numbers("study.curves", study.curves, shape=(len(learning_rates), None))
    verdicts = list(study.verdict)
    if len(verdicts) != len(learning_rates):
        raise ValueError(f"study.verdict must hold a verdict per rate, {len(learning_rates)}; got {len(verdicts)}")
    for k, verdict in enumerate(verdicts):
        check_choice(f"study.verdict[{k}]", str(verdict), VERDICTS)
    with drawing(ax, size=(7.2, 4.2)) as ax:
        ends = []
        for rate, values, verdict in zip(learning_rates, curves, verdicts, strict=True):
            style = VERDICTS[str(verdict)]
            end = draw_curve(ax, values, style)
            words = f"{rate:g}: {label(str(verdict))}"
            if not np.isfinite(values).all():
                words += f", {label('diverged')}"
            ends.append((*end, words, style.color))
        log_heights(ax)
        _readable_top(ax, curves)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel=label("epoch"), ylabel=label("loss"))
        label_ends(ax, ends)
    return ax


def _readable_top(ax: Axes, curves: np.ndarray) -> None:
    """Cut off the heights only diverging curves reach, which would press the others flat: 1,000 times the lowest first loss."""
    first = curves[:, 0][np.isfinite(curves[:, 0])]
    if first.size:
        top = 1000 * max(float(first.min()), float(np.nanmin(curves)))
        if ax.get_ylim()[1] > top:
            ax.set_ylim(top=top)


def decay(
    curve: Any, epochs: Sequence[int] | np.ndarray, *, decayed: Any = None, log: bool = False, ax: Axes | None = None
) -> Axes:
    """A loss curve with the epochs at which to lower the learning rate, and what came of doing so.

    Parameters
    ----------
    curve : History, TrainResult or array (epochs,)
        With a constant rate.
    epochs : sequence of int
        Epochs (from 1) after which the rate is lowered, as ``effects.decay_from_curve`` suggests them; may be empty.
    decayed : as ``curve``, optional
        With the rate lowered there.
    log : bool, default False
        Whether losses are drawn on a logarithmic axis.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_flag("log", log)
    constant = numbers_of("curve", curve, "epoch", "loss")[0]
    lowered = None if decayed is None else numbers_of("decayed", decayed, "epoch", "loss")[0]
    places = _epochs(epochs, max(len(constant), 0 if lowered is None else len(lowered)))
    with drawing(ax) as ax:
        for k, place in enumerate(places):
            ax.axvline(place, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.0, zorder=1)
            if k == 0:
                ax.annotate(
                    label("decay here"), xy=(place, 1.0), xytext=(4, -2), xycoords=ax.get_xaxis_transform(),
                    textcoords="offset points", va="top", color=MUTED, fontsize=9,
                )  # fmt: skip
        ends = [(*draw_curve(ax, constant, Look(BLUE, "-", "o")), label("constant rate"), BLUE)]
        if lowered is not None:
            style = Look(VERMILLION, (0, (5, 1.5)), "s")
            ends.append((*draw_curve(ax, lowered, style), label("decayed"), VERMILLION))
        if log:
            log_heights(ax)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel=label("epoch"), ylabel=label("loss"))
        label_ends(ax, ends)
    return ax


def _epochs(epochs: Any, count: int) -> np.ndarray:
    """Epochs of curves of ``count`` epochs, as numbers."""
    check_fields("epochs", epochs, "__len__", "a sequence of epochs, as fastsvm.effects.decay_from_curve returns them")
    places = as_numbers("epochs", epochs) if len(epochs) else np.zeros(0)
    if not ((places >= 1) & (places <= count)).all():
        raise ValueError(f"epochs must lie within those of the curve, 1 to {count}; got {places.tolist()}")
    return places


def batch_gradients(study: BatchStudy, *, quantity: str = "angle", ax: Axes | None = None) -> Axes:
    """How far the gradient of a minibatch is from the full one, against the size of the batch.

    The law is what follows from the gradients of the single samples: ``law`` is the error relative to the full gradient, which
    falls as 1/√B. Noise at right angles to the gradient, as in many dimensions nearly all of it is, makes an angle of
    arctan(law) and a relative length of √(1 + law²).

    Parameters
    ----------
    study : effects.BatchStudy
        ``batch_sizes`` (s,), ``cosine``, ``norm_ratio``, ``error`` (s, draws), ``law`` (s,).
    quantity : {"angle", "norm", "error"}, default "angle"
        The angle in degrees; the length relative to the full gradient's; the error relative to it, a straight line.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_choice("quantity", quantity, ("angle", "norm", "error"))
    fields = "batch_sizes cosine norm_ratio error law"
    check_fields("study", study, fields, "what fastsvm.effects.batch_gradients returns")
    sizes = as_numbers("study.batch_sizes", study.batch_sizes)
    law = as_numbers("study.law", study.law, shape=sizes.shape)
    cosine = as_numbers("study.cosine", study.cosine, shape=(len(sizes), None))
    if quantity == "angle":
        values, expected = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))), np.degrees(np.arctan(law))
    elif quantity == "norm":
        values, expected = as_numbers("study.norm_ratio", study.norm_ratio, shape=cosine.shape), np.sqrt(1 + law**2)
    else:
        values, expected = as_numbers("study.error", study.error, shape=cosine.shape), law
    with drawing(ax, size=(6.0, 4.0)) as ax:
        low, middle, high = np.percentile(values, [10, 50, 90], axis=1)
        ax.fill_between(sizes, low, high, color=BLUE, alpha=0.2, linewidth=0)
        ax.plot(sizes, middle, color=BLUE, marker="o", label=label("draws"))
        ax.plot(sizes, expected, color=VERMILLION, linestyle=(0, (5, 1.5)), linewidth=1.4, label=label("law"))
        ax.set_xscale("log")
        name_sizes(ax, sizes)
        if quantity == "angle":
            ax.yaxis.set_major_formatter("{x:g}°")
            ax.set_ylim(0, 1.08 * max(float(high.max()), float(expected.max())))
        else:
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter(lambda value, _: as_text(value))
            narrow = high.max() < 12 * low[low > 0].min() if (low > 0).any() else True
            ax.yaxis.set_minor_formatter(lambda value, _: as_text(value) if narrow else "")
        names = {"angle": "angle", "norm": "norm ratio", "error": "gradient error"}
        ax.set(xlabel=label("batch size"), ylabel=label(names[quantity]))
        ax.legend(loc="best")
    return ax


def batch_sizes(study: BatchSizeStudy, *, against: str = "updates", ax: Axes | None = None) -> Axes:
    """Losses of trainings that differ in the batch size, against the updates made or against the samples seen.

    Parameters
    ----------
    study : effects.BatchSizeStudy
        ``batch_sizes`` (s,), ``losses`` (s, epochs + 1), ``updates`` (s, epochs + 1), ``samples`` (epochs + 1,).
    against : {"updates", "samples"}, default "updates"
        Against updates, large batches do better; against samples, for the same work, small ones.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    check_choice("against", against, ("updates", "samples"))
    fields = "batch_sizes losses updates samples"
    check_fields("study", study, fields, "what fastsvm.effects.batch_sizes returns")
    sizes = as_numbers("study.batch_sizes", study.batch_sizes)
    losses = as_numbers("study.losses", study.losses, shape=(len(sizes), None))
    updates = as_numbers("study.updates", study.updates, shape=losses.shape)
    samples = as_numbers("study.samples", study.samples, shape=losses.shape[1:])
    with drawing(ax, size=(6.8, 4.2)) as ax:
        ends = []
        for k, size in enumerate(sizes):
            style = look(k)
            end = draw_curve(ax, losses[k], style, at=updates[k] if against == "updates" else samples)
            ends.append((*end, label("of size", size=f"{int(size):,}"), style.color))
        ax.set_xscale("symlog" if against == "updates" else "linear")
        ax.set(yscale="log", xlabel=label(against), ylabel=label("loss"))
        ax.yaxis.set_minor_formatter("")
        label_ends(ax, ends)
    return ax


def name_sizes(ax: Axes, sizes: np.ndarray) -> None:
    """A tick at each size, its name slanted where there are many."""
    ax.set_xticks(sizes, [f"{int(size):,}" for size in sizes])
    ax.minorticks_off()
    if len(sizes) > 7:
        ax.tick_params(axis="x", rotation=35)
