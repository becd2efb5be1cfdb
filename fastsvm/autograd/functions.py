"""Operations that are not operators or methods of a node. Each takes nodes, arrays and numbers and gives a node."""

from __future__ import annotations

from fastsvm.autograd import rules
from fastsvm.autograd.node import Node, Operand, apply


def exp(x: Operand) -> Node:
    """``eˣ``, elementwise."""
    return apply(rules.exp, x)


def log(x: Operand) -> Node:
    """Natural logarithm, elementwise."""
    return apply(rules.log, x)


def tanh(x: Operand) -> Node:
    """Hyperbolic tangent, elementwise."""
    return apply(rules.tanh, x)


def sigmoid(x: Operand) -> Node:
    """``1 / (1 + e⁻ˣ)``, elementwise, without overflow."""
    return apply(rules.sigmoid, x)


def relu(x: Operand) -> Node:
    """``max(0, x)``, elementwise. The gradient at 0 is 0."""
    return apply(rules.relu, x)


def maximum(x: Operand, y: Operand) -> Node:
    """The larger of two, elementwise; it gets the gradient.

    In a tie of two variables the first gets it. A constant wins a tie, so the gradient of ``maximum(x, 0)`` at 0 is 0.
    """
    ties_to_x = all(isinstance(operand, Node) and operand.needs_grad for operand in (x, y))
    return apply(rules.maximum, x, y, ties_to_x=ties_to_x)


def linear(x: Operand, W: Operand, b: Operand | None = None) -> Node:
    """``x Wᵀ + b``: scores of samples, or what a layer of a network hands on, in one node.

    Parameters
    ----------
    x : (n_samples, n_inputs)
    W : (n_outputs, n_inputs)
    b : (n_outputs,), optional

    Returns
    -------
    Node (n_samples, n_outputs)
        The gradient on ``W`` is C-contiguous, as optimizers take it.
    """
    return apply(rules.linear, x, W) if b is None else apply(rules.linear, x, W, b)
