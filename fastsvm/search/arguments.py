"""The arguments of the searches, checked before anything is computed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from fastsvm import backends
from fastsvm.arguments import prepare
from fastsvm.losses import as_loss
from fastsvm.objective import loss_value
from fastsvm.score_functions import LINEAR
from fastsvm.search.result import SearchResult, SearchState
from fastsvm.search.run import Plan, Record, overflow_explained
from fastsvm.training.arguments import (
    check_callbacks,
    check_dtype,
    check_same_standardize,
    check_seed,
    check_standardize,
    initial_weights,
    restore_generator,
)
from fastsvm.validation import check_flag, check_integer, check_labels, check_real, check_samples, check_weights


def prepare_search(
    X: Any,
    y: Any,
    *,
    method: str,
    n_attempts: Any,
    scale: Any,
    step: Any,
    W: Any,
    b: Any,
    loss: Any,
    alpha: Any,
    n_classes: Any,
    fit_intercept: Any,
    penalize_intercept: Any,
    sample_weight: Any,
    standardize: Any,
    dtype: Any,
    seed: Any,
    callbacks: Any,
    resume: Any,
    backend: Any,
    n_threads: Any,
) -> tuple[Plan, SearchState, np.random.Generator, Record]:
    """Check all arguments of a search and say what is to be done, from where on."""
    X = check_samples("X", X)
    y = check_labels("y", y, n_samples=X.shape[0])
    loss, alpha = as_loss(loss), check_real("alpha", alpha, at_least=0.0)
    fit_intercept = check_flag("fit_intercept", fit_intercept)
    penalize_intercept = check_flag("penalize_intercept", penalize_intercept)
    n_attempts = check_integer("n_attempts", n_attempts, at_least=1)
    callbacks = check_callbacks(callbacks, "callback(attempt)")
    local = method == "local"
    if resume is None:
        if b is not None and W is None:
            raise ValueError("b must be None without W, to which it belongs; got initial values")
        drawn = W is None
        rng, standardization = check_seed(seed), check_standardize(standardize, X, dense="mean")
        _, W, b = initial_weights(
            LINEAR, X, y, W, b, n_classes=n_classes, fit_intercept=fit_intercept, dtype=dtype, rng=rng
        )  # fmt: skip
        scale = check_size("scale", scale, W.dtype) if drawn else None
        state, record = SearchState(0, W, b, np.inf, {}), Record()
    else:
        if W is not None or b is not None:
            raise ValueError("W and b must be None with resume, which says where to begin")
        given = {
            "loss": loss, "alpha": alpha, "fit_intercept": fit_intercept, "penalize_intercept": penalize_intercept,
            "n_classes": n_classes, "n_features": X.shape[1], "dtype": None if dtype is None else check_dtype(dtype),
            "step" if local else "scale": check_real(*("step", step) if local else ("scale", scale)),
        }  # fmt: skip
        state = check_resume(resume, method, given, n_attempts=n_attempts, standardize=standardize)
        rng, standardization, scale = restore_generator(state.rng), resume.standardization, resume.scale
        record = Record(resume.losses.tolist(), resume.accepted.tolist(), resume.initial_loss, resume.seconds)
        record.last = int(np.flatnonzero(resume.accepted[: state.attempts]).max(initial=-1))
    W, b, problem = prepare(
        state.W, X, y, state.b, loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept,
    )  # fmt: skip
    plan = Plan(
        method=method, X=problem.samples.X, y=problem.y, loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept, backend=backends.use(backend, loss),
        n_threads=backends.resolve_threads(n_threads), scale=scale,
        step=check_size("step", step, W.dtype) if local else None, n_attempts=n_attempts, callbacks=callbacks,
    )  # fmt: skip
    if local and resume is None:
        state, record.initial_loss = _start(plan, state, rng)
    return plan, state, rng, record


def _start(plan: Plan, state: SearchState, rng: np.random.Generator) -> tuple[SearchState, float]:
    """Where a local search begins, drawn if not given, and the objective there."""
    W, b = state.W, state.b
    if plan.scale is not None:
        normals = rng.standard_normal((len(W), W.shape[1] + (b is not None)), dtype=np.float32)
        np.multiply(normals[:, : W.shape[1]], plan.scale, out=W, dtype=W.dtype)
        if b is not None:
            np.multiply(normals[:, -1], plan.scale, out=b, dtype=W.dtype)
    with overflow_explained(plan, "W" if plan.scale is None else "scale", W.dtype):
        loss = loss_value(W, plan.X, plan.y, b, **plan.objective)
    return state._replace(best_loss=loss), loss


def check_size(name: str, value: Any, dtype: np.dtype) -> float:
    """A standard deviation of normal numbers in the weights' dtype: none of them may be 0 or overflow because of it."""
    number, limits = check_real(name, value, above=0.0), np.finfo(dtype)
    smallest, largest = float(limits.smallest_subnormal), float(limits.max) / 1000
    if not smallest <= number <= largest:
        raise ValueError(f"{name} must be a positive number up to {largest:.0g} for weights in {dtype}; got {value!r}")
    return number


def check_resume(resume: Any, method: str, given: dict[str, Any], *, n_attempts: int, standardize: Any) -> SearchState:
    """A copy of the state to go on from. Raises unless the arguments describe that search, as far as its result can tell."""
    if not isinstance(resume, SearchResult):
        raise TypeError(f"resume must be a SearchResult; got {type(resume).__name__}")
    if resume.method != method:
        raise ValueError(f"resume must be the result of a {method} search; got that of a {resume.method} search")
    state = copy.deepcopy(resume.state)
    check_same_standardize(standardize, resume.standardization, "search")
    had = {
        "loss": resume.loss_function, "alpha": resume.alpha, "fit_intercept": state.b is not None,
        "penalize_intercept": resume.penalize_intercept, "n_classes": len(state.W), "n_features": state.W.shape[1],
        "dtype": state.W.dtype, "scale": resume.scale, "step": resume.step,
    }  # fmt: skip
    for name, value in given.items():
        if value is not None and value != had[name]:
            raise ValueError(f"{name} must be that of the search to resume, {had[name]!r}; got {value!r}")
    if n_attempts < resume.n_attempts:
        raise ValueError(f"n_attempts counts those of resume too and must be >= {resume.n_attempts}; got {n_attempts}")
    check_weights(state.W, state.b)
    return state
