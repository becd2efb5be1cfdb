"""Checks of the objective's gradients against finite differences of its definition.

The analytic side is what the chosen backend computes. The numerical side is the NumPy reference in float64, whatever the dtype
of the weights, so it shares neither code nor rounding with the compiled backends. How differences are taken, and what a
kink is, stands in :mod:`fastsvm.gradients.numerical`. The smooth pieces of the losses are told apart by

* Weston-Watkins: which of the margins ``s_j − s_y + Δ``, ``j ≠ y``, are positive. The squared loss has a gradient everywhere,
  but its second derivative jumps where a margin changes sign, and with it the error of a central difference rises from
  O(h²) to O(h); such coordinates are set apart too.
* Crammer-Singer: which class attains the largest margin, if that is positive.
* Softmax: there is one piece.
* Registered losses: which scores have a gradient. So kinks from which and to which the loss is sloped go unnoticed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastsvm.arguments import prepare
from fastsvm.backends import reference
from fastsvm.gradients.numerical import GradientCheck, check_gradient
from fastsvm.losses import Loss, RegisteredLoss, Softmax, WestonWatkins, as_loss
from fastsvm.objective import data_gradient, loss_and_gradient, score_loss_and_gradient
from fastsvm.prediction import decision_scores
from fastsvm.problem import Problem, Samples
from fastsvm.sparse import CSR, row_blocks, take_slice
from fastsvm.standardization import Standardization
from fastsvm.storage import as_numbers
from fastsvm.validation import check_choice

#: What the objective can be differentiated by.
WRT = ("W", "b", "X", "scores")

#: Entries of X (16 MiB of float64) that are widened at a time; no more of them than that are widened once for all evaluations.
_TILE = 1 << 21


def _margins(scores: np.ndarray, y: np.ndarray, delta: float) -> np.ndarray:
    """``s_j − s_y + Δ``, and −∞ where ``j = y``."""
    rows = np.arange(len(y))
    margins = scores - scores[rows, y][:, None] + delta
    margins[rows, y] = -np.inf
    return margins


def _piece(scores: np.ndarray, y: np.ndarray, loss: Loss) -> np.ndarray:
    """The smooth piece of the loss on which these scores lie."""
    if isinstance(loss, Softmax):
        return np.zeros(0)
    if isinstance(loss, RegisteredLoss):
        return reference.loss_rows(scores, y, loss)[1] != 0
    margins = _margins(scores, y, loss.delta)
    if isinstance(loss, WestonWatkins):
        return margins > 0
    return np.where(margins.max(axis=1) > 0, margins.argmax(axis=1), -1)


def _in_doubt(scores: np.ndarray, error: np.ndarray, y: np.ndarray, loss: Loss) -> np.ndarray:
    """Scores (n_samples, n_classes) on which the gradient hangs on a comparison of margins that are only good to ``error``."""
    rows = np.arange(len(y))
    if isinstance(loss, Softmax):
        return np.zeros(scores.shape, dtype=bool)
    if isinstance(loss, RegisteredLoss):
        shifted = scores.copy()
        shifted[rows, y] += error.max(axis=1)
        above = _piece(shifted, y, loss)
        shifted[rows, y] = scores[rows, y] - error.max(axis=1)
        return above != _piece(shifted, y, loss)
    margins = _margins(scores, y, loss.delta)
    if isinstance(loss, WestonWatkins):
        doubt = np.abs(margins) <= error
        doubt[rows, y] = doubt.any(axis=1)
        return doubt
    largest = np.maximum(0.0, margins.max(axis=1, keepdims=True))
    candidates = margins >= largest - error
    no_loss = largest <= error.max(axis=1, keepdims=True)
    doubt = candidates & (np.sum(candidates, axis=1, keepdims=True) + no_loss > 1)
    # Whichever class attains the maximum, the gradient on s_y is −1, unless there may be no loss at all.
    doubt[rows, y] = doubt.any(axis=1) & no_loss[:, 0]
    return doubt


class _Objective:
    """The objective in float64 at its arrays as they are when it is called, and the piece it is on.

    With ``scores`` given, they are where it starts from: the objective without the penalty as a function of the scores.
    """

    def __init__(
        self, W: np.ndarray, b: np.ndarray | None, problem: Problem, scores: np.ndarray | None, keep_widened: bool
    ) -> None:
        self.W, self.b = W, b
        if keep_widened and problem.samples.X.size <= _TILE:
            problem = problem._replace(samples=Samples(reference.widen(problem.samples, W.dtype)))
        self.problem = problem
        self.given = scores is not None
        self.scores = np.empty((len(problem.y), len(W))) if scores is None else scores.astype(np.float64)

    def value(self, _: Any) -> float:
        problem, penalty = self.problem, 0.0
        if not self.given:
            penalty = reference.penalty(self.W, self.b, problem)
            for rows in self._tiles():
                tile = problem.samples._replace(X=take_slice(problem.samples.X, rows))
                reference.scores(self.W, self.b, tile, self.scores[rows])
        return reference.score_loss(self.scores, problem.y, problem.loss, problem.sample_weight, None) + penalty

    def piece(self, _: Any) -> np.ndarray:
        """Piece on which the scores of the last `value` lie."""
        return _piece(self.scores, self.problem.y, self.problem.loss)

    def in_doubt(self, eps: float) -> np.ndarray:
        """Scores whose gradient rounding to ``eps`` may decide: a margin is taken to be good to eps times the sum of the
        absolute terms in it."""
        self.value(None)
        y, loss, sizes = self.problem.y, self.problem.loss, np.abs(self.scores)
        if not self.given:
            for rows in self._tiles():
                sizes[rows] = abs(reference.widen(self.problem.samples, self.W.dtype, rows)) @ np.abs(self.W).T
            sizes += 0.0 if self.b is None else np.abs(self.b)
        delta = getattr(loss, "delta", 0.0)
        return _in_doubt(self.scores, eps * (sizes + sizes[np.arange(len(y)), y][:, None] + delta), y, loss)

    def _tiles(self) -> list[slice]:
        return row_blocks(self.problem.samples.X, _TILE)


def check_objective_gradient(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    *,
    wrt: str = "W",
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    h: float | None = None,
    n_coordinates: int | None = 100,
    seed: int | np.random.Generator = 0,
    tolerance: float | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> GradientCheck:
    """Check a gradient of the objective, as a backend computes it, against central differences of the reference.

    Parameters
    ----------
    W, X, y, b, loss, alpha, sample_weight, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`. Nothing is changed. Each coordinate takes two evaluations of the objective:
        pass a few hundred samples.
    wrt : {"W", "b", "X", "scores"}, default "W"
        Whose gradient: of :func:`fastsvm.loss_and_gradient`, :func:`fastsvm.data_gradient`, or
        :func:`fastsvm.score_loss_and_gradient` at the scores of these samples. For "X", which must be dense then, a float64
        copy of it is made; otherwise memory beyond the gradient and the scores is a few times 16 MiB.
    h : float > 0, optional
        Step; by default 1e-5, and for "X" 1e-5 times the largest absolute value in it where that is above 1, as of pixels.
    n_coordinates, seed, tolerance
        As in :func:`check_gradient`. The default tolerance goes by the dtype of ``W``.

    Returns
    -------
    GradientCheck
        ``kink`` marks the coordinates whose perturbation takes a sample across a kink of the loss, and those that depend on a
        sample closer to one than the rounding of scores in the dtype of ``W``.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As :func:`fastsvm.loss_and_gradient` and :func:`check_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> W, X, y = rng.normal(size=(3, 4)), rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    >>> check_objective_gradient(W, X, y, alpha=0.1, backend="reference").passed
    True
    """
    check_choice("wrt", wrt, WRT)
    if wrt == "b" and b is None:
        raise ValueError("b must be given where its gradient is to be checked; got None")
    settings: dict[str, Any] = {
        "loss": as_loss(loss), "alpha": alpha, "sample_weight": sample_weight,
        "standardization": standardization, "penalize_intercept": penalize_intercept,
    }  # fmt: skip
    where: dict[str, Any] = {"backend": backend, "n_threads": n_threads}
    prepare(W, X, y, b, **settings)
    gradient, scores = _analytic(wrt, W, X, y, b, settings, where)

    W64, b64 = W.astype(np.float64), None if b is None else b.astype(np.float64)
    X64 = as_numbers(X) if wrt == "X" else X
    objective = _Objective(*prepare(W64, X64, y, b64, **settings), scores, keep_widened=wrt != "X")
    x: Any = {"W": W64, "b": b64, "X": X64, "scores": objective.scores}[wrt]
    if h is None:
        h = 1e-5 * (max(1.0, float(np.abs(X64).max())) if wrt == "X" else 1.0)
    check = check_gradient(
        objective.value, x, gradient,
        h=h, n_coordinates=n_coordinates, seed=seed, tolerance=tolerance, signature=objective.piece,
    )  # fmt: skip
    doubt = objective.in_doubt(float(np.finfo(W.dtype).eps))
    by_class, by_row = doubt.any(axis=0, keepdims=True), doubt.any(axis=1, keepdims=True)
    touched = {"W": by_class.T, "b": by_class.reshape(-1), "X": by_row, "scores": doubt}[wrt]
    in_doubt = np.broadcast_to(touched, x.shape)[tuple(check.indices.T)]
    return replace(check, kink=check.kink | in_doubt)


def _analytic(
    wrt: str, W: np.ndarray, X: np.ndarray, y: np.ndarray, b: np.ndarray | None, settings: dict[str, Any], where: dict[str, Any]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The gradient under test, and the scores at which it was taken if it is the one on the scores."""
    if wrt == "scores":
        scores = decision_scores(W, X, b, standardization=settings["standardization"], **where)
        taken = {name: settings[name] for name in ("loss", "sample_weight")}
        return score_loss_and_gradient(scores, y, **taken, **where)[1], scores
    if wrt == "X":
        return data_gradient(W, X, y, b, **settings, **where)[1], None
    _, dW, db = loss_and_gradient(W, X, y, b, **settings, **where)
    return (dW if wrt == "W" else db), None
