"""Gradients of each operation: against differences away from kinks, by hand at them; and the formulas they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from fastsvm import CrammerSinger, Softmax, WestonWatkins, check_gradient, loss_and_gradient, score_loss_and_gradient
from fastsvm import autograd as ag

ROWS, LABELS = np.array([0, 2, 2, 0]), np.array([1, 0, 2])
MASK = np.array([True, False, True])

#: What nodes share with arrays, and the shapes it is tried on.
LIKE_NUMPY = {
    "add": (lambda x, y: x + y, (2, 3), (2, 3)),
    "add a row": (lambda x, y: x + y, (2, 3), (3,)),
    "subtract": (lambda x, y: x - y, (2, 1), (2, 3)),
    "subtract from a number": (lambda x: 1.5 - x, (2,)),
    "negative": (lambda x: -x, (2,)),
    "multiply": (lambda x, y: x * y, (2, 3), (1, 3)),
    "multiply by itself": (lambda x: x * x, (2, 3)),
    "divide": (lambda x, y: x / y, (2, 3), (2, 1)),
    "divide a number": (lambda x: 2.5 / x, (3,)),
    "power": (lambda x: x**2, (3,)),
    "power 1.5": (lambda x: x**1.5, (3,)),
    "power -1": (lambda x: x**-1, (3,)),
    "power 0": (lambda x: x**0 + x, (3,)),
    "power of two": (lambda x, y: x**y, (2, 3), (3,)),
    "power of a number": (lambda x: 2.5**x, (3,)),
    "matmul": (lambda x, y: x @ y, (2, 3), (3, 4)),
    "matmul, vector left": (lambda x, y: x @ y, (3,), (3, 4)),
    "matmul, vector right": (lambda x, y: x @ y, (2, 3), (3,)),
    "matmul, vectors": (lambda x, y: x @ y, (3,), (3,)),
    "matmul, stacks": (lambda x, y: x @ y, (5, 1, 2, 3), (4, 3, 2)),
    "matmul, stack and vector": (lambda x, y: x @ y, (3,), (4, 3, 2)),
    "matmul, transposed": (lambda x, y: x.T @ y.T, (3, 2), (4, 3)),
    "sum": (lambda x: x.sum(), (2, 3)),
    "sum over an axis": (lambda x: x.sum(axis=1), (2, 3, 4)),
    "sum over axes": (lambda x: x.sum(axis=(0, -1)), (2, 3, 4)),
    "sum, keepdims": (lambda x: x - x.sum(axis=-1, keepdims=True) * 0.3, (2, 3)),
    "mean": (lambda x: x.mean(), (2, 3)),
    "mean over an axis": (lambda x: x * x.mean(axis=0), (2, 3)),
    "mean over axes": (lambda x: x.mean(axis=(1, 2), keepdims=True), (2, 3, 4)),
    "reshape": (lambda x: x.reshape(3, -1) * x.reshape((3, 2)), (2, 3)),
    "transpose": (lambda x: x.transpose(1, 2, 0), (2, 3, 4)),
    "transpose, negative axes": (lambda x: x.transpose(-1, 0, -2), (2, 3, 4)),
    "transpose a vector": (lambda x: x.T, (3,)),
    "index": (lambda x: x[1], (2, 3)),
    "index, slices": (lambda x: x[::-1, None, 1:], (2, 3)),
    "index, ellipsis": (lambda x: x[..., 0], (2, 3)),
    "index, repeated": (lambda x: x[ROWS], (3, 2)),
    "index, pairs": (lambda x: x[[0, 1, 2], LABELS], (3, 3)),
    "index, pairs repeated": (lambda x: x[[0, 0, 1], [1, 1, 0]], (2, 2)),
    "index, mask": (lambda x: x[MASK], (3, 2)),
    "transpose a product": (lambda x: (x * 1.5).T, (2, 3)),
}


def expected_linear(x, W, b=0.0):
    return x @ W.T + b


def expected_loss(scores, loss, weight=None):
    return score_loss_and_gradient(np.ascontiguousarray(scores), LABELS, loss, weight)[0]


WEIGHT = [1.0, 0.0, 2.0]

#: The others: what nodes have, the same of arrays, and shapes.
FUNCTIONS = {
    "exp": (ag.exp, np.exp, (2, 3)),
    "log": (ag.log, np.log, (2, 3)),
    "tanh": (ag.tanh, np.tanh, (2, 3)),
    "sigmoid": (ag.sigmoid, lambda x: 1 / (1 + np.exp(-x)), (2, 3)),
    "relu": (lambda x: ag.relu(x - 0.65), lambda x: np.maximum(x - 0.65, 0), (4, 4)),
    "maximum": (ag.maximum, np.maximum, (4, 4), (4,)),
    "maximum with a number": (lambda x: ag.maximum(0.65, x), lambda x: np.maximum(x, 0.65), (4, 4)),
    "maximum of a number": (lambda x: ag.maximum(x, 0.65), lambda x: np.maximum(x, 0.65), (4, 4)),
    "linear": (ag.linear, expected_linear, (5, 3), (2, 3), (2,)),
    "linear without intercept": (ag.linear, expected_linear, (5, 3), (2, 3)),
    "penalty": (lambda x: ag.penalty(x, 0.7), lambda x: 0.35 * (x**2).sum(), (2, 3)),
    "penalty of a number": (lambda x: ag.penalty(x, 0.7), lambda x: 0.35 * x**2, ()),
    "weston_watkins": (
        lambda x: ag.weston_watkins(3 * x, LABELS, 0.5, sample_weight=WEIGHT),
        lambda x: expected_loss(3 * x, WestonWatkins(0.5), WEIGHT),
        (3, 3),
    ),
    "weston_watkins, squared": (
        lambda x: ag.weston_watkins(x.T, LABELS, squared=True),
        lambda x: expected_loss(x.T, WestonWatkins(squared=True)),
        (4, 3),
    ),
    "crammer_singer": (
        lambda x: ag.crammer_singer(3 * x, LABELS, 0.5, sample_weight=WEIGHT),
        lambda x: expected_loss(3 * x, CrammerSinger(0.5), WEIGHT),
        (3, 3),
    ),
    "softmax_loss": (
        lambda x: ag.softmax_loss(x, LABELS, sample_weight=WEIGHT),
        lambda x: expected_loss(x, Softmax(), WEIGHT),
        (3, 5),
    ),
}
OPERATIONS = {name: (function, function, *shapes) for name, (function, *shapes) in LIKE_NUMPY.items()} | FUNCTIONS


@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients(name):
    """Values against NumPy, gradients against differences of NumPy's values."""
    function, expected, *shapes = OPERATIONS[name]
    rng = np.random.default_rng(1)
    # Positive, for log and powers, in steps that keep maxima and margins away from their kinks.
    size = sum(int(np.prod(shape)) for shape in shapes)
    numbers = np.split(rng.permutation(size) * 0.013 + 0.55 + 0.0041, np.cumsum([np.prod(s) for s in shapes])[:-1].astype(int))
    arrays = [part.reshape(shape) for part, shape in zip(numbers, shapes, strict=True)]
    variables = [ag.variable(array) for array in arrays]
    output = function(*variables)
    np.testing.assert_allclose(output.value, expected(*arrays), rtol=1e-14)
    seed = rng.uniform(0.5, 1.5, output.shape)
    output.backward(seed)

    def value(_):
        return float((expected(*arrays) * seed).sum())

    for x in variables:
        check = check_gradient(value, x.value, x.grad, tolerance=1e-6)
        assert check.passed, f"{name}\n{check}"
        assert np.abs(check.analytic).max() > 0
        assert x.grad.flags.c_contiguous


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broadcasting_is_undone(data):
    """Against the definition: a broadcast array's gradient is the sum over all the places its entries went to."""
    shapes = data.draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3)).input_shapes
    x, y = (ag.variable(np.random.default_rng(k).uniform(1, 2, shape)) for k, shape in enumerate(shapes))
    node = x * y
    seed = np.random.default_rng(2).normal(size=node.shape)
    node.backward(seed)
    for one, other in ((x, y), (y, x)):
        places = np.broadcast_to(np.arange(one.value.size).reshape(one.shape), node.shape)
        expected = np.bincount(places.ravel(), (seed * other.value).ravel(), minlength=one.value.size)
        np.testing.assert_allclose(one.grad, expected.reshape(one.shape), rtol=1e-12, atol=1e-12)
        assert one.grad.flags.c_contiguous


