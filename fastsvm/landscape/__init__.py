"""The objective along lines and over planes in the space of the weights; arrays out, no pictures.

    line(W, X, y, direction, a)                    # L(W + a D), with and without the penalty
    plane(W, X, y, D1, D2, a1, a2)                 # L(W + a D1 + b D2)
    breakpoints(W, X, y, direction)                # where the loss has its kinks on a line
    minimize_along(W, X, y, direction)             # its minimum on a line: exact line search
    step_sizes(W, X, y)                            # after one step against the gradient, as a function of the step size
    bowl(w)                                        # each term of the loss of a few one-dimensional samples

Scores are linear in the weights, so that the samples are read once for all points of a line or a plane; each point is then
elementwise work on scores. Symbols, ``backend``, ``n_threads`` and errors are those of :mod:`fastsvm.objective`.
"""

from fastsvm.landscape.bowls import Bowl, bowl
from fastsvm.landscape.directions import random_direction
from fastsvm.landscape.grids import Line, Plane, line, plane
from fastsvm.landscape.kinks import Breakpoints, breakpoints
from fastsvm.landscape.minimum import Minimum, minimize_along
from fastsvm.landscape.sweep import Sweep, step_sizes

__all__ = [
    "Bowl",
    "Breakpoints",
    "Line",
    "Minimum",
    "Plane",
    "Sweep",
    "bowl",
    "breakpoints",
    "line",
    "minimize_along",
    "plane",
    "random_direction",
    "step_sizes",
]
