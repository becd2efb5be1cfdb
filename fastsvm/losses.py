"""Multiclass losses, named by author, as functions of one row of scores ``s`` and its class ``y``.

The objective they enter is stated once, in :mod:`fastsvm.objective`. A loss object holds hyperparameters only;
each backend has its own leaf that evaluates it. At a kink the subgradient is 0 (strict ``> 0``) in every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any, ClassVar

from fastsvm.validation import check_choice, check_flag, check_real, plain_name


@dataclass(frozen=True)
class WestonWatkins:
    """Sum of the margin violations: ``Σ_{j≠y} max(0, s_j − s_y + Δ)``, or of their squares.

    Parameters
    ----------
    delta : float, default 1.0
        The margin Δ, finite and > 0.
    squared : bool, default False
        Square each violation (the L2 multiclass SVM, smooth).

    Notes
    -----
    Gradient on the scores, with ``m_j = s_j − s_y + Δ``: ``1[m_j > 0]`` (squared: ``2 max(0, m_j)``) for ``j ≠ y``
    and minus their sum for ``y``.

    References
    ----------
    J. Weston and C. Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999.
    CS231n, "Linear classification": the multiclass SVM loss.
    """

    delta: float = 1.0
    squared: bool = False

    def __post_init__(self) -> None:
        check_real("delta", self.delta, above=0.0)
        check_flag("squared", self.squared)


@dataclass(frozen=True)
class CrammerSinger:
    """The largest margin violation: ``max(0, max_{j≠y} s_j − s_y + Δ)``.

    Parameters
    ----------
    delta : float, default 1.0
        The margin Δ, finite and > 0.

    Notes
    -----
    Gradient on the scores where the loss is positive: 1 for the first ``j`` that attains the maximum, −1 for ``y``.

    References
    ----------
    K. Crammer and Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", JMLR 2001.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        check_real("delta", self.delta, above=0.0)


@dataclass(frozen=True)
class Softmax:
    """Multinomial logistic loss: ``log Σ_j exp(s_j) − s_y``, evaluated after subtracting the row's maximum.

    Notes
    -----
    Gradient on the scores: ``exp(s_j) / Σ_l exp(s_l) − 1[j = y]``.

    References
    ----------
    CS231n, "Linear classification": softmax classifier and its numerical stability.
    """


@dataclass(frozen=True)
class SmoothedWestonWatkins:
    """`WestonWatkins` made smooth: ``Σ_{j≠y} φ(s_j − s_y + Δ)``, φ(m) = 0 below 0, m²/2 up to 1, m − ½ beyond.

    Its gradient is ``clip(m_j, 0, 1)``: a point of the box of the dual. Only values and gradients of it are there, for
    :mod:`fastsvm.dual`. The width of the bend is 1; one of μ comes by scaling, ``μ ℓ(s/μ; Δ/μ)``, which is at most μ/2 for each
    class below the loss it stands for.
    """

    delta: float


@dataclass(frozen=True)
class SmoothedCrammerSinger:
    """`CrammerSinger` made smooth: the largest ``Σ_j a_j m_j − ½‖a‖²`` over ``a ≥ 0``, ``Σ_j a_j ≤ 1``, where ``j ≠ y``.

    ``m_j = s_j − s_y + Δ``. Its gradient is that a: ``max(0, m_j − t)`` with the least t ≥ 0 for which the sum is at most 1.
    Otherwise as `SmoothedWestonWatkins`.
    """

    delta: float


@dataclass(frozen=True)
class RegisteredLoss:
    """What losses made with :func:`fastsvm.register_loss` share: a leaf of the user's, and its parameters as fields."""

    leaf: ClassVar[Callable[..., Any]]

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_real(name, value)

    def parameters(self) -> tuple[float, ...]:
        """Parameters in the order in which the leaf takes them."""
        return astuple(self)


Smoothed = SmoothedWestonWatkins | SmoothedCrammerSinger
Loss = WestonWatkins | CrammerSinger | Softmax | Smoothed | RegisteredLoss

#: The names by which the command line and the functions that take a loss know each of them.
LOSSES: dict[str, type] = {
    "weston_watkins": WestonWatkins,
    "crammer_singer": CrammerSinger,
    "softmax": Softmax,
}


#: Further names that ``loss=`` takes in Python: of what a parameter makes of one of those.
VARIANTS: dict[str, Callable[[], Loss]] = {"squared_weston_watkins": lambda: WestonWatkins(squared=True)}

#: What others call a loss of one class against the rest, and the joint loss that is in its place here.
ELSEWHERE = {
    "hinge": "weston_watkins",
    "squared_hinge": "squared_weston_watkins",
    "log_loss": "softmax",
    "log": "softmax",
    "logistic": "softmax",
    "cross_entropy": "softmax",
}


def as_loss(loss: Loss | str) -> Loss:
    """Return ``loss`` itself, or the default object of the loss so named.

    Raises
    ------
    TypeError
        If ``loss`` is neither a loss object nor a string.
    ValueError
        If no loss has that name.
    """
    if isinstance(loss, (*LOSSES.values(), RegisteredLoss)):
        return loss  # type: ignore[return-value]
    if isinstance(loss, str):
        name = plain_name(loss)
        known: dict[str, Callable[[], Loss]] = {**LOSSES, **VARIANTS, **LOSSES}
        if name in ELSEWHERE and name not in known:
            raise ValueError(
                f"loss must be one of {', '.join(map(repr, known))}; got {loss!r}, whose joint form is {ELSEWHERE[name]!r}"
            )
        return known[check_choice("loss", name, known)]()
    names = ", ".join(cls.__name__ + "()" for cls in LOSSES.values())
    raise TypeError(f"loss must be one of {names} or the name of one; got {loss!r}")
