"""fastsvm in the form compare.py measures.

A contender is built from a folder (see ``problems.py``) and a number of threads. It has one method per task it takes part in;
what that returns is compared with the float64 reference, or what ``outcome`` returns where there is such a method. Seconds
are multiplied by ``scale``, if it has one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import problems
from peers import ALPHA, BATCH, LEARNING_RATE, MOMENTUM, Problem, Result
from problems import ORDER_SEED, Expected


class Fastsvm:
    """The public functions, with all their checks."""

    def __init__(self, folder: Path, n_threads: int, *, backend: str, storage: str) -> None:
        import fastsvm

        self.library, self.p = fastsvm, problems.load(folder, storage)
        self.common: dict[str, Any] = {
            "loss": fastsvm.WestonWatkins(),
            "alpha": ALPHA,
            "backend": backend,
            "n_threads": n_threads,
        }
        self.standardization = _standardization(self.p)
        self.optimizer = fastsvm.Momentum(LEARNING_RATE, momentum=MOMENTUM)

    def full_pass(self) -> Result:
        p = self.p
        return self.library.loss_and_gradient(p.W, p.X, p.y, p.b, standardization=self.standardization, **self.common)

    def epoch(self) -> Result:
        result = self.library.train(
            self.p.X, self.p.y, W=self.p.W, b=self.p.b, optimizer=self.optimizer, batch_size=BATCH, epochs=1,
            standardize=self.standardization, seed=ORDER_SEED, **self.common,
        )  # fmt: skip
        return result.history["loss"][0], result.W, result.b


def _standardization(problem: Problem) -> Any:
    import fastsvm

    if problem.mean is None or problem.scale is None:
        return None
    return fastsvm.Standardization(problem.mean, problem.scale, "mean+std")


#: Candidates whose losses are compared with the reference, spread over all of them.
CHECKED = 50


def read_candidates(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Stacked weights (n_candidates, n_classes, n_features) and intercepts (n_candidates, n_classes)."""
    return np.load(folder / "Ws.npy"), np.load(folder / "bs.npy")


def checked(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, CHECKED)).astype(int))


class FastsvmCandidates:
    """`fastsvm.loss_values`: the objective of many weights on the same pixels."""

    def __init__(self, folder: Path, n_threads: int, *, backend: str) -> None:
        import fastsvm

        self.function, self.p = fastsvm.loss_values, problems.load(folder, "uint8")
        self.Ws, self.bs = read_candidates(folder)
        self.options: dict[str, Any] = {
            "loss": fastsvm.WestonWatkins(),
            "standardization": _standardization(self.p),
            "backend": backend,
            "n_threads": n_threads,
        }
        self.checked = checked(len(self.Ws))

    def losses(self) -> tuple[np.ndarray]:
        return (self.function(self.p.X, self.p.y, self.Ws, self.bs, **self.options)[self.checked],)


@cache
def expected_losses(folder: Path) -> Expected:
    """Of the `checked` candidates, in float64, a block of samples at a time."""
    X, y, (Ws, bs) = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy"), read_candidates(folder)
    which = checked(len(Ws))
    weights, intercepts = Ws[which].reshape(-1, X.shape[1]).astype(np.float64), bs[which].astype(np.float64)
    total = np.zeros(len(which))
    for start in range(0, len(y), 1000):
        rows = slice(start, start + 1000)
        scores = (X[rows].astype(np.float64) @ weights.T).reshape(-1, *intercepts.shape) + intercepts
        own = np.take_along_axis(scores, y[rows, None, None], axis=2)
        total += np.maximum(0, scores - own + 1).sum(axis=(0, 2)) - len(scores)
    return Expected.of(total / len(y))
