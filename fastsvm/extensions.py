"""Losses and update rules of a user's own: a scalar function, compiled into the same parallel loops as the built-in ones.

    def smooth_hinge(scores, y, dscores, delta):                  # a row of scores, its class, the row of gradients to fill
        ...
        return loss

    SmoothHinge = fastsvm.register_loss("smooth_hinge", smooth_hinge, delta=1.0)
    fastsvm.check_loss(SmoothHinge())                             # is its gradient right?
    fastsvm.train(X, y, loss=SmoothHinge(delta=0.5))              # or loss="smooth_hinge"

    def sign_descent(x, g, learning_rate, step):                  # one parameter, its gradient
        return x - learning_rate * np.sign(g)                     # with slots: return x, slot1, ...

    SignDescent = fastsvm.register_update("sign_descent", sign_descent)

The numba backend runs them fused, the reference backend calls them row by row as plain Python, the native backend refuses them;
``backend="auto"`` chooses numba. A registration lasts as long as the process. Pickles and model files hold the name and the
numbers, not the function: register it again before they are read. Code compiled with such a function is not kept on disk, so
that its first use takes some seconds in every process.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from typing import Any, ClassVar

import numpy as np

from fastsvm.backends import UPDATES, Update
from fastsvm.gradients import GradientCheck, check_objective_gradient
from fastsvm.losses import LOSSES, Loss, RegisteredLoss, as_loss
from fastsvm.optimizers import FULL_BATCH, OPTIMIZERS, Optimizer
from fastsvm.schedules import Schedule, rates
from fastsvm.validation import check_choice, check_flag, check_integer, check_real, plain_name

MAX_SLOTS = 3

#: Classes made here, by their names: pickle looks for them in this module.
_made: dict[str, type] = {}


def __getattr__(name: str) -> Any:
    if name in _made:
        return _made[name]
    raise AttributeError(
        f"module 'fastsvm.extensions' has no attribute {name!r}; a loss or rule of your own must be registered first"
    )


def register_loss(name: str, leaf: Callable[..., Any], *, replace: bool = False, **parameters: float) -> type[RegisteredLoss]:
    """Make a loss out of a function of one row of scores.

    Parameters
    ----------
    name : str
        What ``loss=`` shall call it: lower-case letters, digits and _.
    leaf : callable ``(scores, y, dscores, *parameters) -> loss``
        ``scores`` (n_classes,) finite numbers of the weights' dtype, ``y`` the row's class; fills ``dscores`` (n_classes,), the
        gradient on the scores, all of it, and returns the loss. Numba must be able to compile it (nopython mode), or has
        already (``numba.njit``). At a kink, any subgradient will do. It must not change ``scores``, raise, or write outside
        ``dscores``: that is checked here, on a few scores, and not in training.
    replace : bool, default False
        Whether another registered loss of that name gives way.
    **parameters : float
        Defaults of the leaf's further arguments. It gets them in the dtype of the weights.

    Returns
    -------
    class
        A frozen dataclass with the parameters as fields, to be used like :class:`fastsvm.WestonWatkins`.

    Raises
    ------
    TypeError, ValueError
        If the name is taken, or the leaf is no function, has other arguments, does not compile, or leaves NaN behind.
    """
    defaults = _defaults("leaf", leaf, ("scores", "y", "dscores"), parameters)
    _check_name(name, LOSSES, RegisteredLoss, replace)
    for dtype in (np.float64, np.float32):
        _try_loss(leaf, tuple(defaults.values()), dtype)
    cls = _make(name, RegisteredLoss, list(defaults.items()), {"leaf": staticmethod(leaf), "__doc__": inspect.getdoc(leaf)})
    LOSSES[name] = cls
    return cls


@dataclass(frozen=True)
class RegisteredUpdate(Optimizer):
    """What rules made with :func:`register_update` share."""

    columns: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.columns[2:]:
            check_real(name, getattr(self, name))

    def coefficients(self, first: int, count: int) -> np.ndarray:
        """Learning rate, step from 1, and the other hyperparameters, a row for each update."""
        table = np.empty((count, len(self.columns)))
        table[:, 0] = rates(self.learning_rate, first, count)
        table[:, 1] = np.arange(first + 1, first + count + 1)
        table[:, 2:] = [getattr(self, name) for name in self.columns[2:]]
        return table


def register_update(
    name: str,
    leaf: Callable[..., Any],
    *,
    slots: Sequence[str] = (),
    learning_rate: float | Schedule = 1e-2,
    replace: bool = False,
    **hyperparameters: float,
) -> type[RegisteredUpdate]:
    """Make an optimizer out of a function of one parameter.

    Parameters
    ----------
    name : str
        What ``optimizer=`` shall call it: lower-case letters, digits and _.
    leaf : callable ``(x, g, *slots, learning_rate, step, *hyperparameters) -> x`` or ``-> (x, *slots)``
        A parameter, its gradient, what is remembered of it, the learning rate, and the count of updates from 1, all numbers of
        the parameters' dtype. Returns the new parameter and slots.
    slots : sequence of str, at most 3
        Names of what is remembered for each parameter; zero in the beginning.
    learning_rate : float > 0 or callable
        The default.
    replace : bool, default False
        Whether another registered rule of that name gives way, also in optimizers that exist already.
    **hyperparameters : float
        Defaults of the leaf's further arguments. One called ``weight_decay`` is 0 in the intercept's updates; those called
        ``momentum``, ``decay``, ``beta1``, ``beta2`` and ``eps`` are checked as those of the built-in rules are.

    Returns
    -------
    class
        A frozen dataclass with ``learning_rate`` and the hyperparameters as fields, to be used like :class:`fastsvm.Adam`.

    Raises
    ------
    TypeError, ValueError
        As by :func:`register_loss`.
    """
    names = () if isinstance(slots, str) else tuple(slots)
    proper = all(isinstance(name, str) and name.isidentifier() and name not in ("x", "g", "step") for name in names)
    if isinstance(slots, str) or len(names) > MAX_SLOTS or not proper or len(set(names)) < len(names):
        raise ValueError(f"slots must be at most {MAX_SLOTS} different names, none of them x, g or step; got {slots!r}")
    slots = names
    defaults = _defaults("leaf", leaf, ("x", "g", *slots, "learning_rate", "step"), hyperparameters)
    _check_name(name, OPTIMIZERS | FULL_BATCH, RegisteredUpdate, replace)
    for dtype in (np.float64, np.float32):
        _try_update(leaf, len(slots), tuple(defaults.values()), dtype)
    state = namedtuple(_class_name(name) + "State", ("step", *slots), module=__name__)  # type: ignore[misc]
    columns = ("learning_rate", "step", *defaults)
    body = {"rule": name, "state_type": state, "columns": columns, "__doc__": inspect.getdoc(leaf)}
    cls = _make(name, RegisteredUpdate, [("learning_rate", learning_rate), *defaults.items()], body)
    cls()  # the defaults are checked as any other numbers
    _made[state.__name__] = state
    UPDATES[name] = Update(leaf, slots, columns)
    OPTIMIZERS[name] = cls
    return cls


def check_loss(
    loss: Loss | str, *, n_classes: int = 10, dtype: str = "float64", seed: int = 0, backend: str | None = None
) -> GradientCheck:
    """Check a loss's gradient on the scores of 50 random samples against central differences of its value.

    Parameters
    ----------
    loss : a loss or the name of one
    n_classes : int >= 2
    dtype : {"float64", "float32"}
        Of the scores.
    seed : int
    backend
        As in :mod:`fastsvm.objective`.

    Returns
    -------
    GradientCheck
        ``passed`` says whether it is right. At most 100 coordinates are checked; those at kinks are set apart.
    """
    n_classes = check_integer("n_classes", n_classes, at_least=2)
    dtype = check_choice("dtype", dtype, ("float64", "float32"))
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(50, 8)).astype(dtype), rng.integers(0, n_classes, 50)
    W = rng.normal(size=(n_classes, 8)).astype(dtype)
    return check_objective_gradient(W, X, y, loss=as_loss(loss), wrt="scores", seed=seed, backend=backend, n_threads=1)


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _check_name(name: Any, table: dict[str, Any], kind: type, replace: bool) -> None:
    if not isinstance(name, str) or not name.isidentifier() or name != plain_name(name):
        raise ValueError(f"name must be lower-case letters, digits and _, not beginning with a digit; got {name!r}")
    check_flag("replace", replace)
    if name in table and not issubclass(table[name], kind):
        raise ValueError(f"name must be free; {name!r} is built in")
    if name in table and not replace:
        raise ValueError(f"name must be free; {name!r} is registered already (replace=True puts the new one in its place)")


def _defaults(what: str, leaf: Any, first: tuple[str, ...], given: dict[str, float]) -> dict[str, float]:
    """Defaults of the leaf's further arguments, in its order."""
    if not callable(leaf):
        raise TypeError(f"{what} must be a function; got {leaf!r}")
    try:
        arguments = list(inspect.signature(getattr(leaf, "py_func", leaf)).parameters.values())
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a Python function; got {leaf!r}") from None
    names = [argument.name for argument in arguments]
    plain = all(argument.kind is argument.POSITIONAL_OR_KEYWORD for argument in arguments)
    further = names[len(first) :]
    if not plain or len(names) < len(first) or set(further) != set(given):
        wanted = ", ".join((*first, *given))
        raise TypeError(f"{what} must take the arguments ({wanted}); got ({', '.join(names)})")
    for name in further:
        if not name.isidentifier() or name in ("leaf", "parameters", "coefficients", "columns", "rule", "learning_rate"):
            raise ValueError(f"a parameter must not be called {name!r}, which has a meaning of its own")
    return {name: check_real(name, given[name]) for name in further}


