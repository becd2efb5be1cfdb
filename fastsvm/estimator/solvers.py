"""The solvers behind the estimators: one table from name to function.

A solver takes a `Task`, in which everything is checked, and returns a `Solution`.

========  =========================================================  ==============================================
solver    how                                                        intercept
========  =========================================================  ==============================================
"dual"    exact: `fastsvm.dual.solve`, hinge losses                  penalised as ½ alpha ‖b / intercept_scaling‖²
"lbfgs"   exact: L-BFGS on the (smoothed) loss, then certified       not penalised
"sgd"     `fastsvm.train`: batches and any optimizer                 not penalised
========  =========================================================  ==============================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from fastsvm.estimator.choosing import SETTLED, SMALL_OBJECTIVE, default_optimizer, products
from fastsvm.estimator.progress import Callback, says_stop
from fastsvm.estimator.scaling import centred
from fastsvm.estimator.task import Solution, Task
from fastsvm.losses import Loss, RegisteredLoss, Softmax
from fastsvm.objective import loss_value, score_loss_and_gradient
from fastsvm.standardization import Standardization
from fastsvm.training import TrainResult, train

#: Passes spent on a better certificate for "sgd", and the multiply-adds of a pass up to which they are; none where a fit stops
#: early, which nobody asks how far it has got.
REFINE, REFINED_PRODUCTS = 100, 1e6

#: Multiply-adds of a pass up to which threads of BLAS only get in each other's way.
SERIAL_BLAS_PRODUCTS = 1e7


def solve_sgd(task: Task) -> Solution:
    """Epochs of batches. Where the last fit had the same problem it is resumed, the optimizer's state and all."""
    optimizer = task.optimizer or default_optimizer(task)
    options: dict[str, Any] = {
        "loss": task.loss, "alpha": task.alpha, "batch_size": task.batch_size, "n_classes": task.n_classes,
        "fit_intercept": task.fit_intercept, "sample_weight": task.sample_weight, "standardize": task.standardization,
        "validation": task.validation, "patience": task.patience, "callbacks": task.callbacks, "dtype": task.dtype,
        "seed": task.seed, "backend": task.backend, "n_threads": task.n_threads, "optimizer": optimizer,
    }  # fmt: skip
    before, state = 0, None if task.start is None else task.start.state
    if isinstance(state, TrainResult) and resumable(state, replace(task, optimizer=optimizer)):
        before = state.state.epochs
        options["resume"] = state
    elif task.start is not None:
        options |= {"W": task.start.W, "b": task.start.b}
    result = train(task.X, task.y, epochs=before + task.max_iter, **options)
    W, b = result.W, result.b
    if not isinstance(task.loss, RegisteredLoss):
        W, b = centred(W, b)
    if task.certify and not isinstance(task.loss, RegisteredLoss):
        objective, gap, relative = certify(task, W, b)
        converged = gap <= task.tol * max(objective, SMALL_OBJECTIVE * loss_of_zeros(task.loss, task.n_classes))
    else:
        objective, gap, relative = objective_of(task, W, b), math.nan, math.nan
        converged = last_fall(result.history) <= SETTLED
    return Solution(
        W=W, b=b, objective=objective, gap=gap, relative_gap=relative, converged=converged,
        stop_reason="max_iter" if result.stop_reason == "epochs" else result.stop_reason,
        n_iter=result.state.epochs - before, history=result.history, state=result,
    )  # fmt: skip


def loss_of_zeros(loss: Loss, n_classes: int) -> float:
    """The loss where all scores are the same."""
    return score_loss_and_gradient(np.zeros((1, n_classes)), np.zeros(1, np.int64), loss)[0]


def resumable(last: TrainResult, task: Task) -> bool:
    """Whether a training can go on with this task: what it was about is the same."""
    return same_scaling(last.standardization, task.standardization) and (
        last.loss, last.alpha, type(last.optimizer), last.state.W.shape, last.state.W.dtype, last.state.b is not None,
        last.state.best_W is not None,
    ) == (
        task.loss, task.alpha, type(task.optimizer), (task.n_classes, task.X.shape[1]), task.dtype, task.fit_intercept,
        task.validation is not None,
    )  # fmt: skip


def same_scaling(had: Standardization | None, has: Standardization | None) -> bool:
    """Whether two standardisations do the same."""
    if had is None or has is None:
        return had is has
    return np.array_equal(had.mean, has.mean) and np.array_equal(had.scale, has.scale)


def last_fall(history: Any) -> float:
    """By what share of itself the objective of the epochs fell from the last but one to the last; infinite after one epoch."""
    if len(history) < 2:
        return math.inf
    before, last = history["loss"][-2:]
    return float((before - last) / max(abs(last), np.finfo(np.float64).tiny))


def objective_of(task: Task, W: np.ndarray, b: np.ndarray | None) -> float:
    """The objective of weights, the intercept not penalised."""
    return loss_value(
        W, task.X, task.y, b, task.loss, task.alpha, task.sample_weight,
        standardization=task.standardization, backend=task.backend, n_threads=task.n_threads,
    )  # fmt: skip


