"""Per-feature standardisation ``x = (u − mean) / scale``, applied inside the kernels; no standardised copy is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsvm import _native
from fastsvm.sparse import CSR, is_sparse, largest_by_feature
from fastsvm.storage import as_numbers
from fastsvm.validation import check_choice, check_finite, check_samples

#: What ``standardize=`` accepts, and what each kind does.
KINDS = {
    "none": "samples as they are",
    "mean": "subtract each feature's mean",
    "mean+std": "subtract each feature's mean, divide by its standard deviation",
    "scale": "divide everything by one number: 255 for uint8, the largest absolute value otherwise",
    "max-abs": "divide each feature by its largest absolute value",
}

#: Kinds that leave a 0 what it is: those that CSR samples can have.
SPARSE_KINDS = ("none", "scale", "max-abs")

#: What ``standardize=`` accepts where it may depend on the samples: "none" of CSR ones; of dense ones as a rule "mean+std".
AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Standardization:
    """Statistics of a training set.

    Attributes
    ----------
    mean : ndarray (n_features,), float64
        Subtracted from each sample.
    scale : ndarray (n_features,), float64
        Each sample is divided by it; never 0 (a feature that is constant, for "max-abs" 0 throughout, has scale 1).
    kind : str
        One of :data:`KINDS`.
    """

    mean: np.ndarray
    scale: np.ndarray
    kind: str

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        for name in ("mean", "scale"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != np.float64:
                raise TypeError(f"{name} must be a float64 array with one dimension; got {array!r}")
            check_finite(name, array)
        if self.mean.shape != self.scale.shape:
            raise ValueError(f"mean and scale must have the same shape; got {self.mean.shape} and {self.scale.shape}")
        if not (self.scale > 0).all():
            raise ValueError(f"scale must be > 0; got a smallest value of {self.scale.min()}")

    def check_sparse(self, name: str, samples: str = "X") -> None:
        """Raise if CSR samples cannot have this standardisation, because their zeros would not stay zeros."""
        if self.mean.any():
            raise ValueError(f"{name} {_NOT_SPARSE.format(samples=samples)}; got one of kind {self.kind!r}")

    def apply(self, X: np.ndarray | CSR, dtype: npt.DTypeLike = np.float64) -> np.ndarray | CSR:
        """Return the standardised samples as a new array, CSR where they are: what the kernels compute tile by tile."""
        inverse = (1.0 / self.scale).astype(dtype)
        x = as_numbers(X, dtype)
        if is_sparse(x):
            self.check_sparse("standardization")
            x.data *= inverse[x.indices]
            return x
        return (x - self.mean.astype(dtype)) * inverse


#: Completes a message that begins with the argument's name.
_NOT_SPARSE = f"must subtract no mean ({', '.join(map(repr, SPARSE_KINDS))}) where {{samples}} is sparse: zeros stay zeros"


def choose_kind(standardize: str | None, X: np.ndarray | CSR, dense: str = "mean+std") -> str:
    """The kind that ``standardize=`` names for these samples; "auto" is ``dense`` for dense ones."""
    kind = check_choice("standardize", "none" if standardize is None else standardize, (*KINDS, AUTO))
    if kind == AUTO:
        return "none" if is_sparse(X) else dense
    if is_sparse(X) and kind not in SPARSE_KINDS:
        raise ValueError(f"standardize {_NOT_SPARSE.format(samples='X')}; got {kind!r}")
    return kind


@np.errstate(over="ignore", invalid="ignore")  # What is not finite raises at the end.
def fit_standardization(X: np.ndarray | CSR, kind: str) -> Standardization | None:
    """Statistics of ``X`` for one of :data:`KINDS`: of bytes exact, otherwise accumulated in float64 over blocks of rows.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), of a dtype of :mod:`fastsvm.storage`, C-contiguous; or CSR
    kind : {"none", "mean", "mean+std", "scale", "max-abs"}
        Of CSR samples one of :data:`SPARSE_KINDS`.

    Returns
    -------
    Standardization, or ``None`` for ``"none"``.

    Raises
    ------
    ValueError
        If ``kind`` is unknown or not for sparse samples, or a statistic is not finite (``X`` holds NaN or infinity).
    """
    check_choice("standardize", kind, KINDS)
    X = check_samples("X", X)
    choose_kind(kind, X)
    if kind == "none":
        return None
    mean, scale = _sparse_statistics(X, kind) if is_sparse(X) else _dense_statistics(X, kind)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
        check_finite("X", X)
        raise ValueError("X must have finite statistics; its values overflow float64 sums")
    return Standardization(mean=mean, scale=scale, kind=kind)


def _sparse_statistics(X: CSR, kind: str) -> tuple[np.ndarray, np.ndarray]:
    scale = largest_by_feature(X)
    if kind == "scale":
        scale[:] = scale.max()
    return np.zeros(len(scale)), np.where(scale == 0, 1.0, scale)


def _dense_statistics(X: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    n, d = X.shape
    block = max(1, (1 << 17) // d)  # 1 MiB of float64 stays in cache

    def blocks() -> Iterator[np.ndarray]:
        return (as_numbers(X[start : start + block]) for start in range(0, n, block))

    mean, scale, deviation = np.zeros(d), np.ones(d), np.ones(d)
    if kind == "scale":
        # np.max, unlike max, lets a NaN through to the check below.
        largest = 255.0 if X.dtype == np.uint8 else float(np.max([np.abs(x).max() for x in blocks()]))
        scale[:] = 1.0 if largest == 0 else largest
    elif X.dtype in (np.uint8, np.int8) and kind != "max-abs":
        mean, deviation = _byte_moments(X)
    elif kind == "max-abs":
        scale = np.maximum.reduce([np.abs(x).max(axis=0) for x in blocks()])
        scale[scale == 0] = 1.0
    else:
        mean = sum((x.sum(axis=0) for x in blocks()), start=mean) / n
        if kind == "mean+std":
            deviation = np.sqrt(sum((np.square(x - mean).sum(axis=0) for x in blocks()), start=np.zeros(d)) / n)
    if kind == "mean+std":
        scale = np.where(deviation <= 1e-12 * np.abs(mean), 1.0, deviation)  # a constant feature, but for rounding
    return mean, scale


def _byte_moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, rounded once: n Σx² − (Σx)² is an integer."""
    n, d = X.shape
    sums, squares = np.zeros(d, dtype=np.int64), np.zeros(d, dtype=np.int64)
    _native.byte_moments(X, sums, squares)
    exact = sums.astype(object)  # Python's integers: these products may need more than 64 bits
    variance = (n * squares.astype(object) - exact * exact).astype(np.float64) / float(n * n)
    return sums / n, np.sqrt(variance)
