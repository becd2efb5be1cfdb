"""The certificate: never below 0, next to nothing at optima that others have found, and equal to the formula written out."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import tables
from fastsvm import objective
from fastsvm.backends import reference
from fastsvm.dual.certificate import duality_gap
from fastsvm.dual.conjugates import check_variables, suggested, worth
from fastsvm.dual.intercept import balance
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins
from fastsvm.standardization import fit_standardization

ALPHA = 0.02
INTERCEPTS = ({}, {"intercept_scaling": 2.0}, {"b": True})


def blobs(n=40, d=4, n_classes=3, seed=0):
    """Overlapping classes, and weights of the samples, one of them 0."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    X = rng.normal(size=(n, d)) + rng.normal(size=(n_classes, d))[y]
    weight = rng.uniform(0.2, 2.0, n)
    weight[3] = 0.0
    return X, y, weight


def written_out(a, X, y, weight, loss, alpha, square):
    """The dual value, term by term, and what each class has left over; ``square`` is of the intercept's scale, or ``None``."""
    weight = weight * (len(y) / weight.sum())
    value, G, g = 0.0, np.zeros((a.shape[1], X.shape[1])), np.zeros(a.shape[1])
    for i, label in enumerate(y):
        for j in set(range(a.shape[1])) - {label}:
            here = a[i, j]
            if isinstance(loss, Softmax):
                value -= weight[i] * here * np.log(here) if here > 0 else 0
            else:
                value += weight[i] * (loss.delta * here - (here**2 / 4 if getattr(loss, "squared", False) else 0))
            for c, sign in ((label, 1), (j, -1)):
                G[c] += sign * weight[i] * here * X[i]
                g[c] += sign * weight[i] * here
        if isinstance(loss, Softmax):
            rest = 1 - a[i].sum()
            value -= weight[i] * rest * np.log(rest) if rest > 0 else 0
    value, G, g = value / len(y), G / len(y), g / len(y)
    value -= (np.square(G).sum() + (0 if square is None else square * np.square(g).sum())) / (2 * alpha)
    return value, g


def solved(X, y, weight, squared, delta=1.0, alpha=ALPHA):
    """Weights, dual variables and objective of the Weston-Watkins problem by scipy's L-BFGS-B on its dual."""
    n, n_classes = len(y), y.max() + 1
    weight = weight * (n / weight.sum())
    others = np.arange(n_classes) != y[:, None]

    def weights(a):
        D = -a * weight[:, None]
        D[np.arange(n), y] = -D.sum(axis=1)
        return D.T @ X / (alpha * n)

    def negative(flat):
        a = np.zeros((n, n_classes))
        a[others] = flat
        W = weights(a)
        scores = X @ W.T
        h = delta - (scores[np.arange(n), y][:, None] - scores)
        value = (weight @ (delta * a - squared * a**2 / 4).sum(axis=1)) / n - alpha / 2 * np.square(W).sum()
        return -value, -(weight[:, None] * (h - squared * a / 2))[others] / n

    bounds = [(0, None if squared else 1)] * others.sum()
    found = scipy.optimize.minimize(
        negative, np.full(others.sum(), 0.5), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 50},
    )  # fmt: skip
    a = np.zeros((n, n_classes))
    a[others] = found.x
    return weights(a), a, -found.fun


def test_conjugates(loss):
    """No dual variables of the box are above the loss, and those that the scores suggest come up to it."""
    rng = np.random.default_rng(0)
    scores, y = 2 * rng.normal(size=(50, 5)), rng.integers(0, 5, 50)
    value, _ = reference.loss_rows(scores, y, loss)
    z = scores - scores[np.arange(50), y][:, None]

    def reached(a):
        return worth(a, loss) + (a * z).sum(axis=1)

    assert np.allclose(reached(suggested(scores, y, loss, 1e-9)), value, rtol=1e-7)
    for width in (0.1, 1.0, 10.0):
        a = suggested(scores * rng.uniform(0, 2), y, loss, width)
        assert np.allclose(check_variables(a, y, 5, loss), a, rtol=1e-14, atol=0)
        assert (reached(a) <= value + 1e-12).all()
        assert (reached(0.5 * a) <= value + 1e-12).all()


