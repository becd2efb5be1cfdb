"""What the learning rate does to the loss curve: too low, good, too high.

Source: CS231n, "Training Neural Networks II: learning rate": a very high rate makes the loss explode, a high one
lets it get stuck above the others, a low one lets it fall slowly and steadily.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.effects.runs import Runs, last_finite, rated
from fastsvm.optimizers import SGD, Optimizer
from fastsvm.schedules import Constant, Schedule
from fastsvm.sparse import CSR
from fastsvm.validation import check_real

#: A rate is good if the loss falls by at least this share of what it falls by with the best rate of the study.
GOOD_SHARE = 0.9

#: A rate is too low if the second half of the epochs still brings more than this share of the fall: nearly a straight line.
STEADY_SHARE = 1 / 3


@dataclass(frozen=True, eq=False)
class RateStudy:
    """Loss curves of trainings that differ in the learning rate.

    Attributes
    ----------
    rates : ndarray (r,), float64
    curves : ndarray (r, epochs), float64
        Loss per epoch as training records it; NaN from the epoch in which training diverged.
    accuracies, val_accuracies : ndarray (r, epochs), float64
        Training accuracy per epoch, and that of the validation set; NaN where there is none.
    diverged : ndarray (r,), bool
    verdict : tuple of str, (r,)
        "too low", "good" or "too high", by the rules of :func:`judge`.
    initial_loss : float
        Of the weights all trainings begin with.
    optimizer : Optimizer
        As given; its rate is replaced by each of ``rates``.
    """

    rates: np.ndarray
    curves: np.ndarray
    accuracies: np.ndarray
    val_accuracies: np.ndarray
    diverged: np.ndarray
    verdict: tuple[str, ...]
    initial_loss: float
    optimizer: Optimizer

    @property
    def final_losses(self) -> np.ndarray:
        """Loss of each training's last epoch, (r,); NaN where training diverged."""
        return np.where(self.diverged, np.nan, [last_finite(curve) for curve in self.curves])

    @property
    def best(self) -> int | None:
        """Position of the rate that ends at the lowest loss; ``None`` if all diverged."""
        return None if self.diverged.all() else int(np.nanargmin(self.final_losses))

    def __str__(self) -> str:
        lines = [f"{self.optimizer.rule}, loss at the start {self.initial_loss:.4g}", f"{'rate':>10} {'loss':>10}  verdict"]
        for rate, loss, diverged, verdict in zip(self.rates, self.final_losses, self.diverged, self.verdict, strict=True):
            lines.append(f"{rate:10.3g} {'diverged' if diverged else f'{loss:.4g}':>10}  {verdict}")
        return "\n".join(lines)


def judge(rates: np.ndarray, curves: np.ndarray, diverged: np.ndarray, initial_loss: float) -> tuple[str, ...]:
    """Call each rate "too low", "good" or "too high" by its loss curve.

    Parameters
    ----------
    rates (r,), curves (r, epochs), diverged (r,), initial_loss
        As in :class:`RateStudy`.

    Notes
    -----
    The fall of a curve is the initial loss less the loss of its last epoch. In this order:

    1. a rate with which training diverged is too high;
    2. so is one whose loss rises, if no rate of the study makes it fall;
    3. one whose fall is less than :data:`GOOD_SHARE` of the largest is too low or too high, depending on which side of
       the rate with the largest fall it lies;
    4. one whose second half of epochs still brings more than :data:`STEADY_SHARE` of its fall is too low;
    5. all others are good.

    So a verdict compares with the rates tried and holds for this number of epochs.
    """
    falls = np.array([initial_loss - last_finite(curve) for curve in curves])
    falls[np.asarray(diverged) | np.isnan(falls)] = -np.inf
    best = int(falls.argmax())

    def verdict(k: int) -> str:
        if falls[k] == -np.inf or (falls[best] <= 0.0 and falls[k] < 0.0):
            return "too high"
        if falls[k] < GOOD_SHARE * falls[best]:
            return "too high" if rates[k] > rates[best] else "too low"
        made = np.concatenate([[initial_loss], curves[k][np.isfinite(curves[k])]])
        late = made[len(made) // 2] - made[-1]
        return "too low" if late > STEADY_SHARE * falls[k] or falls[k] <= 0.0 else "good"

    return tuple(verdict(k) for k in range(len(rates)))


def learning_rates(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    rates: npt.ArrayLike,
    *,
    optimizer: Optimizer | str = SGD(),
    epochs: int = 20,
    **training: Any,
) -> RateStudy:
    """Train once per learning rate, with everything else the same, and compare the loss curves.

    Parameters
    ----------
    X, y
        As in :func:`fastsvm.train`.
    rates : (r,) numbers > 0
    optimizer : Optimizer or name, default SGD
        Its learning rate is replaced; a schedule of :mod:`fastsvm.schedules` keeps its shape.
    epochs : int >= 1, default 20
    **training
        Further arguments of :func:`fastsvm.train`; ``resume`` is refused.

    Returns
    -------
    RateStudy

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit. Divergence is a result and does not raise.
    """
    optimizer = rated(optimizer)
    listed = np.asarray(rates)
    if listed.ndim != 1 or listed.size == 0:
        raise ValueError(f"rates must be a sequence of at least one learning rate; got {rates!r}")
    tried = np.array([check_real(f"rates[{k}]", rate, above=0.0) for k, rate in enumerate(listed.tolist())])
    candidates = [replace(optimizer, learning_rate=_with_rate(optimizer.learning_rate, rate)) for rate in tried.tolist()]
    runs = Runs(X, y, epochs, training, own=("optimizer",))
    initial_loss = runs.evaluate(runs.W, runs.b)[0]
    outcomes = [runs.train(candidate) for candidate in candidates]
    curves, accuracies, val_accuracies = (
        np.array([runs.column(outcome, name) for outcome in outcomes]) for name in ("loss", "accuracy", "val_accuracy")
    )
    diverged = np.array([outcome.diverged for outcome in outcomes])
    return RateStudy(
        rates=tried, curves=curves, accuracies=accuracies, val_accuracies=val_accuracies, diverged=diverged,
        verdict=judge(tried, curves, diverged, initial_loss), initial_loss=initial_loss, optimizer=optimizer,
    )  # fmt: skip


def _with_rate(old: float | Schedule, rate: float) -> float | Schedule:
    """The rate itself, or the schedule that begins with it."""
    if isinstance(old, Constant):
        return replace(old, learning_rate=rate)
    if callable(old):
        raise TypeError(f"optimizer must have a number or a schedule of fastsvm.schedules for its learning rate; got {old!r}")
    return rate
