"""The contract of :mod:`fastsvm.backends` in Numba: compiled on first use, readable down to the inner loop.

Layers: ``_numba_vectors`` (what a register holds), ``_numba_leaves`` and ``_numba_rules`` (one formula each), ``_numba_tiles``
(a few rows of X at a time), ``_numba_loops`` (chunks, slices, updates), ``_numba_csr`` and ``_numba_sparse`` (CSR samples),
``_numba_pass`` (what these loops are handed), ``_numba_calls`` (threads, compilations), and this module, the contract.
``_numba_registered`` puts a user's loss or update rule in the place of the built-in ones.
"""

from __future__ import annotations

import numpy as np

from fastsvm.backends import _numba_combinations, _numba_loops, _numba_registered, _numba_sparse
from fastsvm.backends._numba_calls import (
    OWN_RULE,
    RULES,
    SERIAL_NUMBERS,
    SERIAL_PRODUCTS,
    call,
    coefficient_type,
    loss_code,
    own_leaves,
)
from fastsvm.backends._numba_memory import chunks, read_only, workspace
from fastsvm.backends._numba_pass import data_of, run
from fastsvm.backends._numba_sparse_memory import parts_of, rows
from fastsvm.losses import Loss
from fastsvm.problem import Problem, Samples
from fastsvm.storage import as_numbers

BLOCK = 1 << 21  # entries of X that are widened together for difference quotients

CANDIDATE_BYTES = 1 << 20  # of weights whose losses are taken in one pass: half a second-level cache

#: Compiles a user's leaf for a trial.
compile_for_trial = _numba_registered.for_trial


