"""The variables in which the smoothed objective is round: against the matrix itself."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from fastsvm.dual import preconditioning
from fastsvm.dual.preconditioning import Preconditioner, packed_diagonal
from fastsvm.problem import Samples
from fastsvm.standardization import fit_standardization


def given(n=90, d=7):
    rng = np.random.default_rng(0)
    return (
        rng.integers(0, 255, (n, d)).astype(np.uint8),
        rng.random(n),
        np.append(rng.random(d) + 0.5, 0),
        rng.normal(size=(3, d + 1)),
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11])
def test_the_diagonal_of_a_packed_matrix(n: int) -> None:
    from scipy.linalg import lapack

    A = np.arange(n * n, dtype=float).reshape(n, n)
    A = A + A.T + 100 * n * np.eye(n)
    packed, info = lapack.dtrttf(A, uplo="L")
    assert info == 0
    assert packed[packed_diagonal(n)].tolist() == np.diag(A).tolist()


@pytest.mark.parametrize("precise", [True, False])
@pytest.mark.parametrize("d", [6, 7])
def test_it_makes_the_curvature_round(d: int, precise: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With H the curvature, L⁻¹ H L⁻ᵀ = 1: what `weights` does to V, and `gradient` to its gradient."""
    if not precise:
        monkeypatch.setattr(preconditioning, "PRECISE", 0)  # the matrix in float32
    X, curvature, alphas, W = given(d=d)
    kept = fit_standardization(X, "mean+std")
    x = np.column_stack([kept.apply(X), np.ones(len(X))])
    H = (x.T * curvature) @ x / len(X) + np.diag(alphas)
    pre = Preconditioner(Samples(X, kept.mean, 1 / kept.scale), intercept=True)
    pre.set(curvature, alphas)
    inverse = pre.weights(np.eye(d + 1))  # L⁻¹
    np.testing.assert_allclose(inverse @ H @ inverse.T, np.eye(d + 1), atol=1e-4)  # but for the ridge
    np.testing.assert_allclose(np.triu(inverse, 1), 0, atol=1e-12)
    np.testing.assert_allclose(pre.gradient(W), W @ inverse.T, atol=1e-12 if precise else 1e-5)


def test_of_sparse_samples_it_has_the_diagonal() -> None:
    X, curvature, alphas, W = given()
    sparse = sp.csr_array(X.astype(np.float32))
    pre = Preconditioner(Samples(sparse, None, np.full(7, 2.0)), intercept=True)
    pre.set(curvature, alphas)
    x = np.column_stack([X * 2.0, np.ones(len(X))])
    second = curvature @ x**2 / len(X)
    np.testing.assert_allclose(pre.weights(W), W / np.sqrt(second + alphas + preconditioning.RIDGE * second.mean()))
    np.testing.assert_allclose(pre.gradient(W), pre.weights(W))
