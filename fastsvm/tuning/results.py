"""What a search leaves behind: a trial per candidate, and the table of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.optimizers import Optimizer
from fastsvm.sparse import CSR
from fastsvm.training import TrainResult, train
from fastsvm.tuning.candidates import read_space, with_learning_rate


@dataclass(frozen=True)
class Trial:
    """One candidate, trained and validated.

    Attributes
    ----------
    index : int
        Place in the order of the search, from 0.
    learning_rate, alpha : float
        The candidate.
    scores : tuple of float
        Accuracy on the validation part, of each split. A trial that diverged has only the splits before that.
    losses : tuple of float
        Mean loss on the validation part without the penalty, so that different alphas compare.
    train_accuracies : tuple of float
        Accuracy on the training part in the last epoch, each batch scored before its update.
    seconds : float
        Wall time of all its trainings and validations.
    message : str
        Why training diverged; empty where it did not.
    """

    index: int
    learning_rate: float
    alpha: float
    scores: tuple[float, ...]
    losses: tuple[float, ...]
    train_accuracies: tuple[float, ...]
    seconds: float
    message: str = ""

    @property
    def diverged(self) -> bool:
        """Whether a training ended in numbers that are not finite."""
        return bool(self.message)

    @property
    def score(self) -> float:
        """Mean validation accuracy; NaN where training diverged."""
        return math.nan if self.diverged else statistics.fmean(self.scores)

    @property
    def deviation(self) -> float:
        """Standard deviation of the folds' validation accuracies (n − 1 in the denominator); NaN with one split."""
        return math.nan if self.diverged or len(self.scores) < 2 else statistics.stdev(self.scores)

    @property
    def loss(self) -> float:
        """Mean validation loss, without the penalty; NaN where training diverged."""
        return math.nan if self.diverged else statistics.fmean(self.losses)

    @property
    def train_accuracy(self) -> float:
        """Mean training accuracy; NaN where training diverged."""
        return math.nan if self.diverged else statistics.fmean(self.train_accuracies)


def rank(trial: Trial) -> tuple[bool, float, float, int]:
    """Sorts trials: the highest score, in a tie the lower loss, then the earlier; what diverged comes last."""
    return (True, 0.0, 0.0, trial.index) if trial.diverged else (False, -trial.score, trial.loss, trial.index)


@dataclass(frozen=True, eq=False)
class Tuning:
    """What :func:`fastsvm.tuning.tune` returns.

    Attributes
    ----------
    trials : tuple of Trial
        In the order of the search, whichever ended first. All of them, unless the search was stopped.
    n_trials : int
        How many the search has in all.
    method : {"random", "grid"}
    learning_rates, alphas : str
        What was searched: ``"low:high"`` is a range, ``"first,second,..."`` are values.
    validation : str
        What the scores are of: "validation part", "5 folds" or "holdout 0.2".
    settings : mapping
        What every training had in common, as :func:`fastsvm.train` takes it, but for the learning rate of ``optimizer``.
    stop_reason : {"trials", "callback", "interrupted"}
        Why the search ended: all trials were made, a callback returned ``True``, Ctrl-C. What callbacks get has "running".
    seconds : float
        Wall time of this search; trials found in its file took none of it.
    guess : float
        The score of always guessing the most frequent class of the training part.
    """

    trials: tuple[Trial, ...]
    n_trials: int
    method: str
    learning_rates: str
    alphas: str
    validation: str
    settings: Mapping[str, Any] = field(repr=False)
    stop_reason: str
    seconds: float
    guess: float = math.nan

    def __repr__(self) -> str:
        made = [trial for trial in self.trials if not trial.diverged]
        best = f"best score {self.best.score:.4f}" if made else "no best"
        return f"<Tuning: {len(self.trials)} of {self.n_trials} trials, {self.validation}, {best}>"

    def ranked(self) -> list[Trial]:
        """All trials, the best first, those that diverged last."""
        return sorted(self.trials, key=rank)

    @property
    def best(self) -> Trial:
        """The trial with the highest score; in a tie the one with the lower loss, then the earlier one.

        Raises
        ------
        ValueError
            If no trial was made, or all diverged.
        """
        ranked = self.ranked()
        if not ranked:
            raise ValueError("there is no best trial: the search ended before its first")
        if ranked[0].diverged:
            lowest = min(trial.learning_rate for trial in ranked)
            raise ValueError(f"there is no best trial: all {len(ranked)} diverged; search learning rates below {lowest:g}")
        return ranked[0]

    def edges(self) -> dict[str, str]:
        """Which of ``"learning_rate"`` and ``"alpha"`` have their best value at the ``"lowest"`` or ``"highest"`` end.

        The ends are those of the values that were listed; of a range, its outer tenths in the logarithm. There may be better
        ones beyond. Divergence counts as an end that was passed, and so does an alpha of 0.
        """
        best, found = self.best, {}
        for name, text in (("learning_rate", self.learning_rates), ("alpha", self.alphas)):
            value = getattr(best, name)
            end = read_space(text).end(value)
            sign = 1.0 if end == "highest" else -1.0
            passed = any(trial.diverged and sign * getattr(trial, name) > sign * value for trial in self.trials)
            if end is not None and not passed:
                found[name] = end
        return found

    @property
    def beats_guessing(self) -> bool:
        """Whether the best trial's score is above ``guess``; without a best trial it is not."""
        return any(not trial.diverged and not trial.score <= self.guess for trial in self.trials)

    def arguments(self, trial: Trial | None = None) -> dict[str, Any]:
        """Arguments with which :func:`fastsvm.train` does what a trial did, by default the best one."""
        trial = self.best if trial is None else trial
        optimizer: Optimizer = self.settings["optimizer"]
        return {**self.settings, "optimizer": with_learning_rate(optimizer, trial.learning_rate), "alpha": trial.alpha}

    def refit(self, X: np.ndarray | CSR, y: npt.ArrayLike, **changes: Any) -> TrainResult:
        """Train with the arguments of the best trial, as a rule on all the data there is but for the test set.

        Parameters
        ----------
        X, y
            As :func:`fastsvm.train` takes them.
        **changes
            Further arguments of :func:`fastsvm.train`, or others in place of the trial's. Weights per sample are not among
            the trial's: pass ``sample_weight`` again.
        """
        return train(X, y, **{**self.arguments(), **changes})
