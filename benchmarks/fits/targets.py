"""The figures that solvers.py judges. Their form is that of compare.py's; ``KeyError`` says that something was not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from figures import Figure, duration
from fits.running import Record, Run
from fits.scenes import CHOSEN_EPOCHS

FASHION_ACCURACY, WITHIN = 0.845, 0.005
NEWS_ACCURACY, NEWS_GAP = 0.855, 1e-3
CIFAR_GAP = 1e-2

Value = Callable[[Any], tuple[float, str]]


def _records(run: Run, scene: str, *contenders: str) -> list[Record]:
    found = [record for record in run.records.get(scene, []) if not contenders or record["contender"] in contenders]
    if not found:
        raise KeyError(scene)
    return found


def _fastest(records: Iterable[Record]) -> Record:
    """Of those that are done."""
    done = [record for record in records if record["status"] == "done"]
    if not done:
        raise KeyError("none is done")
    return min(done, key=lambda record: record["seconds"])


def _named(record: Record) -> str:
    settings = f" ({record['words']})" if record["words"] else ""
    return f"{record['label']}{settings} {duration(record['seconds'])}"


def _times(peers: list[Record], enough: Callable[[Record], bool], ours: Record) -> tuple[float, str]:
    """How many times as fast as the fastest peer that does enough. Where none does within the limit, and one was stopped by
    it, at least as many times as fast as the limit.
    """
    able = [record for record in peers if record["status"] == "done" and enough(record)]
    stopped = [record for record in peers if record["status"] == "over the limit"]
    if able:
        best = _fastest(able)
        return best["seconds"] / ours["seconds"], f"{duration(ours['seconds'])}; {_named(best)}"
    if stopped:
        limit = min(record["limit"] for record in stopped)
        return limit / ours["seconds"], f"at least: {duration(ours['seconds'])}; no peer within {limit:g} s"
    raise KeyError("no peer")


def accuracy_times(run: Any) -> tuple[float, str]:
    ours = _records(run, "accuracy", "fastsvm-cs")[0]
    if ours["status"] != "done" or ours["accuracy"] < FASHION_ACCURACY:
        raise KeyError("not accurate enough")
    peers = [record for record in _records(run, "accuracy") if record["group"] == "peer"]
    return _times(peers, lambda record: record["accuracy"] >= FASHION_ACCURACY - WITHIN, ours)


def accuracy_of(scene: str, contender: str) -> Value:
    """Of the contender's first entry."""

    def value(run: Any) -> tuple[float, str]:
        record = _records(run, scene, contender)[0]
        return record["accuracy"], _named(record)

    return value


def news_gap(run: Any) -> tuple[float, str]:
    record = _records(run, "certified", "dual")[0]
    return record["own_gap"], _named(record)


def _within_gap(record: Record) -> bool:
    """By the best bound anyone has certified."""
    return record["gap"] is not None and record["gap"] <= NEWS_GAP


def news_times(peer: str, ours: str = "dual") -> Value:
    """Against the peer as it is used: with its default tolerance, its first entry, if the answer is within the gap; else with
    the tolerance that is fastest of those whose answer is.
    """

    def value(run: Any) -> tuple[float, str]:
        own, peers = _records(run, "certified", ours)[0], _records(run, "certified", peer)
        default = peers[0]
        usual = default["status"] == "over the limit" or (default["status"] == "done" and _within_gap(default))
        return _times([default] if usual else peers, lambda record: usual or _within_gap(record), own)

    return value


def loosest_times(peer: str, ours: str = "dual") -> Value:
    """Against the fastest of the peer's tolerances whose answer is within the gap."""
    return lambda run: _times(_records(run, "certified", peer), _within_gap, _records(run, "certified", ours)[0])


def default_times(peer: str, ours: str = "dual") -> Value:
    """Against the peer's default tolerance, whatever its answer is worth."""
    return lambda run: _times(_records(run, "certified", peer)[:1], lambda record: True, _records(run, "certified", ours)[0])


