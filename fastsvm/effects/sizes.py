"""What the batch size does to training: more updates from the same samples, each of them noisier.

Source: CS231n, "Optimization: gradient descent": minibatches allow many more updates for the price of one full gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.effects.batches import check_batch_sizes
from fastsvm.effects.runs import Outcome, Runs
from fastsvm.optimizers import SGD, Optimizer, as_optimizer
from fastsvm.sparse import CSR


@dataclass(frozen=True, eq=False)
class BatchSizeStudy:
    """Trainings that differ in the batch size. Column 0 of each table is the start, column e the end of epoch e.

    Attributes
    ----------
    batch_sizes : ndarray (s,), int64
    losses, accuracies : ndarray (s, epochs + 1), float64
        Objective and accuracy on all samples; NaN from the epoch in which a training diverged.
    updates : ndarray (s, epochs + 1), int64
        Updates made: against this, larger batches win.
    samples : ndarray (epochs + 1,), int64
        Samples seen: against this, smaller batches win.
    seconds : ndarray (s, epochs + 1), float64
        Wall time of the epochs so far, without the evaluation.
    update_losses : tuple of ndarray, (s,)
        Loss of each update's own batch before the update: how noisy each training is.
    diverged : ndarray (s,), bool
    optimizer : Optimizer
    """

    batch_sizes: np.ndarray
    losses: np.ndarray
    accuracies: np.ndarray
    updates: np.ndarray
    samples: np.ndarray
    seconds: np.ndarray
    update_losses: tuple[np.ndarray, ...]
    diverged: np.ndarray
    optimizer: Optimizer

    def __str__(self) -> str:
        lines = [f"{'batch':>8} {'updates':>9} {'loss':>10} {'accuracy':>9} {'seconds':>8}"]
        for s, size in enumerate(self.batch_sizes):
            loss = "diverged" if self.diverged[s] else f"{self.losses[s, -1]:.4g}"
            lines.append(
                f"{size:8d} {self.updates[s, -1]:9d} {loss:>10} {self.accuracies[s, -1]:9.4f} {self.seconds[s, -1]:8.2f}"
            )
        return "\n".join(lines)


def batch_sizes(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    sizes: Sequence[int | str] = (16, 64, 256, 1024, "full"),
    *,
    optimizer: Optimizer | str = SGD(),
    epochs: int = 10,
    **training: Any,
) -> BatchSizeStudy:
    """Train once per batch size, with everything else the same.

    Parameters
    ----------
    X, y
        As in :func:`fastsvm.train`.
    sizes : sequence of int >= 1 or "full"
    optimizer : Optimizer or name, default SGD
        The same for all sizes.
    epochs : int >= 1, default 10
        Every training sees the same number of samples.
    **training
        Further arguments of :func:`fastsvm.train`; ``resume``, ``record`` and ``patience`` are refused.

    Returns
    -------
    BatchSizeStudy

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit. Divergence is a result and does not raise.
    """
    optimizer = as_optimizer(optimizer)
    runs = Runs(X, y, epochs, training, own=("optimizer", "record", "patience", "batch_size"))
    checked = check_batch_sizes("sizes", sizes, len(runs.y))
    before = tuple(training.get("callbacks", ()))
    shape = (len(checked), runs.epochs + 1)
    losses, accuracies = np.full(shape, np.nan), np.full(shape, np.nan)
    losses[:, 0], accuracies[:, 0] = runs.evaluate(runs.W, runs.b)
    overflowed = np.zeros(len(checked), dtype=bool)
    outcomes: list[Outcome] = []
    for s, size in enumerate(checked):

        def look(record: Any, result: Any, s: int = s) -> bool:
            losses[s, record.epoch], accuracies[s, record.epoch] = runs.reached(result.W, result.b)
            overflowed[s] = np.isnan(losses[s, record.epoch])
            return bool(overflowed[s])

        outcomes.append(runs.train(optimizer, batch_size=size, record="update", callbacks=(look, *before)))
    per_epoch = np.array([-(-len(runs.y) // size) for size in checked])
    made = np.arange(runs.epochs + 1)
    seconds = np.zeros(shape)
    seconds[:, 1:] = np.cumsum([runs.column(outcome, "seconds") for outcome in outcomes], axis=1)
    return BatchSizeStudy(
        batch_sizes=np.array(checked, dtype=np.int64), losses=losses, accuracies=accuracies,
        updates=per_epoch[:, None] * made, samples=len(runs.y) * made, seconds=seconds,
        update_losses=tuple(_update_losses(outcome) for outcome in outcomes),
        diverged=overflowed | [outcome.diverged for outcome in outcomes], optimizer=optimizer,
    )  # fmt: skip


def _update_losses(outcome: Outcome) -> np.ndarray:
    losses = outcome.history.update_losses
    return np.empty(0) if losses is None else losses
