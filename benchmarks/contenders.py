"""Who takes part in compare.py: fastsvm itself, its peers, and the machine's limit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from peers import (
    ALPHA,
    BATCH,
    LEARNING_RATE,
    MOMENTUM,
    ORDER_SEED,
    Jax,
    Numpy,
    Problem,
    Result,
    TorchAutograd,
    TorchByHand,
    TorchCompile,
)


class Fastsvm:
    """The public functions, with all their checks; the pixels where ``storage`` is uint8."""

    def __init__(self, problem: Problem, n_threads: int, *, backend: str, storage: str) -> None:
        import fastsvm

        self.library, self.p = fastsvm, problem
        self.common: dict[str, Any] = {
            "loss": fastsvm.WestonWatkins(),
            "alpha": ALPHA,
            "backend": backend,
            "n_threads": n_threads,
        }
        self.X, self.standardization = problem.X, None
        if storage == "uint8":
            self.X = problem.pixels
            self.standardization = fastsvm.Standardization(problem.mean, problem.scale, "mean+std")
        self.optimizer = fastsvm.Momentum(LEARNING_RATE, momentum=MOMENTUM)

    def full_pass(self) -> Result:
        p = self.p
        return self.library.loss_and_gradient(p.W, self.X, p.y, p.b, standardization=self.standardization, **self.common)

    def epoch(self) -> Result:
        result = self.library.train(
            self.X, self.p.y, W=self.p.W, b=self.p.b, optimizer=self.optimizer, batch_size=BATCH, epochs=1,
            standardize=self.standardization, seed=ORDER_SEED, **self.common,
        )  # fmt: skip
        return result.history["loss"][0], result.W, result.b


class ReadOnce:
    """The largest element, found by one thread per core on its own share of the rows: nothing but reading."""

    def __init__(self, problem: Problem, n_threads: int, *, storage: str) -> None:
        X = problem.pixels if storage == "uint8" else problem.X
        self.shares = [share.reshape(-1) for share in np.array_split(X, n_threads)]
        self.pool = ThreadPoolExecutor(n_threads)

    def full_pass(self) -> Result:
        return max(self.pool.map(np.max, self.shares)), None, None


class Contender(NamedTuple):
    """``group`` is "fastsvm", "peer" or "limit"; ``package`` is what must be installed."""

    label: str
    group: str
    storage: str
    package: str
    build: Callable[[Problem, int], Any]

    @property
    def tasks(self) -> tuple[str, ...]:
        return ("full_pass",) if self.group == "limit" else ("full_pass", "epoch")

    @property
    def unused(self) -> tuple[str, ...]:
        """Arrays of the problem that it never reads."""
        return ("X",) if self.storage == "uint8" else ("pixels",)


def _ours(backend: str, storage: str) -> Contender:
    return Contender(f"fastsvm {backend}", "fastsvm", storage, "fastsvm", partial(Fastsvm, backend=backend, storage=storage))


def _peer(label: str, package: str, build: Callable[[Problem, int], Any]) -> Contender:
    return Contender(label, "peer", "float32", package, build)


def _limit(storage: str) -> Contender:
    return Contender("read X once", "limit", storage, "numpy", partial(ReadOnce, storage=storage))


CONTENDERS = {
    "native": _ours("native", "float32"),
    "native-uint8": _ours("native", "uint8"),
    "numba": _ours("numba", "float32"),
    "numba-uint8": _ours("numba", "uint8"),
    "numpy": _peer("NumPy", "numpy", Numpy),
    "torch": _peer("PyTorch, autograd", "torch", TorchAutograd),
    "torch-hand": _peer("PyTorch, gradient by hand", "torch", TorchByHand),
    "torch-compile": _peer("PyTorch, torch.compile", "torch", TorchCompile),
    "jax": _peer("JAX, jit and scan", "jax", Jax),
    "read": _limit("float32"),
    "read-uint8": _limit("uint8"),
}

#: All but torch.compile, which takes most of a minute to begin with and has been no faster than eager PyTorch.
DEFAULT_PEERS = ("numpy", "torch", "torch-hand", "jax")
