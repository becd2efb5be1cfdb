"""What `fit` and `partial_fit` have in common: arguments become a `Task`, and a `Solution` becomes attributes."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from fastsvm import prediction
from fastsvm.estimator import choosing, solvers
from fastsvm.estimator.calibration import cross_validated_temperature
from fastsvm.estimator.choosing import Choice
from fastsvm.estimator.inputs import (
    encode,
    merge_repeated,
    read_labels,
    read_samples,
    read_weights,
    weights_dtype,
    with_class_weight,
)
from fastsvm.estimator.progress import Printer, SklearnCallbacks, has_sklearn_callbacks
from fastsvm.estimator.scaling import choose_kind, fold, unfold, weighted_standardization
from fastsvm.estimator.task import Solution, Start, Task
from fastsvm.losses import Softmax, as_loss
from fastsvm.optimizers import as_optimizer
from fastsvm.schedules import Linear
from fastsvm.standardization import Standardization
from fastsvm.training.arguments import check_batch_size, check_callbacks, check_dtype
from fastsvm.validation import check_choice, check_flag, check_integer, check_real, check_splittable

CHOICES = ("auto", *solvers.SOLVERS)


def check_settings(estimator: Any) -> dict[str, Any]:
    """The hyperparameters that do not depend on the data, checked, by name."""
    patience = check_integer("n_iter_no_change", estimator.n_iter_no_change, at_least=1)
    early_stopping = check_flag("early_stopping", estimator.early_stopping)
    solver = check_choice("solver", estimator.solver, CHOICES)
    if early_stopping and solver not in ("auto", "sgd"):
        raise ValueError(f"early_stopping needs solver='sgd' (or 'auto'): {solver!r} stops at the optimum; got True")
    check_flag("warm_start", estimator.warm_start)
    check_flag("probability", estimator.probability)
    check_integer("verbose", int(estimator.verbose), at_least=0)
    check_batch_size(estimator.batch_size, 1)
    check_real("validation_fraction", estimator.validation_fraction, above=0.0, below=1.0)
    return {
        "loss": as_loss(estimator.loss),
        "alpha": check_real("alpha", estimator.alpha, above=0.0),
        "fit_intercept": check_flag("fit_intercept", estimator.fit_intercept),
        "intercept_scaling": check_real("intercept_scaling", estimator.intercept_scaling, above=0.0),
        "optimizer": None if estimator.optimizer is None else as_optimizer(estimator.optimizer),
        "patience": patience if early_stopping else None,
        "batch_size": estimator.batch_size,
        "n_threads": estimator.n_threads,
        "backend": estimator.backend,
    }


def takes_batches(estimator: Any) -> bool:
    """Whether there is a `partial_fit`."""
    if estimator.solver in ("auto", "sgd"):
        return True
    raise AttributeError(f"partial_fit takes batches, which only solver='sgd' (or 'auto') does; got {estimator.solver!r}")


def check_streamable(estimator: Any) -> None:
    """Raise where a hyperparameter asks for what cannot be had without all samples at once."""
    optimizer = check_settings(estimator)["optimizer"]
    if estimator.early_stopping:
        raise ValueError("early_stopping must be False for partial_fit, which makes a single epoch; got True")
    if isinstance(estimator.class_weight, str):
        raise ValueError(
            f"class_weight must be a dict or None for partial_fit, which does not know the classes' shares; got "
            f"{estimator.class_weight!r}. compute_class_weight of scikit-learn makes a dict of labels"
        )
    if estimator.probability and not isinstance(as_loss(estimator.loss), Softmax):
        raise ValueError("probability must be False for partial_fit with a hinge loss: calibration needs all samples; got True")
    rate = getattr(optimizer, "learning_rate", None)
    if isinstance(rate, Linear) and rate.total is None:
        raise ValueError(f"optimizer must have a schedule with its total for partial_fit; got {optimizer!r}")


def build_task(
    estimator: Any,
    X: Any,
    labels: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    validation: Any,
    seed: int,
    *,
    standardize: Any,
) -> tuple[Task, Choice]:
    """The task of fitting ``X`` (as read) and class indices ``y``, without callbacks and start, and the solver for it."""
    settings, classes = check_settings(estimator), estimator.classes_
    choice = choosing.choose_solver(
        estimator.solver, X, len(classes), settings["loss"],
        early_stopping=settings["patience"] is not None, optimizer=settings["optimizer"],
    )  # fmt: skip
    max_iter, batch_size = estimator.max_iter, settings["batch_size"]
    weight = with_class_weight(estimator.class_weight, weight, y, labels, classes)
    if choice.solver == "lbfgs" and choosing.is_small(X, len(classes)):
        # Rounding grows over its steps: without this, the weights would be the same within tol only.
        X, y, weight = merge_repeated(X, y, weight)
    kind = choose_kind(standardize, X, settings["fit_intercept"])
    standardization = kind if isinstance(kind, Standardization) else weighted_standardization(X, kind, weight)
    tol = None if estimator.tol is None else check_real("tol", estimator.tol, above=0.0)
    dtype = weights_dtype(X, None if estimator.dtype is None else check_dtype(estimator.dtype))
    tol, aim = choosing.default_tol(choice.solver, X, len(classes), dtype) if tol is None else (tol, tol)
    if not estimator._precise:
        aim = tol
    certify = choosing.wants_certificate(choice.solver, estimator.tol, X, len(classes))
    return Task(
        X=X, y=y, certify=certify, n_classes=len(classes), sample_weight=weight, standardization=standardization,
        dtype=dtype, tol=tol, aim=aim,
        max_iter=choosing.default_max_iter(choice.solver, X.shape[0], batch_size, settings["patience"] is not None)
        if max_iter is None else check_integer("max_iter", max_iter, at_least=1),
        seed=seed, validation=validation, **settings,
    ), choice  # fmt: skip


def read_validation(estimator: Any, X_val: Any, y_val: Any, weight: Any) -> tuple[Any, np.ndarray, np.ndarray | None] | None:
    """The validation set given to `fit`, as the trainer takes it."""
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
        raise ValueError(f"{missing} must be given together with {given}; got None")
    if not estimator.early_stopping:
        raise ValueError("X_val and y_val are for early stopping, and early_stopping must be True with them; got False")
    try:
        X_val = read_samples(estimator, X_val, reset=False, finite=True)
        labels = read_labels(estimator, y_val, X_val.shape[0])
        indices = encode(labels, estimator.classes_)
    except (TypeError, ValueError) as error:  # scikit-learn's words, which speak of X and y
        raise type(error)(f"X_val and y_val, as X and y, must be what fit takes: {error}") from error
    return X_val, indices, read_weights(weight, len(labels), "sample_weight_val")


def hold_out(
    estimator: Any, X: Any, labels: np.ndarray, y: np.ndarray, weight: np.ndarray | None, seed: int
) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray | None, tuple[Any, ...]]:
    """A stratified share of the samples for validation, and the rest."""
    check_splittable("validation_fraction", estimator.validation_fraction, y)
    kept, held = train_test_split(
        np.arange(len(y)), test_size=estimator.validation_fraction, stratify=y, random_state=seed
    )  # fmt: skip
    kept, held = np.sort(kept), np.sort(held)
    weight_of = (lambda rows: None) if weight is None else weight.__getitem__
    for name, rows in (("left to train on", kept), ("held out", held)):
        if weight is not None and not weight[rows].any():
            raise ValueError(
                f"sample_weight must not be zero for all samples {name}; try another random_state, or X_val, y_val"
            )
    return X[kept], labels[kept], y[kept], weight_of(kept), (X[held], y[held], weight_of(held))


def start_of(estimator: Any, task: Task, solver: str) -> Start | None:
    """Where a warm start begins: the coefficients of the last fit, if they fit, and what its solver left behind."""
    coef = getattr(estimator, "coef_", None)
    rows = 1 if task.n_classes == 2 else task.n_classes
    if coef is None or coef.shape != (rows, task.X.shape[1]):
        return None
    intercept = estimator.intercept_
    if rows == 1:
        coef, intercept = np.vstack([-coef / 2, coef / 2]), np.concatenate([-intercept / 2, intercept / 2])
    W, b = unfold(coef, intercept, task.standardization, task.dtype)
    name, state = getattr(estimator, "_state", (None, None))
    return Start(W, b if task.fit_intercept else None, state if name == solver else None)


def solve(estimator: Any, task: Task, choice: Choice) -> Solution:
    """Run the solver with everybody who listens, and set the fitted attributes."""
    name = type(estimator).__name__
    listeners = list(check_callbacks(() if estimator.callbacks is None else estimator.callbacks))
    if estimator.verbose:
        print(f"[{name}] solver {choice.solver!r}: {choice.reason}", flush=True)
        listeners.append(Printer(name, int(estimator.verbose), task.max_iter))

    def attributes_so_far(result: Any) -> dict[str, Any] | None:
        if result is None:
            return None
        # the weights are a view of what the next iteration changes
        return {**coefficients(result.W.copy(), result.b, task.standardization), "inverse_temperature_": 1.0}

    shown = None
    if has_sklearn_callbacks(estimator):
        metadata = {} if task.sample_weight is None else {"sample_weight": task.sample_weight}
        data = {"X": task.X, "y": estimator.classes_[task.y], "metadata": metadata}
        shown = SklearnCallbacks(estimator, task.max_iter if choice.solver == "sgd" else None, data, attributes_so_far)
        listeners.append(shown)
    solution = solvers.SOLVERS[choice.solver](replace(task, callbacks=tuple(listeners)))
    set_attributes(estimator, task, choice, solution)
    if estimator.verbose:
        print(f"[{name}] {outcome(estimator)}", flush=True)
    if shown is not None:
        shown.end()
    return solution


def coefficients(W: np.ndarray, b: np.ndarray | None, standardization: Standardization | None) -> dict[str, np.ndarray]:
    """``coef_`` and ``intercept_`` in scikit-learn's shapes."""
    coef, intercept = fold(W, b, standardization)
    if len(coef) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    return {"coef_": coef, "intercept_": intercept}


