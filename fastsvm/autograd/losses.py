"""The objective as the top of a graph: the compiled losses of :mod:`fastsvm.objective`, and the penalty.

    objective = loss(linear(X, W, b), y, WestonWatkins()) + penalty(W, alpha)

A compiled loss is one node, whose gradient on the scores comes with its value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.autograd.node import Node, operation
from fastsvm.losses import CrammerSinger, Loss, Softmax, WestonWatkins, as_loss
from fastsvm.objective import score_loss_and_gradient
from fastsvm.validation import check_real


def loss(
    scores: Node | np.ndarray,
    y: np.ndarray,
    loss: Loss | str = WestonWatkins(),
    sample_weight: np.ndarray | None = None,
    *,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Node:
    """Mean loss of scores, ``(1/Σωᵢ) Σᵢ ωᵢ ℓ(scoresᵢ, yᵢ)``, a node of shape ().

    One compiled pass gives value and gradient together. At a kink the subgradient is 0.

    Parameters
    ----------
    scores : Node or ndarray (n_samples, n_classes), float32 or float64
        Copied first if not C-contiguous.
    y, loss, sample_weight, backend, n_threads
        As in :func:`fastsvm.score_loss_and_gradient`, which also says what is raised.

    Returns
    -------
    Node
        Of the dtype of the scores. Nothing is differentiated on ``sample_weight``.
    """
    loss = as_loss(loss)
    array = np.ascontiguousarray(scores.value) if isinstance(scores, Node) else scores
    value, dscores = score_loss_and_gradient(array, y, loss, sample_weight, backend=backend, n_threads=n_threads)
    return operation(type(loss).__name__, dscores.dtype.type(value), (scores, lambda g: g * dscores))


def weston_watkins(
    scores: Node | np.ndarray,
    y: np.ndarray,
    delta: float = 1.0,
    squared: bool = False,
    *,
    sample_weight: Any = None,
    **options: Any,
) -> Node:
    """`loss` with :class:`fastsvm.WestonWatkins`, ``Σ_{j≠y} max(0, s_j − s_y + Δ)``."""
    return loss(scores, y, WestonWatkins(delta, squared), sample_weight, **options)


def crammer_singer(
    scores: Node | np.ndarray, y: np.ndarray, delta: float = 1.0, *, sample_weight: Any = None, **options: Any
) -> Node:
    """`loss` with :class:`fastsvm.CrammerSinger`, ``max(0, max_{j≠y} s_j − s_y + Δ)``."""
    return loss(scores, y, CrammerSinger(delta), sample_weight, **options)


def softmax_loss(scores: Node | np.ndarray, y: np.ndarray, *, sample_weight: Any = None, **options: Any) -> Node:
    """`loss` with :class:`fastsvm.Softmax`, ``log Σ_j exp(s_j) − s_y``."""
    return loss(scores, y, Softmax(), sample_weight, **options)


def penalty(W: Node, alpha: float) -> Node:
    """``alpha · ½‖W‖²``, a node of shape (); its gradient is ``alpha W``.

    Parameters
    ----------
    W : Node, any shape
    alpha : float >= 0
    """
    alpha = check_real("alpha", alpha, at_least=0.0)
    if not isinstance(W, Node):
        raise TypeError(f"W must be a Node, as fastsvm.autograd.variable makes it; got {type(W).__name__}")
    weights = W.value
    # Rows in the dtype of W, their sum in float64: as good as float64 throughout, without a copy.
    squares = np.vecdot(weights, weights).sum(dtype=np.float64) if weights.ndim else weights * weights
    return operation("penalty", weights.dtype.type(0.5 * alpha * squares), (W, lambda g: g * alpha * weights))
