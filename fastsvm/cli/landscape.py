"""``fastsvm landscape``: the loss along a line or over a plane through the weights."""

from __future__ import annotations

import io
import math
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from fastsvm.cli.data import DataPath, Dense
from fastsvm.cli.errors import reported
from fastsvm.cli.options import DEFAULTS, OPTIMIZATION, OUTPUT, Backend, Debug, Delta, Json, Seed, Squared, Threads, option
from fastsvm.cli.output import count, duration, print_json, print_pairs
from fastsvm.cli.start import (
    ModelFile,
    OwnAlpha,
    OwnDtype,
    OwnLoss,
    OwnStandardize,
    Plot,
    Samples,
    Scale,
    Start,
    check_picture,
    describe_start,
    starting_point,
)
from fastsvm.files import check_writable, write_bytes
from fastsvm.losses import CrammerSinger, WestonWatkins
from fastsvm.validation import check_choice, check_integer, check_real

DIRECTIONS = ("random", "gradient")

#: Of a line or a plane. More take minutes, in which Ctrl-C is not heard, and show no more.
MOST_POINTS = 4_000_000

Direction = Annotated[str, option("--direction NAME", "random, or gradient: downhill.", OPTIMIZATION)]
Points = Annotated[int, option("--points N", "Along each direction.", OPTIMIZATION)]
Range = Annotated[
    float | None,
    option(
        "--range X", "How far to go, in units of the direction: both ways; uphill a tenth of it.", OPTIMIZATION,
        default="twice as far as the minimum; at random no less than the weights are long",
    ),
]  # fmt: skip
OverPlane = Annotated[bool, option("--plane", "Over a plane: a second direction, at random.", OPTIMIZATION)]
FilterNormalize = Annotated[
    bool, option("--filter-normalize", "Make random directions as long as the weights, class by class.", OPTIMIZATION)
]
Output = Annotated[Path | None, option("--output -o FILE", "Where to write positions and losses (.npz).", OUTPUT)]
AsSurface = Annotated[bool, option("--surface", "Draw a plane in three dimensions.", OUTPUT)]


