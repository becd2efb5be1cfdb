"""The arguments of :func:`fastsvm.tuning.tune`, checked before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.backends.threads import available_cores
from fastsvm.optimizers import Optimizer, as_optimizer
from fastsvm.sparse import CSR, is_sparse
from fastsvm.standardization import Standardization, choose_kind
from fastsvm.training import DEFAULT_OPTIMIZER
from fastsvm.training.arguments import check_batch_size, default_epochs
from fastsvm.tuning.candidates import with_learning_rate
from fastsvm.tuning.journal import digest
from fastsvm.tuning.results import Tuning
from fastsvm.tuning.splits import Part, Splits
from fastsvm.validation import check_integer


def check_optimizer(optimizer: Optimizer | str | None) -> Optimizer:
    """The optimizer, provided that its learning rate can be replaced."""
    checked = as_optimizer(DEFAULT_OPTIMIZER if optimizer is None else optimizer)
    with_learning_rate(checked, 1.0)
    return checked


def check_standardize(standardize: Any, X: np.ndarray | CSR) -> Standardization | str:
    """What every training is told: statistics, or of which kind those of its part are to be."""
    if not isinstance(standardize, Standardization):
        return choose_kind(standardize, X)
    if is_sparse(X):
        standardize.check_sparse("standardize")
    return standardize


def resolve_batches(batch_size: Any, epochs: Any, n_train: int) -> tuple[int | str, int]:
    """Batch size and epochs of every training; the default epochs are those of the first split, so that all have as many."""
    size = check_batch_size(batch_size, n_train)
    epochs = default_epochs(n_train, size) if epochs is None else check_integer("epochs", epochs, at_least=1)
    return batch_size if isinstance(batch_size, str) else int(batch_size), epochs


def resolve_jobs(n_jobs: int | None, threads: int, missing: int) -> int:
    """Trials to make at a time, never more than there are."""
    jobs = threads if n_jobs is None else check_integer("n_jobs", n_jobs)
    if jobs == 0:
        raise ValueError("n_jobs must not be 0: give a positive count, or -1 for all cores")
    if jobs < 0:
        jobs = available_cores() + 1 + jobs
    return max(1, min(jobs, missing))


def describe(tuning: Tuning, whole: Part, splits: Splits) -> dict[str, Any]:
    """All that a trial depends on, as the file of the search names it."""
    settings = dict(tuning.settings)
    del settings["backend"], settings["n_threads"]
    standardize = settings["standardize"]
    if isinstance(standardize, Standardization):
        standardize = f"{standardize.kind}, mean {digest(standardize.mean)}, scale {digest(standardize.scale)}"
    settings |= {
        "score_function": repr(settings["score_function"]),
        "loss": repr(settings["loss"]),
        "optimizer": repr(with_learning_rate(settings["optimizer"], 1.0)),
        "standardize": standardize,
    }
    data = {"X": digest(whole.X), "y": digest(whole.y), "sample_weight": digest(whole.sample_weight)}
    if tuning.validation == "validation part":
        part = splits[0].validation
        data |= {f"validation[{k}]": digest(array) for k, array in enumerate((part.X, part.y, part.sample_weight))}
    spaces = {name: getattr(tuning, name) for name in ("method", "learning_rates", "alphas", "validation")}
    return spaces | settings | data
