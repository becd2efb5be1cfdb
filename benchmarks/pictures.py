"""Draw the pictures of docs/performance.md and docs/estimator.md, and write their tables, from what was measured.

    pip install '.[bench]'
    python benchmarks/slopes.py --json docs/data/slopes.json
    python benchmarks/compare.py --json docs/data/compare.json
    python benchmarks/solvers.py --json docs/data/solvers.json
    python benchmarks/pictures.py

What it reads in ``docs/data`` is left there shortened: numbers to four digits, without the single rounds of compare.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

try:
    import matplotlib
except ImportError:
    sys.exit("pictures.py needs matplotlib: pip install '.[bench]'")
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from diagrams import DIAGRAMS, INK, LINE, MUTED, STRONG_BLUE, STRONG_GREEN, STRONG_ORANGE
from figures import duration
from fits.drawing import curves
from fits.tables import tables as solver_tables
from slopes import rounded
from tables import kernel_table, limit_table, nearness, replaced, slope_table

DOCS = Path(__file__).resolve().parent.parent / "docs"
STYLE: dict[str, Any] = {
    "svg.hashsalt": "fastsvm",
    "font.size": 9.5,
    "axes.edgecolor": LINE,
    "text.color": INK,
    "axes.labelcolor": INK,
}
COLORS = {"float32": STRONG_BLUE, "uint8": STRONG_ORANGE}
TITLES = {"n_samples": "samples", "n_features": "features", "n_classes": "classes", "n_threads": "threads"}


def kernels(report: dict[str, Any]) -> Figure:
    """Each kernel's time beside its two limits, in units of the larger."""
    found = nearness(report)
    figure = Figure(figsize=(10, 1.3 + 0.55 * len(found)), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    most = max(one.times for one in found)
    for row, one in enumerate(found):
        bars = ((one.seconds, STRONG_BLUE), (one.reading, STRONG_GREEN), (one.products, STRONG_ORANGE))
        for k, (seconds, color) in enumerate(bars):
            if seconds is None:
                continue
            y, length = row + 0.25 * (k - 1), seconds / one.limit
            axes.barh(y, length, height=0.22, color=color, alpha=1 if k == 0 else 0.75)
            axes.text(
                length + 0.01 * most, y, duration(seconds), fontsize=7.5, va="center", color=color,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
        axes.text(1.2 * most, row, f"{one.times:.2f} ×", va="center", ha="right", weight="bold")
    axes.axvline(1, color=INK, linewidth=1, zorder=0)
    axes.set_yticks(range(len(found)), [f"{one.label}\n{one.storage}" for one in found], fontsize=8.5)
    axes.set(ylim=(len(found) - 0.5, -0.6), xlim=(0, 1.2 * most))
    axes.set_xlabel("time in units of the larger limit")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [matplotlib.patches.Patch(color=color) for color in (STRONG_BLUE, STRONG_GREEN, STRONG_ORANGE)]
    words = ["measured", "limit: reading every sample once", "limit: multiply-adds, at the rate of NumPy's sgemm"]
    figure.legend(handles, words, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    return figure


def slopes(found: dict[str, Any]) -> Figure:
    """Time against each number of the shape, with the power law of the upper half of the points."""
    figure = Figure(figsize=(10, 8), facecolor="white", layout="constrained")
    panels = dict(zip(TITLES, figure.subplots(2, 2).flat, strict=True))
    for one in found["series"]:
        axes, color = panels[one["vary"]], COLORS[one["storage"]]
        values = np.array([point[one["vary"]] for point in one["points"]], dtype=float)
        milliseconds = 1e3 * np.array([point["seconds"] for point in one["points"]])
        quartiles = 1e3 * np.array([point["quartiles"] for point in one["points"]]).T
        spread = np.abs(quartiles - milliseconds)
        label, power = one["storage"], one["upper_exponent"]
        if power is not None:
            whole = f", of all points {one['exponent']:.2f}" if one["upper_from"] else ""
            label += f": exponent {power:.2f}{whole}".replace("-", "−")
            upper = slice(one["upper_from"], None)
            height = np.mean(np.log(milliseconds[upper]) - power * np.log(values[upper]))
            axes.plot(values, np.exp(height) * values**power, "--", color=color, linewidth=1, alpha=0.8)
        axes.errorbar(values, milliseconds, spread, fmt="o", markersize=5, color=color, capsize=2, label=label)
    for vary, axes in panels.items():
        dress(axes, vary, next(one for one in found["series"] if one["vary"] == vary))
    return figure


def dress(axes: Any, vary: str, one: dict[str, Any]) -> None:
    """Scales, ticks and words of a panel of slopes."""
    axes.set(xscale="log", yscale="log", xlabel=TITLES[vary], ylabel="milliseconds")
    held = " × ".join(f"{value:,} {TITLES[name]}" for name, value in one["held"].items())
    axes.set_title(f"{TITLES[vary]}\n", loc="left", weight="bold", fontsize=10.5)
    axes.text(0, 1.025, held, transform=axes.transAxes, fontsize=8.5, color=MUTED)
    values = [point[vary] for point in one["points"]]
    shown = values if len(values) < 7 else values[::3]
    axes.set_xticks(shown, [f"{value:,}" for value in shown])
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#d8dee4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", fontsize=8.5, framealpha=1, edgecolor="#d8dee4")


def read(path: Path) -> dict[str, Any]:
    """A report, which is left shortened."""
    report = json.loads(path.read_text())
    for work in report.get("works", {}).values():
        for one in work["contenders"].values():
            one.pop("rounds", None)
    for scene in report.get("scenes", {}).values():
        for one in scene["records"]:
            one.pop("rounds", None)
    report = rounded(report)
    path.write_text(json.dumps(report, indent=1) + "\n")
    return report


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="FOLDER", help="with the pages and data (default: docs)")
    docs = parser.parse_args(argv).docs
    compared, sloped = (read(docs / "data" / f"{name}.json") for name in ("compare", "slopes"))
    matplotlib.rcParams.update(STYLE)
    figures = {"kernels": kernels(compared), "slopes": slopes(sloped)} | {name: draw() for name, draw in DIAGRAMS.items()}
    pages = {
        "performance.md": {"limits": limit_table(sloped), "kernels": kernel_table(compared), "slopes": slope_table(sloped)}
    }
    if (docs / "data" / "solvers.json").exists():
        solved = read(docs / "data" / "solvers.json")
        pages["estimator.md"] = solver_tables(solved)
        figures |= {"solvers": curves(solved["curves"])} if solved["curves"] else {}
    folder = docs / "pictures"
    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    for name, tables in pages.items():
        page = docs / name
        page.write_text(replaced(page.read_text(), tables))
    print(f"wrote {', '.join(pages)} in {docs} and {len(figures)} pictures in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
