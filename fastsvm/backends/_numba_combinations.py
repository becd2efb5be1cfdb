"""The loops of :mod:`fastsvm.backends.numba` over combinations of scores, and over the scores that one weight changes.

As in ``_numba_loops``, work is cut by shape only, and each part fills memory of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from fastsvm.backends._numba_leaves import leaf, row_loss

ROWS = 1024  #: rows of a chunk
SLICE = 16  #: features whose difference quotients are taken together


@leaf
def combined_losses(
    scores: Any,
    coefficients: Any,
    base: Any,
    y: Any,
    sample_weight: Any,
    loss: int,
    parameters: Any,
    lo: int,
    hi: int,
    sums: Any,
) -> None:
    """Weighted losses of rows ``lo … hi − 1`` at each combination, added to ``base`` unless that has no rows."""
    n_matrices, _, n_classes = scores.shape
    s, dscores = np.empty(n_classes, scores.dtype), np.empty(n_classes, scores.dtype)
    for p in range(len(coefficients)):
        sums[p] = 0.0
        for i in range(lo, hi):
            s[:] = 0
            if len(base):
                s[:] = base[i]
            for q in range(n_matrices):
                factor = scores.dtype.type(coefficients[p, q])
                for c in range(n_classes):
                    s[c] += factor * scores[q, i, c]
            weight = sample_weight[i] if len(sample_weight) else 1.0
            sums[p] += weight * row_loss(loss, s, y[i], parameters, dscores)


def combination_losses(
    scores: Any, coefficients: Any, base: Any, y: Any, sample_weight: Any, loss: int, parameters: Any, parts: Any, out: Any
) -> None:
    """Mean losses at combinations of scores; ``parts`` (chunks, n_points) is scratch."""
    n = len(y)
    for k in prange(len(parts)):
        lo = np.int64(k) * ROWS
        combined_losses(scores, coefficients, base, y, sample_weight, loss, parameters, lo, min(lo + ROWS, n), parts[k])
    out[:] = 0
    for k in range(len(parts)):
        for p in range(len(out)):
            out[p] += parts[k, p]
    for p in range(len(out)):
        out[p] /= n


@leaf
def moved_loss(loss: int, s: Any, y: int, parameters: Any, dscores: Any, c: int, distance: float) -> float:
    """Loss of a row where the score of class c is moved."""
    kept = s[c]
    s[c] = kept + distance
    value = row_loss(loss, s, y, parameters, dscores)
    s[c] = kept
    return value


@leaf
def quotients(
    x: Any, scores: Any, y: Any, sample_weight: Any, loss: int, parameters: Any, h: float, central: bool, sums: Any
) -> None:
    """Sums over all rows of the differences of the loss, of each class and each feature of ``x`` (n_features, n_samples)."""
    n_classes = scores.shape[1]
    s, dscores = np.empty(n_classes), np.empty(n_classes)
    sums[:] = 0
    for i in range(len(y)):
        s[:] = scores[i]
        here = 0.0 if central else row_loss(loss, s, y[i], parameters, dscores)
        weight = sample_weight[i] if len(sample_weight) else 1.0
        for c in range(n_classes):
            for f in range(len(x)):
                up = moved_loss(loss, s, y[i], parameters, dscores, c, h * x[f, i])
                down = moved_loss(loss, s, y[i], parameters, dscores, c, -h * x[f, i]) if central else here
                sums[c, f] += weight * (up - down)


def numerical_gradient(
    x: Any, scores: Any, y: Any, sample_weight: Any, loss: int, parameters: Any, h: float, central: bool, out: Any
) -> None:
    """Difference quotients (slices, n_classes, features of a slice) without the penalty, for ``x`` (n_features, n_samples)."""
    for k in prange(len(out)):
        lo = np.int64(k) * SLICE
        features = x[lo : min(lo + SLICE, len(x))]
        quotients(features, scores, y, sample_weight, loss, parameters, h, central, out[k, :, : len(features)])
    out /= len(y) * h * (2 if central else 1)
