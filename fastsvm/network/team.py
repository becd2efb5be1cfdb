"""Threads that share the work of a batch, and the samples as each of them reads them.

The work is split by its shape only, one thread does each part, BLAS included, and what they found is put together in the order
of the parts: so the bits do not depend on how many threads there are. Nor does anybody spin while waiting, as the threads of
BLAS do, which costs more than all the rest where other processes are busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from fastsvm.problem import Samples
from fastsvm.sparse import Rows
from fastsvm.storage import as_numbers

Item = TypeVar("Item")
Found = TypeVar("Found")

#: Below so many multiply-adds of a batch's forward pass a thread costs more than it saves.
SERIAL_PRODUCTS = 20_000_000

#: Numbers of a block of samples, or of its widest layer: at most 16 MiB of float32, but in any case 64 rows.
BLOCK = 1 << 22

#: A batch that is worth threads is split into so many blocks, of so many rows or more.
BLOCKS, LEAST_ROWS = 16, 128


def rows_per_block(n_rows: int, n_weights: int, width: int) -> int:
    """Rows of the blocks of a batch, from its shape alone. ``width`` is that of the widest layer, the samples included."""
    fitting = max(64, BLOCK // width)
    if n_rows * n_weights < SERIAL_PRODUCTS:
        return min(n_rows, fitting)
    return min(n_rows, fitting, max(LEAST_ROWS, -(-n_rows // BLOCKS)))


class Team:
    """Threads that apply functions to lists. With one, the caller does it all."""

    def __init__(self, executor: ThreadPoolExecutor | None, size: int) -> None:
        self.size = size
        self._executor = executor

    def map(self, function: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
        """``function`` of each item, in their order."""

        def work(own: Sequence[Item]) -> list[Found]:
            # Results that are not finite end in a loss of NaN, which is reported. Threads do not inherit NumPy's settings.
            with np.errstate(over="ignore", invalid="ignore"):
                return [function(item) for item in own]

        if self._executor is None or len(items) < 2:
            return work(items)
        shares = [items[first :: self.size] for first in range(min(self.size, len(items)))]
        others = [self._executor.submit(work, share) for share in shares[1:]]
        found: list[Any] = [None] * len(items)
        found[:: self.size] = work(shares[0])
        for first, other in enumerate(others, start=1):
            found[first :: self.size] = other.result()
        return found


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all libraries the process has loaded


@contextmanager
def team_of(n_threads: int, products: int) -> Iterator[Team]:
    """As many threads as so many products are worth. Meanwhile BLAS has one thread per caller, in the whole process."""
    with _libraries().limit(limits=1, user_api="blas"):
        if n_threads == 1 or products < SERIAL_PRODUCTS:
            yield Team(None, 1)
        else:
            with ThreadPoolExecutor(n_threads - 1, thread_name_prefix="fastsvm") as executor:
                yield Team(executor, n_threads)


class Reader:
    """Gives rows of samples as the network sees them, in ``dtype`` and standardised. The next reading overwrites them."""

    def __init__(self, samples: Samples, dtype: np.dtype, rows: int) -> None:
        self.samples, self._dtype = samples, dtype
        if samples.is_sparse:
            return
        self._stored = np.empty((rows, samples.X.shape[1]), samples.X.dtype)
        self._x = np.empty(self._stored.shape, dtype)

    def read(self, rows: np.ndarray) -> Rows:
        """Rows of the samples, no more than the reader was made for. They are CSR where the samples are."""
        samples = self.samples
        if samples.is_sparse:
            taken = samples.X[rows].astype(self._dtype, copy=False)
            if samples.inverse_scale is not None:
                taken.data *= samples.inverse_scale[taken.indices]
            return taken
        # With out and mode="raise" NumPy would copy the rows once more; the rows do exist.
        stored = np.take(samples.X, rows, axis=0, out=self._stored[: len(rows)], mode="clip")
        if samples.mean is None and stored.dtype == self._x.dtype:
            return stored
        x = self._x[: len(rows)]
        np.copyto(x, as_numbers(stored, x.dtype) if samples.storage == "bfloat16" else stored)
        if samples.mean is not None:
            x -= samples.mean
            x *= samples.inverse_scale
        return x
