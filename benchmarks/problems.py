"""The problems of compare.py: arrays drawn once and saved, read by each contender in its own storage, and what is right.

A folder holds ``X`` float32, ``y``, ``W``, ``b`` float32 and ``order``; images also ``pixels``, ``mean`` and ``scale``, of
which ``X`` is the standardised matrix. What a contender should find is computed by `peers.Numpy` in float64.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from peers import Numpy, Problem
from suites.synthetic import N_CLASSES, N_FEATURES, bfloat16, images

ORDER_SEED = 1

#: Bytes of an element of ``X``.
STORAGES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "uint8": 1, "int8": 1}


class Expected(NamedTuple):
    """A result in float64, and the size of each of its parts that errors are relative to."""

    parts: tuple[np.ndarray | float, ...]
    sizes: tuple[float, ...]

    @classmethod
    def of(cls, *parts: np.ndarray | float) -> Expected:
        """Errors relative to the largest absolute value of each part."""
        return cls(parts, tuple(float(np.abs(part).max()) for part in parts))

    @classmethod
    def moved(cls, parts: tuple[np.ndarray | float, ...], origins: tuple[np.ndarray | float, ...]) -> Expected:
        """Errors relative to how far each part has gone from its origin."""
        return cls(parts, cls.of(*(part - origin for part, origin in zip(parts, origins, strict=True))).sizes)

    def error(self, result: tuple[np.ndarray, ...]) -> float:
        """Largest relative error; NaN where there is one."""
        found = zip(result, self.parts, self.sizes, strict=True)
        return float(np.max([np.abs(value - part).max() / size for value, part, size in found]))


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(X: np.ndarray, storage: str) -> np.ndarray:
    """The float32 matrix in one of the float `STORAGES`."""
    return bfloat16(X) if storage == "bfloat16" else X.astype(storage, copy=False)


def values(storage: str) -> str:
    """The storage whose standardised values this one holds too; results are the same for both."""
    return storage if storage in ("float16", "bfloat16") else "float32"


def load(folder: Path, storage: str = "float32") -> Problem:
    """Read a problem in one of `STORAGES`. int8 holds the pixels less 128."""
    y, W, b, order = (np.load(folder / f"{name}.npy") for name in ("y", "W", "b", "order"))
    if storage not in ("uint8", "int8"):
        X = np.load(folder / "X.npy", mmap_mode=None if storage == "float32" else "r")
        real = np.float64 if storage == "float64" else np.float32
        return Problem(rounded(X, storage), y, W.astype(real), b.astype(real), order)
    pixels, mean, scale = (np.load(folder / f"{name}.npy") for name in ("pixels", "mean", "scale"))
    if storage == "int8":
        pixels ^= 128
        pixels, mean = pixels.view(np.int8), mean - 128
    return Problem(pixels, y, W, b, order, mean, scale)


def save(folder: Path, rows: int, **arrays: np.ndarray) -> None:
    arrays["order"] = np.random.default_rng(ORDER_SEED).permutation(rows)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def draw_images(folder: Path, rows: int) -> None:
    """CIFAR-10's shape: 3,072 pixels, 10 classes."""
    save(folder, rows, **images(rows)._asdict())


def draw_embeddings(folder: Path, rows: int, n_features: int = 768, n_classes: int = 1000) -> None:
    """Normal samples around a normal centre per class, weights near the centres."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, rows)
    centres = rng.standard_normal((n_classes, n_features), dtype=np.float32)
    X = rng.standard_normal((rows, n_features), dtype=np.float32)
    for start in range(0, rows, 1000):
        block = slice(start, start + 1000)
        X[block] += np.float32(0.2) * centres[y[block]]
    W = np.float32(0.01) * centres + np.float32(0.03) * rng.standard_normal((n_classes, n_features), dtype=np.float32)
    save(folder, rows, X=X, y=y, W=W, b=np.float32(0.01) * rng.standard_normal(n_classes, dtype=np.float32))


def draw_candidates(folder: Path, rows: int) -> None:
    """Images, and the stacked weights of a random search: a thousand for all of CIFAR-10's images."""
    draw_images(folder, rows)
    count = min(rows // 50, 1000)
    rng = np.random.default_rng(2)
    np.save(folder / "Ws.npy", np.float32(0.03) * rng.standard_normal((count, N_CLASSES, N_FEATURES), dtype=np.float32))
    np.save(folder / "bs.npy", np.float32(0.01) * rng.standard_normal((count, N_CLASSES), dtype=np.float32))


@lru_cache(maxsize=1)
def _reference(folder: Path, stored: str) -> Numpy:
    """In float64, on exactly the values that a storage holds."""
    problem = load(folder)
    X = rounded(problem.X, stored)
    X = from_bfloat16(X) if stored == "bfloat16" else X
    wide = problem._replace(X=X.astype(np.float64), W=problem.W.astype(np.float64), b=problem.b.astype(np.float64))
    return Numpy(wide, 1)


def forget() -> None:
    """Give up the memory of the last reference, which only another task on the same values would need."""
    _reference.cache_clear()


@cache
def expected_training(folder: Path, task: str, stored: str) -> Expected:
    """What a task of `peers` should give on the `values` of a storage."""
    exact = _reference(folder, stored)
    if task == "full_pass":
        return Expected.of(*exact.full_pass())
    return Expected.moved(exact.epoch(), (0.0, exact.p.W, exact.p.b))
