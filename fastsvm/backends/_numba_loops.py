"""The loops of :mod:`fastsvm.backends.numba`: over updates, chunks of rows and slices of weights.

The loops cut a batch into chunks and the weights into slices, by shape only, work on them in any order and add the
results in a fixed one: the number of threads never changes a bit. Those with ``prange`` are plain Python here;
:mod:`fastsvm.backends.numba` compiles each twice, parallel and serial.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from fastsvm.backends._numba_leaves import copy, leaf, row_loss, sum_of_squares
from fastsvm.backends._numba_rules import STORE, apply_rule
from fastsvm.backends._numba_tiles import Data, Outputs, Workspace, losses_chunk, pass_chunk

SLICE = 1024  #: weights of a class whose gradient is combined and whose update is made together, at most
STEP_SLICE = 16384  #: parameters of a lone update
SCORE_ROWS = 1024  #: rows of given scores in a chunk


@leaf
def slice_of(W: Any, s: int) -> Any:
    """Class, and first and last feature + 1, of slice s."""
    in_row = (W.shape[1] + SLICE - 1) // SLICE
    lo = s % in_row * SLICE
    return s // in_row, lo, min(lo + SLICE, W.shape[1])


@leaf
def combine(sums: Any, parts: Any, chunks: int, first: bool) -> None:
    """``sums += Σ_k parts[k]`` in float64, chunk after chunk; from 0 in the first wave."""
    if first:
        sums[:] = 0
    for k in range(chunks):
        for j in range(len(sums)):
            sums[j] += parts[k, j]


@leaf
def batch_gradient(x: Any, sums: Any, n: int, alpha: float, gradient: Any) -> None:
    """``gradient = sums / n + alpha x``."""
    for j in range(len(x)):
        gradient[j] = sums[j] / n + alpha * x[j]


@leaf
def begin_slice(W: Any, padded: Any, squares: Any, s: int) -> None:
    """Take note of slice s of the weights: its copy, in which rows are padded, and its sum of squares."""
    c, lo, hi = slice_of(W, s)
    copy(W[c, lo:hi], padded[c, lo:hi])
    squares[s] = sum_of_squares(W[c, lo:hi])


@leaf
def finish_slice(W: Any, alpha: float, out: Outputs, work: Workspace, s: int, wave: Any, rule: int, coefficients: Any) -> None:
    """Slice s of the weights after a wave (its chunks, whether it is the first, the batch's size if it is the last).

    The batch's gradient goes to the rule, through memory of the parts, which are done with.
    """
    (c, lo, hi), (chunks, first, n) = slice_of(W, s), wave
    combine(work.sums[c, lo:hi], work.dW[:, c, lo:hi], chunks, first)
    if n > 0:
        gradient = work.dW[0, c, lo:hi]
        batch_gradient(W[c, lo:hi], work.sums[c, lo:hi], n, alpha, gradient)
        lo, hi = c * W.shape[1] + lo, c * W.shape[1] + hi
        slot1, slot2, slot3 = out.x_slot1[lo:hi], out.x_slot2[lo:hi], out.x_slot3[lo:hi]
        apply_rule(rule, coefficients, out.x[lo:hi], gradient, slot1, slot2, slot3)
        begin_slice(W, work.W, work.squares, s)


@leaf
def finish_intercept(b: Any, alpha: float, out: Outputs, work: Workspace, wave: Any, rule: int, coefficients: Any) -> None:
    """The same for b."""
    chunks, first, n = wave
    combine(work.sums_b, work.db, chunks, first)
    if n > 0:
        gradient = work.gradient_b[: len(b)]
        batch_gradient(b, work.sums_b, n, alpha, gradient)
        apply_rule(rule, coefficients, out.x_b, gradient, out.b_slot1, out.b_slot2, out.b_slot3)


@leaf
def penalty(b: Any, data: Data, squares: Any, scale: float) -> float:
    """``alpha ½‖W‖² + alpha_intercept ½‖b‖²``, from the slices' sums of squares of W / scale."""
    value = 0.0
    if data.alpha > 0:
        for s in range(len(squares)):
            value += 0.5 * data.alpha * (scale * scale * squares[s])
    if data.alpha_intercept > 0:
        value += 0.5 * data.alpha_intercept * sum_of_squares(b)
    return value


@leaf
def score_loss_chunk(
    scores: Any, y: Any, sample_weight: Any, loss: int, parameters: Any, dscores: Any, scratch: Any, lo: int, hi: int
) -> float:
    """Weighted loss of rows ``lo … hi − 1`` of given scores; fills these rows of ``dscores``."""
    total = 0.0
    for i in range(lo, hi):
        d = dscores[i] if len(dscores) else scratch
        weight = sample_weight[i] if len(sample_weight) else 1.0
        total += weight * row_loss(loss, scores[i], y[i], parameters, d)
        for c in range(len(d)):
            d[c] *= scores.dtype.type(weight / len(y))
    return total


def run(
    W: Any, b: Any, data: Data, out: Outputs, work: Workspace, batch_size: int, chunk_rows: int, rule: int, table: Any
) -> Any:
    """Go through the samples once, batch after batch, and give each batch's gradient to the rule with a row of the table.

    Returns the batches done and their correct samples. ``W`` is a view of ``out.x`` where the rule is to train it. A batch of
    many chunks goes in waves, so that the chunks' gradients take bounded memory. A loss that is not finite ends training.

    Loops with ``prange`` only call leaves: Numba would drop an assignment to a field of a tuple there as unused.
    """
    n_correct = 0
    for s in range(len(work.squares)):
        begin_slice(W, work.W, work.squares, s)
    for update in range(len(out.losses)):
        begin = update * batch_size
        end = min(begin + batch_size, data.n_samples)
        loss = 0.0
        for lo in range(begin, end, chunk_rows * len(work.totals)):
            hi = min(lo + chunk_rows * len(work.totals), end)
            chunks = (hi - lo + chunk_rows - 1) // chunk_rows
            for k in prange(chunks):
                first = lo + np.int64(k) * chunk_rows
                pass_chunk(b, data, out, work, first, min(first + chunk_rows, hi), np.int64(k))
            for j in range(chunks):
                loss += work.totals[j, 0]
                n_correct += int(work.totals[j, 1])
            if hi == end:
                out.losses[update] = loss / (end - begin) + penalty(b, data, work.squares, 1.0)
                if rule != STORE and not np.isfinite(out.losses[update]):
                    return update + 1, n_correct
            if len(out.x):
                wave = chunks, lo == begin, end - begin if hi == end else 0
                for s in prange(len(work.squares)):
                    finish_slice(W, data.alpha, out, work, np.int64(s), wave, rule, table[0, update])
                finish_intercept(b, data.alpha_intercept, out, work, wave, rule, table[1, update])
    return len(out.losses), n_correct


def losses(W: Any, b: Any, data: Data, work: Workspace, chunk_rows: int, out: Any) -> None:
    """Objective of each of ``len(out)`` candidates, whose weights lie one below the other in ``W``."""
    n_chunks = (data.n_samples + chunk_rows - 1) // chunk_rows
    for s in range(len(work.squares)):
        begin_slice(W, work.W, work.squares, s)
    out[:] = 0
    for wave in range(0, n_chunks, len(work.totals)):
        chunks = min(len(work.totals), n_chunks - wave)
        for k in prange(chunks):
            lo = (wave + np.int64(k)) * chunk_rows
            losses_chunk(b, data, work, len(out), lo, min(lo + chunk_rows, data.n_samples), np.int64(k))
        for k in range(chunks):
            for j in range(len(out)):
                out[j] += work.totals[k, j]
    in_each, classes = len(work.squares) // len(out), len(W) // len(out)
    for j in range(len(out)):
        own = b[j * classes : (j + 1) * classes] if len(b) else b
        out[j] = out[j] / data.n_samples + penalty(own, data, work.squares[j * in_each : (j + 1) * in_each], 1.0)


def score_loss(
    scores: Any, y: Any, sample_weight: Any, loss: int, parameters: Any, dscores: Any, scratch: Any, losses: Any
) -> None:
    """Weighted losses of chunks of given scores, each with a row of ``scratch`` where ``dscores`` is not wanted."""
    for k in prange(len(losses)):
        lo, hi = k * SCORE_ROWS, min((k + 1) * SCORE_ROWS, len(y))
        losses[k] = score_loss_chunk(scores, y, sample_weight, loss, parameters, dscores, scratch[k], lo, hi)


def step(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any, slot3: Any) -> None:
    """A lone update of flat arrays."""
    for s in prange((len(x) + STEP_SLICE - 1) // STEP_SLICE):
        lo, hi = s * STEP_SLICE, (s + 1) * STEP_SLICE
        apply_rule(rule, c, x[lo:hi], g[lo:hi], slot1[lo:hi], slot2[lo:hi], slot3[lo:hi])
