"""Hinge gradients on bytes: exact sums of integers, the same at every SIMD level and thread count."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fastsvm
from fastsvm import CrammerSinger, Standardization, WestonWatkins, _native, loss_and_gradient

SOURCES = Path(__file__).parents[1] / "src"

#: Samples, features, classes: of the usual size, few, one more than a block, the most classes, more features than an int32
#: holds the products of.
SHAPES = [(700, 300, 10), (30, 7, 3), (257, 65, 2), (129, 1025, 4), (300, 33, 128), (12, 70_000, 3)]
LOSSES = [WestonWatkins(), WestonWatkins(0.3), CrammerSinger()]


def problem(shape: tuple[int, int, int], dtype: str, seed: int = 0) -> tuple[np.ndarray, ...]:
    n, d, c = shape
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 256, (n, d), dtype=np.uint8).view(dtype)
    W = (rng.standard_normal((c, d)) / np.sqrt(d)).astype(np.float32)
    return W, X, rng.integers(0, c, n), rng.standard_normal(c).astype(np.float32)


def standardization(d: int, dtype: str) -> Standardization:
    rng = np.random.default_rng(1)
    return Standardization(rng.uniform(100, 150, d) - (128 if dtype == "int8" else 0), rng.uniform(1, 70, d), "mean+std")


def digest(*results: np.ndarray | float | None) -> str:
    return hashlib.sha256(b"".join(np.asarray(result).tobytes() for result in results)).hexdigest()


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("standardized", [False, True])
def test_same_bits_at_every_level_and_thread_count(
    shape: tuple[int, int, int], loss: fastsvm.losses.Loss, dtype: str, standardized: bool
) -> None:
    W, X, y, b = problem(shape, dtype)
    options = {"standardization": standardization(shape[1], dtype)} if standardized else {}
    found = set()
    before = _native.simd_level()
    try:
        for name in _native.simd_levels():
            _native.set_simd_level(name)
            for n_threads in (1, 2, 4):
                result = loss_and_gradient(W, X, y, b, loss, 0.01, backend="native", n_threads=n_threads, **options)
                found.add(digest(*result))
    finally:
        _native.set_simd_level(before)
    assert len(found) == 1
    exact = loss_and_gradient(W.astype(np.float64), X, y, b.astype(np.float64), loss, 0.01, backend="reference", **options)
    np.testing.assert_allclose(result[0], exact[0], rtol=1e-7)
    assert np.abs(result[1] - exact[1]).max() <= 2e-7 * np.abs(exact[1]).max()
    assert np.abs(result[2] - exact[2]).max() <= 2e-7


def test_sum_over_samples_is_an_integer(level: str) -> None:
    """Without standardisation and penalty, n dW is a sum of bytes times counts; float32 holds it where it is small."""
    W, X, y, _ = problem((512, 40, 5), "uint8")
    dW = loss_and_gradient(W, X, y, backend="native")[1]
    scores = X.astype(np.float64) @ W.T.astype(np.float64)
    violated = (scores - scores[np.arange(512), y][:, None] + 1 > 0).astype(np.int64)
    violated[np.arange(512), y] = 0
    violated[np.arange(512), y] = -violated.sum(axis=1)
    np.testing.assert_array_equal(dW * 512, (violated.T @ X).astype(np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_largest_sums_do_not_overflow(level: str, dtype: str) -> None:
    """Every byte and every count at its extreme: 70,000 rows whose class loses against the 127 others."""
    n, d, c = 70_000, 5, 128
    X = np.full((n, d), 255, dtype=np.uint8) if dtype == "uint8" else np.full((n, d), -128, dtype=np.int8)
    W = np.zeros((c, d), dtype=np.float32)
    y = np.zeros(n, dtype=np.int64)
    loss, dW, _ = loss_and_gradient(W, X, y, backend="native")
    assert loss == 127
    extreme = float(X[0, 0])
    np.testing.assert_array_equal(dW[0], np.float32(-127 * extreme))
    np.testing.assert_array_equal(dW[1:], np.float32(extreme))


@pytest.mark.parametrize("sign", [1, -1])
def test_largest_scores_do_not_overflow(level: str, sign: int) -> None:
    """More features than one int32 sum holds, all bytes 255 and all weights at the largest size of their class."""
    X = np.full((9, 70_000), 255, dtype=np.uint8)
    W = np.stack([np.full(70_000, sign, dtype=np.float32), np.zeros(70_000, dtype=np.float32)])
    loss, dW, _ = loss_and_gradient(W, X, np.ones(9, dtype=np.int64), backend="native")
    assert loss == max(0, sign * 255 * 70_000 + 1)
    np.testing.assert_array_equal(dW[0], np.float32(255 * (sign > 0)))
    scores = fastsvm.decision_scores(W, X, backend="native")
    np.testing.assert_array_equal(scores[:, 0], np.float32(sign * 255 * 70_000))


def test_margin_of_zero_is_not_violated(level: str) -> None:
    """s = (0, x): at x = −1 by the weight, the margin s_1 − s_0 + 1 is 0, and the subgradient there is 0."""
    W = np.array([[0.0], [-0.5]], dtype=np.float32)
    X = np.array([[2], [1], [3]], dtype=np.uint8)
    loss, dW, _ = loss_and_gradient(W, X, np.zeros(3, dtype=np.int64), backend="native")
    assert loss == np.float64(0.5) / 3
    np.testing.assert_array_equal(dW, np.float32([[-1 / 3], [1 / 3]]))


@pytest.mark.parametrize("loss", LOSSES[:1] + LOSSES[2:], ids=repr)
@pytest.mark.parametrize("far", [1e-7, 1e-3, 1e3, 1e30])
def test_weights_of_very_different_size(level: str, loss: fastsvm.losses.Loss, far: float) -> None:
    """A class's lowest digits are worth little beside a large weight: many margins need a second look."""
    W, X, y, b = problem((300, 50, 6), "uint8")
    W[:, 7] *= np.float32(far)
    X[:, 7] = 0
    W_read = W.copy()
    W_read[:, 7] = 0  # nothing of it enters
    value, dW, _ = loss_and_gradient(W, X, y, b, loss, backend="native")
    exact = loss_and_gradient(W_read.astype(np.float64), X, y, b.astype(np.float64), loss, backend="reference")
    spread = 2.0**-22 * 255 * np.abs(W).max() * 50  # what rounding to 23 bits of the largest weight may move a score
    if spread < 1e-3:
        np.testing.assert_allclose(value, exact[0], rtol=1e-6)
        np.testing.assert_allclose(dW, exact[1], rtol=1e-6)
    else:
        assert np.isfinite(value)
        assert np.isfinite(dW).all()


