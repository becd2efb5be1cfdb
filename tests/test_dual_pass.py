"""The compiled passes over the dual against their definition in NumPy, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import tables
from fastsvm.dual import reference
from fastsvm.dual.ascent import Ascent
from fastsvm.losses import CrammerSinger, WestonWatkins
from fastsvm.problem import Problem, Samples

LOSSES = (WestonWatkins(0.8), WestonWatkins(0.8, squared=True), CrammerSinger(0.8))
TOLERANCE = {"float64": 1e-9, "float32": 3e-3}  # of passes in which every rounding changes what follows


def make(n_classes: int, n_features: int, kind: str, loss, dtype: str = "float64", alpha: float = 1e-2, n: int = 70) -> Problem:
    """Samples in buckets that are not full, weights of which one is 0, a sample of zeros."""
    rng = np.random.default_rng([n_classes, n_features])
    x = rng.normal(size=(n, n_features))
    x[5] = 0
    y, weight = rng.integers(0, n_classes, n), rng.uniform(0.5, 2.0, n)
    weight[3] = 0
    if kind == "sparse":
        samples = Samples(sparse.csr_array((x * (rng.random(x.shape) < 0.3)).astype(dtype)))
    elif kind == "scaled sparse":
        X = sparse.csr_array((x * (rng.random(x.shape) < 0.3)).astype(dtype))
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
        samples = Samples(X, None, rng.uniform(0.5, 2, n_features).astype(dtype))
    elif kind == "bytes":
        X = rng.integers(0, 256, x.shape, dtype=np.uint8)
        samples = Samples(X, np.full(n_features, 120.0, dtype), rng.uniform(0.01, 0.02, n_features).astype(dtype))
    else:
        samples = Samples(x.astype(dtype))
    return Problem(samples, y, weight / weight.mean(), loss, alpha)


def widened(samples: Samples) -> np.ndarray:
    """Samples as the solver sees them, dense, in float64."""
    x = samples.X.toarray() if samples.is_sparse else samples.X
    x = x.astype(np.float64)
    if samples.mean is not None:
        x -= samples.mean
    return x if samples.inverse_scale is None else x * samples.inverse_scale


def order_of(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.concatenate([rng.permutation(n), rng.permutation(n)[: n // 2]])


def expected(problem: Problem, n_classes: int, square: float | None):
    x = widened(problem.samples)
    W, a = np.zeros((n_classes, x.shape[1])), np.zeros((len(x), n_classes))
    b = None if square is None else np.zeros(n_classes)
    gaps, values = reference.ascend(
        x,
        problem.y,
        problem.sample_weight,
        problem.loss,
        1 / (problem.alpha * len(x)),
        square or 0.0,
        W,
        b,
        a,
        order_of(len(x)),
    )
    return W, b, a, gaps, values


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize(
    ("n_classes", "n_features", "kind", "dtype", "square"),
    [
        (2, 5, "dense", "float64", 0.49),
        (3, 700, "dense", "float64", None),
        (10, 200, "bytes", "float32", 0.49),
        (130, 33, "dense", "float32", 0.49),
        (2, 200, "sparse", "float32", None),
        (5, 64, "scaled sparse", "float64", 0.49),
        (20, 300, "sparse", "float64", 0.49),
        (150, 50, "scaled sparse", "float32", 0.49),
    ],
)
def test_a_pass_makes_the_iterates_of_the_definition(level, loss, n_classes, n_features, kind, dtype, square):
    problem = make(n_classes, n_features, kind, loss, dtype)
    W, b, a, gaps, values = expected(problem, n_classes, square)
    ascent = Ascent(problem, np.zeros(a.shape, dtype), square, 1)
    gap, value, own_gaps = ascent.step(order_of(len(a)))
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(ascent.a, a, atol=tolerance * np.abs(a).max())
    np.testing.assert_allclose(ascent.W[:, :n_classes].T, W, atol=tolerance * np.abs(W).max())
    np.testing.assert_allclose(own_gaps, gaps, atol=tolerance * gaps.max())
    assert gap == pytest.approx(gaps.sum() / len(a), rel=tolerance)
    assert value == pytest.approx(values.sum() / len(a), rel=tolerance)
    if b is not None:
        np.testing.assert_allclose(ascent.b, b, atol=tolerance * max(np.abs(b).max(), 1e-3))
    assert not ascent.W[:, n_classes:].any()


@pytest.mark.parametrize(("kind", "n_features"), [("dense", 1030), ("bytes", 513), ("sparse", 513)])
def test_threads_change_no_bit(monkeypatch, kind, n_features):
    monkeypatch.setattr("fastsvm.dual.ascent.PARALLEL_PRODUCTS", 0)
    results = []
    for n_threads in tables.THREADS:
        problem = make(10, n_features, kind, LOSSES[0], "float32", n=600)
        ascent = Ascent(problem, np.zeros((600, 10), np.float32), 1.0, n_threads)
        stepped = ascent.step(order_of(600))
        results.append((ascent.W, ascent.b, ascent.a, *stepped, *ascent.certify()))
    tables.assert_same_bits(results)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_certificate_is_the_sum_of_its_terms_and_changes_nothing(loss, kind):
    problem = make(6, 40, kind, loss)
    ascent = Ascent(problem, np.zeros((70, 6)), 0.49, 1)
    ascent.step(order_of(70))
    W, a, b = ascent.W.copy(), ascent.a.copy(), ascent.b.copy()
    gap, value, gaps = ascent.certify()
    scores = widened(problem.samples) @ W[:, :6] + b
    terms = [
        reference.terms(loss.delta - (scores[i, problem.y[i]] - scores[i]), a[i], problem.y[i], loss) for i in range(len(a))
    ]
    expected_values, expected_gaps = (np.array(column) * problem.sample_weight for column in zip(*terms, strict=True))
    np.testing.assert_allclose(gaps, expected_gaps, atol=1e-12)
    assert (gap, value) == pytest.approx((expected_gaps.mean(), expected_values.mean()))
    assert np.array_equal(ascent.W, W)
    assert np.array_equal(ascent.a, a)
    assert np.array_equal(ascent.b, b)


def test_weights_made_anew_are_those_the_steps_have_made():
    problem = make(6, 40, "dense", LOSSES[0])
    ascent = Ascent(problem, np.zeros((70, 6)), 0.49, 1)
    ascent.step(order_of(70))
    before, intercept = ascent.W.copy(), ascent.b.copy()
    W, b = ascent.rebuild()
    np.testing.assert_allclose(ascent.W, before, atol=1e-12)
    np.testing.assert_allclose(b, intercept, atol=1e-12)
    np.testing.assert_allclose(W.sum(axis=0), 0, atol=1e-12)


def test_the_block_step_by_hand():
    # h = (1, 0.5) for the classes 0 and 1 of an example of class 2, q = 1: v = h, g = (1 + 0.5) / 3.
    best = reference.block(np.array([1.0, 0.5, 0.0]), np.zeros(3), 1.0, 2, WestonWatkins())
    np.testing.assert_allclose(best, [0.5, 0.0, 0.0])
    # With h = (3, 3): both at the bound, as 3 - 2 >= 1.
    assert reference.block(np.array([3.0, 3.0, 0.0]), np.zeros(3), 1.0, 2, WestonWatkins()).tolist() == [1, 1, 0]
    # Crammer-Singer: their sum is 1.
    assert reference.block(np.array([3.0, 3.0, 0.0]), np.zeros(3), 1.0, 2, CrammerSinger()).tolist() == [0.5, 0.5, 0]
    # Squared, K = 2: a (q + q + 1/2) = h.
    assert reference.block(np.array([0.0, 2.5]), np.zeros(2), 1.0, 0, WestonWatkins(squared=True)).tolist() == [0, 1]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_block_step_is_the_best_of_its_block(loss):
    """Against projected gradient on random instances, ties and variables at their bounds among them."""
    rng = np.random.default_rng(0)
    upper, curvature, capped = reference.bounds(loss)
    for _ in range(60):
        k = int(rng.integers(2, 9))
        y, q = int(rng.integers(k)), float(10 ** rng.uniform(-2, 1))
        h = rng.normal(size=k).round(1)
        a = np.where(rng.random(k) < 0.5, 0.0, rng.random(k) / k)
        a[y] = 0
        best = reference.block(h, a, q, y, loss)
        others = np.arange(k) != y
        rise = (h - q * (best - a) - q * (best - a).sum() - curvature * best)[others]
        b = best[others]
        assert best[y] == 0
        assert (b >= 0).all()
        assert (b <= upper).all()
        theta = max(rise.max(), 0.0) if capped else 0.0  # the multiplier of the sum
        assert not theta > 1e-9 or b.sum() == pytest.approx(1)
        assert (rise[b < upper] <= theta + 1e-9).all()
        assert (rise[b > 0] >= theta - 1e-9).all()
