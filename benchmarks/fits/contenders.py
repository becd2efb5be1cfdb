"""Who takes part in solvers.py, and what each minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fits import objectives as of
from fits.data import Part
from fits.objectives import Objective
from fits.ours import Fastsvm
from fits.peers import Sgd, Sklearn
from fits.peers_native import Cyanure, Liblinear, Snapml


class Contender(NamedTuple):
    """``package`` is what pip installs, ``module`` what must be importable, ``form`` how the data are given to it.

    ``build`` makes one from data and a number of threads.
    """

    label: str
    group: str
    package: str
    module: str
    form: str
    objective: Objective
    build: Callable[[Part, int], Any]


def _sklearn(label: str, objective: Objective, kind: Callable[..., Any], form: str = "float64", **fixed: Any) -> Contender:
    return Contender(
        label, "peer", "scikit-learn", "sklearn", form, objective,
        lambda part, threads: kind(part, threads, **fixed),
    )  # fmt: skip


def _liblinear(label: str, objective: Objective, solver: int) -> Contender:
    return Contender(
        f"LIBLINEAR -s {solver}, {label}", "peer", "liblinear-multicore", "liblinear", "float64", objective,
        lambda part, threads: Liblinear(part, threads, solver),
    )  # fmt: skip


def _other(label: str, package: str, objective: Objective, kind: Callable[..., Any], **fixed: Any) -> Contender:
    return Contender(label, "peer", package, package, "float32", objective, lambda part, threads: kind(part, threads, **fixed))


def _ours(label: str, objective: Objective, **fixed: Any) -> Contender:
    return Contender(
        f"fastsvm, {label}", "fastsvm", "fastsvm", "fastsvm", "stored", objective,
        lambda part, threads: Fastsvm(part, threads, loss=objective.loss, **fixed),
    )  # fmt: skip


SVC, LOGISTIC = {"name": "LinearSVC"}, {"name": "LogisticRegression"}
CONTENDERS = {
    "fastsvm": _ours("defaults", of.WESTON_WATKINS_FREE),
    "fastsvm-cs": _ours("defaults but Crammer-Singer", of.CRAMMER_SINGER_FREE),
    "dual": _ours("dual", of.WESTON_WATKINS, solver="dual"),
    "lbfgs": _ours("lbfgs", of.WESTON_WATKINS_FREE, solver="lbfgs"),
    "sgd": _ours("sgd", of.WESTON_WATKINS_FREE, solver="sgd"),
    "dual-cs": _ours("dual, Crammer-Singer", of.CRAMMER_SINGER, solver="dual"),
    "lbfgs-cs": _ours("lbfgs, Crammer-Singer", of.CRAMMER_SINGER_FREE, solver="lbfgs"),
    "sgd-cs": _ours("sgd, Crammer-Singer", of.CRAMMER_SINGER_FREE, solver="sgd"),
    "lbfgs-softmax": _ours("lbfgs, softmax", of.SOFTMAX, solver="lbfgs"),
    "sgd-softmax": _ours("sgd, softmax", of.SOFTMAX, solver="sgd"),
    "svc-hinge": _sklearn("LinearSVC, hinge", of.HINGE, Sklearn, **SVC, loss="hinge"),
    "svc-squared": _sklearn("LinearSVC, squared hinge, dual", of.SQUARED, Sklearn, **SVC, dual=True),
    "svc-primal": _sklearn("LinearSVC, squared hinge, primal", of.SQUARED, Sklearn, **SVC, dual=False),
    "svc-cs": _sklearn("LinearSVC, crammer_singer", of.CRAMMER_SINGER, Sklearn, **SVC, multi_class="crammer_singer"),
    "sgd-hinge": _sklearn("SGDClassifier, hinge", of.HINGE_FREE, Sgd, loss="hinge"),
    "logistic": _sklearn("LogisticRegression, lbfgs", of.SOFTMAX, Sklearn, "float32", **LOGISTIC),
    "logistic-saga": _sklearn("LogisticRegression, saga", of.SOFTMAX, Sklearn, "float32", **LOGISTIC, solver="saga"),
    "logistic-newton": _sklearn("LogisticRegression, newton-cg", of.SOFTMAX, Sklearn, **LOGISTIC, solver="newton-cg"),
    "liblinear-0": _liblinear("logistic, primal", of.LOGISTIC, 0),
    "liblinear-1": _liblinear("squared hinge, dual", of.SQUARED, 1),
    "liblinear-2": _liblinear("squared hinge, primal", of.SQUARED, 2),
    "liblinear-3": _liblinear("hinge, dual", of.HINGE, 3),
    "liblinear-4": _liblinear("Crammer-Singer", of.CRAMMER_SINGER, 4),
    "snapml-svm": _other("snapml, SVM", "snapml", of.HINGE, Snapml, name="SupportVectorMachine"),
    "snapml-lr": _other("snapml, logistic", "snapml", of.LOGISTIC, Snapml, name="LogisticRegression"),
    "cyanure": _other("cyanure, multinomial", "cyanure", of.SOFTMAX, Cyanure, loss="logistic"),
    "cyanure-squared": _other("cyanure, squared hinge", "cyanure", of.SQUARED_FREE, Cyanure, loss="sqhinge"),
}  # fmt: skip
