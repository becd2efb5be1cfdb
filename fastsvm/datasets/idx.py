"""IDX files, the format of MNIST and its relatives, as http://yann.lecun.com/exdb/mnist/ describes it.

Two zero bytes, a code for the type of the numbers (8: unsigned bytes), the number of dimensions, each dimension as a
big-endian uint32, then the numbers. Images have three dimensions, labels one. Files may be compressed with gzip.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Collection
from pathlib import Path

import numpy as np

from fastsvm.datasets.dataset import Dataset
from fastsvm.datasets.reading import folder_name, index_labels, open_binary, read_exactly, reading
from fastsvm.exceptions import DataFormatError

UNSIGNED_BYTE = 8
TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}

#: Deflate cannot do better than this, so a header that promises more than a compressed file can hold is a lie.
LARGEST_RATIO = 1032

_IMAGES = re.compile(r"(?P<start>.*)images[-.]idx\d-ubyte(\.gz)?", re.IGNORECASE)
_TRAIN = re.compile(r"train", re.IGNORECASE)
_TEST = re.compile(r"t10k|test", re.IGNORECASE)


def is_folder(names: Collection[str]) -> bool:
    """Whether one of these file names is that of an IDX images file."""
    return any(_IMAGES.fullmatch(name) for name in names)


def is_file(path: Path, head: bytes) -> bool:
    """Whether a file begins, or is named, like an IDX file."""
    return (len(head) >= 4 and head[:2] == b"\0\0" and head[2] in TYPES and head[3] > 0) or "-ubyte" in path.name


def read_array(path: Path, ndim: int) -> np.ndarray:
    """Read a file of unsigned bytes with ``ndim`` dimensions, compressed or not.

    Raises
    ------
    DataFormatError
        If the header is another, a dimension is 0, or the data are shorter or longer than the header says.
    """
    with reading(path, "IDX file"), open_binary(path) as file:
        header = file.read(4 + 4 * ndim)
        magic = bytes((0, 0, UNSIGNED_BYTE, ndim))
        if header[:4] != magic:
            kind = ""
            if len(header) >= 4 and header[:2] == b"\0\0" and header[2] in TYPES:
                kind = f" ({TYPES[header[2]]}, {header[3]} dimensions)"
            raise DataFormatError(
                f"{path}: begins with {header[:4].hex(' ') or 'nothing'}{kind}; "
                f"expected {magic.hex(' ')}, an IDX file of unsigned bytes with {ndim} dimension{'s' if ndim > 1 else ''}"
            )
        if len(header) < 4 + 4 * ndim:
            raise DataFormatError(f"{path}: is truncated: {len(header)} bytes, expected a header of {4 + 4 * ndim}")
        shape = struct.unpack(f">{ndim}I", header[4:])
        size = path.stat().st_size
        if math.prod(shape) > size * LARGEST_RATIO:
            raise DataFormatError(f"{path}: is truncated: its header says {shape}, which {size} bytes cannot hold")
        if 0 in shape:
            raise DataFormatError(f"{path}: holds no samples: its header says {shape}")
        out = np.empty(shape, dtype=np.uint8)
        read_exactly(path, file, out)
    return out


def load_file(path: Path) -> Dataset:
    """Load one images file and the labels file beside it; there is no test part.

    The labels of ``train-images-idx3-ubyte.gz`` are in ``train-labels-idx1-ubyte.gz`` or ``train-labels-idx1-ubyte``; a dot
    may stand in place of the second hyphen.
    """
    images, labels = _read_pair(path)
    with reading(path):
        y, _, names = index_labels(labels)
        return Dataset(path.name.split(".")[0], images.reshape(len(images), -1), y, None, None, names, images.shape[1:])


def load_folder(folder: Path) -> Dataset:
    """Load ``train-images…`` and ``train-labels…`` with the test part ``t10k-…`` (or ``test-…``) beside them."""
    files = [path for path in folder.iterdir() if _IMAGES.fullmatch(path.name) and path.is_file()]
    # Where a file lies there compressed and uncompressed, the latter comes last and is taken.
    found = {path.name.removesuffix(".gz"): path for path in sorted(files, reverse=True)}
    train = [path for name, path in found.items() if _TRAIN.search(name)]
    test = [path for name, path in found.items() if _TEST.search(name) and not _TRAIN.search(name)]
    if len(found) == 1:
        return load_file(next(iter(found.values())))
    if len(train) != 1 or len(test) != 1 or len(found) != 2:
        raise DataFormatError(
            f"{folder}: holds the images files {', '.join(sorted(found))}; expected one for training (train-images-idx3-ubyte) "
            "and one for testing (t10k-images-idx3-ubyte). Give the path of one of them"
        )
    (images, labels), (images_test, labels_test) = _read_pair(train[0]), _read_pair(test[0])
    if images.shape[1:] != images_test.shape[1:]:
        expected = f"{images.shape[1:]} as in {train[0].name}"
        raise DataFormatError(f"{test[0]}: holds images of {images_test.shape[1:]}; expected {expected}")
    with reading(folder):
        y, y_test, names = index_labels(labels, labels_test)
        flat, flat_test = (a.reshape(len(a), -1) for a in (images, images_test))
        return Dataset(folder_name(folder), flat, y, flat_test, y_test, names, images.shape[1:])


def _read_pair(path: Path) -> tuple[np.ndarray, np.ndarray]:
    images = read_array(path, 3)
    labels_path = _labels_beside(path)
    labels = read_array(labels_path, 1)
    if len(labels) != len(images):
        expected = f"{len(images)}, one per image of {path.name}"
        raise DataFormatError(f"{labels_path}: holds {len(labels)} labels; expected {expected}")
    return images, labels


def _labels_beside(path: Path) -> Path:
    match = _IMAGES.fullmatch(path.name)
    if match is None:
        raise DataFormatError(
            f"{path}: its labels cannot be found; expected a name like train-images-idx3-ubyte, with "
            "train-labels-idx1-ubyte beside it"
        )
    names = [f"{match['start']}labels{mark}idx1-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise DataFormatError(f"{path}: has no labels beside it; expected one of {', '.join(names)}")
