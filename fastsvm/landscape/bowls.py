"""The loss of a few one-dimensional samples as a function of a single weight: a sum of terms that are bent once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastsvm.landscape.family import as_positions
from fastsvm.validation import check_integer, check_labels, check_real


@dataclass(frozen=True, eq=False)
class Bowl:
    """What :func:`bowl` returns.

    Attributes
    ----------
    w : ndarray (m,), float64
        Values of the weight that varies.
    terms : list of (str, ndarray (m,))
        ``max(0, w_j x_i − w_y x_i + Δ)`` of each sample i and each class j but its own, in this order, and its name. Those
        without the weight that varies are constant.
    losses : ndarray (n_samples, m), float64
        Sum of each sample's terms, ``L_i``.
    total : ndarray (m,), float64
        Mean of the samples' losses, ``L``.
    varies : int or None
        The class whose weight varies; ``None`` where it is not known.
    """

    w: np.ndarray
    terms: list[tuple[str, np.ndarray]]
    losses: np.ndarray
    total: np.ndarray
    varies: int | None = None


def bowl(
    w: npt.ArrayLike,
    *,
    x: npt.ArrayLike = (1.0, 0.5, 0.25),
    y: npt.ArrayLike = (0, 1, 2),
    weights: npt.ArrayLike = (0.0, 0.5, -0.5),
    varies: int = 0,
    delta: float = 1.0,
) -> Bowl:
    """Take the Weston-Watkins loss of one-dimensional samples apart, as one class's weight varies.

    Parameters
    ----------
    w : (m,) numbers
        Values of the weight that varies.
    x : (n_samples,) numbers, default three samples
        One feature, no intercept.
    y : (n_samples,) integers
        Class indices in [0, n_classes).
    weights : (n_classes,) numbers, n_classes >= 2
        A weight per class. That of the class that varies is replaced by ``w``.
    varies : int in [0, n_classes)
        The class whose weight varies.
    delta : float > 0
        The margin Δ.

    Returns
    -------
    Bowl

    References
    ----------
    CS231n, "Optimization": the loss of three samples and three classes in one dimension, convex and piecewise linear.

    Examples
    --------
    Terms of the sample 1 of class 0, as w₀ grows: max(0, 0.5 − w₀ + 1) and max(0, −0.5 − w₀ + 1).

    >>> found = bowl([0, 1, 2])
    >>> [(name, values.tolist()) for name, values in found.terms[:2]]
    [('max(0, w1 x0 − w0 x0 + 1)', [1.5, 0.5, 0.0]), ('max(0, w2 x0 − w0 x0 + 1)', [0.5, 0.0, 0.0])]
    >>> found.losses[0].tolist()
    [2.0, 0.5, 0.0]
    """
    values, x, weights = as_positions("w", w), as_positions("x", x), as_positions("weights", weights)
    n_classes = len(weights)
    if n_classes < 2:
        raise ValueError(f"weights must have at least 2 numbers, one per class; got {n_classes}")
    y = check_labels("y", y, n_samples=len(x), n_classes=n_classes)
    varies = check_integer("varies", varies, at_least=0, at_most=n_classes - 1)
    delta = check_real("delta", delta, above=0.0)
    table = np.repeat(weights[:, None], len(values), axis=1)
    table[varies] = values
    terms, losses = [], np.zeros((len(x), len(values)))
    for i, (feature, own) in enumerate(zip(x, y, strict=True)):
        for j in range(n_classes):
            if j != own:
                term = np.maximum(0.0, (table[j] - table[own]) * feature + delta)
                terms.append((f"max(0, w{j} x{i} − w{own} x{i} + {delta:g})", term))
                losses[i] += term
    return Bowl(values, terms, losses, losses.mean(axis=0), varies)
