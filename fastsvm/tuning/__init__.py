"""Search for the learning rate and the strength of the penalty, by validation.

    tuning = tune(X, y, learning_rates=(1e-4, 1e-1), alphas=(1e-5, 1e-1), n_trials=30, folds=5)
    tuning.best, tuning.ranked()
    result = tuning.refit(X, y)                   # the best candidate on all of the data

The candidates are drawn at random or lie on a grid, and are trained and validated several at a time. Random search as a rule
finds better values in as many trials: J. Bergstra and Y. Bengio, "Random search for hyper-parameter optimization", JMLR 2012.
Both are to be searched in factors, not in steps: CS231n, "Neural networks 3: hyperparameter optimization".
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.backends.threads import resolve_threads
from fastsvm.losses import Loss, WestonWatkins, as_loss
from fastsvm.optimizers import Optimizer
from fastsvm.score_functions import ScoreFunction, as_score_function
from fastsvm.sparse import CSR
from fastsvm.standardization import AUTO, Standardization
from fastsvm.training import DEFAULT_BATCH_SIZE
from fastsvm.training.arguments import SAMPLINGS, check_callbacks, initial_weights
from fastsvm.tuning.arguments import (
    check_optimizer,
    check_standardize,
    describe,
    resolve_batches,
    resolve_jobs,
)
from fastsvm.tuning.candidates import ALPHAS as DEFAULT_ALPHAS
from fastsvm.tuning.candidates import LEARNING_RATES as DEFAULT_LEARNING_RATES
from fastsvm.tuning.candidates import METHODS, check_space, make_candidates
from fastsvm.tuning.journal import Journal
from fastsvm.tuning.results import Trial, Tuning
from fastsvm.tuning.run import Plan, make_trials
from fastsvm.tuning.splits import Part, check_ways, make_splits
from fastsvm.validation import (
    check_choice,
    check_finite,
    check_flag,
    check_integer,
    check_labels,
    check_sample_weight,
    check_samples,
)

__all__ = ["Trial", "Tuning", "tune"]

Space = tuple[float, float] | Sequence[float] | np.ndarray
Callback = Callable[[Trial, Tuning], Any]


def tune(
    X: np.ndarray | CSR,
    y: npt.ArrayLike,
    *,
    score_function: ScoreFunction | None = None,
    learning_rates: Space | None = None,
    alphas: Space | None = None,
    method: str = "random",
    n_trials: int | None = None,
    validation: tuple[Any, ...] | None = None,
    folds: int | None = None,
    holdout: float | None = None,
    loss: Loss | str = WestonWatkins(),
    optimizer: Optimizer | str | None = None,
    batch_size: int | str = DEFAULT_BATCH_SIZE,
    epochs: int | None = None,
    n_classes: int | None = None,
    fit_intercept: bool = True,
    penalize_intercept: bool = False,
    sample_weight: npt.ArrayLike | None = None,
    standardize: Standardization | str | None = AUTO,
    sampling: str = "shuffle",
    dtype: npt.DTypeLike | None = None,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    callbacks: Iterable[Callback] = (),
    n_jobs: int | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Tuning:
    """Train with many learning rates and alphas, and tell which does best on samples not trained on.

    Parameters
    ----------
    X, y
        As :func:`fastsvm.train` takes them. Keep a test set out of them: the best of many trials flatters itself.
    learning_rates, alphas : tuple (low, high), or another sequence of numbers
        A tuple is a range, searched evenly in the logarithm, each number drawn rounded to four digits; any other sequence
        holds the values to try. Default: from 1e-5 to 1, on a grid one per decade.
    method : {"random", "grid"}
        Draw each trial's two numbers independently, or try every pair of values in order, the alphas within a learning rate.
    n_trials : int >= 1, optional
        Of a random search; default 20. More trials begin with those of fewer. Where both are values, no pair comes twice.
    validation : (X, y) or (X, y, sample_weight), optional
        What to validate on.
    folds : int >= 2, optional
        Train on all folds but one and validate on that one, for each; classes are spread evenly (scikit-learn's
        ``StratifiedKFold``, shuffled).
    holdout : float in (0, 1), optional
        Share of the samples to validate on, drawn with classes spread evenly. The default, with 0.2, where neither
        ``validation`` nor ``folds`` is given.
    score_function, loss, batch_size, n_classes, fit_intercept, penalize_intercept, sample_weight, standardize, sampling, dtype
        As in :func:`fastsvm.train`. Statistics are those of the part trained on.
    optimizer : Optimizer or name, optional
        Default as in :func:`fastsvm.train`. Its learning rate is replaced; a schedule of :mod:`fastsvm.schedules` keeps its
        course.
    epochs : int >= 1, optional
        Of each training. A trial is judged by the weights after the last. Default as in :func:`fastsvm.train`.
    seed : int in [0, 2**32)
        Of the candidates, the splits and the order of the samples, which is the same for all candidates.
    path : str or path, optional
        A file to which each trial is appended as it ends, as a line of JSON. If there is one of the same search, the trials
        in it are not made again; ``n_trials`` may have grown, and ``n_jobs``, ``n_threads`` and ``backend`` be others.
    callbacks : sequence of callables
        Each is called as ``callback(trial, tuning)`` after every trial made, in the order in which they end, in the calling
        thread; ``tuning`` holds the trials so far. The search ends if one returns ``True``.
    n_jobs : int, optional
        Trials made at a time, by threads that share ``n_threads``; negative numbers count back from all cores, as in joblib.
        Default: ``n_threads``, so that each trial has one thread. Neither changes a bit of the result where scores are linear;
        with a network the threads of each trial may (:mod:`fastsvm.network`).
    backend, n_threads
        As in :mod:`fastsvm.objective`; ``n_threads`` is for all trials together.

    Returns
    -------
    Tuning

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, ``X`` holds NaN or infinity, or ``path`` is a file of something else or of another search
        (other data, other settings).
    OSError
        If ``path`` cannot be written.

    Notes
    -----
    Training that diverges is a result: the trial says so and comes last. Ctrl-C in the main thread lets the epochs in
    progress end and returns the trials that were complete, with ``stop_reason`` "interrupted".

    Memory beyond ``X`` is a copy of it, in its dtype, for the one split, and as a rule for folds too; at most ``folds``, or
    ``n_jobs``, copies if jobs are at different folds. With ``validation`` there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from fastsvm.tuning import tune
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]] * 5), np.array([0, 0, 1, 1] * 5)
    >>> tuning = tune(X, y, learning_rates=[1e-9, 1e-2], alphas=[0.0], method="grid", epochs=5, holdout=0.4)
    >>> tuning.best.learning_rate, tuning.best.score
    (0.01, 1.0)
    """
    start = time.perf_counter()
    X = check_samples("X", X)
    n = X.shape[0]
    y = check_labels("y", y, n_samples=n)
    whole = Part(X, y, check_sample_weight("sample_weight", sample_weight, n_samples=n))
    check_choice("method", method, METHODS)
    checked_callbacks = check_callbacks(callbacks, "callback(trial, tuning)")
    seed = check_integer("seed", seed, at_least=0, at_most=2**32 - 1)
    rate_space = check_space("learning_rates", learning_rates, DEFAULT_LEARNING_RATES, method, zero=False)
    alpha_space = check_space("alphas", alphas, DEFAULT_ALPHAS, method, zero=True)
    candidates = make_candidates(rate_space, alpha_space, method, n_trials, seed)
    folds, holdout = check_ways(validation, folds, holdout, n)
    settings: dict[str, Any] = {
        "loss": as_loss(loss), "optimizer": check_optimizer(optimizer), "batch_size": batch_size, "epochs": epochs,
        "n_classes": n_classes, "fit_intercept": check_flag("fit_intercept", fit_intercept),
        "penalize_intercept": check_flag("penalize_intercept", penalize_intercept),
        "standardize": check_standardize(standardize, X), "sampling": check_choice("sampling", sampling, SAMPLINGS),
        "dtype": dtype, "seed": seed, "backend": backend, "n_threads": n_threads,
    }  # fmt: skip
    check_finite("X", X)  # here, where the rows still have their numbers
    # As training would begin on all the samples; a fold may lack a rare class, which is a class nevertheless.
    score_function, W, _ = initial_weights(
        as_score_function(score_function), X, y, None, None,
        n_classes=n_classes, fit_intercept=fit_intercept, dtype=dtype, rng=np.random.default_rng(seed),
    )  # fmt: skip
    n_classes = score_function.dimensions(W)[1]
    check_labels("y", y, n_samples=n, n_classes=n_classes)
    settings |= {"score_function": score_function, "n_classes": n_classes, "dtype": W.dtype.name}
    splits = make_splits(
        whole, validation=validation, folds=folds, holdout=holdout, n_classes=n_classes, dtype=W.dtype, seed=seed
    )  # fmt: skip
    settings["batch_size"], settings["epochs"] = resolve_batches(batch_size, epochs, splits.n_train)
    way = f"{folds} folds" if folds is not None else "validation part" if holdout is None else f"holdout {holdout!r}"
    tuning = Tuning(
        trials=(), n_trials=len(candidates), method=method, learning_rates=str(rate_space), alphas=str(alpha_space),
        validation=way, settings=settings, stop_reason="running", seconds=0.0, guess=splits.guess(),
    )  # fmt: skip
    journal = None if path is None else Journal(path, describe(tuning, whole, splits), candidates)
    made = {} if journal is None else dict(journal.trials)

    def so_far(stop_reason: str) -> Tuning:
        trials = tuple(made[index] for index in sorted(made))
        return replace(tuning, trials=trials, stop_reason=stop_reason, seconds=time.perf_counter() - start)

    def receive(trial: Trial) -> bool:
        if journal is not None:
            journal.append(trial)
        made[trial.index] = trial
        answers = [callback(trial, so_far("running")) for callback in checked_callbacks]
        return any(isinstance(answer, (bool, np.bool_)) and bool(answer) for answer in answers)

    missing = [index for index in range(len(candidates)) if index not in made]
    threads = resolve_threads(n_threads)
    jobs = resolve_jobs(n_jobs, threads, len(missing))
    plan = Plan(splits, settings, n_jobs=jobs, n_threads=max(1, threads // jobs))
    return so_far(make_trials(plan, candidates, missing, receive))
