"""Suboptimality against time: every solver of an objective, fitted anew with a growing budget, on one C and without intercept.

A point is a whole fit: its time, and how far the objective at its weights, in float64, is above the best bound that anyone
has certified, relative to the bound.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fits import data
from fits.contenders import CONTENDERS
from fits.running import AGREEMENT, Run, doing
from fits.scenes import Entry

#: Seconds of one fit; a contender whose fit takes longer gets no larger budget.
LONGEST = 10.0

NO_LIMIT = 1e-9  # a tolerance that is not reached
TOLERANCES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
PASSES = (1, 2, 3, 5, 8, 13, 20, 35, 60, 100, 200, 400)
QUICK_POINTS, QUICK_CONTENDERS = 3, ("dual",)


class Panel(NamedTuple):
    """``reference`` is a fit that is to give a bound close to the least objective, whatever it takes."""

    name: str
    objective: str
    data: str
    C: float
    reference: Entry
    contenders: tuple[str, ...]


WESTON_WATKINS = ("dual", "lbfgs", "sgd")
CRAMMER_SINGER = ("dual-cs", "lbfgs-cs", "sgd-cs", "liblinear-4", "svc-cs")
SOFTMAX = ("lbfgs-softmax", "sgd-softmax", "logistic", "logistic-newton", "logistic-saga", "cyanure")
EXACT = {"tol": 1e-5}

PANELS = tuple(
    Panel(f"{data_name}, {objective}", objective, data_name, C, Entry(reference, EXACT), contenders)
    for data_name, C in (("news", 0.5), ("fashion-mnist", 0.02))
    for objective, reference, contenders in (
        ("Weston-Watkins", "dual", WESTON_WATKINS),
        ("Crammer-Singer", "dual-cs", CRAMMER_SINGER),
        ("softmax", "lbfgs-softmax", SOFTMAX),
    )
)


def budgets(key: str) -> list[dict[str, Any]]:
    """Settings of a contender, each for a longer fit than the one before."""
    if key == "liblinear-4":
        return [{"eps": eps} for eps in TOLERANCES]
    if key in ("svc-cs", "logistic-newton"):
        more = {"max_iter": 100_000} if key == "svc-cs" else {}
        return [{"tol": tol} | more for tol in TOLERANCES]
    return [{"max_iter": passes, "tol": NO_LIMIT} for passes in PASSES if key != "cyanure" or passes >= 5]


def do_panel(run: Run, panel: Panel) -> dict[str, Any] | None:
    """Points of every contender, [seconds, suboptimality, test accuracy]."""
    folder = run.lay(panel.data)
    if folder is None:
        return None
    train, test = data.load(folder, "train"), data.load(folder, "test")
    fixed = {"C": panel.C, "fit_intercept": False}
    with doing(f"{panel.name}: the reference"):
        reference = run.fit(panel.reference, folder, train, test, [fixed | panel.reference.settings], certify=False)
    records, series = [*reference], {}
    wanted = [key for key in panel.contenders if not run.quick or key in QUICK_CONTENDERS]
    for key in (key for key in wanted if run.takes_part(key)):
        jobs = [fixed | settings for settings in budgets(key)[: QUICK_POINTS if run.quick else None]]
        with doing(f"{panel.name}: {CONTENDERS[key].label}"):
            series[key] = [record for record in budgeted(run, key, folder, train, test, jobs) if record.get("objective")]
        records += series[key]
    bound = max((record["bound"] for record in records if record.get("bound") is not None), default=None)
    if bound is None:
        run.fail(f"{panel.name}: nobody has certified a bound")
        return None
    for record in (record for record in records if record.get("objective")):
        if record["objective"] < bound * (1 - AGREEMENT):
            run.fail(f"{panel.name}: {record['label']} is below the bound: {record['objective']:.8g} < {bound:.8g}")
    return {
        "name": panel.name, "objective": panel.objective, "data": panel.data, "shape": train.shape,
        "C": panel.C, "bound": bound,
        "reference": [record.get("own_gap") for record in reference],
        "series": [
            {
                "label": CONTENDERS[key].label, "group": CONTENDERS[key].group,
                "points": [[one["seconds"], (one["objective"] - bound) / bound, one["accuracy"]] for one in records],
            }
            for key, records in series.items()
        ],
    }  # fmt: skip


def budgeted(run: Run, key: str, folder: Any, train: data.Part, test: data.Part, jobs: list[dict[str, Any]]) -> list[Any]:
    """Fits one after another in one process, until one takes too long."""
    limit, run.limit = run.limit, min(run.limit, LONGEST)
    try:
        return run.fit(Entry(key, {}), folder, train, test, jobs, certify=False)
    finally:
        run.limit = limit
