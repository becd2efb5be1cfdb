"""The contract of :mod:`fastsvm.backends` in plain NumPy: slow, obvious, and the definition of what is correct.

Nothing is fused and every intermediate array exists. ``n_threads`` is accepted and has no effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastsvm.backends import UPDATES, without_decay
from fastsvm.backends.ranking import rank
from fastsvm.losses import (
    CrammerSinger,
    Loss,
    RegisteredLoss,
    SmoothedCrammerSinger,
    SmoothedWestonWatkins,
    Softmax,
    WestonWatkins,
)
from fastsvm.problem import Problem, Samples
from fastsvm.sparse import Rows
from fastsvm.storage import as_numbers

#: What is not finite ends in a NaN loss, which the caller reports; NumPy need not warn as well.
quiet = np.errstate(over="ignore", invalid="ignore")


def widen(samples: Samples, dtype: np.dtype, rows: np.ndarray | slice = slice(None)) -> Rows:
    """Samples as the score function sees them: in ``dtype`` and standardised. What is sparse stays so."""
    x: Rows = as_numbers(samples.X[rows], dtype)
    if samples.is_sparse and samples.inverse_scale is not None:
        x.data *= samples.inverse_scale[x.indices]
    elif samples.mean is not None:
        x = (x - samples.mean) * samples.inverse_scale
    return x


def plain(leaf: Callable[..., Any]) -> Callable[..., Any]:
    """A user's leaf as Python has it, compiled or not."""
    return getattr(leaf, "py_func", leaf)


def threshold(violations: np.ndarray) -> np.ndarray:
    """The least t ≥ 0 of each row with ``Σ_j max(0, v_j − t) ≤ 1``: of the k largest v, (their sum − 1) / k for the right k."""
    falling = -np.sort(-violations, axis=1)
    t = (falling.cumsum(axis=1) - 1) / np.arange(1, violations.shape[1] + 1, dtype=violations.dtype)
    return np.maximum(0, t.max(axis=1))


