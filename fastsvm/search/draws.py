"""The random numbers of a search, drawn while the attempts before them are scored."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np

Draw = tuple[dict[str, Any], np.ndarray]


class Draws:
    """Standard normal numbers for one group of attempts after the other.

    A group has ``shape`` (attempts, n_classes, columns). Its numbers are those of as many single draws of (n_classes, columns)
    in float32, so that the sizes of groups do not matter. NumPy draws without the GIL: the next group is drawn in a thread.
    """

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> None:
        self._rng = rng
        self._buffers = [np.empty(shape, np.float32) for _ in range(2)]
        self._pool = ThreadPoolExecutor(1, "fastsvm-draws")
        self._next: Future[Draw] | None = None
        self._state = dict(rng.bit_generator.state)

    def __enter__(self) -> Draws:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown()

    def take(self, *, more: bool) -> Draw:
        """The generator's state before a group, and the group, good until the next is taken; ``more`` says if one will be."""
        self._state, normals = (self._next or self._submit()).result()
        self._buffers.reverse()
        self._next = self._submit() if more else None
        return self._state, normals

    def _submit(self) -> Future[Draw]:
        return self._pool.submit(self._draw, self._buffers[0])

    def _draw(self, normals: np.ndarray) -> Draw:
        state = dict(self._rng.bit_generator.state)
        self._rng.standard_normal(out=normals, dtype=np.float32)
        return state, normals

    def rewind(self, attempts: int) -> dict[str, Any]:
        """Leave the generator, and return its state, as it is after so many attempts of the group taken last."""
        if self._next is not None:
            self._next.result()
        self._rng.bit_generator.state = self._state
        self._rng.standard_normal(out=self._buffers[0][:attempts], dtype=np.float32)
        return dict(self._rng.bit_generator.state)
