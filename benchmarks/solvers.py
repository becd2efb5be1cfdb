"""fastsvm beside the linear classifiers people use now: time to fit, accuracy, objective, certified gap and memory.

    FASTSVM_DATA=data python benchmarks/solvers.py            # everything; tens of minutes
    python benchmarks/solvers.py --only certified             # some of it
    python benchmarks/solvers.py --quick                      # drawn data, seconds, only to see that everything works

Peers: scikit-learn, liblinear-multicore, snapml and cyanure, those that are installed (``pip install '.[peers]'``).

``scenes.py`` lists the fits of each scene. Every fit runs in a process of its own, with as many threads as there are cores,
after a fit to a few drawn rows. Its time is that of ``fit`` alone, with the data in memory in the form the library likes best;
what it makes of them before (LIBLINEAR's nodes) is shown as preparation. A fit that takes longer than ``--limit`` is
stopped, and counts as taking longer; short ones are repeated, and their median counts. Memory is the process's highest
resident size beyond that with the data loaded, preparation included. Objectives are evaluated with fastsvm in float64 at the
weights found. The gap is to the highest lower bound that anyone's answer has certified; the own gap is to that of this
answer. ``curves`` fits every solver of an objective with growing budgets. Data: the folder named by ``--data`` or FASTSVM_DATA.

Exit code 0: all targets are met (they are not asked for with ``--quick``). 1: a target is not met, or could not be measured.
2: a contender failed, or its answer contradicts a certificate. 3: all targets are met, but other programs were busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from compare import BUSY, THREAD_VARIABLES, Others, cpu_model, version_of
from figures import evaluate, number, summary
from fits import curves, optimum, tables
from fits.contenders import CONTENDERS
from fits.running import Run, console
from fits.scenes import SCENES
from fits.targets import TARGETS

CURVES, OPTIMUM = "curves", "optimum"
WORKS = (*SCENES, OPTIMUM, CURVES)
PEERS = tuple(key for key, contender in CONTENDERS.items() if contender.group == "peer")


def machine(n_threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    import fastsvm
    from fastsvm import _native

    packages = sorted({contender.package for contender in CONTENDERS.values()} - {"fastsvm"} | {"numpy", "scipy"})
    return {
        "cpu": cpu_model(), "cores": n_threads, "simd_level": _native.simd_level(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "versions": {package: version_of(package) for package in packages} | {"fastsvm": fastsvm.__version__},
    }  # fmt: skip


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="WORK", help=f"of {', '.join(WORKS)} (default: all)")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)} (default: all that are installed)")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds a fit may take (default: 30)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="with the data sets (default: FASTSVM_DATA)")
    parser.add_argument("--quick", action="store_true", help="drawn data and few contenders; nothing is judged")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE, after each work")
    options = parser.parse_args(argv)
    for name, given, known in (("work", options.only, WORKS), ("peer", options.peers, PEERS)):
        unknown = sorted(set(given or ()) - set(known))
        if unknown:
            parser.error(f"no {name} is called {', '.join(unknown)}; there are {', '.join(known)}")
    if not options.limit > 0:
        parser.error(f"--limit must be greater than 0; got {options.limit:g}")
    options.works = [work for work in WORKS if options.only is None or work in options.only]
    if options.data is None and os.environ.get("FASTSVM_DATA"):
        options.data = Path(os.environ["FASTSVM_DATA"])
    return options


def do(run: Run, work: str) -> None:
    """One work, and its table."""
    if work == OPTIMUM:
        run.optimum = optimum.compare()
    elif work == CURVES:
        for panel in curves.PANELS[:1] if run.quick else curves.PANELS:
            found = curves.do_panel(run, panel)
            run.curves += [found] if found else []
        console.print(tables.curve_table(run.curves))
    else:
        run.do_scene(work)
        if run.records[work]:
            console.print(tables.details(work, run.records[work], run.shapes[SCENES[work].data]))
            if work in run.chosen:
                chosen = ", ".join(f"{objective} {C:g}" for objective, C in run.chosen[work].items())
                console.print(f"C chosen on a validation part: {chosen}")


def report(run: Run, records: list[dict[str, Any]], found: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON can hold it. Times in seconds, memory in MiB."""
    scenes = {
        name: {
            "title": SCENES[name].title, "data": SCENES[name].data, "shape": run.shapes.get(SCENES[name].data, ""),
            "chosen": run.chosen.get(name, {}), "records": some,
        }
        for name, some in run.records.items()
    }  # fmt: skip
    return {
        "machine": found, "quick": run.quick, "limit": run.limit,
        "scenes": scenes, "curves": run.curves, "optimum": run.optimum,
        "figures": records, "absent": sorted(run.absent), "missing": sorted(run.missing),
        "failures": [failure.split("\n", 1)[0] for failure in run.failures],  # tracebacks name this machine's folders
    }  # fmt: skip


def judge(run: Run, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of what has been done, and whether they meet their targets."""
    wanted = [target for target in TARGETS if target.work in options.works]
    measured: Any = run  # of another kind than compare.py's, as the targets are
    return evaluate(wanted, measured, judged=not options.quick)


def main(argv: list[str] | None = None) -> int:
    options = parse_arguments(argv)
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(n_threads)
    found = machine(n_threads)
    versions = ", ".join(" ".join(item) for item in found["versions"].items())
    load = "" if found["load"] is None else f"load before the run {found['load']}, "
    console.print(f"{found['cpu']}, {n_threads} cores, {load}{found['system']}, Python {found['python']}; {versions}")

    others, began = Others(), time.perf_counter()
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="fastsvm-solvers-") as folder:
        run = Run(
            Path(folder), options.data, n_threads, limit=options.limit, peers=options.peers, quick=options.quick
        )  # fmt: skip
        for work in options.works:
            do(run, work)
            records = judge(run, options)
            found["seconds"] = time.perf_counter() - began
            found["cores_used_by_others"] = others.cores(found["seconds"])
            if options.json:
                options.json.write_text(json.dumps(report(run, records, found), indent=1) + "\n")

    console.print(summary(records, "Figures, of drawn data: not judged" if options.quick else "Figures"))
    busy = found["cores_used_by_others"] or 0.0
    console.print(f"took {found['seconds']:.0f} s; other programs kept {busy:.2f} cores busy meanwhile")
    if busy > BUSY:
        console.print("[bold]the machine was not quiet: these figures mean little, one way or the other[/bold]")
    if run.absent:
        console.print(f"not installed and left out: {', '.join(sorted(run.absent))} (pip install '.[peers]')", markup=False)
    if run.missing and not options.quick:
        console.print(f"not measured, for want of data (--data, FASTSVM_DATA): {', '.join(sorted(run.missing))}")
    short = [record for record in records if record["met"] is False]
    for record in short:
        print(f"short of its target: {record['name']}: {number(record)}, wanted {record['target']}", file=sys.stderr)
    if run.failures or short:
        return 2 if run.failures else 1
    return 3 if not options.quick and busy > BUSY else 0


if __name__ == "__main__":
    sys.exit(main())
