"""Losses at many combinations of a few weights, which cost no product: scores are linear in the weights.

    scores(W₀ + a W₁ + b W₂) = scores(W₀) + a scores(W₁) + b scores(W₂)

So a loss landscape, a sweep over step sizes or a line search takes the scores of a few matrices of weights, one pass over the
samples for all of them, and then elementwise work only. The penalty is a quadratic form in the coefficients
and the caller's business.

Symbols, ``backend``, ``n_threads`` and what is raised are as in :mod:`fastsvm.objective`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastsvm import backends
from fastsvm.arguments import prepare_samples, raise_non_finite
from fastsvm.losses import Loss, WestonWatkins, as_loss
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization
from fastsvm.validation import (
    WEIGHT_DTYPES,
    as_array,
    check_array,
    check_candidates,
    check_finite,
    check_labels,
    check_sample_weight,
    check_samples,
    describe,
)


def candidate_scores(
    X: np.ndarray | CSR,
    Ws: np.ndarray,
    bs: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    out: np.ndarray | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> np.ndarray:
    """Return the scores of each of several matrices of weights.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), or CSR
    Ws : ndarray (n_candidates, n_classes, n_features), float32 or float64, C-contiguous
    bs : ndarray (n_candidates, n_classes), dtype of ``Ws``, optional
    standardization, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`.
    out : ndarray (n_candidates, n_samples, n_classes), dtype of ``Ws``, C-contiguous, optional
        Where the scores go; they are then not searched for what is not finite, which spreads to the losses.

    Returns
    -------
    scores : ndarray (n_candidates, n_samples, n_classes), dtype of ``Ws``
        Each row up to a number common to its classes, to which the losses do not listen: where samples are bytes, differences
        of classes are what is computed. :func:`fastsvm.decision_scores` has the scores of one W themselves.

    Examples
    --------
    >>> import numpy as np
    >>> scores = candidate_scores(np.array([[2.0]]), np.array([[[0.0], [1.0]], [[3.0], [0.0]]]))
    >>> (scores[:, 0, 1] - scores[:, 0, 0]).tolist()
    [2.0, -6.0]
    """
    X = check_samples("X", X)
    Ws, bs = check_candidates(Ws, bs, X.shape[1])
    samples = prepare_samples(X, Ws[0], standardization)
    shape, given = (len(Ws), X.shape[0], Ws.shape[1]), out is not None
    out = check_array("out", out, dtypes=(Ws.dtype.name,), shape=shape, writeable=True) if given else np.empty(shape, Ws.dtype)
    backends.get(backend).candidate_scores(Ws, bs, samples, out, backends.resolve_threads(n_threads))
    if given:
        return out
    with np.errstate(invalid="ignore", over="ignore"):
        total = out.sum(dtype=np.float64)  # finite numbers may overflow it, but others never make it finite
    if not np.isfinite(total) and not np.isfinite(out).all():
        raise_non_finite("a score is not finite", samples, Ws=Ws, bs=bs)
    return out


def combination_losses(
    scores: np.ndarray,
    coefficients: npt.ArrayLike,
    y: np.ndarray,
    loss: Loss | str = WestonWatkins(),
    sample_weight: npt.ArrayLike | None = None,
    *,
    base: np.ndarray | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> np.ndarray:
    """Return the mean loss, without a penalty, at combinations of given scores.

    Parameters
    ----------
    scores : ndarray (k, n_samples, n_classes), float32 or float64, C-contiguous
        As of :func:`candidate_scores`. The combinations are formed in this dtype.
    coefficients : (n_points, k) numbers
        Point p is at the scores ``Σ_k coefficients[p, k] scores[k]``.
    y, loss, sample_weight, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`.
    base : ndarray (n_samples, n_classes), dtype of ``scores``, C-contiguous, optional
        Scores that are added to every combination.

    Returns
    -------
    losses : ndarray (n_points,), float64

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[[0.0, 0.0]], [[0.0, 1.0]]])
    >>> combination_losses(scores, [[1, 0], [1, 0.5], [1, -2]], np.array([0])).tolist()
    [1.0, 1.5, 0.0]
    """
    scores = check_array("scores", scores, dtypes=WEIGHT_DTYPES, ndim=3)
    k, n, n_classes = scores.shape
    if k == 0 or n == 0 or n_classes < 2:
        raise ValueError(f"scores must have shape (at least 1, at least 1, at least 2); got {scores.shape}")
    table = as_array("coefficients", coefficients, f"have two dimensions, rows of {k} numbers")
    if table.dtype.kind not in "fiu" or table.ndim != 2 or table.shape[1] != k or len(table) == 0:
        raise ValueError(f"coefficients must be numbers of shape (at least 1, {k}); got {describe(table)}")
    table = np.ascontiguousarray(table, np.float64)
    check_finite("coefficients", table)
    if base is not None:
        base = check_array("base", base, dtypes=(scores.dtype.name,), shape=(n, n_classes))
    y = check_labels("y", y, n_samples=n, n_classes=n_classes)
    sample_weight = check_sample_weight("sample_weight", sample_weight, n_samples=n)
    loss = as_loss(loss)
    out = np.empty(len(table))
    threads = backends.resolve_threads(n_threads)
    backends.get(backend, loss).combination_losses(scores, table, base, y, loss, sample_weight, out, threads)
    finite = np.isfinite(out)
    if not finite.all():
        check_finite("scores", scores)
        if base is not None:
            check_finite("base", base)
        first = int(finite.argmin())
        raise OverflowError(f"the loss at point {first} is {out[first]}: scores times coefficients overflow {scores.dtype}")
    return out
