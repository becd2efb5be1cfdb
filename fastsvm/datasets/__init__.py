"""Data sets from files, recognised by their content: see :func:`load`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fastsvm.datasets import cifar, idx, svmlight, tables
from fastsvm.datasets.dataset import Dataset
from fastsvm.datasets.reading import head
from fastsvm.exceptions import DataFormatError
from fastsvm.validation import check_flag, check_integer

__all__ = ["UNDERSTOOD", "Dataset", "load", "load_digits"]

#: What :func:`load` understands, for messages and help texts.
UNDERSTOOD = """\
  "digits"                    scikit-learn's 8 x 8 digits, built in
  a CIFAR-10 folder           the python version (data_batch_1) or the binary version (data_batch_1.bin)
  an IDX folder or file       the MNIST family (train-images-idx3-ubyte), .gz too
  an svmlight file            .svm, .svmlight, .libsvm, .txt, also .gz and .bz2; name_train.* brings name_test.* along
  an .npz file                X, y and optionally X_test, y_test, class_names; or CSR as of scipy.sparse: X.npz with y.npy
  .npy files                  X.npy with y.npy, or X_train.npy with y_train.npy; X_test.npy with y_test.npy
  a folder that holds exactly one of these folders"""

#: Name of a layout -> (whether a folder with these file names has it, how to load it).
FOLDERS = {
    "CIFAR-10, python version": (cifar.is_python, cifar.load_python),
    "CIFAR-10, binary version": (cifar.is_binary, cifar.load_binary),
    "IDX": (idx.is_folder, idx.load_folder),
    "npy": (tables.is_folder, tables.load_npy_folder),
}

#: Whether a file with this name and these first bytes has a format, and how to load it; svmlight, plain text, is tried last.
FILES = (
    (tables.is_npz, tables.load_npz),
    (tables.is_npy, tables.load_npy),
    (idx.is_file, idx.load_file),
)


def load(path: str | os.PathLike[str], *, dense: bool = False, n_features: int | None = None) -> Dataset:
    """Load a data set, whatever its format.

    Parameters
    ----------
    path : str or path-like
        One of

        - ``"digits"``: :func:`load_digits` (a file of that name is ``"./digits"``);
        - a folder with CIFAR-10, in its python or its binary version;
        - a folder with IDX files (MNIST, Fashion-MNIST, …: ``train-images-idx3-ubyte``, ``t10k-…``, also with .gz), or one IDX
          images file, whose labels file lies beside it; that file alone is loaded, without a test part;
        - an svmlight text file (.svm, .svmlight, .libsvm, .txt, also .gz and .bz2); beside ``name_train.*``, the file
          ``name_test.*`` is loaded as the test part. Samples are CSR, float32;
        - an .npz archive with the arrays ``X`` and ``y`` and optionally ``X_test`` with ``y_test``, and ``class_names``;
        - ``X.npz`` or ``X_train.npz`` as :func:`scipy.sparse.save_npz` writes CSR, with ``y.npy`` or ``y_train.npy`` beside it,
          and optionally ``X_test.npz`` with ``y_test.npy``;
        - a folder with ``X.npy`` and ``y.npy``, or ``X_train.npy`` and ``y_train.npy``, and optionally ``X_test.npy`` and
          ``y_test.npy``, or the path of one of the X files. Samples are mapped from the file, read-only;
        - a folder in which exactly one folder is one of these.
    dense : bool, default False
        Make CSR samples dense, as suits those of few features or few zeros, which can then be centred: many a file in the
        format of svmlight holds pixels.
    n_features : int >= 1, optional
        Number of features of svmlight samples, for a file in which the last ones of a model do not occur; by default the
        largest index decides. The other formats know their number.

    Returns
    -------
    Dataset
        ``X`` in the dtype of the file: pixels stay uint8, and uint16 is bfloat16 (see :mod:`fastsvm.storage`). Sparse samples
        are a ``scipy.sparse.csr_array``.
        Labels that are not class indices by definition (as CIFAR-10's, or
        those with ``class_names``, are) are replaced by their positions among the sorted labels of the training part;
        ``class_names`` remembers the labels.

    Raises
    ------
    FileNotFoundError
        If there is no such path; the message lists the above.
    DataFormatError
        If a file is truncated, empty, hostile or not what its name or header says; the message names it, what was found and
        what was expected. Nothing in a file is ever executed.

    Examples
    --------
    >>> import fastsvm.datasets
    >>> fastsvm.datasets.load("digits")
    <Dataset 'digits'; X (1437, 64) uint8; X_test (360, 64); 10 classes: '0', '1', '2', '3', ..., '9'; images 8 x 8>
    """
    check_flag("dense", dense)
    if n_features is not None:
        check_integer("n_features", n_features, at_least=1)
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a string or a path; got {path!r} ({type(path).__name__})")
    if path == "digits":
        return load_digits()
    place = Path(path)
    if not os.fspath(path) or not place.exists():
        raise FileNotFoundError(f"path must be a file or folder; there is no {os.fspath(path)!r}. Understood are\n{UNDERSTOOD}")
    dataset = _load_folder(place) if place.is_dir() else _load_file(place, n_features)
    return dataset.to_dense() if dense else dataset


def load_digits() -> Dataset:
    """Return scikit-learn's 1797 handwritten digits, 8 x 8 pixels from 0 to 16 as uint8; every fifth is in the test part.

    The test part is `Dataset.split`'s with its defaults: 20 % of each class, seed 0.
    """
    import sklearn.datasets

    digits = sklearn.datasets.load_digits()
    names = tuple(map(str, digits.target_names))
    X = np.ascontiguousarray(digits.data.astype(np.uint8))
    return Dataset("digits", X, digits.target, class_names=names, image_shape=(8, 8)).split()


def _load_folder(folder: Path) -> Dataset:
    if not (layouts := _layouts(folder)):
        inside = [child for child in sorted(folder.iterdir()) if child.is_dir() and _layouts(child)]
        if len(inside) != 1:
            found = f"several data-set folders: {', '.join(child.name for child in inside)}" if inside else "no data set"
            hint = "Give the path of one of them" if inside else f"Understood are\n{UNDERSTOOD}"
            raise DataFormatError(f"{folder}: holds {found}; expected one. {hint}")
        folder = inside[0]
        layouts = _layouts(folder)
    if len(layouts) > 1:
        raise DataFormatError(f"{folder}: holds files of several layouts: {'; '.join(layouts)}; expected one")
    return FOLDERS[layouts[0]][1](folder)


def _layouts(folder: Path) -> list[str]:
    try:
        names = {child.name for child in folder.iterdir() if child.is_file()}
    except PermissionError:
        return []
    return [layout for layout, (matches, _) in FOLDERS.items() if matches(names)]


def _load_file(path: Path, n_features: int | None) -> Dataset:
    if not path.is_file():
        raise DataFormatError(f"{path}: is neither a file nor a folder")
    start = head(path)
    if not start:
        raise DataFormatError(f"{path}: is empty; expected a data set")
    for matches, load_format in FILES:
        if matches(path, start):
            return load_format(path)
    if svmlight.is_file(path, start):
        return svmlight.load_file(path, n_features)
    beside = f" It lies in a folder that is a data set: give {path.parent}." if _layouts(path.parent) else ""
    raise DataFormatError(f"{path}: is not recognised; it begins with {start[:8]!r}.{beside} Understood are\n{UNDERSTOOD}")