def loss_rows(scores: np.ndarray, y: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """Loss of each row of scores, and its gradient on the scores (unweighted)."""
    n, n_classes = scores.shape
    rows = np.arange(n)
    if isinstance(loss, RegisteredLoss):
        dscores, parameters = np.empty_like(scores), np.array(loss.parameters(), scores.dtype)
        values = np.array([plain(loss.leaf)(scores[i], y[i], dscores[i], *parameters) for i in rows])
        values[~np.isfinite(dscores).all(axis=1)] = np.nan
        return values, dscores
    others = np.arange(n_classes) != y[:, None]
    if isinstance(loss, Softmax):
        shifted = scores - scores.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        total = exponentials.sum(axis=1, keepdims=True)
        values = np.log(total[:, 0]) - shifted[rows, y]
        dscores = exponentials / total
        dscores[rows, y] -= 1
        return values, dscores
    margins = scores - scores[rows, y][:, None] + scores.dtype.type(loss.delta)
    dscores = np.zeros_like(scores)
    if isinstance(loss, WestonWatkins):
        violations = np.where(others & (margins > 0), margins, 0)
        values = (violations**2 if loss.squared else violations).sum(axis=1)
        dscores[:] = 2 * violations if loss.squared else violations > 0
    elif isinstance(loss, CrammerSinger):
        largest = np.where(others, margins, -np.inf).argmax(axis=1)
        values = np.maximum(0, margins[rows, largest])
        dscores[rows, largest] = values > 0
    elif isinstance(loss, (SmoothedWestonWatkins, SmoothedCrammerSinger)):
        violations = np.where(others & (margins > 0), margins, 0)
        if isinstance(loss, SmoothedCrammerSinger):
            dscores[:] = np.maximum(0, violations - threshold(violations)[:, None])
        else:
            dscores[:] = np.minimum(violations, 1)
        values = (dscores * (violations - dscores / 2)).sum(axis=1)
    dscores[rows, y] = -dscores.sum(axis=1)
    return values, dscores


@quiet
def score_loss(
    scores: np.ndarray,
    y: np.ndarray,
    loss: Loss,
    sample_weight: np.ndarray | None,
    dscores: np.ndarray | None,
    n_threads: int = 1,
) -> float:
    """Mean weighted loss of given scores; fills ``dscores`` with its gradient."""
    if not np.isfinite(scores).all():
        if dscores is not None:
            dscores[:] = np.nan
        return float("nan")
    values, gradient = loss_rows(scores, y, loss)
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    if dscores is not None:
        dscores[:] = gradient * (weight / len(y))[:, None].astype(scores.dtype)
    return float(np.mean(values.astype(np.float64) * weight))


@quiet
def scores(W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int = 1) -> None:
    """``out = X Wᵀ + b``."""
    out[:] = widen(samples, W.dtype) @ W.T + (0 if b is None else b)


def top_k(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    classes: np.ndarray,
    top_scores: np.ndarray | None,
    n_threads: int = 1,
) -> None:
    """Classes of the largest scores, and these scores."""
    out = np.empty((samples.n_rows, len(W)), dtype=W.dtype)
    scores(W, b, samples, out)
    rank(out, classes, top_scores)


def penalty(W: np.ndarray, b: np.ndarray | None, problem: Problem) -> float:
    """``alpha ½‖W‖² + alpha_intercept ½‖b‖²``, summed in float64."""
    value = 0.0
    with np.errstate(over="ignore"):  # a loss that is not finite is reported as an error
        for alpha, parameters in ((problem.alpha, W), (problem.alpha_intercept, b)):
            if alpha > 0 and parameters is not None:
                value += 0.5 * alpha * float(np.sum(np.square(parameters, dtype=np.float64)))
    return value


def _forward(W: np.ndarray, b: np.ndarray | None, problem: Problem) -> tuple[np.ndarray, float, np.ndarray]:
    out = np.empty((len(problem.y), len(W)), dtype=W.dtype)
    scores(W, b, problem.samples, out)
    dscores = np.empty_like(out)
    value = score_loss(out, problem.y, problem.loss, problem.sample_weight, dscores)
    return out, value + penalty(W, b, problem), dscores


def evaluate(W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int = 1) -> tuple[float, int]:
    """Objective, and the number of samples whose largest score is their class's."""
    out, value, _ = _forward(W, b, problem)
    return value, int(np.sum(out.argmax(axis=1) == problem.y))


def losses(Ws: np.ndarray, bs: np.ndarray | None, problem: Problem, out: np.ndarray, n_threads: int = 1) -> None:
    """Objective of each candidate."""
    for k, W in enumerate(Ws):
        out[k] = evaluate(W, None if bs is None else bs[k], problem)[0]


def candidate_scores(Ws: np.ndarray, bs: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int = 1) -> None:
    """``out[k] = X Ws[k]ᵀ + bs[k]``."""
    for k, W in enumerate(Ws):
        scores(W, None if bs is None else bs[k], samples, out[k])


@quiet
def combination_losses(
    scores: np.ndarray,
    coefficients: np.ndarray,
    base: np.ndarray | None,
    y: np.ndarray,
    loss: Loss,
    sample_weight: np.ndarray | None,
    out: np.ndarray,
    n_threads: int = 1,
) -> None:
    """Mean loss at each combination ``base + Σ_k coefficients[p, k] scores[k]``."""
    for p, row in enumerate(coefficients.astype(scores.dtype)):
        combined = np.tensordot(row, scores, axes=1) + (0 if base is None else base)
        out[p] = score_loss(combined, y, loss, sample_weight, None)


@quiet
def numerical_gradient(
    W: np.ndarray,
    b: np.ndarray | None,
    problem: Problem,
    h: float,
    central: bool,
    dW: np.ndarray,
    db: np.ndarray | None,
    n_threads: int = 1,
) -> None:
    """Difference quotients of the objective: one weight changes one column of the scores, by ``± h x``."""
    x = widen(problem.samples, W.dtype)
    if problem.samples.is_sparse:
        x = x.tocsc()
    base = np.empty((len(problem.y), len(W)), W.dtype)
    scores(W, b, problem.samples, base)
    weight = np.ones(len(base)) if problem.sample_weight is None else problem.sample_weight

    def quotient(c: int, column: np.ndarray) -> float:
        right, left = base.copy(), base.copy()
        right[:, c] += h * column
        if central:
            left[:, c] -= h * column
        rise = loss_rows(right, problem.y, problem.loss)[0] - loss_rows(left, problem.y, problem.loss)[0]
        return float(np.mean(rise * weight)) / (2 * h if central else h)

    extra = 0.0 if central else h / 2  # of ((w + h)² − w²) / 2h
    for c in range(len(W)):
        for f in range(W.shape[1]):
            column = x[:, [f]] @ np.ones(1) if problem.samples.is_sparse else x[:, f]
            dW[c, f] = quotient(c, column) + problem.alpha * (W[c, f] + extra)
        if b is not None and db is not None:
            db[c] = quotient(c, np.ones(len(base))) + problem.alpha_intercept * (b[c] + extra)


@quiet
def gradient(
    W: np.ndarray, b: np.ndarray | None, problem: Problem, dW: np.ndarray, db: np.ndarray | None, n_threads: int = 1
) -> float:
    """Objective; fills its gradient on ``W`` and ``b``."""
    _, value, dscores = _forward(W, b, problem)
    dW[:] = dscores.T @ widen(problem.samples, W.dtype) + problem.alpha * W
    if b is not None and db is not None:
        db[:] = dscores.sum(axis=0) + problem.alpha_intercept * b
    return value


@quiet
def data_gradient(W: np.ndarray, b: np.ndarray | None, problem: Problem, dX: np.ndarray, n_threads: int = 1) -> float:
    """Objective; fills its gradient on the samples as stored (through the standardisation, if there is one)."""
    _, value, dscores = _forward(W, b, problem)
    dX[:] = dscores @ W
    if problem.samples.inverse_scale is not None:
        dX *= problem.samples.inverse_scale
    return value


def step(
    rule: str, coefficients: np.ndarray, x: np.ndarray, dx: np.ndarray, slots: tuple[np.ndarray, ...], n_threads: int = 1
) -> None:
    """One update of ``x`` and ``slots`` in place; the formulas stand in :mod:`fastsvm.optimizers`."""
    if rule in UPDATES:
        leaf, numbers = plain(UPDATES[rule].leaf), coefficients.astype(x.dtype)
        for at in np.ndindex(x.shape):
            new = leaf(x[at], dx[at], *(slot[at] for slot in slots), *numbers)
            for array, number in zip((x, *slots), new if slots else (new,), strict=True):
                array[at] = number
        return
    rate, decay1, decay2, eps, correction1, correction2, weight_decay = (float(c) for c in coefficients)
    x, dx, slots = x.reshape(-1), dx.reshape(-1), tuple(slot.reshape(-1) for slot in slots)
    if rule == "sgd":
        x -= rate * dx
    elif rule == "momentum":
        (v,) = slots
        v[:] = decay1 * v + dx
        x -= rate * v
    elif rule == "nesterov":
        (v,) = slots
        previous = v.copy()
        v[:] = decay1 * v - rate * dx
        x += -decay1 * previous + (1 + decay1) * v
    elif rule == "adagrad":
        (squares,) = slots
        squares += dx * dx
        x -= rate * dx / (np.sqrt(squares) + eps)
    elif rule == "rmsprop":
        (squares,) = slots
        squares[:] = decay1 * squares + (1 - decay1) * (dx * dx)
        x -= rate * dx / (np.sqrt(squares) + eps)
    elif rule in ("adam", "adamw"):
        first, second = slots
        first[:] = decay1 * first + (1 - decay1) * dx
        second[:] = decay2 * second + (1 - decay2) * (dx * dx)
        root = math.sqrt(correction2)
        direction = rate * root / correction1 * first / (np.sqrt(second) + eps * root)
        x -= direction + rate * weight_decay * x if rule == "adamw" else direction
    else:
        raise ValueError(f"rule must be an update rule of fastsvm.optimizers; got {rule!r}")


def epoch(
    W: np.ndarray,
    b: np.ndarray | None,
    slots_W: tuple[np.ndarray, ...],
    slots_b: tuple[np.ndarray, ...],
    problem: Problem,
    order: np.ndarray,
    batch_size: int,
    rule: str,
    coefficients: np.ndarray,
    losses: np.ndarray,
    n_threads: int = 1,
) -> tuple[int, int]:
    """The updates of one epoch, one after the other."""
    correct = 0
    dW = np.empty_like(W)
    db = None if b is None else np.empty_like(b)
    coefficients_b = without_decay(rule, coefficients)
    samples = problem.samples
    for update in range(len(losses)):
        rows = order[update * batch_size : (update + 1) * batch_size]
        batch = problem._replace(
            samples=samples._replace(X=samples.X[rows]),
            y=problem.y[rows],
            sample_weight=None if problem.sample_weight is None else problem.sample_weight[rows],
        )
        correct += evaluate(W, b, batch)[1]
        losses[update] = gradient(W, b, batch, dW, db)
        if not np.isfinite(losses[update]):
            return update + 1, correct
        step(rule, coefficients[update], W.reshape(-1), dW.reshape(-1), tuple(s.reshape(-1) for s in slots_W))
        if b is not None and db is not None:
            step(rule, coefficients_b[update], b, db, slots_b)
    return len(losses), correct
