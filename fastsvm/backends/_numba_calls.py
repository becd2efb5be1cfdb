"""How :mod:`fastsvm.backends.numba` calls a compiled loop: on how many threads, and with whose leaves.

Numba launches ``NUMBA_NUM_THREADS`` threads (the environment variable, or all cores) and no more later: a larger
``n_threads`` runs with those, and the result has the same bits. The caller's ``numba.set_num_threads`` is restored. Small
problems, one thread, and processes forked from one that used fastsvm run a serial compilation of the same functions, which
does not touch the pool.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np

from fastsvm.backends import UPDATES, _numba_leaves, _numba_registered, _numba_rules, threads
from fastsvm.backends._numba_cache import compiled
from fastsvm.backends._numba_memory import read_only
from fastsvm.losses import (
    CrammerSinger,
    Loss,
    RegisteredLoss,
    SmoothedCrammerSinger,
    SmoothedWestonWatkins,
    Softmax,
    WestonWatkins,
)

LOSSES = {leaf.__name__: number for number, leaf in enumerate(_numba_leaves.LOSSES)}
LEAVES = {
    WestonWatkins: "weston_watkins",
    CrammerSinger: "crammer_singer",
    Softmax: "softmax",
    SmoothedWestonWatkins: "smoothed_weston_watkins",
    SmoothedCrammerSinger: "smoothed_crammer_singer",
}
RULES = {leaf.__name__: number for number, leaf in enumerate(_numba_rules.RULES)}
RULES["store"] = RULES.pop("store_gradient")
RULES["adamw"] = RULES["adam"]  # whose coefficient of the decay is 0

#: Below these, waking threads costs about what they save: multiply-adds of a batch; numbers of a lone step or of given scores.
SERIAL_PRODUCTS = 200_000
SERIAL_NUMBERS = 100_000

OWN_RULE = -1  # a user's needs no number, but is not "store"

_lock = threading.Lock()
_layer: str | None = None


@contextlib.contextmanager
def _team(n_threads: int) -> Iterator[None]:
    """Let parallel loops of this thread use ``n_threads``.

    Numba's workqueue layer aborts the process when two threads use it, so they take turns, also while the layer is unknown.
    """
    global _layer
    with _lock if _layer in (None, "workqueue") else contextlib.nullcontext():
        before = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)
            _layer = numba.threading_layer()


def call(loop: Callable[..., Any], n_threads: int, *arguments: Any, own: tuple[tuple[str, Any], ...] = ()) -> Any:
    """Call a loop, compiled with a user's leaves, if there are any, in the place of the built-in ones."""
    n_threads = min(n_threads, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    if n_threads == 1 or threads.forked():
        return compiled(loop, False, own)(*arguments)
    with _team(n_threads):
        return compiled(loop, True, own)(*arguments)


def own_leaves(loss: Loss | None = None, rule: str = "store") -> tuple[tuple[str, Any], ...]:
    """A user's leaves, by the names the loops call them by."""
    own: list[tuple[str, Any]] = []
    if isinstance(loss, RegisteredLoss):
        own.append(("row_loss", _numba_registered.row_loss(loss.leaf, len(loss.parameters()))))
    if rule in UPDATES:
        update = UPDATES[rule]
        own.append(("apply_rule", _numba_registered.apply_rule(update.leaf, len(update.slots), len(update.columns))))
    return tuple(own)


def loss_code(loss: Loss, dtype: Any) -> tuple[int, np.ndarray]:
    """The number of its leaf, and its parameters. A user's needs no number: nothing else can be called."""
    if isinstance(loss, RegisteredLoss):
        return 0, read_only(np.array(loss.parameters(), dtype))
    name = "weston_watkins_squared" if getattr(loss, "squared", False) else LEAVES[type(loss)]
    return LOSSES[name], read_only(np.array([getattr(loss, "delta", 0.0)], dtype))


def coefficient_type(rule: str, x: np.ndarray) -> Any:
    """Built-in rules round their coefficients themselves; a user's leaf is given numbers of the parameters' dtype."""
    return x.dtype if rule in UPDATES else np.float64