@pytest.mark.parametrize("squared", [False, True])
def test_the_gap_at_an_optimum_found_through_the_dual(squared):
    X, y, weight = blobs()
    loss = WestonWatkins(squared=squared)
    W, a, value = solved(X, y, weight, squared)
    given = duality_gap(W, X, y, loss=loss, alpha=ALPHA, sample_weight=weight, a=a)
    assert abs(given.dual_objective - value) < 1e-12
    assert given.relative < 1e-6
    found = duality_gap(W, X, y, loss=loss, alpha=ALPHA, sample_weight=weight)
    assert found.relative < 1e-5
    assert abs(found.dual_objective - value) < 1e-5 * value
    # of float32 weights, which are not quite these
    assert duality_gap(W.astype(np.float32), X, y, loss=loss, alpha=ALPHA, sample_weight=weight, a=a).relative < 1e-5


@pytest.mark.parametrize("kind", INTERCEPTS, ids=str)
def test_any_weights(loss, kind):
    X, y, weight = blobs()
    rng = np.random.default_rng(1)
    lowest = np.inf
    found = []
    for scale in (0.01, 0.3, 3.0):
        W, b = rng.normal(size=(3, 4)) * scale, rng.normal(size=3)
        how = {"b": b if kind else None, "intercept_scaling": kind.get("intercept_scaling")}
        result = duality_gap(W, X, y, loss=loss, alpha=ALPHA, sample_weight=weight, **how, refine=0)
        value = objective.loss_value(W, X, y, how["b"], loss, ALPHA, weight)
        if "intercept_scaling" in kind:
            value += ALPHA / 2 * np.square(b / 2).sum()
        assert result.objective == pytest.approx(value, rel=1e-13)
        square = 4.0 if "intercept_scaling" in kind else None
        dual, left = written_out(result.a, X, y, weight, loss, ALPHA, square)
        assert result.dual_objective == pytest.approx(dual, rel=1e-10, abs=1e-12)
        assert result.gap == result.objective - result.dual_objective > 0
        if "b" in kind:
            assert np.abs(left).sum() < 1e-14
        assert result.a.min() >= 0
        assert not result.a[np.arange(len(y)), y].any()
        if isinstance(loss, (CrammerSinger, Softmax)):
            assert result.a.sum(axis=1).max() <= 1 + 1e-12
        elif not loss.squared:
            assert result.a.max() <= 1
        refined = duality_gap(W, X, y, loss=loss, alpha=ALPHA, sample_weight=weight, **how)
        assert result.dual_objective <= refined.dual_objective
        lowest = min(lowest, refined.objective)
        found.append(refined.dual_objective)
    assert max(found) <= lowest  # each bounds the objective of all weights
    assert max(found) - min(found) < 0.4 * (lowest - min(found))  # and what was looked for longer is near the least


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_logistic_regression_is_certified(fit_intercept):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y, weight = blobs(n=150)
    model = linear_model.LogisticRegression(C=0.4, fit_intercept=fit_intercept, tol=1e-9, max_iter=5000)
    model.fit(X, y, sample_weight=weight)
    b = model.intercept_ if fit_intercept else None
    alpha = 1 / (0.4 * weight.sum())
    assert duality_gap(model.coef_, X, y, b, Softmax(), alpha, weight).relative < 1e-10
    assert duality_gap(model.coef_, X, y, b, Softmax(), 1.5 * alpha, weight).relative > 1e-3


