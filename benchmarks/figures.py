"""The figures compare.py judges, and the tables it prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from limits import SIDE
from works import SCENES, WORKS, Contender

#: Work → contender → round → seconds of a call, one for each sample of the turn.
Seconds = dict[str, dict[str, list[list[float]]]]


def median(turns: list[list[float]]) -> float:
    """Median over the rounds of each round's median."""
    return float(np.median([np.median(turn) for turn in turns]))


class Measured(NamedTuple):
    """``medians`` in seconds, work → contender; ``sizes`` of the works, samples or parameters; ``memory`` in MiB by storage."""

    medians: dict[str, dict[str, float]]
    sizes: dict[str, int]
    memory: dict[str, float]


class Figure(NamedTuple):
    """``work`` is what must be done for it. ``value`` returns a number and what it comes from, and raises ``KeyError`` where
    a contender is missing.
    """

    name: str
    work: str
    value: Callable[[Measured], tuple[float, str]]
    unit: str = "×"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}"
        return "" if self.at_most is None else f"≤ {self.at_most:g} {self.unit}"

    def judge(self, number: float | None) -> bool | None:
        """Whether the target is met; ``None`` where there is none."""
        if self.at_least is not None:
            return number is not None and number >= self.at_least
        if self.at_most is not None:
            return number is not None and number <= self.at_most
        return None


def contender(work: str, key: str) -> Contender:
    return SCENES[WORKS[work].scene].contenders[key]


def fastest_peer(work: str, times: dict[str, float]) -> str | None:
    return min((key for key in times if contender(work, key).group == "peer"), key=times.__getitem__, default=None)


def duration(seconds: float) -> str:
    unit, size = next((unit, size) for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 0)) if seconds >= size)
    value = seconds / (size or 1e-9)
    return f"{value:.{max(0, 2 - int(np.log10(value)))}f} {unit}"


def against_peers(work: str, ours: str) -> Callable[[Measured], tuple[float, str]]:
    """How many times as fast as the fastest peer."""

    def value(found: Measured) -> tuple[float, str]:
        times = found.medians[work]
        best = fastest_peer(work, times)
        if best is None:
            raise KeyError("no peer")
        return times[best] / times[ours], f"{duration(times[ours])}; {contender(work, best).label} {duration(times[best])}"

    return value


def ratio(work: str, above: str, below: str) -> Callable[[Measured], tuple[float, str]]:
    """The time of one contender over that of another."""

    def value(found: Measured) -> tuple[float, str]:
        first, second = found.medians[work][above], found.medians[work][below]
        return first / second, f"{duration(first)} and {duration(second)}"

    return value


def seconds(work: str, key: str) -> Callable[[Measured], tuple[float, str]]:
    return lambda found: (found.medians[work][key], "")


def memory(storage: str) -> Callable[[Measured], tuple[float, str]]:
    return lambda found: (found.memory[storage], "native, in a fresh process")


def read_speed(key: str, row_bytes: int) -> Callable[[Measured], tuple[float, str]]:
    return lambda found: (found.sizes["pass"] * row_bytes / found.medians["pass"][key] / 1e9, "all cores")


def product_speed(key: str) -> Callable[[Measured], tuple[float, str]]:
    """The practical peak of multiply-add, two operations each."""
    operations = 4 * 768 * 1000
    return lambda found: (
        found.sizes["classes"] * operations / found.medians["classes"][key] / 1e9, f"{SIDE} × {SIDE} matrices",
    )  # fmt: skip


