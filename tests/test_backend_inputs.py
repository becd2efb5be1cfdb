"""Inputs that backends must notice (NaN, infinity), take as they are (read-only, mapped, views), and leave alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import fastsvm
from fastsvm.problem import Samples
from tables import LOSSES, STORAGES, assert_same_bits, data_gradient, gradient, make_problem, pairwise, run_epoch


class TestNonFinite:
    @pytest.mark.parametrize(
        ("bad", "loss", "shape"),
        pairwise([*product("XWb", (np.nan, np.inf, -np.inf))], LOSSES, [(33, 17, 10), (3001, 23, 10)]),
        ids=str,
    )
    def test_loss_is_nan(self, backend, bad, loss, shape):
        where, value = bad
        W, b, problem = make_problem(shape, ("float64", "float64"), False, loss)
        W, b, X = W.copy(), b.copy(), problem.samples.X.copy()
        if where == "X":
            X[-1, 3] = value
        elif where == "W":
            W[2, 3] = value
        else:
            b[2] = value
        problem = problem._replace(samples=Samples(X), alpha=0.0, alpha_intercept=0.0)
        assert np.isnan(backend.evaluate(W, b, problem, 2)[0])
        assert np.isnan(gradient(backend, W, b, problem)[0])
        assert np.isnan(data_gradient(backend, W, b, problem)[0])
        assert run_epoch(backend, W, b, problem, fastsvm.SGD(0.1), len(X))[-2] == 1
        assert np.isnan(run_epoch(backend, W, b, problem, fastsvm.SGD(0.1), len(X))[-3][0])

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_loss_of_scores_is_nan(self, backend, loss, value):
        # Whether it is the class's score (1), or one that a comparison would pass over.
        for dtype, column in product(("float64", "float32"), range(3)):
            given = np.zeros((5, 3), dtype)
            given[4, column] = value
            assert np.isnan(backend.score_loss(given, np.ones(5, np.int64), loss, None, np.empty_like(given), 1))
            assert np.isnan(backend.score_loss(given, np.ones(5, np.int64), loss, None, None, 1))

    @pytest.mark.parametrize("name", fastsvm.backends.NAMES)
    def test_public_functions_name_the_place(self, name, loss):
        X, y, W = np.ones((5, 3)), np.array([0, 1, 0, 1, 1]), np.ones((2, 3))
        X[3, 2] = np.nan
        with pytest.raises(ValueError, match=r"X\[3, 2\] is nan"):
            fastsvm.loss_and_gradient(W, X, y, loss=loss, backend=name)
        with pytest.raises(OverflowError, match="overflow float32"):
            fastsvm.loss_and_gradient(W.astype("f4"), np.full((5, 3), 3e38, "f4"), y, loss=loss, backend=name)


class TestInputs:
    @pytest.mark.parametrize("storage", STORAGES)
    def test_memory_mapped_samples(self, backend, storage, tmp_path):
        dtypes = "float64", storage
        W, b, problem = make_problem((33, 17, 10), dtypes, False)
        np.save(tmp_path / "X.npy", problem.samples.X)
        mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
        expected = gradient(backend, W, b, problem)
        assert_same_bits([expected, gradient(backend, W, b, problem._replace(samples=Samples(mapped)))])

    def test_read_only_and_writeable_inputs_are_not_changed(self, backend, dtypes):
        # All arrays of make_problem are read-only: writing to one of them would raise or crash. Copies are writeable.
        W, b, problem = make_problem((33, 17, 10), dtypes, True)
        samples = Samples(*(a.copy() for a in problem.samples))
        y, weight = problem.y.copy(), problem.sample_weight.copy()
        copies = W.copy(), b.copy(), problem._replace(samples=samples, y=y, sample_weight=weight)
        for run in (gradient, data_gradient):
            assert_same_bits([run(backend, W, b, problem), run(backend, *copies)])
        run_epoch(backend, *copies, fastsvm.Adam(), 8)
        for copy, kept in zip((*copies[:2], *samples, y), (W, b, *problem.samples, problem.y), strict=True):
            assert np.array_equal(copy, kept)
        assert np.array_equal(weight, problem.sample_weight)

    def test_a_view_into_a_larger_array(self, compiled):
        W, b, problem = make_problem((33, 17, 10), ("float64", "float64"), False, LOSSES[-1])
        larger = np.full((50, 17), np.nan)
        larger[10:43] = problem.samples.X
        expected = gradient(compiled, W, b, problem)
        assert_same_bits([expected, gradient(compiled, W, b, problem._replace(samples=Samples(larger[10:43])))])
