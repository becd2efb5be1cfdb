"""Backpropagation: a small reverse-mode graph over NumPy arrays, with fastsvm's compiled losses as its top nodes.

    from fastsvm import autograd as ag

    W, b = ag.variable(W, "W"), ag.variable(b, "b")
    objective = ag.loss(ag.linear(X, W, b), y) + ag.penalty(W, alpha)      # the linear SVM, as a graph
    objective.backward()
    W.grad, b.grad                                                         # as fastsvm.loss_and_gradient gives them

Nodes have ``+ - * / @ **``, indexing, ``sum mean reshape transpose T``, and there are `exp`, `log`, `tanh`, `sigmoid`, `relu`,
`maximum` and `linear`, with NumPy's broadcasting; `operation` makes one of your own.

:mod:`fastsvm.autograd.rules` has the formula of each operation, :mod:`fastsvm.autograd.backpropagation` the backward pass, and
:mod:`fastsvm.autograd.node` says what is kept from one pass to the next.
"""

from __future__ import annotations

from fastsvm.autograd import examples
from fastsvm.autograd.drawing import draw, save_drawing
from fastsvm.autograd.functions import exp, linear, log, maximum, relu, sigmoid, tanh
from fastsvm.autograd.leaves import constant, variable
from fastsvm.autograd.losses import crammer_singer, loss, penalty, softmax_loss, weston_watkins
from fastsvm.autograd.node import Node, operation
from fastsvm.autograd.tables import describe

__all__ = [
    "Node",
    "constant",
    "crammer_singer",
    "describe",
    "draw",
    "examples",
    "exp",
    "linear",
    "log",
    "loss",
    "maximum",
    "operation",
    "penalty",
    "relu",
    "save_drawing",
    "sigmoid",
    "softmax_loss",
    "tanh",
    "variable",
    "weston_watkins",
]
