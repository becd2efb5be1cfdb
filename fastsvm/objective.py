"""The objective and its derivatives, on NumPy arrays.

    L(W, b) = (1 / Σωᵢ) Σᵢ ωᵢ ℓ(scoresᵢ, yᵢ) + alpha · ½‖W‖²,      scores = X Wᵀ + b

=============  ========================  ===============================================================
symbol         shape                     meaning
=============  ========================  ===============================================================
``X``          (n_samples, n_features)   samples: float64, float32, float16, bfloat16, int8 or uint8; C-contiguous, may be
                                         read-only or memory-mapped. Or CSR: see below
``y``          (n_samples,)              class indices in [0, n_classes), any integer dtype
``W``          (n_classes, n_features)   weights, float32 or float64; the computation runs in this dtype
``b``          (n_classes,)              intercept, dtype of ``W``, or ``None``; penalised only on request
``ω``          (n_samples,)              ``sample_weight``, default 1
``alpha``                                strength of the penalty
=============  ========================  ===============================================================

Sparse samples are a ``csr_array`` or ``csr_matrix`` of scipy.sparse, of float32 or float64. The indices, int32 or int64, are
sorted in each row and none comes twice (``X.sum_duplicates()``). They are neither copied nor ever made dense.

bfloat16 is ``ml_dtypes.bfloat16``, or uint16 that holds the bit patterns. Integers in uint16 must be converted,
``X.astype(numpy.float32)``; :mod:`fastsvm.storage` says which are found out.

The CS231n assignment's ``reg`` is ``alpha / 2``, LIBLINEAR's ``C`` is ``1 / (alpha · n_samples)``, and ``alpha`` is that of
scikit-learn's ``SGDClassifier``. With a standardisation, the samples are ``(X − mean) / scale`` wherever ``X`` stands above;
the kernels apply it as they read. At a kink the subgradient is 0.

Every function below takes these keyword arguments:

``backend`` : {"auto", "native", "numba", "reference"} or None
    ``None`` asks :func:`fastsvm.set_backend`, then the environment variable ``FASTSVM_BACKEND``.
``n_threads`` : int or None
    ``None`` asks ``FASTSVM_NUM_THREADS``, ``OMP_NUM_THREADS``, then the cores available; −1 is all of them, −2 all but
    one. It never changes a bit of the result.

and raises ``TypeError`` or ``ValueError`` naming the argument that does not fit, and ``OverflowError`` where finite
arguments give scores, a loss or a gradient that are not finite. Memory beyond the outputs is a few MiB: ``X`` is read in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm import backends
from fastsvm.arguments import prepare, raise_non_finite
from fastsvm.losses import Loss, WestonWatkins, as_loss
from fastsvm.score_functions import ScoreFunction, as_score_function
from fastsvm.sparse import CSR, describe_samples, is_sparse
from fastsvm.standardization import Standardization
from fastsvm.validation import (
    WEIGHT_DTYPES,
    check_array,
    check_candidates,
    check_finite,
    check_labels,
    check_sample_weight,
    check_samples,
)


def loss_and_gradient(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
    score_function: ScoreFunction | None = None,
) -> tuple[float, np.ndarray, np.ndarray | None]:
    """Return the objective and its gradient on ``W`` and ``b``, in one pass over ``X``.

    Parameters
    ----------
    W, X, y, b, sample_weight, alpha
        As in the table of :mod:`fastsvm.objective`. Nothing is changed.
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
    standardization : Standardization, optional
    penalize_intercept : bool, default False
        Add ``alpha · ½‖b‖²``.
    backend, n_threads
        As in :mod:`fastsvm.objective`.
    score_function : ScoreFunction, optional
        How scores come from samples and weights, if not linearly: a ``fastsvm.TwoLayer`` with all its numbers, which says
        what shapes ``W`` and ``b`` have then.

    Returns
    -------
    loss : float
    dW : ndarray, shape and dtype of ``W``
    db : ndarray, shape and dtype of ``b``, or ``None`` where ``b`` is

    Examples
    --------
    >>> import numpy as np, fastsvm
    >>> W = np.array([[0.0], [1.0], [2.0]])
    >>> loss, dW, db = fastsvm.loss_and_gradient(W, np.array([[1.0]]), np.array([0]))
    >>> loss, dW.ravel().tolist(), db
    (5.0, [-2.0, 1.0, 1.0], None)
    """
    score_function = as_score_function(score_function)
    W, b, problem = prepare(
        W, X, y, b,
        loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept, score_function=score_function,
    )  # fmt: skip
    dW = np.empty_like(W)
    db = None if b is None else np.empty_like(b)
    engine = score_function.engine(backends.get(backend, problem.loss))
    value = engine.gradient(W, b, problem, dW, db, backends.resolve_threads(n_threads))
    if not np.isfinite(value):
        raise_non_finite(f"the loss is {value}", problem.samples, W=W, b=b)
    if not np.isfinite(dW).all():
        raise_non_finite("the gradient on W is not finite", problem.samples, W=W, b=b)
    return value, dW, db


def evaluate(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
    score_function: ScoreFunction | None = None,
) -> tuple[float, float]:
    """Return the objective and the accuracy, in one pass over ``X``. Parameters as in :func:`loss_and_gradient`.

    Returns
    -------
    loss : float
    accuracy : float
        Share of the samples (unweighted) whose largest score, the first of them in a tie, is their class's.
    """
    score_function = as_score_function(score_function)
    W, b, problem = prepare(
        W, X, y, b,
        loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept, score_function=score_function,
    )  # fmt: skip
    engine = score_function.engine(backends.get(backend, problem.loss))
    value, correct = engine.evaluate(W, b, problem, backends.resolve_threads(n_threads))
    if not np.isfinite(value):
        raise_non_finite(f"the loss is {value}", problem.samples, W=W, b=b)
    return value, correct / len(problem.y)


def loss_value(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    **options: Any,
) -> float:
    """Return the objective alone. Parameters as in :func:`loss_and_gradient`."""
    return evaluate(W, X, y, b, loss, alpha, sample_weight, **options)[0]


def losses(
    X: np.ndarray | CSR,
    y: np.ndarray,
    Ws: np.ndarray,
    bs: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> np.ndarray:
    """Return the objective of each of many candidates for the weights; ``fastsvm.loss_values`` is the same function.

    Parameters as in :func:`loss_and_gradient`, and

    Parameters
    ----------
    Ws : ndarray (n_candidates, n_classes, n_features), float32 or float64, C-contiguous
    bs : ndarray (n_candidates, n_classes), dtype of ``Ws``, optional

    Returns
    -------
    losses : ndarray (n_candidates,), float64

    Examples
    --------
    >>> import numpy as np, fastsvm
    >>> Ws = np.array([[[0.0], [0.0]], [[2.0], [0.0]], [[0.0], [2.0]]])
    >>> fastsvm.loss_values(np.array([[1.0]]), np.array([0]), Ws).tolist()
    [1.0, 0.0, 3.0]
    """
    X = check_samples("X", X)
    Ws, bs = check_candidates(Ws, bs, X.shape[1])
    _, _, problem = prepare(
        Ws[0], X, y,
        loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept,
    )  # fmt: skip
    out = np.empty(len(Ws))
    backends.get(backend, problem.loss).losses(Ws, bs, problem, out, backends.resolve_threads(n_threads))
    finite = np.isfinite(out)
    if not finite.all():
        first = int(finite.argmin())
        raise_non_finite(f"the loss of candidate {first} is {out[first]}", problem.samples, Ws=Ws, bs=bs)
    return out


def data_gradient(
    W: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
    *,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> tuple[float, np.ndarray]:
    """Return the objective and its gradient on the samples. Parameters as in :func:`loss_and_gradient`.

    Returns
    -------
    loss : float
    dX : ndarray (n_samples, n_features), dtype of ``W``
        Gradient on ``X`` as given, through the standardisation if there is one.
    """
    if is_sparse(X):
        raise TypeError(f"X must be dense for data_gradient: the gradient on samples is dense; got {describe_samples(X)}")
    W, b, problem = prepare(
        W, X, y, b,
        loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept,
    )  # fmt: skip
    dX = np.empty(problem.samples.X.shape, dtype=W.dtype)
    value = backends.get(backend, problem.loss).data_gradient(W, b, problem, dX, backends.resolve_threads(n_threads))
    if not np.isfinite(value):
        raise_non_finite(f"the loss is {value}", problem.samples, W=W, b=b)
    return value, dX


def score_loss_and_gradient(
    scores: np.ndarray,
    y: np.ndarray,
    loss: Loss | str = WestonWatkins(),
    sample_weight: np.ndarray | None = None,
    *,
    backend: str | None = None,
    n_threads: int | None = None,
) -> tuple[float, np.ndarray]:
    """Return the mean loss of given scores and its gradient on them: the top of any score function's backward pass.

    Parameters
    ----------
    scores : ndarray (n_samples, n_classes), float32 or float64, C-contiguous
    y, loss, sample_weight, backend, n_threads
        As in :func:`loss_and_gradient`.

    Returns
    -------
    loss : float
    dscores : ndarray, shape and dtype of ``scores``
    """
    scores = check_array("scores", scores, dtypes=WEIGHT_DTYPES, ndim=2)
    n, n_classes = scores.shape
    if n == 0 or n_classes < 2:
        raise ValueError(f"scores must have at least 1 row and 2 columns; got shape {scores.shape}")
    y = check_labels("y", y, n_samples=n, n_classes=n_classes)
    sample_weight = check_sample_weight("sample_weight", sample_weight, n_samples=n)
    dscores = np.empty_like(scores)
    threads = backends.resolve_threads(n_threads)
    loss = as_loss(loss)
    value = backends.get(backend, loss).score_loss(scores, y, loss, sample_weight, dscores, threads)
    if not np.isfinite(value):
        check_finite("scores", scores)
        raise OverflowError(f"the loss is {value}: these scores overflow {scores.dtype}")
    return value, dscores
