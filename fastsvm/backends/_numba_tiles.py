"""The tiles of :mod:`fastsvm.backends.numba`: a few rows of X at a time, from scores over losses to a share of the gradient.

A tile is small enough to stay in the second-level cache meanwhile, so X crosses the memory bus once. Rows of T are read where
they are, if a whole number of vectors makes up one; others are widened, and standardised if need be, into a tile of T.

Symbols are those of :mod:`fastsvm.objective`; ``T`` is the dtype of ``W``. An array of size 0 stands for one that is
absent or not wanted. Inputs are read-only arrays. "Padded" is filled with zeros: classes to a multiple of ``CLASSES``,
features to a multiple of a vector.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastsvm.backends._numba_leaves import add_group, add_rows, add_vector, is_correct, leaf, products, row_loss, widen
from fastsvm.backends._numba_vectors import BYTES, GROUP, prefetch

CLASSES = 5  #: whose scores and gradients are computed together
ROWS = 4  #: whose scores are; the height of a tile is a multiple of it
FEATURE_BYTES = 4096  #: of a row, taken at a time: as much of five rows of W and of a few of X fits the first-level cache
LINES = 128  #: bytes that one request fetches: a cache line and its neighbour


class Data(NamedTuple):
    """What a pass reads, and the numbers that go with it."""

    X: Any  # (n_samples, bytes of a row) uint8: one compilation serves all storage types; empty for CSR samples
    storage: int  # place of its type in STORAGE
    in_place: bool  # whether rows are T as stored, not standardised, and whole vectors
    mean: Any  # (n_features,) T
    inverse_scale: Any
    y: Any  # (n_samples,) int64
    sample_weight: Any  # (n_samples,) float64
    order: Any  # (n_samples,) int64: sample i of the pass is X[order[i]]
    n_samples: int
    loss: int
    parameters: Any  # of the loss, T
    alpha: float
    alpha_intercept: float


class Outputs(NamedTuple):
    """What a pass may write. ``x``, ``x_b`` and their slots are flat and in T; the rule changes them."""

    scores: Any  # (n_samples, n_classes) T
    classes: Any  # (n_samples, k) int64: those of the k largest scores
    largest: Any  # (n_samples, k) T: these scores
    dX: Any  # (n_samples, n_features) T
    x: Any  # (n_classes * n_features,)
    x_slot1: Any
    x_slot2: Any
    x_slot3: Any
    x_b: Any  # (n_classes,)
    b_slot1: Any
    b_slot2: Any
    b_slot3: Any
    losses: Any  # (n_updates,) float64


class Workspace(NamedTuple):
    """Memory of a pass. The first axis of the chunks' arrays is a chunk's place in its wave."""

    W: Any  # (padded classes, padded features) T: a copy
    tiles: Any  # (chunks, height, padded features) T
    rows: Any  # (chunks, height) int64
    scores: Any  # (chunks, height, padded classes) T
    dscores: Any  # the same
    active: Any  # (chunks, blocks of classes, height + 1) int64: rows that concern the block, and behind them their number
    dW: Any  # (chunks, padded classes, padded features) T
    db: Any  # (chunks, n_classes) float64
    totals: Any  # (chunks, 2) float64: loss, correct samples
    sums: Any  # (n_classes, n_features) float64: over the chunks
    sums_b: Any  # (n_classes,) float64
    gradient_b: Any  # (n_classes,) T
    squares: Any  # (slices,) float64: Σ W² of each


@leaf
def sample(data: Data, i: int) -> int:
    """Row of X that is sample i of the pass."""
    return data.order[i] if len(data.order) else i


@leaf
def load_tile(data: Data, tile: Any, first: int, count: int, rows: Any, n_features: int) -> Any:
    """Return an array whose rows ``rows[i]`` are the samples ``first + i`` in T: X itself, or the tile, filled from it.

    ``rows`` repeats the last one to its end.
    """
    for i in range(len(rows)):
        rows[i] = sample(data, first + min(i, count - 1))
    if data.in_place:
        return data.X.view(tile.dtype)
    for i in range(count):
        widen(data.X[rows[i]], data.storage, tile[i, :n_features])
        for k in range(len(data.mean)):
            tile[i, k] = (tile[i, k] - data.mean[k]) * data.inverse_scale[k]
    for i in range(len(rows)):
        rows[i] = min(i, count - 1)
    return tile


@leaf
def score_tile(W: Any, b: Any, X: Any, rows: Any, count: int, scores: Any) -> None:
    """``scores_i = W x_i + b``; rows up to a multiple of ``ROWS`` get copies that nobody reads."""
    n_classes, n_features = W.shape
    step = FEATURE_BYTES // W.itemsize
    for i in range(len(rows)):
        for c in range(n_classes):
            scores[i, c] = b[c] if c < len(b) else 0
    for lo in range(0, n_features, step):
        hi = min(lo + step, n_features)
        for c in range(0, n_classes, CLASSES):
            for i in range(0, count, ROWS):
                block = products(W, c, X, rows[i], rows[i + 1], rows[i + 2], rows[i + 3], lo, hi)
                for j in range(CLASSES):
                    scores[i, c + j] += block[0][j]
                    scores[i + 1, c + j] += block[1][j]
                    scores[i + 2, c + j] += block[2][j]
                    scores[i + 3, c + j] += block[3][j]


@leaf
def loss_tile(data: Data, first: int, count: int, scores: Any, dscores: Any, n_classes: int) -> Any:
    """Return the tile's weighted loss and its correct rows; fill ``dscores``."""
    loss, correct = 0.0, 0
    for i in range(count):
        at = sample(data, first + i)
        s, d, y = scores[i, :n_classes], dscores[i, :n_classes], data.y[at]
        weight = data.sample_weight[at] if len(data.sample_weight) else 1.0
        loss += weight * row_loss(data.loss, s, y, data.parameters, d)
        correct += is_correct(s, y)
        for c in range(n_classes):
            d[c] *= s.dtype.type(weight)
    return loss, correct


