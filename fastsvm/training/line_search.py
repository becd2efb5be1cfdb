"""Gradient descent whose every step goes to the minimum along the gradient: `fastsvm.SteepestDescent`.

An epoch takes two passes over the samples: one for the gradient, one for the scores of the weights and of the gradient, from
which :mod:`fastsvm.landscape` finds the minimum of the whole objective, penalty included. The scores of the weights are
computed anew each time: what rounding leaves in them would grow, and a resumed training would have other bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastsvm import backends
from fastsvm.arguments import raise_non_finite
from fastsvm.backends import COEFFICIENTS
from fastsvm.landscape.family import gram_matrix
from fastsvm.landscape.minimum import along_scores, check_convex
from fastsvm.losses import Loss
from fastsvm.optimizers import Optimizer, SteepestDescent
from fastsvm.problem import Problem
from fastsvm.score_functions import Linear, ScoreFunction

LEARNING_RATE = COEFFICIENTS.index("learning_rate")


def check_line_search(optimizer: Optimizer, loss: Loss, score_function: ScoreFunction, batch_size: int, n_samples: int) -> None:
    """Raise where `SteepestDescent` is asked for and cannot do its work."""
    if not isinstance(optimizer, SteepestDescent):
        return
    if batch_size < n_samples:
        raise ValueError(
            f'batch_size must be "full" for {optimizer!r}: the best step for {batch_size} samples may be far too long for all '
            f"{n_samples}; got {batch_size}"
        )
    if not isinstance(score_function, Linear):
        raise ValueError(f"score_function must be linear for {optimizer!r}; got {score_function!r}")
    check_convex(loss)


@dataclass(frozen=True)
class LineSearch:
    """An engine of the trainer; see :class:`fastsvm.score_functions.Engine`. ``backend`` is the name of one."""

    backend: str

    def evaluate(self, W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int) -> tuple[float, int]:
        """The objective, and the number of samples that are right."""
        return backends.get(self.backend).evaluate(W, b, problem, n_threads)

    def epoch(
        self,
        W: np.ndarray,
        b: np.ndarray | None,
        slots_W: tuple[np.ndarray, ...],
        slots_b: tuple[np.ndarray, ...],
        problem: Problem,
        order: np.ndarray,
        batch_size: int,
        rule: str,
        coefficients: np.ndarray,
        losses: np.ndarray,
        n_threads: int,
    ) -> tuple[int, int]:
        """One update. The step found goes to ``coefficients``; it is 0 where none changes the weights for the better."""
        backend = backends.get(self.backend)
        dW, db = np.empty_like(W), None if b is None else np.empty_like(b)
        losses[0] = backend.gradient(W, b, problem, dW, db, n_threads)
        if not np.isfinite(losses[0]):
            return 1, 0
        Ws, bs = np.stack([W, -dW]), None if b is None or db is None else np.stack([b, -db])
        scores = np.empty((2, len(problem.y), len(W)), W.dtype)
        backend.candidate_scores(Ws, bs, problem.samples, scores, n_threads)
        if not np.isfinite(scores).all():
            raise_non_finite("a score of the gradient is not finite", problem.samples, W=W, b=b)
        gram = gram_matrix(problem.alpha, Ws)
        if bs is not None:
            gram += gram_matrix(problem.alpha_intercept, bs)
        step, _ = along_scores(
            scores, problem.y, problem.loss, problem.sample_weight, gram[0, 1], gram[1, 1],
            backend=self.backend, n_threads=n_threads,
        )  # fmt: skip
        moved = False
        for parameters, gradient in ((W, dW), (b, db)):
            if parameters is not None and gradient is not None:
                before = parameters.copy()
                parameters -= parameters.dtype.type(step) * gradient
                moved |= not np.array_equal(before, parameters)
        coefficients[0, LEARNING_RATE] = step if moved else 0.0
        return 1, int(np.sum(scores[0].argmax(axis=1) == problem.y))
