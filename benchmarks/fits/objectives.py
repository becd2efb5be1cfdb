"""The objectives that solvers minimise, evaluated with fastsvm in float64 at anyone's weights.

    L(W, b) = (1/n) Σᵢ ℓ(scoresᵢ, yᵢ) + alpha/2 (‖W‖² + ‖b‖² where the intercept is penalised),      alpha = 1 / (C n)

One-vs-rest solvers minimise the sum over the classes k of the same with two classes, class k and the rest. fastsvm's losses
of two classes depend on w₁ − w₀ alone: at w₁ = w_k/2 = −w₀ they are the binary ones, and 2·alpha/2 (‖w₀‖² + ‖w₁‖²) is
alpha/2 ‖w_k‖².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import fastsvm
from fastsvm.losses import Loss
from fastsvm.standardization import Standardization
from fits.data import Part


@dataclass(frozen=True)
class Objective:
    """``penalized``: whether the intercept is, as the weight of a feature that is 1 in every sample."""

    name: str
    loss: Loss
    one_vs_rest: bool = False
    penalized: bool = True

    def __str__(self) -> str:
        return self.name if self.penalized else f"{self.name}, b free"


WESTON_WATKINS = Objective("Weston-Watkins", fastsvm.WestonWatkins())
WESTON_WATKINS_FREE = Objective("Weston-Watkins", fastsvm.WestonWatkins(), penalized=False)
CRAMMER_SINGER = Objective("Crammer-Singer", fastsvm.CrammerSinger())
CRAMMER_SINGER_FREE = Objective("Crammer-Singer", fastsvm.CrammerSinger(), penalized=False)
SOFTMAX = Objective("softmax", fastsvm.Softmax(), penalized=False)
HINGE = Objective("hinge, one-vs-rest", fastsvm.WestonWatkins(), one_vs_rest=True)
HINGE_FREE = Objective("hinge, one-vs-rest", fastsvm.WestonWatkins(), one_vs_rest=True, penalized=False)
SQUARED = Objective("squared hinge, one-vs-rest", fastsvm.WestonWatkins(squared=True), one_vs_rest=True)
SQUARED_FREE = Objective("squared hinge, one-vs-rest", fastsvm.WestonWatkins(squared=True), one_vs_rest=True, penalized=False)
LOGISTIC = Objective("logistic, one-vs-rest", fastsvm.Softmax(), one_vs_rest=True)


def accuracy(part: Part, W: np.ndarray, b: np.ndarray) -> float:
    """In float64, the first of equal scores."""
    scores = np.asarray(part.X @ (np.asarray(W, dtype=np.float64).T / part.divisor)) + b
    return float((scores.argmax(axis=1) == part.y).mean())


def _standardization(part: Part) -> Standardization | None:
    if part.divisor == 1.0:
        return None
    d = part.X.shape[1]
    return Standardization(np.zeros(d), np.full(d, part.divisor), "scale")


def _problems(objective: Objective, part: Part, W: np.ndarray, b: np.ndarray, alpha: float) -> Any:
    """(W, y, b, alpha) of each of the problems whose objectives are summed."""
    W, b = (np.ascontiguousarray(array, dtype=np.float64) for array in (W, b))
    if not objective.one_vs_rest:
        yield W, part.y, b, alpha
        return
    for k in range(part.n_classes):
        yield np.stack([-W[k], W[k]]) / 2, (part.y == k).astype(np.int64), np.array([-b[k], b[k]]) / 2, 2 * alpha


def value(objective: Objective, part: Part, W: np.ndarray, b: np.ndarray, C: float) -> float:
    """Of weights for samples divided by the part's divisor."""
    alpha = 1 / (C * len(part.y))
    return sum(
        fastsvm.loss_value(
            W, part.X, y, b, objective.loss, alpha, standardization=_standardization(part),
            penalize_intercept=objective.penalized,
        )
        for W, y, b, alpha in _problems(objective, part, W, b, alpha)
    )  # fmt: skip


def certificate(objective: Objective, part: Part, W: np.ndarray, b: np.ndarray, C: float) -> float:
    """What no weights can be better than, as far as the scores of these weights alone show: the dual objective of
    ``duality_gap``, without the passes it may spend on a better one.
    """
    from fastsvm.dual import duality_gap

    alpha = 1 / (C * len(part.y))
    return sum(
        duality_gap(
            W, part.X, y, b, objective.loss, alpha, standardization=_standardization(part),
            intercept_scaling=1.0 if objective.penalized else None, refine=0,
        ).dual_objective
        for W, y, b, alpha in _problems(objective, part, W, b, alpha)
    )  # fmt: skip