def set_attributes(estimator: Any, task: Task, choice: Choice, solution: Solution) -> None:
    """What a fit leaves behind."""
    vars(estimator).update(
        coefficients(solution.W, solution.b, task.standardization),
        solver_=choice.solver, solver_reason_=choice.reason, standardization_=task.standardization,
        objective_=solution.objective, duality_gap_=solution.gap, relative_gap_=solution.relative_gap,
        converged_=solution.converged, stop_reason_=solution.stop_reason, n_iter_=solution.n_iter, history_=solution.history,
    )  # fmt: skip


def outcome(estimator: Any) -> str:
    """A sentence on how the fit ended."""
    gap = "" if math.isnan(estimator.relative_gap_) else f", certified relative gap {estimator.relative_gap_:.2g}"
    return f"{estimator.stop_reason_} after {estimator.n_iter_} iterations: objective {estimator.objective_:.6g}{gap}"


def warn_if_not_converged(estimator: Any, task: Task) -> None:
    """One warning for a fit that ran out of iterations; one that was told to stop early needs none."""
    if estimator.converged_ or estimator.stop_reason_ not in ("max_iter", "stalled"):
        return
    sgd = estimator.solver_ == "sgd"
    advice = f"Increase max_iter (it was {task.max_iter}) or alpha (it was {task.alpha:g}; stronger penalties are easier)"
    if sgd:
        advice += ", give an optimizer with another learning rate, or use an exact solver (solver='dual' or 'lbfgs')"
    if estimator.solver_ == "dual":
        advice += ", use solver='lbfgs', which minds ill-conditioned problems less"
    if task.standardization is None:
        advice += ", or scale the features (standardize=True)"
    if math.isnan(estimator.duality_gap_):
        how_far = f"still fell by {solvers.last_fall(estimator.history_):.2g} of itself in the last epoch"
    else:
        how_far = f"may be above its minimum by {estimator.relative_gap_:.2g} of itself, and tol is {task.tol:g}"
        advice += ". If it is close enough, increase tol"
    warnings.warn(
        f"{type(estimator).__name__} (solver {estimator.solver_!r}) has not converged: after {estimator.n_iter_} iterations "
        f"the objective, {estimator.objective_:.6g}, {how_far}. {advice}.",
        ConvergenceWarning,
        stacklevel=4,
    )


def calibrate(estimator: Any, task: Task, choice: Choice) -> float | None:
    """The inverse temperature of the scores: 1 for Softmax, else fitted to the scores that fits to the other folds give."""
    if isinstance(task.loss, Softmax):
        return 1.0
    if not estimator.probability:
        return None
    quiet = replace(task, callbacks=(), start=None, validation=None, patience=None)

    def fit_and_score(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        weight = None if task.sample_weight is None else task.sample_weight[train]
        part = replace(quiet, X=task.X[train], y=task.y[train], sample_weight=weight)
        solution = solvers.SOLVERS[choice.solver](part)
        return prediction.decision_scores(
            solution.W, task.X[test], solution.b, standardization=task.standardization, n_threads=task.n_threads
        )  # fmt: skip

    return cross_validated_temperature(task.y, task.n_classes, task.sample_weight, fit_and_score, task.seed)


def draw_seed(random_state: Any) -> int:
    """A seed for the solver, from what scikit-learn takes for a random state."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
