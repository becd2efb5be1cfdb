"""The certified optimum beside scipy's L-BFGS-B on the dual, written down in NumPy, on small problems.

    D(a) = (1/N) Σ_ij (a_ij − r(a_ij)) − (alpha/2) ‖W(a)‖²,      W(a) = (1/(alpha N)) Σ_ij a_ij (e_{y_i} − e_j) x_iᵀ

with 0 ≤ a_ij ≤ 1 and r = 0 for the Weston-Watkins loss, and 0 ≤ a_ij and r = a²/4 for the squared one. The intercept is the
weight of a feature of ones. The dual of the Crammer-Singer loss has a simplex for each sample, which L-BFGS-B has not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

import fastsvm

#: Samples, features, classes, alpha.
SHAPES = ((40, 5, 3, 0.1), (60, 12, 4, 0.02), (50, 30, 6, 0.005), (80, 8, 2, 0.05))
TOLERANCE = 1e-9


def maximum(X: np.ndarray, y: np.ndarray, n_classes: int, alpha: float, squared: bool) -> float:
    """The maximum of D, by L-BFGS-B."""
    n = len(y)
    X = np.column_stack([X, np.ones(n)])
    others = np.arange(n_classes) != y[:, None]
    own = ~others

    def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
        a = np.zeros(others.shape)
        a[others] = flat
        signs = own * a.sum(axis=1, keepdims=True) - a
        W = signs.T @ X / (alpha * n)
        scores = X @ W.T
        h = 1 - (scores[own][:, None] - scores)
        value = (a.sum() - squared * (a**2).sum() / 4) / n - alpha / 2 * (W**2).sum()
        return -value, -(h - squared * a / 2)[others] / n

    bounds = [(0, None if squared else 1)] * int(others.sum())
    options = {"maxiter": 100_000, "maxfun": 1_000_000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 50}
    found = minimize(negative, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return -float(found.fun)


def compare() -> list[dict[str, Any]]:
    """A record for each problem: both optima, and their relative difference."""
    from fastsvm.dual import solve

    records, rng = [], np.random.default_rng(0)
    for n, d, n_classes, alpha in SHAPES:
        y = rng.permutation(n) % n_classes
        X = rng.standard_normal((n, d)) + rng.standard_normal((n_classes, d))[y]
        for squared in (False, True):
            result = solve(X, y, loss=fastsvm.WestonWatkins(squared=squared), alpha=alpha, tol=TOLERANCE, max_iter=100_000)
            peer = maximum(X, y, n_classes, alpha, squared)
            records.append(
                {
                    "shape": f"{n} × {d}, {n_classes} classes, alpha {alpha:g}{', squared' * squared}",
                    "objective": float(result.objective), "relative_gap": float(result.relative_gap), "scipy": peer,
                    "difference": float(abs(result.objective - peer) / abs(peer)),
                }
            )  # fmt: skip
    return records
