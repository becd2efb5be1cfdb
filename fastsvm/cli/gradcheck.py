"""``fastsvm gradcheck``: analytic against numerical gradients on a small sample of real data."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fastsvm.cli.data import DataPath, Dense, as_dtype, drawn, load_data
from fastsvm.cli.errors import FAILED, reported
from fastsvm.cli.options import (
    DATA,
    DEFAULT_LOSS,
    DEFAULTS,
    Alpha,
    Backend,
    Debug,
    Delta,
    Json,
    LossName,
    Seed,
    Squared,
    Standardize,
    Threads,
    make_loss,
    option,
)
from fastsvm.cli.output import brief, count, duration, new_table, print_json, print_pairs, print_table
from fastsvm.sparse import is_sparse

Dtype = Annotated[str, option("--dtype NAME", "Precision of the gradient under test: float32 or float64.")]
Samples = Annotated[int | None, option("--samples N", "How many samples to draw.", DATA, default="50")]
All = Annotated[
    bool, option("--all", "Check every weight and intercept on all samples: each changes one score, which costs little.", DATA)
]
Coordinates = Annotated[int | None, option("--coordinates N", "How many coordinates of each gradient to check.", default="100")]
Tolerance = Annotated[
    float | None, option("--tolerance X", "Largest relative error that passes.", default="1e-6, in float32 1e-3")
]


def gradcheck(
    data: DataPath = "digits",
    samples: Samples = None,
    all_weights: All = False,
    standardize: Standardize = DEFAULTS["standardize"],
    dense: Dense = False,
    loss: LossName = DEFAULT_LOSS,
    delta: Delta = None,
    squared: Squared = False,
    alpha: Alpha = 0.1,
    dtype: Dtype = "float64",
    coordinates: Coordinates = None,
    tolerance: Tolerance = None,
    seed: Seed = DEFAULTS["seed"],
    backend: Backend = None,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare the gradients on W, b, X and the scores with central differences.

    At random weights, for a few samples of DATA. The exit code is 1 if one is wrong.
    A coordinate whose perturbation crosses a kink of the loss is counted, not judged.
    With --all, for every weight on all samples; the error is then relative to the gradient's largest entry.

    [bold]fastsvm gradcheck --loss crammer-singer --dtype float32[/bold]
    """
    with reported(debug):
        from fastsvm import backends
        from fastsvm.gradients import WRT, check_objective_gradient

        settings: dict[str, Any] = {"loss": make_loss(loss, delta, squared), "alpha": alpha}
        if all_weights:
            for name, value in (("samples", samples), ("coordinates", coordinates)):
                if value is not None:
                    raise ValueError(f"--{name} must be left out with --all, which takes all of them; got {value}")
            settings |= {"backend": backends.use(backend), "n_threads": threads}
            found = _check_all(
                _problem(data, samples=None, seed=seed, dtype=dtype, standardize=standardize, dense=dense), settings, tolerance
            )
            _report_all(found, f"{brief(settings['loss'])} on {data}, {dtype}, {settings['backend']} backend", as_json)
            if not found["passed"]:
                raise typer.Exit(FAILED)
            return
        samples, coordinates = 50 if samples is None else samples, 100 if coordinates is None else coordinates
        problem = _problem(data, samples=samples, seed=seed, dtype=dtype, standardize=standardize, dense=dense)
        settings |= {"n_coordinates": coordinates, "seed": seed, "tolerance": tolerance}
        settings |= {"backend": backends.use(backend), "n_threads": threads}
        wanted = [wrt for wrt in WRT if not (wrt == "X" and is_sparse(problem["X"]))]  # which would be dense
        checks = {wrt: check_objective_gradient(**problem, **settings, wrt=wrt) for wrt in wanted}
        passed = all(check.passed for check in checks.values())
        if as_json:
            found = {name: _entry(check) for name, check in checks.items()}
            print_json({
                "data": data, "samples": len(problem["y"]), "dtype": dtype, "loss": repr(settings["loss"]),
                "backend": settings["backend"], "passed": passed, "gradients": found,
            })  # fmt: skip
        else:
            where = f"{len(problem['y'])} samples of {data}, {dtype}, {settings['backend']} backend"
            print_table(_table(checks, f"{brief(settings['loss'])} on {where}"))
        if not passed:
            raise typer.Exit(FAILED)


#: Largest errors that pass with --all, relative to the largest entry of the gradient: some samples are beside a kink.
TOLERANCE_OF_ALL = {"float64": 1e-5, "float32": 1e-4}
STEP_OF_ALL = 1e-7  # in the scores, about


