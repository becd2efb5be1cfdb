"""What figures read of the results of parts that this one must not import, and of anything else that has these attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from fastsvm.landscape import Plane


class RateStudy(Protocol):
    """:class:`fastsvm.effects.RateStudy`: loss curves of several learning rates."""

    @property
    def rates(self) -> Any: ...
    @property
    def curves(self) -> np.ndarray: ...
    @property
    def verdict(self) -> Sequence[str]: ...


class BatchStudy(Protocol):
    """:class:`fastsvm.effects.BatchStudy`: gradients of minibatches against the full one."""

    @property
    def batch_sizes(self) -> Any: ...
    @property
    def cosine(self) -> np.ndarray: ...
    @property
    def norm_ratio(self) -> np.ndarray: ...
    @property
    def error(self) -> np.ndarray: ...
    @property
    def law(self) -> np.ndarray: ...


class BatchSizeStudy(Protocol):
    """:class:`fastsvm.effects.BatchSizeStudy`: trainings that differ in the batch size."""

    @property
    def batch_sizes(self) -> Any: ...
    @property
    def losses(self) -> np.ndarray: ...
    @property
    def updates(self) -> np.ndarray: ...
    @property
    def samples(self) -> np.ndarray: ...


class Surface(Protocol):
    """:class:`fastsvm.trajectories.Surface`: a function of two variables."""

    @property
    def name(self) -> str: ...
    @property
    def f(self) -> Callable[[np.ndarray], Any]: ...
    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]: ...
    @property
    def minimum(self) -> tuple[float, float] | None: ...


class Descent(Protocol):
    """:class:`fastsvm.trajectories.Descent`: the path of an optimizer on a surface."""

    @property
    def optimizer(self) -> Any: ...
    @property
    def path(self) -> np.ndarray: ...
    @property
    def diverged(self) -> bool: ...


class PathPlane(Protocol):
    """:class:`fastsvm.trajectories.PathPlane`: a training's path on the plane it moves in most."""

    @property
    def plane(self) -> Plane: ...
    @property
    def path(self) -> np.ndarray: ...
    @property
    def explained(self) -> np.ndarray: ...


class Trial(Protocol):
    """:class:`fastsvm.tuning.Trial`: what came of one pair of settings."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def diverged(self) -> bool: ...


class Tuning(Protocol):
    """:class:`fastsvm.tuning.Tuning`: all trials of a search for settings."""

    @property
    def trials(self) -> Sequence[Trial]: ...
