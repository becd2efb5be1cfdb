"""The rule of ``solver="auto"``, and what the solvers are told where the user says nothing. The numbers are all here."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastsvm.arguments import standardized
from fastsvm.dual.conditioning import mean_square
from fastsvm.estimator.task import Task
from fastsvm.losses import Loss, RegisteredLoss, Softmax
from fastsvm.optimizers import SGD, Adam, Optimizer
from fastsvm.schedules import Cosine
from fastsvm.sparse import is_sparse
from fastsvm.training.arguments import check_batch_size, default_epochs

#: Multiply-adds of one pass over dense samples up to which "auto" wants the exact answer: a fit takes hundreds of passes.
EXACT_PRODUCTS = 3e8

#: Where ``tol`` is None: the gap at which each solver has converged, as a share of the objective. Of weights that batches give
#: what can be certified is far above what they lack.
TOLERANCE = {"dual": 1e-3, "lbfgs": 1e-3, "sgd": 0.3}

#: For "sgd" the objective counts as at least this share of the loss of zero weights: a small one is hard to come close to.
SMALL_OBJECTIVE = 0.05

#: Multiply-adds of a pass up to which precision costs next to nothing, and what "dual" then goes on for after it has converged:
#: what can be had in float64. So a weight of 2 and a sample given twice do the same to many digits.
SMALL_PRODUCTS = 1e5
PRECISE = 1e-14

#: Multiply-adds of a pass up to which "sgd" certifies its weights though no ``tol`` asks for it. A certificate takes tens of
#: passes, on large data longer than the training itself.
CERTIFIED_PRODUCTS = 1e7

#: Without a certificate "sgd" has settled when the objective fell by at most this share of itself in the last epoch.
SETTLED = 5e-2

#: Greatest number of iterations where ``max_iter`` is None.
MAX_ITER = {"dual": 1000, "lbfgs": 5000, "sgd, full batches": 1000}

#: Of batches as many epochs as make so many updates, but not fewer than that. With early stopping there may be more: see
#: `fastsvm.training.arguments.default_epochs`.
UPDATES, FEWEST_EPOCHS = 1400, 5

#: Where ``optimizer`` is None, on dense samples: the sum over the features by which an update of Adam may move a score (as far
#: as the mean of ‖x‖² tells it), and the greatest rate. Full batches have no noise to keep small, and a rate of their own.
#: Measured on images of 784 and 3,072 pixels, and on drawn data of 13 to 512 features with up to 1,000 classes.
SCORE_STEP, GREATEST_RATE, FULL_RATE = 1.6, 3e-2, 1e-1

#: On sparse samples plain SGD, whose updates cost what the samples' non-zeros cost: its rate times the mean of ‖x‖², of
#: batches of one sample; it grows with the square root of their size.
SPARSE_STEP = 0.5

#: What the rate of `partial_fit` is of these, as it does not fall.
CONSTANT_SHARE = 0.5


class Choice(NamedTuple):
    """A solver, and a sentence that says why."""

    solver: str
    reason: str


def products(X: Any, n_classes: int) -> float:
    """Multiply-adds of one pass over the samples."""
    return float(X.nnz if is_sparse(X) else X.size) * n_classes


def choose_solver(
    solver: str, X: Any, n_classes: int, loss: Loss, *, early_stopping: bool = False, optimizer: Any = None
) -> Choice:
    """The solver asked for, or the one that fits the problem."""
    if solver != "auto":
        return Choice(solver, f"solver={solver!r} was asked for")
    if early_stopping:
        return Choice("sgd", "early stopping follows a validation set from epoch to epoch")
    if optimizer is not None:
        return Choice("sgd", "an optimizer was given, which only 'sgd' uses")
    if isinstance(loss, RegisteredLoss):
        return Choice("sgd", "only 'sgd' minimises a loss that was registered")
    if isinstance(loss, Softmax) or getattr(loss, "squared", False):
        return Choice("lbfgs", "the loss is smooth: L-BFGS reaches its minimum in few passes")
    work = products(X, n_classes)
    if is_sparse(X):
        return Choice("dual", f"the samples are sparse: a pass of the dual solver costs {work:.1e} multiply-adds")
    if work <= EXACT_PRODUCTS:
        return Choice("dual", f"a pass over the samples is short ({work:.1e} multiply-adds): the exact answer costs little")
    return Choice("sgd", f"a pass over the samples is long ({work:.1e} multiply-adds): batches get close in few of them")


def is_small(X: Any, n_classes: int) -> bool:
    """Whether precision costs next to nothing."""
    return products(X, n_classes) <= SMALL_PRODUCTS


def default_tol(solver: str, X: Any, n_classes: int, dtype: np.dtype) -> tuple[float, float]:
    """``tol`` and ``aim`` of a task where the user's ``tol`` is None."""
    tol = TOLERANCE[solver]
    return tol, PRECISE if solver == "dual" and dtype == np.float64 and is_small(X, n_classes) else tol


def wants_certificate(solver: str, tol: float | None, X: Any, n_classes: int) -> bool:
    """Whether a gap is to be computed: always by the exact solvers, by "sgd" where it is asked for or costs little."""
    return solver != "sgd" or tol is not None or products(X, n_classes) <= CERTIFIED_PRODUCTS


def is_full(n_samples: int, batch_size: int | str) -> bool:
    """Whether every update of "sgd" takes all samples."""
    return check_batch_size(batch_size, n_samples) == n_samples


def default_max_iter(solver: str, n_samples: int, batch_size: int | str, early_stopping: bool = False) -> int:
    """The greatest number of iterations where ``max_iter`` is None."""
    if solver != "sgd":
        return MAX_ITER[solver]
    if is_full(n_samples, batch_size):
        return MAX_ITER["sgd, full batches"]
    size = check_batch_size(batch_size, n_samples)
    return default_epochs(n_samples, size) if early_stopping else max(FEWEST_EPOCHS, -(-UPDATES // -(-n_samples // size)))


def default_optimizer(task: Task, *, constant: bool = False) -> Optimizer:
    """The optimizer where none is given. Its rate falls to 0 over the epochs of the fit, unless it is to be ``constant``."""
    size = check_batch_size(task.batch_size, len(task.y))
    norms = mean_square(standardized(task.X, task.standardization))
    square = (norms + task.fit_intercept) or 1.0  # 0 of samples that are all 0
    rule: type[SGD] | type[Adam] = Adam
    if size == len(task.y) and not constant:
        rate = FULL_RATE
    elif is_sparse(task.X):
        rule, rate = SGD, SPARSE_STEP * math.sqrt(size) / square
    else:
        rate = min(GREATEST_RATE, SCORE_STEP / math.sqrt(task.X.shape[1] * square))
    return rule(CONSTANT_SHARE * rate if constant else Cosine(rate))
