"""What the readers of the single formats share: errors that name the file, compressed files, exact reads, class indices."""

from __future__ import annotations

import bz2
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from fastsvm.exceptions import DataFormatError

#: Bytes read at a time: large enough for speed, small enough that no file costs much more memory than its array.
CHUNK = 1 << 20


@contextmanager
def reading(path: Path, what: str = "") -> Iterator[None]:
    """Turn whatever goes wrong with the content of a file into a `DataFormatError` that names it.

    Errors of the operating system (no permission, a failing disk) and a lack of memory pass as they are: the file may be sound.
    """
    try:
        yield
    except (DataFormatError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error) or type(error).__name__
        raise DataFormatError(f"{path}: {f'not a readable {what}: ' if what else ''}{reason}") from error


def folder_name(path: Path) -> str:
    """Name of a folder, also where its path is "." or ends in ".."."""
    return os.path.basename(os.path.abspath(path))


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading, through gzip or bzip2 where its first bytes say so, whatever its name is."""
    with open(path, "rb") as file:
        magic = file.read(3)
    if magic[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if magic == b"BZh":
        return bz2.open(path, "rb")
    return open(path, "rb")


def head(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file's content, uncompressed."""
    with reading(path, "compressed file"), open_binary(path) as file:
        return file.read(size)


def read_exactly(path: Path, file: IO[bytes], out: np.ndarray) -> None:
    """Fill ``out`` (uint8) with the rest of a file, which must be neither shorter nor longer.

    No more than one byte past the end of ``out`` is decompressed, however much a hostile file holds.
    """
    flat = out.reshape(-1)
    filled = 0
    while filled < flat.size:
        chunk = file.read(min(CHUNK, flat.size - filled))
        if not chunk:
            raise DataFormatError(f"{path}: is truncated: {filled} bytes of data, expected {flat.size}")
        flat[filled : filled + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        filled += len(chunk)
    if file.read(1):
        raise DataFormatError(f"{path}: holds more than the {flat.size} bytes of data its header says")


def index_labels(y: Any, y_test: Any = None) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Replace labels by class indices: their positions in the sorted list of the labels that occur in ``y``.

    Parameters
    ----------
    y, y_test : ndarray (n,), of integers, floats with whole values, or strings
        Labels of the training part, and of the test part or ``None``.

    Returns
    -------
    y, y_test : ndarray, int64
    class_names : tuple of str
        The labels, in the order of their indices.

    Raises
    ------
    TypeError, ValueError
        If labels are of another kind, empty, all the same, or one of ``y_test`` does not occur in ``y``.
    """
    y = whole_labels("y", y)
    values, indices = np.unique(y, return_inverse=True)
    if len(values) < 2:
        raise ValueError(f"y must hold at least two classes; every label is {values[0]!s}")
    names = tuple(map(str, values))
    if y_test is None:
        return indices.astype(np.int64), None, names
    y_test = whole_labels("y_test", y_test)
    if (y_test.dtype.kind == "U") != (y.dtype.kind == "U"):
        raise TypeError(f"y_test must hold labels of the kind of y; got dtype {y_test.dtype} and {y.dtype}")
    positions = np.minimum(np.searchsorted(values, y_test), len(values) - 1)
    unknown = np.flatnonzero(values[positions] != y_test)
    if unknown.size:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise ValueError(f"y_test must hold labels that occur in y ({shown}); y_test[{unknown[0]}] is {y_test[unknown[0]]!s}")
    return indices.astype(np.int64), positions.astype(np.int64), names


def whole_labels(name: str, y: Any) -> np.ndarray:
    """Return labels as an array (n,) of integers or strings; floats must be whole numbers."""
    y = np.asarray(y)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"{name} must have one dimension and at least one label; got shape {y.shape}")
    if y.dtype.kind in "iuU":
        return y
    if y.dtype.kind == "b":
        return y.astype(np.int64)
    if y.dtype.kind != "f":
        raise TypeError(f"{name} must hold integers or strings; got dtype {y.dtype}")
    # Beyond 2**53 a float no longer tells neighbouring integers apart.
    wrong = np.flatnonzero(~((np.abs(y) < 2**53) & (y == np.floor(y))))
    if wrong.size:
        raise ValueError(f"{name} must hold whole numbers; {name}[{wrong[0]}] is {y[wrong[0]]}")
    return y.astype(np.int64)
