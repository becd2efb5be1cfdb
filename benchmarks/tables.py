"""How far each kernel of compare.py is from what the machine allows, and the tables of docs/performance.md.

A full pass has two limits: reading the samples once at the speed of memory, and its multiply-adds at the speed of the vector
units. The larger counts. Both are taken from the same run of compare.py: the contenders that only read, and NumPy's sgemm,
the nearest in practice to the peak of float32. float64 is given half that rate, integer products the multiple that their
instruction does in place of a float32 multiply-add.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from figures import duration
from problems import STORAGES
from suites.synthetic import N_CLASSES, N_FEATURES
from works import SCENES, WORKS

#: Products of bytes in the time of one of float32, where the level has integer products: vpdpbusd, a tile of AMX.
INTEGER_RATE = {"vnni": 4, "amx": 32}

MANY_CLASSES = (768, 1000)  # features and classes of the work "classes"
SAMPLES_PER_CANDIDATE, MAX_CANDIDATES = 50, 1000


class Kernel(NamedTuple):
    label: str
    work: str
    key: str


KERNELS = (
    Kernel("full pass", "pass", "native"),
    Kernel("full pass", "pass", "native-uint8"),
    Kernel("full pass", "pass", "native-int8"),
    Kernel("full pass", "pass", "native-float16"),
    Kernel("full pass", "pass", "native-bfloat16"),
    Kernel("full pass", "float64", "native-float64"),
    Kernel("full pass, 1,000 classes", "classes", "native"),
    Kernel("epoch of minibatches", "epoch", "native"),
    Kernel("epoch of minibatches", "epoch", "native-uint8"),
    Kernel("losses of many candidates", "losses", "native"),
    Kernel("Adam, 10 million parameters", "adam-large", "native"),
    Kernel("full pass, numba", "pass", "numba"),
    Kernel("full pass, numba", "pass", "numba-uint8"),
    Kernel("epoch of minibatches, numba", "epoch", "numba"),
)


class Nearness(NamedTuple):
    """Seconds: what a kernel takes, and what reading and the multiply-adds would, where these were measured."""

    label: str
    storage: str
    seconds: float
    reading: float | None
    products: float | None

    @property
    def limit(self) -> float:
        return max(self.reading or 0, self.products or 0)

    @property
    def times(self) -> float:
        return self.seconds / self.limit


def sgemm_rate(report: dict[str, Any]) -> float | None:
    """Multiply-adds per second of NumPy's sgemm on all cores."""
    work = report["works"].get("classes", {})
    sgemm = work.get("contenders", {}).get("sgemm")
    features, classes = MANY_CLASSES
    return 2 * work["size"] * features * classes / sgemm["median"] if sgemm else None


def multiply_adds(kernel: Kernel, storage: str, size: int, level: str) -> float:
    """As many as sgemm would do in the time, by the counts of the C sources."""
    features, classes = MANY_CLASSES if kernel.work == "classes" else (N_FEATURES, N_CLASSES)
    integers = STORAGES[storage] == 1 and kernel.key.startswith("native") and level in INTEGER_RATE
    if kernel.work == "losses":
        per_number = min(size // SAMPLES_PER_CANDIDATE, MAX_CANDIDATES) * (2 * (classes - 1) if integers else classes)
    else:  # scores and gradient; of bytes two digits of the scores, and the last class is free (exact.c)
        per_number = 3 * (classes - 1) if integers else 2 * classes
    rate = INTEGER_RATE[level] if integers else 0.5 if storage == "float64" else 1.0
    return size * features * per_number / rate


def reading_seconds(report: dict[str, Any], kernel: Kernel) -> float | None:
    """From the contender of its own scene that reads as many bytes, else at the speed of the one beside the full pass."""
    contenders = report["works"][kernel.work]["contenders"]
    limit = contenders[kernel.key]["limit"]
    if limit and limit[0].startswith("read") and limit[0] in contenders:
        return contenders[limit[0]]["median"] * limit[1]
    reference = report["works"].get("pass")
    if reference is None or kernel.work not in ("classes", "losses"):
        return None
    storage = contenders[kernel.key]["storage"]
    read = reference["contenders"].get("read-uint8" if STORAGES[storage] == 1 else "read")
    features = MANY_CLASSES[0] if kernel.work == "classes" else N_FEATURES
    share = report["works"][kernel.work]["size"] * features / (reference["size"] * N_FEATURES)
    return read["median"] * share if read else None


def nearness(report: dict[str, Any]) -> list[Nearness]:
    """Of every kernel that was measured beside a limit."""
    rate, level, found = sgemm_rate(report), report["machine"]["simd_level"], []
    for kernel in KERNELS:
        work = report["works"].get(kernel.work)
        if work is None or kernel.key not in work["contenders"]:
            continue
        one = work["contenders"][kernel.key]
        products = None
        if rate and WORKS[kernel.work].task != "step":
            products = multiply_adds(kernel, one["storage"], work["size"], level) / rate
        entry = Nearness(kernel.label, one["storage"], one["median"], reading_seconds(report, kernel), products)
        found += [entry] if entry.limit else []
    return found


def shortened(report: dict[str, Any]) -> bool:
    """Whether the problems are smaller than compare.py's own."""
    return any(work["size"] < SCENES[WORKS[name].scene].size for name, work in report["works"].items())


def rows(header: tuple[str, ...], aligned: str, body: list[tuple[str, ...]]) -> str:
    """A Markdown table; ``aligned`` has an l or r for each column."""
    marks = tuple("---" if one == "l" else "---:" for one in aligned)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, marks, *body))


