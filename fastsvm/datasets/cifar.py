"""CIFAR-10 in its two layouts, as https://www.cs.toronto.edu/~kriz/cifar.html describes them.

Both hold 3072 pixels per image: a plane of 32 x 32 reds, one of greens, one of blues, each row by row.

python version
    ``data_batch_1`` … ``data_batch_5`` and ``test_batch``: pickled dictionaries with ``data`` (n, 3072) uint8 and
    ``labels``, a list of n integers; ``batches.meta``: ``num_cases_per_batch`` (that n), ``num_vis`` (3072),
    ``label_names``.
binary version
    ``data_batch_1.bin`` … ``test_batch.bin``: records of 3073 bytes, a label and its image; ``batches.meta.txt``: one
    name per line.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from fastsvm.datasets.dataset import Dataset
from fastsvm.datasets.pickles import load_pickle
from fastsvm.datasets.reading import folder_name, reading
from fastsvm.exceptions import DataFormatError

N_CLASSES = 10
IMAGE_SHAPE = (32, 32, 3)
N_PIXELS = 32 * 32 * 3
RECORD = 1 + N_PIXELS

BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))
PYTHON_FILES = (*BATCHES, "test_batch", "batches.meta")
BINARY_FILES = (*(f"{name}.bin" for name in BATCHES), "test_batch.bin", "batches.meta.txt")


def is_python(names: Collection[str]) -> bool:
    """Whether these file names are those of the python version, or some of them."""
    return any(name in names for name in PYTHON_FILES[:-1])


def is_binary(names: Collection[str]) -> bool:
    """Whether these file names are those of the binary version, or some of them."""
    return any(name in names for name in BINARY_FILES[:-1])


def load_python(folder: Path) -> Dataset:
    """Load the python version. Raises `DataFormatError` naming the file that is missing, truncated, wrong or hostile."""
    _check_complete(folder, PYTHON_FILES)
    meta_path = folder / "batches.meta"
    meta = load_pickle(meta_path)
    n, pixels, names = (_entry(meta_path, meta, key) for key in ("num_cases_per_batch", "num_vis", "label_names"))
    if type(n) is not int or n < 1 or type(pixels) is not int or pixels != N_PIXELS:
        found = " and ".join(str(v) if type(v) is int else f"a {type(v).__name__}" for v in (n, pixels))
        raise DataFormatError(f"{meta_path}: num_cases_per_batch and num_vis are {found}; expected a count and {N_PIXELS}")
    if type(names) is not list:
        raise DataFormatError(f"{meta_path}: label_names is a {type(names).__name__}; expected a list")
    names = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]
    # The first batch is read before n is believed.
    X = y = None
    for k, name in enumerate(BATCHES):
        data, labels = _python_batch(folder / name, n)
        if X is None or y is None:
            X, y = np.empty((len(BATCHES) * n, N_PIXELS), dtype=np.uint8), np.empty(len(BATCHES) * n, dtype=np.int64)
        X[k * n : (k + 1) * n], y[k * n : (k + 1) * n] = data, labels
    X_test, y_test = _python_batch(folder / "test_batch", n)
    return _dataset(folder, X, y, np.ascontiguousarray(X_test), y_test, _check_names(meta_path, names))


def _python_batch(path: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    batch = load_pickle(path)
    data, labels = _entry(path, batch, "data"), _entry(path, batch, "labels")
    if not isinstance(data, np.ndarray) or data.shape != (n, N_PIXELS):
        found = f"an array of shape {data.shape}" if isinstance(data, np.ndarray) else f"a {type(data).__name__}"
        raise DataFormatError(f"{path}: data is {found}; expected ({n}, {N_PIXELS}), with the number in batches.meta")
    if type(labels) is not list or len(labels) != n or not all(type(label) is int for label in labels):
        found = f"{len(labels)} entries" if type(labels) is list else f"a {type(labels).__name__}"
        raise DataFormatError(f"{path}: labels is {found}; expected a list of {n} integers, one per image")
    return data, _check_range(path, labels)


def _entry(path: Path, content: dict[str, Any], key: str) -> Any:
    if key not in content:
        raise DataFormatError(f"{path}: has no entry {key!r}; it holds {', '.join(sorted(map(repr, content)))[:200] or 'none'}")
    return content[key]


def load_binary(folder: Path) -> Dataset:
    """Load the binary version. Raises `DataFormatError` naming the file that is missing, truncated or wrong."""
    _check_complete(folder, BINARY_FILES)
    meta_path = folder / "batches.meta.txt"
    with reading(meta_path, "text file"):
        names = [line.strip() for line in meta_path.read_text(encoding="utf-8").splitlines() if line.strip()]
    class_names = _check_names(meta_path, names)
    X, y = _binary_batches([folder / f"{name}.bin" for name in BATCHES])
    X_test, y_test = _binary_batches([folder / "test_batch.bin"])
    return _dataset(folder, X, y, X_test, y_test, class_names)


def _binary_batches(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    counts = []
    for path in paths:
        size = path.stat().st_size
        if size == 0 or size % RECORD:
            raise DataFormatError(f"{path}: has {size} bytes; expected a multiple of {RECORD}, a label and {N_PIXELS} pixels")
        counts.append(size // RECORD)
    X = np.empty((sum(counts), N_PIXELS), dtype=np.uint8)
    y = np.empty(len(X), dtype=np.int64)
    block = np.empty((256, RECORD), dtype=np.uint8)
    start = 0
    for path, count in zip(paths, counts, strict=True):
        stop = start + count
        with open(path, "rb") as file:
            for first in range(start, stop, len(block)):
                records = block[: stop - first]
                if file.readinto(records) != records.size:  # type: ignore[arg-type]
                    raise DataFormatError(f"{path}: was cut while it was read; expected {count * RECORD} bytes")
                X[first : first + len(records)] = records[:, 1:]
                y[first : first + len(records)] = records[:, 0]
        _check_range(path, y[start:stop])
        start = stop
    return X, y


def _check_complete(folder: Path, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataFormatError(f"{folder}: is a CIFAR-10 folder without {', '.join(missing)}; expected {', '.join(names)}")


def _check_range(path: Path, labels: Any) -> np.ndarray:
    low, high = (labels.min(), labels.max()) if isinstance(labels, np.ndarray) else (min(labels), max(labels))
    if low < 0 or high >= N_CLASSES:
        raise DataFormatError(f"{path}: holds the label {low if low < 0 else high}; expected 0 to {N_CLASSES - 1}")
    return np.asarray(labels, dtype=np.int64)


def _check_names(path: Path, names: list[Any]) -> tuple[str, ...]:
    if len(names) != N_CLASSES or not all(isinstance(name, str) for name in names):
        raise DataFormatError(f"{path}: holds {len(names)} class names; expected {N_CLASSES} strings")
    return tuple(names)


def _dataset(folder: Path, X: Any, y: Any, X_test: Any, y_test: Any, class_names: tuple[str, ...]) -> Dataset:
    with reading(folder):
        return Dataset(folder_name(folder), X, y, X_test, y_test, class_names, IMAGE_SHAPE)
