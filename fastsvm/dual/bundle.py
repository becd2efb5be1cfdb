"""A lower bound from the last few steps of a descent, at next to no cost.

The smoothed data loss is convex: at each point ``W_k`` it has a tangent ``e_k − ⟨G_k, W⟩`` below it. No weights have a smoothed
objective below the least of the largest tangent plus the penalty, which is

    max over θ ≥ 0, Σ θ ≤ 1  of  Σ_k θ_k e_k − ‖Σ_k θ_k G_k‖² / (2 alpha)

(T. Joachims, "Training linear SVMs in linear time", 2006; C. H. Teo et al., "Bundle methods for regularized risk minimization",
JMLR 2010). Seen from the dual, θ mixes the dual variables of these points, whose boxes are convex.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Points that are kept, and bytes of them at most.
POINTS = 24
BYTES = 1 << 24


class Bundle:
    """The last points and their tangents, kept in ``dtype``. ``scale`` is ``1 / sqrt(alpha)`` of each column of the weights."""

    def __init__(self, scale: np.ndarray, dtype: npt.DTypeLike = np.float64) -> None:
        self.scale, self.dtype = scale, np.dtype(dtype)
        self.points: list[np.ndarray] = []
        self._G: list[np.ndarray] = []
        self._heights: list[float] = []
        self._products = np.zeros((0, 0))

    def add(self, W: np.ndarray, data_loss: float, G: np.ndarray) -> None:
        """Take in a point, and let the oldest go."""
        room = max(2, min(POINTS, BYTES // (W.size * self.dtype.itemsize)))
        scaled = (G * self.scale).ravel()
        if len(self.points) == room:
            for kept in (self.points, self._G, self._heights):
                kept.pop(0)
            self._products = self._products[1:, 1:]
        row = np.array([scaled @ other for other in (*self._G, scaled)])
        self.points.append(W.astype(self.dtype))
        self._G.append(scaled.astype(self.dtype))
        self._heights.append(data_loss + float(np.vdot(G, W)))
        grown = np.empty((len(row), len(row)))
        grown[:-1, :-1], grown[-1], grown[:, -1] = self._products, row, row
        self._products = grown

    def bound(self) -> tuple[float, np.ndarray]:
        """The bound, and θ."""
        return largest(np.array(self._heights), self._products)


def largest(c: np.ndarray, H: np.ndarray, top: float = 1.0) -> tuple[float, np.ndarray]:
    """The largest ``c θ − ½ θᵀ H θ`` over ``θ ≥ 0``, ``Σ θ ≤ top``, and where; H is positive semidefinite.

    ``top`` is 1 or, for a single θ, infinite. By P. Wolfe's method ("Finding the nearest point in a polytope", 1976): one θ
    after the other is let in, and all that are in are set to their best, the sum kept; some leave where they would be negative.
    """
    diagonal = np.diag(H)
    lone = np.clip(np.divide(c, diagonal, out=np.where(c > 0, 1.0, 0.0), where=diagonal > 0), 0, top)
    values = c * lone - 0.5 * diagonal * lone**2
    first = int(values.argmax())
    if len(c) == 1 or not values[first] > 0:
        return float(values[first]), np.where(np.arange(len(c)) == first, lone, 0.0)
    # Zeros, a point like any other, take what the others leave of the sum.
    c, H = np.append(c, 0.0), np.pad(H, ((0, 1), (0, 1)))
    theta = np.zeros(len(c))
    theta[first], theta[-1] = lone[first], 1 - lone[first]
    best, kept = float(values[first]), theta
    for _ in range(4 * len(c)):
        gain = c - H @ theta
        entering = int(gain.argmax())
        if gain[entering] - gain @ theta <= 1e-7 * best:
            break
        theta = _settle(c, H, theta, entering)
        value = float(c @ theta - 0.5 * (theta @ H @ theta))
        if not value > best:
            break
        best, kept = value, theta
    return best, kept[:-1]


def _settle(c: np.ndarray, H: np.ndarray, theta: np.ndarray, entering: int) -> np.ndarray:
    """The best θ with the sum of ``theta`` and not more positive entries than it has, but for the one that enters."""
    inside = theta > 0
    inside[entering] = True
    while inside.any():
        (at,) = np.nonzero(inside)
        n = len(at)
        equations = np.ones((n + 1, n + 1))
        equations[:n, :n] = H[np.ix_(at, at)] + np.eye(n) * (1e-12 * H.trace() / len(H))
        equations[n, n] = 0
        wanted = np.zeros(len(c))
        wanted[at] = np.linalg.lstsq(equations, np.append(c[at], 1.0), rcond=None)[0][:n]
        if (wanted[at] > 0).all():
            return wanted / wanted.sum()
        falling = inside & (wanted <= 0)
        t = np.min(theta[falling] / (theta[falling] - wanted[falling]), initial=1.0, where=theta[falling] > wanted[falling])
        theta = np.maximum(0, theta + t * (wanted - theta))
        inside &= (theta > 1e-14) | ((wanted > 0) & (theta > 0))
    return theta
