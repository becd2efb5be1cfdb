"""The scikit-learn classifier over all of fastsvm's solvers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from fastsvm.estimator import choosing, fitting
from fastsvm.estimator.base import LinearPredictor
from fastsvm.estimator.choosing import Choice
from fastsvm.estimator.inputs import encode, finite_or_explained, read_labels, read_samples, read_weights
from fastsvm.estimator.progress import CallbackSupportMixin, with_callbacks
from fastsvm.losses import Loss, Softmax
from fastsvm.optimizers import Optimizer
from fastsvm.standardization import Standardization
from fastsvm.training.history import History

DEFAULT_ALPHA = 1e-3


class SVMClassifier(CallbackSupportMixin, LinearPredictor):
    """Linear classifier with one joint multiclass loss, trained by the solver that fits the problem.

    Minimises ``(1/Σωᵢ) Σᵢ ωᵢ ℓ(scoresᵢ, yᵢ) + alpha · ½‖W‖²`` over ``scores = x Wᵀ + b``; samples x are scaled as
    ``standardize`` says, ω are sample weights times class weights. ``coef_`` and ``intercept_`` are for samples as given.

    Parameters
    ----------
    loss : {"weston_watkins", "squared_weston_watkins", "crammer_singer", "softmax"} or a loss object
        ``fastsvm.WestonWatkins(delta=0.5)`` and the like for other parameters than the default ones.
    alpha : float > 0, default 1e-3
        Strength of the penalty, as of ``SGDClassifier``. ``LinearSVC``'s ``C`` is ``1 / (alpha · n_samples)``.
    solver : {"auto", "dual", "lbfgs", "sgd"}
        "dual" (hinge losses) and "lbfgs" give the exact answer with a certificate; "sgd" takes batches and any optimizer.
        "auto" chooses: see ``solver_`` and ``solver_reason_``.
    fit_intercept : bool, default True
    intercept_scaling : float > 0, default 1.0
        For "dual", whose intercept is penalised as ``½ alpha ‖b / intercept_scaling‖²``; the others do not penalise it.
    standardize : {"auto", "mean+std", "mean", "scale", "max-abs", "none"}, bool or Standardization
        Scaling of the features, computed with the sample weights and applied as they are read: no scaled copy is made. "auto"
        is "mean+std" for dense samples ("max-abs" without an intercept) and "none" for CSR; ``True`` is the same but
        "max-abs" for CSR; ``False`` is "none". "mean" and "mean+std" give an intercept even with ``fit_intercept=False``.
    class_weight : dict of class to weight, "balanced" or None
        "balanced" gives all classes the same total weight.
    probability : bool, default False
        Calibrate probabilities for hinge losses, by up to five more fits. Softmax has its own.
    tol : float > 0, optional
        Duality gap at which a fit has converged, and an exact solver stops: as a share of the objective, default 1e-3 ("dual"
        goes on for what float64 can give where that costs nothing). "sgd" stops by ``max_iter``; its gap, far above what it
        lacks, may be 0.3, and on large data (10 million multiply-adds to a pass) is computed only where ``tol`` is given: it
        takes longer than the training.
    max_iter : int >= 1, optional
        Passes ("dual" and "lbfgs") or epochs ("sgd") of one fit. Default: 1000, 5000, and what makes 1,400 updates but
        at least 5 (of full batches 1000; with early stopping 3,000 updates, at least 20).
    optimizer : Optimizer or name, optional
        For "sgd". Default: Adam for dense samples, SGD for CSR (its updates cost what the non-zeros cost), the learning rate
        from the samples' mean norm, falling to 0 along a cosine (constant in `partial_fit`). A name, "adam", is that optimizer
        at its own defaults, and these have a constant learning rate. The other solvers have no use for it.
    batch_size : int >= 1 or "full", default 256
        For "sgd".
    warm_start : bool, default False
        Begin where the last fit ended: "sgd" goes on with its optimizer's state if nothing but the number of epochs has
        changed, "dual" begins with the dual variables on samples of the same shape; otherwise with the coefficients.
    early_stopping : bool, default False
        For "sgd": stop after ``n_iter_no_change`` epochs in which the objective on a validation set has not improved, and keep
        the best epoch's weights. The set is ``X_val, y_val`` of `fit`, or a stratified share ``validation_fraction`` of X.
    validation_fraction : float in (0, 1), default 0.1
    n_iter_no_change : int >= 1, default 5
    callbacks : sequence of callables, optional
        Each is called as ``callback(record, result)`` after every iteration, as by `fastsvm.train` (``result`` is None where
        the solver has none yet), and ends the fit by returning True. ``set_callbacks`` takes scikit-learn's, from 1.9 on.
    verbose : int, default 0
        Print about ten lines, or with 2 one per iteration, on standard output.
    random_state : int, RandomState or None
        Source of the order of the samples, of the validation split and of the folds of ``probability``.
    n_threads : int, optional
        Threads of one fit and of prediction, which share the work of each product; the result has the same bits at any
        number. (scikit-learn's ``n_jobs`` means independent jobs, of which there are none here.) Default: all cores.
    dtype : float32 or float64, optional
        Of the computation. Default: float64 for samples in float64, else float32. Samples are never converted.
    backend : {"auto", "native", "numba", "reference"}, optional
        For "sgd" and prediction.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
    coef_ : ndarray (n_classes, n_features), or (1, n_features) for two classes
    intercept_ : ndarray (n_classes,) or (1,)
    solver_, solver_reason_ : str
        The solver, and a sentence on why it was chosen.
    objective_, duality_gap_, relative_gap_ : float
        The objective reached (as the solver penalises the intercept), how far above the minimum it can be at most, and that
        as a share of it. The latter two are NaN where "sgd" does not certify.
    converged_ : bool
        Whether the gap is within ``tol``; without one, whether the objective fell by at most 5 % in the last epoch.
    stop_reason_ : {"converged", "max_iter", "stalled", "early stopping", "callback", "interrupted", "no descent"}
        "stalled": no further for rounding.
    n_iter_ : int
        Iterations of the last fit.
    history_ : records of the iterations; ``history_["objective"]`` (of "sgd" ``history_["loss"]``) is a column of them
    standardization_ : Standardization or None
    n_features_in_, feature_names_in_
        As scikit-learn has them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastsvm.estimator import SVMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SVMClassifier(random_state=0).fit(X, y)
    >>> clf.coef_.shape, clf.solver_, clf.converged_, clf.score(X, y) > 0.95
    ((3, 4), 'dual', True, True)
    """

    #: Whether fits to small samples go on for what float64 can give where ``tol`` is None.
    _precise = True

    def __init__(
        self,
        loss: str | Loss = "weston_watkins",
        *,
        alpha: float = DEFAULT_ALPHA,
        solver: str = "auto",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        standardize: str | bool | Standardization | None = "auto",
        class_weight: Any = None,
        probability: bool = False,
        tol: float | None = None,
        max_iter: int | None = None,
        optimizer: Optimizer | str | None = None,
        batch_size: int | str = 256,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        callbacks: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        n_threads: int | None = None,
        dtype: npt.DTypeLike | None = None,
        backend: str | None = None,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.standardize = standardize
        self.class_weight = class_weight
        self.probability = probability
        self.tol = tol
        self.max_iter = max_iter
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.backend = backend

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> SVMClassifier:
        """Fit the classifier.

        Parameters
        ----------
        X : (n_samples, n_features) array-like or CSR
            float64, float32, float16, int8, uint8, bfloat16 and CSR of float32 or float64 are read as they are stored;
            :mod:`fastsvm.estimator.inputs` says what becomes of the rest.
        y : (n_samples,) labels of any type
        sample_weight : (n_samples,) numbers >= 0, optional
            A sample of weight 2 counts as two samples do; only the weights' ratios matter.
        X_val, y_val, sample_weight_val : optional
            Validation set for ``early_stopping=True``, of which no part is trained on.

        Returns
        -------
        self

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, when the iteration in progress has ended: the estimator holds what was reached.
        """
        fitting.check_settings(self)
        X = read_samples(self, X, reset=True, finite=True)
        labels = read_labels(self, y, X.shape[0])
        weight = read_weights(sample_weight, len(labels))
        classes, indices = np.unique(labels, return_inverse=True)
        present = classes if weight is None else np.unique(labels[weight > 0])
        if len(present) < 2:
            raise ValueError(f"y must hold at least two classes (of positive weight); got one class, {present[0]}")
        same_classes = np.array_equal(getattr(self, "classes_", ()), classes)
        self.classes_ = classes
        seed = fitting.draw_seed(self.random_state)
        validation = fitting.read_validation(self, X_val, y_val, sample_weight_val)
        if self.early_stopping and validation is None:
            X, labels, indices, weight, validation = fitting.hold_out(self, X, labels, indices, weight, seed)
        with finite_or_explained(self, X):
            task, choice = fitting.build_task(
                self, X, labels, indices.astype(np.int64), weight, validation, seed, standardize=self.standardize
            )  # fmt: skip
            if self.warm_start and same_classes:
                task = replace(task, start=fitting.start_of(self, task, choice.solver))
            solution = fitting.solve(self, task, choice)
            if solution.stop_reason != "interrupted":
                self.inverse_temperature_ = fitting.calibrate(self, task, choice)
        self._state = (choice.solver, solution.state) if self.warm_start else (choice.solver, None)
        fitting.warn_if_not_converged(self, task)
        if solution.stop_reason == "interrupted":
            raise KeyboardInterrupt(f"fit was interrupted after {self.n_iter_} iterations; the estimator holds their result")
        return self

    @available_if(fitting.takes_batches)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> SVMClassifier:
        """Make one epoch of batches over some samples, and go on from there in the next call, optimizer's state and all.

        The standardisation is that of the first call's samples (or of the `fit` before it), and stays. The learning rate is
        constant, half of the one that `fit` would begin with on these samples, unless ``optimizer`` says otherwise.
        ``objective_`` is the mean over the batches; nothing is certified.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`.
        classes : (n_classes,) labels, optional
            All there will ever be; needed in the first call, unless there was a `fit`.

        Returns
        -------
        self
        """
        fitting.check_streamable(self)
        first = _check_partial_fit_first_call(self, classes)
        X = read_samples(self, X, reset=first, finite=True)
        labels = read_labels(self, y, X.shape[0])
        indices, weight = encode(labels, self.classes_), read_weights(sample_weight, len(labels))
        with finite_or_explained(self, X):
            standardization = None if first else self.standardization_
            task, _ = fitting.build_task(
                self, X, labels, indices, weight, None, fitting.draw_seed(self.random_state),
                standardize=self.standardize if first else standardization,
            )  # fmt: skip
            optimizer = task.optimizer or choosing.default_optimizer(task, constant=True)
            task = replace(task, max_iter=1, certify=False, optimizer=optimizer)
            if not first:
                task = replace(task, start=fitting.start_of(self, task, "sgd"))
            solution = fitting.solve(self, task, Choice("sgd", "partial_fit makes one epoch of batches"))
        self.history_ = History([solution.history[-1]])  # those of all calls would grow without end
        self._state = ("sgd", replace(solution.state, history=self.history_))
        self.inverse_temperature_ = 1.0 if isinstance(task.loss, Softmax) else None
        return self
