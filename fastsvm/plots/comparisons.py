"""Settings and strategies side by side: a search over learning rate and alpha, and the accuracies that strategies reached."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from fastsvm.plots.arrays import as_numbers, check_fields
from fastsvm.plots.kinds import Tuning
from fastsvm.plots.style import BLUE, INK, MUTED, SEQUENTIAL, VERMILLION, drawing
from fastsvm.plots.words import label
from fastsvm.validation import check_real


def tuning(tuning: Tuning, *, ax: Axes | None = None) -> Axes:
    """The score of each trial of a search over learning rate and alpha.

    Light is high. The best trial is ringed and its score written; trials that diverged are crosses. An alpha of 0 stands apart,
    below the others.

    Parameters
    ----------
    tuning : tuning.Tuning
        ``trials``, each with ``learning_rate``, ``alpha``, ``score`` and ``diverged``.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    check_fields("tuning", tuning, "trials", "what fastsvm.tuning.tune returns")
    trials = list(tuning.trials)
    for k, trial in enumerate(trials):
        check_fields(f"tuning.trials[{k}]", trial, "learning_rate alpha score diverged", "a trial of fastsvm.tuning.tune")
    if not trials:
        raise ValueError("tuning.trials must hold at least one trial; got none")
    learning_rates = as_numbers("tuning.trials[].learning_rate", [trial.learning_rate for trial in trials])
    alphas = as_numbers("tuning.trials[].alpha", [trial.alpha for trial in trials])
    scores = as_numbers("tuning.trials[].score", [trial.score for trial in trials])
    made = np.array([not trial.diverged for trial in trials]) & np.isfinite(scores)
    with drawing(ax, size=(6.4, 4.4)) as ax:
        positive = alphas[alphas > 0]
        zero = (positive.min() if positive.size else 1.0) / 10
        heights = np.where(alphas > 0, alphas, zero)
        ax.set(xscale="log", yscale="log")
        if made.any():
            points = ax.scatter(
                learning_rates[made],
                heights[made],
                c=scores[made],
                s=90,
                cmap=SEQUENTIAL,
                edgecolors=INK,
                linewidths=0.5,
                zorder=3,
            )
            best = int(np.nanargmax(np.where(made, scores, np.nan)))
            ax.scatter(
                learning_rates[best], heights[best], s=260, facecolors="none", edgecolors=VERMILLION, linewidths=2.0, zorder=4,
                label=label("best trial", score=f"{scores[best]:.3f}"),
            )  # fmt: skip
            figure = ax.get_figure()
            assert figure is not None
            bar = figure.colorbar(points, ax=ax, pad=0.02, aspect=28)
            bar.set_label(label("accuracy"))
            bar.outline.set_visible(False)  # type: ignore[operator]
        if not made.all():
            ax.scatter(
                learning_rates[~made], heights[~made], marker="x", s=50, color=MUTED, linewidths=1.6, zorder=3,
                label=label("failed trial"),
            )  # fmt: skip
        if not (alphas > 0).all():
            ax.axhline(zero * 10**0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
            decades = 10.0 ** np.arange(np.ceil(np.log10(10 * zero)), np.log10(alphas.max() or 1.0) + 0.01)
            ax.set_yticks([zero, *decades], ["0", *(f"$10^{{{np.log10(decade):.0f}}}$" for decade in decades)])
            ax.set_yticks([], minor=True)
        ax.set(xlabel=label("learning rate"), ylabel=label("alpha"))
        ax.margins(0.08)
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return ax


def accuracies(
    reached: Mapping[str, float],
    *,
    lecture: Mapping[str, float] | None = None,
    chance: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The test accuracy each strategy reached, as bars, in the order given.

    Parameters
    ----------
    reached : mapping of name to accuracy in [0, 1]
    lecture : mapping of name to accuracy, optional
        What the lecture reports, for some of the names: a mark on their bars.
    chance : float in [0, 1], optional
        Accuracy of guessing, drawn as a line.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    if not isinstance(reached, Mapping) or not reached:
        raise TypeError(f"reached must be a mapping of at least one name to an accuracy; got {reached!r}")
    values = {str(name): check_real(f"reached[{name!r}]", value, at_least=0.0, at_most=1.0) for name, value in reached.items()}
    marks = {
        str(name): check_real(f"lecture[{name!r}]", value, at_least=0.0, at_most=1.0) for name, value in (lecture or {}).items()
    }
    unknown = [name for name in marks if name not in values]
    if unknown:
        raise ValueError(f"lecture must hold names of reached only, {', '.join(map(repr, values))}; got {unknown[0]!r}")
    if chance is not None:
        check_real("chance", chance, at_least=0.0, at_most=1.0)
    with drawing(ax, size=(6.8, 1.1 + 0.45 * len(values))) as ax:
        rows = range(len(values))
        ax.barh(rows, list(values.values()), height=0.62, color=BLUE, zorder=2)
        for row, (name, value) in enumerate(values.items()):
            words = f"{100 * value:.1f} %"
            if name in marks:
                words += f"  ({label('lecture value', value=f'{100 * marks[name]:.1f} %')})"
            beyond = max(value, marks.get(name, 0.0))
            ax.annotate(words, (beyond, row), xytext=(8, 0), textcoords="offset points", va="center", color=INK, fontsize=9)
        for row, name in enumerate(values):
            if name in marks:
                ax.plot([marks[name]] * 2, [row - 0.4, row + 0.4], color=VERMILLION, linewidth=2.4, zorder=3)
        if chance is not None:
            ax.axvline(chance, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.0, zorder=1)
            ax.annotate(
                label("chance"), (chance, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(0, 3), textcoords="offset points",
                ha="center", va="bottom", color=MUTED, fontsize=9,
            )  # fmt: skip
        ax.set_yticks(rows, list(values))
        ax.tick_params(axis="y", length=0, labelsize=10)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        ax.set(xlim=(0, min(1.3, 1.45 * max([*values.values(), *marks.values()]))), ylim=(len(values) - 0.5, -0.5))
        ax.set_xlabel(label("test accuracy"))
    return ax
