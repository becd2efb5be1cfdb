"""Every compiled backend against the reference in float64, and against itself at other numbers of threads."""

from __future__ import annotations

import threading
import time
from itertools import product

import numpy as np
import pytest

import fastsvm
from fastsvm.backends import reference
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins
from fastsvm.optimizers import OPTIMIZERS, AdamW, slots
from fastsvm.problem import Problem, Samples
from tables import (
    DTYPES,
    LOSSES,
    SHAPES,
    THREADS,
    TOLERANCE,
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
    stored,
)

#: Shapes whose passes are large enough for threads, in both compiled backends.
LARGE_SHAPES = ((3001, 23, 10), (37, 2051, 17), (20_011, 7, 3))


class TestAgainstReference:
    @pytest.mark.parametrize(
        ("shape", "stored", "loss", "weighted"),
        pairwise(SHAPES, [*product(DTYPES, (False, True))], LOSSES, (True, False)),
        ids=str,
    )
    def test_every_pass(self, compiled, shape, stored, loss, weighted):
        (dtypes, standardized), dtype = stored, stored[0][0]
        case = shape, dtypes, standardized, loss, weighted
        W, b, problem = make_problem(*case)
        value64, dW64, db64, dX64, correct64 = expected_gradient(*case)
        value, dW, db = gradient(compiled, W, b, problem)
        assert_close(value, value64, dtype)
        assert_close(dW, dW64, dtype)
        assert_close(db, db64, dtype)
        value, dX = data_gradient(compiled, W, b, problem)
        assert_close(value, value64, dtype)
        assert_close(dX, dX64, dtype)
        value, correct = compiled.evaluate(W, b, problem, 2)
        assert_close(value, value64, dtype)
        assert correct == correct64
        for intercept in (b, None):
            b64 = None if intercept is None else intercept.astype(np.float64)
            expected = scores(reference, W.astype(np.float64), b64, in_float64(problem.samples))
            assert_close(scores(compiled, W, intercept, problem.samples), expected, dtype)

    @pytest.mark.parametrize(
        ("shape", "kind", "weighted"),
        pairwise([*SHAPES, (40_003, 1, 3)], [*product(("float64", "float32"), LOSSES)], (False, True)),
        ids=str,
    )
    def test_score_loss(self, compiled, shape, kind, weighted):
        dtype, loss = kind
        W, b, problem = make_problem(shape, (dtype, "float32"), False, loss, weighted)
        given = scores(reference, W, b, problem.samples)
        expected = np.empty(given.shape)
        value64 = reference.score_loss(given.astype(np.float64), problem.y, loss, problem.sample_weight, expected)
        dscores = np.full_like(given, 7.0)
        value = compiled.score_loss(given, problem.y, loss, problem.sample_weight, dscores, 2)
        assert_close(value, value64, dtype)
        assert_close(dscores, expected, dtype)
        assert compiled.score_loss(given, problem.y, loss, problem.sample_weight, None, 2) == value

    @pytest.mark.parametrize(("dtypes", "loss", "alpha"), pairwise(DTYPES, LOSSES, (0.0, 0.5)), ids=str)
    def test_without_intercept_weights_and_penalty(self, compiled, dtypes, loss, alpha):
        W, _, problem = make_problem((33, 17, 10), dtypes, False, loss, False)
        problem = problem._replace(alpha=alpha, alpha_intercept=0.0)
        problem64 = problem._replace(samples=in_float64(problem.samples))
        value64, dW64, _ = gradient(reference, W.astype(np.float64), None, problem64)
        value, dW, db = gradient(compiled, W, None, problem)
        assert db is None
        assert_close(value, value64, dtypes[0])
        assert_close(dW, dW64, dtypes[0])
        assert_close(compiled.evaluate(W, None, problem, 1)[0], value64, dtypes[0])

    def test_no_margin_is_violated(self, compiled, dtypes):
        # Class j's score is 5 where feature j is 1, else 0: margins are −5 + 1.
        y = np.arange(64) % 3
        problem = Problem(Samples(stored(np.eye(3)[y], dtypes[1])), y, None, WestonWatkins())
        W = (5 * np.eye(3)).astype(dtypes[0])
        for loss in (WestonWatkins(), WestonWatkins(squared=True), CrammerSinger()):
            value, dW, db = gradient(compiled, W, np.zeros(3, dtypes[0]), problem._replace(loss=loss))
            assert value == 0.0
            assert not dW.any()
            assert not db.any()

    def test_every_margin_is_violated(self, compiled, dtypes):
        # W = 0: every margin is Δ, so the loss is (n_classes − 1) Δ and dW_j = mean of x over the others − (n_classes − 1) own.
        y = np.arange(60) % 3
        X = np.arange(60 * 2).reshape(60, 2) - 60.0 * (dtypes[1] != "uint8")  # exact in every type
        problem = Problem(Samples(stored(X, dtypes[1])), y, None, WestonWatkins(delta=2.0))
        value, dW, db = gradient(compiled, np.zeros((3, 2), dtypes[0]), np.zeros(3, dtypes[0]), problem)
        own = np.array([X[y == j].sum(axis=0, dtype=np.float64) for j in range(3)])
        assert value == pytest.approx(4.0)
        assert_close(dW, (own.sum(axis=0) - 3 * own) / 60, dtypes[0])
        assert np.abs(db).max() < 1e-6

    @pytest.mark.parametrize("loss", [WestonWatkins(), Softmax()], ids=repr)
    def test_fifty_thousand_rows_in_float32(self, compiled, loss):
        case = (50_000, 11, 10), ("float32", "float32"), False, loss
        value, dW, db = gradient(compiled, *make_problem(*case))
        expected = expected_gradient(*case)
        assert TOLERANCE["float32"] <= 1e-5
        assert value == pytest.approx(expected[0], rel=1e-6)
        assert_close(dW, expected[1], "float32")
        assert_close(db, expected[2], "float32")

    @pytest.mark.parametrize("number", [0.1, 0.7, 1 / 3])
    def test_sums_in_float32_do_not_drift(self, compiled, number):
        # W = 0, and class 0 belongs to nobody: its gradient is the mean of X, whose roundings all go one way.
        X, y = np.full((50_000, 6), number, np.float32), 1 + np.arange(50_000) % 2
        problem = Problem(Samples(X), y, None, WestonWatkins())
        _, dW, db = gradient(compiled, np.zeros((3, 6), np.float32), np.zeros(3, np.float32), problem)
        np.testing.assert_allclose(dW[0], np.float64(X[0]), rtol=1e-5)
        assert db.tolist() == [1.0, -0.5, -0.5]


