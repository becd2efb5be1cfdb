"""A user's leaves in the loops of :mod:`fastsvm.backends.numba`.

The loops call a loss and a rule by one name each, ``row_loss`` and ``apply_rule``. To put a user's in their place, `rebind`
copies the functions on the way from the loop to the leaf, with names that mean the user's; they are compiled like the
originals, so a user's leaf is inlined where a built-in one would be. What is compiled so is never kept on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from numba.np.unsafe.ndarray import to_fixed_tuple

from fastsvm.backends._numba_leaves import leaf


def rebind(function: Any, replaced: Mapping[str, Any]) -> Any:
    """``function``, or a copy for which names in ``replaced`` mean something else, also in the compiled functions it calls."""
    known = function.__globals__
    new = {name: replaced[name] for name in function.__code__.co_names if name in replaced}
    for name in set(function.__code__.co_names) - set(new):
        callee = known.get(name)
        if isinstance(callee, Dispatcher):
            copy = rebind(callee.py_func, replaced)
            if copy is not callee.py_func:
                options = {key: value for key, value in callee.targetoptions.items() if key != "nopython"}
                new[name] = njit(**options)(copy)
    return FunctionType(function.__code__, {**known, **new}, function.__name__) if new else function


@functools.cache
def as_leaf(function: Callable[..., Any]) -> Any:
    """A user's function as a compiled one, unless it is one already."""
    return function if isinstance(function, Dispatcher) else njit(nogil=True, error_model="numpy")(function)


@functools.cache
def for_trial(function: Callable[..., Any]) -> Any:
    """The same with indices checked."""
    return njit(error_model="numpy", boundscheck=True)(getattr(function, "py_func", function))


@functools.cache
def row_loss(function: Callable[..., Any], count: int) -> Any:
    """What stands in for ``row_loss``: the user's leaf with its ``count`` parameters."""
    user = as_leaf(function)

    @leaf
    def row_loss(loss: int, s: Any, y: int, parameters: Any, dscores: Any) -> float:
        for j in range(len(s)):
            if not np.isfinite(s[j]):
                dscores[:] = np.nan
                return np.nan
        value = np.float64(user(s, y, dscores, *to_fixed_tuple(parameters, count)))
        for j in range(len(dscores)):
            if not np.isfinite(dscores[j]):
                return np.nan
        return value

    return row_loss


@functools.cache
def apply_rule(function: Callable[..., Any], n_slots: int, count: int) -> Any:
    """What stands in for ``apply_rule``: the user's leaf on each element, with ``n_slots`` slots and ``count`` coefficients."""
    user = as_leaf(function)

    @leaf
    def without_slots(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any, slot3: Any) -> None:
        numbers = to_fixed_tuple(c, count)
        for j in range(len(x)):
            x[j] = user(x[j], g[j], *numbers)

    @leaf
    def with_one(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any, slot3: Any) -> None:
        numbers = to_fixed_tuple(c, count)
        for j in range(len(x)):
            x[j], slot1[j] = user(x[j], g[j], slot1[j], *numbers)

    @leaf
    def with_two(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any, slot3: Any) -> None:
        numbers = to_fixed_tuple(c, count)
        for j in range(len(x)):
            x[j], slot1[j], slot2[j] = user(x[j], g[j], slot1[j], slot2[j], *numbers)

    @leaf
    def with_three(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any, slot3: Any) -> None:
        numbers = to_fixed_tuple(c, count)
        for j in range(len(x)):
            x[j], slot1[j], slot2[j], slot3[j] = user(x[j], g[j], slot1[j], slot2[j], slot3[j], *numbers)

    return (without_slots, with_one, with_two, with_three)[n_slots]
