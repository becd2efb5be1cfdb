"""Variables in which the smoothed objective is about round: ``W = W₀ + V L⁻¹``, ``L Lᵀ`` its mean curvature by a class's part.

That is ``(1/N) Σ_i k_i x_i x_iᵀ + alpha``, where k_i is the curvature of sample i's loss by a score, a mean over the classes.
Dense samples of up to `WIDEST` features have the matrix, from some of the rows, in float32 where it is large: it need not be
exact. Half of it is enough, in LAPACK's rectangular full packed format (F. Gustavson et al., "Rectangular full packed format
for Cholesky's algorithm", ACM Transactions on Mathematical Software 37, 2010). Others have its diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastsvm.problem import Samples
from fastsvm.sparse import CSR, take_slice
from fastsvm.storage import as_numbers

#: Features, the intercept included, up to which there is a matrix of their products: 18 MiB at 3,073.
WIDEST = 4096

#: Features up to which it is of float64.
PRECISE = 1024

#: Multiply-adds it may take, but for so many rows at least; and numbers of rows at a time.
PRODUCTS, ROWS = 6e10, 5_000
BLOCK = 1 << 19

#: Share of the mean of the diagonal that is added to it: what float32 needs to be sure of a positive definite matrix.
RIDGE = 1e-5


class Preconditioner:
    """A last feature of ones stands for the intercept, if there is one."""

    def __init__(self, samples: Samples, intercept: bool) -> None:
        self.samples, self.intercept = samples, intercept
        self.size = samples.X.shape[1] + intercept
        self._factor = np.ones(0)
        self._solve: Any = None

    def set(self, curvature: np.ndarray, alphas: np.ndarray) -> None:
        """Take on the curvature of each sample's loss, times its weight, and that of the penalty by each feature."""
        self.release()
        if not self.samples.is_sparse and self.size <= WIDEST:
            from scipy.linalg import lapack

            dtype = np.dtype(np.float64 if self.size <= PRECISE else np.float32)
            letter = "d" if dtype == np.float64 else "s"
            M = np.zeros(self.size * (self.size + 1) // 2, dtype)
            for x in _rows(self.samples, self.intercept, curvature, dtype):
                add = getattr(lapack, letter + "sfrk")
                M = add(self.size, len(x), 1.0, x.T, 1.0, M, uplo="L", overwrite_c=1)
            at = packed_diagonal(self.size)
            M[at] += (alphas + max(RIDGE * float(M[at].mean()), 1e-9 * alphas.max())).astype(dtype)
            factor, failed = getattr(lapack, letter + "pftrf")(self.size, M, uplo="L", overwrite_a=1)
            if not failed:
                self._factor, self._solve = factor, getattr(lapack, letter + "tfsm")
                return
        second = _squares(self.samples, self.intercept, curvature)
        self._factor = np.sqrt(second + alphas + RIDGE * second.mean())

    def release(self) -> None:
        """Let the matrix go."""
        self._factor, self._solve = np.ones(0), None

    def weights(self, V: np.ndarray) -> np.ndarray:
        """``V L⁻¹``, float64."""
        return self._divide(V, "N")

    def gradient(self, dW: np.ndarray) -> np.ndarray:
        """The gradient on V from that on W: ``dW L⁻ᵀ``, float64."""
        return self._divide(dW, "T")

    def _divide(self, rows: np.ndarray, trans: str) -> np.ndarray:
        if self._solve is None:
            return rows / self._factor
        right = np.asfortranarray(rows, self._factor.dtype)
        return np.ascontiguousarray(self._solve(1.0, self._factor, right, side="R", uplo="L", trans=trans), np.float64)


def packed_diagonal(n: int) -> np.ndarray:
    """Where the diagonal of a matrix lies in LAPACK's rectangular full packed format (TRANSR = 'N', UPLO = 'L')."""
    odd, half = n % 2, (n + 1) // 2
    rows, first, rest = n + 1 - odd, np.arange(half), np.arange(n - half)
    return np.concatenate([first + (1 - odd) + first * rows, rest + (rest + odd) * rows])


def _rows(samples: Samples, intercept: bool, curvature: np.ndarray, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Blocks of standardised rows, each times the root of its curvature, which stand for all; F-contiguous when transposed."""
    d = samples.X.shape[1]
    (bent,) = np.nonzero(curvature)
    taken = bent
    if len(bent) > (most := max(ROWS, int(PRODUCTS / d**2))):
        taken = bent[np.linspace(0, len(bent) - 1, most).astype(np.int64)]
    share = len(bent) / max(1, len(taken)) / len(curvature)
    for start in range(0, len(taken), step := max(1, BLOCK // d)):
        rows = taken[start : start + step]
        x = np.ones((len(rows), d + intercept), dtype)
        x[:, :d] = as_numbers(samples.X[rows], dtype)
        if samples.mean is not None:
            x[:, :d] -= samples.mean.astype(dtype)
            x[:, :d] *= samples.inverse_scale.astype(dtype)  # type: ignore[union-attr]
        x *= np.sqrt(share * curvature[rows])[:, None].astype(dtype)
        yield x


def _squares(samples: Samples, intercept: bool, curvature: np.ndarray) -> np.ndarray:
    """``(1/N) Σ_i c_i x_i²`` of each feature."""
    n, d = samples.X.shape
    squares = np.zeros(d + intercept)
    for start in range(0, n, step := max(1, n * BLOCK // max(1, samples.X.size))):
        rows = slice(start, start + step)
        if samples.is_sparse:
            part: CSR = take_slice(samples.X, rows)
            each = np.repeat(curvature[rows], np.diff(part.indptr)) * np.square(part.data, dtype=np.float64)
            squares[:d] += np.bincount(part.indices, each, minlength=d)
            continue
        x = as_numbers(samples.X[rows])
        if samples.mean is not None:
            x -= samples.mean
        squares[:d] += np.einsum("i,ij,ij->j", curvature[rows], x, x)
    if samples.inverse_scale is not None:
        squares[:d] *= np.square(samples.inverse_scale)
    squares[d:] = curvature.sum()
    return squares / n
