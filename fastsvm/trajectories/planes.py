"""The path of a training on a plane through its own solution.

With ``D`` the differences of all its points to the last one, the plane is spanned by principal components of the path:
orthonormal directions that leave the least of ``‖D‖²`` off the plane, both of them or the one beside the line to the start.
They are combinations of the rows of D, found from the Gram matrix ``D Dᵀ`` (points × points), so nothing as large as the path
itself is decomposed.

Source: H. Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018, section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.landscape import Plane, plane
from fastsvm.landscape.family import family
from fastsvm.objective import losses as loss_values
from fastsvm.score_functions import LINEAR
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization
from fastsvm.trajectories.recording import WeightPath
from fastsvm.validation import check_choice, check_integer, check_labels, check_real, check_samples

#: How the directions are chosen: the one between start and end and then the best that is left, or the principal components.
AXES = ("ends", "pca")

#: Weights of each point that are looked at together.
COLUMNS = 1 << 15


@dataclass(frozen=True, eq=False)
class PathPlane:
    """The objective on a plane, and a path on it.

    Attributes
    ----------
    plane : Plane
        Losses on the grid; positions are distances, for the directions have length 1.
    path : ndarray (points, 2), float64
        Foot of each point of the path on the plane.
    explained : ndarray (2,), float64
        Shares of the squared distances to the origin that lie along each direction, over all paths on the plane.
    losses : ndarray (points,), float64
        The objective at the points of the path.
    projected_losses : ndarray (points,), float64
        The objective at their feet: what the picture shows under them.
    distances : ndarray (points,), float64
        From each point to its foot.
    origin : (W, b)
        What (0, 0) stands for: the end of the path; of several, of the one with the lowest loss.
    directions : (D, D_b)
        ndarrays (2, n_classes, n_features) and (2, n_classes) or ``None``, in the dtype of the weights.
    axes : {"ends", "pca"}
        How the directions were chosen.
    weights : WeightPath
    """

    plane: Plane
    path: np.ndarray
    explained: np.ndarray
    losses: np.ndarray
    projected_losses: np.ndarray
    distances: np.ndarray
    origin: tuple[np.ndarray, np.ndarray | None]
    directions: tuple[np.ndarray, np.ndarray | None]
    axes: str
    weights: WeightPath

    def __repr__(self) -> str:
        shares = " + ".join(f"{share:.1%}" for share in self.explained)
        return f"<PathPlane: {len(self.path)} points, {self.weights.optimizer}, explained {shares}>"


def path_plane(X: np.ndarray | CSR, y: npt.ArrayLike, path: WeightPath, **options: Any) -> PathPlane:
    """The path of a training on a plane through its end. Parameters as in :func:`path_planes`, for one path."""
    return path_planes(X, y, [path], **options)[0]


def path_planes(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    paths: Sequence[WeightPath],
    *,
    axes: str = "ends",
    resolution: int = 41,
    margin: float = 0.25,
) -> list[PathPlane]:
    """The paths of several trainings on one plane.

    Parameters
    ----------
    X : ndarray (n_samples, n_features)
    y : (n_samples,) class indices
        Samples on which the losses are evaluated: those of the training, or some of them.
    paths : sequence of WeightPath
        Of trainings with the same loss, alpha and standardisation.
    axes : {"ends", "pca"}, default "ends"
        "ends" puts both ends of the (best) path on the plane, so that the losses shown there are its own: the first direction
        leads to the start, the second is the principal component of what is left. "pca" takes the two principal
        components, which explain the most; only the origin is sure to lie on the plane.
    resolution : int >= 2, default 41
        Points of the grid along each direction.
    margin : float >= 0, default 0.25
        How far the grid reaches beyond the paths, as a share of their extent.

    Returns
    -------
    list of PathPlane, one per path, with the same ``plane``

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the points lie on one line, which spans no plane.

    Notes
    -----
    An intercept is part of a point, and moves with the weights.
    """
    if not isinstance(paths, Sequence) or len(paths) == 0 or not all(isinstance(path, WeightPath) for path in paths):
        raise TypeError(f"paths must be a sequence of at least one WeightPath, as record_path returns; got {paths!r}")
    check_choice("axes", axes, AXES)
    resolution, margin = check_integer("resolution", resolution, at_least=2), check_real("margin", margin, at_least=0.0)
    X = check_samples("X", X)
    y = check_labels("y", y, n_samples=X.shape[0])
    options = _objective(paths)

    losses = [loss_values(X, y, path.Ws, path.bs, **options) for path in paths]
    best = int(np.argmin([values[-1] for values in losses]))
    W, b = paths[best].Ws[-1], None if paths[best].bs is None else paths[best].bs[-1]  # type: ignore[index]
    ends = np.cumsum([0, *map(len, paths)])

    gram = _gram(paths, best)
    combinations = _combinations(gram, axes, int(ends[best]))
    feet = gram @ combinations.T
    squares = np.diag(gram)
    distances = np.sqrt(np.maximum(0.0, squares - np.square(feet).sum(axis=1)))
    D, D_b = _directions(paths, best, combinations)

    D1_b, D2_b = (None, None) if D_b is None else D_b
    low, high = feet.min(axis=0), feet.max(axis=0)
    a1, a2 = np.linspace(low - margin * (high - low), high + margin * (high - low), resolution, axis=1)
    grid = plane(W, X, y, D[0], D[1], a1, a2, b, direction1_b=D1_b, direction2_b=D2_b, **options)
    points = family(W, X, y, b, (D[0], D1_b, "direction1"), (D[1], D2_b, "direction2"), **options)
    coefficients = np.column_stack([np.ones(len(feet)), feet])
    projected = points.data_losses(coefficients) + points.penalties(coefficients)
    explained = np.square(feet).sum(axis=0) / squares.sum()
    return [
        PathPlane(
            plane=grid, path=feet[rows], explained=explained, losses=values, projected_losses=projected[rows],
            distances=distances[rows], origin=(W, b), directions=(D, D_b), axes=axes, weights=path,
        )
        for path, values, rows in zip(paths, losses, map(slice, ends[:-1], ends[1:]), strict=True)
    ]  # fmt: skip


def _objective(paths: Sequence[WeightPath]) -> dict[str, Any]:
    """Arguments of the objective, which the trainings must share."""
    first = paths[0]
    if first.Ws.ndim != 3 or first.result.score_function != LINEAR:
        raise ValueError(f"paths must be of linear score functions, for landscapes are; got {first.result.score_function!r}")
    for k, path in enumerate(paths):
        one, other = first.result, path.result
        for name in ("loss", "alpha", "penalize_intercept"):
            if getattr(one, name) != getattr(other, name):
                values = f"{getattr(one, name)!r} and, in paths[{k}], {getattr(other, name)!r}"
                raise ValueError(f"paths must be of trainings with the same {name}; got {values}")
        if not _same(one.standardization, other.standardization):
            raise ValueError(f"paths must be of trainings with the same standardisation; that of paths[{k}] differs")
        kinds = [(part.Ws.shape[1:], part.Ws.dtype, part.bs is None) for part in (first, path)]
        if kinds[0] != kinds[1]:
            raise ValueError(f"paths must hold weights of one shape and dtype, all with b or none; got {first!r} and {path!r}")
    result = first.result
    return {
        "loss": result.loss, "alpha": result.alpha, "sample_weight": None, "penalize_intercept": result.penalize_intercept,
        "standardization": result.standardization, "backend": result.backend, "n_threads": result.n_threads,
    }  # fmt: skip


def _same(one: Standardization | None, other: Standardization | None) -> bool:
    """Whether two trainings saw the samples alike."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one.mean, other.mean) and np.array_equal(one.scale, other.scale)


