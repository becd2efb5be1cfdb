"""Dual variables where the intercept is not penalised: of each class, as much must come in as goes out.

``b`` then adds ``Σ_c b_c r_c`` to the dual, ``r_c = Σ_i ω_i d_ic`` with ``d_ij = a_ij`` and ``d_iy = −Σ_j a_ij``: a value of it
bounds the objective for every ``b`` only where all ``r_c`` are 0. With flows ``M[c, j] = Σ_{y_i = c} ω_i a_ij`` that is: the
sum of row c is that of column c. `fit` finds intercepts at which the smoothed weights have ``r = 0`` but for the stopping of an
iteration; `balance` removes what is left, and more where need be, by factors of the flows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastsvm.dual.conjugates import is_smooth, suggested, worth
from fastsvm.losses import CrammerSinger, Loss, Softmax

#: Scores taken at a time.
BLOCK = 1 << 18

#: Newton steps at most, and the share of the flow that may be left over before `balance`.
STEPS = 50
LEFT = 1e-10


def blocks(scores: np.ndarray) -> list[slice]:
    """Rows of scores, so many at a time that temporary arrays are small."""
    rows = max(1, BLOCK // scores.shape[1])
    return [slice(start, start + rows) for start in range(0, len(scores), rows)]


def by_class(a: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """``Σ_{y_i = c} ω_i a_ij`` (n_classes, n_classes)."""
    from scipy.sparse import csr_array

    n, n_classes = a.shape
    ones = np.ones(n) if weight is None else weight
    return csr_array((ones, (y, np.arange(n))), shape=(n_classes, n)) @ a


class _Fit:
    """The smoothed mean loss as a function of ``b``."""

    def __init__(self, scores: np.ndarray, y: np.ndarray, weight: np.ndarray | None, loss: Loss, width: float) -> None:
        self.scores, self.y, self.weight, self.loss, self.width = scores, y, weight, loss, width

    def __call__(self, b: np.ndarray, curvature: bool) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Value, gradient, curvature, and flow out of and into the classes (all over n_samples)."""
        n, n_classes = self.scores.shape
        value, flows, H = 0.0, np.zeros((n_classes, n_classes)), np.zeros((n_classes, n_classes))
        for rows in blocks(self.scores):
            s, y = self.scores[rows] + b, self.y[rows]
            weight = np.ones(len(y)) if self.weight is None else self.weight[rows]
            a = suggested(s, y, self.loss, self.width)
            z = s - s[np.arange(len(y)), y][:, None]
            terms = worth(a, self.loss) + np.einsum("ij,ij->i", a, z)
            if not is_smooth(self.loss):
                terms -= 0.5 * self.width * np.einsum("ij,ij->i", a, a)
            value += float(weight @ terms)
            flows += by_class(a, y, weight)
            if curvature:
                H += self._curvature(a, z, y, weight)
        return value / n, (flows.sum(axis=0) - flows.sum(axis=1)) / n, H / n, flows.sum() / n

    def _curvature(self, a: np.ndarray, z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """``Σ_i ω_i E_iᵀ J_i E_i`` with J the derivative of the dual variables by ``z``, and ``E z = z_j − z_y``."""
        if isinstance(self.loss, Softmax):
            p = a.copy()
            p[np.arange(len(y)), y] = 1 - a.sum(axis=1)
            return np.diag(weight @ p) - (p * weight[:, None]).T @ p
        if isinstance(self.loss, CrammerSinger):
            inside = (a > 0).astype(np.float64)
            capped = a.sum(axis=1) > 1 - 1e-12  # the own class's share is then 1, whatever the scores
            shared = inside[capped]
            H = self._pairs(inside[~capped], y[~capped], weight[~capped]) + np.diag(weight[capped] @ shared)
            return (H - (shared * (weight[capped] / shared.sum(axis=1))[:, None]).T @ shared) / self.width
        z += self.loss.delta  # type: ignore[union-attr]
        inside = ((z > 0) & ((z < self.width) | is_smooth(self.loss))).astype(np.float64)
        inside[np.arange(len(y)), y] = 0
        return self._pairs(inside, y, weight) * (2.0 if is_smooth(self.loss) else 1 / self.width)

    @staticmethod
    def _pairs(inside: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """``Σ_i ω_i Σ_j inside_ij (e_j − e_y)(e_j − e_y)ᵀ``."""
        M = by_class(inside, y, weight)
        return np.diag(M.sum(axis=0) + M.sum(axis=1)) - M - M.T


def _newton(value_at: Callable, x: np.ndarray, done: Callable, longest: float) -> np.ndarray:
    """Minimise a convex function of a few numbers that does not change where all rise alike, by damped Newton steps."""
    value, gradient, H, size = value_at(x, True)
    for _ in range(STEPS):
        if done(gradient, size):
            break
        diagonal, typical = np.diag(H), float(np.diag(H).mean())
        ridge = np.diag(np.where(diagonal < 1e-6 * typical, 1e-2, 1e-9) * typical)
        step = -np.linalg.solve(H + typical / len(H) + ridge, gradient) if typical > 0 else -gradient
        step *= min(1.0, longest / max(np.abs(step).max(), np.finfo(np.float64).tiny))
        slope, t = float(gradient @ step), 1.0
        if not slope < 0:
            break
        while t > 1e-6 and not (value_at(x + t * step, False)[0] <= value + 1e-4 * t * slope + 1e-15 * abs(value)):
            t *= 0.5
        x = x + t * step
        before, (value, gradient, H, size) = np.abs(gradient).max(), value_at(x, True)
        if t <= 1e-6 or (np.abs(gradient).max() >= before and before < 1e-13 * size):
            break
    return x


def fit(
    scores: np.ndarray, y: np.ndarray, weight: np.ndarray | None, loss: Loss, width: float, start: np.ndarray
) -> np.ndarray:
    """The ``b`` (n_classes,) at which the mean loss of ``scores + b``, smoothed over ``width``, is least.

    By Newton's method from ``start``; near the minimum at least, where the loss has none or the steps run out.
    """
    longest = 10 * (width + getattr(loss, "delta", 1.0) + float(np.abs(scores).max()))
    return _newton(_Fit(scores, y, weight, loss, width), start, lambda g, size: np.abs(g).sum() <= LEFT * size, longest)


def balance(flows: np.ndarray) -> np.ndarray:
    """Factors F in [0, 1], (n_classes, n_classes), by which ``F * flows`` has rows and columns of equal sums.

    Flows between classes that are not strongly connected are in no balance, and get 0. The rest is balanced by the unique
    ``exp(v_c − v_j)`` that does (B. C. Eaves et al., "Line-sum-symmetric scalings of square nonnegative matrices", 1985), and
    scaled down. Should the iteration for v not get there, ``min(M, Mᵀ) / M`` is taken.
    """
    from scipy.sparse.csgraph import connected_components

    M = flows.copy()
    np.fill_diagonal(M, 0)
    _, label = connected_components(M > 0, connection="strong")
    together = label[:, None] == label
    M[~together] = 0
    if not M.any():
        return np.zeros_like(M)

    def at(v: np.ndarray, curvature: bool) -> tuple[float, np.ndarray, np.ndarray, float]:
        A = M * np.exp(v[:, None] - v)
        rows, columns = A.sum(axis=1), A.sum(axis=0)
        return float(A.sum()), rows - columns, np.diag(rows + columns) - A - A.T, float(A.sum())

    v = _newton(at, np.zeros(len(M)), lambda g, size: np.abs(g).sum() <= 4e-16 * size, 2.0)
    factors = np.where(M > 0, np.exp(v[:, None] - v), 0)
    largest = np.array([factors[label == k].max(initial=0) for k in range(label.max() + 1)])[label]
    factors = np.where(M > 0, factors / np.maximum(largest, np.finfo(np.float64).tiny)[:, None], 0)
    balanced = M * factors
    if np.abs(balanced.sum(axis=0) - balanced.sum(axis=1)).sum() > 1e-12 * balanced.sum():
        factors = np.divide(np.minimum(M, M.T), M, out=np.zeros_like(M), where=M > 0)
    return factors
