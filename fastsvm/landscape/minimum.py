"""Exact line search: the minimum of the objective along a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsvm.landscape.envelopes import EPS, MOST_HALVINGS, envelopes, minimizer
from fastsvm.landscape.family import family
from fastsvm.losses import CrammerSinger, Loss, Softmax, WestonWatkins
from fastsvm.objective import score_loss_and_gradient
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization


@dataclass(frozen=True, eq=False)
class Minimum:
    """What :func:`minimize_along` returns.

    Attributes
    ----------
    a : float
        Where along the direction the objective is smallest.
    loss : float
        The objective there.
    data_loss : float
        The same without the penalty.
    """

    a: float
    loss: float
    data_loss: float


def minimize_along(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    direction: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    *,
    direction_b: np.ndarray | None = None,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Minimum:
    """Find the minimum of ``L(W + a D)`` over all real a, from two score matrices.

    Parameters
    ----------
    W, X, y, b, alpha, sample_weight, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`. Nothing is changed.
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
        Not a registered loss, which need not be convex.
    direction, direction_b
        As in :func:`line`.

    Returns
    -------
    Minimum
        Of several minimisers the one nearest to 0, and so 0 where no step lowers the objective, as along a direction of zeros.
        The softmax loss may fall for ever, towards 0; a is then where rounding hides its derivative.

    Notes
    -----
    The data loss of Weston and Watkins and that of Crammer and Singer are piecewise linear along a line, and with the
    penalty the derivative is linear between two kinks. The kinks next to the minimum are found and sorted, so the answer is
    exact but for rounding. For the smooth losses the zero of the derivative is bracketed and found by Brent's method. All this
    is in float64, on scores in the dtype of ``W``.

    Memory: some 100 bytes for each score, n_samples × n_classes of them.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.zeros((2, 1)), np.array([[1.0], [2.0]]), np.array([0, 1])       # max(0, 1 + a) and max(0, 1 − 2a)
    >>> minimize_along(W, X, y, np.array([[0.0], [1.0]]))
    Minimum(a=0.5, loss=0.75, data_loss=0.75)
    """
    points = family(
        W, X, y, b, (direction, direction_b, "direction"), loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept, backend=backend, n_threads=n_threads,
    )  # fmt: skip
    check_convex(points.problem.loss)
    a, data_loss = along_scores(
        points.scores(), points.problem.y, points.problem.loss, points.problem.sample_weight, *points.penalty_along(),
        backend=points.backend, n_threads=n_threads,
    )  # fmt: skip
    return Minimum(a, data_loss + float(points.penalties(np.array([[1.0, a]]))[0]), data_loss)


def check_convex(loss: Loss) -> None:
    """Raise unless the loss is one whose minimum along a line can be found."""
    if not isinstance(loss, (WestonWatkins, CrammerSinger, Softmax)):
        raise ValueError(f"loss must be WestonWatkins, CrammerSinger or Softmax, known to be convex; got {loss!r}")


def along_scores(
    scores: np.ndarray,
    y: np.ndarray,
    loss: Loss,
    sample_weight: np.ndarray | None,
    slope: float,
    curvature: float,
    *,
    backend: str | None = None,
    n_threads: int | None = None,
) -> tuple[float, float]:
    """Minimise the data loss at ``scores[0] + a scores[1]`` plus ``slope · a + ½ curvature · a²``.

    ``sample_weight`` has mean 1. Returns the minimiser nearest to 0, and the data loss there.
    """
    if not np.isfinite([slope, curvature]).all() or (slope != 0 and curvature == 0):
        raise OverflowError("the squared length of the direction is beyond float64: scale direction towards the size of W")
    if not isinstance(loss, Softmax) and not getattr(loss, "squared", False):
        n, f = len(y), envelopes(scores, y, loss, sample_weight)
        a = minimizer(f, n * slope, n * curvature)
        return a, f.at(a).value / n
    # Less the own class's: a direction that moves all classes of a sample alike then is none, to the last bit.
    own = np.arange(len(y)), y
    base, step = (part - part[own][:, None] for part in scores.astype(np.float64))
    sizes = np.abs(step).max(axis=1)
    noise = EPS * (float(np.mean(sizes if sample_weight is None else sizes * sample_weight)) + abs(slope))

    def at(a: float) -> tuple[float, float]:
        value, dscores = score_loss_and_gradient(base + a * step, y, loss, sample_weight, backend=backend, n_threads=n_threads)
        # einsum, unlike BLAS, adds in the same order however many threads there are.
        return value, float(np.einsum("nc,nc->", dscores, step)) + slope + curvature * a

    value, derivative = at(0.0)
    if abs(derivative) <= noise:
        return 0.0, value
    sign = -1.0 if derivative > 0 else 1.0
    reach = value / abs(derivative) if value > 0 else abs(derivative) / curvature if curvature > 0 else 1.0
    a = sign * _first_zero(lambda t: sign * at(sign * t)[1], reach, noise)
    return a, at(a)[0]


def _first_zero(derivative: Callable[[float], float], high: float, noise: float) -> float:
    """Where a continuous function that rises from below 0 reaches it for the first time, give or take the noise."""
    low = 0.0
    while (reached := derivative(high)) < -noise:
        if not np.isfinite(4.0 * high):
            return high
        low, high = high, 4.0 * high
    if reached > noise:
        from scipy.optimize import brentq

        return float(brentq(derivative, low, high, xtol=np.finfo(np.float64).tiny, rtol=4.0 * EPS, maxiter=1000))
    for _ in range(MOST_HALVINGS):
        middle = low + 0.5 * (high - low)
        if not low < middle < high:
            break
        low, high = (middle, high) if derivative(middle) < -noise else (low, middle)
    return high
