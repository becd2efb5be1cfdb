"""The leaves of :mod:`fastsvm.backends.numba`: one formula each, on one row of scores or one slice of flat arrays.

``T`` is the dtype of the weights. Numbers are cast to T before they meet an array, so that float32 stays float32.
Losses and rules go by number inside the kernels: the place of their leaf in ``LOSSES`` and ``RULES``. A new leaf
goes into its table and its switch; the loops do not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Division follows IEEE 754, and every operation is rounded as written, so that the updates agree with NumPy's.
leaf: Any = njit(nogil=True, error_model="numpy")

#: For sums of products only: the order of the sum is the compiler's, and a product may be fused with its addition. Nothing
#: here lets it assume that NaN or infinity do not occur.
product_leaf: Any = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})


# Losses. Each takes the scores s of one row, its class y and the margin Δ, fills dscores and returns the loss. At a kink the
# subgradient is 0 (strict > 0).


@leaf
def weston_watkins(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``Σ_{j≠y} max(0, m_j)`` with ``m_j = s_j − s_y + Δ``; gradient ``1[m_j > 0]``, minus their number for y."""
    zero, one = s.dtype.type(0), s.dtype.type(1)
    value = count = zero
    for j in range(len(s)):
        margin = s[j] - s[y] + delta
        dscores[j] = zero
        if j != y and margin > zero:
            dscores[j] = one
            value += margin
            count += one
    dscores[y] = -count
    return value


@leaf
def weston_watkins_squared(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``Σ_{j≠y} max(0, m_j)²`` with ``m_j = s_j − s_y + Δ``; gradient ``2 max(0, m_j)``, minus their sum for y."""
    zero, two = s.dtype.type(0), s.dtype.type(2)
    value = total = zero
    for j in range(len(s)):
        margin = s[j] - s[y] + delta
        dscores[j] = zero
        if j != y and margin > zero:
            dscores[j] = two * margin
            value += margin * margin
            total += two * margin
    dscores[y] = -total
    return value


@leaf
def crammer_singer(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``max(0, max_{j≠y} s_j − s_y + Δ)``; where it is positive the gradient is 1 for the first such j and −1 for y."""
    zero, one = s.dtype.type(0), s.dtype.type(1)
    largest = 1 if y == 0 else 0
    for j in range(len(s)):
        dscores[j] = zero
        if j != y and s[j] > s[largest]:
            largest = j
    margin = s[largest] - s[y] + delta
    if not margin > zero:
        return zero
    dscores[largest] = one
    dscores[y] = -one
    return margin


@leaf
def softmax(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``log Σ_j exp(s_j) − s_y``, the largest score subtracted first; gradient ``exp(s_j) / Σ_l exp(s_l) − 1[j = y]``."""
    largest = s[0]
    for j in range(len(s)):
        largest = max(largest, s[j])
    total = s.dtype.type(0)
    for j in range(len(s)):
        dscores[j] = np.exp(s[j] - largest)
        total += dscores[j]
    for j in range(len(s)):
        dscores[j] /= total
    dscores[y] -= s.dtype.type(1)
    return np.log(total) - (s[y] - largest)


LOSSES = (weston_watkins, weston_watkins_squared, crammer_singer, softmax)


@leaf
def row_loss(loss: int, s: Any, y: int, delta: float, dscores: Any) -> float:
    """The loss of that number; NaN, in ``dscores`` too, where a score is not finite (a comparison would not notice)."""
    for j in range(len(s)):
        if not np.isfinite(s[j]):
            dscores[:] = np.nan
            return np.nan
    margin = s.dtype.type(delta)
    if loss == 0:
        return np.float64(weston_watkins(s, y, margin, dscores))
    if loss == 1:
        return np.float64(weston_watkins_squared(s, y, margin, dscores))
    if loss == 2:
        return np.float64(crammer_singer(s, y, margin, dscores))
    return np.float64(softmax(s, y, margin, dscores))


@leaf
def is_correct(s: Any, y: int) -> bool:
    """Whether y has the largest score, and is the first that has it."""
    correct = True
    for j in range(len(s)):
        correct &= s[j] < s[y] or (s[j] == s[y] and j >= y)
    return correct


# Sums of products.


@product_leaf
def ten_products(x: Any, z: Any, w0: Any, w1: Any, w2: Any, w3: Any, w4: Any) -> Any:
    """``x·w_j`` and ``z·w_j`` for five rows of W: each number read serves more than one product."""
    zero = w0.dtype.type(0)
    x0 = x1 = x2 = x3 = x4 = z0 = z1 = z2 = z3 = z4 = zero
    for k in range(len(x)):
        x0 += x[k] * w0[k]
        x1 += x[k] * w1[k]
        x2 += x[k] * w2[k]
        x3 += x[k] * w3[k]
        x4 += x[k] * w4[k]
        z0 += z[k] * w0[k]
        z1 += z[k] * w1[k]
        z2 += z[k] * w2[k]
        z3 += z[k] * w3[k]
        z4 += z[k] * w4[k]
    return x0, x1, x2, x3, x4, z0, z1, z2, z3, z4


@product_leaf
def add_four(out: Any, a0: Any, x0: Any, a1: Any, x1: Any, a2: Any, x2: Any, a3: Any, x3: Any) -> None:
    """``out += a0 x0 + a1 x1 + a2 x2 + a3 x3``."""
    for k in range(len(out)):
        out[k] += a0 * x0[k] + a1 * x1[k] + a2 * x2[k] + a3 * x3[k]


@product_leaf
def sum_of_squares(x: Any) -> float:
    """``Σ x²`` in float64."""
    total = 0.0
    for j in range(len(x)):
        total += np.float64(x[j]) * np.float64(x[j])
    return total


# Update rules; the formulas stand in fastsvm.optimizers. Each takes the coefficients c (in the order of
# fastsvm.backends.COEFFICIENTS), parameters x, their gradient g and two slots, the unused ones of size 0.


@leaf
def store(c: Any, x: Any, g: Any, slot1: Any, slot2: Any) -> None:
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
    """``m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  x ← x − η (m̂ / (√v̂ + eps) + λ x)``; λ = 0 but in AdamW.

    ``m̂ = m / (1 − β₁ᵗ)``, ``v̂ = v / (1 − β₂ᵗ)``.
    """
    rate, eps, decay = x.dtype.type(c[0]), x.dtype.type(c[3]), x.dtype.type(c[6])
    beta1, rest1, correction1 = x.dtype.type(c[1]), x.dtype.type(1 - c[1]), x.dtype.type(c[4])
    beta2, rest2, correction2 = x.dtype.type(c[2]), x.dtype.type(1 - c[2]), x.dtype.type(c[5])
    for j in range(len(x)):
        m[j] = beta1 * m[j] + rest1 * g[j]
        v[j] = beta2 * v[j] + rest2 * (g[j] * g[j])
        x[j] -= rate * (m[j] / correction1 / (np.sqrt(v[j] / correction2) + eps) + decay * x[j])


STORE = 0
RULES = (store, sgd, momentum, nesterov, adagrad, rmsprop, adam)


@leaf
def apply_rule(rule: int, c: Any, x: Any, g: Any, slot1: Any, slot2: Any) -> None:
    """The update of that number on slices of flat arrays, in place."""
    if rule == 0:
        store(c, x, g, slot1, slot2)
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
