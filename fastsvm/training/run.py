"""A training in progress. :mod:`fastsvm.training` checks the arguments and turns the crank; here is what turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from fastsvm import backends
from fastsvm.backends import COEFFICIENTS
from fastsvm.exceptions import DivergenceError
from fastsvm.optimizers import Optimizer, SteepestDescent, slots
from fastsvm.problem import Problem
from fastsvm.score_functions import Engine, ScoreFunction
from fastsvm.standardization import Standardization
from fastsvm.training.history import EpochRecord, History, TrainResult, TrainState
from fastsvm.training.line_search import LineSearch
from fastsvm.validation import check_finite

LEARNING_RATE = COEFFICIENTS.index("learning_rate")


@dataclass(frozen=True, eq=False)
class Plan:
    """What stays the same from epoch to epoch, all of it checked.

    ``optimizer`` is as the user gave it, ``rule`` the same with its schedule bound to the number of updates.
    """

    score_function: ScoreFunction
    problem: Problem
    penalize_intercept: bool
    validation: Problem | None
    standardization: Standardization | None
    optimizer: Optimizer
    rule: Optimizer
    batch_size: int
    epochs: int
    sampling: str
    patience: int | None
    monitor: str
    min_delta: float
    record: str
    backend: str
    n_threads: int

    @property
    def updates_per_epoch(self) -> int:
        return -(-len(self.problem.y) // self.batch_size)

    @property
    def engine(self) -> Engine:
        if isinstance(self.rule, SteepestDescent):
            return LineSearch(self.backend)  # type: ignore[return-value]
        return self.score_function.engine(backends.get(self.backend))


class Monitor:
    """Follows a validation value: which epoch was the best, and when it last rose by more than ``min_delta``."""

    def __init__(self, plan: Plan) -> None:
        self._column, self._sign = ("val_accuracy", 1.0) if plan.monitor == "accuracy" else ("val_loss", -1.0)
        self._min_delta = plan.min_delta
        self._best = self._reference = -np.inf
        self.best_epoch = self.improved_epoch = 0

    def update(self, record: EpochRecord) -> bool:
        """Take in an epoch; whether it is the best so far."""
        value = getattr(record, self._column)
        if value is None:
            return False
        value *= self._sign
        if value > self._reference + self._min_delta:
            self._reference, self.improved_epoch = value, record.epoch
        if value > self._best:
            self._best, self.best_epoch = value, record.epoch
            return True
        return False


class Run:
    """The state of a training, advanced an epoch at a time. ``state`` is owned and changed; ``history`` is not."""

    def __init__(self, plan: Plan, state: TrainState, history: History, rng: np.random.Generator) -> None:
        self.plan, self.rng = plan, rng
        self.W, self.b, self.best_W, self.best_b = state[:4]
        self.optimizer_W, self.optimizer_b = state.optimizer_W, state.optimizer_b
        self.epochs, self.updates = state.epochs, state.updates
        self.records = list(history)
        self.update_losses = np.empty(0) if history.update_losses is None else history.update_losses.copy()
        self.monitor = Monitor(plan)
        for record in self.records:
            self.monitor.update(record)
        intercept = () if self.b is None else (self.b, *(self.optimizer_b or ()))
        self._arrays: tuple[np.ndarray, ...] = (self.W, *self.optimizer_W, *intercept)
        self._sound = [np.empty_like(array) for array in self._arrays]

    def epoch(self) -> EpochRecord:
        """Make one epoch: one call of the backend, then the validation set."""
        plan, n, count = self.plan, len(self.plan.problem.y), self.plan.updates_per_epoch
        for kept, array in zip(self._sound, self._arrays, strict=True):
            kept[...] = array
        rng_state = self.rng.bit_generator.state
        coefficients = plan.rule.coefficients(self.updates, count)
        losses = np.empty(count)
        order = self._order()
        slots_b = () if self.optimizer_b is None else slots(self.optimizer_b)
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            made, correct = plan.engine.epoch(
                self.W, self.b, slots(self.optimizer_W), slots_b, plan.problem, order, plan.batch_size, plan.rule.rule,
                coefficients, losses, plan.n_threads,
            )  # fmt: skip
        seconds = max(time.perf_counter() - start, 1e-9)
        rate = float(coefficients[made - 1, LEARNING_RATE])
        if not np.isfinite(losses[:made]).all():
            self._diverge(rng_state, made, rate, f"the loss of update {self.updates + made - 1} is {losses[made - 1]}")
        if not all(map(_all_finite, self._arrays)):
            self._diverge(rng_state, made, rate, f"the weights after update {self.updates + made - 1} are not finite")
        val_loss, val_accuracy = self._validate()
        if val_loss is not None and not np.isfinite(val_loss):
            self._diverge(rng_state, made, rate, f"the validation loss after it is {val_loss}")

        sizes = np.full(count, plan.batch_size)
        sizes[-1] = n - plan.batch_size * (count - 1)
        self.epochs, self.updates = self.epochs + 1, self.updates + made
        for state in (self.optimizer_W, self.optimizer_b):
            if state is not None:
                state.step[...] += made
        record = EpochRecord(
            epoch=self.epochs, updates=self.updates, loss=float(losses @ sizes) / n, accuracy=correct / n,
            learning_rate=rate, seconds=seconds, samples_per_second=n / seconds,
            val_loss=val_loss, val_accuracy=val_accuracy,
        )  # fmt: skip
        self._commit(record, losses)
        return record

    def _order(self) -> np.ndarray:
        n = len(self.plan.problem.y)
        if self.plan.batch_size == n or self.plan.sampling == "sequential":
            return np.arange(n, dtype=np.int64)
        if self.plan.sampling == "shuffle":
            return self.rng.permutation(n).astype(np.int64, copy=False)
        return self.rng.integers(0, n, size=n, dtype=np.int64)

    def _validate(self) -> tuple[float | None, float | None]:
        plan = self.plan
        if plan.validation is None:
            return None, None
        with np.errstate(all="ignore"):
            value, correct = plan.engine.evaluate(self.W, self.b, plan.validation, plan.n_threads)
        return value, correct / len(plan.validation.y)

    def _commit(self, record: EpochRecord, losses: np.ndarray) -> None:
        self.records.append(record)
        if self.plan.record == "update":
            first = record.updates - len(losses)
            if record.updates > len(self.update_losses):  # doubled, so that recording stays linear in the updates
                self.update_losses = np.concatenate([self.update_losses, np.empty(record.updates)])
            self.update_losses[first : record.updates] = losses
        if self.monitor.update(record):
            self.best_W, self.best_b = self.W.copy(), _copy(self.b)

    def _diverge(self, rng_state: Mapping[str, Any], made: int, rate: float, what: str) -> NoReturn:
        """Blame ``X`` if it is to blame; otherwise go back to the last sound epoch and raise `DivergenceError`."""
        plan = self.plan
        check_finite("X", plan.problem.samples.X)
        if plan.validation is not None:
            check_finite("validation[0]", plan.validation.samples.X)
        for kept, array in zip(self._sound, self._arrays, strict=True):
            array[...] = kept
        self.rng.bit_generator.state = rng_state
        advice = [f"a learning rate of {rate / 10:.1g} or less", "a schedule with warm-up"]
        if plan.problem.alpha * rate >= 1:
            advice.append(f"a smaller alpha (alpha · learning_rate, now {plan.problem.alpha * rate:g}, must be < 1)")
        if plan.standardization is None:
            advice.append(f'standardize="{"max-abs" if plan.problem.samples.is_sparse else "mean+std"}"')
        raise DivergenceError(
            f"training diverged in epoch {self.epochs + 1}: {what}, at learning rate {rate:g}. Try {', or '.join(advice)}",
            epoch=self.epochs + 1,
            update=self.updates + made - 1,
            learning_rate=rate,
            result=self.result("diverged") if self.epochs else None,
        )

    def finished(self) -> str:
        """The reason to stop that lies in the training itself, or an empty string."""
        if self.epochs >= self.plan.epochs:
            return "epochs"
        if isinstance(self.plan.rule, SteepestDescent) and self.records and self.records[-1].learning_rate == 0:
            return "no descent"
        monitored = self.plan.patience is not None and self.monitor.improved_epoch > 0
        if monitored and self.epochs - self.monitor.improved_epoch >= self.plan.patience:  # type: ignore[operator]
            return "early stopping"
        return ""

    def view(self) -> TrainResult:
        """The current weights and state, read-only and without a copy: valid until the next epoch."""
        return self._result("running", self.W, self.b, _view)

    def result(self, stop_reason: str) -> TrainResult:
        """The best weights, or the last where nothing tells which are best, and the last state; all copied."""
        best = (self.W, self.b) if self.best_W is None else (self.best_W, self.best_b)
        return self._result(stop_reason, *best, _copy)

    def _result(self, stop_reason: str, W: np.ndarray, b: np.ndarray | None, keep: Callable[[Any], Any]) -> TrainResult:
        plan = self.plan
        optimizer_b = None if self.optimizer_b is None else type(self.optimizer_b)(*map(keep, self.optimizer_b))
        state = TrainState(
            W=keep(self.W), b=keep(self.b), best_W=keep(self.best_W), best_b=keep(self.best_b),
            optimizer_W=type(self.optimizer_W)(*map(keep, self.optimizer_W)), optimizer_b=optimizer_b,
            rng=dict(self.rng.bit_generator.state), epochs=self.epochs, updates=self.updates,
        )  # fmt: skip
        update_losses = keep(self.update_losses[: self.updates]) if plan.record == "update" else None
        return TrainResult(
            W=keep(W), b=keep(b), loss=plan.problem.loss, optimizer=plan.optimizer, alpha=plan.problem.alpha,
            penalize_intercept=plan.penalize_intercept, standardization=plan.standardization,
            history=History(self.records, update_losses), stop_reason=stop_reason,
            best_epoch=self.epochs if self.best_W is None else self.monitor.best_epoch,
            state=state, backend=plan.backend, n_threads=plan.n_threads, score_function=plan.score_function,
        )  # fmt: skip


def _all_finite(array: np.ndarray) -> bool:
    """Whether all numbers are finite. Where their sum is, they are."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def _copy(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.copy()


def _view(array: np.ndarray | None) -> np.ndarray | None:
    if array is None:
        return None
    view = array.view()
    view.flags.writeable = False
    return view
