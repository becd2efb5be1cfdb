"""The arguments of :func:`fastsvm.dual.solve`, checked before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.dual.result import DualResult
from fastsvm.losses import CrammerSinger, Loss, Softmax, WestonWatkins, as_loss
from fastsvm.training.arguments import check_dtype, check_same_standardize
from fastsvm.validation import check_real

METHODS = ("auto", "blocks", "smoothing")


def check_solvable(loss: Loss | str) -> WestonWatkins | CrammerSinger:
    """A loss whose dual the block step solves."""
    loss = as_loss(loss)
    if not isinstance(loss, (WestonWatkins, CrammerSinger)):
        hint = (
            "; fastsvm.train minimises it" if not isinstance(loss, Softmax) else "; SVMClassifier(solver='lbfgs') minimises it"
        )
        raise ValueError(
            f"loss must be WestonWatkins(…) or CrammerSinger(…), whose dual is solved by blocks; got {loss!r}{hint}"
        )
    return loss


def check_intercept_scaling(value: Any) -> float | None:
    """The constant feature, or ``None`` for no intercept."""
    return None if value is None else check_real("intercept_scaling", value, above=0.0)


def weights_dtype(dtype: Any, X: Any, start: DualResult | None) -> np.dtype:
    """That of the weights and the dual variables."""
    if start is not None:
        wanted = start.a.dtype if dtype is None else check_dtype(dtype)
        if wanted != start.a.dtype:
            raise ValueError(f"dtype must be that of start, {start.a.dtype}; got {wanted}")
        return wanted
    return check_dtype(dtype) if dtype is not None else np.dtype(np.float64 if X.dtype == np.float64 else np.float32)


def check_start(start: Any, loss: Loss, standardize: Any, given: dict[str, Any]) -> DualResult | None:
    """The result to begin with, if it is of the same samples, classes and loss as far as it can tell; only alpha may differ."""
    if start is None:
        return None
    if not isinstance(start, DualResult):
        raise TypeError(f"start must be a DualResult or None; got {type(start).__name__}")
    check_same_standardize(standardize, start.standardization, "result")
    had = {
        "n_samples": len(start.a),
        "n_classes": start.a.shape[1],
        "n_features": start.W.shape[1],
        "loss": start.loss,
        "intercept_scaling": start.intercept_scaling,
    }
    for name, value in had.items():
        if given[name] != value:
            raise ValueError(f"{name} must be that of start, {value!r}; got {given[name]!r}")
    return start


def initial_variables(start: DualResult | None, y: np.ndarray, n_classes: int, dtype: np.dtype) -> np.ndarray:
    """The dual variables to begin with: zeros, or those of ``start``, within bounds for these labels."""
    if start is None:
        return np.zeros((len(y), n_classes), dtype)
    a = start.a.copy()
    if a[np.arange(len(y)), y].any():
        raise ValueError("y must be the labels that start was solved for")
    return a
