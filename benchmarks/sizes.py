"""The sizes the kernels work with, from the constants in the C sources, so that docs/performance.md cannot disagree with them.

Each class repeats what the plan of one C file does, for float32 with AVX-512 and a shape of compare.py's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "src"
KIB = 1024
ITEM = 4
LANES = 16
VECTOR = LANES * ITEM


@cache
def constant(file: str, name: str) -> int:
    """What ``name`` is defined as, a product of integers; the first of several definitions is that of AVX-512."""
    found = re.search(rf"^#define {name} \(?([\d *]+)\)?\s*(?:/\*.*)?$", (SOURCES / file).read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"src/{file} does not define {name} as a product of integers")
    return math.prod(int(factor) for factor in found[1].split("*"))


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def padded(count: int, to: int) -> int:
    return ceil_div(count, to) * to


@dataclass(frozen=True)
class Tiles:
    """passes.c and tiles.h: few classes."""

    rows: int = 50_000
    features: int = 3072
    classes: int = 10

    @property
    def g_bytes(self) -> int:
        """Of the gradient of a chunk."""
        return self.classes * (padded(self.features * ITEM, 64) + 64)

    @property
    def chunk_rows(self) -> int:
        waves = min(constant("passes.c", "MAX_WAVE_CHUNKS"), max(4, constant("passes.c", "WAVE_BYTES") // self.g_bytes))
        least, most = constant("passes.c", "MIN_CHUNK_ROWS"), constant("passes.c", "MAX_CHUNK_ROWS")
        return min(most, max(least, ceil_div(self.rows, waves)))

    @property
    def tile_rows(self) -> int:
        fit = constant("passes.c", "TILE_BYTES") // (self.features * ITEM) // self.row_block * self.row_block
        rows = max(min(constant("passes.c", "MAX_TILE_ROWS"), fit), self.row_block)
        return padded(ceil_div(self.chunk_rows, ceil_div(self.chunk_rows, rows)), self.row_block)

    @property
    def tile_bytes(self) -> int:
        return self.tile_rows * self.features * ITEM

    @property
    def row_block(self) -> int:
        return constant("tiles.h", "ROW_BLOCK")

    @property
    def class_block(self) -> int:
        return constant("tiles.h", "CLASS_BLOCK")

    @property
    def gradient_block(self) -> int:
        return constant("tiles.h", "GRADIENT_BLOCK")

    @property
    def feature_block(self) -> int:
        """Features whose part of W stays in the first-level cache."""
        return constant("tiles.h", "FEATURE_BLOCK_BYTES") // ITEM

    @property
    def weight_block_bytes(self) -> int:
        """That part, for all classes."""
        return self.classes * self.feature_block * ITEM

    @property
    def w_bytes(self) -> int:
        return self.classes * padded(self.features, LANES) * ITEM

    @property
    def slice(self) -> int:
        return constant("shared.h", "WEIGHTS_AT_ONCE")


@dataclass(frozen=True)
class Bytes:
    """exact.c: hinge losses on bytes."""

    features: int = 3072
    classes: int = 10

    @property
    def tile_rows(self) -> int:
        fit = constant("exact.c", "TILE_BYTES") // self.features // 4 * 4
        return max(4, min(constant("kernels.h", "FASTSVM_MAX_TILE_ROWS"), fit))

    @property
    def plane_bytes(self) -> int:
        """Of the two digits that approximate scores are made of."""
        return 2 * (self.classes - 1) * padded(self.features, 64)

    @property
    def wave_rows(self) -> int:
        """So many rows fit into sums of int32."""
        return (2**31 - 1) // (255 * (self.classes - 1))


@dataclass(frozen=True)
class Wide:
    """wide.c and products.h: many classes."""

    rows: int = 100_000
    features: int = 768
    classes: int = 1000

    @property
    def piece_rows(self) -> int:
        return constant("wide.c", "PIECE_ROWS")

    @property
    def block_rows(self) -> int:
        fit = constant("wide.c", "BLOCK_BYTES") // ((self.classes + self.features) * ITEM)
        rows = min(constant("wide.c", "MAX_BLOCK_ROWS"), max(constant("wide.c", "MIN_BLOCK_ROWS"), fit))
        return padded(ceil_div(self.rows, ceil_div(self.rows, rows)), self.piece_rows)

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return 2 * LANES

    @property
    def product_rows(self) -> int:
        return constant("products.h", "PRODUCT_ROWS")

    @property
    def depth(self) -> tuple[int, int]:
        """Products in a register before memory adds them up: features for the scores, rows for the gradient."""
        score = constant("products.h", "SCORE_DEPTH")
        return score // self.width * self.width, constant("products.h", "GRADIENT_DEPTH")

    @property
    def rectangle(self) -> tuple[int, int]:
        """Classes and features of a rectangle of the gradient."""
        groups, panels = ceil_div(self.classes, self.product_rows), ceil_div(self.features, self.width)
        some = ceil_div(groups, constant("wide.c", "CLASS_CUTS"))
        across = ceil_div(constant("wide.c", "RECTANGLES"), ceil_div(groups, some))
        return some * self.product_rows, ceil_div(panels, across) * self.width

    @property
    def window_rows(self) -> int:
        return max(1, constant("wide.c", "WINDOW_ROWS") // self.block_rows) * self.block_rows


def kib(count: int) -> str:
    return f"{count / KIB:.0f} KiB" if count < KIB * KIB else f"{count / KIB / KIB:.1f} MiB"
