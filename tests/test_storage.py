"""Types samples may be stored in: what their bits mean, who looks at them, and 16-bit integers that are taken for bfloat16."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import fastsvm
from cli_runs import QUICK, succeed_json
from fastsvm import storage, validation
from fastsvm.cli import gradcheck
from fastsvm.datasets import Dataset
from fastsvm.gradients import check_objective_gradient
from fastsvm.problem import Samples
from tables import STORAGES, make_problem, numbers, stored
from training_cases import same, same_training

BITS = np.arange(1 << 16).astype(np.uint16)
SMALL_TYPES = STORAGES[2:]

#: 1.5, −2 and 0.25 as bfloat16: sign, exponent + 127, seven bits of the fraction.
HAND = np.array([[0 << 15 | 127 << 7 | 64, 1 << 15 | 128 << 7, 125 << 7]], np.uint16)


class TestNumbers:
    def test_bfloat16_by_hand(self):
        assert storage.as_numbers(HAND).tolist() == [[1.5, -2.0, 0.25]]

    def test_every_bfloat16_by_its_formula(self):
        sign, exponent, fraction = np.where(BITS >> 15, -1.0, 1.0), (BITS >> 7 & 255).astype(int), (BITS & 127) / 128
        expected = sign * np.where(exponent == 0, fraction * 2.0**-126, (1 + fraction) * 2.0 ** (exponent - 127))
        finite = exponent < 255
        for dtype in (np.float32, np.float64):
            found = storage.as_numbers(BITS, dtype)
            assert found.dtype == dtype
            assert np.array_equal(found[finite], expected[finite])
        assert np.array_equal(np.isnan(found), ~finite & (fraction > 0))
        assert np.array_equal(storage.is_finite(BITS), finite)
        assert np.array_equal(np.isfinite(found), finite)

    @pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint8])
    def test_every_number_of_the_other_small_types_is_a_float32(self, dtype):
        x = BITS.view(dtype) if dtype == np.float16 else np.arange(256).astype(np.uint8).view(dtype)
        x = x[storage.is_finite(x)]
        assert np.array_equal(storage.as_numbers(x, np.float32).astype(np.float64), x.astype(np.float64))

    @pytest.mark.parametrize("name", STORAGES)
    def test_names(self, name):
        X = stored(np.ones((2, 2)), name)
        assert storage.storage_name(X) == Samples(X).storage == name
        assert fastsvm.validation.check_samples("X", X) is X or np.shares_memory(fastsvm.validation.check_samples("X", X), X)


class TestByAnotherName:
    """Arrays of ``ml_dtypes.bfloat16``, and what ``numpy.load`` makes of them."""

    def test_two_byte_void(self, tmp_path):
        X = HAND.view("V2")
        assert np.shares_memory(validation.check_samples("X", X), HAND)
        assert fastsvm.decision_scores(np.ones((2, 3), np.float32), X, backend="reference").tolist() == [[-0.25, -0.25]]
        np.savez(tmp_path / "a.npz", X=np.repeat(X, 4, axis=0), y=np.arange(4) % 2)
        assert fastsvm.load(tmp_path / "a.npz").X.dtype == np.uint16
        dataset = Dataset("toy", np.repeat(X, 2, axis=0), np.arange(2), X, np.zeros(1, int))
        assert same(dataset.X_test, HAND)

    def test_ml_dtypes(self, tmp_path):
        ml_dtypes = pytest.importorskip("ml_dtypes")
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(40, 3)).astype(ml_dtypes.bfloat16), np.arange(40) % 2
        bits = X.view(np.uint16)
        for entry in (fastsvm.loss_and_gradient, fastsvm.evaluate, fastsvm.data_gradient):
            parts = [entry(np.ones((2, 3), np.float32), samples, y, backend="reference") for samples in (X, bits)]
            assert np.array_equal(parts[0][1], parts[1][1])
        settings = {"backend": "reference", "epochs": 2}
        runs = [fastsvm.train(samples, y, validation=(samples, y), **settings) for samples in (X, bits)]
        assert same_training(*runs)
        assert same(runs[0].to_model().predict(X, backend="reference"), runs[1].predict(bits))
        assert check_objective_gradient(runs[0].W, X, y, wrt="X", backend="reference").passed
        assert same(*(fastsvm.fit_standardization(samples, "mean").apply(samples) for samples in (X, bits)))
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "y.npy", y)
        assert np.array_equal(fastsvm.load(tmp_path).X, bits)
        with pytest.raises(TypeError, match=r"^X must be an array without a mask"):
            fastsvm.evaluate(np.ones((2, 3)), np.ma.masked_array(X), y)


class TestIntegers:
    @pytest.mark.parametrize("largest", [1, 255, 4095, 8191])
    def test_are_refused(self, largest):
        X = np.zeros((3, 4), np.uint16)
        X[2, 1] = largest
        with pytest.raises(ValueError, match=rf"^validation\[0\] must hold .* integer {largest}\. .*\.astype\('float32'\)$"):
            fastsvm.train(X.astype("f4"), np.arange(3), validation=(X, np.arange(3)))
        with pytest.raises(ValueError, match=rf"^X must hold .* integer {largest}\. uint16 is .*X\.astype\('float32'\)$"):
            fastsvm.decision_scores(np.ones((2, 4), "f4"), X)

    def test_wherever_they_are(self):
        X = np.zeros((3000, 700), np.uint16)
        X[2999, 699] = 7
        assert storage.looks_like_integers(X)
        X[1500, 3] = HAND[0, 0]
        assert not storage.looks_like_integers(X)

    def test_sound_numbers_are_taken(self):
        tiny = stored(np.full((2, 2), 2.0**-63), "bfloat16")
        negative = stored(np.full((2, 2), -1e-30), "bfloat16")
        for X in (np.zeros((2, 2), np.uint16), tiny, negative, HAND, HAND * (np.arange(3) == 2)):
            assert validation.check_samples("X", X) is not None

    def test_only_the_beginning_of_sound_samples_is_looked_at(self):
        X = np.broadcast_to(HAND[0, 0], (1 << 40,)).reshape(1 << 20, 1 << 20)  # far more than fits into memory
        assert not storage.looks_like_integers(X.reshape(-1)[: 1 << 30])

    def test_larger_ones_that_are_nan_get_the_hint(self):
        X = np.full((4, 4), 20_000, np.uint16)
        X[3, 1] = 32_700
        with pytest.raises(ValueError, match=r"X\[3, 1\] is nan\. uint16 is read as the bit .* convert integers"):
            fastsvm.loss_value(np.ones((2, 4)), X, np.arange(4) % 2, backend="reference")


class TestFinite:
    @pytest.mark.parametrize("name", ["float16", "bfloat16"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_the_first_is_named_without_a_copy(self, name, bad):
        X = stored(np.ones((3000, 700)), name)
        X[2999, 699] = stored(np.array([np.nan]), name)[0]
        X[2500, 3] = stored(np.array([bad]), name)[0]
        tracemalloc.start()
        with pytest.raises(ValueError, match=rf"x\[2500, 3\] is {bad}"):
            validation.check_finite("x", X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * (1 << 20) + (1 << 16)

    @pytest.mark.parametrize("backend", fastsvm.backends.NAMES)
    @pytest.mark.parametrize("name", ["float16", "bfloat16"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_by_every_entry(self, backend, name, bad):
        W, b, problem = make_problem((33, 17, 10), ("float32", name), False)
        X = problem.samples.X.copy()
        X[32, 16] = stored(np.array([bad]), name)[0]
        for entry in (fastsvm.loss_and_gradient, fastsvm.evaluate, fastsvm.data_gradient):
            with pytest.raises(ValueError, match=rf"^X must hold finite numbers only; X\[32, 16\] is {bad}"):
                entry(W, X, problem.y, b, backend=backend)
        with pytest.raises(ValueError, match=rf"^X must hold finite numbers only; X\[32, 16\] is {bad}"):
            fastsvm.decision_scores(W, X, b, backend=backend)
        for standardize in ("none", "mean+std"):
            with pytest.raises(ValueError, match=rf"^X must hold finite numbers only; X\[32, 16\] is {bad}"):
                fastsvm.train(X, problem.y, epochs=1, n_classes=10, standardize=standardize, backend=backend)


@pytest.mark.parametrize("backend", fastsvm.backends.NAMES)
@pytest.mark.parametrize("name", SMALL_TYPES)
def test_training_is_that_on_the_same_numbers(backend, name):
    # Widened to float32 nothing is lost: reference and compiled backends alike must learn what they learn from that.
    rng = np.random.default_rng(3)
    y = np.arange(150) % 3
    X = stored(20 * rng.normal(size=(3, 6))[y] + 10 * rng.normal(size=(150, 6)) + 60, name)
    wide = numbers(X).astype(np.float32)
    settings = {"epochs": 3, "batch_size": 16, "seed": 1, "dtype": "float64"}
    found = fastsvm.train(X, y, validation=(X, y), backend=backend, **settings)
    expected = fastsvm.train(wide, y, validation=(wide, y), backend="reference", **settings)
    np.testing.assert_allclose(found.W, expected.W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.history["val_loss"], expected.history["val_loss"], rtol=1e-10)
    assert fastsvm.train(X, y, epochs=1, backend=backend).W.dtype == np.float32
    model = found.to_model()
    np.testing.assert_allclose(model.scores(X, backend=backend), expected.scores(wide), rtol=1e-9)


@pytest.mark.parametrize("name", SMALL_TYPES)
def test_command_line(name, tmp_path):
    y = np.arange(60) % 3
    X = stored(np.eye(3)[y] + np.arange(60)[:, None] % 5 + 2, name)
    np.savez(tmp_path / "a.npz", X=X, y=y)
    np.save(tmp_path / "new.npy", X)
    where = ("--backend", "reference")
    trained = succeed_json("train", tmp_path / "a.npz", "--test", 0, "-o", tmp_path / "m", *QUICK, *where)
    assert trained["data"]["dtype"] == name
    expected = fastsvm.load_model(tmp_path / "m").predict(numbers(X).astype(np.float32), backend="reference")
    predicted = succeed_json("predict", tmp_path / "m", tmp_path / "new.npy", "--indices", *where)
    assert predicted["predictions"] == expected.tolist()
    for standardize in ("none", "mean+std"):
        found = succeed_json("gradcheck", tmp_path / "a.npz", "--standardize", standardize, "--dtype", "float64", *where)
        assert found["passed"]
        assert all(gradient["coordinates"] > gradient["kinks"] for gradient in found["gradients"].values())
    posed = gradcheck._problem(str(tmp_path / "a.npz"), samples=60, seed=0, dtype="float64", standardize="none")
    assert 0.1 < np.abs(fastsvm.decision_scores(posed["W"], posed["X"], backend="reference")).max() < 10


@pytest.mark.parametrize("name", SMALL_TYPES)
def test_files(name, tmp_path):
    X, y = stored(np.arange(1, 13).reshape(4, 3), name), np.array([0, 1, 0, 1])
    for key, samples in (("X_train", X), ("X_test", X[:2])):
        np.save(tmp_path / f"{key}.npy", samples)
        np.save(tmp_path / f"y{key[1:]}.npy", y[: len(samples)])
    np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:2], y_test=y[:2])
    for path in (tmp_path / "X_train.npy", tmp_path / "a.npz"):
        dataset = fastsvm.load(path)
        assert same(np.asarray(dataset.X), X)
        assert same(np.asarray(dataset.X_test), X[:2])
        assert f"X (4, 3) {name};" in repr(dataset)
    bad = X.astype(np.float32)
    np.savez(tmp_path / "b.npz", X=X, y=y, X_test=bad, y_test=y)
    with pytest.raises(fastsvm.DataFormatError, match="X_test must have dtype"):
        fastsvm.load(tmp_path / "b.npz")
