"""The contract of :mod:`fastsvm.backends` for networks: forward and backward pass block by block, updates piece by piece.

What a network is asked for: its ``layers``, the views ``parameters`` gives of its weights, and ``forward``, the graph of its
scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastsvm import autograd as ag
from fastsvm.backends import COEFFICIENTS, ranking, reference, without_decay
from fastsvm.network.team import Reader, Team, rows_per_block, team_of
from fastsvm.problem import Problem, Samples

if TYPE_CHECKING:
    from fastsvm.network import TwoLayer

#: Weights that are updated at a time: 1 MiB of float32, so that all arrays of an update stay in a cache.
PIECE = 1 << 18

Arrays = dict[str, np.ndarray]


class Block(NamedTuple):
    """What a block adds to that of its batch: loss, samples that are right, and gradients, flat, where they are wanted."""

    loss: float
    correct: int
    gradients: Arrays | None


class NetworkEngine:
    """The functions of the contract in :mod:`fastsvm.backends`, for a network. Losses and updates are a backend's."""

    def __init__(self, network: TwoLayer, backend: Any) -> None:
        self.network, self.backend = network, backend

    def scores(self, W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
        """Scores, block by block."""
        with self._work(W, b, samples, len(out), n_threads) as work:

            def fill(rows: np.ndarray) -> None:
                with work.reading() as reader:
                    out[rows] = self.network.forward(reader.read(rows), work.parts).value

            work.team.map(fill, work.blocks(np.arange(len(out))))

    def top_k(
        self,
        W: np.ndarray,
        b: np.ndarray | None,
        samples: Samples,
        classes: np.ndarray,
        top_scores: np.ndarray | None,
        n_threads: int,
    ) -> None:
        """Classes of the largest scores, and these scores."""
        out = np.empty((len(classes), self.network.dimensions()[1]), W.dtype)
        self.scores(W, b, samples, out, n_threads)
        ranking.rank(out, classes, top_scores)

    def evaluate(self, W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int) -> tuple[float, int]:
        """Objective, and the number of samples whose largest score is their class's."""
        rows = np.arange(len(problem.y))
        with self._work(W, b, problem.samples, len(rows), n_threads) as work:
            found = work.team.map(lambda block: self._block(work, problem, block, len(rows), False), work.blocks(rows))
        value = sum(block.loss for block in found)
        return value + reference.penalty(W, b, problem), sum(block.correct for block in found)

    def gradient(
        self, W: np.ndarray, b: np.ndarray | None, problem: Problem, dW: np.ndarray, db: np.ndarray | None, n_threads: int
    ) -> float:
        """Objective; fills its gradient on ``W`` and ``b``."""
        out = {name: part.reshape(-1) for name, part in self.network.parameters(dW, db).items()}
        with self._work(W, b, problem.samples, len(problem.y), n_threads) as work:
            found = self._batch(work, problem, np.arange(len(problem.y)))
            self._penalize(work, problem, found.gradients)
        for name, part in out.items():
            part[...] = np.nan if found.gradients is None else found.gradients[name]
        return found.loss + reference.penalty(W, b, problem)

    def epoch(
        self,
        W: np.ndarray,
        b: np.ndarray | None,
        slots_W: tuple[np.ndarray, ...],
        slots_b: tuple[np.ndarray, ...],
        problem: Problem,
        order: np.ndarray,
        batch_size: int,
        rule: str,
        coefficients: np.ndarray,
        losses: np.ndarray,
        n_threads: int,
    ) -> tuple[int, int]:
        """The updates of one epoch, one after the other."""
        network, correct = self.network, 0
        slots = [network.parameters(slot, None) for slot in slots_W]
        slots_of_b = [network.parameters(W, slot) for slot in slots_b]
        for slot, intercepts in zip(slots, slots_of_b, strict=b is not None):
            slot |= {name: part for name, part in intercepts.items() if name[0] == "b"}
        states = [{name: part.reshape(-1) for name, part in slot.items()} for slot in slots]
        tables = {"W": coefficients, "b": without_decay(rule, coefficients)}
        with self._work(W, b, problem.samples, batch_size, n_threads) as work:
            for update in range(len(losses)):
                found = self._batch(work, problem, order[update * batch_size : (update + 1) * batch_size])
                losses[update] = found.loss + self._penalize(work, problem, found.gradients)
                correct += found.correct
                if found.gradients is None or not np.isfinite(losses[update]):
                    return update + 1, correct
                dx = found.gradients

                def step(piece: tuple[str, slice], update: int = update, dx: Arrays = dx) -> None:
                    name, s = piece
                    state = tuple(slot[name][s] for slot in states)
                    self.backend.step(rule, tables[name[0]][update], work.flat[name][s], dx[name][s], state, 1)

                work.team.map(step, work.pieces)
        return len(losses), correct

    @contextmanager
    def _work(self, W: np.ndarray, b: np.ndarray | None, samples: Samples, batch_size: int, n_threads: int) -> Iterator[Work]:
        with team_of(n_threads, batch_size * W.size) as team:
            numbers = -(-samples.X.size // samples.n_rows)  # of a sample: of a CSR array, size is the number of non-zeros
            width = max(numbers, *(outputs for outputs, _ in self.network.layers))
            yield Work(team, self.network.parameters(W, b), samples, rows_per_block(batch_size, W.size, width))

    def _batch(self, work: Work, problem: Problem, rows: np.ndarray) -> Block:
        """Mean loss of these samples, how many are right, and the gradient. It is ``None`` where the loss is not finite."""
        loss, correct, total = 0.0, 0, None
        blocks = work.blocks(rows)
        for first in range(0, len(blocks), work.team.size):  # no more gradients at a time than there are threads
            group = blocks[first : first + work.team.size]
            for block in work.team.map(lambda block: self._block(work, problem, block, len(rows), True), group):
                loss, correct = loss + block.loss, correct + block.correct
                if block.gradients is None:
                    return Block(loss, correct, None)
                total = block.gradients if total is None else self._add(work, total, block.gradients)
        return Block(loss, correct, total)

    def _block(self, work: Work, problem: Problem, rows: np.ndarray, batch_size: int, differentiate: bool) -> Block:
        """The part of a batch's loss and gradient that one thread computes."""
        parts: dict[str, Any] = work.parts
        if differentiate:
            parts = {name: ag.variable(part, name) for name, part in parts.items()}
        y, share = problem.y[rows], len(rows) / batch_size
        weight = None if problem.sample_weight is None else problem.sample_weight[rows]
        with work.reading() as reader:
            scores = self.network.forward(reader.read(rows), parts)
            dscores = np.empty_like(scores.value) if differentiate else None
            loss = share * self.backend.score_loss(scores.value, y, problem.loss, weight, dscores, 1)
            correct = int(np.count_nonzero(scores.value.argmax(axis=1) == y))
            if dscores is None or not np.isfinite(loss):
                return Block(loss, correct, None)
            scores.backward(dscores if share == 1.0 else dscores * share)
        return Block(loss, correct, {name: part.grad.reshape(-1) for name, part in parts.items()})

    def _add(self, work: Work, total: Arrays, gradients: Arrays) -> Arrays:
        def add(piece: tuple[str, slice]) -> None:
            name, s = piece
            total[name][s] += gradients[name][s]

        work.team.map(add, work.pieces)
        return total

    def _penalize(self, work: Work, problem: Problem, gradients: Arrays | None) -> float:
        """The penalty; its gradient is added to the gradients."""
        if gradients is None:
            return 0.0
        alphas = {"W": problem.alpha, "b": problem.alpha_intercept}

        def penalize(piece: tuple[str, slice]) -> float:
            name, s = piece
            x, alpha = work.flat[name][s], alphas[name[0]]
            # dW + alpha W in one pass: a step of gradient descent on dW, of rate −alpha, down the "gradient" W.
            ascend = np.array([-alpha if column == "learning_rate" else 0.0 for column in COEFFICIENTS])
            self.backend.step("sgd", ascend, gradients[name][s], x, (), 1)
            return 0.5 * alpha * float(np.vecdot(x, x))

        return sum(work.team.map(penalize, [piece for piece in work.pieces if alphas[piece[0][0]] > 0]))


class Work:
    """What the blocks of a call share: threads, parameters by name, and readers, one per thread."""

    def __init__(self, team: Team, parts: Arrays, samples: Samples, rows: int) -> None:
        self.team, self.parts, self._rows = team, parts, rows
        self.flat = {name: part.reshape(-1) for name, part in parts.items()}
        self.pieces = [
            (name, slice(first, first + PIECE)) for name, part in self.flat.items() for first in range(0, part.size, PIECE)
        ]
        self._readers: SimpleQueue[Reader] = SimpleQueue()
        for _ in range(team.size):
            self._readers.put(Reader(samples, next(iter(parts.values())).dtype, rows))

    def blocks(self, rows: np.ndarray) -> list[np.ndarray]:
        """The rows of a batch in blocks."""
        return [rows[first : first + self._rows] for first in range(0, len(rows), self._rows)]

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A reader of the calling thread's own, for a while."""
        reader = self._readers.get()
        try:
            yield reader
        finally:
            self._readers.put(reader)
