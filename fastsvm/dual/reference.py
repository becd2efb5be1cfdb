"""Block coordinate ascent over the dual in plain NumPy: slow, obvious, and the definition of what the compiled pass computes.

:mod:`fastsvm.dual` states the problem and its symbols.
"""

from __future__ import annotations

import numpy as np

from fastsvm.losses import CrammerSinger, Loss, WestonWatkins


def bounds(loss: Loss) -> tuple[float, float, bool]:
    """Largest value of a dual variable, curvature of ``r`` (``a² curvature / 2``), whether a row's sum is at most 1."""
    if isinstance(loss, CrammerSinger):
        return np.inf, 0.0, True
    assert isinstance(loss, WestonWatkins)
    return (np.inf, 0.5, False) if loss.squared else (1.0, 0.0, False)


def block(h: np.ndarray, a: np.ndarray, q: float, y: int, loss: Loss) -> np.ndarray:
    """The best dual variables of an example with ``h_j = Δ − (s_y − s_j)``, from its present ones ``a``; the others stay.

    Solves ``b_j = clip((v_j − g) / c, 0, u)``, ``g = Σ b`` by sorting the events at which some ``b_j`` leaves a bound, the
    largest first: between two events all is linear. ``CrammerSinger``: where ``Σ b > 1`` the ``g`` with ``Σ b = 1``.

    References
    ----------
    Y. Wang and C. Scott, "An exact solver for the Weston-Watkins SVM subproblem", ICML 2021, algorithm 3.
    """
    upper, curvature, capped = bounds(loss)
    others = np.arange(len(h)) != y
    if q == 0:  # the scores do not listen
        best = np.where(others, 1.0 / (len(h) - 1) if capped else h / curvature if curvature else 1.0, 0.0)
        return best
    c = 1.0 + curvature / q
    v = (h / q + a + a.sum())[others]

    def values(g: float) -> np.ndarray:
        return np.clip((v - g) / c, 0.0, upper)

    events = np.unique(np.concatenate([v, v - c * upper] if np.isfinite(upper) else [v]))[::-1]
    events = events[events > 0]
    g = 0.0
    for above, below in zip(np.append(np.inf, events), np.append(events, 0.0), strict=True):
        up = v - c * upper >= above
        inside = (v >= above) & ~up
        g = (c * upper * up.sum() if up.any() else 0.0) + v[inside].sum()
        g /= c + inside.sum()
        if g >= below:
            break
    if capped and values(g).sum() > 1:
        falling = np.sort(v)[::-1]
        g = ((falling.cumsum() - 1) / np.arange(1, len(v) + 1)).max()
    best = np.zeros(len(h))
    best[others] = values(max(g, 0.0))
    return best


def terms(h: np.ndarray, a: np.ndarray, y: int, loss: Loss) -> tuple[float, float]:
    """An example's loss, and its share of the duality gap: ``ℓ(h) − Σ_j (a_j h_j − r(a_j)) ≥ 0``."""
    _, curvature, capped = bounds(loss)
    others = np.arange(len(h)) != y
    violations = np.maximum(h[others], 0)
    value = violations.max() if capped else (violations**2 if curvature else violations).sum()
    return float(value), float(value - (a * h)[others].sum() + 0.5 * curvature * np.square(a).sum())


def ascend(
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    loss: Loss,
    scale: float,
    square: float,
    W: np.ndarray,
    b: np.ndarray | None,
    a: np.ndarray,
    order: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the examples ``order`` in turn; ``W``, ``b`` and ``a`` change in place.

    ``scale`` is 1 / (alpha n_samples), ``square`` that of the constant feature. Returns the gap and the loss of each example
    taken, before its step, each times its weight.
    """
    gaps, values = np.zeros(len(order)), np.zeros(len(order))
    for k, i in enumerate(order):
        x = X[i]
        s = W @ x + (0 if b is None else b)
        h = loss.delta - (s[y[i]] - s)  # type: ignore[union-attr]
        value, gap = terms(h, a[i], y[i], loss)
        gaps[k], values[k] = weight[i] * gap, weight[i] * value
        if weight[i] == 0:
            continue
        best = block(h, a[i], weight[i] * scale * (x @ x + square), y[i], loss)
        gain = -weight[i] * scale * (best - a[i])
        gain[y[i]] = -gain.sum()
        a[i] = best
        W += np.outer(gain, x)
        if b is not None:
            b += square * gain
    return gaps, values
