"""The contract of :mod:`fastsvm.backends` in Numba: compiled on first use, readable down to the inner loop.

Layers: ``_numba_vectors`` (what a register holds), ``_numba_leaves`` and ``_numba_rules`` (one formula each), ``_numba_tiles``
(a few rows of X at a time), ``_numba_loops`` (chunks, slices, updates), and this module, which chooses and calls.
``_numba_registered`` puts a user's loss or update rule in the place of the built-in ones.

Threads are Numba's. It launches ``NUMBA_NUM_THREADS`` of them (the environment variable, or all cores) and no more later: a
larger ``n_threads`` runs with those, and the result has the same bits. The caller's ``numba.set_num_threads`` is
restored. Small problems, one thread, and processes forked from one that used fastsvm run a serial compilation of the
same functions, which does not touch the pool.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np

from fastsvm.backends import (
    COEFFICIENTS,
    UPDATES,
    _numba_combinations,
    _numba_leaves,
    _numba_loops,
    _numba_registered,
    _numba_rules,
    threads,
    without_decay,
)
from fastsvm.backends._numba_cache import compiled
from fastsvm.backends._numba_leaves import STORAGE
from fastsvm.backends._numba_memory import chunks, read_only, workspace
from fastsvm.backends._numba_tiles import Data, Outputs
from fastsvm.backends._numba_vectors import BYTES
from fastsvm.losses import CrammerSinger, Loss, RegisteredLoss, WestonWatkins
from fastsvm.problem import Problem, Samples
from fastsvm.storage import as_numbers

LOSSES = {leaf.__name__: number for number, leaf in enumerate(_numba_leaves.LOSSES)}
RULES = {leaf.__name__: number for number, leaf in enumerate(_numba_rules.RULES)}
RULES["store"] = RULES.pop("store_gradient")
RULES["adamw"] = RULES["adam"]  # whose coefficient of the decay is 0

OWN_RULE = -1  # a user's needs no number, but is not "store"

BLOCK = 1 << 21  # entries of X that are widened together for difference quotients

CANDIDATE_BYTES = 1 << 20  # of weights whose losses are taken in one pass: half a second-level cache

#: Below these, waking threads costs about what they save: multiply-adds of a batch; numbers of a lone step or of given scores.
SERIAL_PRODUCTS = 200_000
SERIAL_NUMBERS = 100_000

_lock = threading.Lock()
_layer: str | None = None


@contextlib.contextmanager
def _team(n_threads: int) -> Iterator[None]:
    """Let parallel loops of this thread use ``n_threads``.

    Numba's workqueue layer aborts the process when two threads use it, so they take turns, also while the layer is unknown.
    """
    global _layer
    with _lock if _layer in (None, "workqueue") else contextlib.nullcontext():
        before = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)
            _layer = numba.threading_layer()


def _own(loss: Loss | None = None, rule: str = "store") -> tuple[tuple[str, Any], ...]:
    """A user's leaves, by the names the loops call them by."""
    own: list[tuple[str, Any]] = []
    if isinstance(loss, RegisteredLoss):
        own.append(("row_loss", _numba_registered.row_loss(loss.leaf, len(loss.parameters()))))
    if rule in UPDATES:
        update = UPDATES[rule]
        own.append(("apply_rule", _numba_registered.apply_rule(update.leaf, len(update.slots), len(update.columns))))
    return tuple(own)


