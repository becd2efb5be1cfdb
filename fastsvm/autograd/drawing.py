"""Graphs as pictures: SVG of our own, whose text stays text; PNG and PDF by matplotlib."""

from __future__ import annotations

import io
import os
from xml.etree import ElementTree

from fastsvm.autograd.node import Node
from fastsvm.autograd.scene import BOX, FILL, HEAD, INK, LINE, Scene, Wire, bends, make_scene
from fastsvm.files import check_writable, write_bytes
from fastsvm.validation import check_integer

FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans CJK KR', NanumGothic, sans-serif"
LEGEND = ("value above the wire", "gradient below, slanted")
SUFFIXES = (".svg", ".png", ".pdf")


def draw(node: Node, *, digits: int = 3, legend: tuple[str, str] | None = LEGEND) -> str:
    """Return the computational graph of a node as SVG: from the variables on the left to the node on the right.

    Above each wire stands the value it carries, below it the gradient, slanted. Variables have blue boxes, constants broken
    lines; of two operands the first enters at the top. Arrays are given by shape and Euclidean norm (‖·‖).

    Parameters
    ----------
    node : Node
        Of a graph small enough for a picture: at most 300 nodes.
    digits : int >= 1, default 3
        Significant digits.
    legend : (str, str) or None
        What to say of values and of gradients at the bottom.

    Returns
    -------
    str
        An ``<svg>`` element that can stand in a file of its own or within HTML. Its text can be searched and copied.
    """
    scene = make_scene(node, check_integer("digits", digits, at_least=1), legend)
    return _svg(scene, f"Computational graph of {node.name or node.op}")


def _svg(scene: Scene, title: str) -> str:
    width, height = f"{scene.width:.0f}", f"{scene.height:.0f}"
    svg = ElementTree.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", width=width, height=height, viewBox=f"0 0 {width} {height}", role="img"
    )
    svg.set("font-family", FONTS)
    ElementTree.SubElement(svg, "title").text = title
    ElementTree.SubElement(svg, "rect", width="100%", height="100%", fill="#ffffff")
    wires = ElementTree.SubElement(svg, "g", {"fill": "none", "stroke": INK, "stroke-width": f"{LINE:g}"})
    heads = ElementTree.SubElement(svg, "g", fill=INK)
    for wire in scene.wires:
        ElementTree.SubElement(wires, "path", d=_path(wire))
        ElementTree.SubElement(heads, "polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in _head(wire)))
    boxes = ElementTree.SubElement(svg, "g", {"stroke": INK, "stroke-width": f"{LINE:g}"})
    labels = ElementTree.SubElement(svg, "g", {"fill": INK, "text-anchor": "middle"})
    for box in scene.boxes:
        shape = {"x": f"{box.x:.1f}", "y": f"{box.y - BOX / 2:.1f}", "width": f"{box.width:.1f}", "height": f"{BOX:g}"}
        shape |= {"rx": f"{box.radius:g}", "fill": FILL[box.kind]}
        if box.kind == "constant":
            shape["stroke-dasharray"] = "4 3"
        ElementTree.SubElement(boxes, "rect", shape)
        middle = {"x": f"{box.x + box.width / 2:.1f}", "y": f"{box.y + 0.36 * box.size:.1f}", "font-size": f"{box.size:g}"}
        ElementTree.SubElement(labels, "text", middle).text = box.text
    for text in scene.texts:
        at = {"x": f"{text.x:.1f}", "y": f"{text.y:.1f}", "font-size": f"{text.size:g}", "fill": text.colour}
        if text.italic:
            at["font-style"] = "italic"
        ElementTree.SubElement(svg, "text", at).text = text.text
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _path(wire: Wire) -> str:
    (x, y), *_ = wire.points
    curves = (" C " + ", ".join(f"{x:.1f} {y:.1f}" for x, y in bend) for bend in bends(wire))
    return f"M {x:.1f} {y:.1f}" + "".join(curves)


def _head(wire: Wire) -> list[tuple[float, float]]:
    x, y = wire.points[-1]
    return [(x + dx, y + dy) for dx, dy in HEAD]


def save_drawing(
    node: Node, path: str | os.PathLike[str], *, digits: int = 3, legend: tuple[str, str] | None = LEGEND, dpi: int = 200
) -> None:
    """Write the drawing of `draw` to a file: ``.svg``, or, where matplotlib is installed, ``.png`` or ``.pdf``.

    Parameters
    ----------
    node, digits, legend
        As in `draw`.
    path : path
        Its end says what is written. A file that is there is replaced whole.
    dpi : int >= 1, default 200
        Of PNG.

    Raises
    ------
    ValueError
        If the path ends otherwise.
    ImportError
        If matplotlib is needed and missing.
    OSError
        If the file cannot be written.
    """
    suffix = check_writable("path", path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"path must end in {', '.join(SUFFIXES)}; got {os.fspath(path)!r}")
    if suffix == ".svg":
        write_bytes(path, draw(node, digits=digits, legend=legend).encode())
        return
    scene = make_scene(node, check_integer("digits", digits, at_least=1), legend)
    write_bytes(path, _by_matplotlib(scene, suffix[1:], check_integer("dpi", dpi, at_least=1)))


def _by_matplotlib(scene: Scene, kind: str, dpi: int) -> bytes:
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
        from matplotlib.path import Path as Outline
    except ImportError as error:
        raise ImportError(f".{kind} drawings need matplotlib, .svg does not: pip install matplotlib ({error})") from None

    figure = Figure(figsize=(scene.width / 72, scene.height / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.set_axis_off()
    for wire in scene.wires:
        points = [wire.points[0], *(point for bend in bends(wire) for point in bend)]
        outline = Outline(points, [Outline.MOVETO] + [Outline.CURVE4] * (len(points) - 1))
        axes.add_patch(PathPatch(outline, facecolor="none", edgecolor=INK, linewidth=LINE))
        axes.add_patch(Polygon(_head(wire), facecolor=INK))
    for box in scene.boxes:
        style = f"round,pad=0,rounding_size={box.radius}"
        dashes = (0, (3, 2)) if box.kind == "constant" else "solid"
        corner = (box.x, box.y - BOX / 2)
        axes.add_patch(FancyBboxPatch(
            corner, box.width, BOX, style, facecolor=FILL[box.kind], edgecolor=INK, linewidth=LINE, linestyle=dashes
        ))  # fmt: skip
        axes.text(box.x + box.width / 2, box.y + 0.36 * box.size, box.text, color=INK, fontsize=box.size, ha="center")
    for text in scene.texts:
        style = "italic" if text.italic else "normal"
        axes.text(text.x, text.y, text.text, color=text.colour, fontsize=text.size, fontstyle=style)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42, "text.parse_math": False}):
        figure.savefig(buffer, format=kind, dpi=dpi)
    return buffer.getvalue()
