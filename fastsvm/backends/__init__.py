"""Three implementations of one contract, the table that names them, and the choice between them.

A backend is a module with the functions below. Arguments have been checked by the caller, outputs are preallocated
and overwritten, inputs are never written to, copied or converted, and the GIL is released while a compiled one works.
``T`` is the dtype of the weights, float32 or float64; the computation runs in it. ``b`` and ``db`` may be ``None``.

=====================================================================  ==========================================
function                                                               does
=====================================================================  ==========================================
``scores(W, b, samples, out, n_threads)``                              ``out`` (n_samples, n_classes) T
``top_k(W, b, samples, classes, top_scores, n_threads)``               ``classes`` (n_samples, k) int64 and, unless it
                                                                       is ``None``, ``top_scores`` (n_samples, k) T
``score_loss(scores, y, loss, sample_weight, dscores, n_threads)``     returns the mean loss of given scores; fills
                                                                       ``dscores`` unless it is ``None``
``evaluate(W, b, problem, n_threads)``                                 returns (objective, n_correct)
``losses(Ws, bs, problem, out, n_threads)``                            ``out`` (n_candidates,) float64
``candidate_scores(Ws, bs, samples, out, n_threads)``                   ``out`` (n_candidates, n_samples, n_classes) T
``combination_losses(scores, coefficients, base, y, loss,              ``out`` (n_points,) float64, from ``scores``
sample_weight, out, n_threads)``                                       (k, n_samples, n_classes) T, ``coefficients``
                                                                       (n_points, k) float64, and ``base`` or ``None``
``numerical_gradient(W, b, problem, h, central, dW, db, n_threads)``   fills ``dW``, ``db``; all of float64
``gradient(W, b, problem, dW, db, n_threads)``                         returns the objective; fills ``dW``, ``db``
``data_gradient(W, b, problem, dX, n_threads)``                        returns the objective; fills ``dX``
                                                                       (n_samples, n_features) T
``step(rule, coefficients, x, dx, slots, n_threads)``                  one update of arrays of one shape, in place
``epoch(W, b, slots_W, slots_b, problem, order, batch_size, rule,      the updates of an epoch, in place; fills
coefficients, losses, n_threads)``                                     ``losses``; returns (updates made, n_correct)
=====================================================================  ==========================================

``samples.X`` is an array or, with ``samples.is_sparse``, a ``scipy.sparse.csr_array``: ``data`` of float32 or float64,
``indices`` and ``indptr`` both int32 or both int64, in canonical format and in range; each may be read-only. Then
``samples.mean`` is ``None``, and ``samples.inverse_scale`` may be given alone. Every function takes it but ``data_gradient``,
whose callers refuse it; none makes an array of the size that dense samples would have. Results are those of the same samples
stored densely, but for rounding. Only a weight that is not finite may go unnoticed, where no sample has a number for it.

``n_correct`` counts samples whose largest score (the first of them in a tie) is their class's. The loss is NaN where a
score is not finite, which also catches NaN and infinity in ``X``, ``W`` and ``b``.

``top_k`` gives the classes with the k largest scores, the largest first and the lower class first in a tie, and these scores.
A row with a score that is not finite gets classes −1 and scores NaN.

``losses`` gives the objective of each candidate ``Ws[i]``, ``bs[i]`` of ``Ws`` (n_candidates, n_classes, n_features) and ``bs``
(n_candidates, n_classes) or ``None``.

``candidate_scores`` gives the scores of each candidate; a row of them may be off by a number that is common to its classes, to
which no built-in loss listens. ``combination_losses`` gives the mean loss, without a penalty, at the scores
``base + Σ_k coefficients[p, k] scores[k]``. ``numerical_gradient`` gives difference quotients of step ``h`` of the objective,
those of each weight from the one column of the scores that it changes.

In ``epoch``, update ``u`` uses the samples ``order[u * batch_size : (u + 1) * batch_size]`` (int64; the last may be
shorter): the objective of that batch, its mean loss over the batch plus the penalty, before the update, goes to ``losses[u]``,
and its gradient to the rule with ``coefficients[u]``. Weight decay does not reach ``b``. ``n_correct`` counts over all batches,
each scored before its update. The epoch ends early after the first update whose loss is not finite; that update is not
applied but counted.

The same build gives the same bits for every ``n_threads``: work is split by shape only, partial sums are combined in a
fixed order.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from fastsvm import _native
from fastsvm.backends.threads import resolve_threads
from fastsvm.losses import RegisteredLoss
from fastsvm.validation import check_choice

__all__ = ["COEFFICIENTS", "NAMES", "UPDATES", "Update", "get", "resolve_threads", "set_backend", "use", "without_decay"]

#: Columns of the coefficient table an optimizer hands to ``step`` and ``epoch``. ``decay1`` is ρ, δ or β₁ and ``decay2``
#: is β₂; ``correction1`` is 1 − β₁ᵗ and ``correction2`` 1 − β₂ᵗ.
COEFFICIENTS = ("learning_rate", "decay1", "decay2", "eps", "correction1", "correction2", "weight_decay")


class Update(NamedTuple):
    """A rule of a user's: ``leaf(x, g, *slots, *columns)`` returns the new ``x`` and slots. Its table has its own columns."""

    leaf: Callable[..., Any]
    slots: tuple[str, ...]
    columns: tuple[str, ...]


