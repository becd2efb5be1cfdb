"""Random search and random local search: the two strategies before the gradient.

The objective is that of :mod:`fastsvm.objective`. Both searches draw standard normal numbers attempt by attempt, so that what
they find depends on the seed and not on how many attempts are scored together. CS231n, "Optimization: stochastic gradient
descent", strategies 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.losses import Loss, WestonWatkins
from fastsvm.search.arguments import prepare_search
from fastsvm.search.judges import judge_local, judge_random
from fastsvm.search.result import Attempt, SearchResult, SearchState
from fastsvm.search.run import make_attempts
from fastsvm.sparse import CSR
from fastsvm.standardization import AUTO, Standardization

__all__ = ["Attempt", "SearchResult", "SearchState", "random_local_search", "random_search"]

Callback = Callable[[Attempt], Any]
Seed = int | np.random.Generator | np.random.SeedSequence | None


def random_search(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    *,
    n_attempts: int = 1000,
    scale: float = 1e-4,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    n_classes: int | None = None,
    fit_intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: npt.ArrayLike | None = None,
    standardize: Standardization | str | None = AUTO,
    dtype: npt.DTypeLike | None = None,
    seed: Seed = 0,
    callbacks: Iterable[Callback] = (),
    resume: SearchResult | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> SearchResult:
    """Draw weights at random and keep the best: ``W = scale · N(0, 1)``.

    Many candidates are scored in one pass over ``X``, while the next are being drawn.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), float64, float32, float16, bfloat16, int8 or uint8, C-contiguous; or CSR
        Samples; may be read-only or memory-mapped. Neither copied nor changed.
    y : (n_samples,) integers
        Class indices.
    n_attempts : int >= 1
        In total, those of ``resume`` included.
    scale : float > 0
        Standard deviation of the weights.
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
    alpha : float >= 0
        Strength of the penalty ``alpha · ½‖W‖²``.
    n_classes : int >= 2, optional
        Default: the largest label + 1, and then no class may be absent.
    fit_intercept : bool
        Draw an intercept too, as a last column of ``W``: the lectures' feature that is always 1.
    penalize_intercept : bool
        Whether ``alpha · ½‖b‖²`` is added to the objective.
    sample_weight : (n_samples,) numbers >= 0, optional
    standardize : {"auto", "mean", "mean+std", "scale", "max-abs", "none"}, Standardization or None
        Applied to the samples as they are read; see :data:`fastsvm.standardization.KINDS`. "auto" is "mean" for dense samples,
        and "none" for CSR.
    dtype : float32 or float64, optional
        Of ``W``, and of the computation. Default: float64 for float64 ``X``, float32 otherwise. The normal numbers are drawn
        in float32 always.
    seed : int >= 0, numpy.random.Generator, SeedSequence or None
        Source of the attempts; ``None`` is unpredictable. A generator is left where the last attempt leaves it. With
        ``resume`` its generator goes on instead.
    callbacks : sequence of callables
        Each is called as ``callback(attempt)``, an :class:`Attempt`, for every attempt in order; several times a second a
        group of attempts has been scored, and its calls follow each other at once. The search ends if one returns ``True``.
        What one raises ends it and is passed on.
    resume : SearchResult, optional
        Go on from its state. The data and the other arguments must be as they were (what a result tells about them is
        checked); its standardisation is kept. The bits are those of a search without the break.
    backend, n_threads
        As in :mod:`fastsvm.objective`. The number of threads never changes a bit of the result.

    Returns
    -------
    SearchResult

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or ``X`` holds NaN or infinity.
    OverflowError
        If the loss of an attempt is not finite though ``X`` is.

    Notes
    -----
    Ctrl-C in the main thread lets the group in progress end and returns what was reached, with ``stop_reason`` "interrupted";
    a second one raises ``KeyboardInterrupt`` as soon as Python has control.

    Examples
    --------
    >>> import numpy as np
    >>> from fastsvm.search import random_search
    >>> result = random_search(np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1]), n_attempts=50, scale=1.0)
    >>> result.predict(np.array([[-3.0], [3.0]])).tolist()
    [0, 1]
    """
    plan, state, rng, record = prepare_search(
        X, y, method="random", n_attempts=n_attempts, scale=scale, step=None, W=None, b=None, loss=loss, alpha=alpha,
        n_classes=n_classes, fit_intercept=fit_intercept, penalize_intercept=penalize_intercept,
        sample_weight=sample_weight, standardize=standardize, dtype=dtype, seed=seed, callbacks=callbacks,
        resume=resume, backend=backend, n_threads=n_threads,
    )  # fmt: skip
    return make_attempts(plan, judge_random, state, rng, record)


def random_local_search(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    *,
    n_attempts: int = 1000,
    step: float = 1e-4,
    scale: float = 1e-3,
    W: np.ndarray | None = None,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    n_classes: int | None = None,
    fit_intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: npt.ArrayLike | None = None,
    standardize: Standardization | str | None = AUTO,
    dtype: npt.DTypeLike | None = None,
    seed: Seed = 0,
    callbacks: Iterable[Callback] = (),
    resume: SearchResult | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> SearchResult:
    """Take a random step wherever that lowers the objective: ``W + step · N(0, 1)``.

    Steps are scored many at a time, in one pass over ``X``, and accepted or rejected one after the other. The accepted steps
    and ``W`` are those, to the last bit, of the algorithm that makes one attempt at a time::

        best = fastsvm.loss_value(W, X, y, b, ...)
        for normals in ...:                                    # (n_classes, n_features + 1), float32
            W_try, b_try = W + step * normals[:, :-1], b + step * normals[:, -1]
            loss = fastsvm.loss_value(W_try, X, y, b_try, ...)
            if loss < best:
                W, b, best = W_try, b_try, loss

    as long as rounding is no worse than :func:`fastsvm.search.judges.uncertainty` estimates from above. (The lectures accept
    the first attempt whatever its loss.)

    Parameters
    ----------
    X, y
        As in :func:`random_search`.
    n_attempts : int >= 1
        In total, those of ``resume`` included; the start is not one of them.
    step : float > 0
        Standard deviation of the steps.
    scale : float > 0
        Standard deviation of the weights drawn to start from.
    W, b : ndarray (n_classes, n_features) and (n_classes,), optional
        Where to start instead; copied. ``b`` without values is 0.
    loss, alpha, n_classes, fit_intercept, penalize_intercept, sample_weight, standardize, dtype, seed, callbacks, resume, \
backend, n_threads
        As in :func:`random_search`; ``n_classes`` and ``dtype`` are by default those of ``W``, if that is given.

    Returns
    -------
    SearchResult

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in :func:`random_search`.

    Notes
    -----
    Ctrl-C as in :func:`random_search`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastsvm.search import random_local_search
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> result = random_local_search(X, y, n_attempts=200, step=0.1)
    >>> result.loss < 0.1 < result.initial_loss
    True
    """
    plan, state, rng, record = prepare_search(
        X, y, method="local", n_attempts=n_attempts, scale=scale, step=step, W=W, b=b, loss=loss, alpha=alpha,
        n_classes=n_classes, fit_intercept=fit_intercept, penalize_intercept=penalize_intercept,
        sample_weight=sample_weight, standardize=standardize, dtype=dtype, seed=seed, callbacks=callbacks,
        resume=resume, backend=backend, n_threads=n_threads,
    )  # fmt: skip
    return make_attempts(plan, judge_local, state, rng, record)
