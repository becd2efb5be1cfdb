"""Where a graph begins: variables, on which gradients are wanted, and constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.autograd.node import Node
from fastsvm.validation import WEIGHT_DTYPES, refuse_mask


def variable(value: Any, name: str | None = None) -> Node:
    """Make a node whose gradient is wanted.

    Parameters
    ----------
    value : ndarray, float32 or float64, or a float (float64)
        Not copied. Integers have no gradient and are refused.
    name : str, optional
    """
    return Node(_leaf(value), "variable", needs_grad=True, name=name)


def constant(value: Any, name: str | None = None) -> Node:
    """Make a node that needs no gradient. Arrays and numbers may as well be used as they are; a node can have a name.

    Parameters as in `variable`.
    """
    return Node(_leaf(value), "constant", needs_grad=False, name=name)


def _leaf(value: Any) -> np.ndarray:
    """A value as given, if it is an array of floats or a float."""
    refuse_mask("value", value)
    array = np.asarray(value)
    if array.dtype.name not in WEIGHT_DTYPES or not array.dtype.isnative:
        hint = "integers have no gradient; " if array.dtype.kind in "iub" else ""
        way = "float(value)" if array.ndim == 0 else "value.astype('float64')"
        raise TypeError(
            f"value must have dtype {' or '.join(WEIGHT_DTYPES)} in native byte order; got {array.dtype.str} "
            f"({array.dtype.name}), shape {array.shape}: {hint}use {way}"
        )
    return array