def measured_by(command: str, machine: dict[str, Any], small: bool) -> str:
    busy = machine.get("cores_used_by_others")
    others = "" if busy is None else f"; other programs kept {busy:.2f} cores busy"
    warning = " **Of small problems, only to show the form: these figures mean nothing.**" if small else ""
    return (
        f"`python benchmarks/{command}`, {machine['cpu']}, {machine['cores']} cores, SIMD level {machine['simd_level']}, "
        f"{machine['system']}, Python {machine['python']}{others}.{warning}"
    )


def kernel_table(report: dict[str, Any]) -> str:
    body: list[tuple[str, ...]] = []
    for one in nearness(report):
        limits = ["" if value is None else duration(value) for value in (one.reading, one.products)]
        larger = 0 if (one.reading or 0) >= (one.products or 0) else 1
        limits[larger] = f"**{limits[larger]}**"
        body.append((one.label, one.storage, duration(one.seconds), *limits, f"{one.times:.2f}"))
    header = ("kernel", "stored as", "time", "reading", "multiply-adds", "times the larger limit")
    return rows(header, "llrrrr", body) + "\n\n" + measured_by("compare.py", report["machine"], shortened(report))


def limit_table(slopes: dict[str, Any]) -> str:
    limits = slopes["limits"]
    body: list[tuple[str, ...]] = []
    for threads, read in limits["read_gb_per_s"].items():
        nominal = limits["nominal"]
        peak = f"{nominal['gflops_per_core'] * int(threads):.0f}" if nominal else "unknown"
        body.append((threads, f"{read:.1f}", f"{limits['sgemm_gflops'][threads]:.0f}", peak))
    header = ("cores", "reading, GB/s", "NumPy's sgemm, GFLOP/s", "nominal peak, GFLOP/s")
    clock = limits["nominal"] and f" The nominal peak is {limits['nominal']['ghz']:.2f} GHz, as /proc/cpuinfo has it, times two"
    note = f"{clock} multiply-adds of {limits['nominal']['lanes']} lanes; the clock in use may be another." if clock else ""
    return rows(header, "rrrr", body) + "\n\n" + measured_by("slopes.py", slopes["machine"], slopes["quick"]) + note


def slope_table(slopes: dict[str, Any]) -> str:
    body = []
    for one in slopes["series"]:
        held = ", ".join(f"{value:,} {name.removeprefix('n_')}" for name, value in one["held"].items() if name != "n_threads")
        ends = [one["points"][k] for k in (0, -1)]
        powers = ["" if one[key] is None else f"{one[key]:.2f}".replace("-", "−") for key in ("exponent", "upper_exponent")]
        numbers = (f"{end['ns_per_number']:#.3g}" for end in ends)
        values = " to ".join(f"{end[one['vary']]:,}" for end in ends)
        body.append((one["vary"].removeprefix("n_"), one["storage"], values, held, *powers, *numbers))
    header = ("what grows", "stored as", "from", "at", "exponent", "of the upper half", "ns per number, first", "last")
    return rows(header, "llllrrrr", body) + "\n\n" + measured_by("slopes.py", slopes["machine"], slopes["quick"])


def replaced(text: str, tables: dict[str, str]) -> str:
    """``text`` with each table between its markers, ``<!-- table: NAME -->`` and ``<!-- end: NAME -->``."""
    for name, table in tables.items():
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ValueError(f"expected {begin} and {end} exactly once")
        block = f"{begin}\n\n{table}\n\n{end}"
        text = pattern.sub(block.replace("\\", r"\\"), text)
    return text
