"""What users of scikit-learn pass in, made into what fastsvm reads. What fastsvm can read as it is stored is never converted.

=====================================================  =====================================================
samples given                                          samples read
=====================================================  =====================================================
float64, float32, float16, int8, uint8, bfloat16       those very bytes (a copy in C order, if they are not in it)
bool                                                   those very bytes, as uint8
int16, uint16                                          float32, which holds them exactly
other integers, longdouble, object, lists, data frames float64 (of a data frame: what its columns have in common)
CSR of float32 or float64                              those very arrays; a copy, if rows are not sorted
other sparse formats                                   CSR
CSR of other numbers                                   float32, if it holds them exactly, else float64
=====================================================  =====================================================
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from fastsvm.sparse import SPARSE_DTYPES, is_sparse
from fastsvm.storage import STORAGE_DTYPES, as_numbers, as_stored
from fastsvm.validation import check_real

#: Dense dtypes that are read in place. uint16 is not among them: fastsvm takes it for bfloat16, users of scikit-learn do not.
IN_PLACE = tuple(name for name in STORAGE_DTYPES if name != "uint16")


def read_samples(estimator: Any, X: Any, *, reset: bool, finite: bool) -> Any:
    """Samples as fastsvm reads them; ``n_features_in_`` and ``feature_names_in_`` are set, or checked.

    With ``finite=False`` numbers that are not finite pass: predictions find them on their way, see `finite_or_explained`.
    """
    if is_bfloat16(X):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        X = np.require(as_stored(X), requirements=["C", "ALIGNED"])
        if X.ndim != 2 or X.size == 0:
            raise ValueError(f"X must hold at least one sample and one feature in two dimensions; got shape {X.shape}")
        if finite:
            assert_all_finite(as_numbers(X, np.float32), estimator_name=type(estimator).__name__, input_name="X")
        return X
    X = validate_data(
        estimator, X, reset=reset, accept_sparse="csr", dtype="numeric", order="C", ensure_all_finite=finite
    )  # fmt: skip
    return _readable_csr(X) if is_sparse(X) else _readable(X)


def is_bfloat16(X: Any) -> bool:
    """Whether ``X`` is an array of bfloat16 (of ml_dtypes, or as numpy.load makes of it)."""
    return isinstance(X, np.ndarray) and as_stored(X) is not X


def _readable(X: np.ndarray) -> np.ndarray:
    if X.dtype == bool:
        X = X.view(np.uint8)
    if X.dtype.name not in IN_PLACE:
        X = X.astype(_float_for(X.dtype))
    return np.require(X, dtype=X.dtype.newbyteorder("="), requirements=["C", "ALIGNED"])


def _readable_csr(X: Any) -> Any:
    if X.dtype.name not in SPARSE_DTYPES or not X.dtype.isnative:
        X = X.astype(_float_for(X.dtype))
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _float_for(dtype: np.dtype) -> type[np.floating]:
    """float32 where it holds all numbers of ``dtype``, else float64."""
    return np.float32 if np.can_cast(dtype, np.float32, "safe") else np.float64


@contextmanager
def finite_or_explained(estimator: Any, X: Any) -> Iterator[None]:
    """Where the work inside fails because ``X`` is not finite, say so as scikit-learn does."""
    try:
        yield
    except (ArithmeticError, ValueError):
        numbers_of_X = X.data if is_sparse(X) else as_numbers(X, np.float32) if X.dtype == np.uint16 else X
        assert_all_finite(numbers_of_X, estimator_name=type(estimator).__name__, input_name="X")
        raise


def read_labels(estimator: Any, y: Any, n_samples: int) -> np.ndarray:
    """Labels of whatever type, (n_samples,)."""
    if y is None:
        raise ValueError(f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True)
    if len(y) != n_samples:
        raise ValueError(f"y must hold one label per sample, {n_samples}; got {len(y)} (inconsistent numbers of samples)")
    check_array(y, ensure_2d=False, dtype=None, ensure_min_samples=0, input_name="y")  # finite, and not complex
    check_classification_targets(y)
    return y


def encode(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class indices, int64, of labels that must be among the sorted ``classes``."""
    indices = np.searchsorted(classes, labels).clip(0, len(classes) - 1)
    unknown = classes[indices] != labels
    if np.any(unknown):
        raise ValueError(f"y must hold the classes {classes.tolist()} only; got {np.unique(labels[unknown]).tolist()}")
    return indices.astype(np.int64)


def read_weights(sample_weight: Any, n_samples: int, name: str = "sample_weight") -> np.ndarray | None:
    """Weights of samples, float64 (n_samples,), >= 0 and not all 0; one number is the weight of every sample."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    weight = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name=name)
    if weight.shape != (n_samples,):
        raise ValueError(f"{name} must have shape ({n_samples},), one weight per sample; got shape {weight.shape}")
    if weight.min() < 0:
        raise ValueError(f"{name} must be >= 0; got {weight.min()}")
    if not weight.any():
        raise ValueError(f"{name} must hold a weight that is not zero")
    return weight


def with_class_weight(
    class_weight: Any, weight: np.ndarray | None, y: np.ndarray, labels: np.ndarray, classes: np.ndarray
) -> np.ndarray | None:
    """Weights of samples times those of their classes. "balanced" makes the classes' total weights equal."""
    if class_weight is None:
        return weight
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(y, weights=weight, minlength=len(classes))
        # A class whose samples all weigh nothing cannot be balanced, and takes no part.
        factors = np.divide(counts.sum() / len(classes), counts, out=np.zeros(len(classes)), where=counts > 0)
    else:
        if isinstance(class_weight, dict):
            for label, value in class_weight.items():
                check_real(f"class_weight[{label!r}]", value, at_least=0.0)
        factors = compute_class_weight(class_weight, classes=classes, y=labels)
    return factors[y] if weight is None else factors[y] * weight


def merge_repeated(X: Any, y: np.ndarray, weight: np.ndarray | None) -> tuple[Any, np.ndarray, np.ndarray]:
    """Each sample once, with its total weight, in an order of their own, and none of weight 0.

    A problem then is the same to the last bit whether a sample has a weight of 2 or is given twice, and in whatever order.
    """
    weight = np.ones(len(y)) if weight is None else weight
    found: dict[tuple[int, bytes], list] = {}
    for row in np.flatnonzero(weight).tolist():
        if is_sparse(X):
            part = slice(X.indptr[row], X.indptr[row + 1])
            numbers_of_row = X.indices[part].tobytes() + X.data[part].tobytes()
        else:
            numbers_of_row = X[row].tobytes()
        found.setdefault((int(y[row]), numbers_of_row), [row, 0.0])[1] += weight[row]
    rows, totals = zip(*(found[key] for key in sorted(found)), strict=True)
    taken = np.array(rows)
    return X[taken], y[taken], np.array(totals)


def weights_dtype(X: Any, dtype: npt.DTypeLike | None) -> np.dtype:
    """The dtype computed in: as asked for, else float64 for samples in float64 and float32 for all others."""
    if dtype is not None:
        return np.dtype(dtype)
    return np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
