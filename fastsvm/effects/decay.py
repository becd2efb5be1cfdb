"""Decay of the learning rate, chosen by looking at the loss curve.

Source: CS231n, "Training Neural Networks II: learning rate": decay is a second-order hyperparameter; train
without it first, look where the loss curve has flattened, and let the rate fall there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.effects.runs import Outcome, Runs, plain_rate
from fastsvm.optimizers import Momentum, Optimizer
from fastsvm.schedules import Constant
from fastsvm.sparse import CSR
from fastsvm.validation import check_finite, check_integer, check_real

#: A curve whose rest brings more than this share of its fall so far is not flat but falls slowly: the rate is too low.
REST = 0.1


@dataclass(frozen=True)
class DecayAt(Constant):
    """``learning_rate · factor^k`` once k of the given update counts have been reached.

    Parameters
    ----------
    learning_rate : float > 0
    warmup : int >= 0, default 0
    updates : tuple of int >= 0, ascending, default ()
        The rate of update u (from 0) has decayed once for each entry <= u.
    factor : float in (0, 1], default 0.1
    """

    updates: tuple[int, ...] = ()
    factor: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for k, update in enumerate(self.updates):
            check_integer(f"updates[{k}]", update, at_least=self.updates[k - 1] if k else 0)
        check_real("factor", self.factor, above=0.0, at_most=1.0)

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return np.power(self.factor, np.searchsorted(np.array(self.updates, dtype=np.float64), t, side="right"))


def decay_from_curve(
    curve: npt.ArrayLike, *, window: int | None = None, flat: float = 0.03, decays: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """Look at a loss curve and say after how many epochs the learning rate should decay.

    Parameters
    ----------
    curve : (epochs,) finite numbers
        Loss per epoch, such as ``result.history["loss"]``.
    window : int >= 1, optional
        Epochs that are averaged against noise. Default: a tenth of them, at least 1.
    flat : float >= 0, default 0.03
        The curve is flat from where three quarters of the rest of it are lower by no more than this share, and by no more than
        :data:`REST` of what it has fallen until there.
    decays : tuple of int, default ()
        Epochs after which the rate of this training decayed; what is looked at is the curve after the last of them.

    Returns
    -------
    epochs : tuple of int
        ``decays``, and the number of epochs after which the curve is flat. No further entry: nothing to gain yet, train longer.

    Notes
    -----
    With ``mean(e)`` that of the ``window`` epochs up to epoch e, ``q`` the lower quartile of the later means, from
    ``mean(e + window)`` on (their minimum would wait for the luckiest epoch of a noisy curve), and ``top`` the highest loss so
    far, the answer is the first e with ``mean(e) − q <= min(flat · mean(e), REST · (top − mean(e)))``. A flat part
    shorter than two windows does not count: the end of every curve looks flat.

    Examples
    --------
    >>> decay_from_curve([8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    (4,)
    """
    losses = np.array(curve, dtype=np.float64)
    if losses.ndim != 1 or losses.size == 0:
        raise ValueError(f"curve must hold the loss of each epoch, in one dimension; got shape {losses.shape}")
    check_finite("curve", losses)
    flat = check_real("flat", flat, at_least=0.0)
    window = max(1, len(losses) // 10) if window is None else check_integer("window", window, at_least=1)
    for k, epoch in enumerate(decays):
        check_integer(f"decays[{k}]", epoch, at_least=decays[k - 1] if k else 1, at_most=len(losses))
    start = decays[-1] if decays else 0
    means = np.convolve(losses[start:], np.full(window, 1.0 / window), "valid")  # entry k: mean(start + window + k)
    for k in range(len(means) - 2 * window):
        epoch = start + window + k
        ahead, behind = means[k] - np.quantile(means[k + window :], 0.25), losses[start:epoch].max() - means[k]
        if ahead <= min(flat * abs(means[k]), REST * behind):
            return (*decays, epoch)
    return tuple(decays)


def decay_schedule(epochs: tuple[int, ...], learning_rate: float, updates_per_epoch: int, factor: float = 0.1) -> Constant:
    """The schedule that multiplies the learning rate by ``factor`` after each of so many epochs."""
    updates_per_epoch = check_integer("updates_per_epoch", updates_per_epoch, at_least=1)
    return DecayAt(learning_rate, updates=tuple(epoch * updates_per_epoch for epoch in epochs), factor=factor)


@dataclass(frozen=True, eq=False)
class DecayStudy:
    """Trainings without decay, and with decay where the curve before had flattened.

    Attributes
    ----------
    decays : tuple of tuples of int, (runs,)
        Epochs after which the rate of each training fell; the first entry is empty.
    curves : ndarray (runs, epochs), float64
        Loss per epoch; NaN from the epoch in which a training diverged.
    losses, accuracies : ndarray (runs,), float64
        Objective and accuracy on all training samples at the end; NaN of a training that diverged.
    val_accuracies : ndarray (runs, epochs), float64
        Of the validation set; NaN where there is none.
    optimizers : tuple of Optimizer, (runs,)
        With their schedules.
    """

    decays: tuple[tuple[int, ...], ...]
    curves: np.ndarray
    losses: np.ndarray
    accuracies: np.ndarray
    val_accuracies: np.ndarray
    optimizers: tuple[Optimizer, ...]

    def __str__(self) -> str:
        lines = [f"{'decay after epochs':>24} {'loss':>10} {'accuracy':>9}"]
        for decays, loss, accuracy in zip(self.decays, self.losses, self.accuracies, strict=True):
            lines.append(f"{', '.join(map(str, decays)) or 'none':>24} {loss:10.4g} {accuracy:9.4f}")
        return "\n".join(lines)


def decay_study(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    *,
    optimizer: Optimizer | str = Momentum(),
    epochs: int = 30,
    factor: float = 0.1,
    looks: int = 1,
    window: int | None = None,
    flat: float = 0.03,
    **training: Any,
) -> DecayStudy:
    """Train without decay, look at the curve, and train again with decay where it had flattened.

    Parameters
    ----------
    X, y
        As in :func:`fastsvm.train`.
    optimizer : Optimizer or name, default Momentum
        With a number for its learning rate.
    epochs : int >= 1, default 30
    factor : float in (0, 1], default 0.1
        What the rate is multiplied by.
    looks : int >= 1, default 1
        How often to look and train again. It ends sooner once a curve flattens nowhere.
    window, flat
        As in :func:`decay_from_curve`.
    **training
        Further arguments of :func:`fastsvm.train`; ``resume`` is refused.

    Returns
    -------
    DecayStudy
        Of ``1 + looks`` trainings at most. Up to a decay, a training is the one before it, bit for bit.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    """
    optimizer = plain_rate(optimizer)
    factor = check_real("factor", factor, above=0.0, at_most=1.0)
    looks = check_integer("looks", looks, at_least=1)
    runs = Runs(X, y, epochs, training, own=("optimizer",))
    decays: list[tuple[int, ...]] = [()]
    optimizers, outcomes = [optimizer], [runs.train(optimizer)]
    for _ in range(looks):
        history = outcomes[-1].history
        if outcomes[-1].diverged or len(history) == 0:
            break
        found = decay_from_curve(history["loss"], window=window, flat=flat, decays=decays[-1])
        if found == decays[-1]:
            break
        per_epoch = history[0].updates
        schedule = decay_schedule(found, float(optimizer.learning_rate), per_epoch, factor)  # type: ignore[arg-type]
        decays.append(found)
        optimizers.append(replace(optimizer, learning_rate=schedule))
        outcomes.append(runs.train(optimizers[-1]))
    reached = np.array([_reached(runs, outcome) for outcome in outcomes])
    return DecayStudy(
        decays=tuple(decays),
        curves=np.array([runs.column(outcome, "loss") for outcome in outcomes]),
        losses=reached[:, 0],
        accuracies=reached[:, 1],
        val_accuracies=np.array([runs.column(outcome, "val_accuracy") for outcome in outcomes]),
        optimizers=tuple(optimizers),
    )


def _reached(runs: Runs, outcome: Outcome) -> tuple[float, float]:
    """Objective and accuracy on all samples at the end of a training."""
    if outcome.diverged or outcome.result is None:
        return float("nan"), float("nan")
    return runs.reached(outcome.result.W, outcome.result.b)
