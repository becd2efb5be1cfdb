"""numerical_gradient and check_gradient on functions whose gradients are known by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastsvm.gradients import GradientCheck, check_gradient, numerical_gradient

METHODS = ["forward", "central"]


def bits(x: np.ndarray) -> bytes:
    return x.tobytes()


# numerical_gradient


@pytest.mark.parametrize("method", METHODS)
def test_by_hand(method):
    # f = x² y + 3 y: gradient (2 x y, x² + 3) at (2, 5).
    gradient = numerical_gradient(lambda x: x[0] ** 2 * x[1] + 3 * x[1], np.array([2.0, 5.0]), method=method)
    np.testing.assert_allclose(gradient, [20.0, 7.0], atol=1e-4 if method == "forward" else 1e-8)
    assert gradient.dtype == np.float64


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (2, 1, 3), (0,), (3, 0)])
def test_shapes(shape, method):
    rng = np.random.default_rng(0)
    x, c = np.asarray(rng.normal(size=shape)), np.asarray(rng.normal(size=shape))
    gradient = numerical_gradient(lambda x: np.sum(c * x * x), x, method=method)
    assert gradient.shape == shape
    np.testing.assert_allclose(gradient, 2 * c * x, atol=1e-4 if method == "forward" else 1e-8)


def test_quadratic_form():
    rng = np.random.default_rng(1)
    A, x = rng.normal(size=(5, 5)), rng.normal(size=5)
    np.testing.assert_allclose(numerical_gradient(lambda x: x @ A @ x, x), (A + A.T) @ x, rtol=1e-8)


@pytest.mark.parametrize(("method", "order", "constant"), [("forward", 1, 1 / 2), ("central", 2, 1 / 6)])
def test_order_of_the_error(method, order, constant):
    # Taylor: forward f′ + (h/2) f″, central f′ + (h²/6) f‴; every derivative of exp at 1 is e.
    steps = np.array([1e-1, 1e-2, 1e-3])
    errors = np.array([numerical_gradient(np.exp, np.array(1.0), h, method) - math.e for h in steps])
    slopes = np.diff(np.log10(errors)) / np.diff(np.log10(steps))
    np.testing.assert_allclose(slopes, order, atol=0.02)
    np.testing.assert_allclose(errors, constant * math.e * steps**order, rtol=0.04)


def test_calls():
    seen = []
    x = np.array([1.0, 2.0])
    h = 0.5

    def f(x):
        seen.append(x.tolist())
        return 0.0

    numerical_gradient(f, x, h, "forward")
    assert seen == [[1.0, 2.0], [1.5, 2.0], [1.0, 2.5]]
    seen.clear()
    numerical_gradient(f, x, h, "central")
    assert seen == [[1.5, 2.0], [0.5, 2.0], [1.0, 2.5], [1.0, 1.5]]


def test_f_may_look_at_x_by_another_name():
    W = np.array([[1.0, 2.0]])
    np.testing.assert_allclose(numerical_gradient(lambda _: (W**2).sum(), W), [[2.0, 4.0]], rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_the_step_divided_by_is_the_step_made(dtype, method):
    # The slope of the identity is 1 exactly, whatever x + h rounds to. Dividing by h would be 1% off in float32.
    x = np.array([0.1, 7.3, -1000.3], dtype=dtype)
    gradient = numerical_gradient(lambda x: math.fsum(x.tolist()), x, 1e-3, method)
    np.testing.assert_allclose(gradient, 1.0, rtol=1e-9)


finite_arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64]), hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    elements=st.floats(-4, 4, width=32),
)  # fmt: skip


@given(x=finite_arrays, method=st.sampled_from(METHODS), h=st.sampled_from([1e-2, 1e-1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_linear_functions_and_exact_restoration(x, method, h):
    c = np.arange(1.0, x.size + 1).reshape(x.shape)
    before = bits(x)
    gradient = numerical_gradient(lambda x: np.sum(c * x), x, h, method)
    np.testing.assert_allclose(gradient, c, rtol=1e-9, atol=1e-10)
    assert bits(x) == before


@given(x=finite_arrays, method=st.sampled_from(METHODS), calls=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_exact_restoration_when_f_raises(x, method, calls):
    before, count = bits(x), 0

    def f(x):
        nonlocal count
        count += 1
        if count == calls:
            raise KeyboardInterrupt
        return 0.0

    try:
        numerical_gradient(f, x, 0.1, method)
    except KeyboardInterrupt:
        assert count == calls
    assert bits(x) == before


def test_negative_zero_and_subnormals_come_back():
    x = np.array([-0.0, 5e-324, -1e-310, 1.0])
    before = bits(x)
    numerical_gradient(np.sum, x)
    check_gradient(np.sum, x, np.ones(4))
    assert bits(x) == before
    assert math.copysign(1.0, x[0]) == -1.0


def test_memory_maps(tmp_path):
    np.arange(3.0).tofile(tmp_path / "x")
    x = np.memmap(tmp_path / "x", dtype=np.float64, mode="r+")
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(x**2), x), [0, 2, 4], atol=1e-9)


# Errors of both


def read_only() -> np.ndarray:
    x = np.ones(3)
    x.flags.writeable = False
    return x


BAD_POINTS = {
    "list": ([1.0], TypeError, "x must be a NumPy array"),
    "integers": (np.arange(3), TypeError, "x must have dtype float64 or float32"),
    "float16": (np.ones(3, np.float16), TypeError, "x must have dtype"),
    "complex": (np.ones(3, complex), TypeError, "x must have dtype"),
    "big-endian": (np.ones(3, ">f8"), TypeError, "x must have dtype .* native"),
    "strided": (np.ones(6)[::2], ValueError, "x must be C-contiguous"),
    "read-only": (read_only(), ValueError, "x is changed in place and must be writeable"),
    "nan": (np.array([1.0, np.nan]), ValueError, r"x must hold finite numbers only; x\[1\] is nan"),
    "infinite": (np.array([[np.inf]]), ValueError, r"x\[0, 0\] is inf"),
    "masked": (np.ma.masked_array(np.ones(3), [False, True, False]), TypeError, "x must be an array without a mask"),
    "h lost": (np.array([1.0, 1e12]), ValueError, r"h must change x\[1\] = 1000000000000.0 .* got 1e-05"),
    "h lost in float32": (np.array([[1000.0]], np.float32), ValueError, r"h must change x\[0, 0\] = 1000.0"),
    "overflow": (np.array([np.finfo(np.float32).max], np.float32), ValueError, r"h must change x\[0\]"),
}
BAD_STEPS = [
    (0, ValueError), (0.0, ValueError), (-1e-5, ValueError), (math.nan, ValueError), (math.inf, ValueError),
    ("1e-5", TypeError), (True, TypeError), (None, TypeError), (1e-30, ValueError), (1e-60, ValueError),
]  # fmt: skip
BAD_VALUES = {
    "array": (lambda x: x, TypeError, r"must be a scalar; got an array of shape \(2,\)"),
    "array of one": (lambda x: x[:1], TypeError, r"must be a scalar; got an array of shape \(1,\)"),
    "nothing": (lambda x: None, TypeError, "must be a real number; got None"),
    "text": (lambda x: "1", TypeError, "must be a real number"),
    "complex": (lambda x: 1j, TypeError, "must be a real number"),
    "bool": (lambda x: x[0] > 0, TypeError, "must be a real number"),
    "nan": (lambda x: math.nan, ValueError, "must be finite; got nan"),
    "infinite array": (lambda x: np.array(np.inf), ValueError, "must be finite; got .*inf"),
}


def both(f, x, h=1e-5):
    yield lambda: numerical_gradient(f, x, h)
    yield lambda: check_gradient(f, x, np.ones(np.shape(x)), h=h)


@pytest.mark.parametrize("case", BAD_POINTS)
@pytest.mark.filterwarnings("error")
def test_bad_points(case):
    x, error, message = BAD_POINTS[case]
    before = np.array(x)
    for call in both(lambda x: 0.0, x, 3e38 if case == "overflow" else 1e-5):
        with pytest.raises(error, match=message):
            call()
    np.testing.assert_array_equal(np.array(x), before)


@pytest.mark.parametrize(("h", "error"), BAD_STEPS)
def test_bad_steps(h, error):
    for call in both(lambda x: 0.0, np.ones(2, np.float32), h):
        with pytest.raises(error, match="h must"):
            call()


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_values(case):
    f, error, message = BAD_VALUES[case]
    x = np.array([1.0, 2.0])
    calls = [*both(f, x), lambda: numerical_gradient(f, x, method="forward")]
    for call in calls:
        with pytest.raises(error, match=rf"^f\(x\).*{message}"):
            call()
    assert x.tolist() == [1.0, 2.0]


def test_the_place_where_f_fails_is_named():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for call in both(lambda x: math.nan if x[1, 0] < 3.0 else 1.0, x, 0.5):
        with pytest.raises(ValueError, match=r"f\(x\) at x\[1, 0\] = 2.5 must be finite; got nan"):
            call()
    assert x[1, 0] == 3.0


@pytest.mark.parametrize(("method", "error"), [("backward", ValueError), ("", ValueError), (None, TypeError), (2, TypeError)])
def test_bad_method(method, error):
    with pytest.raises(error, match="method must be one of 'forward', 'central'"):
        numerical_gradient(np.sum, np.ones(2), method=method)


def test_a_result_is_frozen():
    check = check_gradient(np.sum, np.ones(2), np.ones(2))
    assert isinstance(check, GradientCheck)
    with pytest.raises(dataclasses.FrozenInstanceError):
        check.tolerance = 1.0
