"""The graph: what nodes keep, how gradients add up, which dtypes and arguments are refused."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from fastsvm import Adam
from fastsvm import autograd as ag
from fastsvm.autograd import examples


def test_the_circuit_of_the_lecture():
    nodes = examples.circuit()
    assert {name: (float(node), float(node.grad)) for name, node in nodes._asdict().items()} == {
        "x": (-2.0, -4.0), "y": (5.0, -4.0), "z": (-4.0, 3.0), "q": (3.0, -4.0), "f": (-12.0, 1.0),
    }  # fmt: skip


@pytest.mark.parametrize("one_gate", [False, True])
def test_the_sigmoid_neuron_of_the_lecture(one_gate):
    nodes = examples.sigmoid_neuron(one_gate=one_gate)
    assert round(float(nodes.f), 2) == 0.73
    grads = [round(float(getattr(nodes, name).grad), 2) for name in ("w0", "x0", "w1", "x1", "w2")]
    assert grads == [-0.20, 0.39, -0.39, -0.59, 0.20]
    sigma = 1 / (1 + np.exp(-1.0))
    assert float(nodes.s.grad) == pytest.approx(sigma * (1 - sigma), rel=1e-14)


@pytest.mark.parametrize("module", ["examples", "node", "tables"])
def test_examples_in_docstrings(module):
    assert doctest.testmod(import_module(f"fastsvm.autograd.{module}"), raise_on_error=True).attempted > 0


def test_import_loads_no_heavy_library(tmp_path):
    code = "import sys, fastsvm.autograd; print(sorted({'scipy', 'matplotlib', 'sklearn', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


# --- how gradients add up


def test_a_node_used_several_times_gets_the_sum():
    x = ag.variable(3.0)
    f = x * x + x * 2.0 + x  # 2x + 2 + 1
    f.backward()
    assert float(x.grad) == 9.0
    both = ag.variable(np.array([1.0, 2.0]))
    (both + both).sum().backward()
    assert both.grad.tolist() == [2.0, 2.0]


def test_variables_add_up_over_passes_and_other_nodes_do_not():
    x = ag.variable(2.0)
    square = x * x
    f = square * 3.0
    for passes in (1, 2, 3):
        f.backward()
        assert (float(x.grad), float(square.grad), float(f.grad)) == (12.0 * passes, 3.0, 1.0)
    g = square * 5.0  # a second output over the same part
    f.zero_grad()
    assert (x.grad, square.grad, f.grad) == (None, None, None)
    f.backward()
    g.backward()
    assert (float(x.grad), float(square.grad)) == (32.0, 5.0)
    x.zero_grad()
    assert x.grad is None
    assert square.grad is not None


def test_variables_have_gradients_of_their_own():
    x, y = ag.variable(np.ones(2)), ag.variable(np.ones(2))
    (x + y).sum().backward()
    x.grad *= 5.0
    assert y.grad.tolist() == [1.0, 1.0]
    seed = np.array([1.0, 2.0])
    x.zero_grad()
    output = x + 1.0
    output.backward(seed)
    x.grad *= 7.0
    output.grad *= 7.0
    assert seed.tolist() == [1.0, 2.0]
    x.zero_grad()
    x.reshape(2, 1).sum(axis=1).backward(seed)  # a read-only view on the way
    x.grad += 1.0
    assert x.grad.tolist() == [2.0, 3.0]


def test_a_gradient_that_is_there_is_added_to_in_place():
    x = ag.variable(np.array([1.0, 2.0]))
    x.grad = buffer = np.array([10.0, 10.0])
    (x * x).sum().backward()
    assert x.grad is buffer
    assert buffer.tolist() == [12.0, 14.0]


def test_a_chain_longer_than_the_recursion_limit():
    x = ag.variable(1.0)
    node = x
    for _ in range(10_000):
        node = node * 1.0
    node.backward()
    assert float(x.grad) == 1.0
    assert len(ag.describe(node).splitlines()) == 10_002
    node.zero_grad()
    del node  # must not recurse either


def test_a_diamond_of_many_paths_is_visited_once_per_node():
    x = ag.variable(1.0)
    node = x
    for _ in range(60):  # 2^60 paths
        node = node + node
    node.backward()
    assert float(x.grad) == 2.0**60


def test_constants_need_no_gradient_and_keep_nothing():
    X, w = np.arange(6.0).reshape(2, 3), ag.variable(np.ones(3))
    c = ag.constant(X, "X")
    derived = ag.exp(c) @ np.ones(3)
    assert not derived.needs_grad
    assert derived.inputs == ()
    called = []
    node = ag.operation("spy", w.value * 2, (w, lambda g: 2 * g), (c, called.append))
    (node.sum() + (c @ w).sum()).backward()
    assert w.grad.tolist() == [5.0, 7.0, 9.0]
    assert c.grad is None
    assert called == []
    with pytest.raises(ValueError, match="computed from constants only"):
        derived.sum().backward()


def test_backward_starts_from_a_number_or_a_seed():
    x = ag.variable(np.ones((2, 3)))
    y = x * 2.0
    with pytest.raises(ValueError, match=r"shape \(2, 3\).*sum"):
        y.backward()
    with pytest.raises(ValueError, match=r"seed must have shape \(2, 3\) .*got shape \(3,\)"):
        y.backward(np.ones(3))
    with pytest.raises(TypeError, match="operand"):
        y.backward("one")
    y.backward(np.arange(6.0).reshape(2, 3))
    assert x.grad.tolist() == [[0, 2, 4], [6, 8, 10]]
    z = ag.variable(np.float32(1.0))
    (z * 3.0).backward(2.0)
    assert (float(z.grad), z.grad.dtype) == (6.0, np.float32)
    with pytest.raises(ValueError, match="dtype float32"):
        ag.variable(np.ones(2, np.float32)).backward(np.ones(2))


def test_a_variable_on_its_own():
    x = ag.variable(5.0)
    x.backward()
    x.backward()
    assert float(x.grad) == 2.0


# --- dtypes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(dtype):
    x = ag.variable(np.array([[0.5, 1.5], [2.0, 0.25]], dtype))
    W, b = ag.variable(np.ones((3, 2), dtype)), ag.variable(np.zeros(3, dtype))
    nodes = [
        x + 1, 1 - x, -x, x * np.float64(2), x / np.sqrt(2.0), 2 / x, x**2, x**0.5, 2**x, x**x, x @ x, x * x, ag.exp(x),
        ag.log(x), ag.tanh(x), ag.sigmoid(x), ag.relu(x), ag.maximum(x, 1.0), ag.maximum(0.5, x), x.sum(), x.mean(axis=0), x.T,
        x[0], x[[0, 0]], x.reshape(4), ag.linear(x, W, b), ag.penalty(x, 0.3), ag.loss(x, np.array([0, 1])),
        x + np.ones(2, bool),
    ]  # fmt: skip
    for node in nodes:
        assert node.dtype == dtype, node
        x.zero_grad()
        node.backward(np.ones(node.shape, dtype))
        assert x.grad.dtype == dtype, node
        assert x.grad.shape == x.shape
    assert W.grad.dtype == b.grad.dtype == dtype


def test_other_dtypes_are_refused():
    x = ag.variable(np.ones((2, 3), np.float32), "x")
    for operand in (np.ones(3), np.ones(3, np.int64), ag.variable(np.ones(3)), ag.constant(np.ones(3))):
        with pytest.raises(TypeError, match=r"multiply must give the dtype .*shape \(2, 3\).*shape \(3,\)"):
            x * operand
        with pytest.raises(TypeError, match="linear must give the dtype"):
            ag.linear(x, np.ones((1, 3), np.float32), operand[:1])
    assert (x * np.ones(3, np.uint8)).dtype == np.float32  # NumPy keeps float32 here, and so exactly


@pytest.mark.parametrize("value", [3, True, np.int32(3), np.arange(3), [1, 2], np.ones(2, np.float16), np.ones(2, ">f8"), 1j])
def test_leaves_are_floats(value):
    for leaf in (ag.variable, ag.constant):
        with pytest.raises(TypeError, match="value must have dtype float64 or float32"):
            leaf(value)


def test_integers_are_told_that_they_have_no_gradient():
    with pytest.raises(TypeError, match=r"shape \(3,\): integers have no gradient; use value.astype\('float64'\)"):
        ag.variable(np.arange(3))
    with pytest.raises(TypeError, match=r"use float\(value\)"):
        ag.variable(3)
    with pytest.raises(TypeError, match="mask"):
        ag.variable(np.ma.array([1.0, 2.0], mask=[0, 1]))


# --- arguments, and NumPy on the left


def test_shapes_stand_in_the_messages():
    x, y = ag.variable(np.ones((2, 3))), ag.variable(np.ones((4, 5)))
    for combine in (lambda: x + y, lambda: x @ y, lambda: ag.maximum(x, y), lambda: ag.linear(x, y)):
        with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(4, 5\)"):
            combine()
    with pytest.raises(ValueError, match=r"reshape does not work on shape \(2, 3\)"):
        x.reshape(4, 2)
    with pytest.raises(ValueError, match=r"sum does not work on shape \(2, 3\).*axis 2"):
        x.sum(axis=2)
    with pytest.raises(ValueError, match=r"matmul does not work on shapes \(\) and \(2, 3\)"):
        2.0 @ x
    with pytest.raises(IndexError):
        x[2]


def test_what_is_no_operand():
    x = ag.variable(np.ones(2))
    for operand in ("1", None, 1j, [1.0, 2.0]):
        with pytest.raises(TypeError, match="an operand must be a node, a NumPy array or a real number"):
            x + operand
    with pytest.raises(TypeError, match="index"):
        x[x]
    with pytest.raises(TypeError, match=r"its array is \.value"):
        np.asarray(x)
    with pytest.raises(TypeError):
        np.exp(x)


def test_arrays_on_the_left_leave_the_operation_to_the_node():
    x = ag.variable(np.array([1.0, 2.0]))
    A = np.array([[1.0, 2.0], [3.0, 4.0]])
    for node, expected in (
        (A + x, A + x.value),
        (A - x, A - x.value),
        (A * x, A * x.value),
        (A / x, A / x.value),
        (A @ x, A @ x.value),
    ):
        assert isinstance(node, ag.Node)
        np.testing.assert_array_equal(node.value, expected)
    assert (np.float64(2.0) - x).value.tolist() == [1.0, 0.0]


def test_iteration_and_numbers():
    w = ag.variable(np.array([2.0, -3.0]))
    a, b = w
    (a * b).backward()
    assert w.grad.tolist() == [-3.0, 2.0]
    assert len(w) == 2
    assert float(a) == 2.0
    assert sum(w).value == -1.0  # Python's, which starts from 0


def test_an_operation_of_ones_own_is_watched():
    x = ag.variable(np.ones((2, 3)), "x")
    wrong = {"transposed": lambda g: g.T.copy(), "fewer axes": lambda g: g[0], "float32": lambda g: g.astype(np.float32)}
    for name, backward in wrong.items():
        with pytest.raises(ValueError, match=f"backward function of {name} must give .*shape \\(2, 3\\)"):
            ag.operation(name, x.value * 1.0, (x, backward)).sum().backward()


def test_values_are_shared_with_the_optimizer():
    """Descent on (x − 3)², the variable updated in place."""
    start = np.array([10.0])
    x = ag.variable(start)
    assert x.value is start
    optimizer = Adam(0.1)
    state = optimizer.init(x.value)
    for _ in range(300):
        x.zero_grad()
        ((x - 3.0) ** 2).sum().backward()
        optimizer.step(x.value, x.grad, state)
    assert start[0] == pytest.approx(3.0, abs=1e-3)


def test_what_a_node_is_not():
    x = ag.variable(2.0)
    with pytest.raises(TypeError, match=r"a Node has no truth value; use \.value"):
        bool(x)
    with pytest.raises(TypeError, match=r"a Node is no array: use fastsvm\.autograd\.exp"):
        np.exp(x)
    with pytest.raises(TypeError, match=r"W must be a Node, as fastsvm\.autograd\.variable makes it; got ndarray"):
        ag.penalty(np.ones(2), 1.0)


@pytest.mark.parametrize("given", [None, 3.0])
def test_a_backward_function_returns_an_array(given):
    x = ag.variable(2.0)
    cube = ag.operation("cube", x.value**3, (x, lambda g: given))
    kind = type(given).__name__
    with pytest.raises(TypeError, match=rf"the backward function of cube must return an array, .*variable, 2\.0.*got {kind}"):
        cube.backward()