FIGURES = (
    Figure("full pass, float32, against the fastest peer", "pass", against_peers("pass", "native"), at_least=2.5),
    Figure("the same, against one read of X", "pass", ratio("pass", "native", "read"), at_most=1.6),
    Figure("full pass, uint8, against the fastest peer", "pass", against_peers("pass", "native-uint8"), at_least=10),
    Figure("epoch, float32, against the fastest peer", "epoch", against_peers("epoch", "native"), at_least=2.5),
    Figure("epoch, uint8, against the fastest peer", "epoch", against_peers("epoch", "native-uint8"), at_least=7),
    Figure("full pass, 1,000 classes, against the fastest peer", "classes", against_peers("classes", "native"), at_least=1.3),
    Figure("full pass, float16 against float32", "pass", ratio("pass", "native", "native-float16"), at_least=1.4),
    Figure("Adam step, 30,730 parameters, against PyTorch", "adam", against_peers("adam", "native"), at_least=8),
    Figure("Adam step, 10 million, against PyTorch", "adam-large", against_peers("adam-large", "native"), at_least=1),
    Figure("full pass, float64, against NumPy", "float64", against_peers("float64", "native-float64"), at_least=3),
    Figure("full pass, numba, against the fastest peer", "pass", against_peers("pass", "numba"), at_least=1.5),
    Figure("memory of a full pass beyond X, W and dW", "memory", memory("float32"), "MiB", at_most=16),
    Figure("losses of 1,000 candidates, uint8", "losses", seconds("losses", "native"), "s", at_most=5),
    Figure("random search, 1,000 attempts, uint8", "search", seconds("search", "native"), "s", at_most=8),
    Figure("the same, against PyTorch", "search", against_peers("search", "native"), at_least=2),
    Figure("random local search, 1,000 attempts", "local-search", seconds("local-search", "native"), "s", at_most=8),
    Figure("the same, against PyTorch", "local-search", against_peers("local-search", "native"), at_least=2),
    Figure("full pass, int8, against the fastest peer", "pass", against_peers("pass", "native-int8")),
    Figure("full pass, bfloat16 against float32", "pass", ratio("pass", "native", "native-bfloat16")),
    Figure("full pass, numba on uint8, against the fastest peer", "pass", against_peers("pass", "numba-uint8")),
    Figure("epoch, numba, against the fastest peer", "epoch", against_peers("epoch", "numba")),
    Figure("memory beyond X, W and dW, uint8", "memory", memory("uint8"), "MiB"),
    Figure("limit: reading X, float32", "pass", read_speed("read", 4 * 3072), "GB/s"),
    Figure("limit: reading X, uint8", "pass", read_speed("read-uint8", 3072), "GB/s"),
    Figure("limit: NumPy's sgemm, one core", "classes", product_speed("sgemm-one-core"), "GFLOP/s"),
    Figure("limit: NumPy's sgemm, all cores", "classes", product_speed("sgemm"), "GFLOP/s"),
)


def evaluate(figures: list[Figure], found: Measured, judged: bool) -> list[dict[str, Any]]:
    """A record per figure; ``value`` is ``None`` where it could not be measured, ``met`` where there is nothing to meet."""
    records = []
    for figure in figures:
        try:
            value, note = figure.value(found)
        except KeyError:
            value, note = None, ""
        records.append(
            {
                "name": figure.name, "work": figure.work, "value": value, "unit": figure.unit, "target": figure.target,
                "met": figure.judge(value) if judged else None, "note": note,
            }
        )  # fmt: skip
    return records


def number(record: dict[str, Any]) -> str:
    return "not measured" if record["value"] is None else f"{record['value']:#.3g}".rstrip(".") + f" {record['unit']}"


def summary(records: list[dict[str, Any]], title: str) -> Table:
    """The figures and their targets."""
    result = Table(title=title, title_justify="left")
    result.add_column("work", no_wrap=True)
    for heading in ("target", "measured"):
        result.add_column(heading, justify="right", no_wrap=True)
    result.add_column("")
    result.add_column("from")
    for record, previous in zip(records, [None, *records], strict=False):
        if previous and bool(record["target"]) != bool(previous["target"]):
            result.add_section()
        mark = {True: "met", False: "[bold]short[/bold]", None: ""}[record["met"]]
        result.add_row(record["name"], record["target"], number(record), mark, record["note"])
    return result


def details(work: str, turns: dict[str, list[list[float]]], errors: dict[str, float], title: str) -> Table:
    """One row per contender. "± %" is half the distance between the quartiles of the rounds; "× peer" how many times as fast
    as the fastest peer; "× limit" how many times as long as the limit takes.
    """
    result = Table(title=title, title_justify="left")
    result.add_column("contender")
    result.add_column("samples")
    for heading in ("time", "± %", "× peer", "× limit", "error"):
        result.add_column(heading, justify="right", no_wrap=True)
    times = {key: median(rounds) for key, rounds in turns.items()}
    best, group = fastest_peer(work, times), None
    for key, time in times.items():
        who = contender(work, key)
        if group not in (None, who.group):
            result.add_section()
        group = who.group
        low, high = np.percentile([np.median(turn) for turn in turns[key]], [25, 75])
        ahead = f"{times[best] / time:.2f}" if best and group != "limit" else ""
        limit = f"{time / (times[who.limit[0]] * who.limit[1]):.2f}" if who.limit and who.limit[0] in times else ""
        spread = f"{50 * (high - low) / time:.0f}"
        result.add_row(who.label, who.storage, duration(time), spread, ahead, limit, f"{errors[key]:.0e}")
    return result
