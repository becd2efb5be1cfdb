"""Training: an epoch loop around one compiled call per epoch.

The objective is that of :mod:`fastsvm.objective`. The order of the samples is drawn here, from a
:class:`numpy.random.Generator`, and handed to the backend, so that every backend sees the same batches; the backend
computes loss, gradient, penalty and update of each batch in one go.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm import backends
from fastsvm.arguments import prepare
from fastsvm.losses import Loss, WestonWatkins, as_loss
from fastsvm.optimizers import Adam, Optimizer, as_optimizer
from fastsvm.schedules import Cosine
from fastsvm.score_functions import ScoreFunction, as_score_function
from fastsvm.sparse import CSR
from fastsvm.standardization import AUTO, Standardization
from fastsvm.training.arguments import (
    MONITORS,
    RECORDS,
    SAMPLINGS,
    bind_schedule,
    check_batch_size,
    check_callbacks,
    check_dtype,
    check_patience,
    check_resume,
    check_seed,
    check_standardize,
    check_validation,
    default_epochs,
    initial_weights,
    restore_generator,
)
from fastsvm.training.history import EpochRecord, History, TrainResult, TrainState
from fastsvm.training.line_search import check_line_search
from fastsvm.training.run import Plan, Run
from fastsvm.validation import check_choice, check_flag, check_integer, check_labels, check_real, check_samples

__all__ = ["EpochRecord", "History", "TrainResult", "TrainState", "train"]

DEFAULT_OPTIMIZER = Adam(Cosine(1e-3))
DEFAULT_ALPHA = 1e-2
DEFAULT_BATCH_SIZE = 256

Callback = Callable[[EpochRecord, TrainResult], Any]


def train(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    *,
    score_function: ScoreFunction | None = None,
    loss: Loss | str = WestonWatkins(),
    optimizer: Optimizer | str | None = None,
    alpha: float = DEFAULT_ALPHA,
    batch_size: int | str = DEFAULT_BATCH_SIZE,
    epochs: int | None = None,
    n_classes: int | None = None,
    fit_intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: npt.ArrayLike | None = None,
    standardize: Standardization | str | None = AUTO,
    W: np.ndarray | None = None,
    b: np.ndarray | None = None,
    sampling: str = "shuffle",
    validation: tuple[Any, ...] | None = None,
    patience: int | None = None,
    monitor: str = "loss",
    min_delta: float = 0.0,
    callbacks: Iterable[Callback] = (),
    record: str = "epoch",
    dtype: npt.DTypeLike | None = None,
    seed: int | np.random.Generator | np.random.SeedSequence | None = 0,
    resume: TrainResult | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> TrainResult:
    """Train a multiclass classifier, linear unless told otherwise, by gradient descent on batches.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), float64, float32, float16, bfloat16, int8 or uint8, C-contiguous; or CSR
        Samples; may be read-only or memory-mapped. Neither copied nor changed. uint16 is read as the bit patterns of bfloat16;
        see :mod:`fastsvm.storage`. CSR is a ``csr_array`` or ``csr_matrix`` of scipy.sparse as in :mod:`fastsvm.objective`.
    y : (n_samples,) integers
        Class indices.
    score_function : ScoreFunction, optional
        How scores come from samples and weights; a ``fastsvm.TwoLayer`` makes a network of the model. Default: linear scores
        (with ``resume``: its score function).
    loss : WestonWatkins, CrammerSinger, Softmax, or the name of one
    optimizer : Optimizer or name, default :data:`DEFAULT_OPTIMIZER` (with ``resume``: its optimizer)
        A ``Linear`` or ``Cosine`` schedule without ``total`` spans the updates of all ``epochs``. ``SteepestDescent()`` takes
        full batches and finds its learning rates itself.
    alpha : float >= 0
        Strength of the penalty ``alpha · ½‖W‖²``.
    batch_size : int >= 1 or "full"
        Samples per update; the last batch of an epoch may be smaller. "full", or any number >= n_samples, is gradient
        descent: one update per epoch, on every sample once, whatever the ``sampling``.
    epochs : int >= 1, optional
        In total, those of ``resume`` included. Default: as many as make 3,000 updates (short of 10 million samples), at
        least 20.
    n_classes : int >= 2, optional
        Default: the largest label + 1 (with ``W`` of linear scores: its rows), and then ``y`` must hold two classes or more,
        and none may be absent.
    fit_intercept, penalize_intercept : bool
        Whether there is a ``b``, and whether ``alpha · ½‖b‖²`` is added to the objective.
    sample_weight : (n_samples,) numbers >= 0, optional
    standardize : {"auto", "mean+std", "mean", "scale", "max-abs", "none"}, Standardization or None
        Applied to the samples as they are read; see :data:`fastsvm.standardization.KINDS`. "auto" is "mean+std" for dense
        samples, and "none" for CSR, which take no kind that subtracts a mean.
    W, b : ndarray (n_classes, n_features) and (n_classes,), optional
        Where to begin; copied. Default: zeros, or what the score function draws with ``seed``. Its own shapes hold for it.
    sampling : {"shuffle", "replacement", "sequential"}
        Order of an epoch's samples: a new permutation, n_samples draws with replacement, or as they stand in ``X``.
    validation : (X, y) or (X, y, sample_weight), optional
        Evaluated after every epoch. The weights returned are then those of the best epoch, else those of the last. A set that
        chooses the weights flatters them: keep the test set out of it. It may be CSR where the other samples are dense, and
        dense where they are CSR.
    patience : int >= 1, optional
        Stop after so many epochs in which the monitored value has not improved by more than ``min_delta``.
    monitor : {"loss", "accuracy"}
        Of the validation set; decides which epoch is the best. Accuracy is coarse where the set is small.
    min_delta : float >= 0
    callbacks : sequence of callables
        Each is called as ``callback(record, result)`` after every epoch. ``result`` is a read-only view of the current
        weights and state, valid until the next epoch; ``copy.deepcopy(result)`` is a checkpoint that ``resume`` takes.
        Training ends if one returns ``True``. What one raises ends training and is passed on.
    record : {"epoch", "update"}
        "update" also keeps the loss of every update, in ``history.update_losses``.
    dtype : float32 or float64, optional
        Of ``W``, and of the computation. Default: that of ``W``, else float64 for float64 ``X`` and float32 otherwise.
    seed : int >= 0, numpy.random.Generator, SeedSequence or None
        Source of the sample order, and of random weights to begin with; ``None`` is unpredictable. With ``resume`` its
        generator goes on instead.
    resume : TrainResult, optional
        Go on from its last state. The data and the other arguments must be as they were (what a result tells about them
        is checked); its standardisation is kept. The bits are those of a training without the break, provided that no
        schedule depends on ``epochs``: give ``Linear`` and ``Cosine`` their ``total``.
    backend, n_threads
        As in :mod:`fastsvm.objective`. The number of threads never changes a bit of the result.

    Returns
    -------
    TrainResult

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or ``X`` holds NaN or infinity.
    DivergenceError
        If a loss or a weight is not finite though ``X`` is; its ``result`` is what the last sound epoch had reached.

    Notes
    -----
    Ctrl-C in the main thread lets the epoch in progress end and returns what a training that ends there returns, with
    ``stop_reason`` "interrupted"; a second one raises ``KeyboardInterrupt`` as soon as Python has control.

    Examples
    --------
    >>> import numpy as np
    >>> from fastsvm.training import train
    >>> result = train(np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1]), epochs=3)
    >>> result.stop_reason, result.predict(np.array([[-3.0], [3.0]])).tolist()
    ('epochs', [0, 1])
    """
    X = check_samples("X", X)
    y = check_labels("y", y, n_samples=X.shape[0])
    loss, alpha = as_loss(loss), check_real("alpha", alpha, at_least=0.0)
    fit_intercept = check_flag("fit_intercept", fit_intercept)
    penalize_intercept = check_flag("penalize_intercept", penalize_intercept)
    batch_size = check_batch_size(batch_size, X.shape[0])
    epochs = default_epochs(X.shape[0], batch_size) if epochs is None else check_integer("epochs", epochs, at_least=1)
    record, callbacks = check_choice("record", record, RECORDS), check_callbacks(callbacks)
    if optimizer is None:
        optimizer = resume.optimizer if isinstance(resume, TrainResult) else DEFAULT_OPTIMIZER
    optimizer = as_optimizer(optimizer)
    if score_function is None and isinstance(resume, TrainResult):
        score_function = resume.score_function
    score_function = as_score_function(score_function)
    check_line_search(optimizer, loss, score_function, batch_size, X.shape[0])
    if resume is None:
        rng = check_seed(seed)
        score_function, W, b = initial_weights(
            score_function, X, y, W, b, n_classes=n_classes, fit_intercept=fit_intercept, dtype=dtype, rng=rng
        )
        standardization, history = check_standardize(standardize, X), History()
        optimizer_b = None if b is None else optimizer.init(b)
        state = TrainState(W, b, None, None, optimizer.init(W), optimizer_b, {}, epochs=0, updates=0)
    else:
        if W is not None or b is not None:
            raise ValueError("W and b must be None with resume, which says where to begin")
        given = {
            "score_function": score_function, "loss": loss, "alpha": alpha,
            "fit_intercept": fit_intercept, "penalize_intercept": penalize_intercept,
            "n_classes": n_classes, "n_features": X.shape[1], "dtype": None if dtype is None else check_dtype(dtype),
            "optimizer": type(optimizer).__name__, "record": record,
            "validation": "no validation set" if validation is None else "a validation set",
        }  # fmt: skip
        state = check_resume(resume, optimizer, given, epochs=epochs, standardize=standardize)
        score_function = resume.score_function
        rng, standardization, history = restore_generator(state.rng), resume.standardization, resume.history
    W, b, problem = prepare(
        state.W, X, y, state.b, loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept, score_function=score_function,
    )  # fmt: skip
    total = state.updates + (epochs - state.epochs) * -(-X.shape[0] // batch_size)
    plan = Plan(
        score_function=score_function, problem=problem, penalize_intercept=penalize_intercept,
        validation=check_validation(validation, problem, W, standardization, score_function), standardization=standardization,
        optimizer=optimizer, rule=bind_schedule(optimizer, total), batch_size=batch_size, epochs=epochs,
        sampling=check_choice("sampling", sampling, SAMPLINGS), patience=check_patience(patience, validation),
        monitor=check_choice("monitor", monitor, MONITORS), min_delta=check_real("min_delta", min_delta, at_least=0.0),
        record=record, backend=backends.use(backend, loss, optimizer.rule), n_threads=backends.resolve_threads(n_threads),
    )  # fmt: skip
    run = Run(plan, state._replace(W=W, b=b), history, rng)
    if resume is not None and validation is not None and run.monitor.best_epoch != resume.best_epoch:
        raise ValueError(f"monitor must be that of the training to resume; got {monitor!r}")
    return _loop(run, callbacks)


def _loop(run: Run, callbacks: tuple[Callback, ...]) -> TrainResult:
    """Epochs until there is a reason to stop."""
    with interruptible() as interrupted:
        reason = run.finished()
        while not reason:
            record = run.epoch()
            stop = [_says_stop(callback(record, run.view())) for callback in callbacks]
            reason = "interrupted" if interrupted() else "callback" if any(stop) else run.finished()
        return run.result(reason)


def _says_stop(answer: Any) -> bool:
    """``True``, Python's or NumPy's, ends training; whatever else a callback returns does not."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Hold back the first Ctrl-C: it makes the function yielded return ``True``; a second one raises as ever.

    Only the main thread can do this. Elsewhere, and where SIGINT is ignored, Ctrl-C is left as it is.
    """
    asked = False

    def handler(signum: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(signum, frame)
        asked = True

    previous = signal.getsignal(signal.SIGINT)
    try:
        if previous not in (signal.SIG_IGN, None):
            signal.signal(signal.SIGINT, handler)
    except ValueError:  # not the main thread
        previous = None
    try:
        yield lambda: asked
    finally:
        if previous not in (signal.SIG_IGN, None):
            signal.signal(signal.SIGINT, previous)
