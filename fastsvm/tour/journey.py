"""The journey of the lectures, chapter by chapter, on a data set."""

from __future__ import annotations

import platform
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from time import perf_counter
from typing import Any

from fastsvm import __version__, _native, backends, plots
from fastsvm.datasets import Dataset
from fastsvm.sparse import is_sparse
from fastsvm.tour.context import MOST_NUMBERS, Context, Plan, plan_for, thinned
from fastsvm.tour.story import Chapter, Journey

#: The chapters in order, and the module whose function of that name tells each.
CHAPTERS = {
    "data": "beginning",
    "loss": "beginning",
    "landscape": "landscapes",
    "bowl": "landscapes",
    "random": "searches",
    "local": "searches",
    "gradient": "slopes",
    "analytic": "slopes",
    "steps": "steps",
    "descent": "steps",
    "minibatch": "batches",
    "sgd": "batches",
    "rates": "learning",
    "rules": "learning",
    "tuning": "choosing",
    "templates": "choosing",
    "backprop": "circuits",
    "network": "networks",
    "summary": "ending",
}

#: Called before each chapter with its place from 1, the number of chapters and its key.
Progress = Callable[[int, int, str], Any]


def travel(
    dataset: Dataset,
    *,
    source: str,
    language: str,
    seed: int = 0,
    plan: Plan | None = None,
    progress: Progress | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Journey:
    """Run all chapters on a data set, which must have a test part or enough samples to split one off.

    The same seed and machine give the same journey, but for what the clock says.
    """
    start = perf_counter()
    made_dense, dataset = is_sparse(dataset.X), _as_dense(dataset, source)
    if not (dataset.X.max(axis=0) > dataset.X.min(axis=0)).any():
        raise ValueError(f"data must have a feature that varies; all training samples of {source!r} are the same")
    whole, dataset = dataset.split(seed=seed), thinned(dataset, seed)
    options: dict[str, Any] = {"backend": backends.use(backend), "n_threads": backends.resolve_threads(n_threads)}
    journey = Journey(facts=_facts(dataset, seed, options))
    plan = plan_for(dataset) if plan is None else plan
    untouched = (len(whole.y), whole.X.dtype) == (len(dataset.y), dataset.X.dtype)
    context = Context(dataset, source, language, plan, seed, options, journey, untouched, made_dense)
    with plots.language(language), _interruptions() as raise_if_interrupted:
        for place, (key, module) in enumerate(CHAPTERS.items(), start=1):
            if progress is not None:
                progress(place, len(CHAPTERS), key)
            begin = perf_counter()
            chapter = Chapter(key)
            getattr(import_module(f"fastsvm.tour.{module}"), key)(context, chapter)
            chapter.seconds = perf_counter() - begin
            journey.chapters.append(chapter)
            raise_if_interrupted()
    journey.seconds = perf_counter() - start
    return journey


def _as_dense(dataset: Dataset, source: str) -> Dataset:
    """The data set with dense samples, provided that they are few enough."""
    rows = len(dataset.y) + (0 if dataset.y_test is None else len(dataset.y_test))
    if is_sparse(dataset.X) and rows * dataset.n_features > MOST_NUMBERS:
        raise ValueError(
            f"data must be dense for a tour, which centres samples, or sparse with at most {MOST_NUMBERS:,} numbers, zeros "
            f"counted; {source!r} has {rows:,} x {dataset.n_features:,}"
        )
    return dataset.to_dense()


@contextmanager
def _interruptions() -> Iterator[Callable[[], None]]:
    """A function that raises ``KeyboardInterrupt`` if Ctrl-C was pressed, also where a training held it back to end in order.

    Python writes the number of every signal to a socket, whatever handles it; in the main thread only.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)

        def raise_if_interrupted() -> None:
            try:
                pressed = signal.SIGINT in ours.recv(4096)
            except BlockingIOError:
                pressed = False
            if pressed:
                raise KeyboardInterrupt

        try:
            previous = signal.set_wakeup_fd(theirs.fileno())
        except ValueError:  # another thread than the main one
            yield lambda: None
            return
        try:
            yield raise_if_interrupted
        finally:
            signal.set_wakeup_fd(previous)


def _facts(dataset: Dataset, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """What a reader must know to believe the numbers."""
    return {
        "data": dataset.name,
        "samples": len(dataset.y),
        "test_samples": 0 if dataset.y_test is None else len(dataset.y_test),
        "features": dataset.n_features,
        "classes": dataset.n_classes,
        "seed": seed,
        "version": __version__,
        "backend": options["backend"],
        "threads": options["n_threads"],
        "simd": _native.simd_level(),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
