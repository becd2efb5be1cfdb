"""The objective at combinations ``Σ_k c_k (W_k, b_k)`` of a few weights: a base and one or two directions.

The samples are read once. The data loss comes from the scores of each ``W_k``; the penalty is the quadratic form
``½ cᵀ G c`` with ``G_kl = alpha ⟨W_k, W_l⟩``, and with the like for ``b`` if that is penalised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm import backends
from fastsvm.arguments import prepare
from fastsvm.combinations import candidate_scores, combination_losses
from fastsvm.landscape.directions import check_direction
from fastsvm.losses import RegisteredLoss
from fastsvm.prediction import decision_scores
from fastsvm.problem import Problem
from fastsvm.sparse import CSR, take_slice
from fastsvm.standardization import Standardization
from fastsvm.validation import as_array, check_finite

#: Bytes of scores held at a time. CIFAR-10's 50,000 images and a plane take 6 MB.
BLOCK = 1 << 28


@dataclass(frozen=True, eq=False)
class Family:
    """Weights to combine, checked, and the problem.

    ``Ws`` (k, n_classes, n_features), ``bs`` (k, n_classes) or ``None``, ``gram`` (k, k) float64.
    """

    Ws: np.ndarray
    bs: np.ndarray | None
    problem: Problem
    gram: np.ndarray
    standardization: Standardization | None
    backend: str
    n_threads: int | None

    def scores(self, rows: slice = slice(None)) -> np.ndarray:
        """Scores (k, n_rows, n_classes) of the weights, in their dtype; each row up to a number common to its classes."""
        X = take_slice(self.problem.samples.X, rows)
        how: dict[str, Any] = {
            "standardization": self.standardization, "backend": self.backend, "n_threads": self.n_threads,
        }  # fmt: skip
        if not isinstance(self.problem.loss, RegisteredLoss):
            return candidate_scores(X, self.Ws, self.bs, **how)
        # A loss of a user's may listen to that number.
        bs = [None] * len(self.Ws) if self.bs is None else list(self.bs)
        scores = [decision_scores(W, X, b, **how) for W, b in zip(self.Ws, bs, strict=True)]
        return np.stack(scores)

    def data_losses(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean loss without the penalty at combinations (n_points, k): float64 (n_points,)."""
        y, weight = self.problem.y, self.problem.sample_weight
        n, total = len(y), np.zeros(len(coefficients))
        block = max(1, BLOCK // (len(self.Ws) * self.Ws.shape[1] * self.Ws.itemsize))
        for start in range(0, n, block):
            rows = slice(start, start + block)
            share = float(len(y[rows]) if weight is None else weight[rows].sum())
            if share > 0:
                total += share * combination_losses(
                    self.scores(rows), coefficients, y[rows], self.problem.loss, None if weight is None else weight[rows],
                    backend=self.backend, n_threads=self.n_threads,
                )  # fmt: skip
        return total / n

    def penalties(self, coefficients: np.ndarray) -> np.ndarray:
        """The penalty at combinations (n_points, k): float64 (n_points,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = 0.5 * np.einsum("pk,kl,pl->p", coefficients, self.gram, coefficients)
        if not np.isfinite(values).all():
            raise OverflowError(
                "the penalty overflows float64 at some of these points. Scale W, the directions or the points down"
            )
        return values

    def penalty_along(self) -> tuple[float, float]:
        """First and second derivative of the penalty along the direction, at the base."""
        return float(self.gram[0, 1]), float(self.gram[1, 1])


def family(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None,
    *directions: tuple[np.ndarray, np.ndarray | None, str],
    backend: str | None,
    n_threads: int | None,
    **objective: Any,
) -> Family:
    """Check all arguments. A direction is its arrays for ``W`` and ``b`` and its name; ``objective`` are keyword arguments of
    :func:`fastsvm.arguments.prepare`."""
    W, b, problem = prepare(W, X, y, b, **objective)
    checked = [check_direction(W, b, *direction) for direction in directions]
    for array, direction_b, name in ((W, b, "W"), *((*pair, d[2]) for pair, d in zip(checked, directions, strict=True))):
        check_finite(name, array)
        if direction_b is not None:
            check_finite("b" if name == "W" else f"{name}_b", direction_b)
    Ws = np.stack([W, *(pair[0] for pair in checked)])
    bs = None if b is None else np.stack([b, *(pair[1] for pair in checked)])  # type: ignore[list-item]
    gram = gram_matrix(problem.alpha, Ws)
    if bs is not None:
        gram += gram_matrix(problem.alpha_intercept, bs)
    chosen = backends.use(backend, problem.loss)
    return Family(Ws, bs, problem, gram, objective["standardization"], chosen, n_threads)


def gram_matrix(alpha: float, arrays: np.ndarray) -> np.ndarray:
    """``alpha ⟨A_k, A_l⟩``, summed in float64 and, unlike BLAS, in the same order however many threads there are."""
    if alpha == 0:
        return np.zeros((len(arrays), len(arrays)))
    flat = arrays.reshape(len(arrays), -1)
    with np.errstate(over="ignore"):  # what is not finite is reported where it matters
        products = [[np.einsum("f,f->", one, other, dtype=np.float64) for other in flat] for one in flat]
        return alpha * np.array(products)


def as_positions(name: str, value: npt.ArrayLike) -> np.ndarray:
    """Finite numbers, one or more, as float64 (m,)."""
    array = as_array(name, value, "be an array of numbers")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers; got dtype {array.dtype}")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must have one dimension and at least one number; got shape {array.shape}")
    array = array.astype(np.float64)
    check_finite(name, array)
    return array
