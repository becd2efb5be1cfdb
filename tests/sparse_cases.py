"""Sparse samples for the tests."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

#: n_samples, n_features, n_classes.
SHAPE = 60, 24, 4

CONTAINERS = (sp.csr_array, sp.csr_matrix)
INDICES = ("int32", "int64")


def dense_samples(dtype: str = "float64", shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Samples of which a fifth is not 0, with an empty row and an empty column, and their classes, which they tell."""
    n, d, k = shape
    rng = np.random.default_rng(n)
    X = np.where(rng.random((n, d)) < 0.2, rng.normal(scale=3.0, size=(n, d)), 0.0)
    y = np.arange(n) % k
    X[np.arange(n), y] += 2.0
    X[n // 2] = X[:, -1] = 0.0
    return X.astype(dtype), y


def csr(X: np.ndarray, container=sp.csr_array, indices: str = "int32"):
    """The same as CSR, with indices of that type."""
    made = container(X)
    made.indices, made.indptr = made.indices.astype(indices), made.indptr.astype(indices)
    return made


def sparse_samples(dtype: str = "float64", shape: tuple[int, int, int] = SHAPE):
    """CSR samples, the same samples densely, and their classes."""
    X, y = dense_samples(dtype, shape)
    return csr(X), X, y
