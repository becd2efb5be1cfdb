"""The functions of the objective on CSR samples."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

import fastsvm
from fastsvm.standardization import fit_standardization
from sparse_cases import CONTAINERS, INDICES, csr, sparse_samples
from tables import LOSSES, assert_close


def weights(dtype: str, shape=(4, 24)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=shape).astype(dtype), rng.normal(size=shape[0]).astype(dtype)


@pytest.mark.usefixtures("never_dense")
class TestObjective:
    """The same as of dense samples in float64, by the reference."""

    @pytest.mark.parametrize("kind", ["none", "max-abs"])
    @pytest.mark.parametrize("loss", LOSSES, ids=repr)
    @pytest.mark.parametrize(("dtype", "storage"), [("float64", "float64"), ("float64", "float32"), ("float32", "float32")])
    def test_gradient(self, sparse_backend, dtype, storage, loss, kind):
        X, D, y = sparse_samples(storage)
        (W, b), weight = weights(dtype), np.linspace(0.0, 2.0, 60)
        given = {"loss": loss, "alpha": 0.3, "sample_weight": weight, "standardization": fit_standardization(D, kind)}
        W64, b64 = W.astype(np.float64), b.astype(np.float64)
        expected = fastsvm.loss_and_gradient(W64, D.astype(np.float64), y, b64, **given, backend="reference")
        for container, indices in zip(CONTAINERS, INDICES, strict=True):
            found = fastsvm.loss_and_gradient(W, csr(D, container, indices), y, b, **given, backend=sparse_backend)
            for ours, theirs in zip(found, expected, strict=True):
                assert_close(ours, theirs, dtype)
        value, accuracy = fastsvm.evaluate(W, X, y, b, **given, backend=sparse_backend)
        assert_close(value, expected[0], dtype)
        assert accuracy == fastsvm.evaluate(W64, D.astype(np.float64), y, b64, **given, backend="reference")[1]

    @pytest.mark.parametrize("kind", ["none", "max-abs"])
    def test_scores_and_classes(self, sparse_backend, kind):
        X, D, _ = sparse_samples()
        W, b = weights("float64")
        given = fit_standardization(D, kind)
        scores = (D if given is None else D / given.scale) @ W.T + b
        how = {"standardization": given, "backend": sparse_backend}
        assert_close(fastsvm.decision_scores(W, X, b, **how), scores, "float64")
        assert fastsvm.predict(W, X, b, **how).tolist() == scores.argmax(axis=1).tolist()
        classes, top = fastsvm.top_k(W, X, 2, b, **how)
        np.testing.assert_array_equal(classes, np.argsort(-scores, axis=1)[:, :2])
        assert_close(top, -np.sort(-scores, axis=1)[:, :2], "float64")

    def test_candidates(self, sparse_backend):
        X, D, y = sparse_samples()
        Ws, bs = np.random.default_rng(1).normal(size=(3, 4, 24)), np.random.default_rng(2).normal(size=(3, 4))
        given = {"standardization": fit_standardization(D, "max-abs"), "backend": sparse_backend}
        pairs, dense = list(zip(Ws, bs, strict=True)), given | {"backend": "reference"}
        expected = [fastsvm.loss_value(W, D, y, b, alpha=0.1, **dense) for W, b in pairs]
        assert_close(fastsvm.loss_values(X, y, Ws, bs, alpha=0.1, **given), expected, "float64")
        ours = fastsvm.candidate_scores(X, Ws, bs, **given)
        theirs = [fastsvm.decision_scores(W, D, b, **dense) for W, b in pairs]
        assert_close(ours - ours[:, :, :1], theirs - np.array(theirs)[:, :, :1], "float64")

    def test_numerical_gradient(self, sparse_backend):
        X, D, y = sparse_samples()
        W, b = weights("float64")
        given = {"alpha": 0.2, "standardization": fit_standardization(D, "max-abs")}
        _, *expected = fastsvm.loss_and_gradient(W, D, y, b, **given, backend="reference")
        found = fastsvm.numerical_objective_gradient(W, X, y, b, h=1e-7, **given, backend=sparse_backend)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-7)

    @pytest.mark.parametrize("wrt", ["W", "b", "scores"])
    @pytest.mark.parametrize("tile", [1 << 21, 50])  # numbers, all of which are about 330
    def test_check_of_the_gradient(self, sparse_backend, tile, wrt, monkeypatch):
        monkeypatch.setattr("fastsvm.gradients.objective._TILE", tile)
        X, _, y = sparse_samples()
        W, b = weights("float64")
        check = fastsvm.check_objective_gradient(
            W, X, y, b, alpha=0.1, wrt=wrt, standardization=fit_standardization(X, "max-abs"), backend=sparse_backend
        )
        assert check.passed
        assert check.n_kinks < len(check.kink)

    def test_data_gradient_is_refused(self, sparse_backend):
        X, _, y = sparse_samples()
        W, b = weights("float64")
        with pytest.raises(TypeError, match=r"X must be dense for data_gradient.*CSR with \d+ non-zeros, shape \(60, 24\)"):
            fastsvm.data_gradient(W, X, y, b, backend=sparse_backend)
        with pytest.raises(TypeError, match="X must be dense"):
            fastsvm.check_objective_gradient(W, X, y, b, wrt="X", backend=sparse_backend)

    def test_precision_is_not_lost(self):
        X, _, y = sparse_samples("float64")
        with pytest.raises(TypeError, match="X is float64 and W is float32"):
            fastsvm.loss_value(weights("float32")[0], X, y)

    def test_not_finite(self, sparse_backend):
        X, _, y = sparse_samples()
        W, b = weights("float64")
        X.data[-1] = np.inf
        place = rf"X\[{np.flatnonzero(np.diff(X.indptr))[-1]}, {X.indices[-1]}\] is inf"
        for attempt in (
            lambda: fastsvm.loss_and_gradient(W, X, y, b, backend=sparse_backend),
            lambda: fastsvm.predict(W, X, b, backend=sparse_backend),
            lambda: fastsvm.loss_values(X, y, W[None], backend=sparse_backend),
            lambda: fastsvm.train(X, y, epochs=1, backend=sparse_backend),
        ):
            with pytest.raises(ValueError, match=place):
                attempt()
        X.data[-1], W[1, 3] = 1.0, np.nan
        with pytest.raises(ValueError, match=r"W\[1, 3\] is nan"):
            fastsvm.loss_and_gradient(W, X, y, b, backend=sparse_backend)

    def test_no_array_of_the_dense_size(self, sparse_backend):
        n, d = 1000, 500_000  # 4 GB in float64
        rng = np.random.default_rng(0)
        columns = np.sort(rng.integers(0, d // 4, (n, 4)) * 4 + np.arange(4), axis=1)
        X = sp.csr_array((rng.normal(size=4 * n), columns.ravel(), np.arange(0, 4 * n + 1, 4)), shape=(n, d))
        W, y = rng.normal(size=(2, d)), rng.integers(0, 2, n)
        small, _, classes = sparse_samples()
        fastsvm.train(small, classes, epochs=1, backend=sparse_backend)  # what compiles is compiled
        tracemalloc.start()
        try:
            _, dW, _ = fastsvm.loss_and_gradient(W, X, y, backend=sparse_backend, standardization=None)
            fastsvm.predict(W, X, backend=sparse_backend)
            fastsvm.train(X, y, epochs=2, batch_size="full", backend=sparse_backend)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 20 * W.nbytes  # copies of the weights and the optimizer's state: 4 % of the samples as an array
        assert np.count_nonzero(dW) <= 2 * X.nnz
