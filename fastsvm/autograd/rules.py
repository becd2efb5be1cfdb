"""What each operation computes, and how gradients pass back through it. NumPy only: nothing here knows of the graph.

A rule takes the arrays ``x``, ``y`` … and returns its value followed by one function per array. That function maps ``g``, the
gradient of the final output on the value (the upstream gradient), to its gradient on the array: ``g`` times the local gradient.

Where NumPy broadcast an array, its function may leave ``g`` in the shape of the value: `unbroadcast` sums the copies up.

Sources: CS231n, "Backpropagation, intuitions"; A. Griewank and A. Walther, "Evaluating Derivatives", SIAM 2008, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Upstream gradient -> gradient on one input.
Backward = Callable[[np.ndarray], np.ndarray]


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum ``g`` over the axes along which NumPy repeated an array of this shape; ``g`` itself where there are none."""
    if g.shape == shape:
        return g
    added = g.ndim - len(shape)
    stretched = (added + k for k, size in enumerate(shape) if size == 1)
    total = g.sum(axis=(*range(added), *stretched), keepdims=True)
    if added < 0 or total.shape[added:] != shape:
        raise ValueError(f"shape {g.shape} is not what shape {shape} is broadcast to")
    return total.reshape(shape)


# --- arithmetic, elementwise


def add(x: Any, y: Any) -> tuple[Any, ...]:
    """``x + y``. The gradient goes to both as it is."""
    return x + y, lambda g: g, lambda g: g


def subtract(x: Any, y: Any) -> tuple[Any, ...]:
    """``x − y``."""
    return x - y, lambda g: g, lambda g: -g


def negative(x: Any) -> tuple[Any, ...]:
    """``−x``."""
    return -x, lambda g: -g


def multiply(x: Any, y: Any) -> tuple[Any, ...]:
    """``x · y``. Each factor's gradient is scaled by the other."""
    return x * y, lambda g: g * y, lambda g: g * x


def divide(x: Any, y: Any) -> tuple[Any, ...]:
    """``x / y``: ``1/y`` and ``−x/y²``."""
    value = x / y
    return value, lambda g: g / y, lambda g: -g * value / y


def power(x: Any, y: Any) -> tuple[Any, ...]:
    """``xʸ``: ``y xʸ⁻¹`` and ``xʸ log x``."""
    value = x**y

    def to_x(g: np.ndarray) -> np.ndarray:
        return g * (y * x ** (y - 1.0)) if np.any(y) else np.zeros_like(value)  # x⁰ has slope 0 at 0, where 0 · 0⁻¹ is NaN

    return value, to_x, lambda g: g * value * np.log(x, dtype=value.dtype)


# --- functions of one array, elementwise


def exp(x: Any) -> tuple[Any, ...]:
    """``eˣ``, its own derivative."""
    value = np.exp(x)
    return value, lambda g: g * value


def log(x: Any) -> tuple[Any, ...]:
    """Natural logarithm: ``1/x``."""
    return np.log(x), lambda g: g / x


def tanh(x: Any) -> tuple[Any, ...]:
    """``tanh x``: ``1 − tanh² x``."""
    value = np.tanh(x)
    return value, lambda g: g * (1.0 - value * value)


def sigmoid(x: Any) -> tuple[Any, ...]:
    """``σ(x) = 1 / (1 + e⁻ˣ)``: ``σ (1 − σ)``."""
    from scipy.special import expit  # heavy, and needed here only

    value = expit(x)
    return value, lambda g: g * (value * (1.0 - value))


def relu(x: Any) -> tuple[Any, ...]:
    """``max(0, x)``: 1 where ``x > 0``; at the kink 0, as everywhere in fastsvm."""
    value = np.maximum(x, 0.0)
    return value, lambda g: g * (value > 0)


def maximum(x: Any, y: Any, *, ties_to_x: bool) -> tuple[Any, ...]:
    """The larger of the two, which gets the gradient. In a tie ``x`` gets it, or neither does."""
    return np.maximum(x, y), lambda g: g * (x >= y if ties_to_x else x > y), lambda g: g * (y > x)


# --- products


def matmul(x: Any, y: Any) -> tuple[Any, ...]:
    """``x @ y``: ``g yᵀ`` and ``xᵀ g``. One-dimensional and stacked operands as in `numpy.matmul`."""
    value = np.matmul(x, y)
    # A vector is a row on the left and a column on the right, whose axis the result then lacks.
    rows = x[None, :] if x.ndim == 1 else x
    columns = y[:, None] if y.ndim == 1 else y

    def restore(g: np.ndarray) -> np.ndarray:
        g = g[..., None] if y.ndim == 1 else g
        return g[..., None, :] if x.ndim == 1 else g

    def to_x(g: np.ndarray) -> np.ndarray:
        dx = restore(g) @ np.swapaxes(columns, -1, -2)
        return dx[..., 0, :] if x.ndim == 1 else dx

    def to_y(g: np.ndarray) -> np.ndarray:
        dy = np.swapaxes(rows, -1, -2) @ restore(g)
        return dy[..., 0] if y.ndim == 1 else dy

    return value, to_x, to_y


def linear(x: Any, W: Any, b: Any = None) -> tuple[Any, ...]:
    """``x Wᵀ + b`` of samples in rows: ``g W``, ``gᵀ x`` (in the layout of ``W``) and the sum of ``g`` over the samples."""
    if np.ndim(x) != 2 or np.ndim(W) != 2 or (b is not None and np.shape(b) != W.shape[:1]):
        raise ValueError("x must be (n_samples, n_inputs), W (n_outputs, n_inputs) and b (n_outputs,)")
    value = x @ W.T
    if b is not None:
        value = np.add(value, b, out=value if b.dtype == value.dtype else None)
    backwards = (lambda g: g @ W, lambda g: g.T @ x)
    return (value, *backwards) if b is None else (value, *backwards, lambda g: g.sum(axis=0))


# --- reductions and shapes


def sum(x: Any, *, axis: int | tuple[int, ...] | None, keepdims: bool) -> tuple[Any, ...]:
    """Sum over axes. Every term gets the gradient of its sum."""

    def to_x(g: np.ndarray) -> np.ndarray:
        return np.broadcast_to(g if keepdims or axis is None else np.expand_dims(g, axis), x.shape)

    return np.sum(x, axis=axis, keepdims=keepdims), to_x


def mean(x: Any, *, axis: int | tuple[int, ...] | None, keepdims: bool) -> tuple[Any, ...]:
    """Mean over axes: the sum's gradient, divided by the number of terms."""
    total, to_x = sum(x, axis=axis, keepdims=keepdims)
    count = x.size / max(1, total.size)
    return total / count, lambda g: to_x(g / count)


def reshape(x: Any, *, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The same numbers in another shape."""
    return x.reshape(shape), lambda g: g.reshape(x.shape)


def transpose(x: Any, *, axes: tuple[int, ...] | None) -> tuple[Any, ...]:
    """Axes in another order, put back in the backward pass."""
    back = None if axes is None else np.argsort([axis % x.ndim for axis in axes])
    return x.transpose(axes), lambda g: g.transpose(back)


def index(x: Any, *, key: Any) -> tuple[Any, ...]:
    """``x[key]``. What was not taken gets 0; what was taken more than once gets the sum."""
    parts = key if isinstance(key, tuple) else (key,)
    once = all(part is None or part is ... or isinstance(part, (int, np.integer, slice)) for part in parts)

    def to_x(g: np.ndarray) -> np.ndarray:
        dx = np.zeros_like(x)
        if once:
            dx[key] = g
        else:
            np.add.at(dx, key, g)
        return dx

    return x[key], to_x