def certify(task: Task, W: np.ndarray, b: np.ndarray | None) -> tuple[float, float, float]:
    """Objective, gap and relative gap of weights, the intercept not penalised."""
    from fastsvm.dual.certificate import duality_gap

    with quiet_blas(task):
        found = duality_gap(
            W, task.X, task.y, b, loss=task.loss, alpha=task.alpha, sample_weight=task.sample_weight,
            standardization=task.standardization, n_threads=task.n_threads,
            refine=REFINE if task.patience is None and products(task.X, task.n_classes) <= REFINED_PRODUCTS else 0,
        )  # fmt: skip
    return found.objective, found.gap, found.relative


def quiet_blas(task: Task) -> AbstractContextManager[Any]:
    """BLAS in a single thread where its products are small: threads that wait for each other cost many times the work."""
    if products(task.X, task.n_classes) > SERIAL_BLAS_PRODUCTS:
        return nullcontext()
    return ThreadpoolController().limit(limits=1, user_api="blas")


def solve_lbfgs(task: Task) -> Solution:
    """L-BFGS on the loss, smoothed if it is not smooth, until the gap is certified."""
    if isinstance(task.loss, RegisteredLoss):
        raise ValueError(f"solver='lbfgs' minimises fastsvm's own losses; got loss={task.loss!r}. Use solver='sgd'")
    from fastsvm.dual.result import DualHistory, DualRecord
    from fastsvm.dual.smoothing import minimize

    n = len(task.y)

    def as_dual(record: Any) -> DualRecord:
        return DualRecord(record.passes, record.objective, record.dual_objective, record.gap, n, record.seconds)

    callbacks = tuple(
        lambda record, callback=callback: callback(as_dual(record)) for callback in _without_result(task.callbacks)
    )
    W, b = (None, None) if task.start is None else task.start[:2]
    with quiet_blas(task):
        result = minimize(
            task.X, task.y, loss=task.loss, alpha=task.alpha, n_classes=task.n_classes, sample_weight=task.sample_weight,
            standardization=task.standardization, fit_intercept=task.fit_intercept, W=W, b=b,
            tol=task.aim, max_passes=task.max_iter, callbacks=callbacks, n_threads=task.n_threads,
        )  # fmt: skip
    relative = result.gap / result.objective if result.objective > 0 else 0.0
    converged = relative <= task.tol
    reason = {"max_passes": "max_iter"}.get(result.stop_reason, result.stop_reason)
    return Solution(
        W=result.W.astype(task.dtype), b=None if result.b is None else result.b.astype(task.dtype),
        objective=result.objective, gap=result.gap, relative_gap=relative, converged=converged,
        stop_reason="converged" if converged and reason in ("max_iter", "stalled") else reason,
        n_iter=result.n_passes, history=DualHistory([as_dual(record) for record in result.history]), state=None,
    )  # fmt: skip


def solve_dual(task: Task) -> Solution:
    """The exact solver. On samples of the same shape the dual variables of the last fit are where it begins."""
    from fastsvm.dual.solve import solve

    if isinstance(task.loss, (Softmax, RegisteredLoss)):
        raise ValueError(f"solver='dual' minimises hinge losses; got loss={task.loss!r}. Use solver='lbfgs' or 'sgd'")
    intercept_scaling = task.intercept_scaling if task.fit_intercept else None
    start = None if task.start is None else task.start.state
    if not same_dual(start, task, intercept_scaling):
        start = None
    result = solve(
        task.X, task.y, loss=task.loss, alpha=task.alpha, n_classes=task.n_classes, sample_weight=task.sample_weight,
        standardize=task.standardization, intercept_scaling=intercept_scaling,
        tol=task.aim, max_iter=task.max_iter, start=start, dtype=task.dtype, seed=task.seed,
        callbacks=_without_result(task.callbacks), n_threads=task.n_threads,
    )  # fmt: skip
    converged = result.relative_gap <= task.tol
    return Solution(
        W=result.W, b=result.b, objective=result.objective, gap=result.gap, relative_gap=result.relative_gap,
        converged=converged,
        stop_reason="converged" if converged and result.stop_reason == "max_iter" else result.stop_reason,
        n_iter=result.n_iter, history=result.history, state=result,
    )  # fmt: skip


def same_dual(last: Any, task: Task, intercept_scaling: float | None) -> bool:
    """Whether the dual variables of the last fit are of this task but for its alpha, as far as can be told."""
    if last is None or last.a.shape != (len(task.y), task.n_classes) or last.W.shape[1] != task.X.shape[1]:
        return False
    return (
        (last.loss, last.intercept_scaling, last.a.dtype) == (task.loss, intercept_scaling, task.dtype)
        and same_scaling(last.standardization, task.standardization)
        and not last.a[np.arange(len(task.y)), task.y].any()
    )


def _without_result(callbacks: tuple[Callback, ...]) -> tuple[Callable[[Any], bool], ...]:
    """Callbacks of (record, result) as callbacks of the record alone: these solvers have no weights to show on their way."""
    return tuple(lambda record, callback=callback: says_stop(callback(record, None)) for callback in callbacks)


SOLVERS: dict[str, Callable[[Task], Solution]] = {"dual": solve_dual, "lbfgs": solve_lbfgs, "sgd": solve_sgd}
