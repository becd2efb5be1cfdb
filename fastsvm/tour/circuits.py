"""Backpropagation: the lecture's two circuits, each value and gradient drawn, and the loss as the top node of a graph."""

from __future__ import annotations

import numpy as np

from fastsvm import autograd
from fastsvm.autograd.examples import circuit, sigmoid_neuron
from fastsvm.objective import loss_and_gradient
from fastsvm.tour.context import Context
from fastsvm.tour.story import Chapter


def backprop(context: Context, chapter: Chapter) -> None:
    """f = (x + y) z with the lecture's numbers, the sigmoid neuron, and the gradient of the SVM loss by the same rules."""
    legend = context.label("value"), context.label("gradient")
    product, neuron, gate = circuit(), sigmoid_neuron(), sigmoid_neuron(one_gate=True)
    rows = max(2, min(100, len(context.y)))
    X, y = context.subset("graph", rows)
    W = context.weights("graph", context.scale)
    inputs = context.standardization.apply(X, np.float32)
    weights = autograd.variable(W, "W")
    objective = autograd.loss(autograd.linear(inputs, weights), y)
    objective.backward()
    assert weights.grad is not None
    _, dW, _ = loss_and_gradient(W, X, y, **context.where)
    difference = float(np.abs(weights.grad - dW).max() / max(np.abs(dW).max(), np.finfo(np.float32).tiny))
    chapter.values = {
        **{name: float(node.value) for name, node in product._asdict().items()},
        **{f"d{name}": _gradient(node) for name, node in product._asdict().items()},
        "s": float(neuron.s.value),
        "sigmoid": float(neuron.f.value),
        "ds": _gradient(neuron.s),
        "local": float(neuron.f.value) * (1 - float(neuron.f.value)),
        "gate_ds": _gradient(gate.s),
        **{f"d{name}": _gradient(getattr(neuron, name)) for name in ("w0", "x0", "w1", "x1", "w2")},
        "samples": len(y),
        "difference": difference,
    }
    chapter.text("intro")
    chapter.figure("circuit_graph", autograd.draw(product.f, legend=legend), "narrow")
    chapter.text("forward")
    chapter.formula("chain")
    chapter.text("rules", "neuron")
    chapter.formula("sigmoid")
    chapter.figure("neuron_graph", autograd.draw(neuron.f, legend=legend), "wide")
    chapter.text("sigmoid")
    chapter.figure("gate_graph", autograd.draw(gate.f, legend=legend))
    chapter.text("gate", "loss")
    chapter.code(
        "from fastsvm import autograd as ag\n\n"
        'u, v, w = ag.variable(-2.0, "x"), ag.variable(5.0, "y"), ag.variable(-4.0, "z")\n'
        "f = (u + v) * w\nf.backward()\nu.grad, v.grad, w.grad\nag.draw(f)                # an SVG",
        same="python",
    )


def _gradient(node: autograd.Node) -> float:
    """The gradient that a backward pass has left at a node."""
    assert node.grad is not None
    return float(node.grad)
