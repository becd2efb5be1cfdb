"""The contract of :mod:`fastsvm.backends` in Numba: compiled on first use, readable down to the inner loop.

Layers: ``_numba_leaves`` (one formula each), ``_numba_tiles`` (a few rows of X at a time), ``_numba_loops`` (chunks, slices,
updates), and this module, which allocates, chooses and calls.

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

from fastsvm.backends import COEFFICIENTS, _numba_leaves, _numba_loops, threads
from fastsvm.backends._numba_cache import compiled
from fastsvm.backends._numba_tiles import CLASSES, ROWS, STORAGE, Data, Outputs, Workspace
from fastsvm.losses import CrammerSinger, Loss, WestonWatkins
from fastsvm.problem import Problem, Samples

LOSSES = {leaf.__name__: number for number, leaf in enumerate(_numba_leaves.LOSSES)}
RULES = {leaf.__name__: number for number, leaf in enumerate(_numba_leaves.RULES)}
RULES["adamw"] = RULES["adam"]  # whose coefficient of the decay is 0

#: Below these, waking threads costs about what they save: multiply-adds of a batch; numbers of a lone step or of given scores.
SERIAL_PRODUCTS = 200_000
SERIAL_NUMBERS = 100_000

TILE_BYTES = 288 << 10  # beside W and a gradient in the second-level cache
MAX_TILE_ROWS = 64
CHUNKS = 8  # wanted from a batch, for threads to share
MIN_CHUNK_ROWS = 16
MAX_CHUNK_ROWS = 512  # summed in T before float64 takes over: less than 1e-5 is lost even where all roundings go one way
WAVE_BYTES = 16 << 20  # for the gradients and tiles of chunks at work at once
MIN_WAVE = 4  # chunks at work at once, however large

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


def _call(loop: Callable[..., Any], n_threads: int, *arguments: Any) -> Any:
    n_threads = min(n_threads, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    if n_threads == 1 or threads.forked():
        return compiled(loop, parallel=False)(*arguments)
    with _team(n_threads):
        return compiled(loop, parallel=True)(*arguments)


def _read_only(array: np.ndarray | None, dtype: Any = None) -> np.ndarray:
    """A view that no kernel can write to: one type, so one compilation, for writeable and read-only inputs alike."""
    view = np.empty(0, dtype) if array is None else array.view()
    view.flags.writeable = False
    return view


def _two_slots(slots: tuple[np.ndarray, ...], dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second, *_ = (*(slot.reshape(-1) for slot in slots), np.empty(0, dtype), np.empty(0, dtype))
    return first, second


def _loss_code(loss: Loss) -> tuple[int, float]:
    if isinstance(loss, WestonWatkins):
        return LOSSES["weston_watkins_squared" if loss.squared else "weston_watkins"], float(loss.delta)
    if isinstance(loss, CrammerSinger):
        return LOSSES["crammer_singer"], float(loss.delta)
    return LOSSES["softmax"], 0.0


def _data(W: np.ndarray, samples: Samples, problem: Problem | None, order: np.ndarray | None) -> Data:
    loss, delta = (0, 0.0) if problem is None else _loss_code(problem.loss)
    return Data(
        X=_read_only(samples.X.view(np.uint8)),
        storage=STORAGE.index(samples.X.dtype.name),
        in_place=samples.X.dtype == W.dtype and samples.mean is None,
        mean=_read_only(samples.mean, W.dtype),
        inverse_scale=_read_only(samples.inverse_scale, W.dtype),
        y=_read_only(None if problem is None else problem.y, np.int64),
        sample_weight=_read_only(None if problem is None else problem.sample_weight, np.float64),
        order=_read_only(order, np.int64),
        n_samples=len(samples.X if order is None else order),
        loss=loss,
        delta=delta,
        alpha=0.0 if problem is None else float(problem.alpha),
        alpha_intercept=0.0 if problem is None else float(problem.alpha_intercept),
    )


def _workspace(W: np.ndarray, data: Data, chunk_rows: int, n_chunks: int, gradient: bool) -> Workspace:
    n_classes, n_features = W.shape
    columns = n_classes + CLASSES
    fitting = min(chunk_rows, MAX_TILE_ROWS, TILE_BYTES // ((n_features + 2 * columns) * W.itemsize))
    height = max(1, -(-fitting // ROWS)) * ROWS
    tile = (0, 0) if data.in_place else (height, n_features)
    size = W.size if gradient else 0
    numbers = size + tile[0] * tile[1] + 2 * height * columns
    wave = min(n_chunks, max(MIN_WAVE, WAVE_BYTES // (numbers * W.itemsize)))
    return Workspace(
        tiles=np.empty((wave, *tile), W.dtype),
        rows=np.empty((wave, height), np.int64),
        scores=np.zeros((wave, height, columns), W.dtype),
        dscores=np.zeros((wave, height, columns), W.dtype),
        dW=np.empty((wave, size), W.dtype),
        db=np.empty((wave, n_classes)),
        totals=np.empty((wave, 2)),
        sums=np.empty(size),
        sums_b=np.empty(n_classes),
        gradient_b=np.empty(n_classes, W.dtype),
        squares=np.empty(-(-W.size // _numba_loops.SLICE)),
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
    **wanted: np.ndarray | None,
) -> tuple[float, int, int]:
    """One pass with the given outputs. Returns the first batch's objective, the updates done and the correct samples."""
    data = _data(W, samples, problem, order)
    batch_size = min(batch_size or data.n_samples, data.n_samples)
    chunk_rows = min(MAX_CHUNK_ROWS, max(MIN_CHUNK_ROWS, -(-batch_size // CHUNKS)))
    n_chunks = -(-batch_size // chunk_rows)
    losses = np.empty(1) if losses is None else losses
    absent = dict.fromkeys(Outputs._fields, np.empty(0, W.dtype))
    absent["scores"] = absent["dX"] = np.empty((0, 0), W.dtype)
    given = {name: array for name, array in wanted.items() if array is not None}
    out = Outputs(**absent | given | {"losses": losses})
    work = _workspace(W, data, chunk_rows, n_chunks, gradient="x" in given)
    table = np.zeros((2, 1, len(COEFFICIENTS))) if coefficients is None else np.stack([coefficients, coefficients])
    table[1, :, COEFFICIENTS.index("weight_decay")] = 0.0  # it does not reach b
    n_threads = n_threads if n_chunks > 1 and batch_size * W.size >= SERIAL_PRODUCTS else 1
    updates, n_correct = _call(
        _numba_loops.run, n_threads, _read_only(W), _read_only(b, W.dtype), data, out, work,
        batch_size, chunk_rows, RULES[rule], _read_only(table),
    )  # fmt: skip
    return float(losses[0]), updates, n_correct


def scores(W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
    """``out = X Wᵀ + b``."""
    _run(W, b, samples, None, n_threads, scores=out)


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
    code, delta = _loss_code(loss)
    losses = np.empty(-(-n_samples // _numba_loops.SCORE_ROWS))
    scratch = np.empty((len(losses), n_classes), scores.dtype)
    wanted = np.empty((0, n_classes), scores.dtype) if dscores is None else dscores
    n_threads = n_threads if scores.size >= SERIAL_NUMBERS else 1
    _call(
        _numba_loops.score_loss, n_threads, _read_only(scores), _read_only(y), _read_only(sample_weight, np.float64),
        code, delta, wanted, scratch, losses,
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


def step(
    rule: str, coefficients: np.ndarray, x: np.ndarray, dx: np.ndarray, slots: tuple[np.ndarray, ...], n_threads: int
) -> None:
    """One update of the flat array ``x`` and its slots, in place."""
    slot1, slot2 = _two_slots(slots, x.dtype)
    n_threads = n_threads if x.size >= SERIAL_NUMBERS else 1
    _call(_numba_loops.step, n_threads, RULES[rule], _read_only(coefficients), x, _read_only(dx), slot1, slot2)


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
    x_slot1, x_slot2 = _two_slots(slots_W, W.dtype)
    b_slot1, b_slot2 = _two_slots(slots_b, W.dtype)
    _, updates, n_correct = _run(
        W, b, problem.samples, problem, n_threads, order=order, batch_size=batch_size, rule=rule,
        coefficients=coefficients, losses=losses, x=W.reshape(-1), x_slot1=x_slot1, x_slot2=x_slot2,
        x_b=b, b_slot1=b_slot1, b_slot2=b_slot2,
    )  # fmt: skip
    return updates, n_correct
