"""The trials of a search, several at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from fastsvm import objective
from fastsvm.exceptions import DivergenceError
from fastsvm.score_functions import Linear
from fastsvm.training import interruptible, train
from fastsvm.tuning.candidates import Candidate, with_learning_rate
from fastsvm.tuning.results import Trial
from fastsvm.tuning.splits import Split, Splits


@dataclass(frozen=True, eq=False)
class Plan:
    """What the trials have in common. ``settings`` are arguments of :func:`fastsvm.train`."""

    splits: Splits
    settings: Mapping[str, Any]
    n_jobs: int
    n_threads: int  # of each job

    def blas(self) -> AbstractContextManager[Any]:
        """Holds BLAS, which networks call, to the threads of a job: each training sets them for the process, and back."""
        if isinstance(self.settings["score_function"], Linear):
            return nullcontext()
        from threadpoolctl import threadpool_limits

        return threadpool_limits(self.n_threads, user_api="blas")

    def trial(self, index: int, candidate: Candidate, stop: Callable[[], bool]) -> Trial | None:
        """Train and validate a candidate on every split, or return ``None`` if told to stop before the end."""
        start = time.perf_counter()
        measured: list[tuple[float, float, float]] = []
        message = ""
        try:
            for k in range(len(self.splits)):
                if stop() or (found := self._measure(self.splits[k], candidate, stop)) is None:
                    return None
                measured.append(found)
        except (DivergenceError, OverflowError) as error:  # an outcome, like any other score
            message = str(error)
        scores, losses, train_accuracies = zip(*measured, strict=True) if measured else ((), (), ())
        seconds = time.perf_counter() - start
        return Trial(index, *candidate, scores, losses, train_accuracies, seconds, message)

    def _measure(self, split: Split, candidate: Candidate, stop: Callable[[], bool]) -> tuple[float, float, float] | None:
        """Validation accuracy and loss, and training accuracy; or ``None``, as `trial`."""
        settings = dict(self.settings)
        settings |= {
            "optimizer": with_learning_rate(settings["optimizer"], candidate.learning_rate),
            "alpha": candidate.alpha,
            "n_threads": self.n_threads,
        }
        part, held_out = split.train, split.validation
        result = train(part.X, part.y, sample_weight=part.sample_weight, callbacks=[lambda record, result: stop()], **settings)
        if len(result.history) < settings["epochs"]:
            return None
        loss, accuracy = objective.evaluate(  # without the penalty, whose strength is what is searched
            result.W, held_out.X, held_out.y, result.b, result.loss, sample_weight=held_out.sample_weight,
            standardization=result.standardization, backend=result.backend, n_threads=self.n_threads,
            score_function=result.score_function,
        )  # fmt: skip
        return accuracy, loss, result.history[-1].accuracy


def make_trials(plan: Plan, candidates: Sequence[Candidate], missing: Sequence[int], receive: Callable[[Trial], bool]) -> str:
    """Make the missing trials and hand each to ``receive``, in this thread, as it ends; returns the reason to stop.

    The jobs are threads: an epoch is one call that leaves Python alone. Jobs stop after the epoch they are in when
    ``receive`` returns ``True``, at the first Ctrl-C, or when anything raises.
    """
    if not missing:
        return "trials"
    ended, halted = 0, threading.Event()
    with (
        plan.blas(),
        interruptible() as interrupted,
        ThreadPoolExecutor(plan.n_jobs, thread_name_prefix="fastsvm-tune") as pool,
    ):

        def stop() -> bool:
            return halted.is_set() or interrupted()

        try:
            jobs = [pool.submit(plan.trial, index, candidates[index], stop) for index in missing]
            for job in as_completed(jobs):
                trial = job.result()
                if trial is None:
                    continue
                ended += 1
                if receive(trial):
                    return "callback"
        finally:
            halted.set()
    return "trials" if ended == len(missing) else "interrupted"
