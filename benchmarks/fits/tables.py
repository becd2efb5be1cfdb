"""What solvers.py prints of its records, and the tables of docs/estimator.md."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from figures import duration, number
from fits.running import Record
from fits.scenes import SCENES
from tables import rows

COLUMNS = ("time", "preparation", "accuracy", "objective", "gap", "own gap", "MiB")


def cells(record: Record) -> tuple[str, ...]:
    """One for each of the `COLUMNS`."""
    if record["status"] == "over the limit":
        return (f"> {record['limit']:g} s", *[""] * (len(COLUMNS) - 1))
    if record["status"] == "failed":
        return ("failed", *[""] * (len(COLUMNS) - 1))
    objective, gap, own = record["objective"], record["gap"], record["own_gap"]
    return (
        duration(record["seconds"]),
        duration(record["preparation"]) if record["preparation"] > 0.01 else "",
        f"{record['accuracy']:.4f}",
        "" if objective is None else f"{objective:.6g}",
        "" if gap is None else f"{max(gap, 0):.1e}",
        "" if own is None else f"{max(own, 0):.1e}",
        "" if record["memory"] is None else f"{record['memory']:.1f}",
    )


def details(name: str, records: list[Record], shape: str) -> Table:
    """One row per fit. "gap": of the objective above the best bound certified by anyone; "own gap": above the bound that comes
    from this answer alone, both relative to the objective. "MiB": memory beyond the data.
    """
    result = Table(title=f"{name}: {SCENES[name].title}, {shape}", title_justify="left")
    for heading in ("contender", "settings", "objective is"):
        result.add_column(heading)
    for heading in COLUMNS:
        result.add_column(heading, justify="right", no_wrap=True)
    result.add_column("")
    for record, previous in zip(records, [None, *records], strict=False):
        if previous and record["group"] != previous["group"]:
            result.add_section()
        result.add_row(record["label"], record["words"], record["objective_name"], *cells(record), record.get("note", ""))
    return result


def curve_table(panels: list[dict[str, Any]]) -> Table:
    """Of each curve its last point, and the time to a suboptimality of one in a thousand."""
    result = Table(title="suboptimality against time", title_justify="left")
    for heading in ("objective", "solver"):
        result.add_column(heading)
    for heading in ("points", "to 1e-2", "to 1e-3", "best", "in"):
        result.add_column(heading, justify="right")
    for panel in panels:
        for one in panel["series"]:
            best = min(one["points"], key=lambda point: point[1], default=None)
            if best is not None:
                reached = [within(one["points"], share) for share in (1e-2, 1e-3)]
                row = (str(len(one["points"])), *reached, f"{best[1]:.1e}", duration(best[0]))
                result.add_row(panel["name"], one["label"], *row)
        result.add_section()
    return result


def within(points: list[list[float]], share: float) -> str:
    seconds = [point[0] for point in points if point[1] <= share]
    return duration(min(seconds)) if seconds else ""


def measured_by(report: dict[str, Any]) -> str:
    """A line below a table: the command, the machine, the versions."""
    machine = report["machine"]
    busy = machine["cores_used_by_others"]
    others = "" if busy is None else f"; other programs kept {busy:.2f} cores busy"
    warning = " **Drawn data, only to show the form: these figures mean nothing.**" if report["quick"] else ""
    versions = ", ".join(" ".join(item) for item in machine["versions"].items())
    return f"`python benchmarks/solvers.py`, {machine['cpu']}, {machine['cores']} cores, {versions}{others}.{warning}"


def scene_table(report: dict[str, Any], name: str) -> str:
    """All fits of a scene, in Markdown; nothing but a note where it has none."""
    scene = report["scenes"].get(name, {"records": []})
    body: list[tuple[str, ...]] = []
    for record in scene["records"]:
        time, _, accuracy, objective, gap, own, mib = cells(record)
        bold = "**" if record["group"] == "fastsvm" else ""
        named = record["objective_name"] if objective else ""
        body.append((f"{bold}{record['label']}{bold}", record["words"], time, accuracy, named, objective, gap, own, mib))
    if not body:
        return "Not measured."
    header = ("", "settings", "time", "test accuracy", "objective", "reached", "relative gap", "by itself", "MiB")
    return f"{scene['shape']}\n\n{rows(header, 'llrrlrrrr', body)}\n\n{measured_by(report)}"


def figure_table(report: dict[str, Any]) -> str:
    """Targets and what was measured, in Markdown."""
    verdict = {True: "met", False: "**short**", None: ""}
    body: list[tuple[str, ...]] = [
        (one["name"], one["target"], number(one), verdict[one["met"]], one["note"]) for one in report["figures"]
    ]
    return f"{rows(('', 'target', 'measured', '', 'from'), 'lrrll', body)}\n\n{measured_by(report)}"


def tables(report: dict[str, Any]) -> dict[str, str]:
    """Those of docs/estimator.md, by the names of their markers."""
    return {f"solver-{name}": scene_table(report, name) for name in SCENES} | {"solver-figures": figure_table(report)}