def _slots(prefix: str, slots: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Slots of a rule by the names that `Outputs` has for them."""
    return {f"{prefix}_slot{k}": slot.reshape(-1) for k, slot in enumerate(slots, 1)}


def scores(W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
    """``out = X Wᵀ + b``."""
    run(W, b, samples, None, n_threads, scores=out)


def top_k(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    classes: np.ndarray,
    top_scores: np.ndarray | None,
    n_threads: int,
) -> None:
    """Classes of the largest scores, and these scores."""
    run(W, b, samples, None, n_threads, classes=classes, largest=top_scores)


def score_loss(
    scores: np.ndarray,
    y: np.ndarray,
    loss: Loss,
    sample_weight: np.ndarray | None,
    dscores: np.ndarray | None,
    n_threads: int,
) -> float:
    """Mean weighted loss of given scores; fills ``dscores`` with its gradient."""
    n_samples, n_classes = scores.shape
    code, parameters = loss_code(loss, scores.dtype)
    losses = np.empty(-(-n_samples // _numba_loops.SCORE_ROWS))
    scratch = np.empty((len(losses), n_classes), scores.dtype)
    wanted = np.empty((0, n_classes), scores.dtype) if dscores is None else dscores
    n_threads = n_threads if scores.size >= SERIAL_NUMBERS else 1
    call(
        _numba_loops.score_loss, n_threads, read_only(scores), read_only(y), read_only(sample_weight, np.float64),
        code, parameters, wanted, scratch, losses, own=own_leaves(loss),
    )  # fmt: skip
    return float(losses.sum() / n_samples)


def evaluate(W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int) -> tuple[float, int]:
    """Objective, and the number of samples whose largest score is their class's."""
    value, _, n_correct = run(W, b, problem.samples, problem, n_threads)
    return value, n_correct


def gradient(
    W: np.ndarray, b: np.ndarray | None, problem: Problem, dW: np.ndarray, db: np.ndarray | None, n_threads: int
) -> float:
    """Objective; fills its gradient on ``W`` and ``b``: one batch, whose rule is to store the gradient."""
    return run(W, b, problem.samples, problem, n_threads, x=dW.reshape(-1), x_b=None if b is None else db)[0]


def data_gradient(W: np.ndarray, b: np.ndarray | None, problem: Problem, dX: np.ndarray, n_threads: int) -> float:
    """Objective; fills its gradient on the samples as stored (through the standardisation, if there is one)."""
    return run(W, b, problem.samples, problem, n_threads, dX=dX)[0]


def losses(Ws: np.ndarray, bs: np.ndarray | None, problem: Problem, out: np.ndarray, n_threads: int) -> None:
    """Objective of each candidate; one pass over dense X for as many of them as the cache holds."""
    if problem.samples.is_sparse:
        for k, W in enumerate(Ws):
            out[k] = evaluate(W, None if bs is None else bs[k], problem, n_threads)[0]
        return
    n_candidates, n_classes, n_features = Ws.shape
    block = max(1, CANDIDATE_BYTES // (n_classes * n_features * Ws.itemsize))
    chunk_rows, n_chunks = chunks(len(problem.y))
    data, own = data_of(Ws[0], problem.samples, problem, None), own_leaves(problem.loss)
    for first in range(0, n_candidates, block):
        W = Ws[first : first + block].reshape(-1, n_features)
        b = None if bs is None else bs[first : first + block].reshape(-1)
        part = out[first : first + block]
        work = workspace(W, data, chunk_rows, n_chunks, gradient=False, totals=len(part))
        threads = n_threads if n_chunks > 1 and len(problem.y) * W.size >= SERIAL_PRODUCTS else 1
        call(_numba_loops.losses, threads, read_only(W), read_only(b, W.dtype), data, work, chunk_rows, part, own=own)


def candidate_scores(Ws: np.ndarray, bs: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
    """Scores of each candidate."""
    for k, W in enumerate(Ws):
        scores(W, None if bs is None else bs[k], samples, out[k], n_threads)


def combination_losses(
    scores: np.ndarray,
    coefficients: np.ndarray,
    base: np.ndarray | None,
    y: np.ndarray,
    loss: Loss,
    sample_weight: np.ndarray | None,
    out: np.ndarray,
    n_threads: int,
) -> None:
    """Mean loss at each combination of given scores."""
    code, parameters = loss_code(loss, scores.dtype)
    parts = np.empty((-(-len(y) // _numba_combinations.ROWS), len(out)))
    n_threads = n_threads if len(parts) > 1 and scores[0].size * len(out) >= SERIAL_NUMBERS else 1
    call(
        _numba_combinations.combination_losses, n_threads, read_only(scores), read_only(coefficients),
        read_only(np.empty((0, scores.shape[2]), scores.dtype) if base is None else base), read_only(y),
        read_only(sample_weight, np.float64), code, parameters, parts, out, own=own_leaves(loss),
    )  # fmt: skip


def numerical_gradient(
    W: np.ndarray,
    b: np.ndarray | None,
    problem: Problem,
    h: float,
    central: bool,
    dW: np.ndarray,
    db: np.ndarray | None,
    n_threads: int,
) -> None:
    """Difference quotients of the objective, those of a weight from the one column of the scores that it changes."""
    samples, extra = problem.samples, 0.0 if central else h / 2  # of ((w + h)² − w²) / 2h
    base = np.empty((samples.n_rows, len(W)))
    scores(W, b, samples, base, n_threads)
    quotients = _sparse_quotients if samples.is_sparse else _dense_quotients
    dconstant = quotients(W, problem, base, h, central, dW, n_threads)
    dW += problem.alpha * (W + extra)
    if b is not None and db is not None:
        db[:] = dconstant + problem.alpha_intercept * (b + extra)


def _dense_quotients(
    W: np.ndarray, problem: Problem, base: np.ndarray, h: float, central: bool, dW: np.ndarray, n_threads: int
) -> np.ndarray:
    """Fill ``dW`` but for the penalty, and return that of the intercept."""
    (n, d), samples, width = problem.samples.X.shape, problem.samples, _numba_combinations.SLICE
    code, parameters = loss_code(problem.loss, W.dtype)

    def quotients(x: np.ndarray) -> np.ndarray:
        out = np.zeros((-(-len(x) // width), len(W), width))
        call(
            _numba_combinations.numerical_gradient, n_threads if n * W.size >= SERIAL_PRODUCTS else 1, read_only(x),
            read_only(base), read_only(problem.y), read_only(problem.sample_weight, np.float64), code, parameters, float(h),
            bool(central), out, own=own_leaves(problem.loss),
        )  # fmt: skip
        return out.transpose(1, 0, 2).reshape(len(W), -1)[:, : len(x)]

    block = -(-BLOCK // (n * width)) * width
    for lo in range(0, d, block):
        part = slice(lo, lo + block)
        x = as_numbers(samples.X[:, part], np.dtype(np.float64))
        if samples.mean is not None and samples.inverse_scale is not None:
            x = (x - samples.mean[part]) * samples.inverse_scale[part]
        dW[:, part] = quotients(np.ascontiguousarray(x.T))
    return quotients(np.ones((1, n)))[:, 0]


def _sparse_quotients(
    W: np.ndarray, problem: Problem, base: np.ndarray, h: float, central: bool, dW: np.ndarray, n_threads: int
) -> np.ndarray:
    """The same from CSR samples: each counts only for the features it has."""
    X, out = problem.samples.X, np.zeros((W.shape[1] + 1, len(W)))
    n_threads = n_threads if X.nnz * len(W) >= SERIAL_PRODUCTS else 1
    call(
        _numba_sparse.numerical_gradient, n_threads, rows(X), data_of(W, problem.samples, problem, None), read_only(base),
        float(h), bool(central), parts_of(X, len(base), 1, n_threads), out, own=own_leaves(problem.loss),
    )  # fmt: skip
    dW[:] = out[:-1].T
    return out[-1]


def step(
    rule: str, coefficients: np.ndarray, x: np.ndarray, dx: np.ndarray, slots: tuple[np.ndarray, ...], n_threads: int
) -> None:
    """One update of ``x`` and its slots, in place."""
    n_threads = n_threads if x.size >= SERIAL_NUMBERS else 1
    slots = (*(slot.reshape(-1) for slot in slots), *[np.empty(0, x.dtype)] * (3 - len(slots)))
    x, dx = x.reshape(-1), read_only(dx.reshape(-1))
    coefficients = read_only(coefficients.astype(coefficient_type(rule, x), copy=False))
    call(_numba_loops.step, n_threads, RULES.get(rule, OWN_RULE), coefficients, x, dx, *slots, own=own_leaves(rule=rule))


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
    n_threads: int,
) -> tuple[int, int]:
    """The updates of one epoch in one compiled call."""
    _, updates, n_correct = run(
        W, b, problem.samples, problem, n_threads, order=order, batch_size=batch_size, rule=rule,
        coefficients=coefficients, losses=losses, x=W.reshape(-1), x_b=b, **_slots("x", slots_W), **_slots("b", slots_b),
    )  # fmt: skip
    return updates, n_correct
