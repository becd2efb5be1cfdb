"""Checks at the entry. Each returns the value in the form the rest of the package relies on, or raises with a message
that names the argument, what it was and what it must be. Arrays are looked at, never silently converted or copied,
except small ones (labels, weights per sample) whose conversion is exact.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np

from fastsvm.sparse import CSR, check_csr, first_not_finite, is_sparse
from fastsvm.storage import STORAGE_DTYPES, as_numbers, as_stored, is_finite, looks_like_integers

WEIGHT_DTYPES = ("float64", "float32")

#: What to do with integers of 16 bits, which :mod:`fastsvm.storage` takes for something else.
NOT_INTEGERS = "uint16 is read as the bit patterns of bfloat16; convert integers with {name}.astype('float32')"


def check_real(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """Return ``value`` as a finite float within the given bounds."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number; got {value!r} ({type(value).__name__})")
    number = float(value)
    bounds = [
        (above is not None and not number > above, f"> {above:g}" if above is not None else ""),
        (at_least is not None and not number >= at_least, f">= {at_least:g}" if at_least is not None else ""),
        (below is not None and not number < below, f"< {below:g}" if below is not None else ""),
        (at_most is not None and not number <= at_most, f"<= {at_most:g}" if at_most is not None else ""),
    ]
    if not math.isfinite(number) or any(broken for broken, _ in bounds):
        wanted = " and ".join(text for _, text in bounds if text)
        raise ValueError(f"{name} must be finite{' and ' + wanted if wanted else ''}; got {value!r}")
    return number