def _make(name: str, base: type, defaults: list[tuple[str, Any]], body: dict[str, Any]) -> Any:
    """A frozen dataclass of numbers that pickle finds in this module."""
    fields = [(key, float, field(default=value)) for key, value in defaults]
    cls = make_dataclass(_class_name(name), fields, bases=(base,), namespace={**body, "__module__": __name__}, frozen=True)
    cls.__module__ = __name__
    _made[cls.__name__] = cls
    return cls


def _compile(leaf: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What the compiled leaf returns, for once with all indices checked."""
    from numba.core.errors import NumbaError

    from fastsvm.backends.numba import compile_for_trial

    try:
        return compile_for_trial(leaf)(*arguments)
    except NumbaError as error:
        raise TypeError(f"leaf must be a function that Numba can compile (nopython mode); it says: {error}") from error
    except IndexError as error:
        raise ValueError(f"leaf must stay inside its arrays, for nothing checks that later; {error}") from error


def _try_loss(leaf: Callable[..., Any], parameters: tuple[float, ...], dtype: type) -> None:
    """Raise unless the compiled leaf gives numbers."""
    for n_classes in (2, 5):
        scores: Any = np.linspace(-1.3, 1.7, n_classes, dtype=dtype)
        for y in range(n_classes):
            dscores: Any = np.full(n_classes, np.nan, dtype)
            given = scores.copy()
            value = _compile(leaf, (given, y, dscores, *(dtype(p) for p in parameters)))
            if not np.array_equal(given, scores):
                raise ValueError(f"leaf must not change scores; it made {given.tolist()} of {scores.tolist()}")
            if not isinstance(value, numbers.Real):
                raise TypeError(f"leaf must return the loss, a number; got {value!r}")
            if not math.isfinite(value):
                raise ValueError(f"leaf must return a finite loss; got {value} at scores {scores.tolist()}, y {y}")
            if not np.isfinite(dscores).all():
                raise ValueError(
                    f"leaf must fill all of dscores; it left {dscores.tolist()} at scores {scores.tolist()}, y {y}"
                )


def _try_update(leaf: Callable[..., Any], n_slots: int, hyperparameters: tuple[float, ...], dtype: type) -> None:
    """Raise unless the compiled leaf gives as many numbers as there are arrays."""
    given = tuple(dtype(number) for number in (0.5, -0.25, *(0.0,) * n_slots, 0.01, 1.0, *hyperparameters))
    result = _compile(leaf, given)
    new = result if isinstance(result, tuple) else (result,)
    wanted = "the new x" if n_slots == 0 else f"a tuple of the new x and {n_slots} slot{'s' if n_slots > 1 else ''}"
    if (
        len(new) != 1 + n_slots
        or isinstance(result, tuple) != (n_slots > 0)
        or not all(isinstance(v, numbers.Real) for v in new)
    ):
        raise TypeError(f"leaf must return {wanted}; got {result!r}")
    if not all(map(math.isfinite, new)):
        raise ValueError(f"leaf must return finite numbers; got {result!r} at {given}")
