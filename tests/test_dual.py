"""The dual solver: optima against SciPy on the dual itself, certificates, warm starts, stops and errors."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from scipy import optimize, sparse

import fastsvm
import tables
from fastsvm import dual
from fastsvm.dual import reference
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins

LOSSES = (WestonWatkins(), WestonWatkins(0.7, squared=True), CrammerSinger())


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Four classes that overlap."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 90)
    return rng.normal(size=(90, 6)) + 1.2 * rng.normal(size=(4, 6))[y], y


def best_dual_objective(X, y, weight, loss, alpha, square) -> float:
    """The maximum of the dual by SciPy's L-BFGS-B (or SLSQP, where a sum is bounded) over all variables at once."""
    n, k = len(X), int(y.max()) + 1
    upper, curvature, capped = reference.bounds(loss)
    x = X if square is None else np.column_stack([X, np.full(n, np.sqrt(square))])
    delta = loss.delta
    own = np.eye(k)[y]
    others = own == 0

    def negative(flat):
        a = np.zeros((n, k))
        a[others] = flat
        d = weight[:, None] * (a.sum(axis=1, keepdims=True) * own - a)
        W = d.T @ x / (alpha * n)
        s = x @ W.T
        h = delta - (np.sum(s * own, axis=1, keepdims=True) - s)
        value = (weight[:, None] * (delta * a - 0.5 * curvature * a**2)).sum() / n - 0.5 * alpha * (W**2).sum()
        return -value, (-(weight[:, None] * (h - curvature * a)) / n)[others]

    bounds = [(0.0, None if np.isinf(upper) else upper)] * (n * (k - 1))
    if not capped:
        result = optimize.minimize(
            negative, np.zeros(n * (k - 1)), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 20000, "maxfun": 50000, "ftol": 1e-15, "gtol": 1e-10},
        )  # fmt: skip
        return -result.fun
    rows = np.kron(np.eye(n), np.ones(k - 1))
    result = optimize.minimize(
        negative, np.zeros(n * (k - 1)), jac=True, method="SLSQP", bounds=bounds,
        constraints={"type": "ineq", "fun": lambda a: 1 - rows @ a, "jac": lambda a: -rows},
        options={"maxiter": 500, "ftol": 1e-13},
    )  # fmt: skip
    return -result.fun


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize(("alpha", "intercept_scaling"), [(0.05, 1.0), (0.01, None), (0.3, 2.0)])
def test_the_optimum_is_that_of_scipy_on_the_dual(blobs, loss, alpha, intercept_scaling):
    X, y = blobs
    X, y = X[:40], y[:40]
    weight = np.random.default_rng(1).uniform(0.5, 2, 40)
    weight[2] = 0
    square = None if intercept_scaling is None else intercept_scaling**2
    best = best_dual_objective(X, y, weight / weight.mean(), loss, alpha, square)
    result = dual.solve(
        X, y, loss=loss, alpha=alpha, sample_weight=weight, intercept_scaling=intercept_scaling, tol=1e-8, max_iter=20000
    )
    assert result.converged
    assert result.objective == pytest.approx(best, rel=1e-6)
    assert result.dual_objective == pytest.approx(best, rel=1e-6)
    assert result.gap == pytest.approx(result.objective - result.dual_objective)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_what_is_reported_is_the_objective_of_the_weights(blobs, loss):
    X, y = blobs
    result = dual.solve(X, y, loss=loss, alpha=0.02, intercept_scaling=2.0, tol=1e-2)
    value = fastsvm.loss_value(result.W, X, y, result.b, loss, 0.02) + 0.01 * np.sum((result.b / 2) ** 2)
    assert result.objective == pytest.approx(value, rel=1e-12)
    assert 0 <= result.relative_gap <= 1e-2
    other = dual.duality_gap(result.W, X, y, result.b, loss, 0.02, intercept_scaling=2.0)
    assert other.objective == pytest.approx(value, rel=1e-12)
    assert other.dual_objective <= dual.solve(X, y, loss=loss, alpha=0.02, intercept_scaling=2.0, tol=1e-8).objective


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_sparse_and_dense_samples_have_one_optimum(blobs, loss):
    X, y = blobs
    X = X * (np.abs(X) > 0.8)
    dense = dual.solve(X, y, loss=loss, alpha=0.05, tol=1e-9, max_iter=20000, method="blocks")
    for index in ("int32", "int64"):
        csr = sparse.csr_array(X)
        csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
        result = dual.solve(csr, y, loss=loss, alpha=0.05, tol=1e-9, max_iter=20000)
        assert result.objective == pytest.approx(dense.objective, rel=1e-8)
        np.testing.assert_allclose(result.W, dense.W, atol=1e-3)


