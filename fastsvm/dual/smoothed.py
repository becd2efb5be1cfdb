"""The smoothed objective, and what scores show of weights beyond it. An intercept, if there is one, is their last column."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from fastsvm.dual.conjugates import is_smooth, suggested, worth
from fastsvm.dual.intercept import fit
from fastsvm.losses import CrammerSinger, Loss, SmoothedCrammerSinger, SmoothedWestonWatkins, WestonWatkins
from fastsvm.problem import Problem, Samples
from fastsvm.sparse import row_blocks

#: Scores taken at a time.
BLOCK = 1 << 18


class Budget(Exception):
    """No passes are left."""


def smoothed(loss: Loss, width: float) -> Loss:
    """The loss whose value at ``scores / width``, times ``width``, is the smoothed loss at ``scores``."""
    if is_smooth(loss):
        return loss
    assert isinstance(loss, (WestonWatkins, CrammerSinger))
    return (SmoothedWestonWatkins if isinstance(loss, WestonWatkins) else SmoothedCrammerSinger)(loss.delta / width)


class Objective:
    """The smoothed objective; counts the passes over the samples and remembers the last point."""

    def __init__(self, problem: Problem, intercept: bool, engine: ModuleType, n_threads: int, max_passes: int) -> None:
        self.problem, self.intercept, self.engine, self.n_threads = problem, intercept, engine, n_threads
        self.max_passes, self.passes, self.single = max_passes, 0, False
        self.alphas = np.full(problem.samples.X.shape[1] + intercept, problem.alpha)
        if intercept:
            self.alphas[-1] = problem.alpha_intercept
        self.W = self.gradient = np.zeros((0, 0))
        self.value = np.inf

    def split(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Weights and intercept, each contiguous."""
        if not self.intercept:
            return np.ascontiguousarray(W), None
        return np.ascontiguousarray(W[:, :-1]), np.ascontiguousarray(W[:, -1])

    def count(self) -> None:
        """One pass more."""
        if self.passes >= self.max_passes:
            raise Budget
        self.passes += 1

    def __call__(self, W: np.ndarray, width: float) -> float:
        """The value at ``W``, kept beside its gradient in ``value`` and ``gradient``."""
        self.count()
        problem, dtype = self.problem, np.dtype(np.float32 if self.single else np.float64)
        samples = Samples(problem.samples.X, *(None if s is None else s.astype(dtype, copy=False) for s in problem.samples[1:]))
        scaled = problem._replace(
            samples=samples, loss=smoothed(problem.loss, width),
            alpha=problem.alpha * width, alpha_intercept=problem.alpha_intercept * width,
        )  # fmt: skip
        w, b = self.split((W / width).astype(dtype))
        dW, db = np.empty_like(w), None if b is None else np.empty_like(b)
        value = width * self.engine.gradient(w, b, scaled, dW, db, self.n_threads)
        gradient = dW if db is None else np.column_stack([dW, db])
        self.W, self.value, self.gradient = W.copy(), float(value), gradient.astype(np.float64)
        return self.value

    def penalty(self, W: np.ndarray) -> float:
        """``½ Σ alphas W²``."""
        return 0.5 * float(np.einsum("ij,ij,j->", W, W, self.alphas))

    def scores(self, W: np.ndarray) -> np.ndarray:
        """Scores in float64, without the intercept."""
        self.passes += 1
        w, _ = self.split(W)
        out = np.empty((len(self.problem.y), len(w)))
        self.engine.scores(w, None, self.problem.samples, out, self.n_threads)
        return out


class Look:
    """What scores show of weights: their objective, what the smoothing costs, and how many margins are in the bend.

    Where the intercept is not penalised, the best one replaces that of the weights.
    """

    def __init__(self, objective: Objective, W: np.ndarray, width: float) -> None:
        problem = objective.problem
        self.W = W.copy()
        scores = objective.scores(W)
        if objective.intercept:
            if problem.alpha_intercept == 0:
                self.W[:, -1] = fit(scores, problem.y, problem.sample_weight, problem.loss, width, W[:, -1])
            scores += self.W[:, -1]
        data = objective.engine.score_loss(scores, problem.y, problem.loss, problem.sample_weight, None, objective.n_threads)
        self.objective = data + objective.penalty(self.W)
        parts = [_bend(scores[rows], problem, rows, width) for rows in row_blocks(scores, BLOCK)]
        self.bend = max(0.0, data - sum(reached for reached, _ in parts) / len(scores))
        self.bent = np.concatenate([bent for _, bent in parts])


def _bend(scores: np.ndarray, problem: Problem, rows: slice, width: float) -> tuple[float, np.ndarray]:
    """The sum of ``Σ_j a_ij h_ij − r(a_ij)``, and how many dual variables of each sample are at neither bound."""
    y, loss = problem.y[rows], problem.loss
    weight = np.ones(len(y)) if problem.sample_weight is None else problem.sample_weight[rows]
    a = suggested(scores, y, loss, width)
    z = scores - scores[np.arange(len(y)), y][:, None]
    bent = ((a > 0) & (is_smooth(loss) | (a < 1))).sum(axis=1).astype(np.float64)
    return float(weight @ (worth(a, loss) + np.einsum("ij,ij->i", a, z))), bent
