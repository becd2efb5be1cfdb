"""check_gradient on functions whose gradients and kinks are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fastsvm.gradients import check_gradient

C = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]])


def linear(x):
    return np.sum(C * x)


def hinge(x):
    return np.maximum(0.0, x).sum()


def test_a_right_gradient_passes():
    x = np.random.default_rng(0).normal(size=(2, 3))
    check = check_gradient(lambda x: np.sum(C * x**3), x, 3 * C * x**2)
    assert check.passed
    assert check.n_kinks == 0
    assert check.indices.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert check.tolerance == 1e-6
    np.testing.assert_array_equal(check.analytic, (3 * C * x**2).ravel())
    np.testing.assert_allclose(check.numerical, check.analytic, rtol=1e-7)
    assert 0 <= check.max_relative_error < 1e-7


@pytest.mark.parametrize("change", [1e-5, -1e-5, 0.1, -4.0])
def test_one_wrong_entry_fails_and_is_named(change):
    gradient = C.copy()
    gradient[1, 0] += change
    check = check_gradient(linear, np.ones((2, 3)), gradient)
    assert not check.passed
    assert check.worst == (1, 0)
    # |a − n| / (|a| + |n|) with n = 3.
    assert check.max_relative_error == pytest.approx(abs(change) / (3 + abs(3 + change)), rel=1e-4)
    assert (check.relative_error > 1e-6).tolist() == [False, False, False, True, False, False]


def test_a_gradient_of_zero_against_a_slope_and_the_reverse():
    assert not check_gradient(np.sum, np.ones(2), np.array([1.0, 0.0])).passed
    assert not check_gradient(lambda x: x[0], np.ones(2), np.array([1.0, 1e-6])).passed
    assert check_gradient(lambda x: x[0], np.ones(2), np.array([1.0, 0.0])).passed


def test_zero_dimensions():
    check = check_gradient(lambda x: x**2, np.array(3.0), 6.0)
    assert check.passed
    assert check.indices.shape == (1, 0)
    assert check.worst == ()
    assert not check_gradient(lambda x: x**2, np.array(3.0), 6.001).passed


def test_a_sample_of_coordinates():
    x = np.ones((40, 50))
    check = check_gradient(np.sum, x, np.ones((40, 50)))
    assert check.indices.shape == (100, 2)
    assert len(np.unique(check.indices, axis=0)) == 100
    flat = np.ravel_multi_index(tuple(check.indices.T), x.shape)
    assert (np.diff(flat) > 0).all()
    # Spread over the array: the chance that a hundred of 2,000 all fall into one half is below 1e-30.
    assert flat.min() < 1000 <= flat.max()
    again = check_gradient(np.sum, x, np.ones((40, 50)), seed=0)
    other = check_gradient(np.sum, x, np.ones((40, 50)), seed=1)
    generator = check_gradient(np.sum, x, np.ones((40, 50)), seed=np.random.default_rng(1))
    np.testing.assert_array_equal(again.indices, check.indices)
    np.testing.assert_array_equal(generator.indices, other.indices)
    assert not np.array_equal(other.indices, check.indices)
    few = check_gradient(np.sum, x, np.ones((40, 50)), n_coordinates=7)
    assert few.indices.shape == (7, 2)
    everything = check_gradient(np.sum, x[:2].copy(), np.ones((2, 50)), n_coordinates=None)
    assert len(everything.indices) == 100
    assert len(check_gradient(np.sum, np.ones(101), np.ones(101), n_coordinates=None).indices) == 101
    assert len(check_gradient(np.sum, np.ones(101), np.ones(101)).indices) == 100


def test_values_of_a_sample_belong_to_its_coordinates():
    x = np.zeros((30, 40))
    slopes = np.arange(1200.0).reshape(30, 40)
    check = check_gradient(lambda x: np.sum(slopes * x), x, slopes)
    np.testing.assert_array_equal(check.analytic, slopes[tuple(check.indices.T)])
    np.testing.assert_allclose(check.numerical, check.analytic, rtol=1e-6)


def test_kinks_are_set_apart():
    x = np.array([-1.0, 0.0, 2.0, 4e-6, -4e-6, 2e-5])
    gradient = (x > 0).astype(float)
    check = check_gradient(hinge, x, gradient, signature=lambda x: x > 0)
    assert check.kink.tolist() == [False, True, False, True, True, False]
    assert check.n_kinks == 3
    assert check.passed
    assert check.max_relative_error < 1e-6
    assert check.worst in {(0,), (2,), (5,)}
    # Without the signature the same coordinates are failures: at 0 the difference measures 1/2.
    blind = check_gradient(hinge, x, gradient)
    assert not blind.passed
    assert (blind.relative_error > 1e-6).tolist() == check.kink.tolist()
    assert blind.numerical[1] == pytest.approx(0.5)


def test_a_wrong_entry_away_from_the_kinks_still_fails():
    check = check_gradient(hinge, np.array([0.0, 2.0]), np.array([0.0, 0.9]), signature=lambda x: x > 0)
    assert check.n_kinks == 1
    assert not check.passed
    assert check.worst == (1,)


def test_with_nothing_left_to_judge_it_has_not_passed():
    check = check_gradient(hinge, np.zeros(2), np.zeros(2), signature=lambda x: x > 0)
    assert check.n_kinks == 2
    assert not check.passed
    assert np.isnan(check.max_relative_error)
    assert check.worst is None
    assert "failed: 0 coordinates judged, 2 at kinks" in str(check)


def test_the_signature_sees_the_point_that_f_saw():
    calls = []
    x = np.array([1.0, 5.0])
    check_gradient(
        lambda x: calls.append(("f", *x.tolist())) or 0.0, x, np.zeros(2), h=0.5,
        signature=lambda x: calls.append(("s", *x.tolist())) or 0,
    )  # fmt: skip
    points = [(1.0, 5.0), (1.5, 5.0), (0.5, 5.0), (1.0, 5.5), (1.0, 4.5)]
    assert calls == [(who, *point) for point in points for who in "fs"]


def test_a_signature_may_reuse_its_array():
    out = np.zeros(2, dtype=bool)
    check = check_gradient(hinge, np.array([0.0, 1.0]), np.array([0.0, 1.0]), signature=lambda x: np.greater(x, 0, out=out))
    assert check.kink.tolist() == [True, False]


def test_differences_within_rounding_noise_do_not_fail():
    # f changes by less than its last digit: the true gradient 1e-13 is out of reach of any difference.
    check = check_gradient(lambda x: 7.0 + 1e-13 * x[0], np.ones(1), np.array([1e-13]))
    assert check.passed
    assert check.noise == pytest.approx(8 * np.finfo(float).eps * (7.0 / 1e-5 + 1e-13), rel=1e-6)
    assert check.relative_error[0] == pytest.approx(abs(check.numerical[0] - 1e-13) / (check.noise / 1e-6))
    # The same difference relative to a small f is a failure.
    assert not check_gradient(lambda x: 2e-10 * x[0], np.ones(1), np.array([1e-13])).passed
    # So is one just above the noise; just below it passes.
    for factor, passed in ((1.01, False), (0.99, True)):
        wrong = factor * 8 * np.finfo(float).eps * 7.0 / 1e-5
        assert check_gradient(lambda x: 7.0, np.ones(1), np.array([wrong])).passed is passed


@pytest.mark.parametrize(("x_dtype", "gradient_dtype"), [("f4", "f8"), ("f8", "f4"), ("f4", "f4")])
def test_float32_has_a_wider_tolerance(x_dtype, gradient_dtype):
    x, gradient = np.ones(3, x_dtype), np.full(3, 1.0005, gradient_dtype)
    check = check_gradient(lambda x: np.sum(x.astype(float)), x, gradient, h=1e-2)
    assert check.tolerance == 1e-3
    assert check.passed
    assert not check_gradient(np.sum, x, 1.01 * gradient, h=1e-2).passed
    assert not check_gradient(lambda x: np.sum(x.astype(float)), x, gradient, h=1e-2, tolerance=1e-4).passed


def test_the_noise_knows_that_f_returns_float32():
    x = np.full(3, 0.5, np.float32)
    single = check_gradient(lambda x: (x * x).sum(), x, 2 * x, h=1e-2)
    double = check_gradient(lambda x: float((x * x).sum()), x, 2 * x, h=1e-2)
    assert single.passed
    # 8 ε (max|f| / h + max|gradient|): the largest f is 2·0.25 + 0.51².
    assert single.noise == pytest.approx(8 * np.finfo(np.float32).eps * ((0.5 + 0.51**2) / 1e-2 + 1.0), rel=1e-5)
    assert double.noise == pytest.approx(8 * np.finfo(np.float32).eps * 1.0, rel=1e-3)


def test_a_gradient_that_f_overwrites_is_read_first():
    gradient = np.array([1.0, 2.0])

    def f(x):
        value = x[0] + 2 * x[1]
        gradient[:] = 0
        return value

    assert check_gradient(f, np.ones(2), gradient).passed


def test_summary():
    gradient = C.copy()
    gradient[0, 1] = 7.0
    x = np.ones((2, 3))
    x[1, 2] = 0.0
    check = check_gradient(lambda x: np.sum(C * np.abs(x)), x, gradient, signature=lambda x: x > 0)
    lines = str(check).splitlines()
    assert lines[0] == "gradient check failed: 5 coordinates judged, 1 at kinks left out"
    assert lines[1] == "largest relative error 1.0e+00 at [0, 1]"
    assert lines[2].startswith("tolerance 1e-06; differences below ")
    assert lines[4].split()[:5] == ["[0,", "1]", "7", "-2", "1.0e+00"]
    assert lines[-1].split()[:2] == ["[1,", "2]"]
    assert lines[-1].endswith("kink")
    assert len(lines) == 4 + 6
    assert str(check_gradient(linear, np.ones((2, 3)), C)).startswith("gradient check passed: 6 coordinates judged, 0 at")


BAD = {
    "empty x": ({"x": np.ones(0), "gradient": np.ones(0)}, ValueError, "x must hold at least one number"),
    "shape": ({"gradient": np.ones(3)}, ValueError, r"gradient must have shape \(2,\); got \(3,\)"),
    "scalar gradient": ({"gradient": 1.0}, ValueError, r"gradient must have shape \(2,\)"),
    "integer gradient": ({"gradient": np.ones(2, int)}, TypeError, "gradient must have dtype"),
    "no gradient": ({"gradient": None}, TypeError, "gradient must have dtype"),
    "nan gradient": ({"gradient": np.array([1.0, np.nan])}, ValueError, r"gradient\[1\] is nan"),
    "no coordinates": ({"n_coordinates": 0}, ValueError, "n_coordinates must be an integer >= 1; got 0"),
    "half a coordinate": ({"n_coordinates": 1.5}, TypeError, "n_coordinates must be an integer"),
    "negative seed": ({"seed": -1}, ValueError, "seed must be an integer >= 0"),
    "seed of text": ({"seed": "0"}, TypeError, "seed must be an integer"),
    "zero tolerance": ({"tolerance": 0.0}, ValueError, "tolerance must be finite and > 0; got 0.0"),
    "nan tolerance": ({"tolerance": float("nan")}, ValueError, "tolerance must be finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    change, error, message = BAD[case]
    arguments = {"x": np.ones(2), "gradient": np.ones(2)} | change
    with pytest.raises(error, match=message):
        check_gradient(np.sum, **arguments)
