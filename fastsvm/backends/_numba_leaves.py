"""The leaves of :mod:`fastsvm.backends.numba`: one formula each, on one row of scores or of samples.

``T`` is the dtype of the weights. Numbers are cast to T before they meet an array, so that float32 stays float32.
Losses go by number inside the kernels: the place of their leaf in ``LOSSES``. A new leaf goes into the table and the
switch; the loops do not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from fastsvm.backends._numba_vectors import (
    BYTES,
    from_bits,
    load,
    load_group,
    multiply_add,
    store,
    total,
    zero_vector,
)

#: Division follows IEEE 754, and every operation is rounded as written, so that the updates agree with NumPy's.
#: Nothing but other compiled functions calls a leaf, and what Python would call it by takes a quarter of the compilation.
leaf: Any = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

#: For sums of products only: the order of the sum is the compiler's, and a product may be fused with its addition. Nothing
#: here lets it assume that NaN or infinity do not occur.
product_leaf: Any = njit(
    nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, fastmath={"reassoc", "contract"}
)


# Losses. Each takes the scores s of one row, its class y and the margin Δ, fills dscores and returns the loss. At a kink the
# subgradient is 0 (strict > 0).


@leaf
def weston_watkins(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``Σ_{j≠y} max(0, m_j)`` with ``m_j = s_j − s_y + Δ``; gradient ``1[m_j > 0]``, minus their number for y."""
    zero, one = s.dtype.type(0), s.dtype.type(1)
    value = count = zero
    for j in range(len(s)):
        margin = s[j] - s[y] + delta
        violated = (margin > zero) & (j != y)  # & and no branch, which no processor could foresee
        dscores[j] = one if violated else zero
        value += margin if violated else zero
        count += dscores[j]
    dscores[y] = -count
    return value


