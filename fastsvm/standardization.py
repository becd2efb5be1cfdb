"""Per-feature standardisation ``x = (u − mean) / scale``, applied inside the kernels; no standardised copy is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsvm.storage import as_numbers
from fastsvm.validation import check_choice, check_finite, check_samples

#: What ``standardize=`` accepts, and what each kind does.
KINDS = {
    "none": "samples as they are",
    "mean": "subtract each feature's mean",
    "mean+std": "subtract each feature's mean, divide by its standard deviation",
    "scale": "divide everything by one number: 255 for uint8, the largest absolute value otherwise",
}


@dataclass(frozen=True, eq=False)
class Standardization:
    """Statistics of a training set.

    Attributes
    ----------
    mean : ndarray (n_features,), float64
        Subtracted from each sample.
    scale : ndarray (n_features,), float64
        Each sample is divided by it; never 0 (a constant feature has scale 1).
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

    def apply(self, X: np.ndarray, dtype: npt.DTypeLike = np.float64) -> np.ndarray:
        """Return the standardised samples as a new array: what the kernels compute tile by tile."""
        inverse = (1.0 / self.scale).astype(dtype)
        return (as_numbers(X, dtype) - self.mean.astype(dtype)) * inverse


@np.errstate(over="ignore", invalid="ignore")  # What is not finite raises at the end.
def fit_standardization(X: np.ndarray, kind: str) -> Standardization | None:
    """Statistics of ``X`` for one of :data:`KINDS`, accumulated in float64 over blocks of rows.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), of a dtype of :mod:`fastsvm.storage`, C-contiguous
    kind : {"none", "mean", "mean+std", "scale"}

    Returns
    -------
    Standardization, or ``None`` for ``"none"``.

    Raises
    ------
    ValueError
        If ``kind`` is unknown or a statistic is not finite (``X`` holds NaN or infinity).
    """
    check_choice("standardize", kind, KINDS)
    X = check_samples("X", X)
    n, d = X.shape
    if kind == "none":
        return None
    block = max(1, (1 << 17) // d)  # 1 MiB of float64 stays in cache

    def blocks() -> Iterator[np.ndarray]:
        return (as_numbers(X[start : start + block]) for start in range(0, n, block))

    mean, scale = np.zeros(d), np.ones(d)
    if kind == "scale":
        # np.max, unlike max, lets a NaN through to the check below.
        largest = 255.0 if X.dtype == np.uint8 else float(np.max([np.abs(x).max() for x in blocks()]))
        scale[:] = 1.0 if largest == 0 else largest
    else:
        mean = sum((x.sum(axis=0) for x in blocks()), start=mean) / n
    if kind == "mean+std":
        variance = sum((np.square(x - mean).sum(axis=0) for x in blocks()), start=np.zeros(d)) / n
        deviation = np.sqrt(variance)
        constant = deviation <= 1e-12 * np.abs(mean)
        scale = np.where(constant, 1.0, deviation)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
        check_finite("X", X)
        raise ValueError("X must have finite statistics; its values overflow float64 sums")
    return Standardization(mean=mean, scale=scale, kind=kind)