class TestThreads:
    @pytest.mark.parametrize(
        ("shape", "dtypes", "standardized", "loss", "weighted"),
        pairwise(LARGE_SHAPES, DTYPES, (False, True), LOSSES, (True, False)),
        ids=str,
    )
    def test_passes_have_the_same_bits(self, compiled, shape, dtypes, standardized, loss, weighted):
        W, b, problem = make_problem(shape, dtypes, standardized, loss, weighted)
        assert_same_bits([gradient(compiled, W, b, problem, n) for n in THREADS])
        assert_same_bits([data_gradient(compiled, W, b, problem, n) for n in THREADS])
        assert_same_bits([compiled.evaluate(W, b, problem, n) for n in THREADS])
        assert_same_bits([(scores(compiled, W, b, problem.samples, n),) for n in THREADS])

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_score_loss_has_the_same_bits(self, compiled, dtype, loss):
        W, b, problem = make_problem((40_003, 1, 3), (dtype, "float32"), False, loss)
        given = scores(reference, W, b, problem.samples)
        results = []
        for n_threads in THREADS:
            dscores = np.empty_like(given)
            weight = problem.sample_weight
            results.append((compiled.score_loss(given, problem.y, loss, weight, dscores, n_threads), dscores))
        assert_same_bits(results)

    @pytest.mark.parametrize("rule", OPTIMIZERS)
    @pytest.mark.parametrize("dtypes", [DTYPES[0], DTYPES[-1]], ids=str)
    def test_epochs_have_the_same_bits(self, compiled, dtypes, rule):
        # Batches of 1001: three, the last one shorter, each with enough products for threads.
        W, b, problem = make_problem((3001, 23, 10), dtypes, True)
        assert_same_bits([run_epoch(compiled, W, b, problem, OPTIMIZERS[rule](), 1001, n) for n in THREADS])

    def test_steps_have_the_same_bits(self, compiled, dtypes):
        rng = np.random.default_rng(0)
        x0, dx = rng.normal(size=(2, 300_007)).astype(dtypes[0])
        results = []
        for n_threads in THREADS:
            opt, x = AdamW(), x0.copy()
            state = opt.init(x)
            compiled.step(opt.rule, opt.coefficients(0, 1)[0], x, dx, slots(state), n_threads)
            results.append((x, *slots(state)))
        assert_same_bits(results)

    def test_the_gil_is_released(self, compiled):
        # While an epoch runs, another thread of Python never waits for as long as half of it.
        W, b, problem = make_problem((3001, 23, 10), ("float64", "float64"), False)
        order = np.tile(np.arange(3001), 800)
        run_epoch(compiled, W, b, problem, fastsvm.SGD(1e-3), 1001, 1, order=order[:10])
        pauses, stop = [0.0], threading.Event()

        def watch():
            last = time.perf_counter()
            while not stop.is_set():
                now = time.perf_counter()
                pauses[0], last = max(pauses[0], now - last), now

        watcher = threading.Thread(target=watch)
        watcher.start()
        begin = time.perf_counter()
        run_epoch(compiled, W, b, problem, fastsvm.SGD(1e-3), 1001, 1, order=order)
        duration = time.perf_counter() - begin
        stop.set()
        watcher.join()
        assert pauses[0] < duration / 2