@leaf
def find_active(dscores: Any, count: int, active: Any) -> None:
    """Note which rows have a gradient on the scores of each block of classes."""
    for block in range(len(active)):
        found = 0
        for i in range(count):
            for c in range(block * CLASSES, (block + 1) * CLASSES):
                if dscores[i, c] != 0:
                    active[block, found] = i
                    found += 1
                    break
        active[block, -1] = found


@leaf
def fetch(data: Data, first: int, count: int, part: int, parts: int) -> None:
    """Ask for part ``part`` of ``parts`` of the rows of samples ``first … first + count − 1``."""
    size = data.X.shape[1]
    for i in range(count):
        row = sample(data, first + i)
        for k in range(size * part // parts, size * (part + 1) // parts, LINES):
            prefetch(data.X, row, k)


@leaf
def gradient_tile(data: Data, X: Any, rows: Any, dscores: Any, active: Any, first: int, count: int, dW: Any) -> None:
    """``dW_c += Σ_i dscores_ic x_i``. Meanwhile samples ``first … first + count − 1``, which come next, are fetched."""
    n_features, lanes = dW.shape[1], BYTES // dW.itemsize
    step = GROUP * lanes
    grouped = n_features // step * step
    for k in range(0, grouped, step):
        fetch(data, first, count, k // step, n_features // step)
        for block in range(len(active)):
            add_group(X, rows, dscores, active, block, block * CLASSES, k, dW)
    for k in range(grouped, n_features, lanes):
        for block in range(len(active)):
            add_vector(X, rows, dscores, active, block, block * CLASSES, k, dW)


@leaf
def data_gradient_row(W: Any, d: Any, inverse_scale: Any, n_samples: int, dx: Any) -> None:
    """``dx = (1/n) Σ_c d_c W_c``, times ``inverse_scale`` where there is one."""
    n, step = dx.dtype.type(n_samples), FEATURE_BYTES // W.itemsize
    for lo in range(0, len(dx), step):
        hi = min(lo + step, len(dx))
        dx[lo:hi] = 0
        for c in range(0, len(W), CLASSES):
            add_rows(dx[lo:hi], d[c : c + CLASSES], W[c : c + CLASSES, lo:hi], n)
    for k in range(len(inverse_scale)):
        dx[k] *= inverse_scale[k]


@leaf
def top_row(s: Any, classes: Any, largest: Any) -> None:
    """Classes of a row's largest scores, the lower class first in a tie, and these scores; −1 and NaN if one is not finite."""
    for c in range(len(s)):
        if not np.isfinite(s[c]):
            classes[:] = -1
            largest[:] = np.nan
            return
    for c in range(len(s)):
        place = min(c, len(classes))
        while place > 0 and s[c] > s[classes[place - 1]]:
            if place < len(classes):
                classes[place] = classes[place - 1]
            place -= 1
        if place < len(classes):
            classes[place] = c
    for j in range(len(largest)):
        largest[j] = s[classes[j]]


@leaf
def pass_chunk(b: Any, data: Data, out: Outputs, work: Workspace, lo: int, hi: int, k: int) -> None:
    """Samples ``lo … hi − 1`` of the pass, tile after tile; sums go to place k of the workspace."""
    rows, scores, dscores, dW, db = work.rows[k], work.scores[k], work.dscores[k], work.dW[k], work.db[k]
    n_classes, total_loss, total_correct = len(db), 0.0, 0
    dW[:] = 0
    db[:] = 0
    for first in range(lo, hi, len(rows)):
        count = min(len(rows), hi - first)
        X = load_tile(data, work.tiles[k], first, count, rows, work.sums.shape[1])
        score_tile(work.W, b, X, rows, count, scores)
        for i in range(min(count, len(out.scores))):
            for c in range(n_classes):
                out.scores[first + i, c] = scores[i, c]
        for i in range(min(count, len(out.classes))):
            top_row(scores[i, :n_classes], out.classes[first + i], out.largest[min(first + i, len(out.largest) - 1)])
        if len(data.y):
            loss, correct = loss_tile(data, first, count, scores, dscores, n_classes)
            total_loss += loss
            total_correct += correct
        if len(dW):
            find_active(dscores, count, work.active[k])
            after = first + len(rows)
            gradient_tile(data, X, rows, dscores, work.active[k], after, max(0, min(len(rows), hi - after)), dW)
            for i in range(count):
                for c in range(n_classes):
                    db[c] += dscores[i, c]
        for i in range(min(count, len(out.dX))):
            data_gradient_row(work.W, dscores[i], data.inverse_scale, data.n_samples, out.dX[first + i])
    work.totals[k, 0] = total_loss
    work.totals[k, 1] = total_correct


@leaf
def losses_chunk(b: Any, data: Data, work: Workspace, n_candidates: int, lo: int, hi: int, k: int) -> None:
    """Weighted losses of samples ``lo … hi − 1`` for each candidate, whose weights lie one below the other in ``work.W``."""
    rows, scores, dscores, totals = work.rows[k], work.scores[k], work.dscores[k], work.totals[k]
    n_classes = work.sums.shape[0] // n_candidates
    totals[:] = 0
    for first in range(lo, hi, len(rows)):
        count = min(len(rows), hi - first)
        X = load_tile(data, work.tiles[k], first, count, rows, work.sums.shape[1])
        score_tile(work.W, b, X, rows, count, scores)
        for j in range(n_candidates):
            at = j * n_classes
            totals[j] += loss_tile(data, first, count, scores[:, at : at + n_classes], dscores, n_classes)[0]
