"""Tables and drawings of graphs: what they say, and that nothing lies on anything else."""

from __future__ import annotations

import sys
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastsvm import autograd as ag
from fastsvm.autograd import examples
from fastsvm.autograd.layout import LANE, arrange
from fastsvm.autograd.scene import BOX, PAD, SIZE, make_scene, text_width


def network():
    """A two-layer network with penalties: wires that pass columns, arrays, shared nodes."""
    rng = np.random.default_rng(0)
    W1, W2 = ag.variable(rng.normal(size=(6, 4)), "W1"), ag.variable(rng.normal(size=(3, 6)), "W2")
    hidden = ag.relu(ag.linear(rng.normal(size=(5, 4)), W1)).named("hidden")
    loss = ag.loss(ag.linear(hidden, W2), np.array([0, 1, 2, 0, 1])) + ag.penalty(W1, 0.1) + ag.penalty(W2, 0.1)
    loss.backward()
    return loss.named("L")


GRAPHS = {
    "circuit": lambda: examples.circuit().f,
    "neuron": lambda: examples.sigmoid_neuron().f,
    "gate": lambda: examples.sigmoid_neuron(one_gate=True).f,
    "network": network,
}


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]


def test_the_table_of_the_neuron():
    assert ag.describe(examples.sigmoid_neuron().f, digits=2).splitlines() == [
        "node  operation  value  gradient",
        "w0                   2      -0.2",
        "x0                  -1      0.39",
        "w1                  -3     -0.39",
        "x1                  -2     -0.59",
        "w2                  -3       0.2",
        "#1    w0 * x0       -2       0.2",
        "#2    w1 * x1        6       0.2",
        "#3    #1 + #2        4       0.2",
        "s     #3 + w2        1       0.2",
        "#4    s * -1        -1      -0.2",
        "#5    exp(#4)     0.37     -0.53",
        "#6    #5 + 1       1.4     -0.53",
        "f     1 / #6      0.73         1",
    ]


def test_the_table_of_arrays():
    W = ag.variable(np.full((2, 2), 2.0), "W")
    X = ag.constant(np.ones((3, 2), dtype=float), "X")
    node = (X @ W + np.zeros(2))[0] ** 2
    lines = [line.split() for line in ag.describe(node).splitlines()]
    assert lines[1:4] == [
        ["W", "(2,", "2),", "norm", "4", "-"],
        ["X", "constant", "(3,", "2),", "norm", "2.449", "-"],
        ["#1", "X", "@", "W", "(3,", "2),", "norm", "9.798", "-"],
    ]
    assert lines[4][:6] == ["#2", "#1", "+", "array", "(2,)", "(3,"]
    node.sum().backward()
    assert ag.describe(node).splitlines()[1].endswith("norm 16")  # the row is (4, 4), its squares' slopes are 8, in four places


def test_the_drawing_of_the_circuit():
    svg = ag.draw(examples.circuit().f)
    found = texts(svg)
    for text in ("x", "y", "z", "+", "×", "−2", "5", "−4", "q = 3", "f = −12", "3", "1"):
        assert text in found, text
    assert found.count("−4") == 4  # z, and the gradients on x, y and q
    root = ElementTree.fromstring(svg)
    slanted = {"".join(e.itertext()) for e in root.iter() if e.get("font-style") == "italic"}
    assert slanted == {"−4", "3", "1", "gradient below, slanted"}
    assert 'id="' not in svg  # several can stand in one page


def test_numbers_are_written_into_the_operations():
    found = texts(ag.draw(examples.sigmoid_neuron().f))
    assert {"×−1", "exp", "+1", "1/x", "f = 0.731", "−0.197", "0.393", "−0.393", "−0.59"} <= set(found)
    x = ag.variable(2.0, "x")
    drawn = {"2−x": 2.0 - x, "−2": x - 2.0, "÷3": x / 3.0, "x^2": x**2, "max(0, x)": ag.maximum(0.0, x), "ReLU": ag.relu(x),
             "−x": -x, "σ": ag.sigmoid(x), "−": x - x}  # fmt: skip
    for text, node in drawn.items():
        assert text in texts(ag.draw(node)), text


def test_arrays_are_given_by_shape_and_norm():
    x = ag.variable(np.array([[3.0, 0.0], [0.0, 4.0]]), "<x & y>")
    f = (x * np.ones(2)).sum()
    f.backward()
    found = texts(ag.draw(f, legend=None))
    assert found.count("2×2, ‖·‖ 5") == 2
    assert "2, ‖·‖ 1.41" in found
    assert "‖·‖ 2" in found
    assert "<x & y>" in found
    assert "value above the wire" not in found
    assert "값" in texts(ag.draw(f, legend=("값", "기울기")))