def check_integer(name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """Return ``value`` as an int within the given bounds."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer; got {value!r} ({type(value).__name__})")
    number = int(value)
    if at_least is not None and number < at_least:
        raise ValueError(f"{name} must be an integer >= {at_least}; got {number}")
    if at_most is not None and number > at_most:
        raise ValueError(f"{name} must be an integer <= {at_most}; got {number}")
    return number


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; numbers and strings are refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r} ({type(value).__name__})")
    return bool(value)


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of ``choices``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def plain_name(text: str) -> str:
    """A name as the tables have it; users may write - for _, and capitals."""
    return text.strip().lower().replace("-", "_")


def describe(array: np.ndarray) -> str:
    """Shape and dtype of an array, for messages."""
    return f"shape {array.shape}, dtype {array.dtype}"


def refuse_mask(name: str, value: Any) -> None:
    """Raise if ``value`` is a masked array: looking at its data alone would bring back what the mask hides."""
    if isinstance(value, np.ndarray) and hasattr(value, "mask"):
        raise TypeError(f"{name} must be an array without a mask; got {type(value).__name__}. Leave the masked rows out")


def check_array(
    name: str,
    value: Any,
    *,
    dtypes: Collection[str],
    ndim: int | None = None,
    shape: tuple[int, ...] | None = None,
    writeable: bool = False,
) -> np.ndarray:
    """Return ``value``, an aligned C-contiguous array in native byte order, without copying it."""
    if not isinstance(value, np.ndarray):
        hint = "; pass a dense array" if hasattr(value, "toarray") else "; wrap it in numpy.asarray"
        raise TypeError(f"{name} must be a NumPy array; got {type(value).__name__}{hint}")
    refuse_mask(name, value)
    array = np.asarray(value)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension{'s' if ndim != 1 else ''}; got {describe(array)}")
    if array.dtype.name not in dtypes or not array.dtype.isnative:
        wanted = "float32" if "float32" in dtypes else next(iter(dtypes))
        names = ["uint16 (bit patterns of bfloat16)" if dtype == "uint16" else dtype for dtype in dtypes]
        hint = "" if wanted == "uint16" else f". Convert it with {name}.astype({wanted!r})"
        got = f"{array.dtype.str} ({array.dtype.name}){hint}"
        raise TypeError(f"{name} must have dtype {' or '.join(names)} in native byte order; got {got}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(
            f"{name} must be C-contiguous (row after row) and aligned; got strides {array.strides} for "
            f"{describe(array)}. Make a copy with {name}.copy()"
        )
    if writeable and not array.flags.writeable:
        raise ValueError(f"{name} is changed in place and must be writeable; got a read-only array")
    return array


def check_finite(name: str, array: np.ndarray | CSR) -> None:
    """Raise if a float array (uint16 is bfloat16) holds NaN or infinity, naming the first place. Works in blocks."""
    if is_sparse(array):
        bad = first_not_finite(array)
        if bad is not None:
            raise ValueError(f"{name} must hold finite numbers only; {name}[{bad[0]}, {bad[1]}] is {bad[2]}")
        return
    if (array.dtype.kind != "f" and array.dtype != np.uint16) or array.size == 0:
        return
    rows = array.reshape(array.shape[0], -1) if array.ndim else array.reshape(1, 1)
    block = max(1, (1 << 20) // max(1, rows.shape[1]))
    for start in range(0, rows.shape[0], block):
        finite = is_finite(rows[start : start + block])
        if not finite.all():
            i, j = (int(k) for k in np.argwhere(~finite)[0])
            place = [start + i, *map(int, np.unravel_index(j, array.shape[1:]))] if array.ndim > 1 else [start + i]
            number = as_numbers(rows[start + i, j : j + 1], np.float32 if array.dtype == np.uint16 else array.dtype)[0]
            hint = f". {NOT_INTEGERS.format(name=name)}" if array.dtype == np.uint16 else ""
            raise ValueError(f"{name} must hold finite numbers only; {name}{place} is {number}{hint}")


def check_samples(name: str, X: Any) -> np.ndarray | CSR:
    """Return ``X`` (n_samples, n_features), checked for all but finiteness (which the kernels detect as they go).

    An array of bfloat16 is returned as a view of its bit patterns, uint16, and a CSR array or matrix of scipy.sparse as a
    ``csr_array`` that shares its numbers and indices.
    """
    if is_sparse(X):
        return check_csr(name, X)
    if not isinstance(X, np.ndarray):
        hint = "convert it to one of them" if hasattr(X, "toarray") else "wrap it in numpy.asarray"
        raise TypeError(f"{name} must be a NumPy array or a CSR array of scipy.sparse; got {type(X).__name__}; {hint}")
    X = check_array(name, as_stored(X), dtypes=STORAGE_DTYPES, ndim=2)
    if X.shape[0] == 0 or X.shape[1] == 0:
        raise ValueError(f"{name} must hold at least one sample and one feature; got shape {X.shape}")
    if X.dtype == np.uint16 and looks_like_integers(X):
        largest = X.max().reshape(1)
        raise ValueError(
            f"{name} must hold numbers of a usual size; the largest of these in bfloat16 is {as_numbers(largest)[0]:.1e}, "
            f"the bits of the integer {largest[0]}. {NOT_INTEGERS.format(name=name)}"
        )
    return X


def as_array(name: str, value: Any, wanted: str = "have one dimension, a number per sample") -> np.ndarray:
    """``value`` as an array, for arguments that may be lists."""
    refuse_mask(name, value)
    try:
        return np.asarray(value)
    except ValueError as error:  # a ragged list
        raise ValueError(f"{name} must {wanted}; {error}") from None


def check_labels(name: str, y: Any, *, n_samples: int, n_classes: int | None = None) -> np.ndarray:
    """Return class indices as a C-contiguous int64 array (n_samples,), in [0, n_classes)."""
    if isinstance(y, (list, tuple)):
        y = as_array(name, y)
    if not isinstance(y, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array of class indices; got {type(y).__name__}")
    refuse_mask(name, y)
    if y.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold integer class indices; got dtype {y.dtype}. "
            f"numpy.unique({name}, return_inverse=True) turns any labels into indices"
        )
    if y.ndim != 1 or y.shape[0] != n_samples:
        raise ValueError(f"{name} must have shape ({n_samples},), one label per sample; got shape {y.shape}")
    if y.size == 0:
        raise ValueError(f"{name} must hold at least one label; got an empty array")
    low, high = int(y.min()), int(y.max())
    top = np.iinfo(np.int64).max if n_classes is None else n_classes - 1
    if low < 0 or high > top:
        wrong = low if low < 0 else high
        where = int(np.flatnonzero(y == wrong)[0])
        span = f"in [0, {n_classes})" if n_classes is not None else ">= 0"
        raise ValueError(f"{name} must be class indices {span}; {name}[{where}] is {wrong}")
    return np.ascontiguousarray(y, dtype=np.int64)


def check_sample_weight(name: str, weight: Any, *, n_samples: int) -> np.ndarray | None:
    """Return non-negative weights as float64 (n_samples,), scaled so that their mean is 1, or ``None``."""
    if weight is None:
        return None
    array = as_array(name, weight)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers; got dtype {array.dtype}")
    if array.shape != (n_samples,):
        raise ValueError(f"{name} must have shape ({n_samples},), one weight per sample; got shape {array.shape}")
    array = array.astype(np.float64)
    check_finite(name, array)
    if array.min() < 0:
        where = int(array.argmin())
        raise ValueError(f"{name} must be >= 0; {name}[{where}] is {array[where]}")
    with np.errstate(over="ignore"):
        total = array.sum()
    mean = total / n_samples
    if not np.finfo(np.float64).tiny <= mean < math.inf:
        raise ValueError(f"{name} must have a positive, finite sum; got {total}")
    return array / mean


def check_weights(
    W: Any, b: Any, *, n_features: int | None = None, n_classes: int | None = None, writeable: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``W`` (n_classes, n_features) and ``b`` (n_classes,) or ``None``, of one dtype."""
    W = check_array("W", W, dtypes=WEIGHT_DTYPES, ndim=2, writeable=writeable)
    if W.shape[0] < 2:
        binary = ". The row w of a classifier of two classes is np.vstack([-w / 2, w / 2])" if len(W) == 1 else ""
        raise ValueError(f"W must have at least 2 rows, one per class; got shape {W.shape}{binary}")
    if n_classes is not None and W.shape[0] != n_classes:
        raise ValueError(f"W must have one row per class, {n_classes}; got shape {W.shape}")
    if n_features is not None and W.shape[1] != n_features:
        raise ValueError(f"W must have one column per feature of X, {n_features}; got shape {W.shape}")
    if b is not None:
        b = check_array("b", b, dtypes=(W.dtype.name,), ndim=1, shape=(W.shape[0],), writeable=writeable)
    return W, b


def check_candidates(Ws: np.ndarray, bs: np.ndarray | None, n_features: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``Ws`` and ``bs`` if they are candidates for the weights of samples with so many features."""
    Ws = check_array("Ws", Ws, dtypes=WEIGHT_DTYPES, ndim=3)
    if Ws.shape[0] == 0 or Ws.shape[1] < 2 or Ws.shape[2] != n_features:
        raise ValueError(f"Ws must have shape (at least 1, at least 2, {n_features} as X has features); got {Ws.shape}")
    if bs is not None:
        bs = check_array("bs", bs, dtypes=(Ws.dtype.name,), shape=Ws.shape[:2])
    return Ws, bs


def check_storage(X: np.ndarray | CSR, dtype: np.dtype, name: str = "X") -> None:
    """Raise where samples would lose precision in the weights' dtype (float64 samples, float32 weights)."""
    if X.dtype == np.float64 and dtype == np.float32:
        raise TypeError(
            f"{name} is float64 and W is float32: the computation runs in W's dtype and {name} would lose precision. "
            f"Use float64 weights (in training, dtype='float64'), or pass {name}.astype('float32')"
        )


def check_splittable(name: str, fraction: float, y: np.ndarray) -> None:
    """Raise where a share of the samples cannot be held out with the classes spread evenly over both parts."""
    counts = np.bincount(y)
    n, present = len(y), int(np.count_nonzero(counts))
    held = math.ceil(fraction * n)  # as scikit-learn rounds it
    why = ""
    if 1 in counts:
        why = f"class {int(np.flatnonzero(counts == 1)[0])} has a single sample, and each part needs one"
    elif min(held, n - held) < present:
        part, size = ("held out", held) if held < present else ("left to train on", n - held)
        why = f"{size} would be {part}, fewer than the {present} classes"
    if why:
        raise ValueError(f"{name}={fraction:g} does not split {n} samples: {why}")