def landscape(
    data: DataPath = "digits",
    model: ModelFile = None,
    scale: Scale = None,
    direction: Direction = "random",
    points: Points = 101,
    reach: Range = None,
    plane: OverPlane = False,
    filter_normalize: FilterNormalize = False,
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
    output: Output = None,
    plot: Plot = None,
    surface: AsSurface = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate the loss along a line, or over a plane, through the weights.

    [bold]fastsvm landscape --direction gradient --plot line.svg[/bold]
    [bold]fastsvm landscape --samples 1 --plot one.svg[/bold]
    [bold]fastsvm landscape data.npz --model m.safetensors --plane --filter-normalize --plot plane.png[/bold]
    """
    with reported(debug):
        direction = check_choice("direction", direction.strip().lower(), DIRECTIONS)
        check_integer("points", points, at_least=2)
        if (total := points * points if plane else points) > MOST_POINTS:
            most, of = (math.isqrt(MOST_POINTS), "along each direction of a plane") if plane else (MOST_POINTS, "on a line")
            raise ValueError(f"--points must be at most {most} {of}; got {points}, which makes {total:,} losses")
        if reach is not None:
            check_real("range", reach, above=0.0)
        if filter_normalize and direction != "random":
            raise ValueError(f"--filter-normalize goes with --direction random; got {direction}")
        if surface and not (plane and plot is not None):
            raise ValueError("--surface goes with --plane and --plot, whose picture it is about")
        if output is not None:
            if output.suffix.lower() != ".npz":
                raise ValueError(f"--output must end in .npz; got {str(output)!r}")
            check_writable("--output", output)
        check_picture(plot)
        start = starting_point(
            data, model, scale=scale, samples=samples, standardize=standardize, loss=loss, delta=delta, squared=squared,
            alpha=alpha, dtype=dtype, seed=seed, dense=dense, backend=backend, threads=threads,
        )  # fmt: skip
        began = time.perf_counter()
        first, second = _directions(start, direction, filter_normalize, plane)
        reach = _range(start, first, direction) if reach is None else reach
        a = np.linspace(-reach if direction == "random" else -0.1 * reach, reach, points)
        b = np.linspace(-reach, reach, points)
        found, kinks, facts = _along(start, first, a) if second is None else _over(start, first, second, a, b)
        summary = start.summary | {"direction": direction, "points": points, "range": [float(a[0]), float(a[-1])], **facts}
        summary |= {"seconds": time.perf_counter() - began}
        summary |= {name: None if path is None else str(path) for name, path in (("output", output), ("plot", plot))}
        if output is not None:
            _write(output, found, first, second)
        if plot is not None:
            from fastsvm import plots

            draw = plots.plane_surface if surface else plots.plane_contour
            plots.save(plots.line(found, kinks) if second is None else draw(found), plot)
        if as_json:
            print_json(summary)
        else:
            _show(summary)


Arrays = tuple[np.ndarray, np.ndarray | None]


def _directions(start: Start, direction: str, filter_normalize: bool, plane: bool) -> tuple[Arrays, Arrays | None]:
    """The first direction, and the second where there is a plane, each with its part for the intercept."""
    from fastsvm.landscape import random_direction
    from fastsvm.objective import loss_and_gradient

    rng, own_b = np.random.default_rng([start.summary["seed"], 1]), start.objective["b"]

    def draw() -> Arrays:
        drawn: Any = random_direction(start.W, rng, filter_normalize, own_b)
        return (drawn, None) if own_b is None else drawn

    if direction == "random":
        return draw(), draw() if plane else None
    _, dW, db = loss_and_gradient(start.W, start.X, start.y, **start.objective)
    first: Arrays = -dW, None if db is None else -db
    if not plane:
        return first, None
    W, b = draw()
    factor = start.W.dtype.type(_length(first) / _length((W, b)))
    return first, (factor * W, None if b is None else factor * b)


def _length(arrays: Arrays) -> float:
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays if array is not None)))


def _range(start: Start, first: Arrays, direction: str) -> float:
    """So far that what there is to see is in the picture."""
    from fastsvm.landscape import minimize_along

    reach = 2.0 * abs(minimize_along(start.W, start.X, start.y, first[0], direction_b=first[1], **start.objective).a)
    if direction == "random":
        reach = max(reach, _length((start.W, start.objective["b"])) / (_length(first) or 1.0))
    return reach or 1.0


def _along(start: Start, first: Arrays, a: np.ndarray) -> tuple[Any, Any, dict[str, Any]]:
    """The line, its kinks where they are known, and facts about both."""
    from fastsvm.landscape import breakpoints, line, minimize_along

    W, X, y, objective, _ = start
    found = line(W, X, y, first[0], a, direction_b=first[1], **objective)
    least = minimize_along(W, X, y, first[0], direction_b=first[1], **objective)
    facts: dict[str, Any] = {"minimum": {"a": least.a, "loss": least.loss}, "kinks": None}
    kinks = None
    if isinstance(objective["loss"], (WestonWatkins, CrammerSinger)):
        plain = {name: objective[name] for name in ("b", "loss", "standardization", "backend", "n_threads")}
        kinks = breakpoints(W, X, y, first[0], direction_b=first[1], lower=a[0], upper=a[-1], **plain)
        facts["kinks"] = len(kinks.a)
    lists = {name: getattr(found, name).tolist() for name in ("a", "loss", "data_loss")}
    return found, kinks, facts | {"line": lists}


def _over(start: Start, first: Arrays, second: Arrays, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any, dict[str, Any]]:
    """The plane, and its lowest point."""
    from fastsvm.landscape import plane

    W, X, y, objective, _ = start
    found = plane(W, X, y, first[0], second[0], a, b, direction1_b=first[1], direction2_b=second[1], **objective)
    i, j = np.unravel_index(found.loss.argmin(), found.loss.shape)
    lowest = {"a": float(found.a[j]), "b": float(found.b[i]), "loss": float(found.loss[i, j])}
    return found, None, {"lowest": lowest, "highest_loss": float(found.loss.max())}


def _write(path: Path, found: Any, first: Arrays, second: Arrays | None) -> None:
    """Positions and losses, and the directions they belong to."""
    arrays = dict(vars(found))
    for name, direction in (("direction1", first), ("direction2", second)):
        if direction is not None:
            arrays |= {name: direction[0]} | ({} if direction[1] is None else {f"{name}_b": direction[1]})
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def _show(summary: dict[str, Any]) -> None:
    over = "lowest" in summary
    points = f"{summary['points']} x {summary['points']}" if over else str(summary["points"])
    ends = " to ".join(f"{end:.4g}" for end in summary["range"])
    pairs = [*describe_start(summary), ("points", f"{points} from {ends}, direction: {summary['direction']}")]
    if over:
        low = summary["lowest"]
        pairs.append(("losses", f"{low['loss']:.6g} at ({low['a']:.4g}, {low['b']:.4g}) to {summary['highest_loss']:.6g}"))
    else:
        low = summary["minimum"]
        pairs.append(("minimum", f"loss {low['loss']:.6g} at {low['a']:.4g}, by exact line search"))
        if summary["kinks"] is not None:
            pairs.append(("kinks", count(summary["kinks"])))
    pairs.append(("time", duration(summary["seconds"])))
    print_pairs(pairs)
    for what, name in (("saved", "output"), ("drawn in", "plot")):
        if summary[name] is not None:
            print(f"{what} {summary[name]}")