# --- kinks, by hand


def test_the_subgradient_at_the_kink_is_zero():
    for kinked in (ag.relu, lambda x: ag.maximum(x, 0.0), lambda x: ag.maximum(0.0, x), lambda x: ag.maximum(np.zeros(3), x)):
        x = ag.variable(np.array([-1.0, 0.0, 2.0]))
        kinked(x).sum().backward()
        assert x.grad.tolist() == [0.0, 0.0, 1.0]


def test_a_tie_of_variables_goes_to_the_first():
    x, y = ag.variable(np.array([1.0, 1.0, 0.0])), ag.variable(np.array([1.0, 2.0, -1.0]))
    ag.maximum(x, y).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    x.zero_grad()
    ag.maximum(x, x).sum().backward()  # max(x, x) = x
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_margins_at_the_kink_have_no_gradient():
    scores = ag.variable(np.array([[2.0, 1.0, 1.5]]))  # margins 0 and 0.5 of class 0
    ag.weston_watkins(scores, np.array([0])).backward()
    assert scores.grad.tolist() == [[-1.0, 0.0, 1.0]]


# --- large numbers, and derivatives that NumPy's formula would spoil


def test_the_sigmoid_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        for dtype in (np.float32, np.float64):
            x = ag.variable(np.array([-1000.0, 0.0, 1000.0], dtype))
            node = ag.sigmoid(x)
            node.sum().backward()
            assert node.value.tolist() == [0.0, 0.5, 1.0]
            assert x.grad.tolist() == [0.0, 0.25, 0.0]


