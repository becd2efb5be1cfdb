"""The diagrams of docs/performance.md: how samples flow through the caches. Sizes come from the sources (``sizes.py``)."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from sizes import ITEM, VECTOR, Bytes, Tiles, Wide, kib

INK, MUTED, LINE = "#1f2328", "#59636e", "#8c959f"
GREY, BLUE, GREEN, ORANGE, VIOLET = "#eef0f2", "#dcebfb", "#dff3e4", "#fdeacc", "#ece3fa"
STRONG_BLUE, STRONG_GREEN, STRONG_ORANGE, STRONG_RED = "#1f6feb", "#1a7f37", "#bc6c0a", "#b3261e"
UNITS_PER_INCH = 10
SMALL, NORMAL, LARGE = 8.5, 9.5, 11.5


class Canvas:
    """A white page of ``width`` × ``height`` units, a tenth of an inch each, with the origin below on the left."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH), facecolor="white")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()

    def text(self, x: float, y: float, words: str, size: float = NORMAL, color: str = INK, **how: Any) -> None:
        how = {"ha": "center", "va": "center", "linespacing": 1.3, **how}
        self.axes.text(x, y, words, fontsize=size, color=color, **how)

    def box(
        self, x: float, y: float, w: float, h: float, words: str = "", fill: str = "white", edge: str = LINE, **how: Any
    ) -> None:
        shape = FancyBboxPatch(
            (x, y), w, h, boxstyle="round,pad=0,rounding_size=0.8", facecolor=fill, edgecolor=edge, linewidth=1
        )
        self.axes.add_patch(shape)
        if words:
            self.text(x + w / 2, y + h / 2, words, **how)

    def panel(self, x: float, y: float, w: float, h: float, title: str, fill: str) -> None:
        """A box with a title at its top."""
        self.box(x, y, w, h, fill=fill)
        self.text(x + w / 2, y + h - 1.2, title, va="top", weight="bold")

    def cells(
        self, x: float, y: float, w: float, h: float, fill: str, edge: str = LINE, rows: int = 1, columns: int = 1
    ) -> None:
        """A rectangle cut into rows and columns."""
        for i in range(rows):
            for j in range(columns):
                corner = (x + j * w / columns, y + i * h / rows)
                self.axes.add_patch(Rectangle(corner, w / columns, h / rows, facecolor=fill, edgecolor=edge, linewidth=0.8))

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], color: str = INK, dashed: bool = False, bend: float = 0
    ) -> None:
        self.axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=11, color=color, linewidth=1.4, shrinkA=0, shrinkB=0,
                linestyle=(0, (4, 2.5)) if dashed else "-", connectionstyle=f"arc3,rad={bend}",
            )
        )  # fmt: skip


