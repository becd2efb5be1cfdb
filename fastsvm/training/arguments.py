"""The arguments of :func:`fastsvm.train`, checked before anything is computed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from fastsvm.arguments import prepare_samples
from fastsvm.optimizers import Optimizer, SteepestDescent
from fastsvm.problem import Problem
from fastsvm.schedules import bind
from fastsvm.score_functions import ScoreFunction
from fastsvm.sparse import CSR, is_sparse
from fastsvm.standardization import AUTO, Standardization, choose_kind, fit_standardization
from fastsvm.training.history import TrainResult, TrainState
from fastsvm.validation import (
    WEIGHT_DTYPES,
    check_array,
    check_choice,
    check_finite,
    check_integer,
    check_labels,
    check_sample_weight,
    check_samples,
    check_storage,
)

SAMPLINGS = ("shuffle", "replacement", "sequential")
MONITORS = ("accuracy", "loss")
RECORDS = ("epoch", "update")
BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def check_batch_size(batch_size: Any, n_samples: int) -> int:
    """Samples per update; ``"full"`` and what exceeds ``n_samples`` are ``n_samples``."""
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f'batch_size must be an integer >= 1 or "full"; got {batch_size!r}')
        return n_samples
    return min(check_integer("batch_size", batch_size, at_least=1), n_samples)


def default_epochs(n_samples: int, batch_size: int) -> int:
    """Epochs where none are given: as many as make 3,000 updates, short of 10 million samples, but at least 20."""
    updates = -(-n_samples // batch_size)
    return max(20, min(-(-3000 // updates), -(-10_000_000 // n_samples)))


def check_callbacks(callbacks: Any, form: str = "callback(record, result)") -> tuple[Callable[..., Any], ...]:
    """Callbacks as a tuple."""
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        hint = "; put it in a list" if callable(callbacks) else ""
        raise TypeError(f"callbacks must be a sequence of callables; got {type(callbacks).__name__}{hint}")
    result = tuple(callbacks)
    for k, callback in enumerate(result):
        if not callable(callback):
            raise TypeError(f"callbacks[{k}] must be callable as {form}; got {callback!r}")
    return result


def check_patience(patience: Any, validation: Any) -> int | None:
    """Patience, which only a validation set can try."""
    if patience is None:
        return None
    if validation is None:
        raise ValueError("patience needs validation: early stopping follows the validation set; got validation=None")
    return check_integer("patience", patience, at_least=1)


def check_seed(seed: Any) -> np.random.Generator:
    """The generator that draws the sample order."""
    if seed is not None and not isinstance(seed, (np.random.Generator, np.random.SeedSequence)):
        try:
            seed = check_integer("seed", seed, at_least=0)
        except TypeError:
            raise TypeError(
                f"seed must be an integer, a numpy.random.Generator, a SeedSequence or None; got {seed!r}"
            ) from None
    rng = np.random.default_rng(seed)
    name = type(rng.bit_generator).__name__
    if name not in BIT_GENERATORS:
        raise TypeError(f"seed must be a Generator over one of {', '.join(BIT_GENERATORS)}; got one over {name}")
    return rng


def restore_generator(state: dict[str, Any]) -> np.random.Generator:
    """The generator whose ``bit_generator.state`` this was."""
    name = check_choice("resume.state.rng['bit_generator']", state.get("bit_generator"), BIT_GENERATORS)
    bit_generator = getattr(np.random, name)()
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def check_dtype(dtype: Any) -> np.dtype:
    """A dtype that weights may have."""
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked is None or checked.name not in WEIGHT_DTYPES or not checked.isnative:
        raise TypeError(f"dtype must be {' or '.join(WEIGHT_DTYPES)}, or None; got {dtype!r}")
    return checked


def count_classes(y: np.ndarray) -> int:
    """The largest label + 1, provided that every class up to it occurs: a gap is rather a mistake than a class."""
    if y.min() == y.max():
        raise ValueError(f"y must hold at least two classes, or n_classes be given; got one class, {y[0]}")
    n_classes = int(y.max()) + 1
    present = np.unique(y) if n_classes > len(y) else np.flatnonzero(np.bincount(y))
    if len(present) < n_classes:
        absent = next(k for k in range(n_classes) if k >= len(present) or present[k] != k)
        raise ValueError(
            f"y must hold every class from 0 to the largest label, or n_classes be given; got {len(present)} classes, the "
            f"largest {n_classes - 1}, and no {absent}. numpy.unique(y, return_inverse=True) turns any labels into indices"
        )
    return n_classes


def initial_weights(
    score_function: ScoreFunction,
    X: np.ndarray | CSR,
    y: np.ndarray,
    W: Any,
    b: Any,
    *,
    n_classes: Any,
    fit_intercept: bool,
    dtype: Any,
    rng: np.random.Generator,
) -> tuple[ScoreFunction, np.ndarray, np.ndarray | None]:
    """The score function, told the sizes, and its weights to begin with, where given a copy of them."""
    if n_classes is not None:
        n_classes = check_integer("n_classes", n_classes, at_least=2)
    if dtype is not None:
        dtype = check_dtype(dtype)
    if W is not None:
        W = check_array("W", W, dtypes=WEIGHT_DTYPES if dtype is None else (dtype.name,)).copy()
    elif dtype is None:
        dtype = np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
    if b is not None and not fit_intercept:
        raise ValueError("b must be None with fit_intercept=False; got initial values")
    if n_classes is None:
        n_classes = score_function.known_classes(W) or count_classes(y)
    score_function = score_function.sized(X.shape[1], n_classes)
    if W is None:
        W = score_function.init_weights(X.shape[1], n_classes, dtype, rng)
    W, b = score_function.check(W, b, n_features=X.shape[1], n_classes=n_classes)
    check_storage(X, W.dtype)
    check_finite("W", W)
    if b is not None:
        check_finite("b", b)
        return score_function, W, b.copy()
    return score_function, W, score_function.init_intercepts(n_classes, W.dtype) if fit_intercept else None


def check_standardize(standardize: Any, X: np.ndarray | CSR, dense: str = "mean+std") -> Standardization | None:
    """Statistics of ``X``, or those given. "auto" is the kind ``dense`` for dense samples."""
    if isinstance(standardize, Standardization):
        if len(standardize.mean) != X.shape[1]:
            raise ValueError(f"standardize must have one entry per feature of X, {X.shape[1]}; got {len(standardize.mean)}")
        if is_sparse(X):
            standardize.check_sparse("standardize")
        return standardize
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite raises by name
        return fit_standardization(X, choose_kind(standardize, X, dense))


def check_validation(
    validation: Any,
    problem: Problem,
    W: np.ndarray,
    standardization: Standardization | None,
    score_function: ScoreFunction,
) -> Problem | None:
    """The problem on the validation set: same loss, penalty and standardisation."""
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        got = f"{len(validation)} entries" if isinstance(validation, (tuple, list)) else type(validation).__name__
        raise TypeError(f"validation must be (X, y) or (X, y, sample_weight); got {got}")
    X = check_samples("validation[0]", validation[0])
    n_features, n_classes = score_function.dimensions(W)
    if X.shape[1] != n_features:
        raise ValueError(f"validation[0] must have as many features as X, {n_features}; got shape {X.shape}")
    check_storage(X, W.dtype, "validation[0]")
    weight = validation[2] if len(validation) == 3 else None
    return problem._replace(
        samples=prepare_samples(X, W, standardization, "validation[0]", score_function),
        y=check_labels("validation[1]", validation[1], n_samples=X.shape[0], n_classes=n_classes),
        sample_weight=check_sample_weight("validation[2]", weight, n_samples=X.shape[0]),
    )


def bind_schedule(optimizer: Optimizer, total: int) -> Optimizer:
    """The optimizer with its schedule told how many updates there will be."""
    if isinstance(optimizer, SteepestDescent):
        return optimizer
    return replace(optimizer, learning_rate=bind(optimizer.learning_rate, total))


def check_same_standardize(standardize: Any, old: Standardization | None, what: str) -> None:
    """Raise unless the argument describes the standardisation of what is to be resumed, or leaves it open."""
    same = standardize is old or (isinstance(standardize, str) and standardize == AUTO)
    same = same or ("none" if standardize is None else standardize) == ("none" if old is None else old.kind)
    if isinstance(standardize, Standardization) and old is not None:
        same = np.array_equal(standardize.mean, old.mean) and np.array_equal(standardize.scale, old.scale)
    if not same:
        kind = "none" if old is None else old.kind
        raise ValueError(f"standardize must be that of the {what} to resume, {kind!r}; got {standardize!r}")


def check_resume(resume: Any, optimizer: Optimizer, given: dict[str, Any], *, epochs: int, standardize: Any) -> TrainState:
    """A copy of the state to go on from. Raises unless the arguments describe that training, as far as its result can tell."""
    if not isinstance(resume, TrainResult):
        raise TypeError(f"resume must be a TrainResult; got {type(resume).__name__}")
    state = copy.deepcopy(resume.state)
    check_same_standardize(standardize, resume.standardization, "training")
    n_features, n_classes = resume.score_function.dimensions(state.W)
    given = given | {"score_function": given["score_function"].sized(n_features, n_classes)}
    had = {
        "score_function": resume.score_function,
        "loss": resume.loss,
        "alpha": resume.alpha,
        "fit_intercept": state.b is not None,
        "penalize_intercept": resume.penalize_intercept,
        "n_classes": n_classes,
        "n_features": n_features,
        "dtype": state.W.dtype,
        "optimizer": type(resume.optimizer).__name__,
        "record": "epoch" if resume.history.update_losses is None else "update",
        "validation": "no validation set" if state.best_W is None else "a validation set",
    }
    for name, value in had.items():
        if given[name] is not None and given[name] != value:
            raise ValueError(
                f"{name} must be that of the training to resume, {value!r}; got {given[name]!r}. "
                "To begin a new training from its weights, pass W and b instead"
            )
    if epochs < state.epochs:
        raise ValueError(f"epochs counts those of resume too and must be >= {state.epochs}; got {epochs}")
    resume.score_function.check(state.W, state.b)
    optimizer.check_state(state.W, state.optimizer_W, "resume.state.optimizer_W")
    if state.b is not None:
        optimizer.check_state(state.b, state.optimizer_b, "resume.state.optimizer_b")  # type: ignore[arg-type]
    return state
