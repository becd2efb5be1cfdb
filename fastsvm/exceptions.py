"""Errors of fastsvm's own. Bad arguments raise ``TypeError`` or ``ValueError``; these two mean something else."""

from __future__ import annotations

from typing import Any


class DivergenceError(ArithmeticError):
    """Training produced a loss or a weight that is not finite, and was stopped.

    Attributes
    ----------
    epoch : int
        Epoch (from 1) in which it happened.
    update : int
        Update count (from 0, over the whole training) whose loss was not finite.
    learning_rate : float
        Step size of that update.
    result : TrainResult or None
        What training had reached at the end of the last sound epoch, or ``None`` if there was none.
    """

    def __init__(self, message: str, *, epoch: int, update: int, learning_rate: float, result: Any = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.update = update
        self.learning_rate = learning_rate
        self.result = result


class DataFormatError(ValueError):
    """A data set or model file is not what its name or header says it is."""
