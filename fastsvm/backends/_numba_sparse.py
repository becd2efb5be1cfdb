"""The loops of :mod:`fastsvm.backends.numba` over CSR samples: work goes by the non-zeros.

Weights lie feature-major here, ``V`` (n_features, n_classes): a non-zero of feature f meets the neighbours ``V[f]``. A batch is
cut into chunks of rows for its scores and losses. For the gradient and the update the features are cut into parts: whoever
has a part adds up what the samples give to its features, in the order of the samples and in float64, and updates them. So
neither the cut nor the number of threads changes a bit.

Where an update leaves the features without a non-zero in the batch as they are, up to a factor common to all weights, it is
sparse: only the others are visited. That is SGD, whose penalty is that factor, ``W = scale V`` (Bottou, "Stochastic Gradient
Descent Tricks", 2012, 5.1), and AdaGrad without a penalty.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from fastsvm.backends._numba_combinations import moved_loss
from fastsvm.backends._numba_csr import Rows, feature, number, part_bounds, row_bounds
from fastsvm.backends._numba_leaves import leaf, row_loss, sum_of_squares
from fastsvm.backends._numba_loops import batch_gradient, finish_intercept, penalty
from fastsvm.backends._numba_rules import STORE, apply_rule
from fastsvm.backends._numba_tiles import Data, Outputs, loss_tile, sample, top_row

BLOCK = 1024  #: weights that are updated together
TILE = 32  #: rows and columns that are transposed together
LEAST_SCALE = 1e-9  #: a smaller factor goes into the weights themselves, and so does one larger than its inverse
LEAST_SHRINK = 1e-3  #: an update that shrinks the weights more goes to all features


class SparseWorkspace(NamedTuple):
    """Memory of a pass; the first axis of ``scores``, ``dscores``, ``db`` and ``totals`` is a chunk's place in its wave."""

    V: Any  # (n_features, n_classes) T: W / scale
    scores: Any  # (chunks, rows of a chunk, n_classes) T
    dscores: Any  # the same
    db: Any  # (chunks, n_classes) float64
    totals: Any  # (chunks, 2) float64: loss, correct samples
    bounds: Any  # (parts + 1,) int64: features where parts begin, multiples of a block's features
    sums: Any  # (n_features, n_classes) float64: of the batch, by feature or by place in the queue; 0 between batches
    gathered: Any  # (parts, 3, numbers of a block) T: gradients, and for sparse updates weights and a slot
    sums_b: Any  # (n_classes,) float64
    gradient_b: Any  # (n_classes,) T
    squares: Any  # (blocks,) float64: Σ V² of each
    queue: Any  # (n_features,) int64: the features of part p that wait for a sparse update, from bounds[p] on
    queued: Any  # (parts,) int64: how many
    places: Any  # (n_features,) int64: of each feature in the queue, or −1


