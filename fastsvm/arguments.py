"""Arguments of the objective and of prediction, checked and put together as the backends take them."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fastsvm.losses import Loss, WestonWatkins, as_loss
from fastsvm.problem import Problem, Samples
from fastsvm.score_functions import LINEAR, ScoreFunction
from fastsvm.sparse import Rows, is_sparse
from fastsvm.standardization import Standardization
from fastsvm.validation import (
    check_finite,
    check_labels,
    check_real,
    check_sample_weight,
    check_samples,
    check_storage,
)


def prepare_samples(
    X: Any,
    W: np.ndarray,
    standardization: Standardization | None,
    name: str = "X",
    score_function: ScoreFunction = LINEAR,
) -> Samples:
    """Check that ``X`` fits ``W``, and put the standardisation beside it in the dtype of the weights."""
    X = check_samples(name, X)
    dtype = W.dtype
    score_function.check(W, None, n_features=X.shape[1])
    check_storage(X, dtype, name)
    if standardization is None:
        return Samples(X)
    if not isinstance(standardization, Standardization):
        raise TypeError(f"standardization must be a Standardization or None; got {type(standardization).__name__}")
    if standardization.mean.shape != (X.shape[1],):
        raise ValueError(
            f"standardization must have one entry per feature of {name}, {X.shape[1]}; got {len(standardization.mean)}"
        )
    if is_sparse(X):
        standardization.check_sparse("standardization", name)
    return standardized(X, standardization, dtype)


def standardized(X: Rows, standardization: Standardization | None, dtype: npt.DTypeLike = np.float64) -> Samples:
    """Checked samples with their standardisation, if any, in the dtype of the weights."""
    if standardization is None:
        return Samples(X)
    inverse_scale = (1.0 / standardization.scale).astype(dtype)
    return Samples(X, None if is_sparse(X) else standardization.mean.astype(dtype), inverse_scale)


def prepare(
    W: Any,
    X: Any,
    y: Any,
    b: Any = None,
    *,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: Any = None,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    score_function: ScoreFunction = LINEAR,
) -> tuple[np.ndarray, np.ndarray | None, Problem]:
    """Check all arguments of an objective and return ``W``, ``b`` and the problem as the backends take it."""
    W, b = score_function.check(W, b)
    samples = prepare_samples(X, W, standardization, score_function=score_function)
    n = samples.n_rows
    alpha = check_real("alpha", alpha, at_least=0.0)
    problem = Problem(
        samples=samples,
        y=check_labels("y", y, n_samples=n, n_classes=score_function.dimensions(W)[1]),
        sample_weight=check_sample_weight("sample_weight", sample_weight, n_samples=n),
        loss=as_loss(loss),
        alpha=alpha,
        alpha_intercept=alpha if penalize_intercept else 0.0,
    )
    return W, b, problem


def raise_non_finite(what: str, samples: Samples | None, **parameters: np.ndarray | None) -> NoReturn:
    """Say why ``what`` came about, a result that is not finite: by a bad sample, a bad parameter, or overflow."""
    if samples is not None:
        check_finite("X", samples.X)
    for name, array in parameters.items():
        if array is not None:
            check_finite(name, array)
    name, array = next(iter(parameters.items()))
    assert array is not None
    wider = ", or use float64" if array.dtype == np.float32 else ""
    raise OverflowError(
        f"{what}: the scores of these samples and weights, or their penalty, overflow {array.dtype}. "
        f"Scale X or {name} down{wider}"
    )
