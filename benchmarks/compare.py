"""fastsvm beside its peers and the machine's limit, measured in one run.

    python benchmarks/compare.py                    # 50,000 × 3,072 × 10, about three minutes, 8 GB of memory
    python benchmarks/compare.py --quick            # small, only to see that everything works

Every contender computes the same two things (`peers` states them): the loss and gradient of all samples, and an epoch of
minibatches of 256 with momentum. Each runs in a process of its own, with as many threads as there are cores; its results are
compared with NumPy's in float64 before it is timed. The contenders take turns: in a round each makes one call that is not
counted and then a few that are, whose median is the round's figure; the table holds the median over the rounds.
fastsvm's uint8 rows work on the pixels and standardise as they read, where the peers hold the standardised float32 matrix.

Exit code 0: all results are right, and native is ahead of the fastest peer in both (not asked for with ``--quick`` or without
peers). 1: it is not. 2: a contender failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from contenders import CONTENDERS, DEFAULT_PEERS
from peers import ORDER_SEED, Numpy, Problem
from suites.synthetic import N_CLASSES, N_FEATURES, images, relative_error
from workers import Worker, WorkerError

#: float32 against float64. A margin whose sign differs between the two moves the gradient by one sample's share.
TOLERANCE = {"full_pass": 1e-4, "epoch": 1e-3}
TASKS = tuple(TOLERANCE)

#: The thread pool of the contender before may spin after its last call, OpenBLAS's for a tenth of a second.
PAUSE = 0.2

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "FASTSVM_NUM_THREADS")

console = Console(width=110, highlight=False)


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed" if find_spec(package) is None else "of unknown version"


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine(n_threads: int, keys: list[str]) -> dict[str, Any]:
    """What the figures were measured on."""
    packages = sorted({CONTENDERS[key].package for key in keys} | {"fastsvm", "numpy"})
    return {
        "cpu": cpu_model(),
        "cores": n_threads,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {package: version_of(package) for package in packages},
    }


def make_problem(rows: int, folder: Path) -> dict[str, tuple[Any, ...]]:
    """Write a problem into ``folder`` and return what its tasks should give, from NumPy in float64."""
    order = np.random.default_rng(ORDER_SEED).permutation(rows)
    problem = Problem(*images(rows), order)
    problem.save(folder)
    exact = Numpy(problem._replace(**{name: getattr(problem, name).astype(np.float64) for name in ("X", "W", "b")}), 1)
    return {"full_pass": exact.full_pass(), "epoch": moved(exact.epoch(), problem.W, problem.b)}


def moved(result: tuple[Any, ...], W: np.ndarray, b: np.ndarray) -> tuple[Any, ...]:
    """The result of an epoch with the way the weights have gone in place of where they are."""
    return result[0], result[1] - W, result[2] - b


def check(worker: Worker, expected: dict[str, tuple[Any, ...]], folder: Path) -> dict[str, float]:
    """Relative error of each task's result, the largest over its parts; raises where it is too large."""
    contender = CONTENDERS[worker.key]
    if contender.group == "limit":
        name = "pixels" if contender.storage == "uint8" else "X"
        largest = np.load(folder / f"{name}.npy", mmap_mode="r").max()
        if worker.results["full_pass"][0] != largest:
            raise WorkerError(f"{worker.key}: found {worker.results['full_pass'][0]} and should have found {largest}")
        return {}
    errors = {}
    results = dict(worker.results)
    results["epoch"] = moved(results["epoch"], np.load(folder / "W.npy"), np.load(folder / "b.npy"))
    for task in contender.tasks:
        parts = zip(results[task], expected[task], strict=True)
        errors[task] = float(np.max([relative_error(value, reference) for value, reference in parts]))
        if not errors[task] <= TOLERANCE[task]:
            raise WorkerError(f"{worker.key}: {task} has relative error {errors[task]:.1e}, allowed {TOLERANCE[task]:.0e}")
    return errors


def measure(workers: list[Worker], rounds: int, calls: int) -> dict[str, dict[str, list[list[float]]]]:
    """Seconds of every call: contender → task → round. The contender that begins moves on by one from round to round."""
    seconds: dict[str, dict[str, list[list[float]]]] = {w.key: {t: [] for t in CONTENDERS[w.key].tasks} for w in workers}
    with console.status("measuring") as status:
        for number in range(rounds):
            first = number % len(workers)
            for worker in workers[first:] + workers[:first]:
                status.update(f"round {number + 1} of {rounds}: {worker.key}")
                for task in CONTENDERS[worker.key].tasks:
                    time.sleep(PAUSE)
                    seconds[worker.key][task].append(worker.time(task, calls))
    return seconds


def summarise(seconds: dict[str, dict[str, list[list[float]]]]) -> dict[str, dict[str, float]]:
    """Milliseconds: contender → task, the median over the rounds of each round's median."""
    return {
        key: {task: 1e3 * float(np.median([np.median(calls) for calls in rounds])) for task, rounds in tasks.items()}
        for key, tasks in seconds.items()
    }


def fastest_peer(milliseconds: dict[str, dict[str, float]], task: str) -> str | None:
    peers = [key for key in milliseconds if CONTENDERS[key].group == "peer"]
    return min(peers, key=lambda key: milliseconds[key][task], default=None)