@leaf
def block_features(n_classes: int) -> int:
    """Features of a block."""
    return max(1, BLOCK // n_classes)


@leaf
def score_row(X: Rows, row: int, V: Any, scale: float, inverse_scale: Any, b: Any, s: Any) -> None:
    """``s = scale Vᵀ x + b``."""
    factor = V.dtype.type(scale)
    begin, end = row_bounds(X, row)
    s[:] = 0
    for k in range(begin, end):
        f = feature(X, k)
        x, v = number(X, k, f, inverse_scale), V[f]
        for c in range(len(s)):
            s[c] += x * v[c]
    for c in range(len(s)):
        s[c] *= factor
    for c in range(len(b)):
        s[c] += b[c]


@leaf
def score_chunk(
    b: Any, X: Rows, data: Data, out: Outputs, work: SparseWorkspace, scale: float, lo: int, hi: int, k: int
) -> None:
    """Samples ``lo … hi − 1`` of the pass; dscores and sums go to place k of the workspace."""
    scores, dscores, db = work.scores[k], work.dscores[k], work.db[k]
    for i in range(hi - lo):
        score_row(X, sample(data, lo + i), work.V, scale, data.inverse_scale, b, scores[i])
        if len(out.scores):
            for c in range(len(db)):
                out.scores[lo + i, c] = scores[i, c]
        if len(out.classes):
            top_row(scores[i], out.classes[lo + i], out.largest[min(lo + i, len(out.largest) - 1)])
    if len(data.y):
        work.totals[k, 0], work.totals[k, 1] = loss_tile(data, lo, hi - lo, scores, dscores, len(db))
        db[:] = 0
        for i in range(hi - lo):
            for c in range(len(db)):
                db[c] += dscores[i, c]


@leaf
def add_row(
    X: Rows, row: int, d: Any, inverse_scale: Any, first: int, last: int, sums: Any, places: Any, queue: Any, queued: int
) -> int:
    """``sums += x_f d`` for features f from first to last − 1, each at a row of its own; returns how many features queue.

    The row is f itself where nothing queues, which is where ``places`` is empty, else f's place in the queue.
    """
    begin, end = part_bounds(X, row, first, last, len(sums))
    for k in range(begin, end):
        f = feature(X, k)
        x, at = np.float64(number(X, k, f, inverse_scale)), f
        if len(places):
            if places[f] < 0:
                places[f] = first + queued
                queue[first + queued] = f
                queued += 1
            at = places[f]
        total = sums[at]
        for c in range(len(d)):
            total[c] += x * d[c]
    return queued


@leaf
def gather(flat: Any, features: Any, out: Any) -> None:
    """``out`` is filled with what a flat array, unless it is empty, has for some features."""
    n_classes = len(out) // len(features)
    for j in range(min(len(features), len(flat))):
        for c in range(n_classes):
            out[j * n_classes + c] = flat[features[j] * n_classes + c]


@leaf
def scatter(numbers: Any, features: Any, flat: Any) -> None:
    """The way back from `gather`."""
    n_classes = len(numbers) // len(features)
    for j in range(min(len(features), len(flat))):
        for c in range(n_classes):
            flat[features[j] * n_classes + c] = numbers[j * n_classes + c]


@leaf
def update_part(out: Outputs, work: SparseWorkspace, p: int, n: int, alpha: float, rule: int, c: Any, sparse: bool) -> None:
    """The batch's gradient on the features of part p, or on those of them that queue, goes to the rule, block by block."""
    begin, n_classes, V, sums = work.bounds[p], work.V.shape[1], work.V.reshape(-1), work.sums.reshape(-1)
    width, end = block_features(n_classes), begin + work.queued[p] if sparse else work.bounds[p + 1]
    for first in range(begin, end, width):
        lo, hi = first * n_classes, min(first + width, end) * n_classes
        features, gradient = work.queue[first : min(first + width, end)], work.gathered[p, 0, : hi - lo]
        if sparse:
            x, slot = work.gathered[p, 1, : hi - lo], work.gathered[p, 2, : hi - lo]
            gather(out.x, features, x)
            gather(out.x_slot1, features, slot)
            batch_gradient(x, sums[lo:hi], n, 0.0, gradient)
        else:
            x, slot = out.x[lo:hi], out.x_slot1[lo:hi]
            batch_gradient(V[lo:hi], sums[lo:hi], n, alpha, gradient)
        sums[lo:hi] = 0
        apply_rule(rule, c, x, gradient, slot, out.x_slot2[lo:hi], out.x_slot3[lo:hi])
        if sparse:
            for j in range(len(features)):
                f = features[j]
                before = sum_of_squares(work.V[f])
                work.squares[f // width] += sum_of_squares(x[j * n_classes : (j + 1) * n_classes]) - before
                work.places[f] = -1
            scatter(x, features, out.x)
            scatter(slot, features, out.x_slot1)
        else:
            work.squares[first // width] = sum_of_squares(V[lo:hi])
    work.queued[p] = 0


@leaf
def gradient_part(
    X: Rows, data: Data, out: Outputs, work: SparseWorkspace, lo: int, hi: int, n: int, rule: int, c: Any, sparse: bool, p: int
) -> None:
    """Part p of the features after a wave, samples ``lo … hi − 1``; n is the batch's size if it was the last, else 0."""
    rows, places, queued = work.dscores.shape[1], work.places if sparse else work.places[:0], work.queued[p]
    for i in range(hi - lo):
        d, empty = work.dscores[i // rows, i % rows], True
        for j in range(len(d)):
            empty &= d[j] == 0
        if not empty:
            row, first, last = sample(data, lo + i), work.bounds[p], work.bounds[p + 1]
            queued = add_row(X, row, d, data.inverse_scale, first, last, work.sums, places, work.queue, queued)
    work.queued[p] = queued
    if n > 0:
        update_part(out, work, p, n, data.alpha, rule, c, sparse)


@leaf
def scale_part(work: SparseWorkspace, factor: float, p: int) -> None:
    """``V ← factor V`` in part p, and its sums of squares."""
    width, V = block_features(work.V.shape[1]), work.V
    for first in range(work.bounds[p], work.bounds[p + 1], width):
        v = V[first : min(first + width, work.bounds[p + 1])].reshape(-1)
        for j in range(len(v)):
            v[j] *= V.dtype.type(factor)
        work.squares[first // width] = sum_of_squares(v)


def run(
    b: Any, X: Rows, data: Data, out: Outputs, work: SparseWorkspace, batch_size: int, rule: int, table: Any, may_skip: bool
) -> Any:
    """Go through the samples once, as :func:`fastsvm.backends._numba_loops.run` does.

    Returns the batches done, their correct samples, and what ``V`` is still to be multiplied by. ``V`` is a view of ``out.x``
    where the rule is to train it. A sparse update, to which nothing but ``may_skip`` leads, changes its row of the table.
    """
    scale, n_correct, rows = 1.0, 0, work.dscores.shape[1]
    for u in range(len(out.losses)):
        shrink = 1 - table[0, u, 0] * data.alpha
        sparse = may_skip and abs(shrink) > LEAST_SHRINK
        if u == 0 or (scale != 1 and (not sparse or not LEAST_SCALE < abs(scale) < 1 / LEAST_SCALE)):
            for p in prange(len(work.bounds) - 1):
                scale_part(work, scale, np.int64(p))
            scale = 1.0
        begin = u * batch_size
        end = min(begin + batch_size, data.n_samples)
        loss = 0.0
        for lo in range(begin, end, rows * len(work.totals)):
            hi = min(lo + rows * len(work.totals), end)
            chunks = (hi - lo + rows - 1) // rows
            for k in prange(chunks):
                first = lo + np.int64(k) * rows
                score_chunk(b, X, data, out, work, scale, first, min(first + rows, hi), np.int64(k))
            for j in range(chunks):
                loss += work.totals[j, 0]
                n_correct += int(work.totals[j, 1])
            if hi == end:
                out.losses[u] = loss / (end - begin) + penalty(b, data, work.squares, scale)
                if rule != STORE and not np.isfinite(out.losses[u]):
                    return u + 1, n_correct, scale
            if len(out.x):
                n = end - begin if hi == end else 0
                if n > 0 and sparse:
                    scale *= shrink
                    table[0, u, 0] /= scale
                for p in prange(len(work.bounds) - 1):
                    gradient_part(X, data, out, work, lo, hi, n, rule, table[0, u], sparse, np.int64(p))
                finish_intercept(b, data.alpha_intercept, out, work, (chunks, lo == begin, n), rule, table[1, u])
    return len(out.losses), n_correct, scale


@leaf
def quotients_part(X: Rows, data: Data, scores: Any, h: float, central: bool, first: int, last: int, sums: Any) -> None:
    """Sums over all rows of the differences of the loss, of each class and each of the features ``first … last − 1``.

    The intercept is one more feature, of the last part and all samples, and 1 in each.
    """
    n_features, n_classes = len(sums) - 1, sums.shape[1]
    s, dscores = np.empty(n_classes), np.empty(n_classes)
    for i in range(len(scores)):
        s[:] = scores[i]
        here = 0.0 if central else row_loss(data.loss, s, data.y[i], data.parameters, dscores)
        weight = data.sample_weight[i] if len(data.sample_weight) else 1.0
        begin, end = part_bounds(X, i, first, last, n_features)
        for k in range(begin, end + (last == n_features)):
            f, distance = n_features, h
            if k < end:
                f = feature(X, k)
                distance = h * number(X, k, f, data.inverse_scale)
            for c in range(n_classes):
                up = moved_loss(data.loss, s, data.y[i], data.parameters, dscores, c, distance)
                down = moved_loss(data.loss, s, data.y[i], data.parameters, dscores, c, -distance) if central else here
                sums[f, c] += weight * (up - down)


def numerical_gradient(X: Rows, data: Data, scores: Any, h: float, central: bool, bounds: Any, out: Any) -> None:
    """Difference quotients (n_features + 1, n_classes) without the penalty, the last of the intercept; ``out`` begins as 0."""
    for p in prange(len(bounds) - 1):
        quotients_part(X, data, scores, h, central, bounds[p], bounds[p + 1], out)
    out /= len(scores) * h * (2 if central else 1)


@leaf
def transpose_tile(x: Any, out: Any, lo: int, first: int) -> None:
    for j in range(first, min(first + TILE, x.shape[1])):
        for i in range(lo, min(lo + TILE, len(x))):
            out[j, i] = x[i, j]


def transpose(x: Any, out: Any) -> None:
    """``out = xᵀ``."""
    across = (x.shape[1] + TILE - 1) // TILE
    for t in prange(across * ((len(x) + TILE - 1) // TILE)):
        transpose_tile(x, out, np.int64(t) // across * TILE, np.int64(t) % across * TILE)