def _rectangles(scene):
    for box in scene.boxes:
        yield (box.x, box.y - BOX / 2, box.x + box.width, box.y + BOX / 2)
    for text in scene.texts:
        yield (text.x, text.y - 0.75 * text.size, text.x + text_width(text.text, text.size), text.y + 0.2 * text.size)


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_lies_on_anything_else(name):
    scene = make_scene(GRAPHS[name](), 3, ("value above", "gradient below"))
    rectangles = list(_rectangles(scene))
    for (left, top, right, bottom), other in combinations(rectangles, 2):
        assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    for left, top, right, bottom in rectangles:
        assert left >= 0
        assert top >= 0
        assert right <= scene.width
        assert bottom <= scene.height
    # Wires end at boxes, but for the last, and the first operand's is the highest.
    ends = [wire.points[-1] for wire in scene.wires[:-1]]
    for box in scene.boxes:
        heights = [y for x, y in ends if x == box.x and abs(y - box.y) < BOX / 2]
        assert heights == sorted(heights)
        assert (len(heights) == 0) == (box.kind != "operation")
    assert sum(x == box.x and abs(y - box.y) < BOX / 2 for x, y in ends for box in scene.boxes) == len(ends)
    # Level parts of wires keep clear of texts and boxes other than those they begin and end at.
    for wire in scene.wires:
        for (x, y), (x_end, y_end) in zip(wire.points, wire.points[1:], strict=False):
            if y == y_end:
                for left, top, right, bottom in rectangles:
                    assert not (top < y < bottom and max(x, left) < min(x_end, right) - 1e-9), (x, y, x_end)


def test_a_tree_has_no_crossings_and_operands_keep_their_order():
    scene = make_scene(examples.sigmoid_neuron().f, 3, None)
    heights = {box.text: box.y for box in scene.boxes}
    assert heights["w0"] < heights["x0"] < heights["w1"] < heights["x1"]
    columns = sorted({box.x for box in scene.boxes})
    column = {box.text: columns.index(box.x) for box in scene.boxes}
    assert (column["w0"], column["w2"], column["1/x"]) == (0, 2, len(columns) - 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=25))
def test_any_graph_can_be_arranged(wanted):
    """Columns rise from inputs to users, and what shares a column has the room it needs."""
    inputs = {k: [x % k for x in xs] if k else [] for k, xs in enumerate(wanted)}
    reached, waiting = set(), [len(wanted) - 1]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += inputs[key]
    inputs = {k: xs for k, xs in inputs.items() if k in reached}
    layout = arrange(inputs, len(wanted) - 1)
    column = {key: k for k, keys in enumerate(layout.columns) for key in keys}
    assert set(inputs) == {key for key in column if isinstance(key, int)}
    for key, xs in inputs.items():
        for x in xs:
            assert column[x] < column[key]
            assert all((x, k) in column for k in range(column[x] + 1, column[key]))
    for keys in layout.columns:
        room = [LANE if isinstance(key, tuple) else 1.0 for key in keys]
        heights = [layout.height[key] for key in keys]
        for k in range(len(keys) - 1):
            assert heights[k + 1] - heights[k] >= (room[k] + room[k + 1]) / 2 - 1e-9
        assert heights[0] - room[0] / 2 >= -1e-9


def test_files(tmp_path):
    f = examples.circuit().f
    ag.save_drawing(f, tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_text(encoding="utf-8") == ag.draw(f)
    with pytest.raises(ValueError, match=r"path must end in \.svg, \.png, \.pdf; got .*f\.gif"):
        ag.save_drawing(f, tmp_path / "f.gif")
    with pytest.raises(FileNotFoundError):
        ag.save_drawing(f, tmp_path / "none" / "f.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["f.svg"]


def test_files_by_matplotlib(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    f = examples.circuit().f
    scene = make_scene(f, 3, ("value above the wire", "gradient below, slanted"))
    ag.save_drawing(f, tmp_path / "f.png", dpi=144)
    ag.save_drawing(f, tmp_path / "f.PDF")
    assert (tmp_path / "f.PDF").read_bytes().startswith(b"%PDF")
    image = imread(tmp_path / "f.png")[:, :, :3]
    assert image.shape[:2] == pytest.approx((2 * scene.height, 2 * scene.width), abs=1)
    box = next(box for box in scene.boxes if box.text == "z")
    inside = image[int(2 * (box.y - BOX / 2 + 5)), int(2 * (box.x + 5))]
    np.testing.assert_allclose(inside * 255, (0xE3, 0xEE, 0xF9), atol=1)


def test_texts_are_no_wider_than_reckoned():
    pytest.importorskip("matplotlib")
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans")  # among the widest that a browser may choose
    for name, graph in GRAPHS.items():
        for text in make_scene(graph(), 3, None).texts:
            width = TextPath((0, 0), text.text, size=SIZE, prop=font).get_extents().x1
            assert width <= text_width(text.text) + PAD, (name, text.text)


def test_matplotlib_is_asked_for_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        ag.save_drawing(examples.circuit().f, tmp_path / "f.png")
    ag.save_drawing(examples.circuit().f, tmp_path / "f.svg")


def test_what_cannot_be_drawn():
    node = ag.variable(1.0)
    for _ in range(300):
        node = node + 1.0
    with pytest.raises(ValueError, match="at most 300 nodes to be drawn; got 301"):
        ag.draw(node)
    with pytest.raises(TypeError, match="node must be a node of a graph; got float"):
        ag.draw(1.0)
    with pytest.raises(ValueError, match="digits"):
        ag.describe(node, digits=0)
