"""Paths of optimizers: on classic surfaces over the plane, and of a training on a plane through its own solution.

    for descent in side_by_side("saddle"):                # SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam
        print(descent.optimizer, descent.values[-1])

    path = record_path(X, y, optimizer=Momentum(1e-3), epochs=20)
    picture = path_plane(X, y, path)                      # .plane the losses around it, .path where it went

Arrays come back; :mod:`fastsvm.plots` draws them.
"""

from __future__ import annotations

from fastsvm.trajectories.descents import LECTURE_RULES, Descent, descend, side_by_side, surface_optimizer
from fastsvm.trajectories.planes import PathPlane, path_plane, path_planes
from fastsvm.trajectories.recording import WeightPath, record_path
from fastsvm.trajectories.surfaces import SURFACES, Surface, as_surface

__all__ = [
    "LECTURE_RULES",
    "SURFACES",
    "Descent",
    "PathPlane",
    "Surface",
    "WeightPath",
    "as_surface",
    "descend",
    "path_plane",
    "path_planes",
    "record_path",
    "side_by_side",
    "surface_optimizer",
]
