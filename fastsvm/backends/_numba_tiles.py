"""The tiles of :mod:`fastsvm.backends.numba`: a few rows of X at a time, from scores over losses to a share of the gradient.

A tile is small enough to stay in the second-level cache meanwhile, so X crosses the memory bus once. Rows of T are read where
they are; others are widened, and standardised if need be, into a tile of T.

Symbols are those of :mod:`fastsvm.objective`; ``T`` is the dtype of ``W``. An array of size 0 stands for one that is
absent or not wanted. Inputs are read-only arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastsvm.backends._numba_leaves import add_four, is_correct, leaf, row_loss, ten_products

STORAGE = ("float64", "float32", "uint8")
CLASSES = 5  #: whose scores are computed together, for two rows at a time
ROWS = 4  #: added to the gradient together; the height of a tile is a multiple of it
FEATURES = 1024  #: taken at a time: as much of five rows of W, or of four of X and one of dW, fits the first-level cache


class Data(NamedTuple):
    """What a pass reads, and the numbers that go with it."""

    X: Any  # (n_samples, bytes of a row) uint8: every storage type looks alike, and one compilation serves them all
    storage: int  # place of its dtype in STORAGE
    in_place: bool  # whether rows are T as stored and not standardised
    mean: Any  # (n_features,) T
    inverse_scale: Any
    y: Any  # (n_samples,) int64
    sample_weight: Any  # (n_samples,) float64
    order: Any  # (n_samples,) int64: sample i of the pass is X[order[i]]
    n_samples: int
    loss: int
    delta: float
    alpha: float
    alpha_intercept: float


class Outputs(NamedTuple):
    """What a pass may write. ``x``, ``x_b`` and their slots are flat and in T; the rule changes them."""

    scores: Any  # (n_samples, n_classes) T
    dX: Any  # (n_samples, n_features) T
    x: Any  # (n_classes * n_features,)
    x_slot1: Any
    x_slot2: Any
    x_b: Any  # (n_classes,)
    b_slot1: Any
    b_slot2: Any
    losses: Any  # (n_updates,) float64


class Workspace(NamedTuple):
    """Memory of a pass. The first axis of all but the last four is a chunk's place in its wave."""

    tiles: Any  # (chunks, height, n_features) T
    rows: Any  # (chunks, height) int64
    scores: Any  # (chunks, height, n_classes + CLASSES) T
    dscores: Any  # the same, 0 behind the last class
    dW: Any  # (chunks, n_classes * n_features) T
    db: Any  # (chunks, n_classes) float64
    totals: Any  # (chunks, 2) float64: loss, correct samples
    sums: Any  # (n_classes * n_features,) float64: over the chunks
    sums_b: Any  # (n_classes,) float64
    gradient_b: Any  # (n_classes,) T
    squares: Any  # (slices,) float64: Σ W² of each


@leaf
def widen_row(row: Any, storage: int, out: Any) -> None:
    """``out = row``, from the bytes of a row."""
    if storage == 0:
        x64 = row.view(np.float64)
        for k in range(len(out)):
            out[k] = x64[k]
    elif storage == 1:
        x32 = row.view(np.float32)
        for k in range(len(out)):
            out[k] = x32[k]
    else:
        for k in range(len(out)):
            out[k] = row[k]


@leaf
def load_tile(data: Data, tile: Any, first: int, count: int, rows: Any) -> Any:
    """Return an array whose rows ``rows[i]`` are the samples ``first + i`` in T: X itself, or the tile, filled from it.

    ``rows`` repeats the last one to its end.
    """
    for i in range(len(rows)):
        at = first + min(i, count - 1)
        rows[i] = data.order[at] if len(data.order) else at
    if data.in_place:
        return data.X.view(tile.dtype)
    for i in range(count):
        widen_row(data.X[rows[i]], data.storage, tile[i])
        for k in range(len(data.mean)):
            tile[i, k] = (tile[i, k] - data.mean[k]) * data.inverse_scale[k]
    for i in range(len(rows)):
        rows[i] = min(i, count - 1)
    return tile


@leaf
def score_tile(W: Any, b: Any, X: Any, rows: Any, count: int, scores: Any) -> None:
    """``scores_i = W x_i + b``. Columns behind the last class receive copies that nobody reads."""
    n_classes, n_features = W.shape
    last = n_classes - 1
    for i in range(count):
        for c in range(n_classes):
            scores[i, c] = b[c] if len(b) else 0
    for lo in range(0, n_features, FEATURES):
        hi = min(lo + FEATURES, n_features)
        for c in range(0, n_classes, CLASSES):
            w0, w1, w2 = W[c, lo:hi], W[min(c + 1, last), lo:hi], W[min(c + 2, last), lo:hi]
            w3, w4 = W[min(c + 3, last), lo:hi], W[min(c + 4, last), lo:hi]
            for i in range(0, count, 2):
                products = ten_products(X[rows[i], lo:hi], X[rows[i + 1], lo:hi], w0, w1, w2, w3, w4)
                for j in range(CLASSES):
                    scores[i, c + j] += products[j]
                    scores[i + 1, c + j] += products[CLASSES + j]


