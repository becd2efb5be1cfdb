"""Scaling of features, with the weights of the samples, and its way into the coefficients and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastsvm.sparse import is_sparse
from fastsvm.standardization import KINDS, Standardization, fit_standardization
from fastsvm.storage import as_numbers
from fastsvm.validation import check_choice

#: Where a feature's mean is more than so many of its scales, float32 cannot hold the intercept that the mean goes into.
FAR_FROM_ZERO = 1e3


def choose_kind(standardize: Any, X: Any, fit_intercept: bool) -> str | Standardization:
    """The kind of standardisation that ``standardize=`` means for these samples, or the statistics it gives.

    Without an intercept nothing is subtracted unless it is asked for by name: that would be an intercept after all.
    """
    if isinstance(standardize, Standardization):
        return standardize
    if isinstance(standardize, str) and standardize != "auto":
        return check_choice("standardize", standardize, ("auto", *KINDS))
    if standardize is None or standardize is False or (standardize == "auto" and is_sparse(X)):
        return "none"
    if standardize is True or standardize == "auto":
        return "max-abs" if is_sparse(X) or not fit_intercept else "mean+std"
    raise TypeError(f"standardize must be 'auto', True, False, a kind or a Standardization; got {standardize!r}")


def weighted_standardization(X: Any, kind: str, weight: np.ndarray | None) -> Standardization | None:
    """`fastsvm.fit_standardization` where a sample of weight k counts as k samples do, and one of weight 0 as none."""
    if kind == "none" or weight is None or (weight.min() == weight.max() and weight[0] > 0):
        return fit_standardization(X, kind)
    if kind in ("scale", "max-abs"):
        return fit_standardization(X[weight > 0] if not weight.all() else X, kind)
    n, d = X.shape
    step = max(1, (1 << 17) // d)
    share = weight / weight.sum()

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return ((as_numbers(X[k : k + step]), share[k : k + step]) for k in range(0, n, step))

    mean = sum((part @ x for x, part in blocks()), start=np.zeros(d))
    scale = np.ones(d)
    if kind == "mean+std":
        deviation = np.sqrt(sum((part @ np.square(x - mean) for x, part in blocks()), start=np.zeros(d)))
        scale = np.where(deviation <= 1e-12 * np.abs(mean), 1.0, deviation)
    return Standardization(mean=mean, scale=scale, kind=kind)


def fold(W: np.ndarray, b: np.ndarray | None, standardization: Standardization | None) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and intercepts for samples as given: scores = X coefᵀ + intercept.

    In the dtype of ``W``, or float64 where the standardisation moves samples too far for float32. Without a standardisation
    the coefficients are ``W`` itself.
    """
    dtype = W.dtype
    intercept = np.zeros(len(W)) if b is None else b.astype(np.float64)
    if standardization is None:
        return W, intercept.astype(dtype)
    coef = W / standardization.scale
    if np.abs(standardization.mean / standardization.scale).max() > FAR_FROM_ZERO:
        dtype = np.dtype(np.float64)
    return coef.astype(dtype), (intercept - coef @ standardization.mean).astype(dtype)


def unfold(
    coef: np.ndarray, intercept: np.ndarray, standardization: Standardization | None, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Weights for standardised samples whose scores are those of the coefficients: `fold` the other way round."""
    if standardization is None:
        return coef.astype(dtype, order="C"), intercept.astype(dtype)
    W = coef.astype(np.float64) * standardization.scale
    return np.ascontiguousarray(W, dtype=dtype), (intercept + coef.astype(np.float64) @ standardization.mean).astype(dtype)


def centred(W: np.ndarray, b: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The same classifier with weights that sum to 0 over the classes.

    Losses of score differences do not change, and the penalty is the smallest there is for these differences.
    """
    W = W - W.mean(axis=0, dtype=np.float64).astype(W.dtype)
    return W, None if b is None else b - b.mean(dtype=np.float64).astype(b.dtype)
