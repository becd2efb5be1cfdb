"""What solvers.py does: scenes, each on one data set, and the fits in them.

``C`` is LIBLINEAR's everywhere, alpha = 1/(C n). Where an entry names none, it is the one chosen on a validation part. Where
a peer has several entries they are what someone who knows the library would try; in the verdicts its fastest counts that
does what is asked.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Entry(NamedTuple):
    contender: str
    settings: dict[str, Any]

    @property
    def words(self) -> str:
        """The settings, for a table."""
        some = {name: value for name, value in self.settings.items() if name != "C" or value is not None}
        return ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in some.items())


class Scene(NamedTuple):
    """``certify``: whether the gap of each answer on its own objective is computed, where that is a joint one.

    ``grid``: values of C to choose from, on the validation part, by ``choosers``: one entry for each objective name.
    """

    title: str
    data: str
    entries: tuple[Entry, ...]
    certify: bool = False
    grid: tuple[float, ...] = ()
    choosers: tuple[Entry, ...] = ()


def _each(contender: str, *settings: dict[str, Any]) -> tuple[Entry, ...]:
    return tuple(Entry(contender, one) for one in settings)


NONE: dict[str, Any] = {"C": None}

#: Passes over the samples of the comparison epoch for epoch.
EPOCHS = (1, 2, 5, 10, 20)

#: The number for which C is chosen, on both sides, and at which they are judged.
CHOSEN_EPOCHS = 10

#: Plain SGD touches only the weights of the features that occur, and text wants many small steps. Of batches of 1, 4 and 16 and
#: rates from 0.5 to 4 these were the best on the validation part, at 10 epochs.
TEXT_SGD: dict[str, Any] = {"rate": 1.0, "batch_size": 4}

#: alpha = 1e-3, the estimator's default, on CIFAR-10's 50,000 samples.
CIFAR_C = 0.02

SCENES = {
    "accuracy": Scene(
        "fit to a test accuracy",
        "fashion-mnist",
        (
            *_each("fastsvm", NONE),
            *_each("fastsvm-cs", NONE, NONE | {"max_iter": 10}),
            *_each("dual-cs", NONE | {"tol": 1e-2}),
            *_each("svc-hinge", {"C": 0.01, "tol": 0.1, "max_iter": 10}, {"C": 0.01, "tol": 0.1, "max_iter": 20}, {"C": 0.01}),
            *_each("svc-squared", {"C": 0.01, "tol": 0.1}),
            *_each("svc-primal", {"C": 0.01, "tol": 0.1}),
            *_each("svc-cs", {"C": 0.01, "tol": 0.1}, {"C": 0.01, "tol": 1.0}),
            *_each(
                "sgd-hinge",
                {"C": 1.0, "max_iter": 5, "tol": None, "average": True},
                {"C": 1.0, "max_iter": 10, "tol": None, "average": True},
                {"C": 0.17},
            ),
            *_each("logistic", {"C": 1.0, "max_iter": 50}, {"C": 1.0, "max_iter": 100}),
            *_each("logistic-saga", {"C": 1.0, "max_iter": 5}, {"C": 1.0, "max_iter": 10}),
            *_each("logistic-newton", {"C": 1.0, "tol": 0.1}, {"C": 1.0, "tol": 0.01}),
            *_each("liblinear-0", {"C": 0.1, "eps": 0.1}),
            *_each("liblinear-1", {"C": 0.01, "eps": 0.1}),
            *_each("liblinear-2", {"C": 0.01, "eps": 0.1}, {"C": 0.01, "eps": 0.01}),
            *_each("liblinear-3", {"C": 0.01, "eps": 0.1}),
            *_each("liblinear-4", {"C": 0.003, "eps": 1.0}, {"C": 0.01, "eps": 1.0}, {"C": 0.01, "eps": 0.1}),
            *_each("snapml-svm", {"C": 0.01, "max_iter": 10}, {"C": 0.1, "max_iter": 20}),
            *_each("snapml-lr", {"C": 0.1, "max_iter": 10}),
            *_each("cyanure", {"C": 1.0, "tol": 0.1}),
            *_each("cyanure-squared", {"C": 0.01, "tol": 0.01}),
        ),
    ),
    "certified": Scene(
        "fit to a certified gap",
        "news",
        (
            *_each("dual", {"tol": 1e-3}, {"tol": 1e-2}),
            *_each("dual-cs", {"tol": 1e-3}),
            *_each("liblinear-4", *({"eps": eps} for eps in (0.1, 0.05, 0.03, 0.02, 0.01))),
            *_each("svc-cs", {}, *({"tol": tol} for tol in (0.1, 0.05, 0.02, 0.01))),
            *_each("svc-hinge", {"C": 1.0}),
            *_each("svc-squared", {"C": 0.5}),
            *_each("liblinear-1", {"C": 0.5, "eps": 0.1}),
            *_each("liblinear-2", {"C": 0.5, "eps": 0.01}),
            *_each("liblinear-3", {"C": 1.0, "eps": 0.1}),
            *_each("logistic", {"C": 10.0, "max_iter": 200}),
            *_each("snapml-svm", {"C": 1.0, "max_iter": 10}),
            *_each("cyanure", {"C": 10.0, "tol": 0.01}),
            *_each("cyanure-squared", {"C": 0.5, "tol": 0.01}),
        ),
        certify=True,
        grid=(0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0),
        choosers=(Entry("dual", {"tol": 1e-2}), Entry("liblinear-4", {"eps": 0.1})),
    ),
    "epochs": Scene(
        "epoch for epoch",
        "news",
        (
            *_each("sgd-cs", *(TEXT_SGD | {"max_iter": epochs} for epochs in EPOCHS)),
            *_each("sgd-hinge", *({"max_iter": epochs, "tol": None} for epochs in EPOCHS)),
        ),
        grid=(0.125, 0.25, 0.5, 1.0, 2.0, 4.0),
        choosers=(
            Entry("sgd-cs", TEXT_SGD | {"max_iter": CHOSEN_EPOCHS}),
            Entry("sgd-hinge", {"max_iter": CHOSEN_EPOCHS, "tol": None}),
        ),
    ),
    "cifar": Scene(
        "fit to a certified gap, and memory",
        "cifar-10",
        (
            *_each("fastsvm", NONE),
            *_each("dual", NONE | {"tol": 1e-2}, {"C": CIFAR_C, "tol": 1e-2}),
            *_each("lbfgs", NONE | {"tol": 1e-2}, {"C": CIFAR_C, "tol": 1e-2}),
            *_each("lbfgs-softmax", {"C": CIFAR_C, "tol": 1e-2}),
            *_each("svc-primal", {"C": 0.001, "tol": 0.1}),
            *_each("svc-cs", {"C": CIFAR_C, "tol": 0.1}),
            *_each("sgd-hinge", {"C": 0.02, "max_iter": 5, "tol": None, "average": True}),
            *_each("logistic", {"C": CIFAR_C, "max_iter": 100}),
            *_each("liblinear-4", {"C": CIFAR_C, "eps": 0.1}),
            *_each("snapml-lr", {"C": CIFAR_C, "max_iter": 10}),
            *_each("cyanure", {"C": CIFAR_C, "tol": 0.01}),
        ),
        certify=True,
    ),
}

#: With ``--quick``: these contenders, and only the first entry of each.
QUICK = {
    "accuracy": ("fastsvm-cs", "svc-primal", "sgd-hinge", "liblinear-4", "snapml-lr", "cyanure"),
    "certified": ("dual", "dual-cs", "liblinear-4", "svc-cs"),
    "epochs": ("sgd-cs", "sgd-hinge"),
    "cifar": ("dual", "lbfgs"),
}


def entries(name: str, quick: bool) -> list[Entry]:
    """What is to be done in a scene."""
    if not quick:
        return list(SCENES[name].entries)
    return [next(entry for entry in SCENES[name].entries if entry.contender == key) for key in QUICK[name]]
