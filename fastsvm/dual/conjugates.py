"""The losses seen from the dual: which variables they allow, what these are worth, and those that scores suggest.

With ``z_j = s_j − s_y`` for ``j ≠ y``, a loss is the largest value of ``Σ_j a_j z_j − ℓ*(a)`` over its box; ``a_y`` is 0.

=========================  ===============================  ==============================================================
loss                       box                              ``−ℓ*(a)``
=========================  ===============================  ==============================================================
``WestonWatkins``          ``0 ≤ a_j ≤ 1``                  ``Δ Σ_j a_j``
the same, ``squared``      ``0 ≤ a_j``                      ``Σ_j (Δ a_j − a_j²/4)``
``CrammerSinger``          ``0 ≤ a_j``, ``Σ_j a_j ≤ 1``     ``Δ Σ_j a_j``
``Softmax``                ``0 ≤ a_j``, ``Σ_j a_j ≤ 1``     ``−Σ_j a_j log a_j − a_0 log a_0``, ``a_0 = 1 − Σ_j a_j``
=========================  ===============================  ==============================================================

Every box holds, with ``a``, what is smaller than ``a``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.losses import CrammerSinger, Loss, Softmax, WestonWatkins, as_loss
from fastsvm.validation import describe

#: How far the dual variables given may be outside of the box: the rounding of float32.
SLACK = 1e-5


def check_loss(loss: Loss | str) -> WestonWatkins | CrammerSinger | Softmax:
    """Return the loss, if its dual is known."""
    loss = as_loss(loss)
    if not isinstance(loss, (WestonWatkins, CrammerSinger, Softmax)):
        raise ValueError(f"loss must be WestonWatkins, CrammerSinger or Softmax, whose duals are known; got {loss!r}")
    return loss


def is_smooth(loss: Loss) -> bool:
    """Whether the loss has a gradient everywhere: the dual variables that scores suggest are then without a choice."""
    return isinstance(loss, Softmax) or bool(getattr(loss, "squared", False))


def is_capped(loss: Loss) -> bool:
    """Whether the dual variables of a sample add up to 1 at most."""
    return isinstance(loss, (CrammerSinger, Softmax))


def suggested(scores: np.ndarray, y: np.ndarray, loss: Loss, width: float) -> np.ndarray:
    """The dual variables that rows of scores suggest: the gradient of the loss, of hinges smoothed over ``width``.

    With ``h_j = s_j − s_y + Δ``: ``clip(h_j / width, 0, 1)``; for `CrammerSinger` the point of the box nearest to
    ``h / width``; squared ``2 max(0, h_j)``; for `Softmax` the probabilities.
    """
    own = np.arange(len(y)), y
    if isinstance(loss, Softmax):
        a = np.exp(scores - scores.max(axis=1, keepdims=True))
        a /= a.sum(axis=1, keepdims=True)
    else:
        assert isinstance(loss, (WestonWatkins, CrammerSinger))
        a = scores - (scores[own] - loss.delta)[:, None]
        np.maximum(a, 0, out=a)
        a *= 2.0 if is_smooth(loss) else 1.0 / width
    a[own] = 0
    if isinstance(loss, WestonWatkins) and not loss.squared:
        np.minimum(a, 1, out=a)
    if isinstance(loss, CrammerSinger):
        into_capped(a)
    return a


def into_capped(a: np.ndarray) -> None:
    """Move each row, which is >= 0, to the nearest one whose sum is at most 1, in place."""
    over = np.flatnonzero(a.sum(axis=1) > 1)
    rows = a[over]
    falling = -np.sort(-rows, axis=1)
    thresholds = (falling.cumsum(axis=1) - 1) / np.arange(1, a.shape[1] + 1)
    a[over] = np.maximum(0, rows - thresholds.max(axis=1, keepdims=True))


def worth(a: np.ndarray, loss: Loss) -> np.ndarray:
    """``−ℓ*`` of each row of dual variables."""
    if isinstance(loss, Softmax):
        rest = np.maximum(0, 1 - a.sum(axis=1))
        return -x_log_x(a).sum(axis=1) - x_log_x(rest)
    assert isinstance(loss, (WestonWatkins, CrammerSinger))
    value = loss.delta * a.sum(axis=1)
    return value - 0.25 * np.einsum("ij,ij->i", a, a) if is_smooth(loss) else value


def x_log_x(x: np.ndarray) -> np.ndarray:
    """``x log x``, 0 at 0."""
    return x * np.log(np.maximum(x, np.finfo(np.float64).tiny))


def check_variables(a: Any, y: np.ndarray, n_classes: int, loss: Loss) -> np.ndarray:
    """Return dual variables as a new float64 array, moved into the box where rounding has left it."""
    if not isinstance(a, np.ndarray) or a.dtype not in (np.float32, np.float64):
        raise TypeError(f"a must be a NumPy array of float64 or float32; got {getattr(a, 'dtype', type(a).__name__)}")
    if a.shape != (len(y), n_classes):
        raise ValueError(f"a must have shape {(len(y), n_classes)}, a number for each sample and class; got {describe(a)}")
    a = a.astype(np.float64, order="C")
    own = np.arange(len(y)), y
    top = 1.0 if is_capped(loss) or not is_smooth(loss) else np.inf
    sums = a.sum(axis=1) if is_capped(loss) else np.zeros(1)
    low, high = a.min(), a.max()
    if not (low >= -SLACK and high <= top + SLACK and sums.max() <= 1 + SLACK and np.abs(a[own]).max() <= SLACK):
        limits = "0 <= a" + (", each row's sum at most 1" if is_capped(loss) else " <= 1" if top == 1 else "")
        raise ValueError(
            f"a must be dual variables of {loss!r}: {limits}, and 0 for the sample's own class; "
            f"got numbers from {low} to {high}, sums up to {sums.max()}, own ones up to {np.abs(a[own]).max()}"
        )
    np.clip(a, 0, top, out=a)
    a[own] = 0
    if is_capped(loss):
        a /= np.maximum(1, a.sum(axis=1, keepdims=True))
    return a
