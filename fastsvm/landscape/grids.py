"""The objective on a grid of points along a line or over a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsvm.landscape.family import as_positions, family
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization


@dataclass(frozen=True, eq=False)
class Line:
    """What :func:`line` returns; all float64 (m,).

    Attributes
    ----------
    a : ndarray
        Positions, in units of the direction.
    loss : ndarray
        The objective there.
    data_loss : ndarray
        The same without the penalty.
    """

    a: np.ndarray
    loss: np.ndarray
    data_loss: np.ndarray


@dataclass(frozen=True, eq=False)
class Plane:
    """What :func:`plane` returns; all float64.

    Attributes
    ----------
    a : ndarray (m,)
        Positions along the first direction.
    b : ndarray (k,)
        Positions along the second.
    loss : ndarray (k, m)
        The objective: ``loss[i, j]`` at ``W + a[j] D₁ + b[i] D₂``, as matplotlib's ``contour(a, b, loss)`` takes it.
    data_loss : ndarray (k, m)
        The same without the penalty.
    """

    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    data_loss: np.ndarray


def line(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    direction: np.ndarray,
    a: npt.ArrayLike,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    *,
    direction_b: np.ndarray | None = None,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Line:
    """Evaluate ``L(W + a D)`` at many ``a``, in one pass over the samples, be it one or many.

    Parameters
    ----------
    W, X, y, b, loss, alpha, sample_weight, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`. Nothing is changed.
    direction : ndarray, shape and dtype of ``W``
        D; see :func:`random_direction`.
    a : (m,) numbers
    direction_b : ndarray (n_classes,), dtype of ``W``, optional
        The direction of the intercept ``b``, which does not move without.

    Returns
    -------
    Line

    Notes
    -----
    Memory: the two score matrices, (2, n_samples, n_classes) in the dtype of ``W``, of at most 256 MiB at a time.
    The weights themselves are not rounded to their dtype at ``W + a D``; the scores there are formed in it.

    Examples
    --------
    One sample x = 1 of class 0 and two classes: max(0, s₁ − s₀ + 1) with s₀ = 0 and s₁ = a.

    >>> import numpy as np
    >>> W, X, y = np.zeros((2, 1)), np.array([[1.0]]), np.array([0])
    >>> found = line(W, X, y, np.array([[0.0], [1.0]]), [-2, -1, 0, 1], alpha=1.0)
    >>> found.data_loss.tolist(), found.loss.tolist()
    ([0.0, 0.0, 1.0, 2.0], [2.0, 0.5, 1.0, 2.5])
    """
    points = family(
        W, X, y, b, (direction, direction_b, "direction"), loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept, backend=backend, n_threads=n_threads,
    )  # fmt: skip
    a = as_positions("a", a)
    coefficients = np.column_stack([np.ones_like(a), a])
    data_loss = points.data_losses(coefficients)
    return Line(a, data_loss + points.penalties(coefficients), data_loss)


def plane(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    direction1: np.ndarray,
    direction2: np.ndarray,
    a1: npt.ArrayLike,
    a2: npt.ArrayLike,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    *,
    direction1_b: np.ndarray | None = None,
    direction2_b: np.ndarray | None = None,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Plane:
    """Evaluate ``L(W + a D₁ + b D₂)`` on a grid, in one pass over the samples, be it one or many.

    Parameters
    ----------
    W, X, y, b, loss, alpha, sample_weight, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`; ``b`` is the intercept. Nothing is changed.
    direction1, direction2 : ndarray, shape and dtype of ``W``
    a1 : (m,) numbers
        Positions along ``direction1``, which become `Plane.a`.
    a2 : (k,) numbers
        Positions along ``direction2``, which become `Plane.b`.
    direction1_b, direction2_b : ndarray (n_classes,), dtype of ``W``, optional
        The directions of the intercept, which does not move without.

    Returns
    -------
    Plane

    Notes
    -----
    Memory: the three score matrices, (3, n_samples, n_classes) in the dtype of ``W``, of at most 256 MiB at a time, and 40
    bytes for a point of the grid. The scores at each point are formed in that dtype.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.zeros((2, 1)), np.array([[1.0]]), np.array([0])
    >>> found = plane(W, X, y, np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]]), [0, 1, 2], [0, 1])
    >>> found.loss.tolist()
    [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0]]
    """
    points = family(
        W, X, y, b, (direction1, direction1_b, "direction1"), (direction2, direction2_b, "direction2"), loss=loss, alpha=alpha,
        sample_weight=sample_weight, standardization=standardization, penalize_intercept=penalize_intercept,
        backend=backend, n_threads=n_threads,
    )  # fmt: skip
    a1, a2 = as_positions("a1", a1), as_positions("a2", a2)
    shape = len(a2), len(a1)
    coefficients = np.column_stack([np.ones(len(a1) * len(a2)), np.tile(a1, len(a2)), np.repeat(a2, len(a1))])
    data_loss = points.data_losses(coefficients)
    loss_there = data_loss + points.penalties(coefficients)
    return Plane(a1, a2, loss_there.reshape(shape), data_loss.reshape(shape))
