"""svmlight (LIBSVM) text files, read by scikit-learn as CSR.

A line is ``label index:value index:value … # comment`` with rising indices, counted from 0 or from 1. Files may be
compressed with gzip or bzip2.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from fastsvm.datasets.dataset import Dataset
from fastsvm.datasets.reading import index_labels, open_binary, reading
from fastsvm.exceptions import DataFormatError

_NAME = re.compile(r"(?P<stem>.+?)(\.(svm|svmlight|libsvm|txt))?(\.(gz|bz2))?", re.IGNORECASE)
_NAMED = re.compile(r".+\.(svm|svmlight|libsvm|txt)(\.(gz|bz2))?", re.IGNORECASE)
_TRAIN = re.compile(r"(?P<start>(.+[_-])?)train")
_LINE = re.compile(rb"\s*[-+.\deE]+(\s+qid:\d+)?\s+\d+:[-+.\deEnaif]+(\s|$)")


def is_file(path: Path, head: bytes) -> bool:
    """Whether the first line with data looks like svmlight, or the name ends in .svm, .svmlight, .libsvm or .txt (.gz, …)."""
    lines = (line for line in head.splitlines() if line.strip() and not line.lstrip().startswith(b"#"))
    return bool(_LINE.match(next(lines, b""))) or bool(_NAMED.fullmatch(path.name))


def load_file(path: Path, n_features: int | None) -> Dataset:
    """Load a file, and ``name_test.*`` as the test part of ``name_train.*`` if it lies beside it.

    Whether indices count from 0 or 1, and how many features there are, is settled for both files together.

    Raises
    ------
    DataFormatError
        If a file is truncated, empty or not svmlight.
    """
    stem = _stem(path)
    paths = [path]
    if match := _TRAIN.fullmatch(stem):
        paths += _test_beside(path, match["start"] + "test")
        stem = match["start"].rstrip("_-") or path.resolve().parent.name
    matrices, labels = _parse(paths, n_features)
    for p, matrix in zip(paths, matrices, strict=True):
        _check_values(p, matrix)
    with reading(path):
        y, y_test, names = index_labels(*labels)
        return Dataset(stem, matrices[0], y, matrices[1] if len(matrices) == 2 else None, y_test, names)


def _parse(paths: list[Path], n_features: int | None) -> tuple[list[Any], list[np.ndarray]]:
    from sklearn.datasets import load_svmlight_files

    what = "svmlight file ('label index:value index:value ...' on each line)"
    with ExitStack() as stack:
        files = [stack.enter_context(open_binary(path)) for path in paths]
        try:
            parts = load_svmlight_files(files, dtype=np.float32, n_features=n_features)
        except Exception:
            if len(paths) > 1:  # Which of them is it?
                for path in paths:
                    _parse([path], n_features)
            with reading(paths[0], what):
                raise
    return [_narrow(X) for X in parts[::2]], parts[1::2]


def _narrow(X: Any) -> Any:
    """The same with indices of 32 bits where they fit, which are half of what a pass over the samples reads."""
    if max(X.nnz, *X.shape) <= np.iinfo(np.int32).max:
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X


def _check_values(path: Path, X: Any) -> None:
    if X.nnz == 0:
        raise DataFormatError(f"{path}: holds {X.shape[0]} samples and no feature values; expected both")
    wrong = np.flatnonzero(~np.isfinite(X.data))
    if wrong.size:
        row = int(np.searchsorted(X.indptr, wrong[0], side="right")) - 1
        raise DataFormatError(
            f"{path}: sample {row} has the value {X.data[wrong[0]]} for feature {X.indices[wrong[0]]} (both counted from 0, "
            "in float32); expected finite numbers"
        )


def _stem(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    return match["stem"] if match else path.name


def _test_beside(path: Path, stem: str) -> list[Path]:
    found = sorted(p for p in path.parent.iterdir() if _stem(p) == stem and p.is_file() and _NAMED.fullmatch(p.name))
    same_ending = [p for p in found if p.name == stem + path.name[len(_stem(path)) :]]
    if len(found) > 1 and not same_ending:
        raise DataFormatError(f"{path}: has several test parts beside it, {', '.join(p.name for p in found)}; expected one")
    return same_ending or found
