"""The contract of :mod:`fastsvm.backends` over the C kernels: ahead of time, no warm-up, SIMD level chosen once at import.

The environment variable ``FASTSVM_SIMD`` lowers the level (``baseline``, ``avx2``, ``avx512``, ``vnni``, ``amx``);
importing this module raises ``ValueError`` where the machine has not got that level.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from fastsvm import _native
from fastsvm.backends import ranking
from fastsvm.losses import CrammerSinger, Loss, SmoothedCrammerSinger, SmoothedWestonWatkins, Softmax, WestonWatkins
from fastsvm.problem import Problem, Samples

#: Codes of kernels.h, in its order.
STORAGE = {"float64": 0, "float32": 1, "uint8": 2, "float16": 3, "bfloat16": 4, "int8": 5}
RULES = {name: k for k, name in enumerate(("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"))}

#: Below these a thread costs more than it saves: multiply-adds of a pass (or of a minibatch), parameters of a lone step.
#: A pass of two million takes less than half a millisecond; beside busy processes, waiting for a second thread takes several.
SERIAL_PRODUCTS = 2_000_000
SERIAL_PARAMETERS = 100_000
SERIAL_STEP = 16_384

#: Classes side by side from which on their scores are taken as those of many classes.
WIDE_CLASSES = 80

if _native.refused_level:
    raise ValueError(_native.refused_level)

if not _native.openmp() and (os.cpu_count() or 1) > 1:
    warnings.warn(
        "this build of fastsvm has no OpenMP: the native backend runs on one thread whatever n_threads says; "
        "backend='numba' uses all cores",
        RuntimeWarning,
        stacklevel=2,
    )


def _loss_code(loss: Loss) -> dict[str, Any]:
    if isinstance(loss, WestonWatkins):
        return {"loss": 1 if loss.squared else 0, "delta": loss.delta}
    if isinstance(loss, CrammerSinger):
        return {"loss": 2, "delta": loss.delta}
    if isinstance(loss, (SmoothedWestonWatkins, SmoothedCrammerSinger)):
        return {"loss": 4 if isinstance(loss, SmoothedWestonWatkins) else 5, "delta": loss.delta}
    assert isinstance(loss, Softmax)
    return {"loss": 3, "delta": 0.0}


def _refuse_smoothed(loss: Loss) -> None:
    if isinstance(loss, (SmoothedWestonWatkins, SmoothedCrammerSinger)):
        raise TypeError(f"loss must be one that is known many rows at a time; got {loss!r}")


def _threads(n_threads: int, samples: Samples, W: np.ndarray, batch_size: int = 0) -> int:
    if samples.is_sparse:  # of an epoch the kernel decides: what an update takes depends on its rule
        return n_threads if batch_size or samples.X.nnz * (W.size // W.shape[-1]) >= SERIAL_PRODUCTS else 1
    return n_threads if (batch_size or samples.n_rows) * W.size >= SERIAL_PRODUCTS else 1


def _entries(samples: Samples) -> dict[str, Any]:
    X = samples.X
    stored = {"X": X.data, "indices": X.indices, "indptr": X.indptr} if samples.is_sparse else {"X": X}
    return {**stored, "storage": STORAGE[samples.storage], "mean": samples.mean, "inverse_scale": samples.inverse_scale}


def _run(
    W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int, batch_size: int = 0, **wanted: Any
) -> tuple[int, int]:
    samples = problem.samples
    n_threads = _threads(n_threads, samples, W, batch_size)
    return _native.run(
        W, b, **_entries(samples), n_threads=n_threads, least_shared=SERIAL_PRODUCTS, y=problem.y,
        sample_weight=problem.sample_weight, **_loss_code(problem.loss), alpha=problem.alpha,
        alpha_intercept=problem.alpha_intercept, batch_size=batch_size, **wanted,
    )  # fmt: skip


def scores(W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
    """``out = X Wᵀ + b``."""
    _native.run(W, b, **_entries(samples), n_threads=_threads(n_threads, samples, W), scores=out)


def top_k(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    classes: np.ndarray,
    top_scores: np.ndarray | None,
    n_threads: int,
) -> None:
    """Classes of the largest scores, and these scores."""
    ranking.top_k(scores, W, b, samples, classes, top_scores, n_threads)


def score_loss(
    scores: np.ndarray,
    y: np.ndarray,
    loss: Loss,
    sample_weight: np.ndarray | None,
    dscores: np.ndarray | None,
    n_threads: int,
) -> float:
    """Mean weighted loss of given scores; fills ``dscores`` with its gradient."""
    work = scores.copy() if dscores is None else dscores
    if dscores is not None:
        dscores[:] = scores
    threads = n_threads if scores.size >= SERIAL_PARAMETERS else 1
    code = _loss_code(loss)
    return _native.score_loss(work, y, sample_weight, code["loss"], code["delta"], dscores is not None, threads)


def evaluate(W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int) -> tuple[float, int]:
    """Objective, and the number of samples whose largest score is their class's."""
    losses = np.empty(1)
    _, correct = _run(W, b, problem, n_threads, losses=losses)
    return float(losses[0]), correct


