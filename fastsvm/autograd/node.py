"""The graph: nodes that remember what they were computed from, and the backward pass over them.

    x, y, z = variable(-2.0), variable(5.0), variable(-4.0)
    f = (x + y) * z
    f.backward()                              # x.grad, y.grad, z.grad: -4, -4, 3

Forward, an operation computes its value at once, and its node keeps the inputs and, for each of them, the function that maps a
gradient on the value to one on the input (:mod:`fastsvm.autograd.rules`). Backward, these functions are called from the output
down to the variables (:mod:`fastsvm.autograd.backpropagation`); what is used several times gets the sum of the gradients.

What is kept
    `Node.grad` of a variable is added to by each backward pass until `Node.zero_grad`, so that batches, or outputs that share
    a part of the graph, can be summed. ``grad`` of any other node is that of the last pass alone, so that calling ``backward``
    twice counts nothing twice on the way; it is for reading, and may share memory with others. There are no second derivatives.
dtypes
    float32 stays float32 and float64 float64. A number takes the dtype of the node it meets; an array that would turn a node
    into another, and two nodes of different dtypes, are refused.
Memory
    Values are not copied: leave arrays alone between forward and backward pass. After that they may be changed in
    place, as optimizers do: ``optimizer.step(W.value, W.grad, state)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from numbers import Real
from typing import Any

import numpy as np

from fastsvm.autograd import rules
from fastsvm.autograd.backpropagation import backpropagate, ordered
from fastsvm.autograd.rules import Backward
from fastsvm.validation import WEIGHT_DTYPES, describe, refuse_mask

_made = count()


class Node:
    """An array in the graph: a variable, a constant, or the result of an operation. Made by `variable`, `constant`, operations.

    Attributes
    ----------
    value : ndarray, float32 or float64
        Of shape () where it is a number.
    grad : ndarray or None
        Gradient of the output ``backward`` was called on, of the shape and dtype of ``value``; ``None`` before. That of a
        variable is summed over calls until ``zero_grad``.
    name : str or None
        For drawings and tables; may be set.
    op : str
        The operation; ``"variable"`` or ``"constant"`` where there was none.
    inputs : tuple of nodes, arrays and numbers
        What the operation was applied to.
    needs_grad : bool
        Whether a variable is among what it was computed from. Others keep no inputs, and no gradient is computed for them.
    """

    __slots__ = ("__weakref__", "edges", "grad", "inputs", "name", "needs_grad", "number", "op", "value")
    __array_priority__ = 1000.0  # an array on the left leaves + - * / @ to the node on the right

    def __init__(
        self,
        value: np.ndarray,
        op: str,
        inputs: tuple[Any, ...] = (),
        edges: tuple[tuple[Node, Backward], ...] = (),
        *,
        needs_grad: bool,
        name: str | None = None,
    ) -> None:
        self.value = value
        self.grad: np.ndarray | None = None
        self.name = name
        self.op = op
        self.inputs = inputs
        self.edges = edges
        self.needs_grad = needs_grad
        self.number = next(_made)  # of a node after those of its inputs: a topological order

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Number of axes of the value."""
        return self.value.ndim

    @property
    def dtype(self) -> np.dtype:
        """dtype of the value and of the gradient."""
        return self.value.dtype

    def named(self, name: str) -> Node:
        """Give the node a name, and return it."""
        self.name = name
        return self

    def __repr__(self) -> str:
        what = self.op if self.name is None else f"{self.name!r}, {self.op}"
        return f"Node({what}, {self.value if self.ndim == 0 else f'shape {self.shape}'}, {self.dtype})"

    def backward(self, seed: Any = None) -> None:
        """Compute the gradient of this node on every node it was computed from.

        Those of variables add up over calls: call `zero_grad` between two steps of training.

        Parameters
        ----------
        seed : array or number, shape of this node, optional
            What to differentiate is a number, ``(seed · value).sum()``. By default 1, for a node of shape () only.

        Raises
        ------
        ValueError, TypeError
            If the node depends on no variable, or ``seed`` is missing or does not fit.
        """
        backpropagate(self, self._seed(seed))

    def _seed(self, seed: Any) -> np.ndarray:
        if not self.needs_grad:
            raise ValueError(f"backward needs a node computed from a variable; {self!r} is computed from constants only")
        if seed is None:
            if self.shape != ():
                raise ValueError(f"backward() needs a node of shape (), or seed; got shape {self.shape}. Take its .sum()")
            return np.ones_like(self.value)
        g = np.asarray(_array(seed))
        if g.shape != self.shape or (g.ndim and np.result_type(g, self.value) != self.dtype):
            raise ValueError(f"seed must have shape {self.shape} and dtype {self.dtype}; got shape {g.shape}, {g.dtype}")
        return g.astype(self.dtype)  # a copy: it is kept as the gradient of this node

    def zero_grad(self) -> None:
        """Forget the gradients of this node and of all that it was computed from."""
        for node in ordered(self):
            node.grad = None

    def __add__(self, other: Operand) -> Node:
        return apply(rules.add, self, other)

    def __radd__(self, other: Operand) -> Node:
        return apply(rules.add, other, self)

    def __sub__(self, other: Operand) -> Node:
        return apply(rules.subtract, self, other)

    def __rsub__(self, other: Operand) -> Node:
        return apply(rules.subtract, other, self)

    def __mul__(self, other: Operand) -> Node:
        return apply(rules.multiply, self, other)

    def __rmul__(self, other: Operand) -> Node:
        return apply(rules.multiply, other, self)

    def __truediv__(self, other: Operand) -> Node:
        return apply(rules.divide, self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return apply(rules.divide, other, self)

    def __matmul__(self, other: Operand) -> Node:
        return apply(rules.matmul, self, other)

    def __rmatmul__(self, other: Operand) -> Node:
        return apply(rules.matmul, other, self)

    def __neg__(self) -> Node:
        return apply(rules.negative, self)

    def __pow__(self, other: Operand) -> Node:
        return apply(rules.power, self, other)

    def __rpow__(self, other: Operand) -> Node:
        return apply(rules.power, other, self)

    def __getitem__(self, key: Any) -> Node:
        if any(isinstance(part, Node) for part in (key if isinstance(key, tuple) else (key,))):
            raise TypeError("an index must be integers, slices or an array; a node has no integers. Use an array")
        return apply(rules.index, self, key=key)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Node]:
        return (self[k] for k in range(len(self)))

    def __bool__(self) -> bool:
        raise TypeError("a Node has no truth value; use .value")

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("a Node is no array: use fastsvm.autograd.exp, .log, .tanh … in place of NumPy's; its array is .value")

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """Sum over the axes."""
        return apply(rules.sum, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """Mean over the axes."""
        return apply(rules.mean, self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Node:
        """The same numbers in another shape, given as a tuple or as numbers."""
        return apply(rules.reshape, self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: int) -> Node:
        """Axes in the order given; without any, in the reverse order."""
        return apply(rules.transpose, self, axes=axes or None)

    @property
    def T(self) -> Node:
        """All axes in the reverse order."""
        return self.transpose()


Operand = Node | np.ndarray | float


def operation(op: str, value: Any, *edges: tuple[Operand, Backward]) -> Node:
    """Make the node of an operation: what all of them go through, and how to add one of your own.

    Parameters
    ----------
    op : str
        Name, for drawings and messages.
    value : ndarray or NumPy number, of the dtype of the inputs
        What the operation computed.
    edges : tuples (input, backward)
        For each input, a function from the gradient on ``value`` to the gradient on the input. It returns a new array,
        the gradient it was given, or a view of it, in the shape of the input or of what it was broadcast to. It is called only
        where the input is a node that needs a gradient.

    Raises
    ------
    TypeError
        If the value has another dtype than a node it was computed from.

    Examples
    --------
    >>> from fastsvm.autograd import variable
    >>> x = variable(3.0)
    >>> cube = operation("cube", x.value ** 3, (x, lambda g: g * 3 * x.value ** 2))
    >>> cube.backward()
    >>> float(x.grad)
    27.0
    """
    value = np.asarray(value)
    needed: list[tuple[Node, Backward]] = []
    nodes = 0
    for x, backward in edges:
        if isinstance(x, Node):
            nodes += 1
            if x.value.dtype != value.dtype:
                raise _other_dtype(op, value.dtype, edges)
            if x.needs_grad:
                needed.append((x, backward))
    if needed:
        return Node(value, op, tuple([x for x, _ in edges]), tuple(needed), needs_grad=True)
    if not nodes and value.dtype.name not in WEIGHT_DTYPES:
        raise _other_dtype(op, value.dtype, edges)
    return Node(value, op, needs_grad=False)


def apply(rule: Callable[..., tuple[Any, ...]], *operands: Operand, **options: Any) -> Node:
    """Make the node of a rule of :mod:`fastsvm.autograd.rules`, applied to nodes, arrays and numbers."""
    arrays = [_array(operand) for operand in operands]
    try:
        value, *backwards = rule(*arrays, **options)
    except ValueError as error:
        shapes = " and ".join(str(np.shape(array)) for array in arrays)
        raise ValueError(f"{rule.__name__} does not work on shape{'s' * (len(arrays) > 1)} {shapes}: {error}") from None
    return operation(rule.__name__, value, *zip(operands, backwards, strict=True))


def _array(operand: Any) -> Any:
    """What to compute with: a node's value, an array as it is, a number as Python's, which has no dtype to impose."""
    if isinstance(operand, Node):
        return operand.value
    if isinstance(operand, (np.ndarray, np.generic)):
        refuse_mask("an operand", operand)
        if operand.ndim:
            return np.asarray(operand)
        operand = operand.item()
    if isinstance(operand, Real):
        return float(operand)
    raise TypeError(f"an operand must be a node, a NumPy array or a real number; got {operand!r} ({type(operand).__name__})")


def _other_dtype(op: str, dtype: np.dtype, edges: tuple[tuple[Operand, Backward], ...]) -> TypeError:
    operands = [repr(x) if isinstance(x, (Node, float, int)) else f"array of {describe(np.asarray(x))}" for x, _ in edges]
    return TypeError(
        f"{op} must give the dtype of its nodes, float32 or float64; got {' and '.join(operands)}, which give {dtype}. "
        "Convert with .astype what has the other dtype"
    )
