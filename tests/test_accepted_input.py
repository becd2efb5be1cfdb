"""What the entry points take as it is, and the checks of fastsvm.validation as properties."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastsvm
from fastsvm import backends
from fastsvm.validation import (
    check_array,
    check_choice,
    check_finite,
    check_flag,
    check_integer,
    check_labels,
    check_real,
    check_sample_weight,
)

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def small(dtype="float64"):
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, 4)).astype(dtype), rng.normal(size=(8, 4)).astype(dtype), np.arange(8) % 3


@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_read_only_and_memory_mapped_arrays(backend, dtype, tmp_path):
    W, X, y = small(dtype)
    expected = fastsvm.loss_and_gradient(W, X, y, backend=backend)
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="r", shape=X.shape)
    for array in (W, X, y):
        array.flags.writeable = False
    for samples in (X, mapped):
        loss, dW, _ = fastsvm.loss_and_gradient(W, samples, y, backend=backend)
        assert loss == expected[0]
        np.testing.assert_array_equal(dW, expected[1])
        fastsvm.data_gradient(W, samples, y, backend=backend)
        fastsvm.evaluate(W, samples, y, backend=backend)
        fastsvm.score_loss_and_gradient(fastsvm.decision_scores(W, samples, backend=backend), y, backend=backend)


@pytest.mark.parametrize("kind", [*INTEGERS, ">i8", ">u2", "list", "tuple", "strided"])
def test_labels_of_any_integer_type(kind):
    W, X, y = small()
    forms = {"list": y.tolist(), "tuple": tuple(y.tolist()), "strided": np.repeat(y, 2)[::2]}
    labels = forms[kind] if kind in forms else y.astype(kind)
    assert fastsvm.loss_value(W, X, labels, backend="reference") == fastsvm.loss_value(W, X, y, backend="reference")


@pytest.mark.parametrize("kind", ["float64", "float32", ">f8", "int64", "uint8", "list"])
def test_sample_weights_of_any_real_type(kind):
    W, X, y = small()
    weight = np.array([1, 2, 0, 4, 1, 1, 3, 0])
    given = weight.tolist() if kind == "list" else weight.astype(kind)
    expected = fastsvm.loss_value(W, X, y, sample_weight=weight.astype(float), backend="reference")
    assert fastsvm.loss_value(W, X, y, sample_weight=given, backend="reference") == expected
    # A whole weight is a repetition, and 0 leaves a sample out.
    rows = np.repeat(np.arange(8), weight)
    assert fastsvm.loss_value(W, X[rows], y[rows], backend="reference") == pytest.approx(expected, rel=1e-14)


def test_a_class_need_not_occur():
    W, X, _ = small()
    assert math.isfinite(fastsvm.loss_value(W, X, np.zeros(8, int), backend="reference"))


def test_numbers_may_be_of_numpy():
    W, X, y = small()
    plain = fastsvm.loss_value(W, X, y, alpha=0.5, n_threads=1, backend="reference")
    for alpha in (np.float64(0.5), np.float32(0.5)):
        assert fastsvm.loss_value(W, X, y, alpha=alpha, n_threads=np.int32(1), backend="reference") == plain
    assert fastsvm.loss_value(W, X, y, alpha=1, backend="reference") > plain


# Properties of the checks

any_dtype = st.sampled_from(["f8", "f4", "f2", ">f8", ">f4", "u1", "i4", "i8", "?", "c16", "O", "U3", "M8[s]"])


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_an_array_is_returned_in_place_or_refused_by_name(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = np.zeros(shape, dtype=data.draw(any_dtype))
    if data.draw(st.booleans()):
        array = array.T
    if array.ndim and data.draw(st.booleans()):
        array = array[:: data.draw(st.sampled_from([2, -1]))]
    wanted = data.draw(st.sampled_from([("float64", "float32"), ("float64",), ("float64", "float32", "uint8")]))
    fits = array.dtype.isnative and array.dtype.name in wanted
    if fits and array.ndim == 2 and array.flags.c_contiguous:
        checked = check_array("samples", array, dtypes=wanted, ndim=2)
        assert checked.__array_interface__ == array.__array_interface__
    else:
        with pytest.raises((TypeError, ValueError), match=r"^samples must "):
            check_array("samples", array, dtypes=wanted, ndim=2)


@given(hnp.arrays(st.sampled_from(["f4", "f8"]), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)))
@settings(max_examples=100, deadline=None)
def test_finiteness(array):
    if np.isfinite(array).all():
        check_finite("x", array)
    else:
        with pytest.raises(ValueError, match=r"^x must hold finite numbers only; x.* is -?(nan|inf)$"):
            check_finite("x", array)


def test_the_first_non_finite_number_of_a_large_array_is_named():
    x = np.zeros((3000, 700), dtype=np.float32)
    x[2999, 699] = x[2500, 3] = np.nan
    with pytest.raises(ValueError, match=r"x\[2500, 3\] is nan"):
        check_finite("x", x)


@given(
    y=hnp.arrays(st.sampled_from(INTEGERS), st.integers(1, 9), elements=st.integers(0, 100)),
    n_classes=st.one_of(st.none(), st.integers(2, 120)), shift=st.sampled_from([0, 0, -101]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_labels_come_back_as_they_were_or_are_refused(y, n_classes, shift):
    if y.dtype.kind == "i":
        y = y + np.array(shift, dtype=y.dtype)
    if int(y.min()) >= 0 and (n_classes is None or int(y.max()) < n_classes):
        labels = check_labels("y", y, n_samples=len(y), n_classes=n_classes)
        assert labels.dtype == np.int64
        assert labels.flags.c_contiguous
        assert labels.tolist() == y.tolist()
    else:
        with pytest.raises(ValueError, match=r"^y must be class indices (in|>= 0)") as caught:
            check_labels("y", y, n_samples=len(y), n_classes=n_classes)
        wrong = [k for k, label in enumerate(y.tolist()) if f"y[{k}] is {label}" in str(caught.value)]
        assert wrong
        assert all(y[k] < 0 or (n_classes is not None and y[k] >= n_classes) for k in wrong)


@given(hnp.arrays(st.sampled_from(["f8", "f4", "i4"]), st.integers(1, 9), elements=st.integers(0, 1000)))
@settings(max_examples=100, deadline=None)
def test_sample_weights_get_a_mean_of_one_and_keep_their_proportions(weight):
    assume(weight.any())
    before = weight.copy()
    scaled = check_sample_weight("sample_weight", weight, n_samples=len(weight))
    assert scaled.dtype == np.float64
    assert scaled.mean() == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(scaled * weight.max(), weight * scaled.max(), rtol=1e-14)
    np.testing.assert_array_equal(weight, before)


@pytest.mark.parametrize("weight", [1e-300, 1e-150, 1.0, 1e150, 1e307])
def test_sample_weights_of_any_size(weight):
    assert check_sample_weight("w", np.full(4, weight), n_samples=4).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert check_sample_weight("w", None, n_samples=4) is None


@given(value=st.floats(allow_nan=True), low=st.floats(-10, 10), strict=st.booleans())
@settings(max_examples=150, deadline=None)
def test_real_numbers(value, low, strict):
    bounds = {"above": low} if strict else {"at_least": low}
    if math.isfinite(value) and (value > low if strict else value >= low):
        assert check_real("h", value, **bounds) == value
    else:
        wanted = re.escape(f"h must be finite and {'>' if strict else '>='} {low:g}; got {value!r}")
        with pytest.raises(ValueError, match=f"^{wanted}$"):
            check_real("h", value, **bounds)


def test_bounds_of_real_numbers():
    assert check_real("p", 1, at_least=0.0, at_most=1.0) == 1.0
    assert isinstance(check_real("p", 1), float)
    for value in (1.0, 1.5):
        with pytest.raises(ValueError, match=r"^p must be finite and >= 0 and < 1; got 1"):
            check_real("p", value, at_least=0.0, below=1.0)
    with pytest.raises(ValueError, match=r"^p must be finite; got nan"):
        check_real("p", math.nan)


def test_integers_flags_and_choices():
    assert check_integer("k", np.uint8(3), at_least=3, at_most=3) == 3
    for value, message in ((2, ">= 3; got 2"), (5, "<= 4; got 5")):
        with pytest.raises(ValueError, match=f"^k must be an integer {message}"):
            check_integer("k", value, at_least=3, at_most=4)
    for value in (1.0, True, "1", None, np.bool_(True)):
        with pytest.raises(TypeError, match=r"^k must be an integer; got"):
            check_integer("k", value)
    assert check_flag("f", np.bool_(True)) is True
    for value in (0, 1, "yes", None):
        with pytest.raises(TypeError, match=r"^f must be True or False; got"):
            check_flag("f", value)
    assert check_choice("c", "a", ("a", "b")) == "a"
    for value, error in (("c", ValueError), (1, TypeError), (None, TypeError), (["a"], TypeError)):
        with pytest.raises(error, match=r"^c must be one of 'a', 'b'; got"):
            check_choice("c", value, ("a", "b"))
