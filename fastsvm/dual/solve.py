"""The dual solver: block coordinate ascent until the certified gap is small enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm import backends
from fastsvm.arguments import prepare
from fastsvm.dual.arguments import (
    METHODS,
    check_intercept_scaling,
    check_solvable,
    check_start,
    initial_variables,
    weights_dtype,
)
from fastsvm.dual.ascent import Ascent
from fastsvm.dual.certificate import DualityGap, duality_gap
from fastsvm.dual.conditioning import choose_method, says_stop, smoothed_start
from fastsvm.dual.result import DualHistory, DualRecord, DualResult
from fastsvm.dual.smoothing import SmoothingResult
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.problem import Problem
from fastsvm.standardization import Standardization
from fastsvm.training import interruptible
from fastsvm.training.arguments import check_callbacks, check_seed, check_standardize, count_classes
from fastsvm.validation import (
    check_choice,
    check_finite,
    check_integer,
    check_labels,
    check_real,
    check_samples,
)

#: A sample whose variables are at their best rests for so many passes at most; every certificate looks at all of them.
LONGEST_REST = 7

#: The same of sparse samples, of which also those rest whose gap is at most so large a share of the mean one. (Dense ones are
#: not worth it: with small gaps resting the last digits take more passes.)
LONGEST_SPARSE_REST, NEGLIGIBLE = 3, 0.3

#: Where nothing suggests that the gap is small enough it is looked at after 1, 2, 4, 8, … passes, but every so many at least.
SELDOM = 16

#: After a look in vain the next is made when the number of passes has grown by one part in so many.
PATIENCE = 16

Callback = Callable[[DualRecord], Any]
Weights = tuple[np.ndarray, np.ndarray | None]


def solve(
    X: np.ndarray,
    y: npt.ArrayLike,
    *,
    loss: Loss | str = WestonWatkins(),
    alpha: float,
    n_classes: int | None = None,
    sample_weight: npt.ArrayLike | None = None,
    standardize: Standardization | str | None = None,
    intercept_scaling: float | None = 1.0,
    tol: float = 1e-3,
    max_iter: int = 1000,
    start: DualResult | None = None,
    method: str = "auto",
    dtype: npt.DTypeLike | None = None,
    seed: int | np.random.Generator | np.random.SeedSequence | None = 0,
    callbacks: Iterable[Callback] = (),
    n_threads: int | None = None,
) -> DualResult:
    """Minimise the objective of a multiclass SVM to a certified gap.

    Parameters
    ----------
    X : ndarray or CSR (n_samples, n_features)
        Samples, as of :func:`fastsvm.train`; read in place.
    y : (n_samples,) integers
        Class indices.
    loss : WestonWatkins, CrammerSinger, or the name of one
        Squared or not.
    alpha : float > 0
        Strength of the penalty; LIBLINEAR's ``C`` is ``1 / (alpha · n_samples)``.
    n_classes : int >= 2, optional
        Default: the largest label + 1, and then ``y`` must hold every class.
    sample_weight : (n_samples,) numbers >= 0, optional
    standardize : kind of :data:`fastsvm.standardization.KINDS`, Standardization or None
        Applied to the samples as they are read. The penalty is on the weights of what results.
    intercept_scaling : float > 0 or None
        The intercept is the weight of a constant feature of this value, and penalised with the others: ``alpha ·
        ½‖b / intercept_scaling‖²`` is part of the objective (LIBLINEAR's convention). The larger it is, the less that matters,
        and the slower the solver. ``None``: no intercept.
    tol : float > 0
        Stop once ``gap <= tol · objective``.
    max_iter : int >= 1
        Passes over the samples, at most.
    start : DualResult, optional
        Begin with the dual variables of this result on the same samples and labels; ``alpha`` may differ. From a strong
        penalty to a weak one, a path of solutions costs little more than the last of them.
    method : {"auto", "blocks", "smoothing"}
        "blocks": block coordinate ascent alone. "smoothing": first the smoothed loss by L-BFGS, which hardly minds
        ill-conditioned problems, then the ascent from there. "auto" goes by ``mean ‖x‖² / (alpha · n_samples)``.
    dtype : float32 or float64, optional
        Of the weights and dual variables. Default: float64 for float64 ``X``, else float32. What is reported is computed in
        float64.
    seed : int >= 0, numpy.random.Generator, SeedSequence or None
        Source of the order of the samples.
    callbacks : sequence of callables
        Each is called with every `DualRecord`; one that returns ``True`` ends the solver.
    n_threads : int or None
        As in :mod:`fastsvm.objective`. It never changes a bit of the result.

    Returns
    -------
    DualResult

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or ``X`` holds NaN or infinity.

    Notes
    -----
    Ctrl-C in the main thread ends the solver after the pass in progress; the result is certified all the same.

    References
    ----------
    Y. Wang and C. Scott, "An exact solver for the Weston-Watkins SVM subproblem", ICML 2021.
    S. Keerthi et al., "A sequential dual method for large scale multi-class linear SVMs", KDD 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from fastsvm import dual
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> result = dual.solve(X, y, alpha=0.1, tol=1e-9)
    >>> result.converged, result.W.round(6).tolist(), result.b.tolist()
    (True, [[-0.5], [0.5]], [0.0, 0.0])
    """
    X = check_samples("X", X)
    y = check_labels("y", y, n_samples=X.shape[0])
    loss, alpha = check_solvable(loss), check_real("alpha", alpha, above=0.0)
    n_classes = count_classes(y) if n_classes is None else check_integer("n_classes", n_classes, at_least=2)
    intercept_scaling = check_intercept_scaling(intercept_scaling)
    tol, max_iter = check_real("tol", tol, above=0.0), check_integer("max_iter", max_iter, at_least=1)
    method, callbacks = check_choice("method", method, METHODS), check_callbacks(callbacks, "callback(record)")
    given = {
        "n_samples": X.shape[0], "n_classes": n_classes, "n_features": X.shape[1], "loss": loss,
        "intercept_scaling": intercept_scaling,
    }  # fmt: skip
    start = check_start(start, loss, standardize, given)
    dtype = weights_dtype(dtype, X, start)
    standardization = start.standardization if start is not None else check_standardize(standardize, X)
    _, _, problem = prepare(
        np.zeros((n_classes, X.shape[1]), dtype), X, y, loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization,
    )  # fmt: skip
    n_threads = backends.resolve_threads(n_threads)
    method, reason = choose_method(method, problem, n_classes, intercept_scaling, start)
    solver = _Solver(
        problem, initial_variables(start, y, n_classes, dtype), intercept_scaling, standardization, tol=tol, max_iter=max_iter,
        rng=check_seed(seed), callbacks=callbacks, n_threads=n_threads,
    )  # fmt: skip
    with interruptible() as interrupted, np.errstate(all="ignore"):
        if method == "smoothing+blocks":
            solver.take_over(
                *smoothed_start(
                    problem, n_classes, standardization, intercept_scaling, tol=tol, max_iter=max_iter, callbacks=callbacks,
                    n_threads=n_threads,
                )
            )  # fmt: skip
        stop_reason = solver.run(interrupted)
    certificate, (W, b), a = solver.answer
    return DualResult(
        W=W, b=b, objective=certificate.objective, dual_objective=certificate.dual_objective, gap=certificate.gap,
        converged=certificate.relative <= tol, stop_reason="converged" if certificate.relative <= tol else stop_reason,
        n_iter=solver.passes, history=DualHistory(solver.records), a=a, loss=loss, alpha=alpha,
        standardization=standardization, intercept_scaling=intercept_scaling, method=method, reason=reason,
    )  # fmt: skip


class _Rounds:
    """Which samples the next pass takes: those at their best (or nearly) rest, the longer the more often they were found so."""

    def __init__(self, n: int, sparse: bool = False) -> None:
        self._calm, self._rest = np.zeros(n, np.int8), np.zeros(n, np.int8)
        self._longest, self._negligible = (LONGEST_SPARSE_REST, NEGLIGIBLE) if sparse else (LONGEST_REST, 0.0)

    def active(self) -> np.ndarray:
        """Their indices; the others have rested for another pass."""
        rests = self._rest > 0
        self._rest[rests] -= 1
        return np.flatnonzero(~rests)

    def note(self, order: np.ndarray, gaps: np.ndarray) -> None:
        """Take in the gaps that a pass has found."""
        small = gaps <= self._negligible * gaps.sum() / max(1, len(gaps))
        calm = np.where(small, np.minimum(self._calm[order] + 1, 4), 0).astype(np.int8)
        self._calm[order] = calm
        self._rest[order] = np.minimum((1 << calm.astype(np.int64)) - 1, self._longest)

    def wake(self, gaps: np.ndarray) -> None:
        """Those with a gap that counts rest no longer."""
        self._rest[gaps > self._negligible * gaps.mean()] = 0


class _Solver:
    """A solver in progress."""

    def __init__(
        self,
        problem: Problem,
        a: np.ndarray,
        intercept_scaling: float | None,
        standardization: Standardization | None,
        *,
        tol: float,
        max_iter: int,
        rng: np.random.Generator,
        callbacks: tuple[Callback, ...],
        n_threads: int,
    ) -> None:
        square = None if intercept_scaling is None else intercept_scaling**2
        self.ascent = Ascent(problem, a, square, n_threads)
        self.problem, self.intercept_scaling, self.standardization = problem, intercept_scaling, standardization
        self.tol, self.max_iter, self.rng, self.callbacks, self.n_threads = tol, max_iter, rng, callbacks, n_threads
        self.passes, self.stop, self.began = 0, False, time.perf_counter()
        self.records: list[DualRecord] = []
        self.given: Weights | None = None
        self.answer: Any = None  # certificate, weights and dual variables of the best so far

    def take_over(self, found: SmoothingResult, records: list[DualRecord], stopped: bool) -> None:
        """Go on from what smoothing has found. Its weights are better than those its dual variables stand for."""
        dtype = self.ascent.a.dtype
        self.stop = stopped
        self.given = found.W.astype(dtype), None if found.b is None else found.b.astype(dtype)
        self.ascent.a[:] = found.a
        self.records += records
        self.passes = found.n_passes

    def run(self, interrupted: Callable[[], bool]) -> str:
        """Passes until there is a reason to stop, which is returned."""
        if self.given is not None:
            certificate = self.certificate(self.given)
            if self.stop or self.passes >= self.max_iter or certificate.relative <= self.tol:
                return "callback" if self.stop else "max_iter"
            self.ascent.rebuild()
        rounds = _Rounds(len(self.ascent.a), self.problem.samples.is_sparse)
        look_at, goal = self.passes + 1, self.tol
        objective, again = np.inf, 0
        if self.given is None and self.ascent.a.any():
            look_at = self.passes  # perhaps it is good enough as it is
        while True:
            expected, n_active = np.inf, len(self.ascent.a)
            if look_at > self.passes:
                order = self.rng.permutation(rounds.active())
                n_active = len(order)
                gap, _, gaps = self.ascent.step(order)
                self.check_sound(gap)
                rounds.note(order, gaps)
                self.passes += 1
                expected = gap / objective if np.isfinite(objective) else np.inf
            reason = "interrupted" if interrupted() else "max_iter" if self.passes >= self.max_iter else ""
            hopeful = expected <= 1.5 * goal and self.passes >= again
            if not reason and not hopeful and self.passes < look_at:
                continue
            look_at = self.passes + min(SELDOM, max(1, self.passes))
            again = self.passes + self.passes // PATIENCE + 1
            objective, gap, gaps = self.look(n_active)
            rounds.wake(gaps)
            if self.stop:
                reason = reason or "callback"
            if reason or gap <= goal * objective:
                self.ascent.rebuild()
                certificate = self.certificate(self.present())
                if reason or certificate.relative <= self.tol:
                    return reason or "converged"
                goal = min(goal, self.tol * self.tol / certificate.relative)  # what rounding had hidden

    def look(self, n_active: int) -> tuple[float, float, np.ndarray]:
        """Objective and gap of the present weights, recorded, and the gaps of all samples."""
        gap, value, gaps = self.ascent.certify()
        self.check_sound(gap)
        objective = value + 0.5 * self.problem.alpha * self.ascent.squares()
        seconds = time.perf_counter() - self.began
        record = DualRecord(self.passes, objective, objective - gap, gap, n_active, seconds)
        self.records.append(record)
        answers = [says_stop(callback(record)) for callback in self.callbacks]
        self.stop = self.stop or any(answers)
        return objective, gap, gaps

    def check_sound(self, gap: float) -> None:
        """Raise where a gap is not finite: finite samples of a sane size cannot make one."""
        if np.isfinite(gap):
            return
        check_finite("X", self.problem.samples.X)
        dtype = self.ascent.a.dtype
        wider = ", or use dtype='float64'" if dtype == np.float32 else ""
        raise OverflowError(f"the duality gap is {gap}: products of these samples overflow {dtype}. Scale X down{wider}")

    def present(self) -> Weights:
        """Weights and intercept of the ascent, in the form the user gets."""
        n_classes, dtype = self.ascent.a.shape[1], self.ascent.a.dtype
        W = np.ascontiguousarray(self.ascent.W[:, :n_classes].T)
        return W, None if self.ascent.b is None else self.ascent.b.astype(dtype)

    def certificate(self, weights: Weights) -> DualityGap:
        """What these weights are worth by the dual variables, in float64. They are the answer, unless a better one was."""
        W, b = weights
        found = duality_gap(
            W, self.problem.samples.X, self.problem.y, b, self.problem.loss, self.problem.alpha, self.problem.sample_weight,
            standardization=self.standardization, intercept_scaling=self.intercept_scaling, a=self.ascent.a.astype(np.float64),
            n_threads=self.n_threads,
        )  # fmt: skip
        if self.answer is None or found.relative <= self.answer[0].relative:
            self.answer = found, weights, self.ascent.a.copy()
        return found