@pytest.mark.parametrize("kind", ["mean+std", "max-abs"])
def test_standardised_bytes_are_solved_as_their_numbers(kind):
    data = fastsvm.load_digits()
    X, y = data.X[:300].astype(np.uint8), data.y[:300]
    result = dual.solve(X, y, alpha=0.1, standardize=kind, tol=1e-5, dtype="float64")
    same = dual.solve(result.standardization.apply(X), y, alpha=0.1, tol=1e-5)
    assert result.objective == pytest.approx(same.objective, rel=2e-5)
    assert result.W.dtype == np.float64
    assert np.mean(result.predict(X) == y) > 0.95


def test_threads_and_runs_have_the_same_bits(monkeypatch, blobs):
    monkeypatch.setattr("fastsvm.dual.ascent.PARALLEL_PRODUCTS", 0)
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(200, 300)).astype(np.float32), rng.integers(0, 3, 200)
    results = [dual.solve(X, y, alpha=0.01, seed=5, n_threads=n, method="blocks") for n in (1, 2, 4, 2)]
    tables.assert_same_bits([(r.W, r.b, r.a, r.gap, r.history["gap"]) for r in results])
    other = dual.solve(X, y, alpha=0.01, seed=6, method="blocks")
    assert not np.array_equal(other.a, results[0].a)


def test_a_warm_start_goes_on_from_the_solution_of_another_alpha(blobs):
    X, y = blobs
    first = dual.solve(X, y, alpha=0.02, tol=1e-4, method="blocks")
    kept = first.a.copy()
    warm = dual.solve(X, y, alpha=0.018, tol=1e-4, start=first, method="blocks")
    cold = dual.solve(X, y, alpha=0.018, tol=1e-4, method="blocks")
    assert warm.objective == pytest.approx(cold.objective, rel=1e-4)
    assert warm.n_iter < cold.n_iter
    assert np.array_equal(first.a, kept)
    again = dual.solve(X, y, alpha=0.02, tol=1e-4, start=first)
    assert again.n_iter == 0
    assert again.converged


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_smoothing_first_ends_at_the_same_optimum(blobs, loss, tol):
    X, y = blobs
    exact = dual.solve(X, y, loss=loss, alpha=0.02, tol=1e-8, max_iter=20000, method="blocks")
    result = dual.solve(X, y, loss=loss, alpha=0.02, tol=tol, max_iter=20000, method="smoothing")
    assert result.converged
    assert result.method == "smoothing+blocks"
    assert exact.dual_objective * (1 - 1e-9) <= result.objective <= exact.objective * (1 + 1.1 * tol)
    value = fastsvm.loss_value(result.W, X, y, result.b, loss, 0.02) + 0.01 * np.sum(result.b**2)
    assert result.objective == pytest.approx(value, rel=1e-12)


def test_weights_are_repetitions(blobs):
    X, y = blobs
    counts = np.random.default_rng(3).integers(0, 4, len(X))
    weighted = dual.solve(X, y, alpha=0.05, sample_weight=counts, tol=1e-8, max_iter=5000)
    repeated = dual.solve(X.repeat(counts, axis=0), y.repeat(counts), n_classes=4, alpha=0.05, tol=1e-8, max_iter=5000)
    np.testing.assert_allclose(weighted.W, repeated.W, atol=1e-3)
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-7)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_samples_of_zeros_and_a_class_without_samples(loss):
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    y = np.array([0, 1, 0, 3])
    result = dual.solve(X, y, loss=loss, alpha=0.1, n_classes=4, intercept_scaling=None, tol=1e-9, max_iter=5000)
    assert result.converged
    assert np.isfinite(result.W).all()


