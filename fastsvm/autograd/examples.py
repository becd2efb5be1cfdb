"""The examples of the lecture on backpropagation, with its numbers, after their backward pass.

Source: CS231n, "Backpropagation, intuitions".
"""

from __future__ import annotations

from typing import NamedTuple

from fastsvm.autograd.functions import exp, sigmoid
from fastsvm.autograd.leaves import variable
from fastsvm.autograd.node import Node


class Circuit(NamedTuple):
    """Nodes of ``f = (x + y) z``."""

    x: Node
    y: Node
    z: Node
    q: Node
    f: Node


def circuit(x: float = -2.0, y: float = 5.0, z: float = -4.0) -> Circuit:
    """``f = q z`` with ``q = x + y``: ∂f/∂q = z = −4 and ∂f/∂z = q = 3; the chain rule gives ∂f/∂x = ∂f/∂q · 1 = −4.

    Examples
    --------
    >>> from fastsvm.autograd import describe
    >>> print(describe(circuit().f))
    node  operation  value  gradient
    x                   -2        -4
    y                    5        -4
    z                   -4         3
    q     x + y          3        -4
    f     q * z        -12         1
    """
    a, b, c = variable(x, "x"), variable(y, "y"), variable(z, "z")
    q = (a + b).named("q")
    f = (q * c).named("f")
    f.backward()
    return Circuit(a, b, c, q, f)


class SigmoidNeuron(NamedTuple):
    """Nodes of ``f = 1 / (1 + exp(−s))`` with ``s = w0 x0 + w1 x1 + w2``."""

    w0: Node
    x0: Node
    w1: Node
    x1: Node
    w2: Node
    s: Node
    f: Node


def sigmoid_neuron(
    w: tuple[float, float, float] = (2.0, -3.0, -3.0), x: tuple[float, float] = (-1.0, -2.0), *, one_gate: bool = False
) -> SigmoidNeuron:
    """A neuron with two inputs, from elementary operations, or with the sigmoid as one gate: the same gradients.

    The output is 0.73; the gradients are −0.20 (w0), 0.39 (x0), −0.39 (w1), −0.59 (x1) and 0.20 (w2). On ``s`` it is
    ``σ(s) (1 − σ(s)) = 0.73 · 0.27``, whichever way it came about.
    """
    w0, x0 = variable(w[0], "w0"), variable(x[0], "x0")
    w1, x1 = variable(w[1], "w1"), variable(x[1], "x1")
    w2 = variable(w[2], "w2")
    s = (w0 * x0 + w1 * x1 + w2).named("s")
    f = (sigmoid(s) if one_gate else 1.0 / (exp(s * -1.0) + 1.0)).named("f")
    f.backward()
    return SigmoidNeuron(w0, x0, w1, x1, w2, s, f)
