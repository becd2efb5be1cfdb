"""The loss as a landscape: lines and planes through the space of the weights, and the bowl of one dimension."""

from __future__ import annotations

import numpy as np

from fastsvm import landscape as terrain
from fastsvm import plots
from fastsvm.tour.context import Clock, Context
from fastsvm.tour.story import Chapter

#: Half the range of a and b, in units of a direction as long as W.
REACH = 2.0


def landscape(context: Context, chapter: Chapter) -> None:
    """The loss along a line, kinks marked, and over planes, for one example and for all."""
    plan, size = context.plan, 10 * context.scale
    W, first, second = (context.weights(name, size) for name in ("W", "W1", "W2"))
    row = int(context.rng("landscape row").integers(len(context.y)))
    one = np.ascontiguousarray(context.X[row : row + 1]), context.y[row : row + 1]
    everything = context.X, context.y
    a = np.linspace(-REACH, REACH, plan.line_points)
    where = context.where

    line_of_one = terrain.line(W, *one, first, a, **where)
    kinks = terrain.breakpoints(W, *one, first, **where)
    inside = int((np.abs(kinks.a) <= REACH).sum())
    with Clock() as line_clock:
        line_of_all = terrain.line(W, *everything, first, a, alpha=context.alpha, **where)
    small = np.linspace(-REACH, REACH, plan.small_plane_points)
    plane_of_one = terrain.plane(W, *one, first, second, small, small, **where)
    grid = np.linspace(-REACH, REACH, plan.plane_points)
    with Clock() as plane_clock:
        plane_of_all = terrain.plane(W, *everything, first, second, grid, grid, **where)
    lowest = np.unravel_index(int(plane_of_all.loss.argmin()), plane_of_all.loss.shape)
    chapter.values = {
        "weights": W.size,
        "parameters": W.size + len(W),
        "scale": size,
        "reach": REACH,
        "row": row,
        "class": context.dataset.class_names[int(context.y[row])],
        "kinks": inside,
        "others": context.shape[0] - 1,
        "points": len(grid) ** 2,
        "side": len(grid),
        "samples": len(context.y),
        "alpha": context.alpha,
        "line_points": len(a),
        "line_seconds": line_clock.seconds,
        "plane_seconds": plane_clock.seconds,
        "hinges": len(context.y) * (context.shape[0] - 1),
        "loss": float(line_of_all.data_loss[len(a) // 2]),
        "lowest": float(plane_of_all.loss[lowest]),
        "lowest_a": float(plane_of_all.a[lowest[1]]),
        "lowest_b": float(plane_of_all.b[lowest[0]]),
        "highest": float(plane_of_all.loss.max()),
    }
    chapter.text("intro")
    chapter.formula("plane")
    chapter.text("one")
    chapter.figure("line_one", plots.line(line_of_one, kinks))
    chapter.figure("plane_one", plots.plane_contour(plane_of_one))
    chapter.text("many")
    chapter.figure("line_all", plots.line(line_of_all))
    chapter.figure("plane_all", plots.plane_contour(plane_of_all))
    chapter.figure("surface", plots.plane_surface(plane_of_all))
    chapter.text("cost")
    chapter.code(
        "from fastsvm import landscape, plots\n\n"
        f"W1, W2 = rng.normal(scale={size:g}, size=(2, *W.shape))\n"
        f"a1 = a2 = numpy.linspace({-REACH:g}, {REACH:g}, {plan.plane_points})\n"
        "plane = landscape.plane(W, X, y, W1, W2, a1, a2, standardization=mean)\n"
        "plots.plane_contour(plane)",
        f"fastsvm landscape {context.typed} --plane --scale {size:g} --filter-normalize --range {REACH:g} "
        f"--points {plan.plane_points} --plot plane.svg",
    )


def bowl(context: Context, chapter: Chapter) -> None:
    """Three points, three classes, one weight: each max term, and the bowl they add up to."""
    w = np.linspace(-4.0, 4.0, 401)
    found = terrain.bowl(w)
    slopes = np.diff(found.total) / np.diff(w)
    changes = np.abs(np.diff(slopes)) > 1e-6
    # A kink between two points changes the slope at both.
    kinks = int((changes & ~np.concatenate([[False], changes[:-1]])).sum())
    lowest = int(found.total.argmin())
    chapter.values = {
        "terms": len(found.terms),
        "kinks": kinks,
        "lowest": float(found.total[lowest]),
        "place": float(w[lowest]),
        "weights": context.shape[0] * (context.shape[1] + 1),
    }
    chapter.text("intro")
    chapter.formula("bowl")
    chapter.text("terms")
    chapter.figure("bowl", plots.bowl(found))
    chapter.text("convex", "kinks")
    chapter.code(
        "from fastsvm import landscape, plots\n\nplots.bowl(landscape.bowl(numpy.linspace(-4, 4, 401)))", same="python"
    )
