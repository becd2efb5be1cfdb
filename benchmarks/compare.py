"""fastsvm beside its peers and the machine's limits, measured in one run.

    python benchmarks/compare.py                      # everything: under ten minutes and 8 GB of memory
    python benchmarks/compare.py --only pass epoch    # some of the works
    python benchmarks/compare.py --quick              # small, only to see that everything works

The works (``works.py``) are done one scene after another. In a scene every contender runs in a process of its own, with as many
threads as there are cores; its results are compared with NumPy's in float64 before it is timed. The contenders take turns:
in a round each makes a call that is not counted and then some that are, whose median is the round's figure; the tables hold
the median over the rounds. fastsvm's uint8 and int8 rows work on pixels and standardise as they read, where the peers hold
the standardised float32 matrix. ``figures.py`` holds the targets.

Exit code 0: all results are right and all targets are met (they are not asked for with ``--quick`` or ``--rows``). 1: a target
is not met, or could not be measured. 2: a contender failed. 3: all targets are met, but other programs were busy meanwhile,
which slows down those contenders most whose threads wait for one another.
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

from rich.console import Console

from figures import FIGURES, Measured, Seconds, details, evaluate, median, number, summary
from problems import forget
from suites import bench_memory
from workers import Worker, WorkerError
from works import SCENES, WORKS, Contender

#: The thread pool of the contender before may spin after its last call, OpenBLAS's for a tenth of a second.
PAUSE = 0.2

#: Cores. Threads that wait for one another lose a whole time slice, milliseconds, whenever one of them has to share a core.
BUSY = 0.1

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "FASTSVM_NUM_THREADS")

MEMORY = "memory"
MEMORY_STORAGES = ("float32", "uint8")
ALL_WORKS = (*WORKS, MEMORY)

PEERS = {key: c for scene in SCENES.values() for key, c in scene.contenders.items() if c.group == "peer"}

console = Console(width=132, highlight=False)


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


def machine(n_threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    import fastsvm
    from fastsvm import _native

    packages = sorted({peer.package for peer in PEERS.values()} | {"numba", "numpy"})
    return {
        "cpu": cpu_model(),
        "cores": n_threads,
        "simd_level": _native.simd_level(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {package: version_of(package) for package in packages} | {"fastsvm": fastsvm.__version__},
    }


class Others:
    """How much of the machine other programs have used since this object was made, as far as the system tells."""

    def __init__(self) -> None:
        self.start = self.now()

    @staticmethod
    def now() -> tuple[float, float] | None:
        """Seconds all cores together have been busy; seconds of this process and of those it has waited for."""
        try:
            fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        busy = sum(fields) - fields[3] - fields[4]  # idle, waiting for a disk
        own = os.times()
        return busy / os.sysconf("SC_CLK_TCK"), own.user + own.system + own.children_user + own.children_system

    def cores(self, elapsed: float) -> float | None:
        """Cores others kept busy on average in so many seconds. To be asked when all workers have ended."""
        now = self.now()
        if now is None or self.start is None:
            return None
        return max(0.0, (now[0] - self.start[0]) - (now[1] - self.start[1])) / elapsed


class Run:
    """One run: what was asked for, and what has been found so far."""

    def __init__(self, options: argparse.Namespace, n_threads: int) -> None:
        self.options, self.n_threads = options, n_threads
        self.seconds: Seconds = {}
        self.errors: dict[str, dict[str, float]] = {}
        self.sizes: dict[str, int] = {}
        self.memory: dict[str, float] = {}
        self.failures: list[str] = []
        self.missing: set[str] = set()

    def size(self, scene: str) -> int:
        full, quick = SCENES[scene].size, SCENES[scene].quick_size
        return min(quick if self.options.quick else full, self.options.rows or full)

    def takes_part(self, key: str, contender: Contender) -> bool:
        if contender.group == "peer" and self.options.peers is not None:
            return key in self.options.peers
        return contender.default

    def do_scene(self, name: str) -> None:
        """Start the contenders of a scene, check their results, and time the works wanted of it."""
        works = [work for work in self.options.works if work != MEMORY and WORKS[work].scene == name]
        scene, workers = SCENES[name], []
        wanted = {key: c for key, c in scene.contenders.items() if self.takes_part(key, c)}
        self.missing |= {c.package for c in wanted.values() if find_spec(c.package) is None}
        wanted = {key: c for key, c in wanted.items() if find_spec(c.package) is not None}
        with tempfile.TemporaryDirectory(prefix="fastsvm-compare-") as path:
            folder = Path(path)
            with console.status(f"{name}: drawing samples, computing the float64 reference"):
                scene.draw(folder, self.size(name))
                doing = {key: [work for work in works if WORKS[work].task in c.tasks] for key, c in wanted.items()}
                expected = {
                    (key, work): wanted[key].expected(folder, WORKS[work].task) for key, some in doing.items() for work in some
                }
                forget()
            try:
                for key in (key for key in wanted if doing[key]):
                    with console.status(f"{name}: starting {key}"):
                        worker = self.start(name, key, doing[key], expected, folder)
                    workers += [worker] if worker else []
                for work in works:
                    self.measure(work, [worker for worker in workers if work in doing[worker.key]])
            finally:
                for worker in workers:
                    worker.close()

    def start(self, scene: str, key: str, works: list[str], expected: dict[Any, Any], folder: Path) -> Worker | None:
        """Start a contender and check its results; ``None``, and a failure noted, where it cannot or they are wrong."""
        try:
            worker = Worker(scene, key, tuple(WORKS[work].task for work in works), folder, self.n_threads)
        except WorkerError as failure:
            self.fail(f"{scene}: {failure}")
            return None
        for work in works:
            error = expected[key, work].error(worker.results[WORKS[work].task])
            if not error <= WORKS[work].tolerance:
                self.fail(f"{work}: {key} has relative error {error:.1e}, allowed {WORKS[work].tolerance:.0e}")
                worker.close()
                return None
            self.errors.setdefault(work, {})[key] = error
        return worker

    def fail(self, message: str) -> None:
        self.failures.append(message)
        print(message, file=sys.stderr)

    def measure(self, work: str, workers: list[Worker]) -> None:
        """Let the contenders take turns. The one that begins moves on by one from round to round."""
        turns = self.seconds[work] = {worker.key: [] for worker in workers}
        self.sizes[work] = self.size(WORKS[work].scene)
        with console.status("") as status:
            for number in range(self.options.rounds):
                first = number % max(1, len(workers))
                for worker in workers[first:] + workers[:first]:
                    status.update(f"{work}: round {number + 1} of {self.options.rounds}: {worker.key}")
                    time.sleep(0 if self.options.quick else PAUSE)
                    turns[worker.key].append(worker.take_turn(WORKS[work]))
        shape = SCENES[WORKS[work].scene].shape.format(self.sizes[work])
        console.print(details(work, turns, self.errors.get(work, {}), f"{work}: {WORKS[work].title}, {shape}"))

    def measure_memory(self) -> None:
        for storage in MEMORY_STORAGES:
            try:
                found = bench_memory.measure(storage, "native", self.size("images"))
            except RuntimeError as failure:
                self.fail(f"{MEMORY}: {failure}")
            else:
                self.memory[storage] = found["beyond"] / 2**20

    def report(self, figures: list[dict[str, Any]], found: dict[str, Any]) -> dict[str, Any]:
        """Everything, as JSON can hold it. Times in seconds."""
        works = {}
        for work, turns in self.seconds.items():
            contenders = {}
            for key, rounds in turns.items():
                who = SCENES[WORKS[work].scene].contenders[key]
                contenders[key] = {
                    "label": who.label, "group": who.group, "storage": who.storage, "limit": who.limit,
                    "median": median(rounds), "error": self.errors[work][key], "rounds": rounds,
                }  # fmt: skip
            works[work] = {"title": WORKS[work].title, "size": self.sizes[work], "contenders": contenders}
        return {"machine": found, "works": works, "memory": self.memory, "figures": figures, "failures": self.failures}


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="WORK", help=f"of {', '.join(ALL_WORKS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=None, help="turns of each contender (7; with --quick 1)")
    parser.add_argument("--rows", type=int, default=None, help="at most so many samples or parameters; nothing is judged")
    parser.add_argument("--quick", action="store_true", help="small problems and one round; nothing is judged")
    parser.add_argument(
        "--peers", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)} (default: those that have been fastest)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE")
    options = parser.parse_args(argv)
    options.rounds = (1 if options.quick else 7) if options.rounds is None else options.rounds
    if options.rounds < 1 or (options.rows is not None and options.rows < 1000):
        parser.error("--rounds must be at least 1 and --rows at least 1000")
    for name, given, known in (("work", options.only, ALL_WORKS), ("peer", options.peers, PEERS)):
        unknown = sorted(set(given or ()) - set(known))
        if unknown:
            parser.error(f"no {name} is called {', '.join(unknown)}; there are {', '.join(known)}")
    options.works = [work for work in ALL_WORKS if options.only is None or work in options.only]
    return options


def main(argv: list[str] | None = None) -> int:
    options = parse_arguments(argv)
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(n_threads)
    found = machine(n_threads)
    versions = ", ".join(" ".join(item) for item in found["versions"].items())
    load = "" if found["load"] is None else f"load before the run {found['load']}, "
    console.print(f"{found['cpu']}, {n_threads} cores, {load}{found['system']}, Python {found['python']}; {versions}")

    run, others, began = Run(options, n_threads), Others(), time.perf_counter()
    for scene in dict.fromkeys(WORKS[work].scene for work in options.works if work != MEMORY):
        run.do_scene(scene)
    if MEMORY in options.works:
        run.measure_memory()

    medians = {work: {key: median(rounds) for key, rounds in turns.items()} for work, turns in run.seconds.items()}
    wanted = [figure for figure in FIGURES if figure.work in options.works]
    judged = not (options.quick or options.rows)
    records = evaluate(wanted, Measured(medians, run.sizes, run.memory), judged)
    console.print(
        summary(records, "Figures" if judged else "Figures, of smaller problems than the targets are for: not judged")
    )
    found["seconds"] = time.perf_counter() - began
    found["cores_used_by_others"] = others.cores(found["seconds"])
    busy = found["cores_used_by_others"] or 0.0
    console.print(f"took {found['seconds']:.0f} s; other programs kept {busy:.2f} cores busy meanwhile")
    if busy > BUSY:
        console.print("[bold]the machine was not quiet: these figures mean little, one way or the other[/bold]")
    if run.missing:
        console.print(f"not installed and left out: {', '.join(sorted(run.missing))} (pip install '.[bench]')", markup=False)
    if options.json:
        options.json.write_text(json.dumps(run.report(records, found), indent=1) + "\n")
    short = [record for record in records if record["met"] is False]
    for record in short:
        print(f"short of its target: {record['name']}: {number(record)}, wanted {record['target']}", file=sys.stderr)
    if run.failures or short:
        return 2 if run.failures else 1
    return 3 if judged and busy > BUSY else 0


if __name__ == "__main__":
    sys.exit(main())
