"""How a problem is best begun: by blocks at once, or where it is ill-conditioned by the smoothed loss first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastsvm.dual.result import DualRecord, DualResult
from fastsvm.dual.smoothing import SmoothingRecord, SmoothingResult, minimize
from fastsvm.problem import Problem, Samples
from fastsvm.sparse import is_sparse
from fastsvm.standardization import Standardization
from fastsvm.storage import as_numbers

#: From this ``mean ‖x‖² / (alpha · n_samples)`` on, smoothing first is the faster way, or nearly (measured on images of 784 and
#: of 3,072 pixels).
ILL_CONDITIONED = 5.0

#: The same where passes are cheap: of few samples, or of sparse ones.
HOPELESS = 3000.0

#: Smoothing is slow where the least objective is small, which nobody knows before. After so many passes with a relative gap
#: above that, blocks go on, if the problem is not too ill-conditioned for them.
TRIED, SLOW, TOO_ILL = 50, 0.1, 50.0

#: Multiply-adds of a pass below which many passes cost little.
SMALL_PRODUCTS = 1e6

#: Relative gap at which smoothing ends and blocks go on; and where blocks would hardly move, the least that is asked of it.
HANDED_OVER, LEAST = 1e-2, 1e-3

#: Samples whose squares are taken for the mean of all, and how many at a time.
LOOKED_AT, AT_ONCE = 256, 16


def mean_square(samples: Samples) -> float:
    """Mean of ``‖x‖²`` over samples evenly spread, as the score function sees them."""
    X = samples.X
    rows = np.linspace(0, samples.n_rows - 1, min(LOOKED_AT, samples.n_rows)).astype(np.int64)
    if is_sparse(X):
        part = X[rows]
        numbers = part.data.astype(np.float64)
        if samples.inverse_scale is not None:
            numbers *= samples.inverse_scale[part.indices]
        return float(numbers @ numbers) / len(rows)
    total = 0.0
    for some in np.array_split(rows, -(-len(rows) // AT_ONCE)):
        x = as_numbers(X[some])
        if samples.mean is not None:
            x -= samples.mean
            x *= samples.inverse_scale
        total += float(np.vdot(x, x))
    return total / len(rows)


def conditioning(problem: Problem, intercept_scaling: float | None) -> float:
    """``mean ‖x‖² / (alpha · n_samples)``, the constant feature included."""
    square = mean_square(problem.samples) + (0.0 if intercept_scaling is None else intercept_scaling**2)
    return square / (problem.alpha * problem.samples.n_rows)


def choose_method(
    method: str, problem: Problem, n_classes: int, intercept_scaling: float | None, start: DualResult | None
) -> tuple[str, str]:
    """The method by its full name, and a sentence that says why it is taken."""
    if method != "auto":
        return {"blocks": "blocks", "smoothing": "smoothing+blocks"}[method], "it was asked for"
    if start is not None:
        return "blocks", "a start is given"
    X = problem.samples.X
    small = (X.nnz if is_sparse(X) else X.size) * n_classes < SMALL_PRODUCTS
    ratio = conditioning(problem, intercept_scaling)
    limit = HOPELESS if small or problem.samples.is_sparse else ILL_CONDITIONED
    if ratio > limit:
        return "smoothing+blocks", f"mean |x|^2 / (alpha n) is {ratio:.3g}, more than {limit:g}: ill-conditioned"
    return "blocks", f"mean |x|^2 / (alpha n) is {ratio:.3g}, at most {limit:g}"


def smoothed_start(
    problem: Problem,
    n_classes: int,
    standardization: Standardization | None,
    intercept_scaling: float | None,
    *,
    tol: float,
    max_iter: int,
    callbacks: Sequence[Callable[[DualRecord], Any]],
    n_threads: int,
) -> tuple[SmoothingResult, list[DualRecord], bool]:
    """Weights and dual variables near the optimum, from the smoothed loss, records of the way there, and whether a callback
    ended it.
    """
    records: list[DualRecord] = []
    ratio, stopped = conditioning(problem, intercept_scaling), False

    def note(record: SmoothingRecord) -> bool:
        records.append(
            DualRecord(
                epoch=record.passes, objective=record.objective, dual_objective=record.dual_objective, gap=record.gap,
                n_active=problem.samples.n_rows, seconds=record.seconds,
            )
        )  # fmt: skip
        nonlocal stopped
        stopped = any([says_stop(callback(records[-1])) for callback in callbacks])
        return stopped or (ratio <= TOO_ILL and record.passes >= TRIED and record.gap > SLOW * record.objective)

    result = minimize(
        problem.samples.X, problem.y, loss=problem.loss, alpha=problem.alpha, n_classes=n_classes,
        sample_weight=problem.sample_weight, standardization=standardization, fit_intercept=intercept_scaling is not None,
        intercept_scaling=intercept_scaling, tol=max(tol, LEAST if ratio > HOPELESS else HANDED_OVER), max_passes=max_iter,
        callbacks=[note], n_threads=n_threads,
    )  # fmt: skip
    return result, records, stopped


def says_stop(answer: Any) -> bool:
    """``True``, Python's or NumPy's, ends the solver; whatever else a callback returns does not."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)
