"""Classes and the largest scores, on every backend: by hand, against sorted scores, and what is refused."""

from __future__ import annotations

import tracemalloc
from itertools import cycle

import numpy as np
import pytest

import fastsvm
from fastsvm import backends
from fastsvm.backends import ranking, reference
from models import build
from tables import (
    DTYPES,
    THREADS,
    assert_close,
    assert_same_bits,
    in_float64,
    make_problem,
    numbers,
    pairwise,
    scores,
    stored,
)

NAMES = backends.NAMES
#: 2,621 rows are what `ranking` scores at a time of 100 classes.
SHAPES = ((1, 1, 2), (33, 17, 10), (3001, 23, 10), (65, 130, 17), (23, 67, 130), (2700, 3, 100))


def sorted_by_hand(given: np.ndarray, k: int) -> np.ndarray:
    """The largest scores' classes, by a stable sort: larger first, the lower class in a tie."""
    return np.argsort(-given, axis=1, kind="stable")[:, :k]


def top_k(backend, W, b, samples, k, n_threads=2, want_scores=True):
    classes = np.full((len(samples.X), k), 7)
    top_scores = np.full((len(samples.X), k), 7.0, W.dtype) if want_scores else None
    backend.top_k(W, b, samples, classes, top_scores, n_threads)
    return classes, top_scores


class TestContract:
    @pytest.mark.parametrize(("shape", "dtypes", "standardized"), pairwise(SHAPES, DTYPES, (False, True)), ids=str)
    def test_against_sorted_scores(self, compiled, shape, dtypes, standardized):
        W, b, problem = make_problem(shape, dtypes, standardized)
        samples, k = problem.samples, min(5, len(W))
        own = scores(compiled, W, b, samples)
        classes, top_scores = top_k(compiled, W, b, samples, k)
        assert classes.tolist() == sorted_by_hand(own, k).tolist()
        exact = scores(reference, W.astype(np.float64), b.astype(np.float64), in_float64(samples))
        assert_close(top_scores, -np.sort(-exact, axis=1)[:, :k], dtypes[0])
        assert np.array_equal(top_k(compiled, W, b, samples, k, want_scores=False)[0], classes)
        for few in (1, len(W)):
            assert top_k(compiled, W, b, samples, few)[0].tolist() == sorted_by_hand(own, few).tolist()

    @pytest.mark.parametrize(
        ("shape", "dtypes"), [*zip(cycle([(3001, 23, 10), (37, 2051, 17), (20_011, 7, 3)]), DTYPES, strict=False)], ids=str
    )
    def test_threads_do_not_change_a_bit(self, compiled, shape, dtypes):
        W, b, problem = make_problem(shape, dtypes, True)
        assert_same_bits([top_k(compiled, W, b, problem.samples, 3, n) for n in THREADS])

    def test_ties_by_hand(self, backend):
        W = np.array([[1.0], [2.0], [2.0], [0.0], [2.0], [1.0]])
        for dtype in (np.float64, np.float32):
            samples = fastsvm.problem.Samples(np.array([[1.0], [-1.0], [0.0]], dtype))
            classes, top_scores = top_k(backend, W.astype(dtype), None, samples, 6)
            assert classes.tolist() == [[1, 2, 4, 0, 5, 3], [3, 0, 5, 1, 2, 4], [0, 1, 2, 3, 4, 5]]
            assert top_scores.tolist() == [[2, 2, 2, 1, 1, 0], [0, -1, -1, -2, -2, -2], [0] * 6]
            assert top_k(backend, W.astype(dtype), None, samples, 1)[0].tolist() == [[1], [3], [0]]

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
    def test_rows_that_are_not_finite(self, backend, dtype, bad):
        # Only class 1 looks at feature 0: its score alone is not finite, and it need not be among the largest.
        W = np.array([[0, 1], [1, 0], [0, 2]], dtype)
        X = np.ones((600, 2), dtype)
        X[[0, 250, 599], 0] = bad
        W[1, 0], W[[0, 2], 0] = 1, 0
        for k in (1, 2, 3):
            classes, top_scores = top_k(backend, W, None, fastsvm.problem.Samples(X), k)
            wrong = np.isin(np.arange(600), [0, 250, 599])
            assert (classes[wrong] == -1).all()
            assert np.isnan(top_scores[wrong]).all()
            assert (classes[~wrong] == [2, 0, 1][:k]).all()
            assert (top_scores[~wrong] == [2, 1, 1][:k]).all()