def table(milliseconds: dict[str, dict[str, float]], errors: dict[str, dict[str, float]], title: str) -> Table:
    """One row per contender. "× peer" is how many times faster than the fastest peer, "× read" how many times as long as
    reading the same samples once.
    """
    result = Table(title=title, title_justify="left")
    result.add_column("contender")
    result.add_column("samples")
    for heading in ("full pass", "× peer", "× read", "error", "epoch", "× peer", "error"):
        result.add_column(heading, justify="right", no_wrap=True)
    fastest = {task: fastest_peer(milliseconds, task) for task in TASKS}
    group = None
    for key, times in milliseconds.items():
        contender = CONTENDERS[key]
        if group not in (None, contender.group):
            result.add_section()
        group = contender.group
        cells: dict[str, list[str]] = {}
        for task in TASKS:
            if task not in times:
                cells[task] = [""] * 3
                continue
            best = fastest[task]
            ahead = f"{milliseconds[best][task] / times[task]:.2f}" if best and group != "limit" else ""
            error = f"{errors[key][task]:.0e}" if task in errors[key] else ""
            cells[task] = [f"{times[task]:.1f} ms", ahead, error]
        read = milliseconds.get("read-uint8" if contender.storage == "uint8" else "read", {}).get("full_pass")
        beside_read = f"{times['full_pass'] / read:.2f}" if read and group != "limit" else ""
        cells["full_pass"].insert(2, beside_read)
        result.add_row(contender.label, contender.storage, *cells["full_pass"], *cells["epoch"])
    return result


def verdict(milliseconds: dict[str, dict[str, float]]) -> list[str]:
    """A sentence per task in which native is not ahead of the fastest peer."""
    behind = []
    for task in TASKS:
        best = fastest_peer(milliseconds, task)
        if best is None or "native" not in milliseconds:
            continue
        ours, theirs = milliseconds["native"][task], milliseconds[best][task]
        if not ours < theirs:
            behind.append(f"{task.replace('_', ' ')}: native takes {ours:.1f} ms, {best} {theirs:.1f} ms")
    return behind


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=None, help="samples (50000; with --quick 2000)")
    parser.add_argument("--rounds", type=int, default=None, help="turns of each contender (9; with --quick 2)")
    parser.add_argument("--calls", type=int, default=3, help="calls that count, per turn and task (3)")
    parser.add_argument("--quick", action="store_true", help="few rows and rounds; the order of the contenders is not judged")
    known = ", ".join(key for key, contender in CONTENDERS.items() if contender.group == "peer")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help=f"of {known} (default: {', '.join(DEFAULT_PEERS)})")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these contenders and no others")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE")
    options = parser.parse_args(argv)
    options.rows = options.rows or (2000 if options.quick else 50_000)
    options.rounds = options.rounds or (2 if options.quick else 9)
    if min(options.rows, options.rounds, options.calls) < 1:
        parser.error("--rows, --rounds and --calls must be at least 1")
    peers = DEFAULT_PEERS if options.peers is None else options.peers
    wanted = [k for k, c in CONTENDERS.items() if c.group != "peer" or k in peers] if options.only is None else options.only
    unknown = sorted({*wanted, *peers} - set(CONTENDERS))
    if unknown:
        parser.error(f"no contender is called {', '.join(unknown)}; there are {', '.join(CONTENDERS)}")
    options.contenders = [key for key in CONTENDERS if key in wanted]
    return options


def main(argv: list[str] | None = None) -> int:
    options = parse_arguments(argv)
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(n_threads)
    found = machine(n_threads, options.contenders)
    missing = [key for key in options.contenders if find_spec(CONTENDERS[key].package) is None]
    workers: list[Worker] = []
    errors: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="fastsvm-compare-") as name:
        folder = Path(name)
        try:
            with console.status("drawing samples, computing the float64 reference"):
                expected = make_problem(options.rows, folder)
            for key in (key for key in options.contenders if key not in missing):
                with console.status(f"starting {key}"):
                    workers.append(Worker(key, folder, n_threads))
                errors[key] = check(workers[-1], expected, folder)
            seconds = measure(workers, options.rounds, options.calls)
        except WorkerError as error:
            print(error, file=sys.stderr)
            return 2
        finally:
            for worker in workers:
                worker.close()
    milliseconds = summarise(seconds)
    versions = ", ".join(" ".join(item) for item in found["versions"].items())
    load = "" if found["load"] is None else f"load before the run {found['load']}, "
    console.print(f"{found['cpu']}, {n_threads} cores, {load}{found['system']}, Python {found['python']}; {versions}")
    title = f"{options.rows:,} × {N_FEATURES:,} × {N_CLASSES}, {options.rounds} round{'s' * (options.rounds > 1)}"
    console.print(table(milliseconds, errors, title))
    if missing:
        console.print(f"not installed and left out: {', '.join(missing)}")
    if options.json:
        report = {"machine": found, "rows": options.rows, "seconds": seconds, "milliseconds": milliseconds, "errors": errors}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    behind = [] if options.quick else verdict(milliseconds)
    for sentence in behind:
        print(f"not ahead: {sentence}", file=sys.stderr)
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main())
