"""One process per contender, so that no thread pool, allocator or compiler disturbs another's."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from contenders import CONTENDERS
from peers import Problem, Result

SETUP_TIMEOUT = 600.0
RUN_TIMEOUT = 300.0


def _arrays(result: Result) -> tuple[np.ndarray | None, ...]:
    return tuple(None if part is None else np.array(part, dtype=np.float64) for part in result)


def serve(connection: Connection, key: str, folder: Path, n_threads: int) -> None:
    """Build the contender, send its results, then time tasks on request until ``None`` arrives."""
    try:
        contender = CONTENDERS[key]
        instance = contender.build(Problem.load(folder, contender.unused), n_threads)
        connection.send({task: _arrays(getattr(instance, task)()) for task in contender.tasks})
        while (request := connection.recv()) is not None:
            task, calls = request
            run = getattr(instance, task)
            gc.collect()
            run()  # wakes the thread pool and brings back what fits in cache
            seconds = []
            for _ in range(calls):
                start = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - start)
            connection.send(seconds)
    except EOFError:  # the parent is gone
        pass
    except BaseException as error:
        connection.send(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")


class WorkerError(RuntimeError):
    """A contender failed; the message is its error and traceback."""


class Worker:
    """The parent's end of a contender's process. ``results`` holds what its tasks returned, as float64 arrays."""

    def __init__(self, key: str, folder: Path, n_threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.key = key
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, key, folder, n_threads), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.results: dict[str, tuple[Any, ...]] = self._receive(SETUP_TIMEOUT)
        except BaseException:
            self.close()
            raise

    def _receive(self, timeout: float) -> Any:
        if not self._connection.poll(timeout):
            self._process.kill()
            raise WorkerError(f"{self.key}: no answer within {timeout:g} s")
        try:
            answer = self._connection.recv()
        except EOFError:
            self._process.join()
            raise WorkerError(f"{self.key}: its process ended with exit code {self._process.exitcode}") from None
        if isinstance(answer, str):
            raise WorkerError(f"{self.key}: {answer}")
        return answer

    def time(self, task: str, calls: int) -> list[float]:
        """Seconds of each of ``calls`` calls, made in a row after one that is not counted."""
        self._connection.send((task, calls))
        return self._receive(RUN_TIMEOUT)

    def close(self) -> None:
        """End the process."""
        if self._process.is_alive():
            with contextlib.suppress(OSError):
                self._connection.send(None)
            self._process.join(10)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._connection.close()
