"""Dual variables and the weights they stand for, and passes over the examples that improve them."""

from __future__ import annotations

import numpy as np

from fastsvm import _native
from fastsvm.backends.native import STORAGE
from fastsvm.dual.products import weights_of
from fastsvm.losses import CrammerSinger, WestonWatkins
from fastsvm.problem import Problem

#: Multiply-adds of a pass from which on a second thread saves more than it costs.
PARALLEL_PRODUCTS = 2_000_000


def aligned_zeros(shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Zeros that begin at a cache line."""
    size = shape[0] * shape[1] * dtype.itemsize
    memory = np.zeros(size + 64, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + size].view(dtype).reshape(shape)


def loss_code(loss: WestonWatkins | CrammerSinger) -> int:
    """The code of kernels.h."""
    return 2 if isinstance(loss, CrammerSinger) else int(loss.squared)


class Ascent:
    """The state of the ascent.

    ``a`` (n_samples, n_classes) are the dual variables; ``W`` (n_features, stride) the weights, feature-major, of the same
    dtype; ``b`` (n_classes,) float64 or ``None``. ``square`` is that of the constant feature.
    """

    def __init__(self, problem: Problem, a: np.ndarray, square: float | None, n_threads: int) -> None:
        samples, n_classes = problem.samples, a.shape[1]
        assert isinstance(problem.loss, (WestonWatkins, CrammerSinger))
        self.problem, self.a, self.loss = problem, a, problem.loss
        self.square, self.n_threads = square, n_threads
        self.scale = 1.0 / (problem.alpha * samples.n_rows)
        stride = _native.dual_stride(a, n_classes, not samples.is_sparse)
        self.W = aligned_zeros((samples.X.shape[1], stride), a.dtype)
        self.b = None if square is None else np.zeros(n_classes)
        if a.any():
            self.rebuild()

    def rebuild(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Compute the weights anew from ``a``, free of what has added up in rounding. Returns them in float64, (n_classes,
        n_features) and (n_classes,)."""
        W, b = weights_of(self.a, self.problem, self.square)
        self.W[:, : len(W)] = W.T
        if self.b is not None:
            self.b[:] = b
        return W, b

    def squares(self) -> float:
        """``‖W‖² + ‖b‖² / square``: the penalty without its factor."""
        total = float(np.square(self.W, dtype=np.float64).sum()) if self.W.dtype == np.float64 else _squares(self.W)
        if self.b is not None and self.square:
            total += float(self.b @ self.b) / self.square
        return total

    def step(self, order: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Take the examples ``order`` in turn. Returns the sums of their gaps and of their losses before each one's step,
        divided by the number of all samples, and the gaps themselves."""
        return self._pass(order, certify=False)

    def certify(self) -> tuple[float, float, np.ndarray]:
        """The same of all examples at the present weights, which stay."""
        return self._pass(np.arange(self.problem.samples.n_rows), certify=True)

    def _pass(self, order: np.ndarray, certify: bool) -> tuple[float, float, np.ndarray]:
        samples = self.problem.samples
        gaps = np.zeros(len(order))
        csr = (samples.X.indptr, samples.X.indices, samples.X.data) if samples.is_sparse else None
        numbers = samples.X.nnz if samples.is_sparse else samples.X.size
        gap, value = _native.dual_pass(
            self.W, self.b, self.a, None if samples.is_sparse else samples.X, STORAGE[samples.storage], samples.mean,
            samples.inverse_scale, csr, self.problem.y, self.problem.sample_weight, loss_code(self.loss), self.loss.delta,
            self.scale, self.square or 0.0, order, certify, gaps,
            self.n_threads if numbers * self.a.shape[1] >= PARALLEL_PRODUCTS else 1,
        )  # fmt: skip
        n = samples.n_rows
        return gap / n, value / n, gaps


def _squares(W: np.ndarray) -> float:
    """Sum of squares in float64, of blocks that stay in cache."""
    rows = max(1, (1 << 16) // W.shape[1])
    return float(sum(np.square(W[k : k + rows], dtype=np.float64).sum() for k in range(0, len(W), rows)))
