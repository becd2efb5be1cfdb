"""The update rules of :mod:`fastsvm.backends.numba`, on slices of flat arrays; the formulas stand in :mod:`fastsvm.optimizers`.

Each takes the coefficients c (in the order of :data:`fastsvm.backends.COEFFICIENTS`), parameters x, their gradient g and two
slots, the unused ones of size 0. Numbers are cast to the dtype of x before they meet it. Rules go by number inside the kernels:
the place of their leaf in ``RULES``. A new one goes into the table and the switch; the loops do not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.backends._numba_leaves import leaf


@leaf
def store_gradient(c: Any, x: Any, g: Any, slot1: Any, slot2: Any) -> None:
    """``x ← g``: not an optimizer, but how a pass hands out its gradient."""
    for j in range(len(x)):
        x[j] = g[j]


@leaf
def sgd(c: Any, x: Any, g: Any, slot1: Any, slot2: Any) -> None:
    """``x ← x − η g``."""
    rate = x.dtype.type(c[0])
    for j in range(len(x)):
        x[j] -= rate * g[j]


@leaf
def momentum(c: Any, x: Any, g: Any, v: Any, slot2: Any) -> None:
    """``v ← ρ v + g;  x ← x − η v``."""
    rate, rho = x.dtype.type(c[0]), x.dtype.type(c[1])
    for j in range(len(x)):
        v[j] = rho * v[j] + g[j]
        x[j] -= rate * v[j]


@leaf
def nesterov(c: Any, x: Any, g: Any, v: Any, slot2: Any) -> None:
    """``u ← v;  v ← ρ v − η g;  x ← x − ρ u + (1 + ρ) v``."""
    rate, rho, rho1 = x.dtype.type(c[0]), x.dtype.type(c[1]), x.dtype.type(1 + c[1])
    for j in range(len(x)):
        u = v[j]
        v[j] = rho * u - rate * g[j]
        x[j] += -rho * u + rho1 * v[j]


@leaf
def adagrad(c: Any, x: Any, g: Any, squares: Any, slot2: Any) -> None:
    """``s ← s + g²;  x ← x − η g / (√s + eps)``."""
    rate, eps = x.dtype.type(c[0]), x.dtype.type(c[3])
    for j in range(len(x)):
        squares[j] += g[j] * g[j]
        x[j] -= rate * g[j] / (np.sqrt(squares[j]) + eps)


@leaf
def rmsprop(c: Any, x: Any, g: Any, squares: Any, slot2: Any) -> None:
    """``s ← δ s + (1 − δ) g²;  x ← x − η g / (√s + eps)``."""
    rate, decay, rest, eps = x.dtype.type(c[0]), x.dtype.type(c[1]), x.dtype.type(1 - c[1]), x.dtype.type(c[3])
    for j in range(len(x)):
        squares[j] = decay * squares[j] + rest * (g[j] * g[j])
        x[j] -= rate * g[j] / (np.sqrt(squares[j]) + eps)


@leaf
def adam(c: Any, x: Any, g: Any, m: Any, v: Any) -> None:
    """``m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  x ← x − (a m / (√v + e) + η λ x)``; λ = 0 but in AdamW.

    The bias corrections are in ``a = η √(1 − β₂ᵗ) / (1 − β₁ᵗ)`` and ``e = eps √(1 − β₂ᵗ)``.
    """
    T = x.dtype.type
    root = np.sqrt(c[5])
    rate, eps, shrink = T(c[0] * root / c[4]), T(c[3] * root), T(c[0] * c[6])
    beta1, rest1, beta2, rest2 = T(c[1]), T(1 - c[1]), T(c[2]), T(1 - c[2])
    for j in range(len(x)):
        m[j] = beta1 * m[j] + rest1 * g[j]
        v[j] = beta2 * v[j] + rest2 * (g[j] * g[j])
        x[j] -= rate * m[j] / (np.sqrt(v[j]) + eps) + shrink * x[j]


STORE = 0
RULES = (store_gradient, sgd, momentum, nesterov, adagrad, rmsprop, adam)


@leaf
def apply_rule(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any, slot3: Any) -> None:
    """The update of that number on slices of flat arrays, in place. No rule of these has a third slot."""
    if rule == 0:
        store_gradient(c, x, g, slot1, slot2)
    elif rule == 1:
        sgd(c, x, g, slot1, slot2)
    elif rule == 2:
        momentum(c, x, g, slot1, slot2)
    elif rule == 3:
        nesterov(c, x, g, slot1, slot2)
    elif rule == 4:
        adagrad(c, x, g, slot1, slot2)
    elif rule == 5:
        rmsprop(c, x, g, slot1, slot2)
    else:
        adam(c, x, g, slot1, slot2)