def _at_same_epochs(run: Run) -> list[Record]:
    """Ours and the peer's at the number of epochs that C was chosen for; with ``--quick`` at the only one."""
    sides = [_records(run, "epochs", key) for key in ("sgd-cs", "sgd-hinge")]
    chosen = [[one for one in side if one["settings"]["max_iter"] == CHOSEN_EPOCHS] or side[:1] for side in sides]
    return [_fastest(side) for side in chosen]


def epochs_times(run: Any) -> tuple[float, str]:
    ours, peer = _at_same_epochs(run)
    times = duration(ours["seconds"]), duration(peer["seconds"])
    return peer["seconds"] / ours["seconds"], f"{times[0]} and {times[1]}, epochs: {peer['settings']['max_iter']}"


def epochs_accuracy(run: Any) -> tuple[float, str]:
    ours, peer = _at_same_epochs(run)
    return 100 * (ours["accuracy"] - peer["accuracy"]), f"{ours['accuracy']:.4f} and {peer['accuracy']:.4f}"


def cifar_seconds(run: Any) -> tuple[float, str]:
    """The fastest, with the estimator's own penalty and scaling."""
    records = [
        one for one in _records(run, "cifar", "dual", "lbfgs") if one["settings"]["C"] is None and one["status"] == "done"
    ]
    best = _fastest(one for one in records if one["own_gap"] is not None and one["own_gap"] <= CIFAR_GAP)
    return best["seconds"], f"{_named(best)}, gap {best['own_gap']:.1e}"


def memory(run: Any) -> tuple[float, str]:
    """The most of all fits of fastsvm."""
    found = [one for one in _records(run, "cifar") if one["group"] == "fastsvm" and one.get("memory") is not None]
    if not found:
        raise KeyError("memory")
    most = max(found, key=lambda record: record["memory"])
    return most["memory"], _named(most)


def difference(run: Any) -> tuple[float, str]:
    worst = max(run.optimum, key=lambda record: record["difference"], default=None)
    if worst is None:
        raise KeyError("optimum")
    return worst["difference"], worst["shape"]


TARGETS = (
    Figure("Fashion-MNIST: accuracy, defaults but the loss", "accuracy", accuracy_of("accuracy", "fastsvm-cs"), "",
           at_least=FASHION_ACCURACY),
    Figure("Fashion-MNIST: against the fastest peer within 0.5 points", "accuracy", accuracy_times, at_least=5),
    Figure("20 Newsgroups: certified relative gap", "certified", news_gap, "", at_most=NEWS_GAP),
    Figure("20 Newsgroups: test accuracy", "certified", accuracy_of("certified", "dual"), "", at_least=NEWS_ACCURACY),
    Figure("20 Newsgroups: against LIBLINEAR -s 4", "certified", news_times("liblinear-4"), at_least=2),
    Figure("20 Newsgroups: against LinearSVC(crammer_singer)", "certified", news_times("svc-cs"), at_least=20),
    Figure("20 Newsgroups: SGDClassifier(hinge), epoch for epoch", "epochs", epochs_times, at_least=2),
    Figure("20 Newsgroups: accuracy above it at those epochs", "epochs", epochs_accuracy, "points", at_least=0),
    Figure("CIFAR-10: relative gap of 1e-2 certified", "cifar", cifar_seconds, "s", at_most=60),
    Figure("certified optimum against L-BFGS-B on the dual", "optimum", difference, "", at_most=1e-6),
    Figure("CIFAR-10: peak memory beyond the data", "cifar", memory, "MiB", at_most=64),
    Figure("LIBLINEAR -s 4 at its default tolerance", "certified", default_times("liblinear-4")),
    Figure("LIBLINEAR -s 4 at the loosest tolerance within the gap", "certified", loosest_times("liblinear-4")),
    Figure("LinearSVC(crammer_singer) at the loosest within the gap", "certified", loosest_times("svc-cs")),
    Figure("fastsvm's Crammer-Singer loss, LIBLINEAR -s 4", "certified", loosest_times("liblinear-4", "dual-cs")),
    Figure("fastsvm's Crammer-Singer loss, LinearSVC", "certified", loosest_times("svc-cs", "dual-cs")),
)  # fmt: skip
