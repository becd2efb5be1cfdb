"""fastsvm: linear multiclass SVMs trained at the speed of the machine's memory.

    model = fastsvm.SVMClassifier().fit(X, y)  # scikit-learn's contract; says how far from the optimum it is
    model.predict(X_test)

    result = fastsvm.train(X, y)               # trainer: minibatches, optimizers, schedules, early stopping
    result = fastsvm.dual.solve(X, y, alpha=1e-3)                           # the optimum, certified
    fastsvm.duality_gap(W, X, y, b, alpha=1e-3)                             # how far any weights are from it, at most

    loss, dW, db = fastsvm.loss_and_gradient(W, X, y, b, alpha=1e-2)       # the objective alone
    fastsvm.check_gradient, fastsvm.numerical_gradient                     # is it right?
    fastsvm.load("digits"), fastsvm.load_model("model.safetensors")        # data sets and models from files

The lectures' journey, each a module that is imported when it is first used: ``search`` (before there is a gradient),
``landscape`` (the loss along lines and over planes), ``trajectories`` and ``effects`` (what optimizers, rates and batches do),
``tuning``, ``autograd`` and ``network`` (beyond linear scores), ``plots``, and ``tour``, which walks through all of it.

:mod:`fastsvm.objective` states the objective and its symbols once, for all of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import_module("fastsvm._native")
except ImportError as error:
    raise ImportError(
        f"the compiled module fastsvm._native cannot be imported from {__path__[0]}: {error}. If that is a source tree, build "
        "and install it with 'pip install .' in the folder of setup.py, and run Python from another folder "
        "(or use 'pip install -e .' to work on it)"
    ) from None

from fastsvm.backends import set_backend
from fastsvm.combinations import candidate_scores, combination_losses
from fastsvm.exceptions import DataFormatError, DivergenceError
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins
from fastsvm.objective import (
    data_gradient,
    evaluate,
    loss_and_gradient,
    loss_value,
    score_loss_and_gradient,
)
from fastsvm.objective import losses as loss_values  # fastsvm.losses is the module of the losses
from fastsvm.optimizers import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp, SteepestDescent
from fastsvm.prediction import decision_scores, predict, top_k

if TYPE_CHECKING:
    from fastsvm.config import show_config
    from fastsvm.datasets import Dataset, load, load_digits
    from fastsvm.dual import DualityGap, duality_gap
    from fastsvm.estimator import SVMClassifier, SVMClassifierCV
    from fastsvm.extensions import check_loss, register_loss, register_update
    from fastsvm.gradients import (
        GradientCheck,
        check_gradient,
        check_objective_gradient,
        numerical_gradient,
        numerical_objective_gradient,
    )
    from fastsvm.model import Model, load_model
    from fastsvm.network import TwoLayer
    from fastsvm.search import SearchResult, random_local_search, random_search
    from fastsvm.standardization import Standardization, fit_standardization
    from fastsvm.training import EpochRecord, History, TrainResult, train
    from fastsvm.tuning import Trial, Tuning, tune

__version__ = "0.1.0"

#: Names whose modules are imported when they are first used, so that ``import fastsvm`` stays quick.
_LAZY = {
    "fastsvm.config": ("show_config",),
    "fastsvm.datasets": ("Dataset", "load", "load_digits"),
    "fastsvm.dual": ("DualityGap", "duality_gap"),
    "fastsvm.estimator": ("SVMClassifier", "SVMClassifierCV"),
    "fastsvm.extensions": ("check_loss", "register_loss", "register_update"),
    "fastsvm.gradients": (
        "GradientCheck",
        "check_gradient",
        "check_objective_gradient",
        "numerical_gradient",
        "numerical_objective_gradient",
    ),
    "fastsvm.model": ("Model", "load_model"),
    "fastsvm.network": ("TwoLayer",),
    "fastsvm.search": ("SearchResult", "random_local_search", "random_search"),
    "fastsvm.standardization": ("Standardization", "fit_standardization"),
    "fastsvm.training": ("EpochRecord", "History", "TrainResult", "train"),
    "fastsvm.tuning": ("Trial", "Tuning", "tune"),
}
_MODULE_OF = {name: module for module, names in _LAZY.items() for name in names}

#: Modules that may be named without having been imported.
_MODULES = (
    "autograd",
    "dual",
    "effects",
    "estimator",
    "landscape",
    "network",
    "plots",
    "search",
    "tour",
    "trajectories",
    "tuning",
)

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "CrammerSinger",
    "DataFormatError",
    "Dataset",
    "DivergenceError",
    "DualityGap",
    "EpochRecord",
    "GradientCheck",
    "History",
    "Model",
    "Momentum",
    "Nesterov",
    "RMSProp",
    "SVMClassifier",
    "SVMClassifierCV",
    "SearchResult",
    "Softmax",
    "Standardization",
    "SteepestDescent",
    "TrainResult",
    "Trial",
    "Tuning",
    "TwoLayer",
    "WestonWatkins",
    "__version__",
    "candidate_scores",
    "check_gradient",
    "check_loss",
    "check_objective_gradient",
    "combination_losses",
    "data_gradient",
    "decision_scores",
    "duality_gap",
    "evaluate",
    "fit_standardization",
    "load",
    "load_digits",
    "load_model",
    "loss_and_gradient",
    "loss_value",
    "loss_values",
    "numerical_gradient",
    "numerical_objective_gradient",
    "predict",
    "random_local_search",
    "random_search",
    "register_loss",
    "register_update",
    "score_loss_and_gradient",
    "set_backend",
    "show_config",
    "top_k",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"fastsvm.{name}")
    raise AttributeError(f"module 'fastsvm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
