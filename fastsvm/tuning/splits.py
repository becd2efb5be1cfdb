"""Parts to train on and parts to validate on."""

from __future__ import annotations

import threading
import warnings
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsvm.sparse import CSR
from fastsvm.validation import (
    check_finite,
    check_integer,
    check_labels,
    check_real,
    check_sample_weight,
    check_samples,
    check_splittable,
    check_storage,
)

HOLDOUT = 0.2


@dataclass(frozen=True, eq=False)
class Part:
    """Samples, class indices, and weights or ``None``."""

    X: np.ndarray | CSR
    y: np.ndarray
    sample_weight: np.ndarray | None

    def take(self, rows: np.ndarray) -> Part:
        """A copy of some rows, in the dtype they are stored in."""
        return Part(self.X[rows], self.y[rows], None if self.sample_weight is None else self.sample_weight[rows])


@dataclass(frozen=True, eq=False)
class Split:
    """What to train on and what to validate on; nothing of the second is seen in training."""

    train: Part
    validation: Part


class Splits:
    """The splits of a search by number. Those made of rows are copied when they are asked for.

    All who use a split at one time use the same copy, which goes with the last of them: with k folds there are never more
    than k copies, and as a rule there is one. A single split is kept.
    """

    def __init__(self, whole: Part, rows: list[tuple[np.ndarray, np.ndarray]], given: Split | None = None) -> None:
        self._whole, self._rows = whole, rows
        self._locks = [threading.Lock() for _ in rows]
        self._in_use: list[Any] = [lambda: None] * len(rows)  # weak references, once there is something to refer to
        self._kept = given

    def __len__(self) -> int:
        return max(1, len(self._rows))

    def __getitem__(self, k: int) -> Split:
        if not self._rows:
            assert self._kept is not None
            return self._kept
        with self._locks[k]:
            split = self._in_use[k]()
            if split is None:
                train, validation = self._rows[k]
                split = Split(self._whole.take(train), self._whole.take(validation))
                self._in_use[k] = weakref.ref(split)
            if len(self._rows) == 1:
                self._kept = split
            return split

    @property
    def n_train(self) -> int:
        """Samples of the first training part."""
        return len(self._rows[0][0]) if self._rows else len(self._whole.y)

    def guess(self) -> float:
        """Mean accuracy, over the splits, of always answering the class most frequent in the training part."""
        if self._rows:
            parts = [(self._whole.y[train], self._whole.y[validation]) for train, validation in self._rows]
        else:
            assert self._kept is not None
            parts = [(self._whole.y, self._kept.validation.y)]
        return float(np.mean([np.mean(validation == np.bincount(train).argmax()) for train, validation in parts]))


def check_ways(validation: Any, folds: Any, holdout: Any, n_samples: int) -> tuple[int | None, float | None]:
    """At most one of the three ways to validate; returns folds and holdout, of which one is given by default."""
    ways = {"validation": validation, "folds": folds, "holdout": holdout}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} must not be given together: each says what to validate on")
    if folds is not None:
        return check_integer("folds", folds, at_least=2, at_most=n_samples), None
    if validation is not None:
        return None, None
    return None, check_real("holdout", HOLDOUT if holdout is None else holdout, above=0.0, below=1.0)


def make_splits(
    whole: Part, *, validation: Any, folds: int | None, holdout: float | None, n_classes: int, dtype: np.dtype, seed: int
) -> Splits:
    """Stratified folds, a stratified part held out, or the part given. ``dtype`` is that of the weights to come."""
    if validation is not None:
        return Splits(whole, [], Split(whole, _check_part(validation, whole, n_classes, dtype)))
    from sklearn.model_selection import StratifiedKFold, train_test_split

    n = len(whole.y)
    if folds is not None:
        if folds > (most := int(np.bincount(whole.y).max())):
            raise ValueError(f"folds={folds} does not split {n} samples: no class has more than {most}")
        with warnings.catch_warnings():  # classes rarer than folds are spread as far as they go, which does no harm
            warnings.simplefilter("ignore", UserWarning)
            splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
            return Splits(whole, list(splitter.split(np.zeros(n), whole.y)))
    assert holdout is not None
    check_splittable("holdout", holdout, whole.y)
    train, held_out = train_test_split(np.arange(n), test_size=holdout, stratify=whole.y, random_state=seed)
    return Splits(whole, [(np.sort(train), np.sort(held_out))])  # in order, memory is read from one end to the other


def _check_part(validation: Any, whole: Part, n_classes: int, dtype: np.dtype) -> Part:
    """The validation part a user gave."""
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        got = f"{len(validation)} entries" if isinstance(validation, (tuple, list)) else type(validation).__name__
        raise TypeError(f"validation must be (X, y) or (X, y, sample_weight); got {got}")
    X = check_samples("validation[0]", validation[0])
    n, n_features = X.shape[0], whole.X.shape[1]
    if X.shape[1] != n_features:
        raise ValueError(f"validation[0] must have as many features as X, {n_features}; got shape {X.shape}")
    check_storage(X, dtype, "validation[0]")
    check_finite("validation[0]", X)
    weight = validation[2] if len(validation) == 3 else None
    return Part(
        X,
        check_labels("validation[1]", validation[1], n_samples=n, n_classes=n_classes),
        check_sample_weight("validation[2]", weight, n_samples=n),
    )
