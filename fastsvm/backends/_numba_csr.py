"""The non-zeros of CSR samples, for the loops of :mod:`fastsvm.backends.numba`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastsvm.backends._numba_leaves import leaf


class Rows(NamedTuple):
    """A CSR array. Of each pair one is empty: so one compilation serves all types."""

    data32: Any
    data64: Any
    indices32: Any
    indices64: Any
    indptr32: Any
    indptr64: Any


@leaf
def row_bounds(X: Rows, row: int) -> Any:
    """Where the non-zeros of a row begin and end."""
    if len(X.indptr32):
        return np.int64(X.indptr32[row]), np.int64(X.indptr32[row + 1])
    return X.indptr64[row], X.indptr64[row + 1]


@leaf
def feature(X: Rows, k: int) -> Any:
    """Column of non-zero k."""
    return np.int64(X.indices32[k]) if len(X.indices32) else X.indices64[k]


@leaf
def number(X: Rows, k: int, f: int, inverse_scale: Any) -> Any:
    """Non-zero k, of feature f, in T and scaled."""
    T = inverse_scale.dtype.type
    x = T(X.data32[k]) if len(X.data32) else T(X.data64[k])
    return x * inverse_scale[f] if len(inverse_scale) else x


@leaf
def first_from(X: Rows, begin: int, end: int, f: int) -> int:
    """The first non-zero of a row's ``begin … end − 1``, which are sorted, whose feature is f or beyond."""
    while begin < end:
        middle = (begin + end) // 2
        if feature(X, middle) < f:
            begin = middle + 1
        else:
            end = middle
    return begin


@leaf
def part_bounds(X: Rows, row: int, first: int, last: int, n_features: int) -> Any:
    """Where the non-zeros of features ``first … last − 1`` of a row begin and end."""
    begin, end = row_bounds(X, row)
    if first > 0:
        begin = first_from(X, begin, end, first)
    if last < n_features:
        end = first_from(X, begin, end, last)
    return begin, end
