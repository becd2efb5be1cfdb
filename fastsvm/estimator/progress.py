"""Who is told how a fit goes: the user's callbacks, scikit-learn's (from version 1.9 on), and, with ``verbose``, stdout.

All of them hear of an iteration through one function, ``callback(record, result)`` as of :func:`fastsvm.train`, and each may
end the fit by returning ``True``. ``record`` is an ``EpochRecord``, a ``DualRecord`` or the record of an iteration of L-BFGS:
its first field counts iterations, and it has an ``objective`` or a ``loss``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    _Method = TypeVar("_Method", bound=Callable[..., Any])

    def with_callbacks(method: _Method) -> _Method:
        """Nothing to manage."""
        return method


__all__ = ["Callback", "CallbackSupportMixin", "Printer", "SklearnCallbacks", "with_callbacks"]

Callback = Callable[[Any, Any], Any]

#: With verbose=1 so many lines are printed over a fit of the greatest length, beside its last.
LINES = 10


class Printer:
    """Prints iterations on standard output, as scikit-learn does: every one, or `LINES` of them."""

    def __init__(self, name: str, verbose: int, max_iter: int) -> None:
        self._name, self._max_iter = name, max_iter
        self._every = 1 if verbose > 1 else max(1, -(-max_iter // LINES))

    def __call__(self, record: Any, result: Any) -> None:
        """Print a line for an iteration whose turn it is."""
        if record[0] % self._every == 0:
            print(f"[{self._name}] {describe(record)} (of at most {self._max_iter})", flush=True)


def describe(record: Any) -> str:
    """One line about an iteration."""
    names = {"objective": "objective", "loss": "objective", "dual_objective": "dual objective", "gap": "gap",
             "accuracy": "accuracy", "val_loss": "validation objective", "val_accuracy": "validation accuracy"}  # fmt: skip
    values = record._asdict()
    parts = [f"{text} {values[name]:.6g}" for name, text in names.items() if values.get(name) is not None]
    return f"{record._fields[0]} {record[0]}: {', '.join(parts)}"


class SklearnCallbacks:
    """Tells the callbacks that ``set_callbacks`` has given an estimator, in the order scikit-learn promises them.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    max_iter : int or None
        The most iterations that callbacks will hear of, if that is known.
    data : dict
        ``X``, ``y`` and ``metadata`` of the fit, for callbacks that ask for them.
    attributes : callable
        Makes the fitted attributes of an iteration's result; ``None`` where it has no weights.
    """

    def __init__(
        self,
        estimator: Any,
        max_iter: int | None,
        data: dict[str, Any],
        attributes: Callable[[Any], dict[str, Any] | None],
    ) -> None:
        self._estimator, self._data, self._attributes = estimator, data, attributes
        self._context = estimator._init_callback_context(max_subtasks=max_iter)
        self._context.call_on_fit_task_begin(estimator=estimator, **data)

    def __call__(self, record: Any, result: Any) -> bool:
        """An iteration, which is over: only then it is known that there was one."""
        task = self._context.subcontext(task_name=record._fields[0])
        task.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        return bool(
            task.call_on_fit_task_end(
                estimator=self._estimator, **self._data, reconstruction_attributes=lambda: self._attributes(result)
            )
        )

    def end(self) -> None:
        """The fit is over, and the estimator has its attributes."""
        self._context.call_on_fit_task_end(estimator=self._estimator, **self._data, reconstruction_attributes=dict)


def has_sklearn_callbacks(estimator: Any) -> bool:
    """Whether anybody waits for `SklearnCallbacks`."""
    return bool(getattr(estimator, "_skl_callbacks", None)) or hasattr(estimator, "_parent_callback_ctx")


def says_stop(answer: Any) -> bool:
    """``True``, Python's or NumPy's, ends a fit; whatever else a callback returns does not."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)
