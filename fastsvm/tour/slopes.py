"""Strategy 3 begins: the gradient, by differences and by calculus, and the one checked against the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsvm import plots
from fastsvm.gradients import check_objective_gradient, numerical_gradient, numerical_objective_gradient
from fastsvm.losses import Loss, Softmax, WestonWatkins
from fastsvm.objective import loss_and_gradient, loss_value
from fastsvm.tour import pictures
from fastsvm.tour.context import Clock, Context, fastest, fixed
from fastsvm.tour.story import Chapter, Seconds

#: Steps of the differences: those between which the best lies, and worse ones on both sides.
STEPS = 10.0 ** np.arange(-1, -13, -1)

#: Step of the lecture's code.
LECTURE_STEP = 1e-5

#: Weights in the table, and weights whose error is measured.
SHOWN, MEASURED = 5, 10


def gradient(context: Context, chapter: Chapter) -> None:
    """What a gradient is, and differences on one side and on both: their error and their cost."""
    some = _some_weights(context)
    chapter.text("intro")
    chapter.formula("derivative")
    chapter.text("directions", "table")
    columns = ("weight", "value", "loss_before", "loss_after", "slope", "analytic_slope")
    chapter.table("weights", columns, some.rows(LECTURE_STEP)[:SHOWN], left=("weight",))
    chapter.text("central")
    chapter.formula("central")
    _error(context, chapter, some)
    _cost(context, chapter, some.W)
    chapter.code(
        "def f(W):\n    return fastsvm.loss_value(W, X[:20], y[:20], standardization=mean)\n\n"
        "dW = fastsvm.numerical_gradient(f, W, h=1e-5)    # of any function f(W), one weight at a time\n\n"
        "from fastsvm.gradients import numerical_objective_gradient    # of the SVM loss\n"
        "dW, db = numerical_objective_gradient(W, X, y, standardization=mean)"
    )


def _error(context: Context, chapter: Chapter, some: SomeWeights) -> None:
    """How wrong differences are, for each step: of a smooth loss and of one with kinks."""
    errors = {
        f"{name}_{method}": some.errors(loss, method)
        for name, loss in (("softmax", Softmax()), ("svm", WestonWatkins()))
        for method in ("forward", "central")
    }
    chapter.values |= {
        "h": LECTURE_STEP,
        "loss": some.at(WestonWatkins())(some.point),
        "samples": len(some.y),
        "measured": len(some.places),
        "steps": STEPS,
        "errors": errors,
    }
    for name, key in (("one", "softmax_forward"), ("two", "softmax_central")):
        best = int(errors[key].argmin())
        chapter.values |= {f"best_{name}": float(STEPS[best]), f"best_{name}_error": float(errors[key][best])}
    chapter.text("error")
    words = {"step": "h", "error": context.label("relative_error")}
    named = {context.label(key): values for key, values in errors.items()}
    chapter.figure("error_plot", pictures.error_against_step(STEPS, named, words))
    chapter.text("why")


def _cost(context: Context, chapter: Chapter, W: np.ndarray) -> None:
    """What a whole gradient costs, one weight at a time (extrapolated) and one column of scores at a time."""
    single = W.astype(np.float32)
    once = fastest(lambda: loss_value(single, context.X, context.y, **context.where))
    with Clock() as by_structure:
        numerical_objective_gradient(W, context.X, context.y, h=LECTURE_STEP, **context.where)
    generic = context.found["generic_seconds"] = Seconds((W.size + 1) * once)
    chapter.values |= {
        "all_samples": len(context.y),
        "weights": W.size,
        "parameters": W.size + len(W),
        "evaluations": W.size + 1,
        "evaluation_seconds": once,
        "generic_seconds": generic,
        "structure_seconds": by_structure.seconds,
    }
    chapter.text("cost")
    chapter.numbers(one_loss=once, generic_gradient=generic, structure_gradient=by_structure.seconds)
    chapter.text("structure")


def analytic(context: Context, chapter: Chapter) -> None:
    """The gradient by calculus, its price, and the gradient check."""
    W = context.weights("slope", 10 * context.scale).astype(np.float64)
    X, y = context.subset("slope", context.plan.check_samples)
    check = check_objective_gradient(
        W, X, y, alpha=context.alpha, n_coordinates=context.plan.check_coordinates, seed=context.seed, **context.where
    )
    single = W.astype(np.float32)
    seconds = fastest(lambda: loss_and_gradient(single, context.X, context.y, **context.where))
    generic = context.found["generic_seconds"]
    chapter.values = {
        "samples": len(y),
        "all_samples": len(context.y),
        "seconds": seconds,
        "generic_seconds": generic,
        "faster": round(generic / seconds),
        "coordinates": len(check.analytic),
        "judged": len(check.analytic) - check.n_kinks,
        "kinks": check.n_kinks,
        "error": check.max_relative_error,
        "tolerance": check.tolerance,
        "passed": check.passed,
        "alpha": context.alpha,
    }
    chapter.text("intro")
    chapter.formula("svm_loss")
    chapter.formula("analytic")
    chapter.text("meaning", "speed")
    chapter.numbers(
        analytic_gradient=seconds, generic_gradient=generic, largest_error=check.max_relative_error, at_kinks=check.n_kinks
    )
    chapter.text("check")
    chapter.figure("check_plot", plots.gradient_check(check))
    chapter.text("passed" if check.passed else "failed", "kinks" if check.n_kinks else "no_kinks")
    chapter.code(
        "loss, dW, db = fastsvm.loss_and_gradient(W, X, y, b, standardization=mean)\n"
        f"few = rng.permutation(len(y))[:{len(y)}]\n"
        f"check = fastsvm.check_objective_gradient(W, X[few], y[few], b, alpha={context.alpha:g}, "
        f"n_coordinates={context.plan.check_coordinates},\n"
        "                                         standardization=mean)\n"
        "check.passed, check.max_relative_error",
        f"fastsvm gradcheck {context.typed} --samples {len(y)} --coordinates {context.plan.check_coordinates} "
        f"--alpha {context.alpha:g} --standardize mean",
    )


@dataclass(frozen=True, eq=False)
class SomeWeights:
    """A few weights of W, as many (row, column) as ``places``; the loss as a function of these alone."""

    W: np.ndarray
    X: np.ndarray
    y: np.ndarray
    places: list[tuple[int, int]]
    where: dict[str, Any]

    @property
    def index(self) -> tuple[np.ndarray, np.ndarray]:
        """The places as NumPy takes them."""
        rows, columns = np.array(self.places).T
        return rows, columns

    @property
    def point(self) -> np.ndarray:
        """The weights' values."""
        return self.W[self.index]

    def at(self, loss: Loss) -> Callable[[np.ndarray], float]:
        """The loss at other values of these weights."""
        moved = self.W.copy()

        def f(values: np.ndarray) -> float:
            moved[self.index] = values
            return loss_value(moved, self.X, self.y, loss=loss, **self.where)

        return f

    def analytic(self, loss: Loss) -> np.ndarray:
        """The analytic gradient on these weights."""
        return loss_and_gradient(self.W, self.X, self.y, loss=loss, **self.where)[1][self.index]

    def errors(self, loss: Loss, method: str) -> np.ndarray:
        """Relative error of the differences for each step: length of the error over that of the gradient."""
        exact, f = self.analytic(loss), self.at(loss)
        found = [numerical_gradient(f, self.point, h=float(h), method=method) for h in STEPS]
        return np.array([np.linalg.norm(one - exact) for one in found]) / np.linalg.norm(exact)

    def rows(self, h: float) -> list[tuple[str, ...]]:
        """The SVM loss before and after each weight moves by ``h``, as a table shows it."""
        f, exact = self.at(WestonWatkins()), self.analytic(WestonWatkins())
        before = f(self.point)
        rows: list[tuple[str, ...]] = []
        for k, (row, column) in enumerate(self.places):
            moved = self.point
            moved[k] += h
            after = f(moved)
            slopes = fixed((after - before) / h, 5, True), fixed(exact[k], 5, True)
            rows.append((f"w[{row}, {column}]", fixed(self.point[k], 6, True), fixed(before, 9), fixed(after, 9), *slopes))
        return rows


def _some_weights(context: Context) -> SomeWeights:
    """Weights, at random, of features that vary: elsewhere the slope is 0 and there is no relative error."""
    W = context.weights("slope", 10 * context.scale).astype(np.float64)
    X, y = context.subset("slope", context.plan.check_samples)
    rng = context.rng("lively")
    varying = np.flatnonzero(X.max(axis=0) > X.min(axis=0))
    columns = rng.choice(varying, MEASURED, replace=len(varying) < MEASURED)
    rows = rng.integers(0, context.shape[0], MEASURED)
    places = sorted({(int(row), int(column)) for row, column in zip(rows, columns, strict=True)})
    return SomeWeights(W, X, y, places, context.where)
