"""A drawing as lists of shapes and texts, before it is written as SVG or by matplotlib. Lengths are points, y grows downwards.

A node is a box with a wire to its right; above the wire stands its value, below it its gradient. Constants that are numbers
are written into the box of the operation.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastsvm.autograd.layout import Layout, arrange
from fastsvm.autograd.node import Node
from fastsvm.autograd.tables import is_number, nodes_of, norm_text, number_text

#: Dark enough to be told apart from white in print; green and red of those that the colour-blind tell apart as well.
VALUE, GRADIENT, INK = "#00694e", "#b03a00", "#222222"
FILL = {"variable": "#e3eef9", "constant": "#ffffff", "operation": "#f3f3f3"}

SIZE, SMALL = 13.0, 11.0  # of the type
ROW = 58.0
BOX = 26.0  # height, and least width
PAD = 8.0  # beside the texts along a wire
GAP = 40.0  # between columns, for the wires to change height
MARGIN = 16.0

LINE = 1.1  # thickness
#: Points of an arrow's head, from its tip.
HEAD = ((0.0, 0.0), (-7.0, -3.0), (-7.0, 3.0))

#: More nodes than that make no picture anybody reads.
MOST_NODES = 300

#: Operations by the symbols of their boxes; those of one wire with x for what comes in.
SYMBOLS = {
    "add": "+",
    "subtract": "−",
    "negative": "−x",
    "multiply": "×",
    "divide": "÷",
    "power": "xʸ",
    "matmul": "@",
    "transpose": "xᵀ",
    "index": "x[·]",
    "sum": "Σ",
    "maximum": "max",
    "relu": "ReLU",
    "sigmoid": "σ",
}
WITH_NUMBER = {
    "add": ("+{}", "+{}"),
    "subtract": ("{}−x", "−{}"),
    "multiply": ("×{}", "×{}"),
    "divide": ("{}/x", "÷{}"),
    "power": ("{}^x", "x^{}"),
    "maximum": ("max({}, x)", "max(x, {})"),
}


class Box(NamedTuple):
    """A rounded box around a text. ``x`` is its left side, ``y`` its middle."""

    x: float
    y: float
    width: float
    kind: str
    text: str
    size: float = SIZE

    @property
    def radius(self) -> float:
        """Of the corners: operations are round."""
        return BOX / 2 if self.kind == "operation" else 4.0


Point = tuple[float, float]


class Wire(NamedTuple):
    """A line through points, level at each of them, with an arrow's head at its end."""

    points: list[Point]


def bends(wire: Wire) -> list[tuple[Point, Point, Point]]:
    """The wire from one point to the next as cubic curves: two control points and the end of each."""
    curves = []
    for (x, y), (x_end, y_end) in pairwise(wire.points):
        middle = (x + x_end) / 2
        curves.append(((middle, y), (middle, y_end), (x_end, y_end)))
    return curves


class Text(NamedTuple):
    """A line of text. ``x`` is its left end, ``y`` its base line."""

    x: float
    y: float
    text: str
    colour: str
    italic: bool = False
    size: float = SIZE


class Scene(NamedTuple):
    """All of a drawing; wires lie below boxes."""

    width: float
    height: float
    wires: list[Wire]
    boxes: list[Box]
    texts: list[Text]


def text_width(text: str, size: float = SIZE) -> float:
    """Room that a text needs, in any of the usual fonts without serifs."""
    return size * sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.64 for letter in text)


class _Part(NamedTuple):
    """What is drawn of a node, or of an array that is an operand."""

    inputs: list[int]
    kind: str
    text: str
    value: str
    gradient: str = ""

    @property
    def box_width(self) -> float:
        return max(BOX, text_width(self.text) + BOX / 2)

    @property
    def width(self) -> float:
        return self.box_width + max(text_width(self.value), text_width(self.gradient)) + 2 * PAD


