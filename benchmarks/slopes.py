"""How the cost of a full pass grows with samples, features, classes and threads, and what the machine allows.

    python benchmarks/slopes.py --json docs/data/slopes.json    # under four minutes and 2 GB of memory
    python benchmarks/slopes.py --quick                         # seconds, only to see that everything works

A full pass is ``fastsvm.loss_and_gradient`` of the native backend with the Weston-Watkins loss, on float32 samples and on
uint8 samples standardised as they are read. One number of the shape changes, the others stay. All points take turns: in a
round each makes a call that is not counted and then as many as fill some milliseconds; a point is the median of its rounds.
Before that, the result at every number of features and classes is compared with the reference in float64.

The limits. Reading: the largest 8-byte integer of the float32 samples, each thread on its own share. Multiply-add: the peak
of the vector units cannot be had from Python; NumPy's sgemm is the nearest in practice. The nominal peak is the clock that
/proc/cpuinfo names times two fused multiply-adds of all lanes; the clock in use may be another.

Exit code 0: done. 2: a result was wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from compare import BUSY, PAUSE, Others, cpu_model
from limits import SIDE, ReadOnce, factors

STORAGES = ("float32", "uint8")
MEAN, SCALE = 127.5, 74.0  # of bytes drawn at random
LEAST_SECONDS = 5e-3  # as many calls in a row make one reading of the clock
CHECKED_ROWS = 256
TOLERANCE = 1e-3  # a margin whose sign differs from the reference's moves the gradient
LANES = {"baseline": 4, "avx2": 8}  # of float32; 16 at the levels above

console = Console(width=120, highlight=False)


class Shape(NamedTuple):
    n_samples: int
    n_features: int
    n_classes: int
    n_threads: int


class Point(NamedTuple):
    storage: str
    shape: Shape


def steps(cores: int) -> list[int]:
    """Powers of two up to all cores, and these."""
    return sorted({cores} | {1 << k for k in range(cores.bit_length()) if 1 << k <= cores})


def all_shapes(cores: int, quick: bool) -> dict[str, list[Shape]]:
    """What each series goes through."""
    samples = (50, 200, 800) if quick else (500, 1500, 5000, 15_000, 50_000)
    features = (32, 128, 512) if quick else (32, 128, 512, 1536, 4096, 12_288)
    classes = (2, 10, 80) if quick else (2, 5, 10, 20, 40, 80, 160, 320, 640, 1000)
    n_features = 256 if quick else 3072
    return {
        "n_samples": [Shape(n, n_features, 10, cores) for n in samples],
        "n_features": [Shape(200 if quick else 10_000, d, 10, cores) for d in features],
        "n_classes": [Shape(200 if quick else 20_000, 64 if quick else 768, c, cores) for c in classes],
        "n_threads": [Shape(samples[-1], n_features, 10, t) for t in steps(cores)],
    }


class Passes:
    """Full passes of any shape, on views of one buffer of bytes and its values in float32."""

    def __init__(self, shapes: list[Shape]) -> None:
        import fastsvm

        self.library, self.rng = fastsvm, np.random.default_rng(0)
        pixels = np.frombuffer(self.rng.bytes(max(s.n_samples * s.n_features for s in shapes)), dtype=np.uint8)
        X = np.subtract(pixels, MEAN, dtype=np.float32)
        X /= np.float32(SCALE)
        self.buffers: dict[str, np.ndarray] = {"uint8": pixels, "float32": X}
        self.labels = self.rng.integers(0, 1 << 30, max(s.n_samples for s in shapes))
        self.weights: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def arguments(self, point: Point) -> dict[str, Any]:
        n, d, c, n_threads = point.shape
        if (d, c) not in self.weights:  # scores are about one in size
            W, b = self.rng.standard_normal((c, d)) / math.sqrt(d), self.rng.standard_normal(c)
            self.weights[d, c] = W.astype(np.float32), b.astype(np.float32)
        W, b = self.weights[d, c]
        view = self.library.Standardization(np.full(d, MEAN), np.full(d, SCALE), "mean+std")
        return {
            "W": W, "X": self.buffers[point.storage][: n * d].reshape(n, d), "y": self.labels[:n] % c, "b": b, "alpha": 1e-3,
            "standardization": view if point.storage == "uint8" else None, "backend": "native", "n_threads": n_threads,
        }  # fmt: skip

    def check(self, point: Point) -> float:
        """Relative error of the loss and of the gradient as a whole, in the first rows."""
        given = self.arguments(point._replace(shape=point.shape._replace(n_samples=min(CHECKED_ROWS, point.shape.n_samples))))
        loss, dW, _ = self.library.loss_and_gradient(**given)
        wide = {name: given[name].astype(np.float64) for name in ("W", "b")}
        exact, exact_dW, _ = self.library.loss_and_gradient(**{**given, **wide, "backend": "reference"})
        return max(abs(loss - exact) / abs(exact), float(np.linalg.norm(dW - exact_dW) / np.linalg.norm(exact_dW)))

    def sample(self, point: Point) -> float:
        """Seconds of a call, after one that is not counted."""
        given, once = self.arguments(point), self.library.loss_and_gradient
        start = time.perf_counter()
        once(**given)
        middle = time.perf_counter()
        calls = max(1, math.ceil(LEAST_SECONDS / (middle - start)))
        start = time.perf_counter()
        for _ in range(calls):
            once(**given)
        return (time.perf_counter() - start) / calls


def measure(passes: Passes, points: list[Point], cores: int, rounds: int) -> tuple[dict[Point, list[float]], dict[str, float]]:
    """Seconds of the points, and the fastest reading in GB/s by number of threads, all in turn."""
    X = passes.buffers["float32"]
    readers = {n: ReadOnce(X, n) for n in steps(cores)}
    seconds: dict[Point, list[float]] = {point: [] for point in points}
    reading: dict[int, list[float]] = {n: [] for n in readers}
    for number in range(rounds):
        with console.status(f"round {number + 1} of {rounds}"):
            for point, taken in seconds.items():
                taken.append(passes.sample(point))
            for n, reader in readers.items():
                start = time.perf_counter()
                reader.read()
                reading[n].append(time.perf_counter() - start)
    return seconds, {str(n): X.nbytes / float(np.median(taken)) / 1e9 for n, taken in reading.items()}


def measure_sgemm(cores: int, rounds: int) -> dict[str, float]:
    """GFLOP/s by number of threads, a multiply-add being two operations."""
    A, B = factors()
    out, found = np.empty_like(A), {}
    for n in steps(cores):
        taken = []
        with threadpool_limits(n, user_api="blas"):
            for _ in range(rounds + 1):
                start = time.perf_counter()
                np.matmul(A, B, out=out)
                taken.append(time.perf_counter() - start)
        found[str(n)] = 2e-9 * SIDE**3 / float(np.median(taken[1:]))
        time.sleep(PAUSE)
    return found


def nominal(level: str) -> dict[str, float] | None:
    """GFLOP/s of one core by the book: clock × lanes × two multiply-adds of two operations each."""
    try:
        clocks = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        clocks = []
    if not clocks:
        return None
    ghz, lanes = float(clocks[0]) / 1e3, LANES.get(level, 16)
    return {"ghz": ghz, "lanes": lanes, "gflops_per_core": ghz * lanes * 4}


def exponent(values: list[int], seconds: list[float]) -> float | None:
    """Of the power law nearest to the points in logarithms."""
    if len(values) < 2:
        return None
    return float(np.polyfit(np.log(values), np.log(seconds), 1)[0])


def series(vary: str, storage: str, shapes: list[Shape], seconds: dict[Point, list[float]]) -> dict[str, Any]:
    """A series as JSON holds it. ``exponent`` is of all points, ``upper_exponent`` of the upper half,
    which begins at point ``upper_from``."""
    points = []
    for shape in shapes:
        low, middle, high = np.percentile(seconds[Point(storage, shape)], [25, 50, 75])
        points.append(
            {
                vary: getattr(shape, vary), "seconds": middle, "quartiles": [low, high],
                "ns_per_number": middle * 1e9 / (shape.n_samples * shape.n_features),
            }
        )  # fmt: skip
    values, times = [point[vary] for point in points], [point["seconds"] for point in points]
    half = len(points) // 2 if len(points) > 3 else 0
    held = {name: value for name, value in shapes[0]._asdict().items() if name != vary}
    found = {"exponent": exponent(values, times), "upper_exponent": exponent(values[half:], times[half:]), "upper_from": half}
    return {"vary": vary, "storage": storage, "held": held, "points": points, **found}


def rounded(value: Any) -> Any:
    """JSON with four digits to a number."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def table(found: list[dict[str, Any]]) -> Table:
    result = Table("varies", "stored as", "from", "to", "exponent", "upper half", "ns per number, first", "last")
    for one in found:
        ends = [one["points"][k] for k in (0, -1)]
        powers = ["" if one[key] is None else f"{one[key]:.2f}" for key in ("exponent", "upper_exponent")]
        result.add_row(
            one["vary"], one["storage"], *(f"{end[one['vary']]:,}" for end in ends), *powers,
            *(f"{end['ns_per_number']:.3g}" for end in ends),
        )  # fmt: skip
    return result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=None, help="readings of each point (11; with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="small shapes, to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found to FILE")
    options = parser.parse_args(argv)
    rounds = options.rounds or (3 if options.quick else 11)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    import fastsvm
    from fastsvm import _native

    others, began = Others(), time.perf_counter()
    chosen = all_shapes(cores, options.quick)
    points = [Point(storage, shape) for storage in STORAGES for shapes in chosen.values() for shape in shapes]
    passes = Passes([point.shape for point in points])
    for point in points:
        error = passes.check(point)
        if not error <= TOLERANCE:
            print(f"{point}: relative error {error:.1e}, allowed {TOLERANCE:.0e}", file=sys.stderr)
            return 2
    seconds, reading = measure(passes, points, cores, rounds)
    sgemm = measure_sgemm(cores, 3 if options.quick else 7)
    elapsed = time.perf_counter() - began
    busy = others.cores(elapsed)
    level = _native.simd_level()
    found = {
        "machine": {
            "cpu": cpu_model(), "cores": cores, "simd_level": level, "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(), "numpy": np.__version__, "fastsvm": fastsvm.__version__,
            "seconds": elapsed, "cores_used_by_others": busy,
        },
        "quick": options.quick,
        "rounds": rounds,
        "limits": {"read_gb_per_s": reading, "sgemm_gflops": sgemm, "nominal": nominal(level)},
        "series": [series(vary, storage, some, seconds) for vary, some in chosen.items() for storage in STORAGES],
    }  # fmt: skip
    console.print(table(found["series"]))
    console.print(f"reading, GB/s: {rounded(reading)}; sgemm, GFLOP/s: {rounded(sgemm)}; nominal: {rounded(nominal(level))}")
    console.print(f"took {elapsed:.0f} s; other programs kept {busy or 0:.2f} cores busy meanwhile")
    if (busy or 0) > BUSY and not options.quick:
        console.print("[bold]the machine was not quiet: these figures mean little[/bold]")
    if options.json:
        options.json.write_text(json.dumps(rounded(found), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
