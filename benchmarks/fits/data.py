"""The data sets of solvers.py, written once to a folder, and read by each contender in its own storage.

Pixels stay uint8 there and are divided by 255 where a contender needs floats; text is tf-idf in CSR. With ``--quick`` small
data sets of the same kinds are drawn in place of the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

import fastsvm.datasets

#: Name → what must lie in the data folder, and how the table calls it.
FILES = {
    "fashion-mnist": ("fashion-mnist", "Fashion-MNIST, pixels"),
    "cifar-10": ("cifar-10-batches-bin", "CIFAR-10, pixels"),
    "news": ("news20_train.svm.bz2", "20 Newsgroups by date, tf-idf"),
}
NEWS_TEST = "news20_test.svm.bz2"

#: "stored" is uint8 pixels, or float32 text.
FORMS = ("stored", "float32", "float64")
PARTS = ("train", "test", "fit", "validation")
VALIDATION_SHARE = 0.2


class Part(NamedTuple):
    """``X`` dense or CSR, C-contiguous; ``y`` int64; ``divisor``: what X is to be divided by, 255 where it is uint8, else 1."""

    X: Any
    y: np.ndarray
    n_classes: int
    divisor: float = 1.0

    @property
    def mib(self) -> float:
        arrays = (self.X.data, self.X.indices, self.X.indptr) if sp.issparse(self.X) else (self.X,)
        return sum(array.nbytes for array in arrays) / 2**20

    @property
    def shape(self) -> str:
        """Of the table's title."""
        n, d = self.X.shape
        stored = f", {self.X.nnz:,} non-zeros" if sp.issparse(self.X) else ""
        return f"{n:,} × {d:,}{stored}, {self.n_classes} classes"


def available(name: str, folder: Path | None) -> bool:
    return folder is not None and (folder / FILES[name][0]).exists() and (name != "news" or (folder / NEWS_TEST).exists())


def write(name: str, source: Path, folder: Path) -> None:
    """Read a real data set and lay its four parts into ``folder``."""
    if name == "news":
        from sklearn.datasets import load_svmlight_files

        files = [str(source / file) for file in (FILES[name][0], NEWS_TEST)]
        X, y, X_test, y_test = load_svmlight_files(files, dtype=np.float32)
        _lay(folder, _int32(X), y, _int32(X_test), y_test)
    else:
        dataset = fastsvm.datasets.load(source / FILES[name][0])
        if dataset.X_test is None or dataset.y_test is None:
            raise ValueError(f"{source / FILES[name][0]} must have a test part")
        _lay(folder, dataset.X, dataset.y, dataset.X_test, dataset.y_test)


def draw(name: str, folder: Path) -> None:
    """A small data set of the same kind: a pattern of each class under noise, or words that some classes use more often."""
    rng = np.random.default_rng(0)
    n, n_classes, n_features = 600, 5, 2000 if name == "news" else 60
    y = rng.permutation(n) % n_classes
    if name == "news":
        weights = rng.random((n_classes, n_features)) ** 8
        X = rng.poisson(40 * weights[y] / weights.sum(axis=1)[y, None]).astype(np.float32)
        X = sp.csr_matrix(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1))
    else:
        patterns = rng.integers(60, 200, (n_classes, n_features))
        X = np.clip(patterns[y] + rng.normal(0, 90, (n, n_features)), 0, 255).astype(np.uint8)
    test = np.arange(n) >= 450
    halves = (X[~test], y[~test], X[test], y[test])
    _lay(folder, *(tuple(map(_int32, halves)) if name == "news" else halves))


def _int32(X: Any) -> Any:
    """Indices that every contender takes."""
    if not sp.issparse(X):
        return X
    return sp.csr_matrix((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)


def _lay(folder: Path, X: Any, y: np.ndarray, X_test: Any, y_test: np.ndarray) -> None:
    """``fit`` and ``validation`` are parts of ``train``: the settings are chosen there, never on the test part."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = np.random.default_rng(0).permutation(len(y))
    cut = int(VALIDATION_SHARE * len(y))
    rows = {"validation": np.sort(chosen[:cut]), "fit": np.sort(chosen[cut:])}
    parts = {"train": (X, y), "test": (X_test, y_test)} | {part: (X[some], y[some]) for part, some in rows.items()}
    for part, (samples, labels) in parts.items():
        np.save(folder / f"{part}-y.npy", labels.astype(np.int64))
        if sp.issparse(samples):
            sp.save_npz(folder / f"{part}-X.npz", samples, compressed=False)
        else:
            np.save(folder / f"{part}-X.npy", samples)


def load(folder: Path, part: str, form: str = "stored") -> Part:
    """A part in one of the `FORMS`."""
    y = np.load(folder / f"{part}-y.npy")
    n_classes = int(np.load(folder / "train-y.npy", mmap_mode="r").max()) + 1
    if (folder / f"{part}-X.npz").exists():
        X = _int32(sp.load_npz(folder / f"{part}-X.npz"))
        return Part(X if form == "stored" else X.astype(form), y, n_classes)
    X = np.load(folder / f"{part}-X.npy")
    if form == "stored":
        return Part(X, y, n_classes, 255.0)
    return Part(np.multiply(X, np.dtype(form).type(1 / 255), dtype=form), y, n_classes)


def small(like: Part) -> Part:
    """A few rows of the same kind, on which a contender loads and compiles what it needs before the clock runs."""
    rng = np.random.default_rng(0)
    y = np.arange(4 * like.n_classes) % like.n_classes
    X = rng.integers(0, 200, (len(y), 8)).astype(like.X.dtype)
    if like.X.dtype != np.uint8:
        X /= 255
    return like._replace(X=_int32(sp.csr_matrix(X)) if sp.issparse(like.X) else X, y=y)
