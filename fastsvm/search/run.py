"""A search in progress: groups of attempts are drawn, scored and judged, in order.

A group's size follows from the shapes alone, and a search that is resumed begins with the group in which it had stopped, from
that group's beginning: so every sum is added up as in a search without the break, and the bits are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastsvm.losses import Loss
from fastsvm.objective import loss_value
from fastsvm.search.draws import Draws
from fastsvm.search.result import Attempt, SearchResult, SearchState
from fastsvm.sparse import CSR, is_sparse
from fastsvm.standardization import Standardization
from fastsvm.training import interruptible

#: Bytes that a group's weights, and its scores where they are kept, may take.
MEMORY = 128 << 20

#: Multiply-adds of a group, so that a group of attempts takes a fraction of a second: of bytes, and half as many of others.
WORK = 8e10

#: Sizes of groups. They divide 1,000, so that of so many attempts the last group is full.
SIZES = (1, 2, 4, 5, 8, 10, 20, 25, 40, 50)


def group_size(X: np.ndarray | CSR, n_classes: int, n_columns: int, itemsize: int, *, keeps_scores: bool) -> int:
    """Attempts that are scored together."""
    weights = n_classes * n_columns * (itemsize + 2 * 4)  # and the normals, twice
    n = X.shape[0]
    scores = n * n_classes * itemsize if keeps_scores else 0
    entries = X.nnz + n if is_sparse(X) else n * n_columns
    work = entries * n_classes * min(X.dtype.itemsize, 2)
    most = min(MEMORY // (weights + scores), WORK / work)
    return max((size for size in SIZES if size <= most), default=1)


@dataclass(frozen=True, eq=False)
class Plan:
    """What stays the same from attempt to attempt, all of it checked."""

    method: str
    X: np.ndarray | CSR
    y: np.ndarray
    loss: Loss
    alpha: float
    sample_weight: Any
    standardization: Standardization | None
    penalize_intercept: bool
    backend: str
    n_threads: int
    scale: float | None
    step: float | None
    n_attempts: int
    callbacks: tuple[Callable[..., Any], ...]

    @property
    def where(self) -> dict[str, Any]:
        """Keyword arguments of whatever computes."""
        return {"backend": self.backend, "n_threads": self.n_threads}

    @property
    def objective(self) -> dict[str, Any]:
        """Keyword arguments of the functions of :mod:`fastsvm.objective`."""
        return {
            "loss": self.loss, "alpha": self.alpha, "sample_weight": self.sample_weight,
            "standardization": self.standardization, "penalize_intercept": self.penalize_intercept, **self.where,
        }  # fmt: skip


@dataclass(eq=False)
class Best:
    """The best weights so far, and their objective as far as it is known: ``exact`` is what `loss_value` has.

    ``loss_before`` is that of the weights before them, as it was known in the end. ``memory`` is for the scores of a group, and
    kept from group to group.
    """

    W: np.ndarray
    b: np.ndarray | None
    loss: float
    exact: bool = False
    loss_before: float = np.inf
    memory: np.ndarray = field(default_factory=lambda: np.empty(0))

    def move(self, W: np.ndarray, b: np.ndarray | None, loss: float, *, exact: bool = False) -> None:
        """Put better weights in place of these, which are not overwritten."""
        self.loss_before = self.loss
        self.W, self.b, self.loss, self.exact = W, b, loss, exact

    def make_exact(self, plan: Plan) -> float:
        """The objective, by `loss_value`."""
        if not self.exact:
            self.loss, self.exact = loss_value(self.W, plan.X, plan.y, self.b, **plan.objective), True
        return self.loss


@contextmanager
def overflow_explained(plan: Plan, name: str, dtype: np.dtype) -> Iterator[None]:
    """Say of an overflow what it means for a search: the argument so named was too large."""
    try:
        yield
    except OverflowError:
        value = "" if name == "W" else f" (it is {getattr(plan, name):g})"
        wider = ", or use dtype='float64'" if dtype == np.float32 else ""
        raise OverflowError(
            f"the loss of an attempt is not finite: its scores, or their penalty, overflow {dtype}. "
            f"Make {name} smaller{value}, scale X down{wider}"
        ) from None


#: Takes the plan, the best weights so far, which it replaces by better ones, and a group's normals; yields of each attempt the
#: loss and whether it is the best.
Judge = Callable[[Plan, Best, np.ndarray], Iterator[tuple[float, bool]]]


@dataclass(eq=False)
class Record:
    """What has been found out about the attempts so far."""

    losses: list[float] = field(default_factory=list)
    accepted: list[bool] = field(default_factory=list)
    initial_loss: float = np.inf
    seconds: float = 0.0
    last: int = -1  # accepted, as an index

    def take(self, made: int, loss: float, accepted: bool, best: Best) -> bool:
        """Note an attempt; whether it is a new one, and not one made once more on the way back into a group."""
        new = made > len(self.losses)
        if new:
            self.losses.append(loss)
            self.accepted.append(accepted)
        if self.last >= 0:  # what was accepted last may have become exact meanwhile
            self.losses[self.last] = best.loss_before if accepted else best.loss
        self.losses[made - 1] = loss
        if accepted:
            self.last = made - 1
        return new


def make_attempts(plan: Plan, judge: Judge, state: SearchState, rng: np.random.Generator, record: Record) -> SearchResult:
    """Make attempts until there are enough or something else ends the search. The arrays of ``state`` are not changed."""
    begin = time.perf_counter()
    best, made = Best(state.W, state.b, state.best_loss), state.attempts
    n_classes, n_features = best.W.shape
    columns = n_features + (best.b is not None)
    size = group_size(plan.X, n_classes, columns, best.W.itemsize, keeps_scores=plan.method == "local")
    reason = "" if made < plan.n_attempts else "attempts"
    with interruptible() as interrupted, Draws(rng, (size, n_classes, columns)) as draws:
        while not reason:
            rng_state, normals = draws.take(more=made + size < plan.n_attempts)
            state = SearchState(made, best.W, best.b, best.loss, rng_state)
            for loss, accepted in judge(plan, best, normals):
                made += 1
                new = record.take(made, loss, accepted, best)
                attempt = Attempt(made, loss, best.loss, accepted)
                stop = [_says_stop(callback(attempt)) for callback in plan.callbacks if new]
                reason = "callback" if any(stop) else "attempts" if made == plan.n_attempts else ""
                if reason:
                    break
            if not reason and interrupted():
                reason = "interrupted"
        rng_state = draws.rewind(made - state.attempts)
    if made == state.attempts + size:
        state = SearchState(made, best.W, best.b, best.loss, rng_state)
    loss = best.make_exact(plan)
    record.seconds += time.perf_counter() - begin
    return SearchResult(
        W=best.W.copy(), b=None if best.b is None else best.b.copy(), loss=loss, losses=np.array(record.losses),
        accepted=np.array(record.accepted), initial_loss=record.initial_loss, method=plan.method,
        scale=plan.scale, step=plan.step, loss_function=plan.loss, alpha=plan.alpha, penalize_intercept=plan.penalize_intercept,
        standardization=plan.standardization, stop_reason=reason, seconds=record.seconds, state=state,
        backend=plan.backend, n_threads=plan.n_threads,
    )  # fmt: skip


def _says_stop(answer: Any) -> bool:
    """``True``, Python's or NumPy's, ends the search; whatever else a callback returns does not."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)
