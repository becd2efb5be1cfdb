"""A two-layer network as a score function: the same losses, penalty, optimizers and trainer on scores that are not linear.

    scores = max(0, X W1ᵀ + b1) W2ᵀ + b2          result = fastsvm.train(X, y, score_function=fastsvm.TwoLayer(hidden=512))

======  =====================  =================================================
symbol  shape                  meaning
======  =====================  =================================================
``W1``  (hidden, n_features)   weights of the hidden units
``b1``  (hidden,)              their intercepts
``W2``  (n_classes, hidden)    weights of the scores
``b2``  (n_classes,)           their intercepts
``W``   (weights,)             ``W1`` and ``W2``, row after row, in one array
``b``   (hidden + n_classes,)  ``b1`` and ``b2``, or ``None``: neither has one
======  =====================  =================================================

Each block of a batch builds a graph of :mod:`fastsvm.autograd`. A backend gives the loss of its scores and their gradient, with
which the backward pass starts, and makes the updates; products are NumPy's. Samples are read, widened and standardised a block
at a time, so there is no float copy of them. CSR samples stay CSR; gradients on ``W1`` are dense. Threads share blocks and
updates as :mod:`fastsvm.network.team` says: their number never changes a bit of the result, given a BLAS whose own threads
threadpoolctl can limit.

Sources: CS231n, "Neural networks 1 and 2"; K. He et al., "Delving deep into rectifiers", ICCV 2015 (how weights begin).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsvm.score_functions import Engine, ScoreFunction
from fastsvm.sparse import CSR, Rows, is_sparse
from fastsvm.validation import WEIGHT_DTYPES, check_array, check_choice, check_integer

if TYPE_CHECKING:
    from fastsvm import autograd as ag

__all__ = ["ACTIVATIONS", "TwoLayer"]

#: What hidden units may make of their inputs, functions of :mod:`fastsvm.autograd`, each with the gain that keeps variances
#: from layer to layer: weights begin with a variance of ``gain / inputs``.
ACTIVATIONS = {"relu": 2.0, "tanh": 1.0, "sigmoid": 1.0}


@dataclass(frozen=True)
class TwoLayer(ScoreFunction):
    """``activation(X W1ᵀ + b1) W2ᵀ + b2``, for the argument ``score_function`` of :func:`fastsvm.train` and others.

    Weights begin as normal random numbers of variance ``2 / inputs`` (He et al. 2015; ``1 / inputs`` for tanh and sigmoid),
    drawn from the training's ``seed``, intercepts as zeros. This suits samples that are standardised.

    Parameters
    ----------
    hidden : int >= 1, default 512
        Hidden units.
    activation : {"relu", "tanh", "sigmoid"}
    n_features, n_classes : int, optional
        Training fills them in. Functions that take ``W`` need them.

    Examples
    --------
    >>> import numpy as np, fastsvm
    >>> X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])      # XOR
    >>> result = fastsvm.train(X, y, score_function=fastsvm.TwoLayer(hidden=16), alpha=1e-4, epochs=300)
    >>> result.predict(X).tolist(), result.parameters["W1"].shape
    ([0, 1, 1, 0], (16, 2))
    """

    hidden: int = 512
    activation: str = "relu"
    n_features: int | None = None
    n_classes: int | None = None

    def __post_init__(self) -> None:
        check_integer("hidden", self.hidden, at_least=1)
        check_choice("activation", self.activation, ACTIVATIONS)
        for name, least in (("n_features", 1), ("n_classes", 2)):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), at_least=least)

    def sized(self, n_features: int, n_classes: int) -> TwoLayer:
        """Return the network with its numbers of features and classes filled in."""
        for what, given, own in (("features", n_features, self.n_features), ("classes", n_classes, self.n_classes)):
            if own not in (None, given):
                raise ValueError(f"score_function must have the {given} {what} of the data; got {self!r}")
        return replace(self, n_features=n_features, n_classes=n_classes)

    def dimensions(self, W: np.ndarray | None = None) -> tuple[int, int]:
        """Return the numbers of features and classes; ``W`` is not looked at."""
        if self.n_features is None or self.n_classes is None:
            raise ValueError(f"score_function must be given its n_features and n_classes outside training; got {self!r}")
        return self.n_features, self.n_classes

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Outputs and inputs of each layer, the first one's first."""
        n_features, n_classes = self.dimensions()
        return [(self.hidden, n_features), (n_classes, self.hidden)]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of weights and of intercepts."""
        return sum(outputs * inputs for outputs, inputs in self.layers), sum(outputs for outputs, _ in self.layers)

    def known_classes(self, W: np.ndarray | None) -> int | None:
        """``n_classes``."""
        return self.n_classes

    def init_weights(self, n_features: int, n_classes: int, dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
        """Normal random numbers, those of the first layer first."""
        layers, gain = self.sized(n_features, n_classes).layers, ACTIVATIONS[self.activation]
        draws = [rng.normal(scale=np.sqrt(gain / inputs), size=outputs * inputs) for outputs, inputs in layers]
        return np.concatenate(draws).astype(dtype)

    def init_intercepts(self, n_classes: int, dtype: np.dtype) -> np.ndarray:
        """Zeros."""
        return np.zeros(self.sizes[1], dtype=dtype)

    def check(
        self, W: Any, b: Any, *, n_features: int | None = None, n_classes: int | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """``W`` and ``b``, flat as in :mod:`fastsvm.network`, or ``None`` for ``b``, of one dtype."""
        own = self.dimensions()
        for what, given, taken in (("features", n_features, own[0]), ("classes", n_classes, own[1])):
            if given not in (None, taken):
                raise ValueError(f"X and y must have the {taken} {what} of {self!r}; got {given}")
        W = check_array("W", W, dtypes=WEIGHT_DTYPES, shape=self.sizes[:1])
        return W, None if b is None else check_array("b", b, dtypes=(W.dtype.name,), shape=self.sizes[1:])

    def parameters(self, W: np.ndarray, b: np.ndarray | None) -> dict[str, np.ndarray]:
        """Views ``W1``, ``b1``, ``W2`` and ``b2``, the intercepts where there are any."""
        parts, first, first_b = {}, 0, 0
        for k, (outputs, inputs) in enumerate(self.layers, start=1):
            parts[f"W{k}"] = W[first : first + outputs * inputs].reshape(outputs, inputs)
            first += outputs * inputs
            if b is not None:
                parts[f"b{k}"] = b[first_b : first_b + outputs]
                first_b += outputs
        return parts

    def assemble(self, parameters: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """``W`` and ``b`` of such parts, copied."""
        shapes: dict[str, tuple[int, ...]] = {f"W{k}": layer for k, layer in enumerate(self.layers, start=1)}
        intercepts = {f"b{k}": layer[:1] for k, layer in enumerate(self.layers, start=1)}
        if set(parameters) not in (set(shapes), {*shapes, *intercepts}):
            given = ", ".join(parameters)
            raise ValueError(f"parameters must be {' and '.join(shapes)}, with or without b1 and b2; got {given}")
        for name, shape in (shapes | intercepts).items():
            if name in parameters:
                dtypes = WEIGHT_DTYPES if name == "W1" else (parameters["W1"].dtype.name,)
                check_array(name, parameters[name], dtypes=dtypes, shape=shape)
        W, b = ([parameters[name].reshape(-1) for name in names if name in parameters] for names in (shapes, intercepts))
        return np.concatenate(W), np.concatenate(b) if b else None

    def forward(self, x: Rows, parameters: dict[str, Any]) -> ag.Node:
        """The graph of the scores of samples ``x``, from parameters that are nodes or arrays."""
        from fastsvm import autograd as ag  # here, so that linear models need not load it

        activation, linear = getattr(ag, self.activation), _sparse_linear if is_sparse(x) else ag.linear
        hidden = activation(linear(x, parameters["W1"], parameters.get("b1")))
        return ag.linear(hidden, parameters["W2"], parameters.get("b2"))

    def engine(self, backend: Any) -> Engine:
        """Return what computes with the network."""
        from fastsvm.network.engine import NetworkEngine

        return NetworkEngine(self, backend)


def _sparse_linear(x: CSR, W: Any, b: Any) -> ag.Node:
    """``x Wᵀ + b`` of CSR samples, which are no operand of a graph: nothing asks for a gradient on them."""
    from fastsvm.autograd import node, rules

    def linear(*parameters: Any) -> tuple[Any, ...]:
        value, _, *backwards = rules.linear(x, *parameters)
        return value, *backwards

    return node.apply(linear, W) if b is None else node.apply(linear, W, b)
