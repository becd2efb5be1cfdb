"""Minimising the objective through smoothed losses, by L-BFGS: the way to begin where the problem is ill-conditioned.

    L_μ(W, b) = (1/N) Σ_i ω_i ℓ_μ(scores_i, y_i) + (alpha / 2) (‖W‖² + ‖b/B‖²)

ℓ_μ is the loss with its bends rounded off over a width μ (`fastsvm.losses.SmoothedWestonWatkins`, `SmoothedCrammerSinger`), a
little below it; a squared or a softmax loss is smooth as it is. The gradient of ℓ_μ on the scores is made of dual variables
``a`` in the box of the loss, so that every point of the descent comes with a certificate. With h the margins ``s_j − s_y + Δ``,

    L(W) − D(a) = (1/N) Σ_i ω_i (ℓ(h_i) − Σ_j (a_ij h_ij − r(a_ij))) + ‖∇L_μ(W)‖² / (2 alpha):

what the smoothing costs, and what is left to minimise, of which the last points together know better still
(:mod:`fastsvm.dual.bundle`). Once what is left is the smaller part, μ is lowered. L-BFGS works in variables in which the
objective is about round (:mod:`fastsvm.dual.preconditioning`).

References
----------
Y. Nesterov, "Smooth minimization of non-smooth functions", Mathematical Programming 103, 2005.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastsvm import backends
from fastsvm.arguments import prepare, raise_non_finite
from fastsvm.dual.certificate import DualityGap, as_float64, certify
from fastsvm.dual.conjugates import check_loss, is_smooth
from fastsvm.dual.descent import Descent, descend
from fastsvm.dual.smoothed import Look, Objective
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.standardization import Standardization
from fastsvm.validation import check_flag, check_integer, check_labels, check_real, check_samples, check_weights


class SmoothingRecord(NamedTuple):
    """A look at the weights.

    Attributes
    ----------
    passes : int
        Reads of the samples so far.
    width : float
        μ; 0 for a loss that is smooth as it is.
    objective, dual_objective, gap : float
        Of these weights, and the best bound so far: an estimate but in the last record, which is of the certificate.
    seconds : float
        Wall time since the beginning.
    """

    passes: int
    width: float
    objective: float
    dual_objective: float
    gap: float
    seconds: float


@dataclass(frozen=True, eq=False)
class SmoothingResult:
    """What :func:`minimize` returns.

    Attributes
    ----------
    W : ndarray (n_classes, n_features), float64
    b : ndarray (n_classes,), float64, or None
    a : ndarray (n_samples, n_classes), float64
        Dual variables with the value ``dual_objective``.
    objective, dual_objective, gap : float
        Certified: as :func:`fastsvm.dual.duality_gap` gives them for ``W``, ``b`` and ``a``.
    converged : bool
        Whether ``gap <= tol * objective``.
    stop_reason : {"converged", "max_passes", "callback", "stalled"}
        "stalled": no further for rounding.
    n_passes : int
        Reads of the samples.
    history : list of SmoothingRecord
    """

    W: np.ndarray
    b: np.ndarray | None
    a: np.ndarray = field(repr=False)
    objective: float
    dual_objective: float
    gap: float
    converged: bool
    stop_reason: str
    n_passes: int
    history: list[SmoothingRecord] = field(repr=False)


def minimize(
    X: Any,
    y: np.ndarray,
    *,
    loss: Loss | str = WestonWatkins(),
    alpha: float,
    n_classes: int | None = None,
    sample_weight: np.ndarray | None = None,
    standardization: Standardization | None = None,
    fit_intercept: bool = True,
    intercept_scaling: float | None = None,
    W: np.ndarray | None = None,
    b: np.ndarray | None = None,
    widths: Sequence[float] | None = None,
    tol: float = 1e-3,
    max_passes: int = 1000,
    callbacks: Iterable[Callable[[SmoothingRecord], Any]] = (),
    backend: str | None = None,
    n_threads: int | None = None,
) -> SmoothingResult:
    """Minimise the objective until the certified gap is at most ``tol`` times the objective.

    Parameters
    ----------
    X, y, sample_weight, standardization, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`.
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
    alpha : float > 0
    n_classes : int, optional
        By default one more than the largest of ``y``, and at least 2.
    fit_intercept : bool, default True
    intercept_scaling : float > 0, optional
        The intercept is penalised, ``alpha ½‖b / intercept_scaling‖²``. ``None``: it is not.
    W, b : ndarray, optional
        Where to begin; by default 0.
    widths : sequence of float, optional
        Widths μ to go through, the last of them to the end. By default they follow from ``tol`` and from what is found.
    tol : float > 0
    max_passes : int
        Reads of the samples for value and gradient; a few more for scores and the certificate.
    callbacks : iterable of callable
        Each is called with every record; one that returns ``True`` ends the run.
    """
    loss, alpha, tol = check_loss(loss), check_real("alpha", alpha, above=0.0), check_real("tol", tol, above=0.0)
    max_passes = check_integer("max_passes", max_passes, at_least=1)
    X = check_samples("X", X)
    y = check_labels("y", y, n_samples=X.shape[0], n_classes=n_classes)
    n_classes = max(2, int(y.max()) + 1) if n_classes is None else check_integer("n_classes", n_classes, at_least=2)
    if intercept_scaling is not None:
        check_real("intercept_scaling", intercept_scaling, above=0.0)
    if not check_flag("fit_intercept", fit_intercept) and (intercept_scaling is not None or b is not None):
        raise ValueError("intercept_scaling and b must be None where fit_intercept is False")
    for width in () if widths is None else widths:
        check_real("widths", width, above=0.0)
    W = np.zeros((n_classes, X.shape[1])) if W is None else as_float64("W", W, 2).copy()
    check_weights(W, None, n_features=X.shape[1], n_classes=n_classes)
    if fit_intercept:
        b = np.zeros(n_classes) if b is None else as_float64("b", b, 1)
    W, b, problem = prepare(
        W, X, y, b, loss=loss, alpha=alpha, sample_weight=sample_weight, standardization=standardization
    )  # fmt: skip
    if intercept_scaling is not None:
        problem = problem._replace(alpha_intercept=alpha / intercept_scaling**2)
    threads = backends.resolve_threads(n_threads)
    objective = Objective(problem, fit_intercept, backends.get(backend), threads, max_passes)
    start = W if b is None else np.column_stack([W, b])
    return _Run(objective, Descent(objective, start, tol, widths), tol, tuple(callbacks)).result()


class _Run:
    """A descent with its records and certificates."""

    def __init__(self, objective: Objective, descent: Descent, tol: float, callbacks: tuple[Callable, ...]) -> None:
        self.objective, self.descent, self.tol, self.callbacks = objective, descent, tol, callbacks
        self.began = time.perf_counter()
        self.history: list[SmoothingRecord] = []
        self.best: DualityGap | None = None

    def result(self) -> SmoothingResult:
        reason = descend(self.descent, self._certify, self._note)
        if reason != "converged":
            reason = "converged" if self._certify() else reason
        found, look = self.best, self.descent.best
        assert found is not None
        assert look is not None
        W, b = self.objective.split(look.W)
        gap = max(0.0, look.objective - found.dual_objective)
        return SmoothingResult(
            W, b, found.a, look.objective, found.dual_objective, gap, gap <= self.tol * look.objective, reason,
            self.objective.passes, self.history,
        )  # fmt: skip

    def _note(self, look: Look) -> bool:
        if not np.isfinite(look.objective):
            W, b = self.objective.split(look.W)
            raise_non_finite(f"the objective is {look.objective}", self.objective.problem.samples, W=W, b=b)
        assert self.descent.proof is not None
        record = self._record(look, self.descent.proof.bound)
        answers = [callback(record) for callback in self.callbacks]
        return any(isinstance(answer, (bool, np.bool_)) and bool(answer) for answer in answers)

    def _record(self, look: Look, bound: float) -> SmoothingRecord:
        width = 0.0 if is_smooth(self.objective.problem.loss) else self.descent.width
        seconds = time.perf_counter() - self.began
        record = SmoothingRecord(self.objective.passes, width, look.objective, bound, look.objective - bound, seconds)
        self.history.append(record)
        return record

    def _certify(self) -> bool:
        """Whether the mixture of the last points proves that the best weights are good enough."""
        objective, look = self.objective, self.descent.best
        assert look is not None
        _, b = objective.split(look.W)
        found = certify(look.objective, np.zeros((len(objective.problem.y), len(look.W))), b, objective.problem,
                        self.descent.variables())  # fmt: skip
        objective.passes += 1
        if self.best is None or found.dual_objective > self.best.dual_objective:
            self.best = found
        self._record(look, self.best.dual_objective)
        return look.objective - self.best.dual_objective <= self.tol * look.objective
