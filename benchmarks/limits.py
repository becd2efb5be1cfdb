"""What the machine allows, for compare.py: reading memory, and multiplying matrices.

They are contenders like the others (see ``contenders.py``). The peak of the multiply-add units cannot be had from Python; a
large product by NumPy's BLAS is the nearest to it in practice, and is called that.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from problems import STORAGES, Expected

#: A square product of this side takes a fraction of a second on one core and is far too large for the caches.
SIDE = 2048


class ReadOnce:
    """The largest 8-byte integer, found by one thread per core on its own share of the bytes: nothing but reading."""

    def __init__(self, array: np.ndarray, n_threads: int, scale: float = 1.0) -> None:
        self.scale = scale
        self.shares = np.array_split(_words(array), n_threads)
        self.pool = ThreadPoolExecutor(n_threads)

    def read(self) -> tuple[np.int64]:
        return (max(self.pool.map(np.max, self.shares)),)

    full_pass = epoch = step = read


def _words(array: np.ndarray) -> np.ndarray:
    count = array.size * array.itemsize // 8
    return array.reshape(-1)[: count * 8 // array.itemsize].view(np.int64)


def _samples(folder: Path, storage: str) -> tuple[np.ndarray, float]:
    """The saved matrix nearest to a storage in size, and how many times as large the storage is."""
    name, width = ("pixels", 1) if STORAGES[storage] == 1 else ("X", 4)
    return np.load(folder / f"{name}.npy"), STORAGES[storage] / width


def read_samples(folder: Path, n_threads: int, *, storage: str) -> ReadOnce:
    array, scale = _samples(folder, storage)
    return ReadOnce(array, n_threads, scale)


def expected_read(folder: Path, storage: str) -> Expected:
    return Expected.of(float(_words(_samples(folder, storage)[0]).max()))


#: Adam reads x, dx and both moments, and writes all but dx.
ADAM_ARRAYS = 7


def read_adam(folder: Path, n_threads: int) -> ReadOnce:
    """As many bytes as a step of Adam reads and writes."""
    return ReadOnce(np.tile(np.load(folder / "x.npy"), ADAM_ARRAYS), n_threads)


def expected_read_adam(folder: Path) -> Expected:
    return Expected.of(float(_words(np.tile(np.load(folder / "x.npy"), ADAM_ARRAYS)).max()))


class Sgemm:
    """NumPy's product of two square float32 matrices. Its seconds are scaled to the `products` of a problem."""

    def __init__(self, folder: Path, n_threads: int, *, threads: int | None = None) -> None:
        from threadpoolctl import threadpool_limits

        if threads is not None:
            threadpool_limits(threads, user_api="blas")
        self.scale = products(folder) / SIDE**3
        self.A, self.B = factors()
        self.out = np.empty((SIDE, SIDE), dtype=np.float32)

    def multiply(self) -> tuple[np.ndarray]:
        return (np.matmul(self.A, self.B, out=self.out)[:8],)

    full_pass = losses = multiply


def products(folder: Path) -> float:
    """Multiply-adds of a full pass, which multiplies twice, or of the losses of all candidates."""
    samples = float(np.load(folder / "X.npy", mmap_mode="r").size)
    if (folder / "Ws.npy").exists():
        return samples * np.load(folder / "bs.npy").size
    return 2 * samples * len(np.load(folder / "b.npy"))


def factors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    A, B = (rng.standard_normal((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    return A, B


def expected_sgemm() -> Expected:
    A, B = factors()
    return Expected.of(A[:8].astype(np.float64) @ B.astype(np.float64))