def losses(Ws: np.ndarray, bs: np.ndarray | None, problem: Problem, out: np.ndarray, n_threads: int) -> None:
    """Objective of each candidate, from one read of the samples."""
    _refuse_smoothed(problem.loss)
    _run(Ws, bs, problem, n_threads, losses=out)


def candidate_scores(Ws: np.ndarray, bs: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
    """Scores of each candidate, rows up to a constant."""
    n_candidates, n_classes, n_features = Ws.shape
    if n_candidates > 1:
        made, _ = _native.run(Ws, bs, **_entries(samples), n_threads=_threads(n_threads, samples, Ws), scores=out)
        if made >= 0:
            return
    group = max(1, -(-WIDE_CLASSES // n_classes))
    for first in range(0, n_candidates, group):
        part = slice(first, first + group)
        W = Ws[part].reshape(-1, n_features)
        side_by_side = np.empty((samples.n_rows, len(W)), Ws.dtype)
        scores(W, None if bs is None else bs[part].reshape(-1), samples, side_by_side, n_threads)
        out[part] = side_by_side.reshape(len(out[0]), -1, n_classes).transpose(1, 0, 2)


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
    _refuse_smoothed(loss)
    threads = n_threads if scores[0].size * len(coefficients) >= SERIAL_PARAMETERS else 1
    code = _loss_code(loss)
    _native.combination_losses(scores, coefficients, base, y, sample_weight, code["loss"], code["delta"], out, threads)


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
    _refuse_smoothed(problem.loss)
    base = np.empty((len(problem.y), len(W)), W.dtype)
    scores(W, b, problem.samples, base, n_threads)
    _run(W, b, problem, n_threads, scores=base, dW=dW, db=db, h=h, central=central)
    extra = 0.0 if central else h / 2
    dW += problem.alpha * (W + extra)
    if b is not None and db is not None:
        db += problem.alpha_intercept * (b + extra)


def gradient(
    W: np.ndarray, b: np.ndarray | None, problem: Problem, dW: np.ndarray, db: np.ndarray | None, n_threads: int
) -> float:
    """Objective; fills its gradient on ``W`` and ``b``."""
    losses = np.empty(1)
    _run(W, b, problem, n_threads, dW=dW, db=db, losses=losses)
    return float(losses[0])


def data_gradient(W: np.ndarray, b: np.ndarray | None, problem: Problem, dX: np.ndarray, n_threads: int) -> float:
    """Objective; fills its gradient on the samples as stored (through the standardisation, if there is one)."""
    losses = np.empty(1)
    _run(W, b, problem, n_threads, dX=dX, losses=losses)
    return float(losses[0])


def step(
    rule: str, coefficients: np.ndarray, x: np.ndarray, dx: np.ndarray, slots: tuple[np.ndarray, ...], n_threads: int
) -> None:
    """One update of ``x`` and its slots, in place."""
    _native.step(RULES[rule], coefficients, x, dx, slots, n_threads if x.size >= SERIAL_STEP else 1)


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
    return _run(
        W, b, problem, n_threads, batch_size=batch_size, order=order, rule=RULES[rule], coefficients=coefficients,
        slots_W=slots_W, slots_b=slots_b, losses=losses,
    )  # fmt: skip