def tile_flow() -> Figure:
    """passes.c and tiles.h: a tile from memory to the registers, twice."""
    t = Tiles()
    page = Canvas(100, 69)
    page.text(2, 66.5, "A tile of rows goes through the caches", size=LARGE, ha="left", weight="bold")
    shape = f"{t.rows:,} × {t.features:,} float32, {t.classes} classes, vectors of {VECTOR} bytes; all sizes are of one core"
    page.text(2, 63.6, shape, size=SMALL, color=MUTED, ha="left")
    page.panel(2, 17, 17, 44, "memory", GREY)
    page.panel(25, 17, 23, 44, "second-level cache", BLUE)
    page.panel(52, 17, 21, 44, "first-level cache", GREEN)
    page.panel(77, 17, 21, 44, "registers", ORANGE)

    page.text(10.5, 55.5, "X, as stored", weight="bold")
    for k in range(6):
        page.cells(5, 47.5 - k * 5.4, 11, 3.8, {1: "#9cc3f5", 2: "#d3e4fa"}.get(k, "white"), rows=3)
    page.text(10.5, 49.3, "tiles done", size=SMALL, color=MUTED, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})

    page.box(27, 42.5, 19, 9.5, f"this tile: {t.tile_rows} rows\n{kib(t.tile_bytes)}", fill="#9cc3f5")
    page.box(27, 32, 19, 6.5, f"the next tile, as it\ncomes: {kib(t.tile_bytes)}", fill="#d3e4fa", size=SMALL)
    page.box(27, 19, 19, 7, f"gradient G of a chunk\nof {t.chunk_rows} rows: {kib(t.g_bytes)}", size=SMALL)
    page.box(27, 54, 19, 3.4, f"W packed: {kib(t.w_bytes)}", size=SMALL)
    page.arrow((46.3, 55.2), (53.2, 51.5))
    page.arrow((16.2, 44), (26.7, 46))
    page.text(21.9, 47.6, "once", size=SMALL)
    page.arrow((16.2, 38.6), (26.7, 35.6), STRONG_BLUE, dashed=True)
    page.text(21.9, 32.5, "prefetch", size=SMALL, color=STRONG_BLUE)

    for y, name in ((49, "1  scores"), (29, "2  gradient")):
        page.text(62.5, y + 7.2, name, weight="bold", color=STRONG_GREEN)
        page.text(87.5, y + 7.2, name, weight="bold", color=STRONG_ORANGE)
    part = f"of W: {t.classes} classes\n× {t.feature_block} features, {kib(t.weight_block_bytes)}"
    page.box(53.5, 47, 18, 6.5, part, size=SMALL)
    page.box(53.5, 41, 18, 4.5, f"{t.row_block} rows, {kib(t.row_block * t.feature_block * ITEM)}", fill="#9cc3f5", size=SMALL)
    page.box(
        78.5,
        41,
        18,
        12.5,
        f"{t.row_block} rows × {t.class_block} classes:\n{t.row_block * t.class_block} vectors of sums,\nalong the features",
        size=SMALL,
    )
    page.arrow((46.3, 45), (53.2, 43.4))
    page.arrow((71.8, 43.4), (78.2, 45))
    page.arrow((71.8, 50.2), (78.2, 49))
    page.box(
        53.5,
        26.6,
        18,
        6.2,
        f"D: {t.tile_rows} × {t.classes}, {t.tile_rows * t.classes * ITEM / 1024:.1f} KiB\n(the loss, in place)",
        size=SMALL,
    )
    page.box(53.5, 19, 18, 6, f"{t.tile_rows} rows × 2 vectors,\n{kib(t.tile_rows * 2 * VECTOR)}", fill="#9cc3f5", size=SMALL)
    page.box(
        78.5,
        19,
        18,
        13.8,
        f"{t.gradient_block} classes × 2 vectors\nof features: {2 * t.gradient_block} sums,\n"
        f"while all {t.tile_rows} rows\npass by",
        size=SMALL,
    )
    page.arrow((84, 40.7), (71.8, 32.4), STRONG_GREEN)
    page.text(76.3, 38.2, "S", color=STRONG_GREEN, weight="bold")
    page.arrow((46.3, 43.4), (53.2, 23.6))
    page.text(49.9, 37.6, "again", size=SMALL, rotation=-71, rotation_mode="anchor")
    page.arrow((71.8, 29.4), (78.2, 28.4))
    page.arrow((71.8, 22), (78.2, 23))
    page.arrow((87.5, 18.7), (46.3, 21), STRONG_ORANGE, bend=-0.13)

    page.box(2, 2, 96, 11, fill=VIOLET)
    page.text(4, 10.2, "3  after a barrier", weight="bold", ha="left")
    words = (
        f"The gradient is cut into slices of {t.slice:,} weights. A thread takes a slice of all chunks' G, sums them in order\n"
        "of the chunks in float64, adds the penalty, makes the update and packs W anew. Rows are cut by shape alone:\n"
        "the same bits at any number of threads."
    )
    page.text(4, 5.6, words, size=SMALL, ha="left")
    page.arrow((36.5, 18.7), (36.5, 13.3), STRONG_ORANGE)
    return page.figure


