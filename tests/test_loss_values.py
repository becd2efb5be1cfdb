"""Objectives of many candidates in one call, on every backend: by hand, against one at a time, and what is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import fastsvm
from fastsvm import CrammerSinger, Softmax, WestonWatkins, backends
from fastsvm.backends import reference
from tables import DTYPES, LOSSES, THREADS, assert_close, assert_same_bits, in_float64, make_problem, pairwise

NAMES = backends.NAMES
SHAPES = ((1, 1, 2), (33, 17, 10), (23, 67, 130), (3001, 23, 10))


def candidates(W: np.ndarray, b: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """W and b at several scales; the first as they are."""
    factors = 1.0 - 1.5 * np.arange(n) / n
    return (factors[:, None, None] * W).astype(W.dtype), (factors[:, None] * b).astype(b.dtype)


def losses(backend, Ws, bs, problem, n_threads=2):
    out = np.full(len(Ws), 7.0)
    backend.losses(Ws, bs, problem, out, n_threads)
    return out


class TestContract:
    @pytest.mark.parametrize(
        ("shape", "dtypes", "standardized", "loss", "weighted"),
        pairwise(SHAPES, DTYPES, (False, True), LOSSES, (True, False)),
        ids=str,
    )
    def test_against_the_reference(self, compiled, shape, dtypes, standardized, loss, weighted):
        W, b, problem = make_problem(shape, dtypes, standardized, loss, weighted)
        Ws, bs = candidates(W, b, 5)
        problem64 = problem._replace(samples=in_float64(problem.samples))
        for intercepts in (bs, None):
            b64 = [None if intercepts is None else row.astype(np.float64) for row in bs]
            expected = [reference.evaluate(Ws[k].astype(np.float64), b64[k], problem64)[0] for k in range(5)]
            assert_close(losses(compiled, Ws, intercepts, problem), expected, dtypes[0])

    @pytest.mark.parametrize(("dtypes", "shape", "loss"), pairwise(DTYPES, [(3001, 23, 10), (37, 2051, 17)], LOSSES), ids=str)
    def test_threads_do_not_change_a_bit(self, compiled, shape, dtypes, loss):
        W, b, problem = make_problem(shape, dtypes, True, loss)
        Ws, bs = candidates(W, b, 7)
        assert_same_bits([(losses(compiled, Ws, bs, problem, n),) for n in THREADS])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_only_what_is_not_finite_is_nan(self, backend, loss, bad):
        W, b, problem = make_problem((33, 17, 10), ("float64", "float64"), False, loss)
        problem = problem._replace(alpha=0.0, alpha_intercept=0.0)
        Ws, bs = candidates(W, b, 9)
        expected = losses(backend, Ws, bs, problem)
        Ws[4, 3, 16] = bad
        bs[7, 0] = bad
        found = losses(backend, Ws, bs, problem)
        wrong = np.isin(np.arange(9), [4, 7])
        assert np.isnan(found[wrong]).all()
        assert np.array_equal(found[~wrong], expected[~wrong])


class TestEntry:
    #: Scores of the candidates: (0, 0), (2, 0) and (0, 2), and of the second sample twice that.
    Ws = np.array([[[0.0], [0.0]], [[2.0], [0.0]], [[0.0], [2.0]]])
    X, y = np.array([[1], [2]], np.int8), np.array([0, 1])

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize(
        ("loss", "first", "second"),
        [
            (WestonWatkins(), [1, 0, 3], [1, 5, 0]),
            (WestonWatkins(squared=True), [1, 0, 9], [1, 25, 0]),
            (CrammerSinger(delta=2.0), [2, 0, 4], [2, 6, 0]),
            (Softmax(), np.log1p(np.exp([0.0, -2, 2])), np.log1p(np.exp([0.0, 4, -4]))),
        ],
    )
    def test_by_hand(self, name, dtype, loss, first, second):
        where = {"loss": loss, "backend": name}
        Ws, mean = self.Ws.astype(dtype), (np.array(first) + second) / 2
        found = fastsvm.loss_values(self.X, self.y, Ws, **where)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, mean, rtol=1e-6)
        found = fastsvm.loss_values(self.X, self.y, Ws, sample_weight=[3, 1], alpha=0.5, **where)
        np.testing.assert_allclose(found, (3 * np.array(first) + second) / 4 + [0, 1, 1], rtol=1e-6)  # 0.25 · 2²
        bs = np.array([[0, 0], [0, 0], [2, 0]], dtype)  # the last candidate's scores become (2, 2) and (2, 4)
        found = fastsvm.loss_values(self.X, self.y, Ws, bs, alpha=0.5, penalize_intercept=True, **where)
        equal = {"CrammerSinger": 2, "Softmax": np.log(2)}.get(type(loss).__name__, 1)
        ahead = {"Softmax": np.log1p(np.exp(-2))}.get(type(loss).__name__, 0)
        np.testing.assert_allclose(found, [mean[0], mean[1] + 1, (equal + ahead) / 2 + 2], rtol=1e-6)

    @pytest.mark.parametrize("name", NAMES)
    def test_is_that_of_single_calls(self, name, loss):
        W, b, problem = make_problem((33, 17, 10), ("float64", "uint8"), False)
        Ws, bs = candidates(W / 100, b, 6)
        X, y = problem.samples.X, problem.y
        settings = {
            "loss": loss, "alpha": 0.2, "sample_weight": problem.sample_weight, "penalize_intercept": True,
            "standardization": fastsvm.fit_standardization(X, "mean+std"), "backend": name,
        }  # fmt: skip
        found = fastsvm.loss_values(X, y, Ws, bs, **settings)
        expected = [fastsvm.loss_value(Ws[k], X, y, bs[k], **settings) for k in range(6)]
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        settings["standardization"] = None
        without = [fastsvm.loss_value(Ws[k], X, y, **settings) for k in range(6)]
        np.testing.assert_allclose(fastsvm.loss_values(X, y, Ws, **settings), without, rtol=1e-13)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"Ws": np.ones((3, 2))}, ValueError, "Ws must have 3 dimensions"),
            (
                {"Ws": np.ones((0, 2, 1))},
                ValueError,
                r"Ws must have shape \(at least 1, at least 2, 1 as X has feat",
            ),
            ({"Ws": np.ones((3, 1, 1))}, ValueError, r"Ws must have shape .*; got \(3, 1, 1\)"),
            ({"Ws": np.ones((3, 2, 2))}, ValueError, r"Ws must have shape .*; got \(3, 2, 2\)"),
            ({"Ws": np.ones((3, 2, 1), np.float16)}, TypeError, "Ws must have dtype float64 or float32"),
            ({"Ws": np.ones((3, 2, 2))[:, :, ::2]}, ValueError, "Ws must be C-contiguous"),
            ({"Ws": [[[1.0], [2.0]]]}, TypeError, "Ws must be a NumPy array; got list"),
            ({"bs": np.ones((3, 2), np.float32)}, TypeError, "bs must have dtype float64"),
            ({"bs": np.ones((2, 2))}, ValueError, r"bs must have shape \(3, 2\); got \(2, 2\)"),
            ({"bs": np.ones(2)}, ValueError, r"bs must have shape \(3, 2\); got \(2,\)"),
            ({"y": np.array([0, 2])}, ValueError, r"y must be class indices in \[0, 2\)"),
            ({"X": np.ones((2, 1)), "Ws": np.ones((3, 2, 1), np.float32)}, TypeError, "X is float64 and W is float32"),
            ({"X": np.ones((0, 1))}, ValueError, "X must hold at least one sample"),
            (
                {"Ws": np.array([[[1.0], [1.0]], [[1.0], [np.nan]]])},
                ValueError,
                r"Ws must hold .*; Ws\[1, 1, 0\] is nan",
            ),
            ({"bs": np.array([[1, 1], [1, 1], [np.inf, 1]])}, ValueError, r"bs must hold finite .*; bs\[2, 0\] is inf"),
            ({"X": np.array([[1.0], [np.nan]])}, ValueError, r"X must hold finite .*; X\[1, 0\] is nan"),
        ],
    )
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
    def test_refused(self, name, change, error, message):
        arguments = {"X": self.X, "y": self.y, "Ws": self.Ws} | change
        with pytest.raises(error, match=f"^{message}"):
            fastsvm.loss_values(**arguments, backend=name)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
    def test_the_first_candidate_that_overflows_is_named(self, name):
        Ws = np.repeat(self.Ws, 2, axis=0).astype(np.float32)
        Ws[[3, 5]] *= np.float32(1.5e38)
        with pytest.raises(OverflowError, match=r"^the loss of candidate 3 is nan: .* overflow float32\. Scale X or Ws down"):
            fastsvm.loss_values(self.X, self.y, Ws, backend=name)
        with pytest.raises(OverflowError, match=r"^the loss of candidate 1 is inf: .* overflow float64\. Scale X or Ws down$"):
            fastsvm.loss_values(self.X * np.int8(0), self.y, self.Ws * 1e160, alpha=1.0, backend=name)

    @pytest.mark.parametrize("name", backends.NAMES[:2])
    def test_memory_is_bounded(self, name):
        X, y = np.ones((20_000, 100), np.float32), np.arange(20_000) % 10
        Ws = np.random.default_rng(0).normal(size=(50, 10, 100)).astype(np.float32)
        fastsvm.loss_values(X[:9000], y[:9000], Ws, backend=name)  # compiles, where there is something to
        tracemalloc.start()
        fastsvm.loss_values(X, y, Ws, backend=name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 << 20  # the scores of all candidates would take 40 MB
