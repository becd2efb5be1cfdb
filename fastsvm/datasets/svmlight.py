"""svmlight (LIBSVM) text files, read by scikit-learn and made dense.

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


def load_file(path: Path, dense_limit: int, n_features: int | None) -> Dataset:
    """Load a file, and ``name_test.*`` as the test part of ``name_train.*`` if it lies beside it.

    Whether indices count from 0 or 1, and how many features there are, is settled for both files together.

    Raises
    ------
    ValueError
        If the dense float32 arrays would take more than ``dense_limit`` bytes.
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
    _check_size(path, matrices, dense_limit)
    with reading(path):
        y, y_test, names = index_labels(*labels)
        X, X_test = matrices[0].toarray(), matrices[1].toarray() if len(matrices) == 2 else None
        return Dataset(stem, X, y, X_test, y_test, names)


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
    return parts[::2], parts[1::2]


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


def _check_size(path: Path, matrices: list[Any], limit: int) -> None:
    """Refuse before anything is made dense."""
    itemsize = np.dtype(np.float32).itemsize
    sizes = [X.shape[0] * X.shape[1] * itemsize for X in matrices]
    if sum(sizes) > limit:
        parts = " and ".join(
            f"{size / 1e9:.1f} GB for {X.shape[0]} x {X.shape[1]} {part} values"
            for size, X, part in zip(sizes, matrices, ("training", "test"), strict=False)
        )
        raise ValueError(
            f"{path}: would take {sum(sizes)} bytes as dense float32 ({parts}), and dense_limit is {limit} bytes "
            f"({limit / 1e9:.1f} GB). Raise dense_limit, or keep fewer features"
        )