def integer_path() -> Figure:
    """exact.c: hinge losses on bytes."""
    b = Bytes()
    others = b.classes - 1
    page = Canvas(100, 74)
    page.text(2, 71.5, "Bytes: an exact gradient from scores that need not be", size=LARGE, ha="left", weight="bold")
    page.text(
        2,
        68.6,
        f"hinge losses on uint8 or int8; {b.features:,} features, {b.classes} classes",
        size=SMALL,
        color=MUTED,
        ha="left",
    )

    page.box(2, 53, 22, 12, "W, float32\ndifferences to the last\nclass, times 1 / scale", fill=GREY)
    page.box(33, 53, 19, 12, "integers q of 23 bits\n× a power of two\nfor each class", fill=GREY)
    page.arrow((24.3, 59), (32.7, 59))
    page.text(28.5, 60.8, "round", size=SMALL)
    page.box(59.5, 51.6, 18, 9.6, edge="#8250df")
    for y, name, use in ((61.8, "low", "for rows in doubt"), (57, "middle", "for every row"), (52.2, "high", "for every row")):
        page.box(61, y, 15, 3.8, f"{name}: 8 bits", fill="white" if name == "low" else VIOLET, size=SMALL)
        page.text(79, y + 1.9, use, size=SMALL, color=MUTED, ha="left")
        page.arrow((52.3, 59), (60.7, y + 1.9))
    page.box(2, 34, 22, 12, f"a tile of {b.tile_rows} rows u,\nbytes as stored:\n{kib(b.tile_rows * b.features)}", fill=BLUE)
    page.box(33, 34, 19, 12, "u · high, u · middle\nin int32: exact,\n4 products a lane", fill=ORANGE, size=SMALL)
    page.box(61, 34, 37, 12, fill="white")
    page.text(79.5, 43.4, "score = unit × (65,536 high + 256 middle) + known", size=SMALL)
    page.axes.plot([64, 95], [38.4, 38.4], color=LINE, linewidth=1)
    page.axes.plot([79.5, 79.5], [36.9, 39.9], color=INK, linewidth=1.2)
    page.text(79.5, 35.5, "margin 0", size=SMALL, color=MUTED)
    for x, color in ((68, STRONG_GREEN), (89.5, STRONG_GREEN), (81, STRONG_RED)):
        page.axes.plot([x - 2.4, x + 2.4], [38.4, 38.4], color=color, linewidth=3, solid_capstyle="butt")
        page.axes.plot([x], [38.4], marker="o", color=color, markersize=5)
    page.text(68, 40.7, "sure", size=SMALL, color=STRONG_GREEN)
    page.text(89.5, 40.7, "sure", size=SMALL, color=STRONG_GREEN)
    page.text(82.8, 40.7, "doubt", size=SMALL, color=STRONG_RED)
    page.arrow((59.2, 52.2), (48, 46.3))
    page.arrow((24.3, 40), (32.7, 40))
    page.arrow((52.3, 40), (60.7, 40))

    page.box(61, 17, 16, 10.5, f"D, one byte each:\n−{others} … 1", fill=GREEN)
    page.box(82, 17, 16, 10.5, "all three digits:\nthe exact score\ndecides", fill="#fbe3e1", size=SMALL)
    page.arrow((69, 33.7), (69, 27.8), STRONG_GREEN)
    page.arrow((90, 33.7), (90, 27.8), STRONG_RED)
    page.arrow((81.7, 22), (77.3, 22), STRONG_RED)
    page.box(33, 17, 19, 10.5, "D · u in int32:\na sum of integers,\nexact in any order", fill=ORANGE, size=SMALL)
    page.arrow((60.7, 22), (52.3, 22))
    page.arrow((13, 33.7), (32.7, 24.5))
    page.text(13, 24.2, "again, from the\nsecond-level cache", size=SMALL, color=MUTED)

    page.box(2, 2, 96, 11, fill=VIOLET)
    page.text(4, 10.5, "float64", weight="bold", ha="left")
    words = (
        "gradient = (sum of D · u  −  mean × sum of D) / scale + penalty; the loss from the same sums. The last class's\n"
        f"row is minus the sum of the others. Sums of {b.wave_rows:,} rows fit into int32, then go to float64. The same bits\n"
        "at any number of threads."
    )
    page.text(4, 5.8, words, size=SMALL, ha="left")
    page.arrow((42.5, 16.7), (42.5, 13.3))
    return page.figure


