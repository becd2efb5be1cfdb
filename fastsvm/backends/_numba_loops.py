"""The loops of :mod:`fastsvm.backends.numba`: over updates, chunks of rows and slices of weights.

The loops cut a batch into chunks and the weights into slices, by shape only, work on them in any order and add the
results in a fixed one: the number of threads never changes a bit. Those with ``prange`` are plain Python here;
:mod:`fastsvm.backends.numba` compiles each twice, parallel and serial.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from fastsvm.backends._numba_leaves import STORE, apply_rule, leaf, row_loss, sum_of_squares
from fastsvm.backends._numba_tiles import Data, Outputs, Workspace, pass_chunk

SLICE = 4096  #: weights whose gradient is combined and whose update is made together
STEP_SLICE = 16384  #: parameters of a lone update
SCORE_ROWS = 1024  #: rows of given scores in a chunk


@leaf
def combine(sums: Any, parts: Any, lo: int, chunks: int, first: bool) -> None:
    """``sums += Σ_k parts[k, lo:]`` in float64, chunk after chunk; from 0 in the first wave."""
    if first:
        sums[:] = 0
    for k in range(chunks):
        part = parts[k, lo : lo + len(sums)]
        for j in range(len(sums)):
            sums[j] += part[j]


@leaf
def batch_gradient(x: Any, sums: Any, n: int, alpha: float, gradient: Any) -> None:
    """``gradient = sums / n + alpha x``."""
    for j in range(len(x)):
        gradient[j] = sums[j] / n + alpha * x[j]


@leaf
def finish_slice(W: Any, alpha: float, out: Outputs, work: Workspace, s: int, wave: Any, rule: int, c: Any) -> None:
    """Slice s of the flat weights after a wave (its chunks, whether it is the first, the batch's size if it is the last).

    The batch's gradient goes to the rule, through memory of the parts, which are done with.
    """
    lo, hi, (chunks, first, n) = s * SLICE, min((s + 1) * SLICE, len(W)), wave
    combine(work.sums[lo:hi], work.dW, lo, chunks, first)
    if n > 0:
        gradient = work.dW[0, lo:hi]
        batch_gradient(W[lo:hi], work.sums[lo:hi], n, alpha, gradient)
        apply_rule(rule, c, out.x[lo:hi], gradient, out.x_slot1[lo:hi], out.x_slot2[lo:hi])
        work.squares[s] = sum_of_squares(W[lo:hi])


@leaf
def finish_intercept(b: Any, alpha: float, out: Outputs, work: Workspace, wave: Any, rule: int, c: Any) -> None:
    """The same for b."""
    chunks, first, n = wave
    combine(work.sums_b, work.db, 0, chunks, first)
    if n > 0:
        gradient = work.gradient_b[: len(b)]
        batch_gradient(b, work.sums_b, n, alpha, gradient)
        apply_rule(rule, c, out.x_b, gradient, out.b_slot1, out.b_slot2)


@leaf
def penalty(b: Any, data: Data, work: Workspace) -> float:
    """``alpha ½‖W‖² + alpha_intercept ½‖b‖²``."""
    value = 0.0
    if data.alpha > 0:
        for s in range(len(work.squares)):
            value += 0.5 * data.alpha * work.squares[s]
    if data.alpha_intercept > 0:
        value += 0.5 * data.alpha_intercept * sum_of_squares(b)
    return value


@leaf
def score_loss_chunk(
    scores: Any, y: Any, sample_weight: Any, loss: int, delta: float, dscores: Any, scratch: Any, lo: int, hi: int
) -> float:
    """Weighted loss of rows ``lo … hi − 1`` of given scores; fills these rows of ``dscores``."""
    total = 0.0
    for i in range(lo, hi):
        d = dscores[i] if len(dscores) else scratch
        weight = sample_weight[i] if len(sample_weight) else 1.0
        total += weight * row_loss(loss, scores[i], y[i], delta, d)
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
    flat = W.reshape(W.size)
    n_correct = 0
    for s in range(len(work.squares)):
        work.squares[s] = sum_of_squares(flat[s * SLICE : (s + 1) * SLICE])
    for update in range(len(out.losses)):
        begin = update * batch_size
        end = min(begin + batch_size, data.n_samples)
        loss = 0.0
        for lo in range(begin, end, chunk_rows * len(work.totals)):
            hi = min(lo + chunk_rows * len(work.totals), end)
            chunks = (hi - lo + chunk_rows - 1) // chunk_rows
            for k in prange(chunks):
                first = lo + np.int64(k) * chunk_rows
                pass_chunk(W, b, data, out, work, first, min(first + chunk_rows, hi), np.int64(k))
            for j in range(chunks):
                loss += work.totals[j, 0]
                n_correct += int(work.totals[j, 1])
            if hi == end:
                out.losses[update] = loss / (end - begin) + penalty(b, data, work)
                if rule != STORE and not np.isfinite(out.losses[update]):
                    return update + 1, n_correct
            if len(work.sums):
                wave = chunks, lo == begin, end - begin if hi == end else 0
                for s in prange(len(work.squares)):
                    finish_slice(flat, data.alpha, out, work, np.int64(s), wave, rule, table[0, update])
                finish_intercept(b, data.alpha_intercept, out, work, wave, rule, table[1, update])
    return len(out.losses), n_correct


def score_loss(
    scores: Any, y: Any, sample_weight: Any, loss: int, delta: float, dscores: Any, scratch: Any, losses: Any
) -> None:
    """Weighted losses of chunks of given scores, each with a row of ``scratch`` where ``dscores`` is not wanted."""
    for k in prange(len(losses)):
        lo, hi = k * SCORE_ROWS, min((k + 1) * SCORE_ROWS, len(y))
        losses[k] = score_loss_chunk(scores, y, sample_weight, loss, delta, dscores, scratch[k], lo, hi)


def step(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any) -> None:
    """A lone update of flat arrays."""
    for s in prange((len(x) + STEP_SLICE - 1) // STEP_SLICE):
        lo, hi = s * STEP_SLICE, (s + 1) * STEP_SLICE
        apply_rule(rule, c, x[lo:hi], g[lo:hi], slot1[lo:hi], slot2[lo:hi])