def test_liblinear_crammer_singer_is_certified():
    svm = pytest.importorskip("sklearn.svm")
    X, y, _ = blobs(n=150, d=6, n_classes=4)
    model = svm.LinearSVC(multi_class="crammer_singer", C=0.5, fit_intercept=False, tol=1e-9, max_iter=200_000).fit(X, y)
    assert duality_gap(model.coef_, X, y, loss=CrammerSinger(), alpha=1 / (0.5 * len(y))).relative < 1e-5


def test_unpenalised_intercept_by_another_solver():
    X, y, weight = blobs(n=15, d=2)
    n, others = len(y), np.arange(3) != blobs(n=15, d=2)[1][:, None]

    def full(flat):
        a = np.zeros((n, 3))
        a[others] = flat
        return a

    def left(flat):
        return written_out(full(flat), X, y, weight, WestonWatkins(), ALPHA, None)[1][:2]

    best = scipy.optimize.minimize(
        lambda flat: -written_out(full(flat), X, y, weight, WestonWatkins(), ALPHA, None)[0], np.full(2 * n, 0.3),
        method="SLSQP", bounds=[(0, 1)] * (2 * n), constraints={"type": "eq", "fun": left}, options={"ftol": 1e-12},
    )  # fmt: skip
    found = duality_gap(np.zeros((3, 2)), X, y, np.zeros(3), WestonWatkins(), ALPHA, weight)
    assert found.dual_objective <= -best.fun + 1e-9
    assert found.dual_objective > -best.fun - 0.1 * (found.objective + best.fun)
    a = full(best.x)
    a[0, (y[0] + 1) % 3] = 1.0 if a[0, (y[0] + 1) % 3] < 0.5 else 0.0  # out of balance
    mended = duality_gap(np.zeros((3, 2)), X, y, np.zeros(3), WestonWatkins(), ALPHA, weight, a=a)
    assert np.abs(written_out(mended.a, X, y, weight, WestonWatkins(), ALPHA, None)[1]).sum() < 1e-14
    assert mended.dual_objective <= -best.fun + 1e-9


def test_balance():
    ring = np.array([[0, 3.0, 0], [0, 0, 3], [3, 0, 0]])
    assert np.allclose(balance(ring), ring > 0, atol=1e-15)
    rng = np.random.default_rng(0)
    for n_classes, size in ((2, 1.0), (5, 1e3), (40, 1e-3)):
        M = rng.exponential(size, (n_classes, n_classes)) ** 3 * (rng.random((n_classes, n_classes)) < 0.5)
        factors = balance(M)
        balanced = factors * M * (1 - np.eye(n_classes))
        assert factors.min() >= 0
        assert factors.max() <= 1
        assert np.abs(balanced.sum(axis=0) - balanced.sum(axis=1)).max() <= 1e-14 * max(balanced.sum(), 1e-300)
    near = 1 + 1e-6 * rng.random((4, 4))  # what is nearly in balance hardly changes
    np.fill_diagonal(near, 0)
    assert balance(near)[~np.eye(4, dtype=bool)].min() > 1 - 3e-6
    one_way = np.array([[0, 2.0, 1], [1, 0, 1], [0, 0, 0]])  # nothing ever leaves the last class
    assert np.array_equal(balance(one_way) > 0, [[False, True, False], [True, False, False], [False] * 3])


def test_a_class_without_samples(loss):
    X, y, _ = blobs()
    found = duality_gap(np.zeros((4, 4)), X, y, np.zeros(4), loss, ALPHA, refine=0)
    assert found.gap > 0
    assert not found.a[:, 3].any()


