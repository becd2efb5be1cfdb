"""Where the loss has its kinks along a line."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from fastsvm.landscape.envelopes import Envelopes, margin_lines
from fastsvm.landscape.family import family
from fastsvm.losses import CrammerSinger, Loss, WestonWatkins
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization


@dataclass(frozen=True, eq=False)
class Breakpoints:
    """What :func:`breakpoints` returns: K kinks.

    Attributes
    ----------
    a : ndarray (K,), float64
        Positions, ascending.
    sample : ndarray (K,), int64
        Whose loss has the kink.
    label : ndarray (K,), int64
        The class whose margin changes sign there; of the Crammer-Singer loss, where no margin does, the class whose margin is
        the largest from there on.
    """

    a: np.ndarray
    sample: np.ndarray
    label: np.ndarray


def breakpoints(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    direction: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    *,
    direction_b: np.ndarray | None = None,
    lower: float = -np.inf,
    upper: float = np.inf,
    standardization: Standardization | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Breakpoints:
    """Find all kinks of the data loss along ``W + a D``; between two of them it is linear in a.

    Parameters
    ----------
    W, X, y, b, standardization, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`. Nothing is changed.
    direction, direction_b
        As in :func:`line`.
    loss : WestonWatkins or CrammerSinger, or the name of one
        Of the squared Weston-Watkins loss these are the places where its second derivative jumps; between two of them it is
        quadratic. Softmax has no kinks, and where those of a registered loss are is not known.
    lower, upper : float
        Only kinks with ``lower <= a <= upper``.

    Returns
    -------
    Breakpoints

    Raises
    ------
    TypeError, ValueError
        If the loss is another, or an argument does not fit.

    Notes
    -----
    Memory: some 100 bytes for each score, n_samples × n_classes of them. The positions are computed in float64, from scores in
    the dtype of ``W``.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.zeros((2, 1)), np.array([[1.0], [2.0]]), np.array([0, 1])       # margins 1 + a and 1 − 2a
    >>> found = breakpoints(W, X, y, np.array([[0.0], [1.0]]))
    >>> found.a.tolist(), found.sample.tolist(), found.label.tolist()
    ([-1.0, 0.5], [0, 1], [1, 0])
    """
    points = family(
        W, X, y, b, (direction, direction_b, "direction"), loss=loss, alpha=0.0, sample_weight=None,
        standardization=standardization, penalize_intercept=False, backend=backend, n_threads=n_threads,
    )  # fmt: skip
    kind = points.problem.loss
    if not isinstance(kind, (WestonWatkins, CrammerSinger)):
        raise ValueError(f"loss must be WestonWatkins or CrammerSinger, whose kinks are known; got {kind!r}")
    for name, bound in (("lower", lower), ("upper", upper)):
        if not isinstance(bound, Real):
            raise TypeError(f"{name} must be a real number; got {bound!r} ({type(bound).__name__})")
    if not lower <= upper:
        raise ValueError(f"lower must be <= upper; got {lower!r} and {upper!r}")
    p, q = margin_lines(points.scores(), points.problem.y, kind)
    a, sample, label = _sign_changes(p, q) if isinstance(kind, WestonWatkins) else _changes_of_maximum(p, q)
    inside = (a >= lower) & (a <= upper)
    a, sample, label = a[inside], sample[inside], label[inside]
    order = np.lexsort([label, sample, a])
    return Breakpoints(a[order], sample[order], label[order])


def _sign_changes(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, samples and classes of ``p + a q = 0``."""
    label, sample = np.nonzero(q)
    with np.errstate(over="ignore"):
        a = -p[label, sample] / q[label, sample]
    near = np.isfinite(a)
    return a[near] + 0.0, sample[near], label[near]  # + 0.0: no −0


def _changes_of_maximum(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, samples and classes of the kinks of ``max(0, max_j p_j + a q_j)``."""
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))]
    for at, sample, before, after, _ in Envelopes(p, q, noise=0.0).kinks():
        found.append((at + 0.0, sample, np.where(after < 0, before, after)))
    a, sample, label = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return a, sample, label