@leaf
def weston_watkins_squared(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``Σ_{j≠y} max(0, m_j)²`` with ``m_j = s_j − s_y + Δ``; gradient ``2 max(0, m_j)``, minus their sum for y."""
    zero, two = s.dtype.type(0), s.dtype.type(2)
    value = total = zero
    for j in range(len(s)):
        margin = s[j] - s[y] + delta
        violation = margin if (margin > zero) & (j != y) else zero
        dscores[j] = two * violation
        value += violation * violation
        total += dscores[j]
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


@leaf
def smoothed_weston_watkins(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """``Σ_{j≠y} φ(m_j)``, φ(m) = m²/2 in [0, 1] and m − ½ beyond; gradient ``clip(m_j, 0, 1)``, minus their sum for y."""
    zero, one, half = s.dtype.type(0), s.dtype.type(1), s.dtype.type(0.5)
    value = total = zero
    for j in range(len(s)):
        margin = s[j] - s[y] + delta
        violation = margin if (margin > zero) & (j != y) else zero
        dscores[j] = min(violation, one)
        value += dscores[j] * (violation - half * dscores[j])
        total += dscores[j]
    dscores[y] = -total
    return value


@leaf
def smoothed_crammer_singer(s: Any, y: int, delta: Any, dscores: Any) -> Any:
    """The largest ``Σ a_j m_j − ½‖a‖²`` over ``a ≥ 0, Σ a_j ≤ 1``; gradient ``a_j = max(0, m_j − t)``, minus their sum for y.

    t rises from what is below it by Newton's method on ``Σ_j max(0, m_j − t) = 1``, until no more margins fall below it.
    """
    zero, one, half = s.dtype.type(0), s.dtype.type(1), s.dtype.type(0.5)
    largest = 1 if y == 0 else 0
    for j in range(len(s)):
        if j != y and s[j] > s[largest]:
            largest = j
    t = max(zero, s[largest] - s[y] + delta - one)
    before = -1
    while True:
        excess, count = -one, 0
        for j in range(len(s)):
            rest = s[j] - s[y] + delta - t
            if j != y and rest > zero:
                excess += rest
                count += 1
        if not excess > zero:
            break
        t += excess / s.dtype.type(count)
        if count == before:
            break
        before = count
    value = total = zero
    for j in range(len(s)):
        margin = s[j] - s[y] + delta
        dscores[j] = max(zero, margin - t) if j != y else zero
        if dscores[j] > zero:
            value += dscores[j] * (margin - half * dscores[j])
        total += dscores[j]
    dscores[y] = -total
    return value


LOSSES = (weston_watkins, weston_watkins_squared, crammer_singer, softmax, smoothed_weston_watkins, smoothed_crammer_singer)


@leaf
def row_loss(loss: int, s: Any, y: int, parameters: Any, dscores: Any) -> float:
    """The loss of that number; NaN, in ``dscores`` too, where a score is not finite (a comparison would not notice)."""
    for j in range(len(s)):
        if not np.isfinite(s[j]):
            dscores[:] = np.nan
            return np.nan
    delta = parameters[0]
    if loss == 0:
        return np.float64(weston_watkins(s, y, delta, dscores))
    if loss == 1:
        return np.float64(weston_watkins_squared(s, y, delta, dscores))
    if loss == 2:
        return np.float64(crammer_singer(s, y, delta, dscores))
    if loss == 3:
        return np.float64(softmax(s, y, delta, dscores))
    if loss == 4:
        return np.float64(smoothed_weston_watkins(s, y, delta, dscores))
    return np.float64(smoothed_crammer_singer(s, y, delta, dscores))


@leaf
def is_correct(s: Any, y: int) -> bool:
    """Whether y has the largest score, and is the first that has it."""
    correct = True
    for j in range(len(s)):
        correct &= s[j] < s[y] or (s[j] == s[y] and j >= y)
    return correct


# Sums of products. Arrays have whole vectors in their rows.


@leaf
def add_five(x: Any, w0: Any, w1: Any, w2: Any, w3: Any, w4: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any) -> Any:
    """``p_j + x w_j``, vectors all."""
    p0, p1, p2 = multiply_add(x, w0, p0), multiply_add(x, w1, p1), multiply_add(x, w2, p2)
    return p0, p1, p2, multiply_add(x, w3, p3), multiply_add(x, w4, p4)


@leaf
def products(W: Any, c: int, X: Any, r0: int, r1: int, r2: int, r3: int, lo: int, hi: int) -> Any:
    """``x·w`` over features ``lo … hi − 1`` for rows r0 … r3 of X, each with rows ``c … c + 4`` of W.

    Twenty sums stay in registers, so that each number read serves more than one product.
    """
    p0 = p1 = p2 = p3 = p4 = q0 = q1 = q2 = q3 = q4 = zero_vector(W)
    s0 = s1 = s2 = s3 = s4 = t0 = t1 = t2 = t3 = t4 = zero_vector(W)
    for k in range(lo, hi, BYTES // W.itemsize):
        w0, w1, w2, w3, w4 = load(W, c, k), load(W, c + 1, k), load(W, c + 2, k), load(W, c + 3, k), load(W, c + 4, k)
        p0, p1, p2, p3, p4 = add_five(load(X, r0, k), w0, w1, w2, w3, w4, p0, p1, p2, p3, p4)
        q0, q1, q2, q3, q4 = add_five(load(X, r1, k), w0, w1, w2, w3, w4, q0, q1, q2, q3, q4)
        s0, s1, s2, s3, s4 = add_five(load(X, r2, k), w0, w1, w2, w3, w4, s0, s1, s2, s3, s4)
        t0, t1, t2, t3, t4 = add_five(load(X, r3, k), w0, w1, w2, w3, w4, t0, t1, t2, t3, t4)
    return (
        (total(p0), total(p1), total(p2), total(p3), total(p4)),
        (total(q0), total(q1), total(q2), total(q3), total(q4)),
        (total(s0), total(s1), total(s2), total(s3), total(s4)),
        (total(t0), total(t1), total(t2), total(t3), total(t4)),
    )


def _adder(load: Any) -> Any:
    @leaf
    def add(X: Any, rows: Any, D: Any, active: Any, block: int, c: int, k: int, dW: Any) -> None:
        """``dW_j += Σ_i D_ij x_i`` for classes ``j = c … c + 4`` and the features that ``load`` takes from k on.

        i are the active rows of the block. The sums stay in registers while they pass by.
        """
        g0, g1, g2, g3, g4 = load(dW, c, k), load(dW, c + 1, k), load(dW, c + 2, k), load(dW, c + 3, k), load(dW, c + 4, k)
        for n in range(active[block, -1]):
            i = active[block, n]
            x = load(X, rows[i], k)
            g0, g1 = multiply_add(D[i, c], x, g0), multiply_add(D[i, c + 1], x, g1)
            g2, g3 = multiply_add(D[i, c + 2], x, g2), multiply_add(D[i, c + 3], x, g3)
            g4 = multiply_add(D[i, c + 4], x, g4)
        store(dW, c, k, g0)
        store(dW, c + 1, k, g1)
        store(dW, c + 2, k, g2)
        store(dW, c + 3, k, g3)
        store(dW, c + 4, k, g4)

    return add


add_vector = _adder(load)
add_group = _adder(load_group)


@product_leaf
def add_rows(out: Any, d: Any, W: Any, n: Any) -> None:
    """``out += Σ_c (d_c / n) W_c`` over five classes."""
    d0, d1, d2, d3, d4 = d[0] / n, d[1] / n, d[2] / n, d[3] / n, d[4] / n
    w0, w1, w2, w3, w4 = W[0], W[1], W[2], W[3], W[4]
    for k in range(len(out)):
        out[k] += d0 * w0[k] + d1 * w1[k] + d2 * w2[k] + d3 * w3[k] + d4 * w4[k]


@product_leaf
def sum_of_squares(x: Any) -> float:
    """``Σ x²`` in float64."""
    total = 0.0
    for j in range(len(x)):
        total += np.float64(x[j]) * np.float64(x[j])
    return total


# Samples, from the bytes of a row.

STORAGE = ("float64", "float32", "uint8", "float16", "bfloat16", "int8")


@leaf
def from_half(bits: Any) -> Any:
    """The float16 with these bits, as float32: exponent and fraction move to their places, and the exponent grows by 112."""
    moved = np.uint32(np.uint32(bits & 0x7FFF) << 13)
    if moved >= 0x0F800000:  # infinite or NaN
        moved |= np.uint32(0x7F800000)
    return from_bits(np.uint32(moved | np.uint32(np.uint32(bits & 0x8000) << 16))) * np.float32(2.0**112)


@leaf
def copy(x: Any, out: Any) -> None:
    """``out = x``."""
    for k in range(len(out)):
        out[k] = x[k]


@leaf
def widen(row: Any, storage: int, out: Any) -> None:
    """``out = row``, whose type is ``STORAGE[storage]``."""
    if storage == 0:
        copy(row.view(np.float64), out)
    elif storage == 1:
        copy(row.view(np.float32), out)
    elif storage == 2:
        copy(row, out)
    elif storage == 3:
        x16 = row.view(np.uint16)
        for k in range(len(out)):
            out[k] = from_half(x16[k])
    elif storage == 4:
        x16 = row.view(np.uint16)
        for k in range(len(out)):
            out[k] = from_bits(np.uint32(np.uint32(x16[k]) << 16))
    else:
        copy(row.view(np.int8), out)
