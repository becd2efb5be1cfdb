"""Paths of optimizers: of a training on a plane through its end, and on surfaces over the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from fastsvm.plots.arrays import as_numbers, check_fields
from fastsvm.plots.kinds import Descent, PathPlane, Surface
from fastsvm.plots.planes import as_plane, draw_path, draw_plane, pale_plane, say
from fastsvm.plots.style import INK, drawing, look
from fastsvm.plots.words import label, translated
from fastsvm.validation import check_integer


def path_plane(picture: PathPlane | Mapping[str, PathPlane], *, ax: Axes | None = None) -> Axes:
    """The path of a training on a plane through its end, over the loss there; or the paths of several on one plane.

    Parameters
    ----------
    picture : trajectories.PathPlane, or a mapping of name to PathPlane
        ``plane``, ``path`` (points, 2) in its coordinates, ``explained`` (2,): the shares of the way along each
        direction. Of several, all must lie on the same plane, as ``trajectories.path_planes`` makes them.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    named = dict(picture) if isinstance(picture, Mapping) else {"": picture}
    if not named:
        raise ValueError("picture must hold at least one path; got an empty mapping")
    for name, one in named.items():
        shown = f"picture[{name!r}]" if isinstance(picture, Mapping) else "picture"
        check_fields(shown, one, "plane path explained", "what fastsvm.trajectories.path_plane returns")
    first = next(iter(named.values()))
    a, b, loss = as_plane("picture.plane", first.plane)
    paths = {}
    for name, one in named.items():
        shown = f"picture[{name!r}]" if isinstance(picture, Mapping) else "picture"
        if not (np.array_equal(one.plane.a, a) and np.array_equal(one.plane.b, b) and np.array_equal(one.plane.loss, loss)):
            raise ValueError(f"{shown}.plane must be the plane of the other paths; got another")
        paths[str(name)] = as_numbers(f"{shown}.path", one.path, shape=(None, 2))
    explained = as_numbers("picture.explained", first.explained, shape=(2,))
    with drawing(ax, size=(7.0 if len(paths) > 1 else 5.8, 4.6)) as ax:
        if len(paths) == 1:
            draw_plane(ax, a, b, loss)
            draw_path(ax, *paths.values())
        else:
            pale_plane(ax, a, b, loss)
            _draw_paths(ax, paths)
        names = [label("direction", k=k + 1, share=f"{100 * share:.1f} %") for k, share in enumerate(explained)]
        ax.set(xlabel=names[0], ylabel=names[1])
    return ax


def trajectories(
    surface: Surface, descents: Sequence[Descent], *, resolution: int = 201, title: bool = True, ax: Axes | None = None
) -> Axes:
    """Paths of several optimizers on one surface: contours, a path each, and where each ended.

    Parameters
    ----------
    surface : trajectories.Surface
    descents : sequence of trajectories.Descent
        What leaves the surface's bounds is cut off there; one that diverged ends in a cross.
    resolution : int >= 2, default 201
        Points a side at which the surface is evaluated.
    title : bool, default True
        Whether the surface's name stands above.
    ax : Axes, optional
        Where to draw; a new figure by default.
    """
    resolution = check_integer("resolution", resolution, at_least=2)
    check_fields("surface", surface, "name f bounds minimum", "a Surface, such as those of fastsvm.trajectories.SURFACES")
    made_by = "what fastsvm.trajectories.descend returns"
    check_fields("descents", descents, "__iter__", f"a sequence of {made_by}")
    descents = list(descents)
    for k, one in enumerate(descents):
        check_fields(f"descents[{k}]", one, "optimizer path diverged", made_by)
    if not descents:
        raise ValueError("descents must hold at least one descent; got none")
    found = [as_numbers(f"descents[{k}].path", one.path, shape=(None, 2)) for k, one in enumerate(descents)]
    paths = dict(zip(_optimizer_names(descents), found, strict=True))
    x0, x1 = (np.linspace(low, high, resolution) for low, high in surface.bounds)
    values = as_numbers("surface.f(x)", surface.f(np.stack(np.meshgrid(x0, x1))), shape=(resolution, resolution))
    with drawing(ax, size=(7.2, 4.4)) as ax:
        pale_plane(ax, x0, x1, values)
        if surface.minimum is not None:
            ax.plot(
                *surface.minimum, "*", color="white", markersize=15, markeredgecolor=INK, markeredgewidth=0.9, zorder=2,
                label=label("minimum"), linestyle="none",
            )  # fmt: skip
        _draw_paths(ax, paths, crosses=[one.diverged for one in descents])
        ax.set(xlim=surface.bounds[0], ylim=surface.bounds[1], xlabel="x₀", ylabel="x₁")
        if title:
            ax.set_title(translated(surface.name))
    return ax


def _draw_paths(ax: Axes, paths: Mapping[str, np.ndarray], crosses: Sequence[bool] = ()) -> None:
    """Paths from one start, each with its own look and a marker at its end, or a cross at the edge; names beside the axes."""
    bounds = np.array([ax.get_xlim(), ax.get_ylim()])
    for k, (name, points) in enumerate(paths.items()):
        style = look(k)
        ax.plot(
            points[:, 0], points[:, 1], color=style.color, linestyle=style.linestyle, marker=style.marker, markevery=[-1],
            markersize=8, markeredgecolor="white", markeredgewidth=0.8, label=name, zorder=3 + k,
        )  # fmt: skip
        if k < len(crosses) and crosses[k]:
            edge = np.clip(points[-1], *bounds.T)
            ax.plot(*edge, "X", color=style.color, markersize=11, markeredgecolor="white", clip_on=False, zorder=20)
    start = next(iter(paths.values()))[0]
    ax.plot(*start, "o", color="white", markersize=8, markeredgecolor=INK, zorder=19)
    say(ax, start[0], start[1], label("start"))
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=3.2)


def _optimizer_names(descents: Sequence[Descent]) -> list[str]:
    """Class names of the optimizers; with number and learning rate where a name would come twice."""
    names = [type(one.optimizer).__name__ for one in descents]
    rates = [one.optimizer.learning_rate for one in descents]
    return [
        f"{k + 1}: {name} {rate if callable(rate) else format(rate, 'g')}" if names.count(name) > 1 else name
        for k, (name, rate) in enumerate(zip(names, rates, strict=True))
    ]