def test_a_power_at_zero():
    for exponent, expected in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)):
        x = ag.variable(0.0)
        (x**exponent).backward()
        assert float(x.grad) == expected


# --- the formulas they stand for


@pytest.mark.parametrize("loss", [WestonWatkins(), WestonWatkins(0.7, squared=True), CrammerSinger(), Softmax()], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fused", [True, False])
def test_the_linear_svm_as_a_graph(loss, dtype, fused):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 20)).astype(dtype)
    y, weight = rng.integers(0, 5, 50), rng.uniform(0.5, 2, 50)
    W, b = ag.variable(rng.normal(size=(5, 20)).astype(dtype)), ag.variable(rng.normal(size=5).astype(dtype))
    scores = ag.linear(X, W, b) if fused else X @ W.T + b
    objective = ag.loss(scores, y, loss, weight) + ag.penalty(W, 0.3)
    objective.backward()
    value, dW, db = loss_and_gradient(W.value, X, y, b.value, loss, 0.3, weight)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert float(objective) == pytest.approx(value, rel=tolerance)
    np.testing.assert_allclose(W.grad, dW, atol=tolerance * np.abs(dW).max())
    np.testing.assert_allclose(b.grad, db, atol=tolerance * np.abs(db).max())
    assert W.grad.flags.c_contiguous


def test_losses_built_from_elementary_operations():
    rng = np.random.default_rng(3)
    values, y, rows = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), np.arange(6)

    def hinge(s):
        return (ag.maximum(0.0, s - s[rows, y][:, None] + 1.0).sum() - 6.0) / 6.0  # less the margin 1 of each class itself

    def softmax(s):
        return (ag.log(ag.exp(s).sum(axis=1)) - s[rows, y]).mean()

    for elementary, loss in ((hinge, WestonWatkins()), (softmax, Softmax())):
        scores = ag.variable(values)
        node = elementary(scores)
        node.backward()
        value, dscores = score_loss_and_gradient(values, y, loss)
        assert float(node) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(scores.grad, dscores, atol=1e-14)


def test_a_two_layer_network_by_hand():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(8, 5)), rng.integers(0, 3, 8)
    parts = [ag.variable(rng.normal(size=shape)) for shape in ((7, 5), (7,), (3, 7), (3,))]
    W1, b1, W2, b2 = (part.value for part in parts)
    hidden = ag.relu(ag.linear(X, parts[0], parts[1]))
    (ag.weston_watkins(ag.linear(hidden, parts[2], parts[3]), y) + ag.penalty(parts[0], 0.1)).backward()
    before = X @ W1.T + b1
    after = np.maximum(0, before)
    dscores = score_loss_and_gradient(after @ W2.T + b2, y)[1]
    dbefore = (dscores @ W2) * (before > 0)
    expected = (dbefore.T @ X + 0.1 * W1, dbefore.sum(axis=0), dscores.T @ after, dscores.sum(axis=0))
    for part, gradient in zip(parts, expected, strict=True):
        np.testing.assert_allclose(part.grad, gradient, atol=1e-13)


def test_losses_refuse_what_the_objective_refuses():
    scores = ag.variable(np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"y\[0\] is 3"):
        ag.loss(scores, np.array([3, 0, 1]))
    with pytest.raises(ValueError, match="loss must be one of"):
        ag.loss(scores, LABELS, "hinge")
    with pytest.raises(ValueError, match="scores must have 2 dimensions"):
        ag.loss(scores[0], LABELS)
    with pytest.raises(ValueError, match="alpha"):
        ag.penalty(scores, -1.0)
    assert not ag.loss(scores.value, LABELS).needs_grad
