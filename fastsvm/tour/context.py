"""What every chapter is given: the data, how much of everything there is time for, and the sizes that suit the data."""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from fastsvm.datasets import Dataset
from fastsvm.losses import WestonWatkins
from fastsvm.standardization import Standardization, fit_standardization
from fastsvm.storage import as_numbers
from fastsvm.tour import pictures
from fastsvm.tour.story import Journey, Seconds
from fastsvm.tour.writing import Texts
from fastsvm.training import TrainResult, train

#: Mean squared length of CIFAR-10's images after the mean is subtracted, to the digits that choosing a step size needs.
CIFAR_RADIUS = 3500.0

#: More numbers than this are thinned: a tour is to end within minutes.
MOST_NUMBERS = 200_000_000


@dataclass(frozen=True)
class Plan:
    """How much of everything a tour does. These numbers suit CIFAR-10: four minutes on two cores."""

    attempts: int = 1000
    line_points: int = 401
    plane_points: int = 200
    small_plane_points: int = 120
    surface_points: int = 60
    updates: int = 250
    exact_updates: int = 60
    epochs: int = 10
    study_epochs: int = 8
    study_samples: int = 20_000
    check_samples: int = 200
    check_coordinates: int = 200
    draws: int = 20
    decay_factor: float = 5.0
    trials: int = 16
    trial_epochs: int = 5
    hidden: int = 200
    network_epochs: int = 14
    network_batch: int = 128
    network_rate: float = 1e-3
    network_alpha: float = 1e-3


#: For tests: everything, hardly any of it.
QUICK = Plan(
    attempts=20, line_points=41, plane_points=12, small_plane_points=12, surface_points=12, updates=8, exact_updates=4,
    epochs=2, study_epochs=3, study_samples=300, check_samples=20, check_coordinates=20, draws=3, trials=3, trial_epochs=2,
    hidden=16, network_epochs=2,
)  # fmt: skip