class TestEntries:
    @pytest.mark.parametrize("name", NAMES)
    def test_by_hand(self, name):
        W, b = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 5.0, -1.0])
        X = np.array([[10, 1], [0, 0]], np.int8)  # scores 10, 6, 10 and 0, 5, −1
        assert fastsvm.predict(W, X, b, backend=name).tolist() == [0, 1]
        classes, top = fastsvm.top_k(W, X, 2, b, backend=name)
        assert (classes.dtype, top.dtype) == (np.int64, W.dtype)
        assert (classes.tolist(), top.tolist()) == ([[0, 2], [1, 0]], [[10, 10], [5, 0]])
        # Standardised, (x − 10) / 2: (0, −4.5) and (−5, −5).
        where = {"standardization": fastsvm.Standardization(np.full(2, 10.0), np.full(2, 2.0), "mean+std"), "backend": name}
        assert fastsvm.top_k(W, X, 3, b, **where)[1].tolist() == [[0.5, 0.0, -5.5], [0.0, -5.0, -11.0]]
        assert fastsvm.predict(W, X, b, **where).shape == (2,)

    @pytest.mark.parametrize("k", [0, -1, 4, 1.0, True, None, "2"])
    def test_k_that_is_refused(self, k):
        with pytest.raises((ValueError, TypeError), match=r"^k must be (an integer|at most the number of classes, 3; got 4)"):
            fastsvm.top_k(np.ones((3, 2)), np.ones((4, 2)), k)

    def test_models_and_results(self):
        model = build("float64")
        X = np.random.default_rng(0).normal(size=(50, 2))
        expected = sorted_by_hand(model.scores(X), 3)
        assert model.predict(X).tolist() == expected[:, 0].tolist()
        classes, top = model.top_k(X, 2)
        assert classes.tolist() == expected[:, :2].tolist()
        assert np.array_equal(top, np.take_along_axis(model.scores(X), classes, axis=1))
        with pytest.raises(ValueError, match="X must have the 2 features the model was trained on; got 3"):
            model.top_k(np.ones((1, 3)), 2)
        result = fastsvm.train(X, np.arange(50) % 3, epochs=2)
        assert result.predict(X).tolist() == sorted_by_hand(result.scores(X), 1)[:, 0].tolist()
        assert result.predict(X).dtype == model.predict(X).dtype == np.int64

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("storage", ["float32", "uint8", "bfloat16"])
    def test_memory_is_bounded(self, name, storage):
        X = stored(np.ones((30_000, 60)), storage)
        W = np.random.default_rng(0).normal(size=(100, 60)).astype(np.float32)
        fastsvm.predict(W, X[:9000], backend=name)  # compiles, where there is something to
        tracemalloc.start()
        classes = fastsvm.predict(W, X, backend=name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (classes == int((W.astype(np.float64) @ numbers(X[0])).argmax())).all()
        if name != "reference":  # whose scores alone take 12 MB
            assert peak < 5 << 20


def test_a_block_is_scored_at_a_time():
    shapes = []

    def score(W, b, samples, out, n_threads):
        shapes.append(out.shape)
        reference.scores(W, b, samples, out, n_threads)

    W, X = np.eye(100), np.random.default_rng(0).normal(size=(2 * 2621 + 5, 100))
    classes, top_scores = np.empty((len(X), 2), np.int64), np.empty((len(X), 2))
    ranking.top_k(score, W, None, fastsvm.problem.Samples(X), classes, top_scores, 1)
    assert shapes == [(2621, 100), (2621, 100), (5, 100)]
    assert np.array_equal(classes, np.argsort(-X, axis=1)[:, :2])
    assert np.array_equal(top_scores, -np.sort(-X, axis=1)[:, :2])
