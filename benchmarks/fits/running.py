"""Doing the scenes of solvers.py: data laid out, C chosen, every fit in a process of its own, its answer evaluated."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

from fits import data, objectives, processes
from fits.contenders import CONTENDERS
from fits.processes import FitError, OverLimit, median
from fits.scenes import SCENES, Entry, Scene, entries

#: What a contender says of its own answer must agree with its evaluation in float64, and no bound may lie above an objective.
AGREEMENT = 1e-5

Record = dict[str, Any]

console = Console(width=168, highlight=False)


def doing(words: str) -> AbstractContextManager[Any]:
    """Say what is being done: for as long as it is, or where nobody watches a terminal with a line of its own."""
    if console.is_terminal:
        return console.status(words)
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)
    return nullcontext()


class Run:
    """One run: what was asked for, and what has been found so far."""

    def __init__(
        self, folder: Path, source: Path | None, n_threads: int, *, limit: float, peers: list[str] | None, quick: bool
    ) -> None:
        self.folder, self.source, self.n_threads = folder, source, n_threads
        self.limit, self.peers, self.quick = limit, peers, quick
        self.records: dict[str, list[Record]] = {}
        self.chosen: dict[str, dict[str, float]] = {}
        self.shapes: dict[str, str] = {}
        self.failures: list[str] = []
        self.absent: set[str] = set()
        self.missing: set[str] = set()
        self.curves: list[dict[str, Any]] = []
        self.optimum: list[dict[str, Any]] = []

    def fail(self, message: str) -> None:
        """Note a failure; of a traceback only the last lines are shown."""
        self.failures.append(message)
        first, *trace = message.rstrip().split("\n")
        print("\n".join([first, *trace[-3:]]), file=sys.stderr)

    def lay(self, name: str) -> Path | None:
        """The folder of a data set, read or drawn the first time; ``None`` where it is not to be had."""
        folder = self.folder / name
        if folder.exists():
            return folder
        if self.quick:
            data.draw(name, folder)
        elif self.source is not None and data.available(name, self.source):
            with doing(f"reading {data.FILES[name][1]}"):
                data.write(name, self.source, folder)
        else:
            self.missing.add(data.FILES[name][1])
            return None
        self.shapes[name] = data.load(folder, "train").shape
        return folder

    def takes_part(self, key: str) -> bool:
        contender = CONTENDERS[key]
        if find_spec(contender.module) is None:
            self.absent.add(contender.package)
            return False
        return contender.group == "fastsvm" or self.peers is None or key in self.peers

    def do_scene(self, name: str) -> None:
        """Every entry of a scene; records in ``self.records[name]``."""
        scene, records = SCENES[name], self.records.setdefault(name, [])
        folder = self.lay(scene.data)
        if folder is None:
            return
        wanted = [entry for entry in entries(name, self.quick) if self.takes_part(entry.contender)]
        if scene.grid:
            self.chosen[name] = self.choose(scene, folder)
        train, test = data.load(folder, "train"), data.load(folder, "test")
        for number, entry in enumerate(wanted):
            C = entry.settings.get("C", self.chosen.get(name, {}).get(CONTENDERS[entry.contender].objective.name, 1.0))
            settings = {**entry.settings, "C": C}
            with doing(f"{name}: {number + 1} of {len(wanted)}: {CONTENDERS[entry.contender].label}, {entry.words}"):
                records += self.fit(entry, folder, train, test, [settings], scene.certify)
        for record in records:
            self.against_bound(scene.data, record)

    def choose(self, scene: Scene, folder: Path) -> dict[str, float]:
        """C of the best accuracy on the validation part, the smallest of equals, for the objective of each chooser."""
        chosen: dict[str, float] = {}
        held = data.load(folder, "validation")
        for entry in (entry for entry in scene.choosers[: 1 if self.quick else None] if self.takes_part(entry.contender)):
            jobs, best = [{**entry.settings, "C": C} for C in scene.grid[: 2 if self.quick else None]], -1.0
            label, objective = CONTENDERS[entry.contender].label, CONTENDERS[entry.contender].objective.name
            with doing(f"choosing C for {label}"):
                try:
                    for job, outcome in zip(jobs, self.outcomes(entry, folder, "fit", jobs), strict=True):
                        accuracy = objectives.accuracy(held, outcome.fitted.W, outcome.fitted.b)
                        if accuracy > best:
                            best, chosen[objective] = accuracy, job["C"]
                except OverLimit:
                    pass
                except FitError as failure:
                    self.fail(f"choosing C for {label}: {failure}")
        return chosen

    def outcomes(
        self, entry: Entry, folder: Path, part: str, jobs: list[dict[str, Any]], repeat: bool = False
    ) -> Iterator[Any]:
        return processes.fits(entry.contender, folder, part, self.n_threads, jobs, self.limit, repeat)

    def fit(
        self, entry: Entry, folder: Path, train: data.Part, test: data.Part, jobs: list[dict[str, Any]], certify: bool
    ) -> list[Record]:
        """A record of each job done; the last says so where it took longer than the limit, or failed."""
        contender, records = CONTENDERS[entry.contender], []
        outcomes = self.outcomes(entry, folder, "train", jobs, repeat=not self.quick and len(jobs) == 1)
        for job in jobs:
            record: Record = {
                "contender": entry.contender, "label": contender.label, "group": contender.group, "package": contender.package,
                "objective_name": str(contender.objective), "words": Entry(entry.contender, job).words, "settings": job,
                "status": "done", "limit": self.limit,
            }  # fmt: skip
            records.append(record)
            try:
                outcome = next(outcomes)
            except OverLimit:
                record["status"] = "over the limit"
                break
            except FitError as failure:
                record["status"] = "failed"
                self.fail(f"{contender.label}, {record['words']}: {failure}")
                break
            W, b = outcome.fitted.W, outcome.fitted.b
            record |= {
                "seconds": median(outcome.seconds), "rounds": outcome.seconds, "preparation": outcome.preparation,
                "memory": outcome.memory, "accuracy": objectives.accuracy(test, W, b), "note": outcome.fitted.note,
                "n_iter": outcome.fitted.n_iter, "claim": outcome.fitted.claim, "objective": None, "gap": None, "own_gap": None,
            }  # fmt: skip
            try:
                self.evaluate(record, contender.objective, train, outcome.fitted, certify)
            except (TypeError, ValueError, ArithmeticError) as error:  # weights that are not finite, for one
                self.fail(f"{contender.label}, {record['words']}: its weights cannot be evaluated: {error!r}")
        return records

    def evaluate(self, record: Record, objective: objectives.Objective, train: data.Part, fitted: Any, certify: bool) -> None:
        """The objective at someone's weights, and what certifies them. Without C the scaling is the estimator's own, and so
        are objective and gap.
        """
        C, claim = record["settings"]["C"], fitted.claim
        if C is None:
            if claim is not None:
                record["objective"], record["own_gap"] = claim[0], claim[1] / claim[0]
                record["gap"], record["objective_name"] = record["own_gap"], f"{objective.name}, standardised"
            return
        value = record["objective"] = objectives.value(objective, train, fitted.W, fitted.b, C)
        if claim is not None and not abs(claim[0] - value) <= AGREEMENT * value:
            self.fail(f"{record['label']}, {record['words']}: states an objective of {claim[0]:.8g}, and it is {value:.8g}")
        bound = claim[0] - claim[1] if claim is not None else None
        if bound is None and certify and not objective.one_vs_rest:
            bound = objectives.certificate(objective, train, fitted.W, fitted.b, C)
        if bound is not None:
            record["own_gap"], record["bound"] = (value - bound) / value, bound

    def against_bound(self, name: str, record: Record) -> None:
        """The gap to the best bound anyone has found for this objective, which holds for everyone."""
        if record.get("objective") is None or record["settings"]["C"] is None:
            return
        same = [
            other for other in self.records_of(name)
            if other["objective_name"] == record["objective_name"] and other["settings"]["C"] == record["settings"]["C"]
        ]  # fmt: skip
        bounds = [other["bound"] for other in same if other.get("bound") is not None]
        if not bounds:
            return
        record["gap"] = (record["objective"] - max(bounds)) / record["objective"]
        if record["gap"] < -AGREEMENT:
            self.fail(
                f"{record['label']}, {record['words']}: its objective, {record['objective']:.8g}, is below {max(bounds):.8g}, "
                "which was certified to be below all"
            )

    def records_of(self, name: str) -> Iterator[Record]:
        """All on one data set with the intercept as the scenes have it."""
        for scene, records in self.records.items():
            if SCENES[scene].data == name:
                yield from records
