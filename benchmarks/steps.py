"""The optimizer step alone, for compare.py: Adam on one flat float32 array, with the same gradient at every step.

A contender is built from a folder with ``x`` and ``dx`` and has the method ``step``; ``outcome`` returns the first `CHECKED`
elements of (x, first moment, second moment), compared after `STEPS` steps.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from problems import Expected

LEARNING_RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
CHECKED = 30_000

STEPS = 3

Outcome = tuple[Any, Any, Any]


def draw(folder: Path, parameters: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("x", "dx"):
        np.save(folder / f"{name}.npy", rng.standard_normal(parameters, dtype=np.float32))


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / "x.npy"), np.load(folder / "dx.npy")


def expected(folder: Path) -> Expected:
    """The formulas of Kingma and Ba's algorithm 1, in float64."""
    x, g = (array[:CHECKED].astype(np.float64) for array in read(folder))
    start, m, v = x.copy(), np.zeros_like(x), np.zeros_like(x)
    for t in range(1, STEPS + 1):
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g * g
        x -= LEARNING_RATE * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)
    return Expected.moved((x, m, v), (start, 0.0, 0.0))


class FastsvmAdam:
    """``optimizer.step(x, dx, state)`` and nothing else: as a user calls it, with no thread count set anywhere."""

    checked_calls = STEPS

    def __init__(self, folder: Path, n_threads: int, *, backend: str) -> None:
        for variable in ("FASTSVM_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.pop(variable, None)
        import fastsvm

        fastsvm.set_backend(backend)
        self.x, self.dx = read(folder)
        self.optimizer = fastsvm.Adam(LEARNING_RATE, beta1=BETA1, beta2=BETA2, eps=EPS)
        self.state = self.optimizer.init(self.x)

    def step(self) -> None:
        self.optimizer.step(self.x, self.dx, self.state)

    def outcome(self) -> Outcome:
        return self.x[:CHECKED], self.state.first[:CHECKED], self.state.second[:CHECKED]


class TorchAdam:
    """``torch.optim.Adam(fused=True)``; ``step`` is the optimizer's own method."""

    checked_calls = STEPS

    def __init__(self, folder: Path, n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)
        x, dx = (torch.from_numpy(array) for array in read(folder))
        self.x = torch.nn.Parameter(x)
        self.x.grad = dx
        self.optimizer = torch.optim.Adam([self.x], lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPS, fused=True)
        self.step = self.optimizer.step

    def outcome(self) -> Outcome:
        state = self.optimizer.state[self.x]
        return self.x.detach()[:CHECKED], state["exp_avg"][:CHECKED], state["exp_avg_sq"][:CHECKED]
