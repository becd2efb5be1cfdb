"""One process per contender, so that no thread pool, allocator or compiler disturbs another's, and each can be stopped."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fits import data
from fits.contenders import CONTENDERS
from fits.peers import Fitted
from suites.bench_memory import CLEAR, growth

#: A fit is repeated until this many seconds have been measured, but not more often than that; the median counts.
ENOUGH_SECONDS, MOST_FITS = 2.0, 9

PREPARATION_LIMIT = 300.0


class Outcome(NamedTuple):
    """Of one fit. ``seconds`` of each repetition; ``preparation`` in seconds; ``memory`` in MiB beyond the loaded data, at
    its highest, of preparation and fit, where the system tells and nothing was fitted in the process before.
    """

    fitted: Fitted
    seconds: list[float]
    preparation: float
    memory: float | None


def serve(
    connection: Connection, key: str, folder: Path, part: str, n_threads: int, jobs: list[dict[str, Any]], repeat: bool
) -> None:
    """Load, try a few drawn rows, then fit job after job, announcing each. Whatever libraries print is dropped."""
    silence()
    try:
        contender = CONTENDERS[key]
        samples = data.load(folder, part, contender.form)
        contender.build(data.small(samples), n_threads).fit(**jobs[0])
        preparation, instance = 0.0, None
        for settings in jobs:
            run = partial(first_fit, connection, instance or partial(contender.build, samples, n_threads), settings)
            memory, (built, fitted, took, seconds) = growth(run) if CLEAR.exists() else (None, run())
            beyond = memory / 2**20 if memory is not None and instance is None else None
            preparation, instance, rounds = preparation or took, built, [seconds]
            connection.send(Outcome(fitted, rounds, preparation, beyond))
            while repeat and sum(rounds) < ENOUGH_SECONDS and len(rounds) < MOST_FITS:
                start = time.perf_counter()
                instance.fit(**settings)
                rounds.append(time.perf_counter() - start)
            connection.send(rounds)
    except (EOFError, BrokenPipeError):  # the parent is gone
        pass
    except BaseException as error:
        connection.send(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")


def first_fit(connection: Connection, instance: Any, settings: dict[str, Any]) -> tuple[Any, Fitted, float, float]:
    """The contender, built if it was not, what it fitted, and the seconds of both. Says when it begins to fit."""
    start = time.perf_counter()
    built = instance() if isinstance(instance, partial) else instance
    connection.send(None)
    begin = time.perf_counter()
    fitted = built.fit(**settings)
    return built, fitted, begin - start, time.perf_counter() - begin


def silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)


class FitError(RuntimeError):
    """A contender failed; the message is its error and traceback."""


class OverLimit(Exception):
    """A fit was not done in the time given."""


def fits(
    key: str, folder: Path, part: str, n_threads: int, jobs: list[dict[str, Any]], limit: float, repeat: bool = True
) -> Iterator[Outcome]:
    """The outcome of each job. ``OverLimit`` and ``FitError`` end the process, and the iteration."""
    context = multiprocessing.get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, key, folder, part, n_threads, jobs, repeat), daemon=True)
    process.start()
    theirs.close()
    try:
        for _ in jobs:
            _receive(connection, process, PREPARATION_LIMIT)
            outcome = _receive(connection, process, limit)
            rounds = _receive(connection, process, limit + ENOUGH_SECONDS)
            if outcome.seconds[0] > limit:
                raise OverLimit
            yield outcome._replace(seconds=rounds)
    finally:
        with contextlib.suppress(OSError):
            connection.close()
        process.kill()
        process.join()


def _receive(connection: Connection, process: Any, limit: float) -> Any:
    if not connection.poll(limit):
        raise OverLimit
    try:
        answer = connection.recv()
    except EOFError:
        process.join()
        raise FitError(f"its process ended with exit code {process.exitcode}") from None
    if isinstance(answer, str):
        raise FitError(answer)
    return answer


def median(seconds: list[float]) -> float:
    return float(np.median(seconds))