def test_equal_scores_count_for_the_first_class(level: str) -> None:
    X = np.arange(1, 13, dtype=np.uint8).reshape(4, 3)
    W = np.ones((3, 3), dtype=np.float32)
    y = np.array([0, 1, 2, 0])
    loss, _, db = loss_and_gradient(W, X, y, np.zeros(3, np.float32), CrammerSinger(), backend="native")
    assert loss == 1
    np.testing.assert_array_equal(db, np.float32([-2 + 1 + 1, 2 - 1, -1]) / 4)
    assert fastsvm.evaluate(W, X, y, backend="native")[1] == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["W", "b"])
def test_not_finite(level: str, bad: float, where: str) -> None:
    W, X, y, b = problem((20, 9, 3), "uint8")
    (W[1:2, 3] if where == "W" else b[1:2])[:] = bad
    with pytest.raises(ValueError, match=where):
        loss_and_gradient(W, X, y, b, backend="native")


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_scores_are_as_good_as_float32(level: str, dtype: str) -> None:
    W, X, _, b = problem((300, 1000, 7), dtype)
    scaling = standardization(1000, dtype)
    scores = fastsvm.decision_scores(W, X, b, standardization=scaling, backend="native")
    x = (X - scaling.mean) / scaling.scale
    exact = x @ W.T.astype(np.float64) + b
    size = np.abs(x) @ np.abs(W.T.astype(np.float64))
    assert (np.abs(scores - exact) / size).max() < 2e-6
    assert np.abs(scores - exact).max() < 1e-5 * np.abs(exact).max()


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The AMX kernels over a model of the processor's tiles, so that their loops run on any machine with AVX-512."""
    compiler = shutil.which("cc")
    if compiler is None or not SOURCES.is_dir():
        pytest.skip("needs a C compiler and the sources")
    if "avx512" not in _native.simd_levels():
        pytest.skip("needs AVX-512")
    library = tmp_path_factory.mktemp("amx") / "amx.so"
    flags = ["-std=c11", "-O1", "-fPIC", "-shared", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
    command = [compiler, *flags, "-DFASTSVM_AMX_MODEL", str(SOURCES / "integers_amx.c"), "-o", str(library)]
    subprocess.run(command, check=True, timeout=120)
    return ctypes.CDLL(str(library))


def test_amx_loops_over_a_model_of_the_tiles(tiles: ctypes.CDLL) -> None:
    assert tiles.fastsvm_amx_usable() == 1