class TestEpoch:
    @pytest.mark.parametrize("batch_size", [1, 8, 57, 70, 100])
    @pytest.mark.parametrize("intercept", [True, False])
    def test_one_epoch_against_the_reference(self, compiled, loss, batch_size, intercept):
        W, b, problem = make_problem((70, 9, 5), ("float64", "float64"), True, loss)
        b = b if intercept else None
        results = run_epoch(compiled, W, b, problem, fastsvm.Momentum(0.01), batch_size)
        expected = run_epoch(reference, W, b, problem, fastsvm.Momentum(0.01), batch_size)
        for part, expected_part in zip(results[:-2], expected[:-2], strict=True):
            np.testing.assert_allclose(part, expected_part, rtol=1e-10, atol=1e-12)
        assert results[-2:] == expected[-2:]

    @pytest.mark.parametrize("dtypes", DTYPES, ids=str)
    def test_storage_types(self, compiled, dtypes):
        W, b, problem = make_problem((70, 9, 5), dtypes, True, Softmax())
        results = run_epoch(compiled, W, b, problem, fastsvm.SGD(0.05), 16)
        problem64 = problem._replace(samples=in_float64(problem.samples))
        expected = run_epoch(reference, W.astype(np.float64), b.astype(np.float64), problem64, fastsvm.SGD(0.05), 16)
        for part, expected_part in zip(results[:-2], expected[:-2], strict=True):
            assert_close(part, expected_part, dtypes[0])

    def test_order_may_leave_out_and_repeat(self, compiled):
        W, b, problem = make_problem((70, 9, 5), ("float64", "float64"), False, Softmax())
        order = np.array([3, 3, 69, 0, 12, 3, 7])
        results = run_epoch(compiled, W, b, problem, fastsvm.SGD(0.01), 3, order=order)
        expected = run_epoch(reference, W, b, problem, fastsvm.SGD(0.01), 3, order=order)
        np.testing.assert_allclose(results[0], expected[0], rtol=1e-12)
        np.testing.assert_allclose(results[2], expected[2], rtol=1e-12)

    def test_weight_decay_does_not_reach_the_intercept(self, backend):
        W, b, problem = make_problem((70, 9, 5), ("float64", "float64"), False, Softmax())
        b = b + 1.0
        with_decay, without = (run_epoch(backend, W, b, problem, AdamW(1e-3, weight_decay=d), 70) for d in (0.5, 0.0))
        assert np.array_equal(with_decay[1], without[1])
        np.testing.assert_allclose(with_decay[0], without[0] - 1e-3 * 0.5 * W, rtol=1e-12, atol=1e-15)

    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    def test_ends_after_the_first_loss_that_is_not_finite(self, backend):
        # The first update makes weights of some 1e307; the second batch's scores overflow, and nothing may change any more.
        W, b, problem = make_problem((70, 9, 5), ("float64", "float64"), False, WestonWatkins(squared=True))
        problem = problem._replace(alpha=0.0, alpha_intercept=0.0)
        results = run_epoch(backend, W, b, problem, fastsvm.SGD(1e307), 16)
        once = run_epoch(backend, W, b, problem, fastsvm.SGD(1e307), 16, order=np.random.default_rng(1).permutation(70)[:16])
        losses, updates = results[-3], results[-2]
        assert updates == 2
        assert np.isfinite(losses[0])
        assert not np.isfinite(losses[1])
        assert (losses[2:] == 7.0).all()
        assert np.array_equal(results[0], once[0])
        assert np.array_equal(results[1], once[1])

    def test_a_penalty_that_overflows_ends_it_too(self, backend):
        W = np.full((3, 2), 1e200)
        problem = Problem(Samples(np.zeros((8, 2))), np.arange(8) % 3, None, WestonWatkins(), alpha=1.0)
        results = run_epoch(backend, W, np.zeros(3), problem, fastsvm.SGD(0.1), 4)
        assert results[-2] == 1
        assert results[-3][0] == np.inf
        assert np.array_equal(results[0], W)
