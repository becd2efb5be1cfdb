"""CSR samples in the numba backend, compared with the same samples as a dense array in the reference, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import fastsvm
from fastsvm.backends import _numba_pass, _numba_sparse_memory, reference
from fastsvm.backends import numba as backend
from fastsvm.losses import Softmax, WestonWatkins
from fastsvm.problem import Problem, Samples
from own_leaves import own_momentum, own_weston_watkins
from registrations import Registrations
from tables import LOSSES, THREADS, assert_close, assert_same_bits, clear_of_kinks, gradient, run_epoch

#: Dtypes of the weights, of the samples and of their indices.
TYPES = (
    ("float32", "float32", "int32"),
    ("float32", "float32", "int64"),
    ("float64", "float32", "int64"),
    ("float64", "float64", "int32"),
)
SMALL, LARGE = (60, 130, 5), (1500, 700, 20)
EMPTY_ROWS = (0, 7, 8, -1)

registrations = Registrations()
with registrations:
    OwnWestonWatkins = fastsvm.register_loss("own_weston_watkins", own_weston_watkins, delta=1.0)
    OwnMomentum = fastsvm.register_update("own_momentum", own_momentum, slots=["velocity"], momentum=0.9)


def sparse_problem(types=TYPES[3], shape=SMALL, loss=LOSSES[0], scaled=True, alpha=0.3):
    """Weights, intercept and a problem without kinks nearby; rows without a non-zero among it. All arrays are read-only."""
    (dtype, storage, index), (n, d, c) = types, shape
    rng = np.random.default_rng(4)
    inverse_scale = rng.uniform(0.5, 2.0, d).astype(dtype) if scaled else None
    x = rng.normal(size=(2 * n, d)).astype(storage) * (rng.random((2 * n, d)) < 0.1)
    W, b = rng.normal(size=(c, d)).astype(dtype), rng.normal(size=c).astype(dtype)
    y = rng.integers(0, c, 2 * n)
    kept = np.flatnonzero(clear_of_kinks((x * (1 if inverse_scale is None else inverse_scale)) @ W.T + b, y))[:n]
    x[kept[list(EMPTY_ROWS)]] = 0
    X = sp.csr_array(x[kept])
    X = sp.csr_array((X.data, X.indices.astype(index), X.indptr.astype(index)), shape=X.shape)
    assert (X.dtype, X.indices.dtype, X.indptr.dtype) == (storage, index, index)
    weight = rng.uniform(0.5, 2.0, n)
    problem = Problem(Samples(X, None, inverse_scale), y[kept].copy(), weight / weight.mean(), loss, alpha, 0.2)
    for array in (W, b, problem.y, problem.sample_weight, X.data, X.indices, X.indptr, inverse_scale):
        if array is not None:
            array.flags.writeable = False
    return W, b, problem


def dense(W, b, problem):
    """The same in float64, with samples as an array."""
    samples = problem.samples
    x = samples.X.toarray().astype(np.float64)
    x = x if samples.inverse_scale is None else x * samples.inverse_scale.astype(np.float64)
    return W.astype(np.float64), b.astype(np.float64), problem._replace(samples=Samples(x))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("types", TYPES, ids=str)
def test_objective_gradient_and_scores(types, loss):
    for scaled in (False, True):
        W, b, problem = case = sparse_problem(types, loss=loss, scaled=scaled)
        W64, b64, problem64 = dense(*case)
        for mine, expected in zip(gradient(backend, *case), gradient(reference, W64, b64, problem64), strict=True):
            assert_close(mine, expected, types[0])
        value, n_correct = backend.evaluate(W, b, problem, 2)
        value64, n_correct64 = reference.evaluate(W64, b64, problem64)
        assert_close(value, value64, types[0])
        assert n_correct == n_correct64
        out, expected = np.full((len(problem.y), len(W)), 7.0, W.dtype), np.empty((len(problem.y), len(W)))
        for intercept, intercept64 in ((b, b64), (None, None)):
            backend.scores(W, intercept, problem.samples, out, 2)
            reference.scores(W64, intercept64, problem64.samples, expected)
            assert_close(out, expected, types[0])


@pytest.mark.parametrize("with_scores", [False, True])
def test_top_k(with_scores):
    W, b, problem = case = sparse_problem(TYPES[0])
    n, found, expected = len(problem.y), [], []
    for module, (W, b, problem), into in ((backend, case, found), (reference, dense(*case), expected)):
        into += [np.empty((n, 2), np.int64), np.empty((n, 2), W.dtype)]
        module.top_k(W, b, problem.samples, into[0], into[1] if with_scores else None, 2)
    assert np.array_equal(found[0], expected[0])
    if with_scores:
        assert_close(found[1], expected[1], "float32")


def test_candidates():
    W, b, problem = case = sparse_problem()
    problem64 = dense(*case)[2]
    Ws, bs, n = np.stack([W, -W, 2 * W]), np.stack([b, b, -b]), len(problem.y)
    out, expected = np.empty(3), np.empty(3)
    backend.losses(Ws, bs, problem, out, 2)
    reference.losses(Ws, bs, problem64, expected)
    assert_close(out, expected, "float64")
    out, expected = np.empty((3, n, len(W))), np.empty((3, n, len(W)))
    backend.candidate_scores(Ws, None, problem.samples, out, 2)
    reference.candidate_scores(Ws, None, problem64.samples, expected)
    assert_close(out, expected, "float64")


@pytest.mark.parametrize("central", [False, True])
def test_numerical_gradient(central):
    W, b, problem = case = sparse_problem(loss=Softmax())
    results = []
    for module, (W, b, problem) in ((backend, case), (reference, dense(*case))):
        results.append((np.empty_like(W), np.empty_like(b)))
        module.numerical_gradient(W, b, problem, 1e-3, central, *results[-1], 1)
    for mine, expected in zip(*results, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-11)  # 1e-14 of rounding in the loss, over h


def test_numerical_gradient_has_the_same_bits_at_any_number_of_threads(monkeypatch):
    W, _, problem = sparse_problem(loss=Softmax())
    monkeypatch.setattr(backend, "SERIAL_PRODUCTS", 0)
    results = [np.empty_like(W) for _ in THREADS]
    for dW, n_threads in zip(results, THREADS, strict=True):
        backend.numerical_gradient(W, None, problem, 1e-3, True, dW, None, n_threads)
    assert_same_bits([[dW] for dW in results])


RULES = (
    (fastsvm.SGD(0.05), 0.3),
    (fastsvm.SGD(0.05), 0.0),
    (fastsvm.SGD(0.5), 1.9),  # the weights shrink to 0.05 of themselves in each update: the product leaves float32
    (fastsvm.SGD(0.5), 2.0),  # nothing of the weights is left but the gradient
    (fastsvm.Momentum(0.02), 0.3),
    (fastsvm.Nesterov(0.02), 0.3),
    (fastsvm.AdaGrad(0.05), 0.3),
    (fastsvm.AdaGrad(0.05), 0.0),
    (fastsvm.RMSProp(0.01), 0.3),
    (fastsvm.Adam(0.01), 0.3),
    (fastsvm.AdamW(0.01, weight_decay=0.5), 0.3),
)


@pytest.mark.parametrize(("optimizer", "alpha"), RULES, ids=repr)
def test_epoch(optimizer, alpha):
    for types, loss in ((TYPES[3], WestonWatkins()), (TYPES[0], Softmax())):
        case = sparse_problem(types, loss=loss, alpha=alpha)
        results = [run_epoch(*each, optimizer, 2) for each in ((backend, *case), (reference, *dense(*case)))]
        assert len(results[0][-3]) == 30
        for mine, expected in zip(*results, strict=True):
            assert_close(mine, expected, types[0])


@pytest.mark.parametrize("batch_size", [400, 1500])
@pytest.mark.parametrize("optimizer", [fastsvm.SGD(0.5), fastsvm.Adam(0.01)], ids=repr)
def test_epoch_has_the_same_bits_at_any_number_of_threads(optimizer, batch_size):
    case = sparse_problem(TYPES[1], LARGE)
    results = [run_epoch(backend, *case, optimizer, batch_size, n) for n in THREADS]
    assert_same_bits(results)
    assert np.array_equal(results[0][-3], results[1][-3])
    expected = run_epoch(reference, *dense(*case), optimizer, batch_size)
    assert_close(results[0][0], expected[0], "float32")


def test_pass_has_the_same_bits_at_any_number_of_threads_and_in_any_waves(monkeypatch):
    case = sparse_problem(TYPES[1], LARGE)
    results = [(*gradient(backend, *case, n), *backend.evaluate(*case, n)) for n in THREADS]
    monkeypatch.setattr(_numba_sparse_memory, "WAVE_BYTES", 1)
    for least in (1, 3):
        monkeypatch.setattr(_numba_sparse_memory, "MIN_WAVE", least)
        results.append((*gradient(backend, *case, 2), *backend.evaluate(*case, 2)))
    assert_same_bits(results)


def test_large_batches_run_in_parallel_and_small_ones_do_not(monkeypatch):
    teams, call = [], _numba_pass.call
    monkeypatch.setattr(_numba_pass, "call", lambda loop, n, *rest, **own: (teams.append(n), call(loop, n, *rest, **own))[1])
    gradient(backend, *sparse_problem(TYPES[1], LARGE), 3)
    assert set(teams) == {3}
    teams.clear()
    gradient(backend, *sparse_problem(TYPES[1], SMALL), 3)
    assert set(teams) == {1}


def test_own_loss_and_own_rule():
    with registrations:
        W, b, problem = sparse_problem()
        own = run_epoch(backend, W, b, problem._replace(loss=OwnWestonWatkins(1.0)), OwnMomentum(0.02, momentum=0.8), 16)
        built_in = run_epoch(backend, W, b, problem, fastsvm.Momentum(0.02, momentum=0.8), 16)
    for mine, expected in zip(own, built_in, strict=True):
        assert_close(mine, expected, "float64")


def test_samples_without_any_non_zero():
    # Scores are b = 0, so the loss is n_classes − 1 and db the share of the others minus (n_classes − 1) of the own.
    y = np.array([0, 1, 1, 2])
    problem = Problem(Samples(sp.csr_array((4, 3))), y, None, WestonWatkins(), alpha=0.5)
    W = np.arange(9.0).reshape(3, 3)
    value, dW, db = gradient(backend, W, np.zeros(3), problem)
    assert value == pytest.approx(2 + 0.25 * (W**2).sum())
    np.testing.assert_allclose(dW, 0.5 * W)
    np.testing.assert_allclose(db, [(3 - 2) / 4, (2 - 4) / 4, (3 - 2) / 4])


def test_what_is_not_finite():
    W, b, problem = sparse_problem()
    X = problem.samples.X.copy()
    row = int(np.flatnonzero(np.diff(X.indptr))[3])
    X.data[X.indptr[row]] = np.inf
    problem = problem._replace(samples=problem.samples._replace(X=X))
    assert np.isnan(backend.evaluate(W, b, problem, 1)[0])
    classes = np.empty((len(problem.y), 2), np.int64)
    backend.top_k(W, b, problem.samples, classes, None, 1)
    assert np.flatnonzero(classes[:, 0] == -1).tolist() == [row]
    # The epoch ends with the batch of that row, whose update is not made.
    order = np.concatenate([np.flatnonzero(np.arange(len(problem.y)) != row), [row]])
    ended = run_epoch(backend, W, b, problem, fastsvm.SGD(0.05), 20, order=order)
    before = run_epoch(backend, W, b, problem, fastsvm.SGD(0.05), 20, order=order[:40])
    assert ended[-2] == 3
    assert np.isnan(ended[-3][2])
    assert_same_bits([ended[:2], before[:2]])


def test_parts_have_about_equal_shares_of_the_work():
    # Feature 0 is in all 1000 rows, any other in one. With 1 for the update they cost 1001 and 2: half of it all are 0 … 249.
    n = 1000
    X = sp.csr_array((np.ones(2 * n), np.stack([np.zeros(n, int), 1 + np.arange(n)], axis=1).ravel(), 2 * np.arange(n + 1)))
    _, middle, last = _numba_sparse_memory.parts_of(X, n, 1, 2)
    assert last == n + 1
    assert 240 < middle < 260
    assert _numba_sparse_memory.parts_of(X, n, 100, 2).tolist() == [0, middle // 100 * 100, n + 1]
    assert (np.diff(_numba_sparse_memory.parts_of(X, n, 700, 4)) >= 0).all()
