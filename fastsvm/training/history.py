"""What a training leaves behind: a record per epoch, the weights, and the state from which it can go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

import numpy as np

from fastsvm import prediction
from fastsvm.losses import Loss
from fastsvm.model import Model
from fastsvm.objective import evaluate
from fastsvm.optimizers import Optimizer, State
from fastsvm.score_functions import LINEAR, ScoreFunction
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization
from fastsvm.validation import check_choice


class EpochRecord(NamedTuple):
    """One epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    updates : int
        Updates made so far, over all epochs.
    loss : float
        Mean of the objective of the epoch's batches, weighted by their sizes; each was taken before its update.
    accuracy : float
        Share of the epoch's samples that were right when their batch was scored, before its update.
    learning_rate : float
        Of the epoch's last update.
    seconds : float
        Wall time of the compiled call; validation and callbacks are not in it.
    samples_per_second : float
    val_loss, val_accuracy : float or None
        Objective (penalty included) and accuracy of the validation set after the epoch.
    """

    epoch: int
    updates: int
    loss: float
    accuracy: float
    learning_rate: float
    seconds: float
    samples_per_second: float
    val_loss: float | None = None
    val_accuracy: float | None = None


@dataclass(frozen=True, eq=False)
class History:
    """Records of all epochs; ``history["loss"]`` is one column of them.

    Attributes
    ----------
    epochs : list of EpochRecord
    update_losses : ndarray (updates,), float64, or None
        Objective of every update's batch, before the update; with ``record="update"`` only.
    """

    epochs: list[EpochRecord] = field(default_factory=list)
    update_losses: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self.epochs)

    def __repr__(self) -> str:
        return f"<History of {len(self.epochs)} epochs: {', '.join(EpochRecord._fields)}>"

    @overload
    def __getitem__(self, column: str) -> np.ndarray: ...
    @overload
    def __getitem__(self, column: int) -> EpochRecord: ...

    def __getitem__(self, column: str | int) -> np.ndarray | EpochRecord:
        """One field of all records, (epochs,) float64, NaN where there was no validation set; or one epoch's record."""
        if isinstance(column, int):
            return self.epochs[column]
        check_choice("column", column, EpochRecord._fields)
        values = (getattr(record, column) for record in self.epochs)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


class TrainState(NamedTuple):
    """Where a training stopped: all that ``resume`` needs beside the history.

    Attributes
    ----------
    W, b : ndarray
        The last weights and intercept (``None`` without one).
    best_W, best_b : ndarray or None
        Those of the best validation epoch; ``None`` without a validation set.
    optimizer_W, optimizer_b : NamedTuple
        States of the optimizer, as its ``init`` made them.
    rng : dict
        ``bit_generator.state`` of the generator that draws the sample order.
    epochs, updates : int
        Made so far.
    """

    W: np.ndarray
    b: np.ndarray | None
    best_W: np.ndarray | None
    best_b: np.ndarray | None
    optimizer_W: State
    optimizer_b: State | None
    rng: dict[str, Any]
    epochs: int
    updates: int


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What :func:`fastsvm.train` returns.

    Attributes
    ----------
    W : ndarray (n_classes, n_features), float32 or float64
    b : ndarray (n_classes,), dtype of ``W``, or None
        Weights and intercept after epoch ``best_epoch``. Of another than the linear score function: all its weights and all
        its intercepts, one after the other; ``parameters`` has them apart.
    loss, optimizer, alpha, penalize_intercept
        As given to the training (an optimizer's schedule without ``total`` is kept so).
    standardization : Standardization or None
        What the samples pass through before ``W``.
    history : History
    stop_reason : {"epochs", "early stopping", "callback", "interrupted", "no descent"}
        Why training ended: all epochs were made, the validation set stopped improving, a callback returned ``True``,
        Ctrl-C, no step of `fastsvm.SteepestDescent` lowers the objective. In :attr:`fastsvm.DivergenceError.result` it is
        ``"diverged"``, in what callbacks are given ``"running"``.
    best_epoch : int
        The epoch with the best validation value, the first of them in a tie; without a validation set the last epoch.
    state : TrainState
        The last state, whatever the best epoch.
    backend : str
    n_threads : int
        What training used, and what the methods use.
    score_function : ScoreFunction
        How scores come from the samples; ``Linear()`` unless training was told otherwise.
    """

    W: np.ndarray
    b: np.ndarray | None
    loss: Loss
    optimizer: Optimizer
    alpha: float
    penalize_intercept: bool
    standardization: Standardization | None
    history: History
    stop_reason: str
    best_epoch: int
    state: TrainState
    backend: str
    n_threads: int
    score_function: ScoreFunction = LINEAR

    def __repr__(self) -> str:
        shapes = (f"{name} {' x '.join(map(str, part.shape))}" for name, part in self.parameters.items() if name[0] == "W")
        return (
            f"<TrainResult: {', '.join(shapes)} {self.W.dtype}, {self.loss}, {self.state.epochs} epochs, "
            f"stop_reason={self.stop_reason!r}, best_epoch={self.best_epoch}>"
        )

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """``W`` and ``b`` by name; of a network ``W1``, ``b1``, ``W2`` and ``b2``. Views."""
        return self.score_function.parameters(self.W, self.b)

    def scores(self, X: np.ndarray | CSR) -> np.ndarray:
        """Scores of samples as they were given to training (not standardised): (n_samples, n_classes), dtype of ``W``."""
        return prediction.decision_scores(
            self.W, X, self.b, standardization=self.standardization, backend=self.backend, n_threads=self.n_threads,
            score_function=self.score_function,
        )  # fmt: skip

    def predict(self, X: np.ndarray | CSR) -> np.ndarray:
        """Class indices of samples, (n_samples,) int64: the largest score, the first of them in a tie."""
        return prediction.predict(
            self.W, X, self.b, standardization=self.standardization, backend=self.backend, n_threads=self.n_threads,
            score_function=self.score_function,
        )  # fmt: skip

    def evaluate(self, X: np.ndarray | CSR, y: np.ndarray, sample_weight: np.ndarray | None = None) -> tuple[float, float]:
        """Objective (penalty included) and accuracy on samples as they were given to training."""
        return evaluate(
            self.W, X, y, self.b, self.loss, self.alpha, sample_weight,
            standardization=self.standardization, penalize_intercept=self.penalize_intercept,
            backend=self.backend, n_threads=self.n_threads, score_function=self.score_function,
        )  # fmt: skip

    def to_model(self, class_names: Sequence[str] | None = None, metadata: Mapping[str, str] | None = None) -> Model:
        """The weights, copied, with all that is needed to use them again: a `Model`, which can be saved.

        Parameters
        ----------
        class_names : sequence of str, optional
            One per class, in the order of the class indices.
        metadata : mapping of str to str, optional
            Anything worth remembering with the model.

        Raises
        ------
        TypeError, ValueError
            If the names do not fit the number of classes, or something is not a string.
        """
        return Model(
            W=self.W.copy(), b=None if self.b is None else self.b.copy(), standardization=self.standardization,
            class_names=class_names, loss=self.loss, alpha=self.alpha, penalize_intercept=self.penalize_intercept,
            metadata={} if metadata is None else metadata, score_function=self.score_function,
        )  # fmt: skip
