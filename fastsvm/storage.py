"""The types samples may be stored in, and the numbers such an array stands for.

NumPy has no bfloat16: an array of uint16 is taken for its bit patterns (the upper halves of float32), everywhere. An array of
``ml_dtypes.bfloat16``, and the two-byte void that :func:`numpy.load` makes of one, are viewed as uint16. Integers of 16 bits
are not among the types: convert them with ``X.astype(numpy.float32)``, which is exact.

Every number of float32, float16, bfloat16, int8 and uint8 is one of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: NumPy's names of the dtypes of samples.
STORAGE_DTYPES = ("float64", "float32", "float16", "uint16", "int8", "uint8")

#: Bits of an infinite bfloat16; more of them without the sign are NaN.
INFINITE = 0x7F80

#: Bits of the bfloat16 2⁻⁶³. The squares of what is smaller are below float32's smallest normal number.
SMALL = 0x2000

_BLOCK = 1 << 20


def as_stored(X: Any) -> Any:
    """``X`` itself, or a view of its bit patterns as uint16 where it is an array of bfloat16 by another name."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "V" and X.dtype.itemsize == 2 and X.dtype.fields is None:
        return X.view(np.uint16)
    return X


def storage_name(X: np.ndarray) -> str:
    """The type samples are stored in, by the name that all backends use: that of the dtype, or "bfloat16" for uint16.

    ``X`` may be a CSR array, here and in `as_numbers`, which keeps it one.
    """
    return "bfloat16" if X.dtype == np.uint16 else X.dtype.name


def as_numbers(X: np.ndarray, dtype: npt.DTypeLike = np.float64) -> np.ndarray:
    """The numbers that samples stand for, as a new array of ``dtype``."""
    X = as_stored(X)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is reported where it matters
        if X.dtype == np.uint16:
            return np.left_shift(X, 16, dtype=np.uint32).view(np.float32).astype(dtype, copy=False)
        return X.astype(dtype)


def is_finite(X: np.ndarray) -> np.ndarray:
    """Mask of the samples' numbers that are neither NaN nor infinite."""
    return X & INFINITE != INFINITE if X.dtype == np.uint16 else np.isfinite(X)


def looks_like_integers(X: np.ndarray) -> bool:
    """Whether uint16 samples must be integers, not bfloat16: they would be >= 0, below 2⁻⁶³ and not all 0.

    So all integers below 8192 are found out. Larger ones make sound numbers, which nothing tells from others; those from 32641
    to 32767 and from 65409 on are NaN. Of samples in bfloat16 only the first few are looked at.
    """
    flat, start, size = X.reshape(-1), 0, 1 << 12
    largest = 0
    while start < flat.size:
        largest = max(largest, int(flat[start : start + size].max()))
        if largest >= SMALL:
            return False
        start, size = start + size, _BLOCK
    return largest > 0