def _call(loop: Callable[..., Any], n_threads: int, *arguments: Any, own: tuple[tuple[str, Any], ...] = ()) -> Any:
    n_threads = min(n_threads, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    if n_threads == 1 or threads.forked():
        return compiled(loop, False, own)(*arguments)
    with _team(n_threads):
        return compiled(loop, True, own)(*arguments)


#: Compiles a user's leaf for a trial.
compile_for_trial = _numba_registered.for_trial


def _slots(prefix: str, slots: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Slots of a rule by the names that `Outputs` has for them."""
    return {f"{prefix}_slot{k}": slot.reshape(-1) for k, slot in enumerate(slots, 1)}


def _loss_code(loss: Loss, dtype: Any) -> tuple[int, np.ndarray]:
    """The number of its leaf, and its parameters. A user's needs no number: nothing else can be called."""
    if isinstance(loss, RegisteredLoss):
        return 0, read_only(np.array(loss.parameters(), dtype))
    if isinstance(loss, WestonWatkins):
        name = "weston_watkins_squared" if loss.squared else "weston_watkins"
    else:
        name = "crammer_singer" if isinstance(loss, CrammerSinger) else "softmax"
    return LOSSES[name], read_only(np.array([getattr(loss, "delta", 0.0)], dtype))


def _coefficient_type(rule: str, x: np.ndarray) -> Any:
    """Built-in rules round their coefficients themselves; a user's leaf is given numbers of the parameters' dtype."""
    return x.dtype if rule in UPDATES else np.float64


def _data(W: np.ndarray, samples: Samples, problem: Problem | None, order: np.ndarray | None) -> Data:
    loss, parameters = _loss_code(WestonWatkins() if problem is None else problem.loss, W.dtype)
    whole = samples.X.shape[1] * W.itemsize % BYTES == 0
    return Data(
        X=read_only(samples.X.view(np.uint8)),
        storage=STORAGE.index(samples.storage),
        in_place=samples.X.dtype == W.dtype and samples.mean is None and whole,
        mean=read_only(samples.mean, W.dtype),
        inverse_scale=read_only(samples.inverse_scale, W.dtype),
        y=read_only(None if problem is None else problem.y, np.int64),
        sample_weight=read_only(None if problem is None else problem.sample_weight, np.float64),
        order=read_only(order, np.int64),
        n_samples=len(samples.X if order is None else order),
        loss=loss,
        parameters=parameters,
        alpha=0.0 if problem is None else float(problem.alpha),
        alpha_intercept=0.0 if problem is None else float(problem.alpha_intercept),
    )


def _run(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    problem: Problem | None,
    n_threads: int,
    *,
    order: np.ndarray | None = None,
    batch_size: int | None = None,
    rule: str = "store",
    coefficients: np.ndarray | None = None,
    losses: np.ndarray | None = None,
    **wanted: Any,
) -> tuple[float, int, int]:
    """One pass with the given outputs. Returns the first batch's objective, the updates done and the correct samples."""
    data = _data(W, samples, problem, order)
    batch_size = min(batch_size or data.n_samples, data.n_samples)
    chunk_rows, n_chunks = chunks(batch_size)
    losses = np.empty(1) if losses is None else losses
    absent: dict[str, Any] = dict.fromkeys(Outputs._fields, np.empty(0, W.dtype))
    absent["scores"] = absent["dX"] = np.empty((0, 0), W.dtype)
    absent |= {"classes": np.empty((0, 0), np.int64), "largest": np.empty((1, 0), W.dtype)}
    given = {name: array for name, array in wanted.items() if array is not None}
    out = Outputs(**absent | given | {"losses": losses})
    work = workspace(W, data, chunk_rows, n_chunks, gradient="x" in given)
    coefficients = np.zeros((1, len(COEFFICIENTS))) if coefficients is None else coefficients
    table = np.stack([coefficients, without_decay(rule, coefficients)]).astype(_coefficient_type(rule, W), copy=False)
    n_threads = n_threads if n_chunks > 1 and batch_size * W.size >= SERIAL_PRODUCTS else 1
    updates, n_correct = _call(
        _numba_loops.run, n_threads, read_only(W), read_only(b, W.dtype), data, out, work,
        batch_size, chunk_rows, RULES.get(rule, OWN_RULE), read_only(table), own=_own(problem and problem.loss, rule),
    )  # fmt: skip
    return float(losses[0]), updates, n_correct


def scores(W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
    """``out = X Wᵀ + b``."""
    _run(W, b, samples, None, n_threads, scores=out)


def top_k(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    classes: np.ndarray,
    top_scores: np.ndarray | None,
    n_threads: int,
) -> None:
    """Classes of the largest scores, and these scores."""
    _run(W, b, samples, None, n_threads, classes=classes, largest=top_scores)


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
    code, parameters = _loss_code(loss, scores.dtype)
    losses = np.empty(-(-n_samples // _numba_loops.SCORE_ROWS))
    scratch = np.empty((len(losses), n_classes), scores.dtype)
    wanted = np.empty((0, n_classes), scores.dtype) if dscores is None else dscores
    n_threads = n_threads if scores.size >= SERIAL_NUMBERS else 1
    _call(
        _numba_loops.score_loss, n_threads, read_only(scores), read_only(y), read_only(sample_weight, np.float64),
        code, parameters, wanted, scratch, losses, own=_own(loss),
    )  # fmt: skip
    return float(losses.sum() / n_samples)


def evaluate(W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int) -> tuple[float, int]:
    """Objective, and the number of samples whose largest score is their class's."""
    value, _, n_correct = _run(W, b, problem.samples, problem, n_threads)
    return value, n_correct


def gradient(
    W: np.ndarray, b: np.ndarray | None, problem: Problem, dW: np.ndarray, db: np.ndarray | None, n_threads: int
) -> float:
    """Objective; fills its gradient on ``W`` and ``b``: one batch, whose rule is to store the gradient."""
    return _run(W, b, problem.samples, problem, n_threads, x=dW.reshape(-1), x_b=None if b is None else db)[0]


def data_gradient(W: np.ndarray, b: np.ndarray | None, problem: Problem, dX: np.ndarray, n_threads: int) -> float:
    """Objective; fills its gradient on the samples as stored (through the standardisation, if there is one)."""
    return _run(W, b, problem.samples, problem, n_threads, dX=dX)[0]


def losses(Ws: np.ndarray, bs: np.ndarray | None, problem: Problem, out: np.ndarray, n_threads: int) -> None:
    """Objective of each candidate; one pass over X for as many of them as the cache holds."""
    n_candidates, n_classes, n_features = Ws.shape
    block = max(1, CANDIDATE_BYTES // (n_classes * n_features * Ws.itemsize))
    chunk_rows, n_chunks = chunks(len(problem.y))
    data, own = _data(Ws[0], problem.samples, problem, None), _own(problem.loss)
    for first in range(0, n_candidates, block):
        W = Ws[first : first + block].reshape(-1, n_features)
        b = None if bs is None else bs[first : first + block].reshape(-1)
        part = out[first : first + block]
        work = workspace(W, data, chunk_rows, n_chunks, gradient=False, totals=len(part))
        threads = n_threads if n_chunks > 1 and len(problem.y) * W.size >= SERIAL_PRODUCTS else 1
        _call(_numba_loops.losses, threads, read_only(W), read_only(b, W.dtype), data, work, chunk_rows, part, own=own)


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
    code, parameters = _loss_code(loss, scores.dtype)
    parts = np.empty((-(-len(y) // _numba_combinations.ROWS), len(out)))
    n_threads = n_threads if len(parts) > 1 and scores[0].size * len(out) >= SERIAL_NUMBERS else 1
    _call(
        _numba_combinations.combination_losses, n_threads, read_only(scores), read_only(coefficients),
        read_only(np.empty((0, scores.shape[2]), scores.dtype) if base is None else base), read_only(y),
        read_only(sample_weight, np.float64), code, parameters, parts, out, own=_own(loss),
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
    (n, d), samples, width = problem.samples.X.shape, problem.samples, _numba_combinations.SLICE
    base = np.empty((n, len(W)))
    scores(W, b, samples, base, n_threads)
    code, parameters = _loss_code(problem.loss, W.dtype)

    def quotients(x: np.ndarray) -> np.ndarray:
        out = np.zeros((-(-len(x) // width), len(W), width))
        _call(
            _numba_combinations.numerical_gradient, n_threads if n * W.size >= SERIAL_PRODUCTS else 1, read_only(x),
            read_only(base), read_only(problem.y), read_only(problem.sample_weight, np.float64), code, parameters, float(h),
            bool(central), out, own=_own(problem.loss),
        )  # fmt: skip
        return out.transpose(1, 0, 2).reshape(len(W), -1)[:, : len(x)]

    extra = 0.0 if central else h / 2  # of ((w + h)² − w²) / 2h
    block = -(-BLOCK // (n * width)) * width
    for lo in range(0, d, block):
        part = slice(lo, lo + block)
        x = as_numbers(samples.X[:, part], np.dtype(np.float64))
        if samples.mean is not None and samples.inverse_scale is not None:
            x = (x - samples.mean[part]) * samples.inverse_scale[part]
        dW[:, part] = quotients(np.ascontiguousarray(x.T)) + problem.alpha * (W[:, part] + extra)
    if b is not None and db is not None:
        db[:] = quotients(np.ones((1, n)))[:, 0] + problem.alpha_intercept * (b + extra)


def step(
    rule: str, coefficients: np.ndarray, x: np.ndarray, dx: np.ndarray, slots: tuple[np.ndarray, ...], n_threads: int
) -> None:
    """One update of ``x`` and its slots, in place."""
    n_threads = n_threads if x.size >= SERIAL_NUMBERS else 1
    slots = (*(slot.reshape(-1) for slot in slots), *[np.empty(0, x.dtype)] * (3 - len(slots)))
    x, dx = x.reshape(-1), read_only(dx.reshape(-1))
    coefficients = read_only(coefficients.astype(_coefficient_type(rule, x), copy=False))
    _call(_numba_loops.step, n_threads, RULES.get(rule, OWN_RULE), coefficients, x, dx, *slots, own=_own(rule=rule))


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
    _, updates, n_correct = _run(
        W, b, problem.samples, problem, n_threads, order=order, batch_size=batch_size, rule=rule,
        coefficients=coefficients, losses=losses, x=W.reshape(-1), x_b=b, **_slots("x", slots_W), **_slots("b", slots_b),
    )  # fmt: skip
    return updates, n_correct