def _check_all(problem: dict[str, Any], settings: dict[str, Any], tolerance: float | None) -> dict[str, Any]:
    """Analytic against numerical gradient, all weights and intercepts."""
    import time

    import numpy as np

    from fastsvm.gradients import numerical_objective_gradient
    from fastsvm.objective import loss_and_gradient
    from fastsvm.validation import check_real

    W = problem["W"]
    tolerance = TOLERANCE_OF_ALL[W.dtype.name] if tolerance is None else check_real("tolerance", tolerance, above=0.0)
    start = time.perf_counter()
    _, *analytic = loss_and_gradient(**problem, **settings)
    middle = time.perf_counter()
    numerical = numerical_objective_gradient(**problem, **settings, h=STEP_OF_ALL * float(np.abs(W).max()))
    end = time.perf_counter()
    errors = {}
    for name, ours, theirs in zip(("W", "b"), analytic, numerical, strict=True):
        assert ours is not None  # as b is given
        assert theirs is not None
        errors[name] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return {
        "samples": len(problem["y"]), "coordinates": W.size + len(W), "relative_errors": errors, "tolerance": tolerance,
        "analytic_seconds": middle - start, "numerical_seconds": end - middle,
        "passed": max(errors.values()) <= tolerance,
    }  # fmt: skip


def _report_all(found: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    table = new_table(title)
    for heading in ("gradient on", "largest relative error", "tolerance", ""):
        table.add_column(heading, justify="right" if "e" in heading[1:3] else "left")
    for name, error in found["relative_errors"].items():
        verdict = "[green]passed[/green]" if error <= found["tolerance"] else "[bold red]failed[/bold red]"
        table.add_row(name, f"{error:.1e}", f"{found['tolerance']:g}", verdict)
    print_table(table)
    print_pairs(
        [
            ("all", f"{count(found['coordinates'])} weights and intercepts on {count(found['samples'])} samples"),
            ("analytic", duration(found["analytic_seconds"])),
            ("numerical", duration(found["numerical_seconds"])),
        ]
    )


def _problem(data: str, *, samples: int | None, seed: int, dtype: str, standardize: str, dense: bool = False) -> dict[str, Any]:
    """Some or all samples, and weights that give scores of order 1, so that margins of both signs occur."""
    import numpy as np

    from fastsvm.standardization import choose_kind, fit_standardization
    from fastsvm.storage import as_numbers
    from fastsvm.validation import WEIGHT_DTYPES, check_choice, check_integer

    check_choice("dtype", dtype, WEIGHT_DTYPES)
    if samples is not None:
        check_integer("samples", samples, at_least=1)
    check_integer("seed", seed, at_least=0)
    dataset = load_data(data, dense=dense)
    rng = np.random.default_rng(seed)
    rows = slice(None) if samples is None else np.sort(rng.permutation(len(dataset.y))[:samples])
    X = drawn(as_dtype(dataset.X, dtype), rows)
    statistics = fit_standardization(X, choose_kind(standardize.strip().lower(), X))
    size = 1.0 if statistics is not None else max(1e-30, float(abs(as_numbers(X)).max()))
    n_classes, n_features = dataset.n_classes, X.shape[1]
    W = rng.normal(scale=1 / (size * np.sqrt(n_features)), size=(n_classes, n_features)).astype(dtype)
    b = rng.normal(scale=0.1, size=n_classes).astype(dtype)
    return {"W": W, "X": X, "y": dataset.y[rows], "b": b, "standardization": statistics}


def _entry(check: Any) -> dict[str, Any]:
    return {
        "passed": check.passed,
        "max_relative_error": check.max_relative_error,
        "tolerance": check.tolerance,
        "coordinates": len(check.kink),
        "kinks": check.n_kinks,
        "worst": check.worst,
    }


def _table(checks: dict[str, Any], title: str) -> Any:
    table = new_table(title)
    table.add_column("gradient on", style="bold")
    for heading in ("judged", "at kinks", "largest relative error", "tolerance"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for name, check in checks.items():
        verdict = "[green]passed[/green]" if check.passed else "[bold red]failed[/bold red]"
        judged = str(len(check.kink) - check.n_kinks)
        error = f"{check.max_relative_error:.1e}"
        table.add_row(name, judged, str(check.n_kinks), error, f"{check.tolerance:g}", verdict)
    return table
