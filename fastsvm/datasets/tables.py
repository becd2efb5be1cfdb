"""NumPy's own files: ``.npz`` archives, and pairs of ``.npy`` files whose samples stay on disk until they are read.

CSR samples come as :func:`scipy.sparse.save_npz` writes them, as ``X.npz`` with ``y.npy`` beside it.

Samples of any dtype of :mod:`fastsvm.storage` are taken as they are; uint16 is bfloat16. Object arrays are refused
(``allow_pickle=False``): nothing in a file is run.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from fastsvm.datasets.dataset import Dataset
from fastsvm.datasets.reading import folder_name, index_labels, reading, whole_labels
from fastsvm.exceptions import DataFormatError
from fastsvm.sparse import Rows
from fastsvm.validation import check_finite, check_samples

_SAMPLES = re.compile(r"X(_train|_test)?\.npy")
_SPARSE_SAMPLES = re.compile(r"X(_train|_test)?\.npz")

#: What an archive of :func:`scipy.sparse.save_npz` holds for CSR.
_CSR = {"format", "shape", "data", "indices", "indptr"}


def is_npz(path: Path, head: bytes) -> bool:
    """Whether a file begins, or is named, like an .npz archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or path.suffix == ".npz"


def is_npy(path: Path, head: bytes) -> bool:
    """Whether a file begins, or is named, like an .npy array."""
    return head[:6] == b"\x93NUMPY" or path.suffix == ".npy"


def is_folder(names: Collection[str]) -> bool:
    """Whether these file names hold samples in an .npy file for training, or for testing alone."""
    return any(_SAMPLES.fullmatch(name) for name in names)


def load_npz(path: Path) -> Dataset:
    """Load ``X`` and ``y``, and where they are there ``X_test`` with ``y_test`` and ``class_names``, of an archive."""
    if not zipfile.is_zipfile(path):
        raise DataFormatError(f"{path}: is truncated or not an npz archive; expected a zip file that holds X and y")
    if holds_csr(path):
        return load_npy(path, _SPARSE_SAMPLES)
    with reading(path, "npz archive"), np.load(path, allow_pickle=False) as archive:
        held = archive.files
        for key in ("X", "y"):
            if key not in held:
                raise DataFormatError(f"{path}: has no array {key!r}; it holds {', '.join(map(repr, held))[:200] or 'none'}")
        wanted = ("X", "y", "X_test", "y_test", "class_names")
        arrays = {key: archive[key] for key in wanted if key in held}
    return _build(path, path.stem, arrays)


def load_npy_folder(folder: Path) -> Dataset:
    """Load ``X_train.npy`` or ``X.npy``, or ``X_test.npy`` if it is alone, with the labels and the test part beside it."""
    held = [name for name in ("X_train.npy", "X.npy") if (folder / name).is_file()]
    if len(held) > 1:
        raise DataFormatError(f"{folder}: holds both X_train.npy and X.npy; expected one of them. Give the path of one of them")
    return load_npy(folder / (held[0] if held else "X_test.npy"))


def load_npy(path: Path, names: re.Pattern[str] = _SAMPLES) -> Dataset:
    """Load ``X.npy`` with ``y.npy`` beside it, or ``X_train.npy`` with ``y_train.npy``.

    ``X_test.npy`` with ``y_test.npy`` become the test part, or the samples if that is the path given. Samples are mapped,
    not read, and read-only. Those that are CSR, in ``X.npz`` and so on, are read.
    """
    end = path.suffix
    if not names.fullmatch(path.name):
        raise DataFormatError(f"{path}: is an array of unknown use; expected the name X{end}, X_train{end} or X_test{end}")
    files = {"X": path}
    test = path.with_name(f"X_test{end}")
    if test != path and test.is_file():
        files["X_test"] = test
    arrays: dict[str, Any] = {}
    for key, samples in files.items():
        labels = samples.with_name(f"y{samples.stem[1:]}.npy")
        if not labels.is_file():
            raise DataFormatError(f"{samples}: has no labels beside it; expected {labels.name}")
        with reading(samples, f"{end[1:]} file"):
            arrays[key] = load_csr(samples) if end == ".npz" else np.load(samples, mmap_mode="r", allow_pickle=False)
        with reading(labels, "npy file"):
            arrays["y" + key[1:]] = np.load(labels, allow_pickle=False)
    return _build(path, folder_name(path.parent), arrays)


def holds_csr(path: Path) -> bool:
    """Whether a file is an archive as :func:`scipy.sparse.save_npz` writes it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {f"{key}.npy" for key in _CSR} <= set(archive.namelist())


def load_csr(path: Path) -> Rows:
    """CSR samples as :func:`scipy.sparse.save_npz` writes them, checked."""
    from scipy.sparse import csr_array

    with reading(path, "npz file of CSR samples"), np.load(path, allow_pickle=False) as archive:
        form = archive["format"].item()
        if form not in (b"csr", "csr"):  # others with such arrays would be read by indices that nobody has checked
            raise ValueError(f"its format is {form!r}; expected what scipy.sparse.save_npz writes for X.tocsr()")
        parts = (archive["data"], archive["indices"], archive["indptr"])
        rows, columns = map(int, archive["shape"])
        return check_samples("X", csr_array(parts, shape=(rows, columns)))


def _build(path: Path, name: str, arrays: dict[str, Any]) -> Dataset:
    """Check that the arrays are a data set. Labels are indices where names are given, else anything `index_labels` takes."""
    X, y, X_test, y_test, names = (arrays.get(key) for key in ("X", "y", "X_test", "y_test", "class_names"))
    with reading(path):
        if (X_test is None) != (y_test is None):
            raise ValueError("X_test and y_test must be given together; got only one of them")
        if names is None:
            y, y_test, class_names = index_labels(y, y_test)
        else:
            if names.dtype.kind != "U" or names.ndim != 1 or names.size == 0:
                raise TypeError(f"class_names must be strings in one dimension; got dtype {names.dtype}, shape {names.shape}")
            class_names = tuple(map(str, names))
            y = whole_labels("y", y)
            y_test = None if y_test is None else whole_labels("y_test", y_test)
        dataset = Dataset(name, X, y, X_test, y_test, class_names)  # type: ignore[arg-type]
        check_finite("X", dataset.X)
        if dataset.X_test is not None:
            check_finite("X_test", dataset.X_test)
        return dataset
