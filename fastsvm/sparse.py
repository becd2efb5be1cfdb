"""Sparse samples: CSR arrays of scipy.sparse, looked at and cut into rows, never copied as a whole and never made dense.

A row ``i`` of a CSR array is ``data[indptr[i]:indptr[i + 1]]`` at the columns ``indices[indptr[i]:indptr[i + 1]]``; all other
entries are 0. Nobody has such an array without having imported scipy.sparse, so fastsvm does not import it.
"""

from __future__ import annotations

import sys
from typing import Any, TypeGuard

import numpy as np

#: Dtypes of a CSR array's numbers and of its ``indices`` and ``indptr``, which share one.
SPARSE_DTYPES = ("float32", "float64")
INDEX_DTYPES = ("int32", "int64")

#: In annotations: a ``scipy.sparse.csr_array`` or ``csr_matrix``.
CSR = Any

#: In annotations: samples of either kind, an array or CSR.
Rows = Any

#: Numbers looked at in one go.
BLOCK = 1 << 18


def is_sparse(X: Any) -> TypeGuard[CSR]:
    """Whether ``X`` is an array or matrix of scipy.sparse, of any format."""
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and scipy_sparse.issparse(X)


def describe_samples(X: np.ndarray | CSR) -> str:
    """Shape and dtype of samples, for messages."""
    kind = f"{X.format.upper()} with {X.nnz} non-zeros, " if is_sparse(X) else ""
    return f"{kind}shape {X.shape}, dtype {X.dtype}"


def check_csr(name: str, X: Any) -> CSR:
    """Return ``X`` as a ``csr_array`` that shares its arrays, once they are found to be what memory can be read by.

    The format must be canonical: the indices of each row sorted, and none twice. Numbers may be NaN or infinite.
    """
    if X.format != "csr":
        raise TypeError(f"{name} must be CSR where it is sparse; got {type(X).__name__}. Convert it with {name}.tocsr()")
    if X.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions; got shape {X.shape}")
    if X.dtype.name not in SPARSE_DTYPES or not X.dtype.isnative:
        raise TypeError(
            f"{name} must have dtype {' or '.join(SPARSE_DTYPES)} where it is sparse, in native byte order; got "
            f"{X.dtype.str} ({X.dtype.name}). Convert it with {name}.astype('float32')"
        )
    index, pointer = X.indices.dtype, X.indptr.dtype
    if index.name not in INDEX_DTYPES or pointer != index or not index.isnative:
        raise TypeError(
            f"{name}.indices and {name}.indptr must share one dtype, {' or '.join(INDEX_DTYPES)} in native byte order; "
            f"got {index.str} and {pointer.str}"
        )
    n, n_features = X.shape
    if n == 0 or n_features == 0:
        raise ValueError(f"{name} must hold at least one sample and one feature; got shape {X.shape}")
    for part in ("data", "indices", "indptr"):
        flags, ndim = getattr(X, part).flags, getattr(X, part).ndim
        if ndim != 1 or not (flags.c_contiguous and flags.aligned):
            raise ValueError(f"{name}.{part} must be contiguous, aligned, of one dimension. Make a copy with {name}.copy()")
    _check_pointers(name, X.indptr, n, min(len(X.data), len(X.indices)))
    nnz = int(X.indptr[-1])  # the arrays may be longer
    checked = _share(X.data[:nnz], X.indices[:nnz], X.indptr, X.shape)
    if not checked.has_canonical_format:
        raise ValueError(
            f"{name} must have the indices of each row sorted, and none of them twice. {name}.sum_duplicates() sorts them and "
            "adds up what stands at the same place (in place)"
        )
    _check_range(name, checked)
    return checked


def _share(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, int]) -> CSR:
    """A ``csr_array`` of just these arrays. It knows nothing of their format yet, whatever another one may remember."""
    made = sys.modules["scipy.sparse"].csr_array((data, indices, indptr), shape=shape)
    made.data, made.indices, made.indptr = data, indices, indptr  # scipy copies a part of a much larger array
    return made


def _check_pointers(name: str, indptr: np.ndarray, n: int, room: int) -> None:
    """Raise unless ``indptr`` cuts ``room`` numbers into ``n`` rows."""
    if len(indptr) != n + 1:
        raise ValueError(f"{name}.indptr must hold {n + 1} numbers, one more than {name} has rows; got {len(indptr)}")
    if indptr[0] != 0:
        raise ValueError(f"{name}.indptr must begin with 0; got {indptr[0]}")
    rising = indptr[1:] >= indptr[:-1]
    if not rising.all():
        row = int(rising.argmin())
        raise ValueError(f"{name}.indptr must not decrease; got {indptr[row]} before {indptr[row + 1]} at row {row}")
    if indptr[-1] > room:
        raise ValueError(f"{name}.indptr must end at the number of non-zeros, at most {room}; got {indptr[-1]}")


def _check_range(name: str, X: CSR) -> None:
    """Raise unless all indices are columns. They are sorted: the first and the last of each row tell."""
    filled = np.flatnonzero(X.indptr[1:] > X.indptr[:-1])
    if len(filled) == 0:
        return
    low, high = X.indices[X.indptr[filled]], X.indices[X.indptr[filled + 1] - 1]
    if low.min() < 0 or high.max() >= X.shape[1]:
        at = int(low.argmin() if low.min() < 0 else high.argmax())
        wrong = (low if low.min() < 0 else high)[at]
        raise ValueError(f"{name}.indices must be in [0, {X.shape[1]}), the columns of {name}; row {filled[at]} has {wrong}")


def first_not_finite(X: CSR) -> tuple[int, int, float] | None:
    """Row, column and value of the first number that is NaN or infinite."""
    for start in range(0, X.nnz, BLOCK):
        finite = np.isfinite(X.data[start : min(start + BLOCK, X.nnz)])
        if not finite.all():
            k = start + int(finite.argmin())
            return int(np.searchsorted(X.indptr, k, side="right")) - 1, int(X.indices[k]), float(X.data[k])
    return None


def take_slice(X: np.ndarray | CSR, rows: slice) -> np.ndarray | CSR:
    """Rows one after the other, as a view of the same numbers."""
    if not is_sparse(X):
        return X[rows]
    start, stop, _ = rows.indices(X.shape[0])
    pointers = X.indptr[start : stop + 1]
    first, last = int(pointers[0]), int(pointers[-1])
    return _share(X.data[first:last], X.indices[first:last], pointers - pointers[:1], (len(pointers) - 1, X.shape[1]))


def row_blocks(X: np.ndarray | CSR, entries: int) -> list[slice]:
    """All rows, in blocks that hold about so many numbers, but one row at the least."""
    n = X.shape[0]
    rows = max(1, entries * n // max(1, X.size))  # of a CSR array, the size is the number of non-zeros
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


def largest_by_feature(X: CSR) -> np.ndarray:
    """The largest absolute value of each column, float64 (n_features,); NaN where there is a NaN."""
    largest = np.zeros(X.shape[1])
    for start in range(0, X.nnz, BLOCK):
        part = slice(start, min(start + BLOCK, X.nnz))
        np.maximum.at(largest, X.indices[part], np.abs(X.data[part]).astype(np.float64))
    return largest