@pytest.mark.parametrize("n_classes", [2, 1000])
def test_two_classes_and_a_thousand(n_classes):
    rng = np.random.default_rng(4)
    y = np.arange(2 * n_classes) % n_classes
    X = sparse.random_array((len(y), 500), density=0.05, rng=rng, format="csr")
    result = dual.solve(X, y, alpha=1 / len(y), tol=1e-2)
    assert result.converged
    assert np.mean(result.predict(X) == y) > 0.9


def test_records_reach_callbacks_which_may_stop(blobs):
    X, y = blobs
    seen: list[dual.DualRecord] = []
    result = dual.solve(X, y, alpha=1e-4, tol=1e-9, method="blocks", callbacks=[seen.append, lambda record: record.epoch >= 4])
    assert result.stop_reason == "callback"
    assert not result.converged
    assert seen == list(result.history)
    assert result.n_iter == seen[-1].epoch == 4
    np.testing.assert_allclose(result.history["objective"] - result.history["dual_objective"], result.history["gap"])
    assert result.gap == pytest.approx(seen[-1].gap, rel=1e-9)


def test_max_iter_ends_it_with_a_certificate(blobs):
    X, y = blobs
    result = dual.solve(X, y, alpha=1e-4, tol=1e-9, max_iter=3, method="blocks")
    assert (result.n_iter, result.stop_reason, result.converged) == (3, "max_iter", False)
    assert result.relative_gap > 1e-9


def test_ctrl_c_ends_it_with_a_certificate(blobs):
    X, y = blobs

    def press(record: dual.DualRecord) -> None:
        if record.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    result = dual.solve(X, y, alpha=1e-4, tol=1e-12, method="blocks", callbacks=[press])
    assert result.stop_reason == "interrupted"
    assert np.isfinite(result.gap)


def test_a_result_becomes_a_model(blobs, tmp_path):
    X, y = blobs
    result = dual.solve(X, y, alpha=0.05, standardize="mean+std")
    result.to_model(["a", "b", "c", "d"]).save(tmp_path / "model.safetensors")
    model = fastsvm.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(model.predict(X), result.predict(X))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"alpha": 0.0}, ValueError, "alpha must be finite and > 0; got 0.0"),
        ({"loss": Softmax()}, ValueError, "loss must be WestonWatkins.* or CrammerSinger"),
        ({"tol": 0}, ValueError, "tol must be"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer >= 1; got 0"),
        ({"intercept_scaling": -1.0}, ValueError, "intercept_scaling must be finite and > 0; got -1.0"),
        ({"method": "newton"}, ValueError, "method must be one of 'auto', 'blocks', 'smoothing'; got 'newton'"),
        ({"start": 3}, TypeError, "start must be a DualResult or None; got int"),
        ({"dtype": "float16"}, TypeError, "dtype must be float64 or float32"),
        ({"callbacks": print}, TypeError, "callbacks must be a sequence"),
        ({"standardize": "no"}, ValueError, "standardize must be one of"),
    ],
)
def test_bad_arguments_are_named(blobs, change, error, message):
    with pytest.raises(error, match=message):
        dual.solve(*blobs, **({"alpha": 0.1} | change))


def test_a_start_must_be_of_the_same_problem(blobs):
    X, y = blobs
    first = dual.solve(X, y, alpha=0.1)
    with pytest.raises(ValueError, match="n_samples must be that of start, 90; got 50"):
        dual.solve(X[:50], y[:50], alpha=0.1, start=first)
    with pytest.raises(ValueError, match="y must be the labels that start was solved for"):
        dual.solve(X, (y + 1) % 4, alpha=0.1, start=first)
    with pytest.raises(ValueError, match="loss must be that of start"):
        dual.solve(X, y, alpha=0.1, loss=CrammerSinger(), start=first)


def test_numbers_that_are_not_finite_are_named(blobs):
    X, y = blobs
    X = X.copy()
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"X must hold finite numbers only; X\[7, 2\] is nan"):
        dual.solve(X, y, alpha=0.1, method="blocks")
    with pytest.raises(OverflowError, match="overflow float32"):
        dual.solve(np.full((4, 2), 1e38, np.float32), np.array([0, 1, 0, 1]), alpha=0.1, method="blocks")
