"""How far weights are from the least objective, at most: the duality gap of any weights, wherever they come from.

For dual variables ``a`` in the box of the loss (:mod:`fastsvm.dual.conjugates`) no weights have an objective below

    D(a) = (1/N) Σ_i ω_i (−ℓ*(a_i)) − (1 / 2 alpha) (‖G‖² + ‖B g‖²),
    G = (1/N) Σ_ij ω_i a_ij (e_{y_i} − e_j) x_iᵀ,       g = (1/N) Σ_ij ω_i a_ij (e_{y_i} − e_j),

with ω of mean 1, and B the scale of an intercept that is penalised as ``(b/B)²``. Without an intercept there is no g; for one
that is not penalised g must be 0. Any ``a`` gives a bound; only its quality depends on how it was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastsvm import backends
from fastsvm.arguments import prepare, raise_non_finite
from fastsvm.dual.conjugates import check_loss, check_variables, is_smooth, suggested
from fastsvm.dual.descent import Descent, descend
from fastsvm.dual.intercept import balance, by_class, fit
from fastsvm.dual.mixtures import BLOCK, Candidates, best_mixture
from fastsvm.dual.smoothed import Look, Objective
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.problem import Problem
from fastsvm.sparse import row_blocks
from fastsvm.standardization import Standardization
from fastsvm.validation import check_array, check_integer, check_real

#: Passes that look for better dual variables by default: at most, at least, and multiply-adds of all of them in between.
MOST_PASSES, FEWEST_PASSES, REFINE_PRODUCTS = 1000, 24, 4e9

#: They end once the rest is this part of the gap, or of the objective: of many passes, and of few.
REFINED, REFINED_TOL, REFINED_ROUGHLY, FEW = 0.1, 1e-6, 1e-3, 200

#: How many widths are tried for the losses that are not smooth, where more is to come and where not, and the least, as a
#: share of the margin.
FEW_WIDTHS, WIDTHS = 3, 7
LEAST_WIDTH = 1e-3


@dataclass(frozen=True, eq=False)
class DualityGap:
    """What :func:`duality_gap` returns.

    Attributes
    ----------
    objective : float
        Of the weights given.
    dual_objective : float
        What no weights can go below.
    gap : float
        Their difference, and 0 where rounding leaves less: the objective is at most so far above the least.
    a : ndarray (n_samples, n_classes), float64
        The dual variables that prove it.
    """

    objective: float
    dual_objective: float
    gap: float
    a: np.ndarray = field(repr=False)

    @property
    def relative(self) -> float:
        """``gap / objective``; 0 if both are."""
        return self.gap / self.objective if self.objective > 0 else 0.0 if self.gap == 0 else float("inf")


def duality_gap(
    W: np.ndarray,
    X: Any,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    intercept_scaling: float | None = None,
    a: np.ndarray | None = None,
    refine: int | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> DualityGap:
    """Bound how far the objective of ``W`` and ``b`` is above the least there is.

    Parameters
    ----------
    W : ndarray (n_classes, n_features), float32 or float64
        From anywhere: fastsvm, another library. Everything is computed in float64 at these very numbers.
    X, y, sample_weight, standardization, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`.
    b : ndarray (n_classes,), optional
        ``None``: the problem has no intercept.
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
    alpha : float > 0
        Without a penalty there is no dual.
    intercept_scaling : float > 0, optional
        The objective has ``alpha ½‖b / intercept_scaling‖²``. ``None``: ``b`` is not penalised.
    a : ndarray (n_samples, n_classes), optional
        Dual variables to use, as a dual solver has them. By default those that the scores suggest, of hinge losses the best
        mixture over several widths of smoothing.
    refine : int, optional
        Passes over the samples that may be spent on better dual variables, by a descent of the smoothed objective that begins
        at ``W``. Scores say little about them where weights are exactly optimal for a hinge loss. By default some hundred
        passes over small samples, and two dozen over large ones; with 0 the gap of weights that are a few percent off may well
        be as large as the objective.

    Returns
    -------
    DualityGap

    Raises
    ------
    TypeError, ValueError
        Naming the argument that does not fit; ``a`` that is not in the box of the loss.

    Notes
    -----
    The gap of weights that are nearly optimal is small but not as small as their objective's distance from the least: it is a
    bound. It is valid but for float64's rounding. Where ``b`` is not penalised ``a`` must fulfil an equation for each class,
    and is scaled down until it does (also an ``a`` that is given): what rounding leaves of it, r, is a few units of 1e-16 for
    each sample, and the bound holds for all intercepts up to ``|b|`` but for ``‖r‖₁ |b|``.

    Memory beyond the arguments: a few arrays of n_samples × n_classes numbers and of the size of ``W``, and a block of ``X``.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[1.0], [-1.0]]), np.array([0, 1])
    >>> round(duality_gap(np.array([[0.5], [-0.5]]), X, y, alpha=0.25).gap, 12)      # the best there is
    0.0
    >>> found = duality_gap(np.array([[0.0], [0.0]]), X, y, alpha=0.25)
    >>> found.objective, round(found.gap, 12)
    (1.0, 0.9375)
    """
    loss = check_loss(loss)
    if check_real("alpha", alpha, at_least=0.0) == 0:
        raise ValueError("alpha must be > 0: an objective without a penalty has no dual, and no gap; got 0")
    W = as_float64("W", W, 2)
    b = None if b is None else as_float64("b", b, 1)
    if intercept_scaling is not None:
        check_real("intercept_scaling", intercept_scaling, above=0.0)
        if b is None:
            raise ValueError(f"intercept_scaling must be None where there is no b; got {intercept_scaling!r}")
    W, b, problem = prepare(
        W, X, y, b, loss=loss, alpha=alpha, sample_weight=sample_weight, standardization=standardization
    )  # fmt: skip
    if intercept_scaling is not None:
        problem = problem._replace(alpha_intercept=alpha / intercept_scaling**2)
    scores = np.empty((len(problem.y), len(W)))
    engine, threads = backends.get(backend), backends.resolve_threads(n_threads)
    engine.scores(W, None, problem.samples, scores, threads)
    with np.errstate(over="ignore", invalid="ignore"):
        value = engine.score_loss(scores + (0.0 if b is None else b), problem.y, loss, problem.sample_weight, None, threads)
        value += 0.5 * (alpha * np.vdot(W, W) + (0.0 if b is None else problem.alpha_intercept * (b @ b)))
    if not np.isfinite(value):
        raise_non_finite(f"the loss is {value}", problem.samples, W=W, b=b)
    if a is not None:
        return certify(float(value), scores, b, problem, check_variables(a, problem.y, len(W), loss))
    passes = _passes(problem, len(W)) if refine is None else check_integer("refine", refine, at_least=0)
    found = certify(float(value), scores, b, problem, n_widths=FEW_WIDTHS if passes else WIDTHS)
    if passes == 0 or found.gap <= REFINED_TOL * found.objective:
        return found
    return _refined(found, scores, W, b, problem, Objective(problem, b is not None, engine, threads, passes))


def _passes(problem: Problem, n_classes: int) -> int:
    """How many passes are worth their time."""
    X = problem.samples.X
    products = n_classes * (X.nnz if problem.samples.is_sparse else X.size)
    return max(FEWEST_PASSES, min(MOST_PASSES, int(REFINE_PRODUCTS / (products + 1))))


def _refined(
    found: DualityGap, scores: np.ndarray, W: np.ndarray, b: np.ndarray | None, problem: Problem, objective: Objective
) -> DualityGap:
    """The certificate with the dual variables that a descent from the weights comes upon, if they prove more.

    It ends where what is still to be found is a small part of the gap.
    """

    def enough(look: Look) -> bool:
        assert descent.proof is not None
        bound = max(descent.proof.bound, found.dual_objective)
        return min(look.objective, found.objective) - bound <= REFINED * max(0.0, found.objective - bound)

    tol = REFINED_ROUGHLY if objective.max_passes < FEW else REFINED_TOL
    descent = Descent(objective, W if b is None else np.column_stack([W, b]), tol)
    descend(descent, lambda: True, enough)
    better = certify(found.objective, scores, b, problem, descent.variables())
    return better if better.dual_objective > found.dual_objective else found


def as_float64(name: str, array: Any, ndim: int) -> np.ndarray:
    """``array``, in float64 and C-contiguous: a copy if it was something else."""
    if isinstance(array, np.ndarray) and array.dtype.name in ("float32", "float64"):
        array = np.ascontiguousarray(array, np.float64)
    return check_array(name, array, dtypes=("float64", "float32"), ndim=ndim)


def certify(
    objective: float,
    scores: np.ndarray,
    b: np.ndarray | None,
    problem: Problem,
    a: np.ndarray | None = None,
    n_widths: int = 1,
) -> DualityGap:
    """The certificate of weights with this objective and these scores, float64, without ``b``.

    ``problem.alpha_intercept`` is ``alpha / B²``, or 0 for an intercept that is not penalised.
    """
    free = b is not None and problem.alpha_intercept == 0
    if a is None:
        candidates = _suggestions(scores, b, problem, free, n_widths)
    else:
        given = a
        factors = [balance(by_class(a, problem.y, problem.sample_weight))] if free else None
        candidates = Candidates(problem, scores.shape[1], 1, lambda k, rows: given[rows], factors)
    value, shares = best_mixture(candidates, b is not None, choose=a is None)
    return DualityGap(objective, value, max(0.0, objective - value), candidates.mixed(shares))


def _suggestions(scores: np.ndarray, b: np.ndarray | None, problem: Problem, free: bool, n_widths: int) -> Candidates:
    """What the scores suggest, at some widths; where the intercept is not penalised, at the best intercept of each width."""
    loss, y, weight, C = problem.loss, problem.y, problem.sample_weight, scores.shape[1]
    bs, factors = [np.zeros(C) if b is None else b], []
    widths = np.ones(1) if is_smooth(loss) else _widths(scores, getattr(loss, "delta", 1.0), n_widths)

    def variables(k: int, rows: slice) -> np.ndarray:
        return suggested(scores[rows] + bs[k + free], y[rows], loss, float(widths[k]))

    for k, width in enumerate(widths):
        bs.append(fit(scores, y, weight, loss, float(width), bs[k]) if free else bs[0])
        if free:
            flows = (by_class(variables(k, r), y[r], None if weight is None else weight[r]) for r in row_blocks(scores, BLOCK))
            factors.append(balance(sum(flows, start=np.zeros((C, C)))))
    return Candidates(problem, C, len(widths), variables, factors if free else None)


def _widths(scores: np.ndarray, delta: float, count: int) -> np.ndarray:
    """From what covers most differences of scores to next to nothing."""
    parts = (scores[rows] for rows in row_blocks(scores, BLOCK))
    spread = sum(float(np.abs(part - part.mean(axis=1, keepdims=True)).sum()) for part in parts)
    return np.geomspace(3 * max(delta, spread / scores.size), LEAST_WIDTH * delta, count)
