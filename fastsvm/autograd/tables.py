"""What a node is called and how its numbers are written, in tables and drawings; and the table of a graph."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from fastsvm.autograd.node import Node
from fastsvm.validation import check_integer

#: How operations are written; the others as functions.
FORMULAS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "power": "{} ** {}",
    "matmul": "{} @ {}",
}


def nodes_of(output: Node) -> list[Node]:
    """The output and all nodes, constants too, that it was computed from, each after its inputs."""
    if not isinstance(output, Node):
        raise TypeError(f"node must be a node of a graph; got {type(output).__name__}")
    found, waiting = {output}, [output]
    while waiting:
        for x in waiting.pop().inputs:
            if isinstance(x, Node) and x not in found:
                found.add(x)
                waiting.append(x)
    return sorted(found, key=lambda node: node.number)


def is_number(x: Any) -> bool:
    """Whether an operand is a plain number, which tables and drawings write into the operation."""
    return not isinstance(x, Node) and np.ndim(x) == 0


def number_text(value: Any, digits: int) -> str:
    """A number to so many significant digits, with the sign and without needless zeros."""
    return format(float(value), f".{digits}g")


def array_text(array: np.ndarray, digits: int) -> str:
    """A number, or the shape and Euclidean norm of an array."""
    return number_text(array, digits) if array.ndim == 0 else f"{array.shape}, norm {norm_text(array, digits)}"


def norm_text(array: np.ndarray, digits: int) -> str:
    """The Euclidean norm of all entries."""
    return number_text(np.linalg.norm(array.astype(np.float64).ravel()), digits)


def describe(node: Node, *, digits: int = 4) -> str:
    """Return a table of a node and of all that it was computed from: names, operations, values and gradients.

    Parameters
    ----------
    node : Node
    digits : int >= 1, default 4
        Significant digits. Of arrays the shape and the Euclidean norms are given.

    Returns
    -------
    str
        One line per node, each after its inputs. Nodes without names are numbered. A gradient not computed is a "-".

    Examples
    --------
    >>> from fastsvm.autograd import variable
    >>> x = variable(3.0, "x")
    >>> f = (x * x + 1.0).named("f")
    >>> f.backward()
    >>> print(describe(f))
    node  operation  value  gradient
    x                    3         6
    #1    x * x          9         1
    f     #1 + 1        10         1
    """
    digits = check_integer("digits", digits, at_least=1)
    nodes = nodes_of(node)
    number = count(1)
    names = {x: x.name or f"#{next(number)}" for x in nodes}
    rows = [("node", "operation", "value", "gradient")]
    for x in nodes:
        grad = "-" if x.grad is None else array_text(x.grad, digits) if x.ndim == 0 else f"norm {norm_text(x.grad, digits)}"
        rows.append((names[x], _formula(x, names, digits), array_text(x.value, digits), grad))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left, formula, value, gradient = widths
    return "\n".join(f"{a:<{left}}  {b:<{formula}}  {c:>{value}}  {d:>{gradient}}" for a, b, c, d in rows)


def _formula(node: Node, names: dict[Node, str], digits: int) -> str:
    if not node.inputs:
        return "" if node.op == "variable" else node.op
    operands = []
    for x in node.inputs:
        if isinstance(x, Node):
            operands.append(names[x])
        else:
            operands.append(number_text(x, digits) if is_number(x) else f"array {x.shape}")
    return FORMULAS.get(node.op, f"{node.op}({', '.join(['{}'] * len(operands))})").format(*operands)
