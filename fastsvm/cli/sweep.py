"""``fastsvm sweep``: the loss after one step against the gradient, as a function of the step size."""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np

from fastsvm.cli.data import DataPath, DenseLimit
from fastsvm.cli.errors import reported
from fastsvm.cli.options import DEFAULTS, OPTIMIZATION, Backend, Debug, Delta, Json, Seed, Squared, Threads, option
from fastsvm.cli.output import duration, new_table, print_json, print_pairs, print_table
from fastsvm.cli.start import (
    ModelFile,
    OwnAlpha,
    OwnDtype,
    OwnLoss,
    OwnStandardize,
    Plot,
    Samples,
    Scale,
    check_picture,
    describe_start,
    starting_point,
)
from fastsvm.validation import check_integer, check_real

Smallest = Annotated[float, option("--smallest X", "Smallest step size.", OPTIMIZATION)]
Largest = Annotated[float, option("--largest X", "Largest step size.", OPTIMIZATION)]
Points = Annotated[int, option("--points N", "How many step sizes, evenly on a log scale.", OPTIMIZATION)]


def sweep(
    data: DataPath = "digits",
    model: ModelFile = None,
    scale: Scale = None,
    smallest: Smallest = 1e-10,
    largest: Largest = 0.1,
    points: Points = 10,
    samples: Samples = None,
    standardize: OwnStandardize = None,
    dense_limit: DenseLimit = None,
    loss: OwnLoss = None,
    delta: Delta = None,
    squared: Squared = False,
    alpha: OwnAlpha = None,
    dtype: OwnDtype = None,
    seed: Seed = DEFAULTS["seed"],
    backend: Backend = None,
    threads: Threads = None,
    plot: Plot = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Take one gradient and show the loss after one step of each size.

    And the best step of all: the exact minimum along the gradient.

    [bold]fastsvm sweep cifar-10-batches-bin/[/bold]
    [bold]fastsvm sweep digits --model model.safetensors --plot sweep.svg[/bold]
    """
    with reported(debug):
        from fastsvm.landscape import minimize_along, step_sizes
        from fastsvm.objective import loss_and_gradient

        sizes = _sizes(smallest, largest, points)
        check_picture(plot)
        start = starting_point(
            data, model, scale=scale, samples=samples, standardize=standardize, loss=loss, delta=delta, squared=squared,
            alpha=alpha, dtype=dtype, seed=seed, dense_limit=dense_limit, backend=backend, threads=threads,
        )  # fmt: skip
        began = time.perf_counter()
        W, X, y, objective, summary = start
        _, dW, db = loss_and_gradient(W, X, y, **objective)
        found = step_sizes(W, X, y, step_sizes=sizes, gradient=dW, gradient_b=db, **objective)
        least = minimize_along(W, X, y, dW, direction_b=db, **objective)
        summary |= {
            "initial_loss": found.initial_loss, "gradient_norm": found.gradient_norm,
            "step_sizes": found.step_sizes.tolist(), "losses": found.losses.tolist(),
            "minimum": {"step_size": 0.0 - least.a, "loss": least.loss},
            "seconds": time.perf_counter() - began, "plot": None if plot is None else str(plot),
        }  # fmt: skip
        if plot is not None:
            from fastsvm import plots

            plots.save(plots.sweep(found), plot)
        if as_json:
            print_json(summary)
        else:
            _show(summary, found.best)


def _sizes(smallest: float, largest: float, points: int) -> np.ndarray:
    check_real("smallest", smallest, above=0.0)
    check_real("largest", largest, above=smallest)
    return np.geomspace(smallest, largest, check_integer("points", points, at_least=2))


def _show(summary: dict[str, Any], best: int) -> None:
    minimum = summary["minimum"]
    print_pairs([
        *describe_start(summary),
        ("gradient", f"length {summary['gradient_norm']:.4g}"),
        ("best step", f"{minimum['step_size']:.4g}, by exact line search: loss {minimum['loss']:.6g}"),
        ("time", duration(summary["seconds"])),
    ])  # fmt: skip
    table = new_table()
    for heading in ("step size", "loss"):
        table.add_column(heading, justify="right")
    table.add_row("none", f"{summary['initial_loss']:.6f}")
    for k, (size, loss) in enumerate(zip(summary["step_sizes"], summary["losses"], strict=True)):
        table.add_row(f"{size:.3g}", f"{loss:.6f}", style="bold" if k == best else "")
    print_table(table)
    if summary["plot"] is not None:
        print(f"\ndrawn in {summary['plot']}")
