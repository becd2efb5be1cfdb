"""The memory of a pass of :mod:`fastsvm.backends.numba`: how rows are cut into chunks and tiles, and where work is done."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastsvm.backends._numba_loops import SLICE
from fastsvm.backends._numba_tiles import CLASSES, ROWS, Data, Workspace
from fastsvm.backends._numba_vectors import BYTES

TILE_BYTES = 288 << 10  # beside W and a gradient in the second-level cache
MAX_TILE_ROWS = 64
CHUNKS = 8  # wanted from a batch, for threads to share
MIN_CHUNK_ROWS = 16
MAX_CHUNK_ROWS = 512  # summed in T before float64 takes over: less than 1e-5 is lost even where all roundings go one way
WAVE_BYTES = 8 << 20  # for the gradients and tiles of chunks at work at once
MIN_WAVE = 4  # chunks at work at once, however large


def chunks(n_samples: int) -> tuple[int, int]:
    """Rows of a chunk of so many samples, and the number of chunks."""
    rows = min(MAX_CHUNK_ROWS, max(MIN_CHUNK_ROWS, -(-n_samples // CHUNKS)))
    return rows, -(-n_samples // rows)


def read_only(array: np.ndarray | None, dtype: Any = None) -> np.ndarray:
    """A view that no kernel can write to: one type, so one compilation, for writeable and read-only inputs alike."""
    view = np.empty(0, dtype) if array is None else array.view()
    view.flags.writeable = False
    return view


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that begin where a vector does: one that straddles two cache lines takes twice as long to read."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + BYTES, np.uint8)
    begin = -memory.ctypes.data % BYTES
    return memory[begin : begin + size].view(dtype).reshape(shape)


def up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def workspace(W: np.ndarray, data: Data, chunk_rows: int, n_chunks: int, gradient: bool, totals: int = 2) -> Workspace:
    n_classes, n_features = W.shape
    classes, features = up(n_classes, CLASSES), up(n_features, BYTES // W.itemsize)
    fitting = min(chunk_rows, MAX_TILE_ROWS, TILE_BYTES // ((features + 2 * classes) * W.itemsize))
    height = up(max(1, fitting), ROWS)
    tile = (0, features) if data.in_place else (height, features)
    sums = (classes, features) if gradient else (0, features)
    numbers = math.prod(tile) + math.prod(sums) + 2 * height * classes
    wave = min(n_chunks, max(MIN_WAVE, WAVE_BYTES // (numbers * W.itemsize)))
    return Workspace(
        W=aligned((classes, features), W.dtype),
        tiles=aligned((wave, *tile), W.dtype),
        rows=np.empty((wave, height), np.int64),
        scores=np.zeros((wave, height, classes), W.dtype),
        dscores=np.zeros((wave, height, classes), W.dtype),
        active=np.empty((wave, classes // CLASSES, height + 1), np.int64),
        dW=aligned((wave, *sums), W.dtype),
        db=np.empty((wave, n_classes)),
        totals=np.empty((wave, totals)),
        sums=np.empty(W.shape),
        sums_b=np.empty(n_classes),
        gradient_b=np.empty(n_classes, W.dtype),
        squares=np.empty(n_classes * -(-n_features // SLICE)),
    )