def many_classes() -> Figure:
    """wide.c and products.h: matrix against matrix."""
    w = Wide()
    classes, features = w.rectangle
    page = Canvas(100, 78)
    page.text(2, 75.5, "Many classes: two products of matrices, block by block", size=LARGE, ha="left", weight="bold")
    shape = f"{w.rows:,} × {w.features} float32, {w.classes:,} classes, in blocks of {w.block_rows:,} rows; X is laid out once"
    page.text(2, 72.6, shape, size=SMALL, color=MUTED, ha="left")

    page.box(2, 38, 96, 32, fill=GREY)
    page.text(4, 67.8, "1  scores, loss and D: a thread takes a piece of the block's rows", weight="bold", ha="left")
    page.text(14, 64.6, f"X, {w.block_rows:,} × {w.features}", size=SMALL)
    page.cells(6, 43, 16, 20, "white", rows=12)
    page.cells(6, 43 + 20 * 8 / 12, 16, 20 / 12, "#9cc3f5")
    page.text(24.5, 53, "×", size=LARGE)
    page.text(37, 64.6, f"W in panels of {w.width} classes", size=SMALL)
    page.cells(27, 47, 20, 14, "white", columns=10)
    page.cells(33, 47, 2, 14, "#f2b96b")
    page.text(49.5, 53, "=", size=LARGE)
    page.text(62, 64.6, f"S, turned into D: {w.block_rows:,} × {w.classes:,}", size=SMALL)
    page.cells(52, 43, 20, 20, "white", rows=12)
    page.cells(52, 43 + 20 * 8 / 12, 20, 20 / 12, GREEN)
    page.cells(58, 43 + 20 * 8 / 12, 2, 20 / 12, STRONG_GREEN)
    page.text(14, 40.6, f"piece: {w.piece_rows} rows, {kib(w.piece_rows * w.features * ITEM)}", size=SMALL, color=STRONG_BLUE)
    page.text(
        37, 44.2, f"panel: {kib(w.width * w.features * ITEM)}, in the\nsecond-level cache", size=SMALL, color=STRONG_ORANGE
    )
    page.text(62, 40.6, "the piece's loss while S is in cache", size=SMALL, color=STRONG_GREEN)
    registers = (
        f"{w.product_rows} rows × {w.width} classes\n= {2 * w.product_rows} vectors of sums,\n{w.depth[0]} features deep"
    )
    page.text(86, 60.5, "in registers", size=SMALL)
    page.box(76, 48, 20, 11, registers, fill=ORANGE, size=SMALL)

    page.text(50, 36.2, "barrier", size=SMALL, color=MUTED)

    page.box(2, 2, 96, 32, fill=GREY)
    page.text(4, 31.8, "2  gradient: a thread takes a rectangle of classes × features", weight="bold", ha="left")
    page.text(16, 28.6, f"Dᵀ, in groups of {w.product_rows} classes", size=SMALL)
    page.cells(6, 8, 20, 19, "white", rows=8)
    page.cells(6, 8 + 19 * 5 / 8, 20, 19 / 8, GREEN)
    page.text(28.5, 17.5, "×", size=LARGE)
    page.text(39, 28.6, f"X in panels of {w.width}", size=SMALL)
    page.cells(31, 8, 16, 19, "white", columns=2)
    page.cells(31, 8, 8, 19, "#9cc3f5")
    page.text(49.5, 17.5, "=", size=LARGE)
    page.text(62, 28.6, f"G: {w.classes:,} × {w.features}", size=SMALL)
    page.cells(52, 8, 20, 19, "white", rows=8, columns=2)
    page.cells(52, 8 + 19 * 5 / 8, 10, 19 / 8, STRONG_ORANGE)
    page.text(16, 5.5, f"{classes} classes, {kib(classes * w.block_rows * ITEM)}", size=SMALL, color=STRONG_GREEN)
    page.text(39, 5.5, f"{features} features", size=SMALL, color=STRONG_BLUE)
    page.text(62, 5.5, f"rectangle: {classes} × {features}", size=SMALL, color=STRONG_ORANGE)
    registers = f"{w.product_rows} classes × {w.width}\nfeatures, {w.depth[1]} rows deep"
    page.text(86, 27.5, "in registers", size=SMALL)
    page.box(76, 16, 20, 10, registers, fill=ORANGE, size=SMALL)
    page.text(86, 10.2, f"every {w.window_rows:,} rows\nG is added to sums\nof float64", size=SMALL)
    return page.figure


DIAGRAMS = {"tile-flow": tile_flow, "integer-path": integer_path, "many-classes": many_classes}