def test_storages_standardisation_sparse_and_blocks(loss, monkeypatch):
    X, y, weight = blobs(n=60)
    bytes_ = np.clip(X * 30 + 120, 0, 255).astype(np.uint8)
    statistics = fit_standardization(bytes_, "mean+std")
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(3, 4)) * 0.2, rng.normal(size=3)
    how = {"b": b, "loss": loss, "alpha": ALPHA, "sample_weight": weight, "refine": 0}
    expected = duality_gap(W, statistics.apply(bytes_), y, **how)
    for backend in ("native", "numba", "reference"):
        found = duality_gap(W, bytes_, y, standardization=statistics, backend=backend, **how)
        assert found.dual_objective == pytest.approx(expected.dual_objective, rel=1e-9)
        assert found.objective == pytest.approx(expected.objective, rel=1e-12)
    monkeypatch.setattr("fastsvm.dual.mixtures.BLOCK", 20)
    monkeypatch.setattr("fastsvm.dual.mixtures.GRADIENTS", 2 * 12 * 8)
    few = duality_gap(W, bytes_, y, standardization=statistics, **how)
    assert few.dual_objective == pytest.approx(expected.dual_objective, rel=0.02)
    X = np.where(X > 0, X, 0)
    dense = duality_gap(W, X, y, **how)
    sparse = duality_gap(W, scipy.sparse.csr_array(X), y, backend="reference", **how)
    assert sparse.dual_objective == pytest.approx(dense.dual_objective, rel=1e-9)


def test_weights_are_repetitions(loss):
    X, y, _ = blobs(n=20)
    times = np.arange(20) % 3
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(3, 4)), rng.normal(size=3)
    weighted = duality_gap(W, X, y, b, loss, ALPHA, times.astype(float), refine=0)
    repeated = duality_gap(W, np.repeat(X, times, axis=0), np.repeat(y, times), b, loss, ALPHA, refine=0)
    tables.assert_close(weighted.objective, repeated.objective, "float64")
    assert weighted.dual_objective == pytest.approx(repeated.dual_objective, rel=1e-2)  # the widths tried differ a little


def test_two_samples_by_hand():
    X, y = np.array([[1.0], [-1.0]]), np.array([0, 1])
    nothing = duality_gap(np.zeros((2, 1)), X, y, loss="weston_watkins", alpha=1.0)
    assert nothing.objective == 1.0
    assert nothing.relative == nothing.gap
    # Margins of 1/2 and a penalty of 2/2 (1/16 + 1/16); G = (1/2, -1/2) with both a at 1/2.
    found = duality_gap(np.array([[0.25], [-0.25]]), X, y, alpha=2.0, a=np.array([[0.0, 0.5], [0.5, 0.0]]))
    assert found.objective == 0.5 + 0.125
    assert found.dual_objective == 0.5 - 0.5 / (2 * 2.0)
    assert found.relative == 0.25 / 0.625


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"alpha": 0.0}, ValueError, "alpha must be > 0"),
        ({"alpha": -1.0}, ValueError, "alpha"),
        ({"loss": "hinge"}, ValueError, "loss"),
        ({"intercept_scaling": 1.0}, ValueError, "intercept_scaling must be None where there is no b"),
        ({"b": np.zeros(3), "intercept_scaling": 0.0}, ValueError, "intercept_scaling"),
        ({"a": np.zeros((2, 2))}, ValueError, "a must have shape"),
        ({"a": np.full((40, 3), 2.0)}, ValueError, "a must be dual variables"),
        ({"a": np.zeros((40, 3), int)}, TypeError, "a must be a NumPy array of float64"),
        ({"W": np.zeros((3, 4), int)}, TypeError, "W must have dtype"),
        ({"W": np.zeros((1, 4))}, ValueError, r"W must have at least 2 rows.*np.vstack\(\[-w / 2, w / 2\]\)"),
        ({"W": np.full((3, 4), np.nan)}, ValueError, "W must hold finite"),
        ({"refine": -1}, ValueError, "refine"),
    ],
)
def test_errors(change, error, words):
    X, y, _ = blobs()
    arguments = {"W": np.zeros((3, 4)), "X": X, "y": y, "alpha": ALPHA} | change
    with pytest.raises(error, match=words):
        duality_gap(**arguments)
