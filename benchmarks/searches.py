"""Random search and random local search in compare.py: fastsvm's, and the same work in PyTorch.

A thousand attempts on all of CIFAR-10's images, mean subtracted. Each costs the same: one in `PART` is made, and the time
multiplied. The numbers of all are drawn by the same NumPy generator, in a thread, while the attempts before them are scored.
What the first `CHECKED` attempts give is compared with float64.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from problems import Expected
from suites.synthetic import N_CLASSES, N_FEATURES

SCALE, START, STEP = 1e-4, 1e-3, 1e-4
CHECKED = 50
GROUP = 25

PART = 2

#: Rows of a product, few enough for the scores of a group to stay in cache.
ROWS = 2500

#: Photographs vary in few directions most of all, as their brightness. Without such a thing every step only adds noise to the
#: scores, and a local search accepts none.
N_FACTORS, FACTOR = 20, 60.0


def draw(folder: Path, rows: int) -> None:
    """Pixels of a few factors, each weaker than the one before it, and noise; a label is the largest of the first factors."""
    rng = np.random.default_rng(3)
    factors = rng.standard_normal((rows, N_FACTORS), dtype=np.float32)
    patterns = rng.standard_normal((N_FACTORS, N_FEATURES), dtype=np.float32)
    patterns *= np.float32(FACTOR) / np.arange(1, N_FACTORS + 1, dtype=np.float32)[:, None]
    pixels = np.empty((rows, N_FEATURES), np.uint8)
    for start in range(0, rows, 1000):
        block = factors[start : start + 1000] @ patterns
        block += 120 + 20 * rng.standard_normal(block.shape, dtype=np.float32)
        pixels[start : start + 1000] = np.clip(block, 0, 255, out=block)
    mean = sum(pixels[k : k + 1000].sum(axis=0, dtype=np.float64) for k in range(0, rows, 1000)) / rows
    for name, array in {"pixels": pixels, "y": factors[:, :N_CLASSES].argmax(axis=1), "mean": mean}.items():
        np.save(folder / f"{name}.npy", array)


def attempts(n_samples: int) -> tuple[int, float]:
    """How many to make, and what to multiply the time with for a thousand with all of CIFAR-10's images."""
    wanted = min(n_samples // 50, 1000)
    made = min(wanted, max(CHECKED, wanted // PART))
    return made, wanted / made


class FastsvmSearch:
    """On pixels."""

    def __init__(self, folder: Path, n_threads: int, *, backend: str) -> None:
        import fastsvm
        from fastsvm import search

        self.search = search
        X, y, mean = (np.load(folder / f"{name}.npy") for name in ("pixels", "y", "mean"))
        self.data = X, y
        n_attempts, self.scale = attempts(len(y))
        self.options: dict[str, Any] = {
            "n_attempts": n_attempts,
            "standardize": fastsvm.Standardization(mean, np.ones_like(mean), "mean"),
            "n_classes": N_CLASSES,
            "backend": backend,
            "n_threads": n_threads,
        }

    def random(self) -> tuple[np.ndarray, np.ndarray]:
        return _first(self.search.random_search(*self.data, scale=SCALE, **self.options))

    def local(self) -> tuple[np.ndarray, np.ndarray]:
        return _first(self.search.random_local_search(*self.data, scale=START, step=STEP, **self.options))


def _first(result: Any) -> tuple[np.ndarray, np.ndarray]:
    return result.losses[:CHECKED], result.accepted[:CHECKED]


class TorchSearch:
    """On the float32 matrix. All weights of a group are one matrix; scores come from one product per block of rows, which is
    turned into losses in place (random search) or laid out step by step (local search).
    """

    def __init__(self, folder: Path, n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)
        self.torch = torch
        pixels, y, mean = (np.load(folder / f"{name}.npy") for name in ("pixels", "y", "mean"))
        X = np.empty(pixels.shape, np.float32)
        for start in range(0, len(X), 1000):
            X[start : start + 1000] = pixels[start : start + 1000] - mean
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.n_attempts, self.scale = attempts(len(y))
        self.shape = N_CLASSES, X.shape[1] + 1
        self.block = torch.empty(ROWS, GROUP * N_CLASSES)
        self.steps = torch.empty(GROUP, len(X), N_CLASSES)
        self.sum = torch.empty(len(X), N_CLASSES)
        self.pool = ThreadPoolExecutor(1)

    def groups(self, rng: np.random.Generator, size: float) -> Any:
        """Weights (GROUP · n_classes, n_features) and intercepts of one group after the other."""

        def drawn() -> Any:
            return self.torch.from_numpy(rng.standard_normal((GROUP * self.shape[0], self.shape[1]), dtype=np.float32))

        following: Future[Any] = self.pool.submit(drawn)
        for start in range(0, self.n_attempts, GROUP):
            normals = following.result()
            if start + GROUP < self.n_attempts:
                following = self.pool.submit(drawn)
            yield (normals[:, :-1] * size).contiguous(), normals[:, -1] * size

    def blocks(self, W: Any, b: Any) -> Any:
        """Of one block of rows after the other: the slice, labels, and scores (rows, weights)."""
        for start in range(0, len(self.y), ROWS):
            rows = slice(start, start + ROWS)
            y = self.y[rows]
            yield rows, y, self.torch.addmm(b, self.X[rows], W.T, out=self.block[: len(y), : len(W)])

    def first(self, found: list[Any]) -> np.ndarray:
        return np.array(found[: min(CHECKED, self.n_attempts)])

    def losses(self, W: Any, b: Any) -> Any:
        """Of each candidate of a group. The margin of a sample's own class is 1."""
        total = self.torch.zeros(len(W) // N_CLASSES, dtype=self.torch.float64)
        for _, y, scores in self.blocks(W, b):
            scores = scores.view(len(y), -1, N_CLASSES)
            own = scores.gather(2, y[:, None, None].expand(-1, scores.shape[1], 1))
            total += scores.sub_(own.sub_(1)).clamp_(min=0).sum((0, 2)) - len(y)
        return total / len(self.y)

    def random(self) -> tuple[np.ndarray, np.ndarray]:
        best, losses, accepted = np.inf, [], []
        with self.torch.no_grad():
            for W, b in self.groups(np.random.default_rng(0), SCALE):
                for loss in self.losses(W, b).tolist():
                    losses.append(loss)
                    accepted.append(loss < best)
                    best = min(best, loss)
        return self.first(losses), self.first(accepted)

    def loss(self, scores: Any) -> float:
        """Of one matrix of scores, which is overwritten."""
        own = scores.gather(1, self.y[:, None])
        return scores.sub_(own.sub_(1)).clamp_(min=0).sum().item() / len(scores) - 1

    def local(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        start = self.torch.from_numpy(rng.standard_normal(self.shape, dtype=np.float32)) * START
        losses, accepted = [], []
        with self.torch.no_grad():
            base = self.torch.addmm(start[:, -1], self.X, start[:, :-1].T)
            best = self.loss(self.sum.copy_(base))
            for W, b in self.groups(rng, STEP):
                for rows, y, scores in self.blocks(W, b):
                    self.steps[:, rows].copy_(scores.view(len(y), GROUP, N_CLASSES).transpose(0, 1))
                for step in self.steps:
                    losses.append(self.loss(self.torch.add(base, step, out=self.sum)))
                    accepted.append(losses[-1] < best)
                    if accepted[-1]:
                        base += step
                        best = losses[-1]
        return self.first(losses), self.first(accepted)


@cache
def expected(folder: Path, task: str) -> Expected:
    """Losses and verdicts of the first attempts in float64, all scores from one product per block of rows."""
    X, y, mean = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pixels", "y", "mean"))
    rng, count, shape = np.random.default_rng(0), min(CHECKED, attempts(len(y))[0]), (N_CLASSES, X.shape[1] + 1)
    local = task == "local"
    first = rng.standard_normal((int(local), *shape), dtype=np.float32) * np.float32(START)
    others = rng.standard_normal((count, *shape), dtype=np.float32) * np.float32(STEP if local else SCALE)
    weights = np.concatenate([first, others]).astype(np.float64)
    W, b = weights[:, :, :-1].reshape(-1, X.shape[1]), weights[:, :, -1].reshape(-1)
    scores = np.concatenate([(X[k : k + 1000] - mean) @ W.T + b for k in range(0, len(y), 1000)])
    scores = scores.reshape(len(y), -1, N_CLASSES)

    def loss(s: np.ndarray) -> float:
        return float(np.maximum(0, s - s[np.arange(len(y)), y][:, None] + 1).sum() / len(y) - 1)

    base = scores[:, 0].copy() if local else np.zeros((len(y), N_CLASSES))
    best, losses, accepted = loss(base) if local else np.inf, [], []
    for k in range(int(local), scores.shape[1]):
        losses.append(loss(base + scores[:, k]))
        accepted.append(losses[-1] < best)
        if accepted[-1]:
            best = losses[-1]
            base += scores[:, k] if local else 0
    return Expected((np.array(losses), np.array(accepted, dtype=np.float64)), (max(losses), 1.0))
