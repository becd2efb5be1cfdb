"""CSR samples at the entry and in the standardisation."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.sparse as sp

import fastsvm
from fastsvm import sparse
from fastsvm.problem import Samples
from fastsvm.standardization import KINDS, SPARSE_KINDS, Standardization, fit_standardization
from fastsvm.validation import check_finite, check_samples
from sparse_cases import CONTAINERS, INDICES, csr, dense_samples, sparse_samples


def raw(data=(1.0, 2.0, 3.0), indices=(0, 2, 1), indptr=(0, 2, 3)):
    """An array (2, 3) of these parts, which scipy does not look at; by default a sound one."""
    X = sp.csr_array((2, 3))
    X.data, X.indices, X.indptr = np.array(data, dtype=float), np.array(indices, np.int32), np.array(indptr, np.int32)
    return X


class TestCheck:
    @pytest.mark.parametrize("indices", INDICES)
    @pytest.mark.parametrize("container", CONTAINERS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_shares_the_arrays(self, container, dtype, indices):
        X = csr(dense_samples(dtype)[0], container, indices)
        for part in (X.data, X.indices, X.indptr):
            part.flags.writeable = False
        checked = check_samples("X", X)
        assert type(checked) is sp.csr_array
        for name in ("data", "indices", "indptr"):
            ours, theirs = getattr(checked, name), getattr(X, name)
            assert ours.dtype == theirs.dtype
            assert ours.ctypes.data == theirs.ctypes.data
        assert checked.shape == X.shape

    def test_rows_and_samples_may_be_empty(self):
        assert check_samples("X", raw(indptr=(0, 0, 0), data=(), indices=())).nnz == 0
        assert check_samples("X", raw(data=(1.0, 2.0), indices=(1, 2), indptr=(0, 0, 2))).nnz == 2

    def test_parts_of_larger_arrays_are_shared(self):
        X = raw()
        numbers, columns = np.arange(100.0), np.arange(100, dtype=np.int32) % 2
        X.data, X.indices = numbers[10:13], columns[10:13]
        checked = check_samples("X", X)
        assert np.shares_memory(checked.data, numbers)
        assert np.shares_memory(checked.indices, columns)

    def test_room_beyond_the_last_row_is_not_looked_at(self):
        X = raw(data=(1.0, 2.0, 3.0, np.nan), indices=(0, 2, 1, 99))
        checked = check_samples("X", X)
        check_finite("X", checked)
        assert checked.nnz == 3
        assert sparse.largest_by_feature(checked).tolist() == [1, 3, 2]

    @pytest.mark.parametrize(
        ("X", "error", "message"),
        [
            (sp.csc_array(np.eye(3)), TypeError, r"must be CSR where it is sparse; got csc_array. Convert it with X.tocsr\(\)"),
            (sp.coo_matrix(np.eye(3)), TypeError, r"got coo_matrix. Convert it with X.tocsr\(\)"),
            (sp.csr_array(np.eye(3, dtype=np.int64)), TypeError, r"float32 or float64 .*\(int64\).*X.astype\('float32'\)"),
            (sp.csr_array(np.eye(3, dtype=np.uint16)), TypeError, r"float32 or float64 .*\(uint16\)"),
            (sp.csr_array(np.eye(3) > 0), TypeError, "float32 or float64"),
            (sp.csr_array((0, 3)), ValueError, r"at least one sample and one feature; got shape \(0, 3\)"),
            (sp.csr_array((3, 0)), ValueError, "at least one sample and one feature"),
            (raw(indices=(2, 0, 1)), ValueError, r"indices of each row sorted, and none of them twice. X.sum_duplicates\(\)"),
            (raw(indices=(1, 1, 1)), ValueError, r"none of them twice. X.sum_duplicates\(\)"),
            (raw(indices=(0, 3, 1)), ValueError, r"X.indices must be in \[0, 3\).* row 0 has 3"),
            (raw(indices=(0, 2, 7)), ValueError, r"X.indices must be in \[0, 3\).* row 1 has 7"),
            (raw(indices=(-1, 2, 1)), ValueError, r"X.indices must be in \[0, 3\).* row 0 has -1"),
            (raw(indptr=(0, 3, 2)), ValueError, "X.indptr must not decrease; got 3 before 2 at row 1"),
            (raw(indptr=(0, -1, 3)), ValueError, "X.indptr must not decrease; got 0 before -1 at row 0"),
            (raw(indptr=(1, 2, 3)), ValueError, "X.indptr must begin with 0; got 1"),
            (raw(indptr=(0, 2, 4)), ValueError, "X.indptr must end at the number of non-zeros, at most 3; got 4"),
            (raw(indptr=(0, 3)), ValueError, "X.indptr must hold 3 numbers, one more than X has rows; got 2"),
        ],
    )
    def test_refused(self, X, error, message):
        before = copy.deepcopy([X.data, getattr(X, "indices", None), getattr(X, "indptr", None)])
        with pytest.raises(error, match=message):
            check_samples("X", X)
        for array, kept in zip([X.data, getattr(X, "indices", None), getattr(X, "indptr", None)], before, strict=True):
            np.testing.assert_array_equal(array, kept)

    @pytest.mark.parametrize(
        ("part", "value", "error", "message"),
        [
            ("indices", np.array([0, 2, 1], np.int16), TypeError, "share one dtype, int32 or int64 .* got <i2 and <i4"),
            ("indptr", np.array([0, 2, 3], np.int64), TypeError, "share one dtype, .* got <i4 and <i8"),
            ("indices", np.array([0, 2, 1], ">i4"), TypeError, "in native byte order; got >i4 and <i4"),
            ("data", np.arange(6.0)[::2], ValueError, r"X.data must be contiguous, .* X.copy\(\)"),
            ("indices", np.zeros(6, np.int32)[::2], ValueError, "X.indices must be contiguous"),
            ("indptr", np.array([[0, 2, 3]], np.int32), ValueError, "X.indptr must be contiguous, aligned, of one dimension"),
        ],
    )
    def test_refused_parts(self, part, value, error, message):
        X = raw()
        setattr(X, part, value)
        with pytest.raises(error, match=message):
            check_samples("X", X)

    def test_what_scipy_remembers_is_not_believed(self):
        X = raw()
        assert X.has_canonical_format
        X.indices[:2] = 2, 0
        assert X.has_canonical_format  # remembered
        with pytest.raises(ValueError, match="sorted"):
            check_samples("X", X)

    def test_one_dimension(self):
        with pytest.raises((TypeError, ValueError), match=r"2 dimensions|CSR"):
            check_samples("X", sp.coo_array(np.ones(3)).tocsr())

    def test_not_finite_is_found_with_its_place(self, monkeypatch):
        monkeypatch.setattr(sparse, "BLOCK", 2)
        for k, place in enumerate([(1, 0), (1, 3), (3, 2), (3, 4)]):
            X = np.zeros((4, 5))
            X[1, [0, 3]] = X[3, [2, 4]] = 1.0
            bad = csr(X)
            bad.data[k] = np.inf if k % 2 else np.nan
            with pytest.raises(ValueError, match=rf"X\[{place[0]}, {place[1]}\] is {bad.data[k]}"):
                check_finite("X", bad)

    def test_samples(self):
        X, D, _ = sparse_samples("float32")
        assert (Samples(X).is_sparse, Samples(X).n_rows, Samples(X).storage) == (True, 60, "float32")
        assert (Samples(D).is_sparse, Samples(D).n_rows) == (False, 60)


class TestRows:
    @pytest.mark.parametrize("indices", INDICES)
    def test_slices_are_views(self, indices):
        D = dense_samples()[0]
        X = csr(D, indices=indices)
        for rows in (slice(None), slice(3, 9), slice(50, 99), slice(5, 5)):
            taken = sparse.take_slice(X, rows)
            np.testing.assert_array_equal(taken.toarray(), D[rows])
            assert taken.indices.dtype == indices
            assert taken.nnz == 0 or np.shares_memory(taken.data, X.data)
        assert sparse.take_slice(D, slice(3, 9)).base is D

    def test_blocks(self):
        X, D, _ = sparse_samples()
        for samples, size in ((X, X.nnz), (D, D.size)):
            blocks = sparse.row_blocks(samples, size // 4)
            assert np.concatenate([np.arange(60)[rows] for rows in blocks]).tolist() == list(range(60))
            assert 4 <= len(blocks) <= 5
            assert len(sparse.row_blocks(samples, 1)) == 60
        assert sparse.row_blocks(sp.csr_array((7, 5)), 10) == [slice(0, 7)]


@pytest.mark.usefixtures("never_dense")
class TestStandardization:
    def test_max_abs_by_hand(self):
        D = np.array([[1.0, 0, -4, 0], [-3, 0, 2, 0.5]])
        for X in (D, csr(D), csr(D.astype(np.float32))):
            found = fit_standardization(X, "max-abs")
            assert (found.kind, found.mean.tolist(), found.scale.tolist()) == ("max-abs", [0] * 4, [3, 1, 4, 0.5])

    @pytest.mark.parametrize("kind", SPARSE_KINDS)
    def test_same_as_of_dense_samples(self, kind, monkeypatch):
        monkeypatch.setattr(sparse, "BLOCK", 7)
        X, D, _ = sparse_samples()
        ours, theirs = fit_standardization(X, kind), fit_standardization(D, kind)
        if kind == "none":
            assert ours is theirs is None
            return
        np.testing.assert_array_equal(ours.scale, theirs.scale)
        np.testing.assert_array_equal(ours.mean, 0)
        applied = ours.apply(X, np.float32)
        assert (type(applied), applied.dtype) == (sp.csr_array, np.float32)
        np.testing.assert_array_equal(applied @ np.eye(24, dtype=np.float32), theirs.apply(D, np.float32))

    def test_max_abs_of_bytes(self):
        found = fit_standardization(np.array([[3, 0, -128], [-7, 0, 5]], np.int8), "max-abs")
        assert found.scale.tolist() == [7, 1, 128]

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SPARSE_KINDS])
    def test_means_are_refused(self, kind):
        X, D, y = sparse_samples()
        message = "must subtract no mean .*where X is sparse"
        for attempt in (
            lambda: fit_standardization(X, kind),
            lambda: fastsvm.train(X, y, standardize=kind),
            lambda: fastsvm.train(X, y, standardize=fit_standardization(D, kind)),
        ):
            with pytest.raises(ValueError, match=f"standardize {message}"):
                attempt()
        given = fit_standardization(D, kind)
        with pytest.raises(ValueError, match=f"standardization {message}"):
            fastsvm.predict(np.zeros((4, 24)), X, standardization=given)
        with pytest.raises(ValueError, match=f"standardization {message}"):
            given.apply(X)

    def test_a_mean_of_zeros_will_do(self):
        X, D, _ = sparse_samples()
        W = np.arange(96.0).reshape(4, 24)
        given = Standardization(np.zeros(24), np.full(24, 2.0), "mean+std")
        found = fastsvm.decision_scores(W, X, standardization=given, backend="reference")
        np.testing.assert_allclose(found, D @ W.T / 2, atol=1e-12)

    @pytest.mark.parametrize("kind", ["scale", "max-abs"])
    def test_not_finite(self, kind):
        X = sparse_samples()[0]
        X.data[5] = np.nan
        with pytest.raises(ValueError, match=r"X\[\d+, \d+\] is nan"):
            fit_standardization(X, kind)
        assert fit_standardization(np.array([[np.inf, 1.0]]), "none") is None
        with pytest.raises(ValueError, match=r"X\[0, 0\] is inf"):
            fit_standardization(np.array([[np.inf, 1.0]]), kind)
