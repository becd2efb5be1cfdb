"""CSR samples on the native backend, against the reference on the same numbers as a dense array of float64."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp

import fastsvm
from fastsvm.backends import native, reference
from fastsvm.losses import Loss, Softmax, WestonWatkins
from fastsvm.optimizers import OPTIMIZERS
from fastsvm.problem import Problem, Samples
from tables import LOSSES, THREADS, assert_close, assert_same_bits, clear_of_kinks, gradient, run_epoch, scores

#: n_samples, n_features, n_classes, entries of a row on average. Rows of more entries than are laid out at a time, too.
SHAPES = ((203, 57, 2, 6), (61, 1300, 20, 900), (30, 40, 1000, 10))
SMALL, MIDDLE = (61, 57, 3, 9), (100, 300, 20, 40)

#: Dtypes of weights and samples.
DTYPES = (("float64", "float64"), ("float64", "float32"), ("float32", "float32"))
DOUBLES = DTYPES[0]


@pytest.fixture(autouse=True)
def share_small_work(monkeypatch):
    """Problems of these tests are to be shared out among threads."""
    monkeypatch.setattr(native, "SERIAL_PRODUCTS", 2000)


@cache
def make(shape, dtypes=DOUBLES, index="int32", loss: Loss = LOSSES[0], alpha=0.3):
    """Weights, intercept and a problem with rows without entries, features in no row, weights of 0 and scaled features."""
    n, d, c, entries = shape
    rng = np.random.default_rng([n, d, c])
    x = rng.normal(size=(4 * n + 40, d)) * (rng.random((4 * n + 40, d)) < entries / d)
    x[::7], x[:, d // 2] = 0, 0
    inverse_scale = rng.uniform(0.5, 2, d).astype(dtypes[0])
    W, b = (rng.normal(size=(c, d)) / np.sqrt(entries)).astype(dtypes[0]), rng.normal(size=c).astype(dtypes[0])
    y = rng.integers(0, c, len(x))
    kept = np.flatnonzero(clear_of_kinks(x * inverse_scale @ W.T.astype(np.float64) + b, y))[:n]
    assert len(kept) == n
    X = sp.csr_array(x[kept].astype(dtypes[1]))
    X = sp.csr_array((X.data, X.indices.astype(index), X.indptr.astype(index)), shape=X.shape)
    assert (X.indices.dtype, X.indptr.dtype) == (index, index)
    assert (np.diff(X.indptr) == 0).any()
    weight = rng.uniform(0.5, 2.0, n)
    weight[0] = 0.0
    problem = Problem(Samples(X, None, inverse_scale), y[kept], weight * n / weight.sum(), loss, alpha, alpha_intercept=0.2)
    for array in (W, b, X.data, X.indices, X.indptr, problem.y, problem.sample_weight, inverse_scale):
        array.flags.writeable = False
    return W, b, problem


def dense(W, b, problem):
    """The same numbers in float64, the samples as an array that holds the zeros, already scaled."""
    X, _, inverse_scale = problem.samples
    x = X.toarray().astype(np.float64) * (1 if inverse_scale is None else inverse_scale.astype(np.float64))
    return W.astype(np.float64), None if b is None else b.astype(np.float64), problem._replace(samples=Samples(x))


def compare_passes(W, b, problem):
    """Scores, objective, correct samples, gradient."""
    dtype = W.dtype.name
    expected = dense(W, b, problem)
    assert_close(scores(native, W, b, problem.samples), scores(reference, *expected[:2], expected[2].samples), dtype)
    value, correct = native.evaluate(W, b, problem, 2)
    value64, correct64 = reference.evaluate(*expected)
    assert_close(value, value64, dtype)
    assert correct == correct64
    for found, wanted in zip(gradient(native, W, b, problem), gradient(reference, *expected), strict=True):
        assert (found is None) == (wanted is None)
        if found is not None:
            assert_close(found, wanted, dtype)


class TestPasses:
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    @pytest.mark.parametrize("dtypes", DTYPES, ids=str)
    def test_against_the_reference(self, shape, dtypes, loss):
        for index in ("int32", "int64"):
            W, b, problem = make(shape, dtypes, index, loss)
            compare_passes(W, b, problem)
        plain = Problem(problem.samples._replace(inverse_scale=None), problem.y, None, loss)
        compare_passes(W, None, plain)

    def test_every_level(self, level, loss):
        for dtypes in DTYPES:
            compare_passes(*make((61, 300, 21, 40), dtypes, "int32", loss))

    def test_more_rows_than_a_wave_holds(self):
        compare_passes(*make((1100, 30, 1000, 5)))

    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    @pytest.mark.parametrize("dtypes", DTYPES[::2], ids=str)
    def test_candidates(self, shape, dtypes):
        W, b, problem = make(shape, dtypes)
        factors = np.linspace(1.0, -0.5, 70 if shape[2] < 1000 else 3)  # several groups
        Ws, bs = np.multiply.outer(factors, W).astype(W.dtype), np.multiply.outer(factors, b).astype(b.dtype)
        for intercepts in (bs, None):
            bs64 = None if intercepts is None else intercepts.astype(np.float64)
            _, _, problem64 = dense(W, b, problem)
            found, wanted = np.empty(len(Ws)), np.empty(len(Ws))
            native.losses(Ws, intercepts, problem, found, 2)
            reference.losses(Ws.astype(np.float64), bs64, problem64, wanted)
            for k in range(len(Ws)):
                assert_close(found[k], wanted[k], dtypes[0])
            out, expected = (np.empty((len(Ws), shape[0], shape[2]), dtype) for dtype in (W.dtype, np.float64))
            native.candidate_scores(Ws, intercepts, problem.samples, out, 2)
            reference.candidate_scores(Ws.astype(np.float64), bs64, problem64.samples, expected)
            assert_close(out, expected, dtypes[0])

    def test_top_k(self):
        W, b, problem = make(MIDDLE)
        results = []
        for backend, (weights, intercept, given) in ((native, (W, b, problem)), (reference, dense(W, b, problem))):
            classes, top = np.empty((100, 3), np.int64), np.empty((100, 3))
            backend.top_k(weights, intercept, given.samples, classes, top, 2)
            results.append((classes, top))
        assert np.array_equal(results[0][0], results[1][0])
        np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)

    @pytest.mark.parametrize("central", [True, False])
    def test_numerical_gradient(self, loss, central):
        for index, intercept in (("int32", True), ("int64", False)):
            W, b, problem = make((33, 41, 5, 8), DTYPES[intercept], index, loss)
            results = []
            for backend, arguments in ((native, (W, b, problem)), (reference, dense(W, b, problem))):
                dW, db = np.full_like(W, 7.0), np.full_like(b, 7.0) if intercept else None
                backend.numerical_gradient(arguments[0], b if intercept else None, arguments[2], 1e-5, central, dW, db, 2)
                results.append((dW, np.empty(0) if db is None else db))
            for found, wanted in zip(*results, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)

    def test_by_hand(self):
        # Scores of the rows (2, 0, 1), (0, 0, 0): (2 + 3, 4 + 5), (0, 0); Weston-Watkins margins 9 - 5 + 1 and 0 - 0 + 1.
        X = sp.csr_array(([2.0, 1.0], [0, 2], [0, 2, 2]), shape=(2, 3))
        problem = Problem(Samples(X), np.array([0, 1]), None, WestonWatkins())
        W = np.array([[1.0, 9.0, 3.0], [2.0, 9.0, 5.0]])
        value, dW, db = gradient(native, W, np.zeros(2), problem)
        assert value == 3.0
        assert dW.tolist() == [[-1.0, 0.0, -0.5], [1.0, 0.0, 0.5]]
        assert db.tolist() == [0.0, 0.0]

    def test_a_number_that_is_not_finite_is_a_nan_loss(self, loss):
        for number in (np.nan, np.inf):
            W, b, problem = make(SMALL, loss=loss)
            X = problem.samples.X.copy()
            X.data[-1] = number
            assert np.isnan(native.evaluate(W, b, problem._replace(samples=Samples(X)), 1)[0])


class TestThreads:
    def test_passes_have_the_same_bits(self, loss):
        for dtypes in DTYPES[::2]:
            W, b, problem = make((203, 57, 20, 9), dtypes, "int32", loss)
            assert_same_bits([gradient(native, W, b, problem, n) for n in THREADS])
            assert_same_bits([native.evaluate(W, b, problem, n) for n in THREADS])
            assert_same_bits([(scores(native, W, b, problem.samples, n),) for n in THREADS])

    @pytest.mark.parametrize("rule", OPTIMIZERS)
    def test_epochs_have_the_same_bits(self, rule, level):
        for alpha in (0.0, 0.3):
            W, b, problem = make(MIDDLE, DTYPES[2], alpha=alpha)
            assert_same_bits([run_epoch(native, W, b, problem, OPTIMIZERS[rule](), 33, n) for n in THREADS])


def compare_epochs(W, b, problem, optimizer, batch_size, order=None, rtol=1e-9):
    results = run_epoch(native, W, b, problem, optimizer, batch_size, order=order)
    expected = run_epoch(reference, *dense(W, b, problem), optimizer, batch_size, order=order)
    for part, expected_part in zip(results[:-2], expected[:-2], strict=True):
        np.testing.assert_allclose(part, expected_part, rtol=rtol, atol=rtol * 1e-2)
    assert results[-2:] == expected[-2:]
    return results


class TestEpoch:
    @pytest.mark.parametrize("rule", OPTIMIZERS)
    @pytest.mark.parametrize("alpha", [0.0, 0.3])
    def test_every_rule(self, rule, alpha):
        order = np.random.default_rng(3).integers(0, 61, 130)  # leaves out and repeats
        for batch_size, intercept in ((1, True), (7, False), (130, True)):
            W, b, problem = make(SMALL, DOUBLES, "int64", Softmax(), alpha)
            compare_epochs(W, b if intercept else None, problem, OPTIMIZERS[rule](0.05), batch_size, order)

    @pytest.mark.parametrize("batch_size", [1, 7, 100])
    def test_every_loss(self, loss, batch_size):
        W, b, problem = make(MIDDLE, DOUBLES, "int32", loss)
        compare_epochs(W, b, problem, fastsvm.SGD(0.05), batch_size)
        compare_epochs(W, None, problem, fastsvm.Momentum(0.01), batch_size)

    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_float32(self, shape):
        W, b, problem = make(shape, DTYPES[2], loss=Softmax())
        for batch_size in (1, 20, shape[0]):
            results = run_epoch(native, W, b, problem, fastsvm.SGD(0.05), batch_size)
            expected = run_epoch(reference, *dense(W, b, problem), fastsvm.SGD(0.05), batch_size)
            for part, expected_part in zip(results[:-2], expected[:-2], strict=True):
                assert_close(part, expected_part, "float32")

    @pytest.mark.parametrize(("rate", "alpha"), [(1.2, 0.3), (3.0, 0.3), (4.0, 0.25), (4.5, 0.3)])
    def test_a_penalty_that_leaves_little_of_the_weights(self, rate, alpha):
        # An update leaves 1 - rate alpha of them: 1e-12 after some 60 updates; a tenth; nothing; a negative part.
        W, b, problem = make(MIDDLE, DOUBLES, loss=Softmax())
        problem = problem._replace(alpha=alpha, alpha_intercept=0.0)
        compare_epochs(W, b, problem, fastsvm.SGD(rate), 1, rtol=1e-7)

    @pytest.mark.parametrize("rule", ["sgd", "adagrad", "adam"])
    def test_small_work_is_not_shared(self, rule, monkeypatch):
        monkeypatch.setattr(native, "SERIAL_PRODUCTS", 10**9)
        for alpha in (0.0, 0.3):
            W, b, problem = make(SHAPES[1], loss=Softmax(), alpha=alpha)
            compare_epochs(W, b, problem, OPTIMIZERS[rule](0.01), 7)

    def test_rates_that_change(self):
        W, b, problem = make(SMALL, DOUBLES, loss=Softmax())
        compare_epochs(W, b, problem, fastsvm.SGD(lambda step: 0.1 / (1 + step)), 3)

    @pytest.mark.parametrize("alpha", [0.0, 0.3])
    @pytest.mark.parametrize("rule", ["sgd", "adagrad"])
    def test_large_batches_of_few_entries(self, rule, alpha):
        W, b, problem = make((700, 5000, 3, 4), alpha=alpha)
        compare_epochs(W, b, problem, OPTIMIZERS[rule](0.1), 600)

    @pytest.mark.parametrize("rule", ["sgd", "momentum"])
    def test_larger_batches_than_a_wave_holds(self, rule):
        W, b, problem = make((600, 30, 1000, 20))
        compare_epochs(W, b, problem, OPTIMIZERS[rule](0.1), 550)

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    @pytest.mark.parametrize("rule", ["sgd", "momentum"])
    def test_ends_after_the_first_loss_that_is_not_finite(self, rule):
        W, b, problem = make(MIDDLE, DOUBLES, "int32", WestonWatkins(squared=True), 0.0)
        problem, optimizer = problem._replace(alpha_intercept=0.0), OPTIMIZERS[rule](1e307)
        order = np.arange(100)
        results = run_epoch(native, W, b, problem, optimizer, 30, order=order)
        once = run_epoch(native, W, b, problem, optimizer, 30, order=order[:30])
        losses, updates = results[-3], results[-2]
        assert updates == 2
        assert not np.isfinite(losses[1])
        assert (losses[2:] == 7.0).all()
        assert_same_bits([results[:2], once[:2]])

    def test_an_update_that_is_not_made_leaves_the_weights(self):
        W, b, problem = make(MIDDLE)
        X = problem.samples.X.copy()
        row = np.flatnonzero(np.diff(X.indptr))[-1]
        X.data[X.indptr[row]] = np.inf
        problem, first = problem._replace(samples=Samples(X)), np.arange(30)
        results = run_epoch(native, W, b, problem, fastsvm.SGD(0.1), 30, order=np.append(first, row))
        assert results[-2] == 2
        assert np.isnan(results[-3][1])
        once = run_epoch(native, W, b, problem, fastsvm.SGD(0.1), 30, order=first)
        np.testing.assert_allclose(results[0], once[0], rtol=1e-12, atol=1e-14)

    def test_an_epoch_of_real_text(self, data_dir):
        path = data_dir / "news20_train.svm.bz2"
        if not path.exists():
            pytest.skip("FASTSVM_DATA has no news20_train.svm.bz2")
        from sklearn.datasets import load_svmlight_file

        X, y = load_svmlight_file(str(path), dtype=np.float32)
        X.sort_indices()
        labels = np.unique(y, return_inverse=True)[1].astype(np.int64)
        problem = Problem(Samples(sp.csr_array(X)), labels, None, WestonWatkins(), alpha=1e-4)
        W, b, order = np.zeros((20, X.shape[1]), np.float32), np.zeros(20, np.float32), np.arange(160)
        results = run_epoch(native, W, b, problem, fastsvm.SGD(0.5), 32, order=order)
        problem64 = problem._replace(samples=Samples(problem.samples.X.astype(np.float64)))
        expected = run_epoch(reference, W.astype(float), b.astype(float), problem64, fastsvm.SGD(0.5), 32, order=order)
        for part, expected_part in zip(results, expected, strict=True):
            assert_close(part, expected_part, "float32")
        for batch_size in (1, 256):
            epochs = [run_epoch(native, W, b, problem, fastsvm.SGD(0.5), batch_size, n) for n in THREADS[:2]]
            assert_same_bits(epochs)
            assert native.evaluate(*epochs[0][:2], problem, 2)[0] < 19  # that of weights of 0: n_classes - 1
