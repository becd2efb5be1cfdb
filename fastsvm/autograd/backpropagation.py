"""The backward pass: gradients of one output on all that it was computed from, by the chain rule.

Nodes are visited from the output to the variables, each after all that use it, so that the gradient of a node is complete,
the sum over its uses, before it is passed on. Nothing recurses: a chain may be as long as memory allows.

Source: CS231n, "Backpropagation, intuitions".
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from fastsvm.autograd.rules import unbroadcast

if TYPE_CHECKING:
    from fastsvm.autograd.node import Node


def ordered(output: Node) -> list[Node]:
    """The output and all nodes its gradient passes to, each after its inputs (a topological order)."""
    found, waiting = {output}, [output]
    while waiting:
        for x, _ in waiting.pop().edges:
            if x not in found:
                found.add(x)
                waiting.append(x)
    # A node is made after its inputs, and numbered then.
    return sorted(found, key=attrgetter("number"))


def backpropagate(output: Node, seed: np.ndarray) -> None:
    """Pass ``seed``, the gradient on the output, back. Sets ``grad`` of results; adds to that of variables."""
    gradients = {output: seed}
    ours: set[Node] = set()  # nodes whose gradient so far lies in an array nobody else has, which may be added to
    for node in reversed(ordered(output)):
        g = gradients.pop(node)
        if not node.edges:
            _add_to(node, g, node in ours)
            continue
        node.grad = np.asarray(g)
        for x, backward in node.edges:
            part = backward(g)
            if not isinstance(part, (np.ndarray, np.generic)):
                raise TypeError(
                    f"the backward function of {node.op} must return an array, the gradient on its input {x!r}; "
                    f"got {type(part).__name__}"
                )
            if part.shape != x.value.shape or part.dtype != x.value.dtype:
                part = _fitted(part, x, node)
            if x not in gradients:
                gradients[x] = part
                if part is not g and part.base is None:
                    ours.add(x)
            elif x in ours:
                gradients[x] += part
            else:
                gradients[x] = gradients[x] + part
                ours.add(x)


def _fitted(part: np.ndarray, x: Node, node: Node) -> np.ndarray:
    """The gradient on an input, summed over the axes along which the operation repeated it."""
    try:
        if part.dtype != x.dtype:
            raise ValueError(f"dtype {part.dtype} is not {x.dtype}")
        return unbroadcast(part, x.shape)
    except ValueError as error:
        raise ValueError(f"the backward function of {node.op} must give the gradient on its input {x!r}: {error}") from None


def _add_to(variable: Node, g: np.ndarray, ours: bool) -> None:
    if variable.grad is not None:
        variable.grad += g
    else:
        # Optimizers take C-contiguous arrays.
        variable.grad = np.asarray(g) if ours and g.flags.c_contiguous else np.array(g, order="C")