def _blocks(paths: Sequence[WeightPath], best: int) -> Iterator[np.ndarray]:
    """Differences of all points to the end of the best path, a few columns at a time, in float64; the intercept last."""
    for table in ([path.Ws.reshape(len(path), -1) for path in paths], [path.bs for path in paths if path.bs is not None]):
        if not table:
            continue
        for start in range(0, table[0].shape[1], COLUMNS):
            columns = slice(start, start + COLUMNS)
            origin = table[best][-1, columns].astype(np.float64)
            yield np.concatenate([part[:, columns] for part in table]).astype(np.float64) - origin


def _gram(paths: Sequence[WeightPath], best: int) -> np.ndarray:
    """``D Dᵀ``, (points, points), over the points of all paths."""
    count = sum(map(len, paths))
    return sum((block @ block.T for block in _blocks(paths, best)), start=np.zeros((count, count)))


def _axis(gram: np.ndarray) -> np.ndarray:
    """Combination (points,) of the rows of D that is the direction, of length 1, along which they are longest."""
    values, vectors = np.linalg.eigh(gram)
    longest = vectors[:, -1]
    return longest * (-1.0 if longest[0] < 0.0 else 1.0) / np.sqrt(values[-1])  # the sign: a path begins on the positive side


def _combinations(gram: np.ndarray, axes: str, start: int) -> np.ndarray:
    """Combinations (2, points) of the rows of D that are the two directions; ``start`` is a row."""
    whole = float(np.trace(gram))
    if axes == "ends" and gram[start, start] > 0.0:
        first = np.zeros(len(gram))
        first[start] = 1.0 / np.sqrt(gram[start, start])
    elif axes == "pca" and whole > 0.0:
        first = _axis(gram)
    else:
        raise ValueError("paths must end elsewhere than they begin; these weights did not move")
    feet = gram @ first
    rest = gram - np.outer(feet, feet)  # of D less what lies along the first direction
    if np.trace(rest) <= 1e-12 * whole:
        raise ValueError("paths must have points that do not lie on one line; record more of them: more epochs, or every=1")
    second = _axis(rest)
    return np.stack([first, second - (feet @ second) * first])


def _directions(paths: Sequence[WeightPath], best: int, combinations: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The two directions, as weights and as intercepts."""
    W = paths[best].Ws[-1]
    flat = np.concatenate([combinations @ block for block in _blocks(paths, best)], axis=1).astype(W.dtype)
    D = np.ascontiguousarray(flat[:, : W.size]).reshape(2, *W.shape)
    return D, None if paths[best].bs is None else np.ascontiguousarray(flat[:, W.size :])
