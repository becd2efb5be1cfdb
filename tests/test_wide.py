"""Many classes and many candidates on the native backend: every shape of the tiles, every SIMD level, and the exponential."""

from __future__ import annotations

from itertools import cycle, product

import numpy as np
import pytest

import fastsvm
from fastsvm import CrammerSinger, Softmax, WestonWatkins, _native
from fastsvm.backends import native, reference
from fastsvm.optimizers import OPTIMIZERS
from fastsvm.problem import Problem, Samples
from tables import (
    LOSSES,
    THREADS,
    assert_close,
    assert_same_bits,
    data_gradient,
    expected_gradient,
    gradient,
    in_float64,
    make_problem,
    pairwise,
    run_epoch,
    scores,
)

#: About the number of classes from which the products of matrices take over, and about multiples of all tiles.
CLASSES = (63, 64, 65, 100, 257, 1000)
FEATURES = (1, 7, 64, 65, 768)
STORED = (
    ("float32", "float32"),
    ("float64", "float64"),
    ("float64", "float32"),
    ("float32", "float16"),
    ("float32", "bfloat16"),
    ("float64", "float16"),
    ("float32", "uint8"),
    ("float64", "int8"),
)

#: n_samples, n_features, n_classes: several pieces, several blocks, and more blocks than are summed in float.
LARGE_SHAPES = ((203, 65, 257), (2101, 65, 64), (9001, 3, 65))
MIDDLE = (203, 65, 257)


def compare_all(case, n_threads=2):
    """Objective, all gradients, scores and correct samples of ``make_problem(*case)`` with the reference in float64."""
    W, b, problem = make_problem(*case)
    dtype = case[1][0]
    value64, dW64, db64, dX64, correct64 = expected_gradient(*case)
    value, dW, db = gradient(native, W, b, problem, n_threads)
    for found, expected in ((value, value64), (dW, dW64), (db, db64)):
        assert_close(found, expected, dtype)
    value, dX = data_gradient(native, W, b, problem, n_threads)
    assert_close(value, value64, dtype)
    assert_close(dX, dX64, dtype)
    value, correct = native.evaluate(W, b, problem, n_threads)
    assert_close(value, value64, dtype)
    assert correct == correct64
    samples64 = in_float64(problem.samples)
    expected = scores(reference, W.astype(np.float64), b.astype(np.float64), samples64)
    assert_close(scores(native, W, b, problem.samples, n_threads), expected, dtype)


