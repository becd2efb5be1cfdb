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

from works import SCENES, Work

SETUP_TIMEOUT = 600.0
RUN_TIMEOUT = 300.0


def outcome(instance: Any, task: str) -> tuple[np.ndarray, ...]:
    """What a task gives, the first time it is done, in float64."""
    for _ in range(getattr(instance, "checked_calls", 1)):
        result = getattr(instance, task)()
    if hasattr(instance, "outcome"):
        result = instance.outcome()
    return tuple(np.array(part, dtype=np.float64) for part in result)


def timings(instance: Any, work: Work) -> list[float]:
    """Seconds of a call, for each sample of one turn. The first calls wake the thread pool and fill the caches."""
    run, scale = getattr(instance, work.task), getattr(instance, "scale", 1.0)
    gc.collect()
    seconds = []
    for _ in range(work.warm_up + work.samples):
        start = time.perf_counter()
        for _ in range(work.calls):
            run()
        seconds.append((time.perf_counter() - start) * scale / work.calls)
    return seconds[work.warm_up :]


def serve(connection: Connection, scene: str, key: str, tasks: tuple[str, ...], folder: Path, n_threads: int) -> None:
    """Build the contender, send the outcome of its tasks, then take turns on request until ``None`` arrives."""
    try:
        instance = SCENES[scene].contenders[key].build(folder, n_threads)
        connection.send({task: outcome(instance, task) for task in tasks})
        while (work := connection.recv()) is not None:
            connection.send(timings(instance, work))
    except EOFError:  # the parent is gone
        pass
    except BaseException as error:
        connection.send(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")


class WorkerError(RuntimeError):
    """A contender failed; the message is its error and traceback."""


class Worker:
    """The parent's end of a contender's process. ``results`` holds the outcome of each of its tasks."""

    def __init__(self, scene: str, key: str, tasks: tuple[str, ...], folder: Path, n_threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.key = key
        self._connection, theirs = context.Pipe()
        arguments = (theirs, scene, key, tasks, folder, n_threads)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.results: dict[str, tuple[np.ndarray, ...]] = self._receive(SETUP_TIMEOUT)
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

    def take_turn(self, work: Work) -> list[float]:
        """Seconds of a call, for each sample of the turn."""
        self._connection.send(work)
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
