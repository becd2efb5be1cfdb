"""``fastsvm sweep``: the loss after one step against the gradient, as a function of the step size."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from fastsvm.cli.data import DataPath, Dense
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

if TYPE_CHECKING:
    from fastsvm.landscape import Sweep

SMALLEST, LARGEST, POINTS = 1e-10, 0.1, 10

#: Where steps that nobody chose end at the latest.
FARTHEST = 1e6

Smallest = Annotated[float | None, option("--smallest X", "Smallest step size.", OPTIMIZATION, default=f"{SMALLEST:g}")]
Largest = Annotated[
    float | None,
    option(
        "--largest X", "Largest step size.", OPTIMIZATION,
        default=f"{LARGEST:g}, or the first power of ten beyond it after which the loss is higher than before",
    ),
]  # fmt: skip
Points = Annotated[
    int | None,
    option("--points N", "How many step sizes, evenly on a log scale.", OPTIMIZATION, default=f"{POINTS}, or one per decade"),
]


def sweep(
    data: DataPath = "digits",
    model: ModelFile = None,
    scale: Scale = None,
    smallest: Smallest = None,
    largest: Largest = None,
    points: Points = None,
    samples: Samples = None,
    standardize: OwnStandardize = None,
    dense: Dense = False,
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
            alpha=alpha, dtype=dtype, seed=seed, dense=dense, backend=backend, threads=threads,
        )  # fmt: skip
        began = time.perf_counter()
        W, X, y, objective, summary = start
        _, dW, db = loss_and_gradient(W, X, y, **objective)
        steps = partial(step_sizes, W, X, y, gradient=dW, gradient_b=db, **objective)
        found = steps(step_sizes=sizes)
        if smallest is largest is points is None:
            found = _farther(found, steps)
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


def _farther(found: Sweep, steps: Callable[..., Sweep]) -> Sweep:
    """Ten times as far, again and again, until the loss is higher than before the step."""
    while found.gradient_norm and found.losses[-1] <= found.initial_loss and found.step_sizes[-1] < 0.99 * FARTHEST:
        more = steps(step_sizes=[float(f"{10 * found.step_sizes[-1]:.0e}")])
        if not np.isfinite(more.losses).all():
            break
        columns = ("step_sizes", "losses", "data_losses")
        joined: dict[str, Any] = {name: np.append(getattr(found, name), getattr(more, name)) for name in columns}
        found = replace(found, **joined)
    return found


def _sizes(smallest: float | None, largest: float | None, points: int | None) -> np.ndarray:
    """The steps that were asked for; one default that is out of reach of the other end moves to where there is room."""
    smallest = SMALLEST if smallest is None else smallest
    largest = LARGEST if largest is None else largest
    points = POINTS if points is None else points
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