class TestAgainstReference:
    @pytest.mark.parametrize(
        ("classes", "features", "dtype", "loss", "standardized"),
        [(classes, *rest) for classes in CLASSES for rest in pairwise(FEATURES, ["float64", "float32"], LOSSES, [False, True])],
        ids=str,
    )
    def test_shapes_and_losses(self, classes, features, dtype, loss, standardized):
        compare_all(((57, features, classes), (dtype, "float32"), standardized, loss))

    @pytest.mark.parametrize(
        ("stored", "features", "classes", "loss", "standardized"),
        pairwise(STORED, FEATURES, CLASSES, LOSSES, [False, True]),
        ids=str,
    )
    def test_storage_types(self, stored, features, classes, loss, standardized):
        compare_all(((57, features, classes), stored, standardized, loss))

    @pytest.mark.parametrize(("shape", "loss", "stored"), pairwise(LARGE_SHAPES, LOSSES, STORED[:2]), ids=str)
    def test_many_rows(self, shape, stored, loss):
        compare_all((shape, stored, False, loss))

    @pytest.mark.parametrize(("stored", "loss"), [*zip(STORED, cycle(LOSSES), strict=False)], ids=str)
    def test_every_level(self, level, stored, loss):
        compare_all((MIDDLE, stored, True, loss))

    @pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 83, 84, 85, 1007, 1008, 1009])
    def test_numbers_of_rows(self, n):
        compare_all(((n, 33, 70), ("float64", "float64"), False))

    @pytest.mark.parametrize("number", [0.1, 0.7, 1 / 3])
    def test_sums_in_float32_do_not_drift(self, number):
        # W = 0, and class 0 belongs to nobody: its gradient is the mean of X, whose roundings all go one way.
        X, y = np.full((50_000, 6), number, np.float32), 1 + np.arange(50_000) % 64
        problem = Problem(Samples(X), y, None, WestonWatkins())
        _, dW, _ = gradient(native, np.zeros((65, 6), np.float32), None, problem)
        np.testing.assert_allclose(dW[0], np.float64(X[0]), rtol=1e-5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_score_that_is_not_finite_is_a_nan_loss(self, loss, bad):
        W, b, problem = make_problem((33, 5, 70), ("float64", "float64"), False, loss)
        for position, beyond in product((0, 31, 32, 69), (0, 1)):  # the samples' own class, another one
            wrong, y = b.copy(), np.full(33, (position + beyond) % 70)
            wrong[position] = bad
            assert np.isnan(native.evaluate(W, wrong, problem._replace(y=y), 1)[0]), (position, beyond)


class TestThreads:
    @pytest.mark.parametrize(("shape", "loss", "stored"), pairwise(LARGE_SHAPES, LOSSES, [STORED[0], STORED[3]]), ids=str)
    def test_passes_have_the_same_bits(self, shape, stored, loss):
        W, b, problem = make_problem(shape, stored, True, loss)
        assert_same_bits([gradient(native, W, b, problem, n) for n in THREADS])
        assert_same_bits([data_gradient(native, W, b, problem, n) for n in THREADS])
        assert_same_bits([native.evaluate(W, b, problem, n) for n in THREADS])
        assert_same_bits([(scores(native, W, b, problem.samples, n),) for n in THREADS])

    @pytest.mark.parametrize("rule", OPTIMIZERS)
    def test_epochs_have_the_same_bits(self, rule):
        W, b, problem = make_problem((2101, 65, 64), STORED[0], True)
        assert_same_bits([run_epoch(native, W, b, problem, OPTIMIZERS[rule](), 500, n) for n in THREADS])


class TestEpoch:
    @pytest.mark.parametrize(
        ("batch_size", "loss", "intercept"), pairwise([1, 15, 16, 100, 203], LOSSES, [True, False]), ids=str
    )
    def test_against_the_reference(self, loss, batch_size, intercept):
        W, b, problem = make_problem(MIDDLE, ("float64", "float64"), True, loss)
        b = b if intercept else None
        results = run_epoch(native, W, b, problem, fastsvm.Momentum(0.01), batch_size)
        expected = run_epoch(reference, W, b, problem, fastsvm.Momentum(0.01), batch_size)
        for part, expected_part in zip(results[:-2], expected[:-2], strict=True):
            np.testing.assert_allclose(part, expected_part, rtol=1e-9, atol=1e-11)
        assert results[-2:] == expected[-2:]

    @pytest.mark.parametrize("rule", OPTIMIZERS)
    def test_every_rule(self, rule):
        W, b, problem = make_problem(MIDDLE, ("float64", "float64"), False, Softmax())
        results = run_epoch(native, W, b, problem, OPTIMIZERS[rule](), 50)
        expected = run_epoch(reference, W, b, problem, OPTIMIZERS[rule](), 50)
        for part, expected_part in zip(results[:-2], expected[:-2], strict=True):
            np.testing.assert_allclose(part, expected_part, rtol=1e-8, atol=1e-10)

    def test_ends_after_the_first_loss_that_is_not_finite(self):
        W, b, problem = make_problem(MIDDLE, ("float64", "float64"), False, WestonWatkins(squared=True))
        problem = problem._replace(alpha=0.0, alpha_intercept=0.0)
        order = np.arange(203)
        results = run_epoch(native, W, b, problem, fastsvm.SGD(1e307), 50, order=order)
        once = run_epoch(native, W, b, problem, fastsvm.SGD(1e307), 50, order=order[:50])
        losses, updates = results[-3], results[-2]
        assert updates == 2
        assert not np.isfinite(losses[1])
        assert (losses[2:] == 7.0).all()
        assert np.array_equal(results[0], once[0])
        assert np.array_equal(results[1], once[1])


class TestCandidates:
    #: n_samples, n_features, n_classes, n_candidates: one group and several; several blocks; weights laid out once and anew.
    CASES = ((57, 7, 3, 1), (203, 65, 10, 40), (2101, 5, 2, 100), (2101, 64, 10, 9), (90, 768, 10, 300), (57, 65, 257, 5))

    @staticmethod
    def make(case, dtypes, loss=WestonWatkins()):
        n, d, c, k = case
        W, b, problem = make_problem((n, d, c), dtypes, True, loss)
        factors = np.linspace(1.0, -0.5, k)
        return np.multiply.outer(factors, W).astype(W.dtype), np.multiply.outer(factors, b).astype(b.dtype), problem

    @pytest.mark.parametrize(("case", "dtypes", "loss"), pairwise(CASES, STORED[:4], LOSSES), ids=str)
    def test_is_that_of_single_passes(self, case, dtypes, loss):
        Ws, bs, problem = self.make(case, dtypes, loss)
        for intercepts in (bs, None):
            found = np.full(len(Ws), 7.0)
            native.losses(Ws, intercepts, problem, found, 2)
            problem64 = problem._replace(samples=in_float64(problem.samples))
            for k in range(0, len(Ws), max(1, len(Ws) // 7)):
                b64 = None if intercepts is None else intercepts[k].astype(np.float64)
                assert_close(found[k], reference.evaluate(Ws[k].astype(np.float64), b64, problem64)[0], dtypes[0])

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_threads_do_not_change_a_bit(self, case):
        Ws, bs, problem = self.make(case, STORED[0])
        results = []
        for n_threads in THREADS:
            results.append((np.empty(len(Ws)),))
            native.losses(Ws, bs, problem, results[-1][0], n_threads)
        assert_same_bits(results)

    def test_every_level(self, level, loss):
        Ws, bs, problem = self.make((203, 65, 10, 40), ("float64", "float64"), loss)
        found = np.empty(40)
        native.losses(Ws, bs, problem, found, 2)
        expected = [reference.evaluate(W, b, problem)[0] for W, b in zip(Ws, bs, strict=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


class TestRows:
    """The losses of rows of every length about the vectors', from scores that need no product."""

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_every_class_in_every_place(self, level, loss, dtype):
        for n_classes in (2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100):
            rng = np.random.default_rng(n_classes)
            given, y = rng.normal(size=(4 * n_classes, n_classes)).astype(dtype), np.arange(4 * n_classes) % n_classes
            given[n_classes : 2 * n_classes] = np.round(given[n_classes : 2 * n_classes])  # ties
            given[2 * n_classes + np.arange(n_classes), np.arange(n_classes)] += 9  # no violation
            expected = np.empty(given.shape)
            value64 = reference.score_loss(given.astype(np.float64), y, loss, None, expected)
            dscores = np.empty_like(given)
            assert_close(native.score_loss(given, y, loss, None, dscores, 1), value64, dtype)
            assert_close(dscores, expected, dtype)

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_all_levels_have_the_same_bits(self, loss, dtype):
        rng = np.random.default_rng(0)
        given, y = rng.normal(size=(64, 77)).astype(dtype), rng.integers(0, 77, 64)
        before, results = _native.simd_level(), []
        try:
            for name in _native.simd_levels():
                _native.set_simd_level(name)
                dscores = np.empty_like(given)
                results.append((native.score_loss(given, y, loss, None, dscores, 1), dscores))
        finally:
            _native.set_simd_level(before)
        assert_same_bits(results)

    def test_crammer_singer_takes_the_first_of_equal_scores_but_the_own(self):
        given = np.zeros((3, 40))
        dscores = np.empty_like(given)
        native.score_loss(given, np.array([0, 1, 39]), CrammerSinger(), None, dscores, 1)
        assert dscores.argmax(axis=1).tolist() == [1, 0, 0]


class TestExponential:
    """Softmax of scores (0, x): where 1 + exp(x) rounds to 1, the gradient on the second score is exp(x) itself."""

    @staticmethod
    def second(x: np.ndarray) -> np.ndarray:
        given = np.stack([np.zeros_like(x), x], axis=1)
        dscores = np.empty_like(given)
        native.score_loss(given, np.zeros(len(x), np.int64), Softmax(), None, dscores, 1)
        return dscores[:, 1] * x.dtype.type(len(x))

    @staticmethod
    def ulps(found: np.ndarray, expected: np.ndarray) -> float:
        return float(np.max(np.abs(found - expected) / np.spacing(expected.astype(found.dtype))))

    @pytest.mark.parametrize(("dtype", "least", "alone"), [("float32", -75.0, -18.0), ("float64", -690.0, -40.0)])
    def test_is_within_two_units_in_the_last_place(self, level, dtype, least, alone):
        # 2**14 rows: the mean over them is a shift of the exponent.
        for low, high, tolerance in ((least, alone, 2.0), (alone, 0.0, 4.0)):
            x = np.linspace(low, high, 1 << 14).astype(dtype)
            exact = np.exp(x.astype(np.longdouble))
            expected = exact if high == alone else exact / (1 + exact)  # two more roundings
            assert self.ulps(self.second(x), expected) <= tolerance

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_underflows_gradually(self, level, dtype):
        start = np.log(np.longdouble(np.finfo(dtype).tiny))
        for x in np.linspace(start - 40, start + 1, 400).astype(dtype):  # the last subnormal number is 16 or 36 below
            exact = np.exp(np.longdouble(x))
            assert abs(self.second(x[None])[0] - exact) <= 2 * np.spacing(exact.astype(dtype))
        assert self.second(np.array([-1e4], dtype))[0] == 0.0
        assert self.second(np.array([-np.finfo(dtype).max], dtype))[0] == 0.0

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_of_zero_is_one(self, level, dtype):
        # n equal scores: probabilities of exactly 1 / n, a power of two.
        for n, score in product((2, 16, 64, 128), (0.0, 3.3, -1e6)):
            dscores = np.full((1, n), score, dtype)
            native.score_loss(dscores.copy(), np.array([0]), Softmax(), None, dscores, 1)
            assert (dscores[0, 1:] == 1 / n).all()
            assert dscores[0, 0] == 1 / n - 1
