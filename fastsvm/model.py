"""A trained model: weights and all that is needed to use them again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fastsvm import model_file, objective, prediction
from fastsvm.exceptions import DataFormatError
from fastsvm.files import write_bytes
from fastsvm.losses import Loss, WestonWatkins, as_loss
from fastsvm.score_functions import LINEAR, ScoreFunction, as_score_function
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization
from fastsvm.validation import check_finite, check_flag, check_real, check_samples


@dataclass(frozen=True, eq=False)
class Model:
    """Weights and what is needed to use them.

    Parameters
    ----------
    W : ndarray (n_classes, n_features), float32 or float64, C-contiguous
    b : ndarray (n_classes,), dtype of ``W``, or None
        With another score function: of its shapes.
    standardization : Standardization, optional
        Applied to samples inside the kernels.
    class_names : sequence of str, optional
        One per class, in the order of the class indices.
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
        What the model was trained on, and what `evaluate` reports.
    alpha : float >= 0, default 0.0
        Strength of the penalty, likewise.
    penalize_intercept : bool, default False
        Whether the penalty includes ``b``, likewise.
    metadata : mapping of str to str, optional
        Anything worth remembering: the data set, the accuracy reached. Saved, never interpreted.
    score_function : ScoreFunction, default linear
        How scores come from samples and weights.

    Raises
    ------
    TypeError, ValueError
        If shapes, dtypes or values do not fit together. The arrays are kept, not copied.

    Examples
    --------
    >>> import numpy as np, fastsvm
    >>> model = fastsvm.Model(np.array([[1.0, 0.0], [0.0, 1.0]]), class_names=("left", "right"))
    >>> model.predict(np.array([[0.2, 0.9]])).tolist()
    [1]
    """

    W: np.ndarray
    b: np.ndarray | None = None
    standardization: Standardization | None = None
    class_names: Sequence[str] | None = None
    loss: Loss = field(default_factory=WestonWatkins)
    alpha: float = 0.0
    penalize_intercept: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    score_function: ScoreFunction = LINEAR

    def __post_init__(self) -> None:
        object.__setattr__(self, "score_function", as_score_function(self.score_function))
        W, b = self.score_function.check(self.W, self.b)
        if self.n_features == 0:
            raise ValueError(f"W must have at least 1 column; got shape {W.shape}")
        check_finite("W", W)
        if b is not None:
            check_finite("b", b)
        _check_standardization(self.standardization, self.n_features)
        checked = {
            "class_names": _check_names(self.class_names, self.n_classes),
            "loss": as_loss(self.loss),
            "alpha": check_real("alpha", self.alpha, at_least=0.0),
            "penalize_intercept": check_flag("penalize_intercept", self.penalize_intercept),
            "metadata": _check_metadata(self.metadata),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        network = "" if self.score_function == LINEAR else f"{self.score_function!r}, "
        return (
            f"Model({self.n_classes} classes, {self.n_features} features, {network}{self.W.dtype}, loss={self.loss!r}, "
            f"alpha={self.alpha:g}, standardization={self.standardization.kind if self.standardization else 'none'!r})"
        )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.score_function.dimensions(self.W)[1]

    @property
    def n_features(self) -> int:
        """Number of features of a sample."""
        return self.score_function.dimensions(self.W)[0]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """``W`` and ``b`` by name; of a network ``W1``, ``b1``, ``W2`` and ``b2``. Views."""
        return self.score_function.parameters(self.W, self.b)

    def name(self, index: int) -> str:
        """Name of a class, or its index as text where the model has no names."""
        return self.class_names[index] if self.class_names is not None else str(int(index))

    def scores(self, X: np.ndarray | CSR, *, backend: str | None = None, n_threads: int | None = None) -> np.ndarray:
        """Return the scores of samples: ``X Wᵀ + b`` of the standardised ones, or what else the score function says.

        Parameters
        ----------
        X : ndarray (n_samples, n_features), of a dtype of :mod:`fastsvm.storage`, C-contiguous; or CSR
            float64 samples need a float64 model.
        backend, n_threads
            As in :mod:`fastsvm.objective`.

        Returns
        -------
        ndarray (n_samples, n_classes), dtype of ``W``

        Raises
        ------
        TypeError, ValueError
            If the samples do not fit the model or are not finite.
        """
        self._check_features(X)
        return prediction.decision_scores(
            self.W, X, self.b, standardization=self.standardization, backend=backend, n_threads=n_threads,
            score_function=self.score_function,
        )  # fmt: skip

    def predict(self, X: np.ndarray | CSR, *, backend: str | None = None, n_threads: int | None = None) -> np.ndarray:
        """Return the class index of each sample, int64 (n_samples,): the first of its largest scores.

        Parameters and errors as in `scores`.
        """
        self._check_features(X)
        return prediction.predict(
            self.W, X, self.b, standardization=self.standardization, backend=backend, n_threads=n_threads,
            score_function=self.score_function,
        )  # fmt: skip

    def top_k(
        self, X: np.ndarray | CSR, k: int, *, backend: str | None = None, n_threads: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the class indices of the ``k`` largest scores of each sample, int64 (n_samples, k), and these scores.

        The largest comes first, the lower class in a tie. ``k`` must be in [1, n_classes]; the rest is as in `scores`.
        """
        self._check_features(X)
        return prediction.top_k(
            self.W, X, k, self.b, standardization=self.standardization, backend=backend, n_threads=n_threads,
            score_function=self.score_function,
        )  # fmt: skip

    def evaluate(
        self, X: np.ndarray | CSR, y: np.ndarray, *, backend: str | None = None, n_threads: int | None = None
    ) -> tuple[float, float]:
        """Return the objective (penalty included) and the accuracy on labelled samples.

        Parameters
        ----------
        y : integer ndarray (n_samples,)
            Class indices. The other parameters and errors are as in `scores`.
        """
        self._check_features(X)
        return objective.evaluate(
            self.W, X, y, self.b, self.loss, self.alpha,
            standardization=self.standardization, penalize_intercept=self.penalize_intercept,
            backend=backend, n_threads=n_threads, score_function=self.score_function,
        )  # fmt: skip

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a safetensors file, replacing what is there only once the new file is safely on disk.

        Raises
        ------
        TypeError, ValueError, OSError
            If the file cannot be written; an existing file is then unchanged.
        """
        write_bytes(path, model_file.to_bytes(self))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Model:
        """Same as :func:`load_model`."""
        return load_model(path)

    def _check_features(self, X: Any) -> None:
        X = check_samples("X", X)
        if X.shape[1] != self.n_features:
            raise ValueError(f"X must have the {self.n_features} features the model was trained on; got {X.shape[1]}")


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file, checking everything before it is used.

    Parameters
    ----------
    path : str or path
        A file `Model.save` wrote.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file or it cannot be read.
    DataFormatError
        If it is not a model of fastsvm, comes from a newer version, or its parts do not fit together.
    """
    path = Path(path)
    with path.open("rb"):  # raises what one expects of a missing file or a folder
        pass
    try:
        return Model(**model_file.read(path))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataFormatError(f"{path} is not a usable fastsvm model: {error}") from error


def _check_standardization(standardization: Any, n_features: int) -> None:
    if standardization is None:
        return
    if not isinstance(standardization, Standardization):
        raise TypeError(f"standardization must be a Standardization or None; got {type(standardization).__name__}")
    if len(standardization.mean) != n_features:
        raise ValueError(f"standardization must have one entry per feature, {n_features}; got {len(standardization.mean)}")


def _check_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string; got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} must be text that UTF-8 can hold; got {value!r}") from None
    return value


def _check_names(names: Any, n_classes: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, np.ndarray) and names.ndim == 1:
        names = names.tolist()
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"class_names must be a sequence of strings or None; got {names!r}")
    if len(names) != n_classes:
        raise ValueError(f"class_names must have one name per class, {n_classes}; got {len(names)}")
    checked = tuple(_check_text(f"class_names[{k}]", name) for k, name in enumerate(names))
    twice = next((name for k, name in enumerate(checked) if name in checked[:k]), None)
    if twice is not None:
        raise ValueError(f"class_names must differ from one another; {twice!r} is there twice")
    return checked


def _check_metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must map strings to strings; got {metadata!r}")
    return {_check_text("a key of metadata", key): _check_text(f"metadata[{key!r}]", metadata[key]) for key in metadata}
