"""A data set in memory (or mapped from a file): samples, class indices and what is known about them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fastsvm.sparse import Rows, is_sparse
from fastsvm.storage import as_stored, storage_name
from fastsvm.validation import check_array, check_integer, check_labels, check_real, check_samples, check_splittable


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training samples with their classes, and a test part where there is one.

    Attributes
    ----------
    name : str
        What the data set is called; as a rule the name of its folder or file.
    X : ndarray (n_samples, n_features), of a dtype of :mod:`fastsvm.storage`, C-contiguous; or CSR
        Samples as stored: pixels stay uint8; uint16 is bfloat16. May be read-only and mapped from a file. Sparse samples are a
        ``scipy.sparse.csr_array`` as in :mod:`fastsvm.objective`.
    y : ndarray (n_samples,), int64
        Class indices in [0, n_classes); at least two classes occur. Any integer dtype is accepted and converted.
    X_test, y_test : ndarray, or both ``None``
        The test part: shape (n_test, n_features), dtype of ``X``, CSR where ``X`` is; class indices as in ``y``.
    class_names : tuple of str
        One name per class; the class indices as strings where nothing better is known. Empty means those.
    image_shape : tuple of int, or ``None``
        ``(height, width)`` or ``(height, width, channels)`` where samples are images. A row holds the channels as planes one
        after the other, each row by row: ``X[i].reshape(28, 28)`` and, for CIFAR-10's planes of red, green and blue,
        ``X[i].reshape(3, 32, 32).transpose(1, 2, 0)`` are the pictures.

    Raises
    ------
    TypeError, ValueError
        If the parts do not fit each other; the message names the attribute.
    """

    name: str
    X: Rows
    y: np.ndarray
    X_test: Rows | None = None
    y_test: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        X = check_samples("X", self.X)
        y = check_labels("y", self.y, n_samples=X.shape[0])
        if y.min() == y.max():
            raise ValueError(f"y must hold at least two classes; every label is {y[0]}")
        names = self.class_names or tuple(map(str, range(int(y.max()) + 1)))
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"class_names must be a tuple of strings; got {type(self.class_names).__name__}")
        check_labels("y", y, n_samples=X.shape[0], n_classes=len(names))
        self._set(X=X, y=y, class_names=names)
        if (self.X_test is None) != (self.y_test is None):
            given, missing = ("y_test", "X_test") if self.X_test is None else ("X_test", "y_test")
            raise ValueError(f"X_test and y_test must be given together; got {given} without {missing}")
        if self.X_test is not None:
            X_test = self._check_test(X)
            if X_test.shape[0] == 0 or X_test.shape[1] != X.shape[1]:
                raise ValueError(f"X_test must have shape (at least 1, {X.shape[1]}), as X has; got {X_test.shape}")
            self._set(
                X_test=X_test,
                y_test=check_labels("y_test", self.y_test, n_samples=X_test.shape[0], n_classes=len(names)),
            )
        if self.image_shape is not None and (len(self.image_shape) not in (2, 3) or math.prod(self.image_shape) != X.shape[1]):
            raise ValueError(
                f"image_shape must be (height, width) or (height, width, channels) with {X.shape[1]} numbers in all, "
                f"one per feature of X; got {self.image_shape}"
            )

    def _check_test(self, X: Rows) -> Rows:
        """The test samples, which must be of the kind of ``X``."""
        if not is_sparse(X):
            return check_array("X_test", as_stored(self.X_test), dtypes=(X.dtype.name,), ndim=2)
        if not is_sparse(self.X_test):
            raise TypeError(f"X_test must be CSR, as X is; got {type(self.X_test).__name__}")
        X_test = check_samples("X_test", self.X_test)
        if X_test.dtype != X.dtype:
            raise TypeError(f"X_test must have dtype {X.dtype}, as X has; got {X_test.dtype}")
        return X_test

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.X.shape[1]

    def split(self, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
        """Return a data set that has a test part: this one, or one whose test part is drawn from the samples of this one.

        Parameters
        ----------
        test_fraction : float in (0, 1), default 0.2
            Share of the samples held out, the same in every class as nearly as whole samples allow
            (scikit-learn's ``train_test_split`` with ``stratify=y``).
        seed : int in [0, 2**32), default 0

        Returns
        -------
        Dataset
            Samples are copied, unless there is a test part already.

        Raises
        ------
        ValueError
            If a class has a single sample, or either part would have fewer samples than there are classes.
        """
        check_real("test_fraction", test_fraction, above=0.0, below=1.0)
        check_integer("seed", seed, at_least=0, at_most=2**32 - 1)
        if self.X_test is not None:
            return self
        from sklearn.model_selection import train_test_split

        rows = np.arange(len(self.y))
        check_splittable("test_fraction", float(test_fraction), self.y)
        train, test = train_test_split(rows, test_size=float(test_fraction), stratify=self.y, random_state=int(seed))
        return replace(self, X=self.X[train], y=self.y[train], X_test=self.X[test], y_test=self.y[test])

    def to_dense(self) -> Dataset:
        """Return a data set with dense samples: this one, or a copy of its CSR samples with all their zeros."""
        if not is_sparse(self.X):
            return self
        return replace(self, X=self.X.toarray(), X_test=None if self.X_test is None else self.X_test.toarray())

    def __repr__(self) -> str:
        names = [repr(name) for name in self.class_names]
        if len(names) > 6:
            names[4:-1] = ["..."]
        kind = f" CSR with {self.X.nnz} non-zeros" if is_sparse(self.X) else ""
        parts = [f"{self.name!r}", f"X {self.X.shape} {storage_name(self.X)}{kind}"]
        if self.X_test is not None:
            parts.append(f"X_test {self.X_test.shape}")
        parts.append(f"{self.n_classes} classes: {', '.join(names)}")
        if self.image_shape is not None:
            parts.append("images " + " x ".join(map(str, self.image_shape)))
        return f"<Dataset {'; '.join(parts)}>"
