"""Smoothed losses in every backend, the parts of the descent, and its result against optima found otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import tables
from fastsvm import backends, datasets, loss_value
from fastsvm.backends import native, reference
from fastsvm.dual.bundle import Bundle, largest
from fastsvm.dual.certificate import duality_gap
from fastsvm.dual.smoothing import SmoothingResult, minimize
from fastsvm.losses import CrammerSinger, SmoothedCrammerSinger, SmoothedWestonWatkins, Softmax, WestonWatkins
from fastsvm.standardization import fit_standardization
from test_duality_gap import ALPHA, blobs, solved

SMOOTHED = (SmoothedWestonWatkins(0.8), SmoothedCrammerSinger(0.8), SmoothedCrammerSinger(40.0))


def test_values_by_hand():
    # margins 0.5 - 0 + 0.25, -3 + 0.25, 2 + 0.25; own class 1
    scores, y = np.array([[0.5, 0.0, -3.0, 2.0]]), np.array([1])
    value, d = reference.loss_rows(scores, y, SmoothedWestonWatkins(0.25))
    assert value[0] == 0.75**2 / 2 + 2.25 - 0.5
    assert np.array_equal(d, [[0.75, -1.75, 0, 1]])
    # nearest to (0.75, 2.25) with a sum of at most 1: t = 1.25 leaves (0, 1)
    value, d = reference.loss_rows(scores, y, SmoothedCrammerSinger(0.25))
    assert value[0] == 2.25 - 0.5
    assert np.array_equal(d, [[0, -1, 0, 1]])
    # margins 0.75, -, 0.5, 0.5: their sum is 0.75 too much, a quarter for each
    value, d = reference.loss_rows(np.array([[0.5, 0.0, 0.25, 0.25]]), y, SmoothedCrammerSinger(0.25))
    assert value[0] == 0.5 * 0.75 + 2 * 0.25 * 0.5 - (0.5**2 + 2 * 0.25**2) / 2
    assert np.array_equal(d, [[0.5, -1, 0.25, 0.25]])
    # within the cap: half of the squares
    value, d = reference.loss_rows(np.array([[0.0, 0.0, -1.0, 0.25]]), y, SmoothedCrammerSinger(0.25))
    assert value[0] == (0.25**2 + 0.5**2) / 2
    assert np.array_equal(d, [[0.25, -0.75, 0, 0.5]])


@pytest.mark.parametrize("loss", SMOOTHED, ids=repr)
def test_gradient_is_that_of_the_value(loss):
    rng = np.random.default_rng(0)
    scores, y, h = rng.normal(size=(30, 7)), rng.integers(0, 7, 30), 1e-6
    _, d = reference.loss_rows(scores, y, loss)
    for c in range(7):
        step = h * (np.arange(7) == c)
        rise = reference.loss_rows(scores + step, y, loss)[0] - reference.loss_rows(scores - step, y, loss)[0]
        assert np.abs(rise / (2 * h) - d[:, c]).max() < h  # the gradient has bends


@pytest.mark.parametrize(("sharp", "smooth"), [(WestonWatkins, SmoothedWestonWatkins), (CrammerSinger, SmoothedCrammerSinger)])
def test_small_widths_come_near_the_loss(sharp, smooth):
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=(200, 6)), rng.integers(0, 6, 200)
    value, _ = reference.loss_rows(scores, y, sharp(0.7))
    for width in (1.0, 0.1, 1e-3):
        below = value - width * reference.loss_rows(scores / width, y, smooth(0.7 / width))[0]
        most = width / 2 * (5 if sharp is WestonWatkins else 1)
        assert below.min() >= -1e-12
        assert 0.1 * most < below.max() <= most + 1e-12


@pytest.mark.parametrize("loss", SMOOTHED, ids=repr)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_backends_agree(loss, dtype):
    rng = np.random.default_rng(0)
    for n_classes in (2, 10, 33, 130):
        scores, y = rng.normal(size=(60, n_classes)).astype(dtype), rng.integers(0, n_classes, 60)
        weight = rng.uniform(0, 2, 60)
        expected = np.empty((60, n_classes))
        value = reference.score_loss(scores.astype(np.float64), y, loss, weight, expected)
        for name in tables.COMPILED:
            d = np.empty_like(scores)
            result = backends.get(name).score_loss(scores, y, loss, weight, d, 2)
            # float32 rounds margins of 40, of which the projection takes differences
            allowed = 1 if dtype == "float64" else 2 + loss.delta
            assert abs(result - value) <= allowed * tables.TOLERANCE[dtype] * value
            assert np.abs(d - expected).max() <= allowed * tables.TOLERANCE[dtype] * np.abs(expected).max()
            scores[3, 1] = np.nan
            assert np.isnan(backends.get(name).score_loss(scores, y, loss, weight, d, 2))
            scores[3, 1] = 0.25
            value = reference.score_loss(scores.astype(np.float64), y, loss, weight, expected)


@pytest.mark.parametrize("loss", SMOOTHED[:2], ids=repr)
@pytest.mark.parametrize("dtypes", [("float64", "uint8"), ("float32", "uint8"), ("float32", "float32")], ids=str)
def test_gradient_of_passes(loss, dtypes, level):
    case = ((65, 130, 17), dtypes, True, loss, False)  # unweighted bytes: where the hinge losses take the exact way
    W, b, problem = tables.make_problem(*case)
    expected = tables.expected_gradient(*case)
    results = [tables.gradient(native, W, b, problem, n) for n in (1, 2)]
    tables.assert_same_bits(results)
    for found, wanted in zip(results[0], expected, strict=False):
        tables.assert_close(found, wanted, dtypes[0])
    assert native.evaluate(W, b, problem, 2)[0] == pytest.approx(expected[0], rel=tables.TOLERANCE[dtypes[0]])


def test_many_rows_at_a_time_are_refused():
    W, b, problem = tables.make_problem((7, 3, 2), ("float64", "float64"), False, SMOOTHED[0])
    out, scores = np.empty(2), np.zeros((1, 7, 2))
    with pytest.raises(TypeError, match="loss"):
        native.losses(np.stack([W, W]), None, problem, out, 1)
    with pytest.raises(TypeError, match="loss"):
        native.combination_losses(scores, np.zeros((1, 1)), None, problem.y, problem.loss, None, out[:1], 1)
    with pytest.raises(TypeError, match="loss"):
        native.numerical_gradient(W, b, problem, 1e-5, True, np.empty_like(W), None, 1)
    with pytest.raises(TypeError, match="loss must be one of"):
        loss_value(W, problem.samples.X, problem.y, loss=SMOOTHED[0])


def test_largest_value_of_a_mixture():
    rng = np.random.default_rng(0)
    for m in (2, 3, 8, 20):
        for _ in range(5):
            A = rng.normal(size=(m, 30)) + 2 * rng.normal(size=30)
            H, c = A @ A.T * rng.choice([0.01, 0.1, 1]), rng.uniform(-0.2, 1, m)
            value, theta = largest(c, H)
            assert theta.min() >= 0
            assert theta.sum() <= 1 + 1e-12
            assert value == pytest.approx(c @ theta - 0.5 * theta @ H @ theta)
            # Where it is largest no direction within the simplex rises.
            gain = c - H @ theta
            assert max(gain.max(), 0) - gain @ theta <= 1e-6 * value
    assert largest(np.array([-1.0, -2.0]), np.eye(2))[0] == 0
    assert largest(np.array([3.0]), np.array([[0.5]]), np.inf)[1] == 6


def test_bundle_is_a_lower_bound():
    """Of |w - 1| + |w + 1| + w²/2, which is 2 at best: tangents at 3 and -2."""
    bundle = Bundle(np.ones(1))
    for w, value, slope in ((3.0, 6.0, 2.0), (-2.0, 4.0, -2.0)):
        bundle.add(np.array([[w]]), value, np.array([[-slope]]))
    assert bundle.bound()[0] == pytest.approx(0.0, abs=1e-12)  # both tangents are |2 w|
    bundle.add(np.array([[0.0]]), 2.0, np.array([[0.0]]))
    bound, shares = bundle.bound()
    assert bound == pytest.approx(2.0)
    assert shares == pytest.approx([0, 0, 1])


def least(X, y, weight, loss, square):
    """The least objective by scipy's L-BFGS-B, of a smooth loss; ``square`` is of the intercept's scale, inf: unpenalised."""
    n, n_classes = len(y), y.max() + 1

    def value(flat):
        W = flat.reshape(n_classes, -1)
        scores = X @ W[:, :-1].T + W[:, -1]
        rows, d = reference.loss_rows(scores, y, loss)
        penalty = ALPHA * np.append(np.ones(X.shape[1]), 1 / square)
        dW = (d * weight[:, None]).T @ np.column_stack([X, np.ones(n)]) / weight.sum() + W * penalty
        return weight @ rows / weight.sum() + 0.5 * (np.square(W) * penalty).sum(), dW.ravel()

    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000}
    start = np.zeros(n_classes * (X.shape[1] + 1))
    return scipy.optimize.minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun


@pytest.mark.parametrize("squared", [False, True])
def test_the_optimum_is_that_of_the_dual(squared):
    X, y, weight = blobs()
    _, _, value = solved(X, y, weight, squared)
    loss = WestonWatkins(squared=squared)
    found = minimize(X, y, loss=loss, alpha=ALPHA, sample_weight=weight, fit_intercept=False, tol=1e-5, max_passes=3000)
    assert found.converged
    assert found.stop_reason == "converged"
    assert value - 1e-9 <= found.objective <= value * (1 + 1e-5)
    assert found.b is None
    # a penalised intercept is a constant feature
    wide = np.column_stack([X, np.full(len(y), 2.0)])
    _, _, value = solved(wide, y, weight, squared)
    found = minimize(X, y, loss=loss, alpha=ALPHA, sample_weight=weight, intercept_scaling=2.0, tol=1e-5, max_passes=3000)
    assert value - 1e-9 <= found.objective <= value * (1 + 1e-5)
    assert value * (1 - 1e-5) <= found.dual_objective <= value + 1e-9


@pytest.mark.parametrize("loss", [WestonWatkins(squared=True), Softmax()], ids=repr)
@pytest.mark.parametrize("square", [1.0, np.inf])
def test_smooth_losses(loss, square):
    X, y, weight = blobs()
    value = least(X, y, weight, loss, square)
    found = minimize(
        X, y, loss=loss, alpha=ALPHA, sample_weight=weight, intercept_scaling=None if square == np.inf else 1.0, tol=1e-6
    )
    assert found.converged
    assert value * (1 - 1e-6) <= found.dual_objective <= value * (1 + 1e-9)
    assert value * (1 - 1e-9) <= found.objective <= value * (1 + 1e-6)


@pytest.mark.parametrize("how", [{}, {"intercept_scaling": 0.5}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("loss", [WestonWatkins(), CrammerSinger(1.5)], ids=repr)
def test_result_is_certified(loss, how):
    X, y, weight = blobs()
    records: list = []
    found = minimize(X, y, loss=loss, alpha=ALPHA, sample_weight=weight, tol=1e-3, callbacks=[records.append], **how)
    assert found.converged
    again = duality_gap(found.W, X, y, found.b, loss, ALPHA, weight, intercept_scaling=how.get("intercept_scaling"), a=found.a)
    assert again.objective == pytest.approx(found.objective, rel=1e-12)
    assert again.dual_objective == pytest.approx(found.dual_objective, rel=1e-9)
    assert found.gap == found.objective - found.dual_objective <= 1e-3 * found.objective
    last = found.history[-1]
    assert (last.objective, last.dual_objective) == (found.objective, found.dual_objective)
    assert found.n_passes == last.passes
    assert records == [record for record in found.history if record in records]
    assert [record.width for record in records] == sorted((record.width for record in records), reverse=True)


def test_bytes_sparse_backends_and_threads():
    X, y, weight = blobs(n=200, d=12)
    X = np.where(np.abs(X) > 0.7, X, 0)
    bytes_ = np.clip(X * 30 + 100, 0, 255).astype(np.uint8)
    statistics = fit_standardization(bytes_, "mean+std")
    how = {"alpha": ALPHA, "sample_weight": weight, "tol": 1e-3}
    dense = minimize(statistics.apply(bytes_), y, **how)
    for backend in ("native", "numba"):
        found = minimize(bytes_, y, standardization=statistics, backend=backend, **how)
        assert found.converged
        assert found.objective == pytest.approx(dense.objective, rel=2e-3)
    one, two = (minimize(bytes_, y, standardization=statistics, n_threads=n, **how) for n in (1, 2))
    tables.assert_same_bits([(found.W, found.b, found.a, found.objective) for found in (one, two)])
    dense = minimize(X, y, **how)
    found = minimize(scipy.sparse.csr_array(X), y, backend="reference", **how)
    assert found.converged
    assert found.objective == pytest.approx(dense.objective, rel=2e-3)


def test_ends_and_starts():
    X, y, _ = blobs()
    found = minimize(X, y, alpha=ALPHA, tol=1e-7, max_passes=20)
    assert not found.converged
    assert found.stop_reason == "max_passes"
    assert found.gap > 1e-7 * found.objective
    found = minimize(X, y, alpha=ALPHA, tol=1e-7, callbacks=[lambda record: True])
    assert found.stop_reason == "callback"
    assert len(found.history) == 2  # the look, and the certificate
    found = minimize(X, y, alpha=ALPHA, tol=1e-4)
    again = minimize(X, y, alpha=ALPHA, tol=1e-4, W=found.W, b=found.b, widths=[found.history[-1].width])
    assert again.converged
    assert again.n_passes < found.n_passes
    given = minimize(X, y, alpha=ALPHA, tol=1e-9, widths=[0.5, 0.25], max_passes=100)
    assert {record.width for record in given.history} <= {0.5, 0.25}
    assert minimize(X, y, alpha=ALPHA, n_classes=5).W.shape == (5, 4)
    assert isinstance(minimize(X, y, alpha=1e6), SmoothingResult)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"tol": 0.0}, "tol"),
        ({"max_passes": 0}, "max_passes"),
        ({"intercept_scaling": -1.0}, "intercept_scaling"),
        ({"fit_intercept": False, "intercept_scaling": 1.0}, "fit_intercept is False"),
        ({"widths": [1.0, 0.0]}, "widths"),
        ({"W": np.zeros((2, 4))}, "W must have one row per class, 3"),
        ({"n_classes": 2}, "y must be class indices"),
        ({"X": np.full((40, 4), np.nan)}, "X must hold finite numbers"),
    ],
)
def test_errors(change, words):
    X, y, _ = blobs()
    with pytest.raises(ValueError, match=words):
        minimize(**({"X": X, "y": y, "alpha": ALPHA} | change))


def test_fashion_mnist(data_dir):
    folder = data_dir / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip("FASTSVM_DATA has no folder fashion-mnist")
    data = datasets.load(folder)
    X, y = np.ascontiguousarray(data.X[:4000]), data.y[:4000]
    found = minimize(X, y, alpha=0.05, standardization=fit_standardization(X, "mean+std"), tol=5e-2, max_passes=300)
    assert found.converged
