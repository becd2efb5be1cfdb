"""Scores of samples, and the classes they speak for.

``scores = X Wᵀ + b``, of the samples ``(X − mean) / scale`` where there is a standardisation. A sample is predicted to be of
the class with the largest score, the lower class in a tie. Symbols, the arguments ``backend`` and ``n_threads``, and errors
are those of :mod:`fastsvm.objective`.
"""

from __future__ import annotations

import numpy as np

from fastsvm import backends
from fastsvm.arguments import prepare_samples, raise_non_finite
from fastsvm.score_functions import ScoreFunction, as_score_function
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization
from fastsvm.validation import check_integer

NOT_FINITE = "a score is not finite"


def decision_scores(
    W: np.ndarray,
    X: np.ndarray | CSR,
    b: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
    score_function: ScoreFunction | None = None,
) -> np.ndarray:
    """Return ``X Wᵀ + b``, shape (n_samples, n_classes), in the dtype of ``W``.

    Parameters
    ----------
    W, X, b
        As in the table of :mod:`fastsvm.objective`. Nothing is changed.
    standardization : Standardization, optional
    backend, n_threads
        As in :mod:`fastsvm.objective`.
    score_function : ScoreFunction, optional
        As in :func:`fastsvm.loss_and_gradient`.
    """
    score_function = as_score_function(score_function)
    W, b = score_function.check(W, b)
    samples = prepare_samples(X, W, standardization, score_function=score_function)
    out = np.empty((samples.n_rows, score_function.dimensions(W)[1]), dtype=W.dtype)
    score_function.engine(backends.get(backend)).scores(W, b, samples, out, backends.resolve_threads(n_threads))
    if not np.isfinite(out).all():
        raise_non_finite(NOT_FINITE, samples, W=W, b=b)
    return out


def predict(
    W: np.ndarray,
    X: np.ndarray | CSR,
    b: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
    score_function: ScoreFunction | None = None,
) -> np.ndarray:
    """Return the class of each sample, (n_samples,) int64, in one pass over ``X``. Parameters as in :func:`decision_scores`.

    Examples
    --------
    >>> import numpy as np, fastsvm
    >>> fastsvm.predict(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.2, 0.9], [3.0, 3.0]])).tolist()
    [1, 0]
    """
    return _ranked(W, X, b, 1, False, standardization, backend, n_threads, score_function)[0].reshape(-1)


def top_k(
    W: np.ndarray,
    X: np.ndarray | CSR,
    k: int,
    b: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
    score_function: ScoreFunction | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes with the ``k`` largest scores of each sample, in one pass over ``X``.

    Parameters
    ----------
    k : int in [1, n_classes]
    W, X, b, standardization, backend, n_threads, score_function
        As in :func:`decision_scores`.

    Returns
    -------
    classes : ndarray (n_samples, k), int64
        The largest score's first; of equal scores the lower class's.
    scores : ndarray (n_samples, k), dtype of ``W``

    Examples
    --------
    >>> import numpy as np, fastsvm
    >>> classes, scores = fastsvm.top_k(np.array([[1.0], [3.0], [2.0]]), np.array([[10.0]]), 2)
    >>> classes.tolist(), scores.tolist()
    ([[1, 2]], [[30.0, 20.0]])
    """
    classes, scores = _ranked(W, X, b, k, True, standardization, backend, n_threads, score_function)
    assert scores is not None
    return classes, scores


def _ranked(
    W: np.ndarray,
    X: np.ndarray | CSR,
    b: np.ndarray | None,
    k: int,
    want_scores: bool,
    standardization: Standardization | None,
    backend: str | None,
    n_threads: int | None,
    score_function: ScoreFunction | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    score_function = as_score_function(score_function)
    W, b = score_function.check(W, b)
    samples = prepare_samples(X, W, standardization, score_function=score_function)
    n_classes = score_function.dimensions(W)[1]
    k = check_integer("k", k, at_least=1)
    if k > n_classes:
        raise ValueError(f"k must be at most the number of classes, {n_classes}; got {k}")
    classes = np.empty((samples.n_rows, k), dtype=np.int64)
    scores = np.empty(classes.shape, dtype=W.dtype) if want_scores else None
    engine = score_function.engine(backends.get(backend))
    engine.top_k(W, b, samples, classes, scores, backends.resolve_threads(n_threads))
    if classes[:, 0].min() < 0:
        raise_non_finite(NOT_FINITE, samples, W=W, b=b)
    return classes, scores