#: Rules made with :func:`fastsvm.register_update`.
UPDATES: dict[str, Update] = {}

#: Names a user may give, "auto" apart.
NAMES = ("native", "numba", "reference")

ENVIRONMENT = "FASTSVM_BACKEND"

_selected: str | None = None
_imported: dict[str, ModuleType] = {}


def set_backend(name: str) -> None:
    """Set the backend that calls without ``backend=`` use, for the whole process.

    Parameters
    ----------
    name : {"auto", "native", "numba", "reference"}
        "auto" is native where it was built with OpenMP or only one thread is available, otherwise numba.

    Raises
    ------
    TypeError, ValueError
        If there is no such backend.
    """
    global _selected
    _selected = check_choice("backend", name, ("auto", *NAMES))


def without_decay(rule: str, coefficients: np.ndarray) -> np.ndarray:
    """Coefficients as the intercept's update takes them: the same, but for the weight decay."""
    columns = UPDATES[rule].columns if rule in UPDATES else COEFFICIENTS
    coefficients = coefficients.copy()
    if "weight_decay" in columns:
        coefficients[:, columns.index("weight_decay")] = 0.0
    return coefficients


def use(name: str | None = None, loss: Any = None, rule: str = "") -> str:
    """Return the name of the backend that a call with ``backend=name`` uses, for this loss and this update rule.

    The argument comes before :func:`set_backend`, that before the environment variable ``FASTSVM_BACKEND``; without any it
    is "auto".
    """
    if name is not None:
        source, chosen = "backend", name
    elif _selected is not None:
        source, chosen = "backend", _selected
    else:
        source, chosen = ENVIRONMENT, _native.environment(ENVIRONMENT) or "auto"
    if chosen != "auto":
        check_choice(source, chosen, ("auto", *NAMES))
    if isinstance(loss, RegisteredLoss) or rule in UPDATES:
        own = f"the registered loss {loss!r}" if isinstance(loss, RegisteredLoss) else f"the registered update rule {rule!r}"
        if chosen == "native":
            raise ValueError(
                f"{source} must be 'numba', 'reference' or 'auto' for {own}, which is not in the C kernels; got 'native'"
            )
        return "numba" if chosen == "auto" else chosen
    if chosen != "auto":
        return chosen
    return "native" if _native.openmp() or resolve_threads(None) == 1 else "numba"


def get(name: str | None = None, loss: Any = None, rule: str = "") -> ModuleType:
    """Return the backend module that `use` names, importing it if need be."""
    chosen = use(name, loss, rule)
    if chosen not in _imported:
        _imported[chosen] = importlib.import_module(f"fastsvm.backends.{chosen}")
    return _imported[chosen]