@leaf
def loss_tile(data: Data, first: int, count: int, scores: Any, dscores: Any, n_classes: int) -> Any:
    """Return the tile's weighted loss and its correct rows; fill ``dscores``, 0 in the rows behind the last."""
    loss, correct = 0.0, 0
    for i in range(count):
        sample = data.order[first + i] if len(data.order) else first + i
        s, d, y = scores[i, :n_classes], dscores[i, :n_classes], data.y[sample]
        weight = data.sample_weight[sample] if len(data.sample_weight) else 1.0
        loss += weight * row_loss(data.loss, s, y, data.delta, d)
        correct += is_correct(s, y)
        for c in range(n_classes):
            d[c] *= s.dtype.type(weight)
    for i in range(count, dscores.shape[0]):
        dscores[i] = 0
    return loss, correct


@leaf
def gradient_tile(X: Any, rows: Any, count: int, dscores: Any, dW: Any, db: Any) -> None:
    """``dW_c += Σ_i dscores_ic x_i;  db_c += Σ_i dscores_ic``. Four rows that do not concern a class are skipped."""
    n_classes = len(db)
    n_features = len(dW) // n_classes
    for lo in range(0, n_features, FEATURES):
        hi = min(lo + FEATURES, n_features)
        for i in range(0, count, ROWS):
            x0, x1, x2, x3 = X[rows[i], lo:hi], X[rows[i + 1], lo:hi], X[rows[i + 2], lo:hi], X[rows[i + 3], lo:hi]
            for c in range(n_classes):
                a0, a1, a2, a3 = dscores[i, c], dscores[i + 1, c], dscores[i + 2, c], dscores[i + 3, c]
                if a0 != 0 or a1 != 0 or a2 != 0 or a3 != 0:
                    add_four(dW[c * n_features + lo : c * n_features + hi], a0, x0, a1, x1, a2, x2, a3, x3)
    for i in range(count):
        for c in range(n_classes):
            db[c] += dscores[i, c]


@leaf
def data_gradient_row(W: Any, d: Any, inverse_scale: Any, n_samples: int, dx: Any) -> None:
    """``dx = (1/n) Σ_c d_c W_c``, times ``inverse_scale`` where there is one."""
    last, n = len(W) - 1, dx.dtype.type(n_samples)
    for lo in range(0, len(dx), FEATURES):
        hi = min(lo + FEATURES, len(dx))
        dx[lo:hi] = 0
        for c in range(0, len(W), 4):
            w1, w2, w3 = W[min(c + 1, last), lo:hi], W[min(c + 2, last), lo:hi], W[min(c + 3, last), lo:hi]
            add_four(dx[lo:hi], d[c] / n, W[c, lo:hi], d[c + 1] / n, w1, d[c + 2] / n, w2, d[c + 3] / n, w3)
    for k in range(len(inverse_scale)):
        dx[k] *= inverse_scale[k]


@leaf
def pass_chunk(W: Any, b: Any, data: Data, out: Outputs, work: Workspace, lo: int, hi: int, k: int) -> None:
    """Samples ``lo … hi − 1`` of the pass, tile after tile; sums go to place k of the workspace."""
    rows, scores, dscores, dW, db = work.rows[k], work.scores[k], work.dscores[k], work.dW[k], work.db[k]
    total_loss, total_correct = 0.0, 0
    dW[:] = 0
    db[:] = 0
    for first in range(lo, hi, len(rows)):
        count = min(len(rows), hi - first)
        X = load_tile(data, work.tiles[k], first, count, rows)
        score_tile(W, b, X, rows, count, scores)
        for i in range(min(count, len(out.scores))):
            for c in range(len(W)):
                out.scores[first + i, c] = scores[i, c]
        if len(data.y):
            loss, correct = loss_tile(data, first, count, scores, dscores, len(W))
            total_loss += loss
            total_correct += correct
        if len(dW):
            gradient_tile(X, rows, count, dscores, dW, db)
        for i in range(min(count, len(out.dX))):
            data_gradient_row(W, dscores[i], data.inverse_scale, data.n_samples, out.dX[first + i])
    work.totals[k, 0] = total_loss
    work.totals[k, 1] = total_correct
