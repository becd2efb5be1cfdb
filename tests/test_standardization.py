"""Standardisation: statistics against float64 formulas on the whole array, and what is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from fastsvm.standardization import KINDS, Standardization, fit_standardization
from tables import STORAGES, numbers, stored


def samples(dtype, n=101, d=7, seed=0):
    """Values of several magnitudes; feature 2 is constant, feature 3 is 0."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 128 if dtype == "int8" else 256, (n, d)).astype(np.float64)
    if dtype not in ("int8", "uint8"):
        X = X * 10.0 ** (np.arange(d) % 7 - (5 if dtype == "float16" else 3)) - 5
    X[:, 2], X[:, 3] = 37, 0
    return stored(X, dtype)


def reference(X, kind):
    """Mean and scale by the formulas, in float64 throughout."""
    X = numbers(X)
    zero, one = np.zeros(X.shape[1]), np.ones(X.shape[1])
    mean = np.array([sum(column) / len(column) for column in X.T])
    deviation = np.sqrt(((X - mean) ** 2).sum(axis=0) / len(X))
    return {
        "mean": (mean, one),
        "mean+std": (mean, np.where(deviation > 0, deviation, 1.0)),
        "scale": (zero, one * np.abs(X).max()),
    }[kind]


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.uint8, 0, 256), (np.int8, -128, 128)])
def test_of_bytes_they_are_exact(dtype, low, high):
    """Of more rows than sums of 32 bits hold, the extremes among them: what the integers give, rounded once."""
    X = np.random.default_rng(0).integers(low, high, (70_000, 5)).astype(dtype)
    X[:, 0], X[:, 1] = high - 1, low
    X[0, 1] = high - 1
    fitted = fit_standardization(X, "mean+std")
    n, exact = len(X), X.astype(np.int64)
    sums = [sum(column) for column in exact.T.tolist()]
    squares = [sum(value * value for value in column) for column in exact.T.tolist()]
    assert fitted.mean.tolist() == [total / n for total in sums]
    variance = [(n * square - total * total) / (n * n) for total, square in zip(sums, squares, strict=True)]
    assert (variance[0], fitted.scale[0]) == (0, 1)
    np.testing.assert_allclose(fitted.scale[1:], np.sqrt(variance[1:]), rtol=4e-16)


