"""The memory of a pass of :mod:`fastsvm.backends.numba` over CSR samples, and how features are cut into parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.backends._numba_csr import Rows
from fastsvm.backends._numba_memory import MIN_WAVE, WAVE_BYTES, chunks, read_only
from fastsvm.backends._numba_sparse import BLOCK, SparseWorkspace, block_features
from fastsvm.sparse import CSR

SAMPLE = 4096  #: non-zeros and features that stand for all when the parts are made about equal


def rows(X: CSR) -> Rows:
    """The arrays of X itself, each in the place of its type."""

    def place(array: np.ndarray, narrow: Any, wide: Any) -> list[np.ndarray]:
        return [read_only(array if array.dtype == dtype else None, dtype) for dtype in (narrow, wide)]

    integers = np.int32, np.int64
    return Rows(*place(X.data, np.float32, np.float64), *place(X.indices, *integers), *place(X.indptr, *integers))


def parts_of(X: CSR, batch_size: int, width: int, n_parts: int) -> np.ndarray:
    """Features where parts begin, multiples of ``width``: about as many non-zeros in a batch and features to update in each."""
    n, d = X.shape
    non_zeros = X.nnz * batch_size // n
    share = SAMPLE * non_zeros // (non_zeros + d)
    stored = X.indices[: X.nnz : X.nnz // share + 1] if share else X.indices[:0]
    cost = np.sort(np.concatenate([stored, np.arange(0, d, d // (SAMPLE - share) + 1)]))
    begin = cost[len(cost) * np.arange(1, n_parts) // n_parts] // width * width
    return np.concatenate([[0], begin, [d]]).astype(np.int64)


def sparse_workspace(V: np.ndarray, X: CSR, batch_size: int, n_threads: int, gradient: bool) -> SparseWorkspace:
    """For feature-major weights, with as many parts as threads."""
    (d, n_classes), (chunk_rows, n_chunks) = V.shape, chunks(batch_size)
    wave = min(n_chunks, max(MIN_WAVE, WAVE_BYTES // (2 * chunk_rows * n_classes * V.itemsize)))
    width = block_features.py_func(n_classes)
    features = d if gradient else 0
    return SparseWorkspace(
        V=V,
        scores=np.empty((wave, chunk_rows, n_classes), V.dtype),
        dscores=np.empty((wave, chunk_rows, n_classes), V.dtype),
        db=np.empty((wave, n_classes)),
        totals=np.zeros((wave, 2)),
        bounds=parts_of(X, batch_size, width, n_threads),
        sums=np.zeros((features, n_classes)),
        gathered=np.empty((n_threads, 3, max(BLOCK, n_classes)), V.dtype),
        sums_b=np.empty(n_classes),
        gradient_b=np.empty(n_classes, V.dtype),
        squares=np.empty(-(-d // width)),
        queue=np.empty(features, np.int64),
        queued=np.zeros(n_threads, np.int64),
        places=np.full(features, -1),
    )
