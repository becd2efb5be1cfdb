"""One gradient, one step, many step sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.landscape.family import as_positions, family
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.objective import loss_and_gradient
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization

#: 10⁻¹⁰ … 10⁻¹, those of the lecture.
STEP_SIZES = tuple(10.0**k for k in range(-10, 0))


@dataclass(frozen=True, eq=False)
class Sweep:
    """What :func:`step_sizes` returns.

    Attributes
    ----------
    step_sizes : ndarray (m,), float64
    losses : ndarray (m,), float64
        The objective after one step of each size.
    data_losses : ndarray (m,), float64
        The same without the penalty.
    initial_loss : float
        The objective before.
    gradient_norm : float
        Length of the gradient on the weights and the intercept together.
    """

    step_sizes: np.ndarray
    losses: np.ndarray
    data_losses: np.ndarray
    initial_loss: float
    gradient_norm: float

    @property
    def best(self) -> int:
        """Index of the lowest loss, the first of them in a tie."""
        return int(self.losses.argmin())


def step_sizes(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    *,
    step_sizes: npt.ArrayLike = STEP_SIZES,
    gradient: np.ndarray | None = None,
    gradient_b: np.ndarray | None = None,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Sweep:
    """Evaluate ``L(W − η g)`` for many step sizes η and one gradient g, from the scores of ``W`` and of ``g``.

    Parameters
    ----------
    W, X, y, b, loss, alpha, sample_weight, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`. Nothing is changed.
    step_sizes : (m,) numbers, default 1e-10, 1e-9, … 0.1
    gradient : ndarray, shape and dtype of ``W``, optional
        Default: the gradient of the objective. Any other is taken as it is, such as that of a batch.
    gradient_b : ndarray, shape and dtype of ``b``, optional
        The part of a given ``gradient`` that belongs to ``b``, which does not move without.

    Returns
    -------
    Sweep

    Notes
    -----
    Memory as of :func:`line`. With float64 weights all is computed in float64.

    References
    ----------
    CS231n, "Optimization": effect of the step size.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.zeros((2, 1)), np.array([[1.0]]), np.array([0])      # loss 1, gradient (−1, 1): 1 − 2η, until it is 0
    >>> found = step_sizes(W, X, y, step_sizes=[0.125, 0.25, 1.0])
    >>> found.initial_loss, found.losses.tolist(), found.best
    (1.0, [0.75, 0.5, 0.0], 2)
    """
    if b is not None and not isinstance(b, np.ndarray):
        raise TypeError(
            f"b is the intercept, a NumPy array or None; got {type(b).__name__}. Step sizes go by name, step_sizes="
        )
    objective: dict[str, Any] = {
        "loss": loss, "alpha": alpha, "sample_weight": sample_weight,
        "standardization": standardization, "penalize_intercept": penalize_intercept,
    }  # fmt: skip
    if gradient is None:
        if gradient_b is not None:
            raise ValueError("gradient_b must be None without gradient, which is then computed with its part for b")
        _, gradient, gradient_b = loss_and_gradient(W, X, y, b, **objective, backend=backend, n_threads=n_threads)
    points = family(W, X, y, b, (gradient, gradient_b, "gradient"), **objective, backend=backend, n_threads=n_threads)
    sizes = as_positions("step_sizes", step_sizes)
    coefficients = np.column_stack([np.ones(1 + len(sizes)), np.concatenate([[0.0], -sizes])])
    data_losses = points.data_losses(coefficients)
    losses = data_losses + points.penalties(coefficients)
    squares = np.square(points.Ws[1], dtype=np.float64).sum()
    if points.bs is not None:
        squares += np.square(points.bs[1], dtype=np.float64).sum()
    return Sweep(sizes, losses[1:], data_losses[1:], float(losses[0]), float(np.sqrt(squares)))