@pytest.mark.parametrize("dtype", STORAGES)
class TestStatistics:
    @pytest.mark.parametrize("kind", ["mean", "mean+std", "scale"])
    def test_against_the_formulas(self, kind, dtype):
        X = samples(dtype)
        if dtype != "int8":
            X[0, 0] = stored(np.float32([255]), dtype)[0]  # the largest uint8: the scale is the largest value of every dtype
        fitted = fit_standardization(X, kind)
        mean, scale = reference(X, kind)
        np.testing.assert_allclose(fitted.mean, mean, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(fitted.scale, scale, rtol=1e-13)
        assert (fitted.kind, fitted.mean.dtype, fitted.scale.dtype) == (kind, np.float64, np.float64)

    def test_none(self, dtype):
        assert fit_standardization(samples(dtype), "none") is None

    def test_by_hand(self, dtype):
        X = stored(np.array([[1, 4], [3, 4], [5, 4], [7, 4]]), dtype)
        assert fit_standardization(X, "mean").mean.tolist() == [4, 4]
        assert fit_standardization(X, "mean").scale.tolist() == [1, 1]
        both = fit_standardization(X, "mean+std")  # variance (9 + 1 + 1 + 9) / 4; the second feature is constant
        assert both.scale.tolist() == [np.sqrt(5), 1]
        assert fit_standardization(X, "scale").scale.tolist() == ([255, 255] if dtype == "uint8" else [7, 7])
        np.testing.assert_allclose(both.apply(X), (numbers(X) - [4.0, 4.0]) / [np.sqrt(5), 1], rtol=1e-15)

    def test_one_sample(self, dtype):
        X = stored(np.array([[3, 0]]), dtype)
        fitted = fit_standardization(X, "mean+std")
        assert fitted.mean.tolist() == [3, 0]
        assert fitted.scale.tolist() == [1, 1]

    def test_blocks(self, dtype):
        """More rows than a block holds, the last block not full."""
        X = samples(dtype, n=(1 << 20) // 1024 * 2 + 13, d=1024)
        fitted = fit_standardization(X, "mean+std")
        mean = numbers(X).mean(axis=0)
        np.testing.assert_allclose(fitted.mean, mean, rtol=1e-11)
        deviation = np.sqrt(np.square(numbers(X) - mean).mean(axis=0))
        constant = np.isin(np.arange(1024), [2, 3])
        np.testing.assert_allclose(fitted.scale[~constant], deviation[~constant], rtol=1e-9)
        assert (fitted.scale[constant] == 1).all()

    def test_memory_mapped_and_read_only(self, tmp_path, dtype):
        X = samples(dtype)
        np.save(tmp_path / "X.npy", X)
        mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
        assert (fit_standardization(mapped, "mean+std").scale == fit_standardization(X, "mean+std").scale).all()

    @pytest.mark.parametrize("kind", ["mean", "mean+std", "scale"])
    @pytest.mark.parametrize("out", [np.float32, np.float64])
    def test_apply(self, kind, out, dtype):
        X = samples(dtype)
        before = X.copy()
        fitted = fit_standardization(X, kind)
        applied = fitted.apply(X, out)
        assert applied.dtype == out
        np.testing.assert_array_equal(X, before)
        expected = (numbers(X) - fitted.mean) / fitted.scale
        magnitude = (np.abs(numbers(X)).max(axis=0) + np.abs(fitted.mean)) / fitted.scale
        assert (np.abs(applied - expected) <= 4 * np.finfo(out).eps * np.maximum(magnitude, 1e-30)).all()


class TestStandardized:
    def test_mean_and_deviation_of_the_result(self):
        applied = fit_standardization(samples("float64"), "mean+std").apply(samples("float64"))
        np.testing.assert_allclose(applied.mean(axis=0), 0, atol=1e-13)
        np.testing.assert_allclose(applied.std(axis=0), [1, 1, 0, 0, 1, 1, 1], rtol=1e-13, atol=1e-13)

    def test_small_spread_far_from_zero(self):
        """The mean of squares minus the square of the mean would lose every digit here."""
        X = 1e8 + np.random.default_rng(0).normal(size=(1000, 3))
        np.testing.assert_allclose(fit_standardization(X, "mean+std").scale, X.std(axis=0), rtol=1e-6)

    def test_float32_sums_are_float64(self):
        """Summed in float32 one after the other, 16777216 + 1 stays where it is."""
        X = np.ones((3, 1), dtype=np.float32)
        X[0] = 2**24
        assert fit_standardization(X, "mean").mean[0] == (2**24 + 2) / 3

    def test_rounding_does_not_make_a_constant_feature_vary(self):
        """0.1 is no binary fraction: its float64 mean may differ from it in the last bit."""
        for value in (0.1, 1e-3, 1234.567, -7e9, 1e-30):
            for n in (3, 10, 1001):
                assert fit_standardization(np.full((n, 2), value), "mean+std").scale.tolist() == [1, 1]

    def test_a_small_feature_is_not_constant(self):
        for unit in (1e-6, 1e-20, 1e-100):
            X = np.array([[1.0], [2.0], [3.0]]) * unit
            np.testing.assert_allclose(fit_standardization(X, "mean+std").scale, np.sqrt(2 / 3) * unit, rtol=1e-12)

    def test_scale_of_zeros_and_of_negative_values(self):
        assert fit_standardization(np.zeros((3, 2)), "scale").scale.tolist() == [1, 1]
        assert fit_standardization(np.zeros((3, 2), dtype=np.uint8), "scale").scale.tolist() == [255, 255]
        assert fit_standardization(np.array([[-8.0, 2.0]]), "scale").scale.tolist() == [8, 8]
        assert fit_standardization(np.array([[-128, 2]], dtype=np.int8), "scale").scale.tolist() == [128, 128]

    @pytest.mark.parametrize("kind", ["mean", "mean+std", "scale"])
    @pytest.mark.parametrize("dtype", STORAGES)
    def test_no_copy_of_the_samples(self, kind, dtype):
        X = np.repeat(stored(np.ones((1, 200)), dtype), 30_000, axis=0)
        tracemalloc.start()
        fit_standardization(X, kind)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5 << 20  # 48 MB in float64, 6 MB in 8 bits


class TestRefused:
    @pytest.mark.parametrize("kind", ["mean", "mean+std", "scale"])
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("dtype", STORAGES[:4])
    def test_not_finite(self, kind, value, dtype):
        X = samples(dtype)
        X[40, 5] = stored(np.array([value]), dtype)[0]
        with pytest.raises(ValueError, match=rf"X must hold finite numbers only; X\[40, 5\] is {value}"):
            fit_standardization(X, kind)

    @pytest.mark.parametrize("kind", ["mean", "mean+std", "scale"])
    @pytest.mark.parametrize("row", [5, 1500, 2060])
    def test_not_finite_in_any_block(self, kind, row):
        X = samples("float32", n=2061, d=1024)
        X[row, 5] = np.nan
        with pytest.raises(ValueError, match=rf"X must hold finite numbers only; X\[{row}, 5\] is nan"):
            fit_standardization(X, kind)

    @pytest.mark.parametrize("kind", ["mean", "mean+std"])
    def test_overflow(self, kind):
        with pytest.raises(ValueError, match="X must have finite statistics"):
            fit_standardization(np.full((4, 1), 1e308), kind)

    @pytest.mark.parametrize("kind", ["std", "", "Mean"])
    def test_unknown_kind(self, kind):
        with pytest.raises(
            ValueError, match="standardize must be one of 'none', 'mean', 'mean\\+std', 'scale', 'max-abs'; got"
        ):
            fit_standardization(samples("float32"), kind)

    def test_kind_of_another_type(self):
        with pytest.raises(TypeError, match="standardize must be one of"):
            fit_standardization(samples("float32"), None)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("X", "error"),
        [
            (np.zeros((2, 2), np.int64), TypeError),
            (np.zeros((2, 2), np.int16), TypeError),
            (np.ones((2, 2), np.uint16), ValueError),
            ([[1.0, 2.0]], TypeError),
            (np.zeros(3), ValueError),
            (np.zeros((0, 3)), ValueError),
            (np.zeros((3, 0)), ValueError),
            (np.zeros((4, 4))[:, ::2], ValueError),
            (np.zeros((4, 3)).T, ValueError),
        ],
    )
    def test_samples_that_no_kernel_takes(self, kind, X, error):
        with pytest.raises(error, match="X must"):
            fit_standardization(X, kind)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"mean": np.zeros(3)}, ValueError, r"the same shape; got \(3,\) and \(2,\)"),
            ({"mean": np.zeros(2, np.float32)}, TypeError, "mean must be a float64 array with one dimension"),
            ({"scale": np.ones((2, 1))}, TypeError, "scale must be a float64 array with one dimension"),
            ({"mean": [0.0, 0.0]}, TypeError, "mean must be a float64 array"),
            ({"mean": np.array([0, np.nan])}, ValueError, r"mean must hold finite numbers only; mean\[1\] is nan"),
            ({"scale": np.array([np.inf, 1])}, ValueError, r"scale must hold finite numbers only; scale\[0\] is inf"),
            ({"scale": np.array([1.0, 0.0])}, ValueError, "scale must be > 0; got a smallest value of 0.0"),
            ({"scale": np.array([1.0, -2.0])}, ValueError, "scale must be > 0; got a smallest value of -2.0"),
            ({"kind": "other"}, ValueError, "kind must be one of"),
        ],
    )
    def test_statistics_that_do_not_fit(self, change, error, message):
        with pytest.raises(error, match=message):
            Standardization(**({"mean": np.zeros(2), "scale": np.ones(2), "kind": "mean+std"} | change))
