"""The descent behind :func:`fastsvm.dual.smoothing.minimize`: stages of L-BFGS, each with a smaller width than the one before.

Weights have the intercept, if there is one, as their last column here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from fastsvm.dual.bundle import Bundle
from fastsvm.dual.conjugates import is_smooth, suggested
from fastsvm.dual.preconditioning import Preconditioner
from fastsvm.dual.smoothed import BLOCK, Budget, Look, Objective
from fastsvm.losses import Softmax
from fastsvm.sparse import row_blocks

#: The first width, as a share of the margin, and the limits of a width's share of the one before.
FIRST_WIDTH = 1.0
LARGEST_FALL, SMALLEST_FALL = 0.2, 0.5

#: Share of the mean curvature that every sample has: others will come into the bend.
NEWCOMERS = 0.5

#: Steps between two looks at the bundle's bound.
STEPS = 5

#: Updates that L-BFGS remembers, and bytes of them at most.
MEMORY = 20
MEMORY_BYTES = 5 << 20

#: The least relative gap that passes in float32 are trusted to lead to.
SINGLE = 5e-4


class Proof(NamedTuple):
    """Points whose dual variables, mixed in these shares, are worth about ``bound``."""

    bound: float
    points: list[np.ndarray]
    shares: np.ndarray
    width: float


class Descent:
    """Weights on their way down, and what is known of the least objective.

    ``widths`` are those to go through, the last of them to the end; ``None``: what follows from ``tol`` and from what is found.
    """

    def __init__(self, objective: Objective, W: np.ndarray, tol: float, widths: Sequence[float] | None = None) -> None:
        self.objective, self.tol, self.problem = objective, tol, objective.problem
        self.delta = getattr(self.problem.loss, "delta", 1.0)
        self.given = None if widths is None or is_smooth(self.problem.loss) else [float(w) for w in widths]
        self.width = 1.0 if is_smooth(self.problem.loss) else self.given[0] if self.given else FIRST_WIDTH * self.delta
        self.W, self.value, self.left = W, np.inf, np.inf
        self.look: Look | None = None
        self.best: Look | None = None
        self.proof: Proof | None = None
        self.shares = np.ones(1)
        storage = self.problem.samples.storage
        objective.single = storage != "float64" and tol >= SINGLE
        self.bundle = self._bundle(np.inf)
        self.preconditioner = Preconditioner(self.problem.samples, objective.intercept)

    def _bundle(self, value: float) -> Bundle:
        """An empty one. An intercept that is not penalised has a penalty that matters little, instead of an equation."""
        alphas = self.objective.alphas.copy()
        if self.objective.intercept and alphas[-1] == 0:
            size = float(np.square(self.W[:, -1]).sum())
            alphas[-1] = 1e-2 * self.tol * value / size if size > 0 and np.isfinite(value) else self.problem.alpha
        return Bundle(1 / np.sqrt(alphas), np.float32 if self.objective.single else np.float64)

    def curvature(self) -> np.ndarray:
        """The curvature of each sample's loss by a score, the mean over the classes, times the sample's weight.

        By the own class's score it is the sum of those of the margins: together twice theirs.
        """
        loss = self.problem.loss
        bent = np.full(len(self.problem.y), 0.5)
        if self.look is not None and not isinstance(loss, Softmax):
            bent = self.look.bent + NEWCOMERS * (self.look.bent.mean() - self.look.bent)
        k = bent * (2.0 / len(self.W))
        if not isinstance(loss, Softmax):
            k *= 2.0 if is_smooth(loss) else 1.0 / self.width
        return k if self.problem.sample_weight is None else k * self.problem.sample_weight

    def stage(self, goal: float) -> bool:
        """Minimise at the present width until not more than ``goal`` (of the objective) is left. Whether that was reached."""
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

        objective, pre = self.objective, self.preconditioner
        self.bundle = self._bundle(self.value)
        pre.set(self.curvature(), objective.alphas)
        origin = self.W.copy()
        steps = 0

        def value_and_gradient(V: np.ndarray) -> tuple[float, np.ndarray]:
            value = objective(origin + pre.weights(V.reshape(origin.shape)), self.width)
            return value, pre.gradient(objective.gradient).ravel()

        def step(intermediate_result: Any) -> None:
            nonlocal steps
            steps += 1
            self._take(steps % STEPS == 0 or objective.passes >= objective.max_passes)
            if self.left <= goal * self.value:
                raise StopIteration

        self.left = np.inf
        memory = max(5, min(MEMORY, MEMORY_BYTES // (16 * self.W.size)))
        # Vectors so short would only wait for a second thread of BLAS; and one thread gives the same bits everywhere.
        with suppress(Budget), threadpool_limits(1, user_api="blas"):
            minimize(
                value_and_gradient, np.zeros(origin.size), jac=True, method="L-BFGS-B", callback=step,
                options={"maxcor": memory, "maxiter": 10**9, "maxfun": 10**9, "ftol": 0.0, "gtol": 0.0},
            )  # fmt: skip
        pre.release()
        if not self.bundle.points:  # not one step: the first point is the best
            self._take(look_closer=False)
        elif self.left > goal * self.value:
            self._bound()
        return self.left <= goal * self.value

    def _take(self, look_closer: bool) -> None:
        """Take in the last point of L-BFGS."""
        objective = self.objective
        self.W, self.value = objective.W, objective.value
        G = self.W * objective.alphas - objective.gradient
        self.bundle.add(self.W, self.value - objective.penalty(self.W), G)
        scale = np.where(np.isfinite(self.bundle.scale), self.bundle.scale, 0)
        self.left = 0.5 * float(np.square(objective.gradient * scale).sum())
        self.shares = np.zeros(len(self.bundle.points))
        self.shares[-1] = 1
        if look_closer:
            self._bound()

    def _bound(self) -> None:
        bound, shares = self.bundle.bound()
        if self.value - bound <= self.left:
            self.left, self.shares = self.value - bound, shares

    def take_look(self) -> Look:
        """Look at the weights; keep what is the best so far."""
        look = self.look = Look(self.objective, self.W, self.width)
        if self.objective.intercept and self.problem.alpha_intercept == 0:
            with suppress(Budget):  # at the best intercept the dual variables are in balance
                self.objective(look.W, self.width)
                self._take(look_closer=True)
        if self.best is None or look.objective < self.best.objective:
            self.best = look
        bound = look.objective - look.bend - self.left
        if self.proof is None or bound > self.proof.bound:
            self.proof = Proof(bound, list(self.bundle.points), self.shares, self.width)
        return look

    def variables(self) -> np.ndarray:
        """The dual variables of the best proof."""
        problem, objective = self.problem, self.objective
        assert self.proof is not None
        a = np.zeros((len(problem.y), len(self.W)))
        for share, W in zip(self.proof.shares, self.proof.points, strict=True):
            if share == 0:
                continue
            scores = objective.scores(W.astype(np.float64))
            if objective.intercept:
                scores += W[:, -1]
            for rows in row_blocks(scores, BLOCK):
                a[rows] += share * suggested(scores[rows], problem.y[rows], problem.loss, self.proof.width)
        return a

    def lower_width(self, look: Look) -> float:
        """Take the next width: of those given, or one at which the smoothing should cost less than the tolerance.

        Returns its share of the one before.
        """
        before = self.width
        if self.given is None:
            share = (0.4 * self.tol * look.objective / look.bend) ** (2 / 3)
            self.width *= min(SMALLEST_FALL, max(LARGEST_FALL, share))
        else:
            self.given = self.given[1:] or self.given
            self.width = self.given[0]
        return self.width / before


def descend(descent: Descent, certify: Callable[[], bool], note: Callable[[Look], bool]) -> str:
    """Go down until ``certify`` says that the gap is small enough, ``note`` wants an end, or the passes are used up.

    Returns the reason: "converged", "callback", "max_passes", or "stalled" where rounding ends it.
    """
    objective, smooth = descent.objective, is_smooth(descent.problem.loss)
    goal, wanted, stalls = (descent.tol if smooth else 0.05), descent.tol, 0
    while True:
        reached, before = descent.stage(goal), descent.look
        look = descent.take_look()
        if note(look):
            return "callback"
        if objective.passes >= objective.max_passes:
            return "max_passes"
        bend, left = look.bend / look.objective, descent.left / look.objective
        if bend + left <= wanted or (smooth and reached):
            if certify():
                return "converged"
            wanted *= 0.7
            descent.proof = None
        if not reached and objective.single:
            objective.single = False  # what float32 can do is done
        elif not reached:
            stalls += 1
            if stalls > 3 and before is not None and look.objective >= before.objective:
                return "stalled"
        descent.W = look.W
        if not smooth and bend > 0.5 * wanted and (reached or stalls) and left <= bend:
            bend *= descent.lower_width(look)
        goal = max(0.3 * wanted, 0.5 * bend)
        if reached and left <= goal:
            goal = 0.5 * left
