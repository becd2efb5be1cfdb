"""Probabilities from the scores of hinge losses: a temperature, fitted to decision values that cross-validation gives.

    P(k | x) = exp(β s_k(x)) / Σ_j exp(β s_j(x)),      β > 0

One number for all classes: the map is monotone, the most probable class is the one predicted, and for two classes it is
Platt's sigmoid without its offset, σ(β (s₁ − s₀)). β minimises the (weighted) log-loss of scores of samples the scoring
classifier was not fitted to, against targets held off 0 and 1 as Platt's are, so that separable data give a finite β. The
log-loss is convex in β.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML 2017 (temperature scaling).
J. Platt, "Probabilistic outputs for support vector machines", 1999 (cross-validated decision values, targets).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedKFold

FOLDS = 5

#: β is looked for within these bounds over the scores' standard deviation, on a logarithmic scale.
BOUNDS = (1e-4, 1e4)

#: Fits on training rows and returns the scores of the test rows, (n_test, n_classes).
FitAndScore = Callable[[np.ndarray, np.ndarray], np.ndarray]


def platt_targets(y: np.ndarray, n_classes: int, weight: np.ndarray | None) -> np.ndarray:
    """Probabilities to aim at: (N_k + 1) / (N_k + 2) for a sample's class k, the rest in equal parts for the others."""
    counts = np.bincount(y, weights=weight, minlength=n_classes)
    own = (counts[y] + 1.0) / (counts[y] + 2.0)
    targets = np.repeat(((1.0 - own) / (n_classes - 1))[:, None], n_classes, axis=1)
    targets[np.arange(len(y)), y] = own
    return targets


def fit_temperature(scores: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
    """β for scores (n_samples, n_classes) of samples the classifier does not know."""
    scores = scores.astype(np.float64)
    scores -= scores.mean(axis=1, keepdims=True)
    spread = float(scores.std())
    if spread == 0:
        return 1.0
    targets = platt_targets(y, scores.shape[1], weight)

    def log_loss(log_beta: float) -> float:
        losses = -(targets * log_softmax(np.exp(log_beta) * scores, axis=1)).sum(axis=1)
        return float(np.average(losses, weights=weight))

    low, high = (float(np.log(bound / spread)) for bound in BOUNDS)
    return float(np.exp(minimize_scalar(log_loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x))


def cross_validated_temperature(
    y: np.ndarray, n_classes: int, weight: np.ndarray | None, fit_and_score: FitAndScore, seed: int
) -> float:
    """β from stratified folds, as many as the rarest class has samples, but at most `FOLDS`."""
    present = np.ones(len(y), bool) if weight is None else weight > 0
    rarest = int(np.bincount(y[present], minlength=n_classes).min())
    if rarest < 2:
        raise ValueError(
            "probability=True must be able to leave a sample of each class out of a fit: every class needs two samples or more "
            f"(of positive weight); the rarest has {rarest}. Use probability=False, or loss='softmax', which needs none of it"
        )
    rows = np.flatnonzero(present)
    scores = np.empty((len(rows), n_classes))
    for train, test in StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed).split(rows, y[rows]):
        scores[test] = fit_and_score(rows[train], rows[test])
    return fit_temperature(scores, y[rows], None if weight is None else weight[rows])


def probabilities(scores: np.ndarray, beta: float) -> np.ndarray:
    """Probabilities of the classes, float64 (n_samples, n_classes)."""
    return softmax(beta * scores.astype(np.float64), axis=1)


def log_probabilities(scores: np.ndarray, beta: float) -> np.ndarray:
    """Their logarithms."""
    return log_softmax(beta * scores.astype(np.float64), axis=1)