def make_scene(output: Node, digits: int, legend: tuple[str, str] | None) -> Scene:
    """Lay a graph out."""
    nodes = nodes_of(output)
    if len(nodes) > MOST_NODES:
        raise ValueError(f"node must have a graph of at most {MOST_NODES} nodes to be drawn; got {len(nodes)}")
    parts = _parts(nodes, digits)
    layout = arrange({k: part.inputs for k, part in enumerate(parts)}, len(parts) - 1)
    edges = _column_edges(parts, layout)
    column = {key: k for k, keys in enumerate(layout.columns) for key in keys}
    y = {key: MARGIN + ROW * height for key, height in layout.height.items()}
    boxes, wires, texts = [], [], []
    for k, part in enumerate(parts):
        x = edges[column[k]][0]
        boxes.append(Box(x, y[k], part.box_width, part.kind, part.text))
        texts.append(Text(x + part.box_width + PAD, y[k] - 6, part.value, VALUE))
        texts.append(Text(x + part.box_width + PAD, y[k] + 6 + 0.75 * SIZE, part.gradient, GRADIENT, italic=True))
        for port, source in enumerate(part.inputs):
            lanes = [(source, c) for c in range(column[source] + 1, column[k])]
            points = [(edges[column[source]][0] + parts[source].box_width, y[source]), (edges[column[source]][1], y[source])]
            points += [(edge, y[lane]) for lane in lanes for edge in edges[column[lane]]]
            # The first operand enters at the top.
            wires.append(Wire([*points, (x, y[k] + 8 * (port - (len(part.inputs) - 1) / 2))]))
    last = boxes[-1]
    wires.append(Wire([(last.x + last.width, last.y), (edges[-1][1], last.y)]))
    width = edges[-1][1] + MARGIN
    bottom = max(box.y for box in boxes) + ROW / 2
    if legend is not None:
        bottom += SIZE
        below = MARGIN + text_width(legend[0], SMALL) + PAD
        texts.append(Text(MARGIN, bottom, legend[0], VALUE, size=SMALL))
        texts.append(Text(below, bottom, legend[1], GRADIENT, italic=True, size=SMALL))
        width = max(width, below + text_width(legend[1], SMALL) + MARGIN)
    return Scene(width, bottom + MARGIN, wires, boxes, [text for text in texts if text.text])


def _column_edges(parts: list[_Part], layout: Layout) -> list[tuple[float, float]]:
    """Left and right side of each column."""
    edges, x = [], MARGIN
    for keys in layout.columns:
        width = max(parts[key].width for key in keys if isinstance(key, int))
        edges.append((x, x + width))
        x += width + GAP
    return edges


def _parts(nodes: list[Node], digits: int) -> list[_Part]:
    """Nodes, and the arrays among their operands, each after its inputs."""
    parts: list[_Part] = []
    place: dict[int, int] = {}
    for node in nodes:
        inputs = []
        for x in node.inputs:
            if isinstance(x, np.ndarray) and x.ndim and id(x) not in place:
                place[id(x)] = len(parts)
                parts.append(_Part([], "constant", "array", _value_text(x, digits)))
            if id(x) in place:
                inputs.append(place[id(x)])
        place[id(node)] = len(parts)
        parts.append(_part(node, inputs, digits))
    return parts


def _part(node: Node, inputs: list[int], digits: int) -> _Part:
    value = _value_text(node.value, digits)
    gradient = ""
    if node.grad is not None:
        gradient = _number(node.grad, digits) if node.ndim == 0 else f"‖·‖ {_minus(norm_text(node.grad, digits))}"
    if not node.inputs:
        kind = "variable" if node.needs_grad else "constant"
        return _Part(inputs, kind, node.name or ("x" if node.needs_grad else node.op), value, gradient)
    return _Part(inputs, "operation", _symbol(node, digits), f"{node.name} = {value}" if node.name else value, gradient)


def _symbol(node: Node, digits: int) -> str:
    """What stands in the box of an operation."""
    numbers = [k for k, x in enumerate(node.inputs) if is_number(x)]
    if len(numbers) == 1 and node.op in WITH_NUMBER:
        (k,) = numbers
        return WITH_NUMBER[node.op][k].format(_number(node.inputs[k], digits))
    return SYMBOLS.get(node.op, node.op)


def _value_text(array: np.ndarray, digits: int) -> str:
    if array.ndim == 0:
        return _number(array, digits)
    return f"{'×'.join(map(str, array.shape))}, ‖·‖ {_minus(norm_text(array, digits))}"


def _number(value: Any, digits: int) -> str:
    return _minus(number_text(value, digits))


def _minus(text: str) -> str:
    return text.replace("-", "−")
