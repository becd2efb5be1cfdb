"""Products of dual variables with the samples, in blocks of rows: never a widened copy of the data."""

from __future__ import annotations

import numpy as np

from fastsvm.problem import Problem, Samples
from fastsvm.storage import as_numbers

#: Numbers of a block.
BLOCK = 1 << 19


def transposed_product(D: np.ndarray, samples: Samples) -> np.ndarray:
    """``Dᵀ x`` for ``D`` (n_samples, n_classes) and the samples as the score function sees them, standardised.

    Returns
    -------
    ndarray (n_classes, n_features), float64. Blocks are multiplied in the dtype of ``D`` and added up in float64.
    """
    n, d = samples.X.shape
    if samples.is_sparse:
        total = np.asarray((samples.X.T @ D).T, dtype=np.float64)
        return total if samples.inverse_scale is None else total * samples.inverse_scale
    total = np.zeros((D.shape[1], d))
    for first in range(0, n, step := max(1, BLOCK // d)):
        x = as_numbers(samples.X[first : first + step], D.dtype)
        if samples.mean is not None:
            x -= samples.mean
        total += D[first : first + step].T @ x
    return total if samples.inverse_scale is None else total * samples.inverse_scale


def score_gradients(a: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Minus the weights of the samples in ``W(a)``: ``ω_i a_ij`` for ``j ≠ y_i``, and minus their sum for ``y_i``."""
    D = a.copy() if weight is None else (a * weight[:, None]).astype(a.dtype, copy=False)
    rows = np.arange(len(y))
    D[rows, y] = 0
    D[rows, y] = -D.sum(axis=1)
    return D


def weights_of(a: np.ndarray, problem: Problem, square: float | None) -> tuple[np.ndarray, np.ndarray | None]:
    """``W(a) = (1 / (alpha n)) Σ_ij ω_i a_ij (e_{y_i} − e_j) x_iᵀ`` and its ``b``, float64; ``None`` without an intercept."""
    D = score_gradients(a, problem.y, problem.sample_weight)
    scale = -1.0 / (problem.alpha * problem.samples.n_rows)
    b = None if square is None else scale * square * D.sum(axis=0, dtype=np.float64)
    return scale * transposed_product(D, problem.samples), b