def plan_for(dataset: Dataset) -> Plan:
    """The plan for a data set: small ones get more epochs, since one of theirs has fewer updates."""
    n = len(dataset.y)
    if n >= 20_000:
        return Plan()
    longer = min(20, 20_000 // n)
    return replace(
        Plan(), study_samples=n, epochs=5 * longer, study_epochs=2 * longer, trial_epochs=2 * longer, network_epochs=3 * longer,
        network_batch=32, network_rate=3e-3, network_alpha=1e-2,
        decay_factor=50.0,  # they are nearly separable, and take higher rates
    )  # fmt: skip


@dataclass(eq=False)
class Context:
    """A tour under way.

    Attributes
    ----------
    dataset : Dataset
        With a test part; float64 samples have become float32.
    source : str
        Where it came from, as one types it.
    language : str
    plan : Plan
    seed : int
    untouched : bool
        Whether the training part is what its reader would get, not thinned and in no other precision.
    made_dense : bool
        Whether the samples were CSR, which a tour does not take: it centres them.
    options : dict
        ``backend`` and ``n_threads``, for every call.
    journey : Journey
        What has been found so far.
    found : dict
        Results that later chapters build on, by name.
    standardization : Standardization
        The training part's mean, as the lectures subtract it.
    radius : float
        Root mean square length of a sample after that: scores, and so steps that make sense, go with it.
    """

    dataset: Dataset
    source: str
    language: str
    plan: Plan
    seed: int
    options: dict[str, Any]
    journey: Journey
    untouched: bool = False
    made_dense: bool = False
    found: dict[str, Any] = field(default_factory=dict)
    standardization: Standardization = field(init=False)
    radius: float = field(init=False)
    texts: Texts = field(init=False)

    def __post_init__(self) -> None:
        self.texts = Texts(self.language)
        statistics = fit_standardization(self.dataset.X, "mean")
        assert statistics is not None
        self.standardization = statistics
        rows = self.rng("radius").permutation(len(self.y))[:2000]
        centred = statistics.apply(np.ascontiguousarray(self.X[np.sort(rows)]))
        self.radius = float(np.sqrt(np.square(centred).sum(axis=1).mean())) or 1.0

    @property
    def X(self) -> np.ndarray:
        """Training samples as stored."""
        return self.dataset.X

    @property
    def y(self) -> np.ndarray:
        """Their classes."""
        return self.dataset.y

    @property
    def X_test(self) -> np.ndarray:
        """Test samples."""
        assert self.dataset.X_test is not None
        return self.dataset.X_test

    @property
    def y_test(self) -> np.ndarray:
        """Their classes."""
        assert self.dataset.y_test is not None
        return self.dataset.y_test

    @property
    def shape(self) -> tuple[int, int]:
        """Of W: (n_classes, n_features)."""
        return self.dataset.n_classes, self.dataset.n_features

    @property
    def is_lecture_data(self) -> bool:
        """Whether this is CIFAR-10, for which the lectures give numbers of their own."""
        return self.dataset.n_classes == 10 and self.dataset.image_shape == (32, 32, 3)

    @property
    def where(self) -> dict[str, Any]:
        """Arguments of functions of the objective: how samples are read, and what computes."""
        return {"standardization": self.standardization, **self.options}

    @property
    def scale(self) -> float:
        """Standard deviation of random weights: the lecture's 1e-4 on CIFAR-10, elsewhere what gives scores as large."""
        return 1e-4 if self.is_lecture_data else nice(1e-4 * CIFAR_RADIUS / self.radius)

    @property
    def decades(self) -> int:
        """By how many powers of ten steps are longer here than on CIFAR-10: they go with one over the squared radius."""
        return 0 if self.is_lecture_data else round(2 * np.log10(CIFAR_RADIUS / self.radius))

    def rate(self, rule: str) -> float:
        """A learning rate that suits a rule here: steps of plain rules go with 1/radius², of adaptive ones with 1/radius."""
        if rule in ("sgd", "momentum", "nesterov"):
            return nice({"sgd": 1.2, "momentum": 0.4, "nesterov": 0.4}[rule] / self.radius**2)
        return nice({"adagrad": 0.2}.get(rule, 0.035) / self.radius)

    @property
    def alpha(self) -> float:
        """A penalty that is felt here but does not rule."""
        return nice(8e-5 * self.radius**2)

    def rng(self, name: str) -> np.random.Generator:
        """A generator of a name's own: what one chapter draws does not change the next."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def weights(self, name: str, scale: float) -> np.ndarray:
        """Random weights ``scale · N(0, 1)``, float32."""
        return (scale * self.rng(name).standard_normal(self.shape)).astype(np.float32)

    def subset(self, name: str, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
        """So many training samples and their classes, or all."""
        if n_samples >= len(self.y):
            return self.X, self.y
        rows = np.sort(self.rng(name).permutation(len(self.y))[:n_samples])
        return np.ascontiguousarray(self.X[rows]), self.y[rows]

    def train(self, X: np.ndarray | None = None, y: np.ndarray | None = None, **settings: Any) -> TrainResult:
        """Train on the training part, or on what is given. Ctrl-C ends the tour, not only the training."""
        given: dict[str, Any] = {
            "n_classes": self.dataset.n_classes, "standardize": self.standardization, "loss": WestonWatkins(), "alpha": 0.0,
            "seed": self.seed, **self.options, **settings,
        }  # fmt: skip
        result = train(self.X if X is None else X, self.y if y is None else y, **given)
        return uninterrupted(result)

    @property
    def typed(self) -> str:
        """The data as one types them after a command that takes them as they are stored."""
        return shlex.quote(self.source) + (" --dense" if self.made_dense else "")

    @property
    def seeded(self) -> str:
        """What Python code needs for the same random numbers: nothing where 0 is the default."""
        return f", seed={self.seed}" if self.seed else ""

    @property
    def seed_option(self) -> str:
        """The same for a command."""
        return f" --seed {self.seed}" if self.seed else ""

    def same(self, *languages: str) -> str:
        """Those languages, if code in them is given the samples that this tour has."""
        return " ".join(languages) if self.untouched else ""

    def label(self, key: str) -> str:
        """A word in a figure."""
        return str(self.texts.entries["labels"][key])

    def curves(self, curves: dict[str, tuple[Any, Any]], x: str, y: str, log: str = "") -> Any:
        """Lines with a legend; ``x`` and ``y`` are names of labels."""
        return pictures.scatter_curves(curves, xlabel=self.label(x), ylabel=self.label(y), log=log)

    def accuracy(self, result: Any) -> float:
        """Test accuracy of a result."""
        return float(result.evaluate(self.X_test, self.y_test)[1])


def uninterrupted(result: Any) -> Any:
    """A result whose making Ctrl-C has not cut short; else the interruption goes on."""
    if getattr(result, "stop_reason", None) == "interrupted":
        raise KeyboardInterrupt
    return result


def nice(value: float) -> float:
    """``value`` to one digit: 0.00034 as 0.0003."""
    return float(f"{value:.0e}")


def fixed(value: float, digits: int, signed: bool = False) -> str:
    """``value`` with so many decimals and a true minus sign, for columns of numbers that are to line up."""
    return f"{value:{'+' if signed else ''},.{digits}f}".replace("-", "−")


def fastest(work: Callable[[], Any], times: int = 3) -> Seconds:
    """Shortest time of a few runs: what the work takes where nothing else is in the way."""
    found = []
    for _ in range(times):
        with Clock() as clock:
            work()
        found.append(clock.seconds)
    return min(found)


def wide_range(*curves: np.ndarray, times: float = 20.0) -> bool:
    """Whether numbers > 0 reach over so many sizes that they are better drawn on a logarithmic axis."""
    values = np.concatenate([np.ravel(curve) for curve in curves])
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > times * values.min())


class Clock:
    """Measures a block: ``with Clock() as clock: ...``, then ``clock.seconds``."""

    def __enter__(self) -> Clock:
        self.start = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = Seconds(perf_counter() - self.start)


def thinned(dataset: Dataset, seed: int) -> Dataset:
    """A data set small enough for a tour, with a test part; float64 samples as float32."""
    dataset = dataset.split(seed=seed)
    assert dataset.X_test is not None
    assert dataset.y_test is not None
    parts: dict[str, Any] = {}
    for part, (X, y) in {"": (dataset.X, dataset.y), "_test": (dataset.X_test, dataset.y_test)}.items():
        most = max(1000, MOST_NUMBERS // X.shape[1])
        if len(y) > most:
            rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:most])
            X, y = np.ascontiguousarray(X[rows]), y[rows]
        parts |= {f"X{part}": as_numbers(X, np.float32) if X.dtype == np.float64 else X, f"y{part}": y}
    return replace(dataset, **parts)
