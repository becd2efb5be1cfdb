"""The search for learning rate and alpha: the same numbers as a plain loop, at any number of jobs, without leakage."""

from __future__ import annotations

import math
import tracemalloc
import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, train_test_split
from threadpoolctl import threadpool_info

import fastsvm
from fastsvm import SGD, Adam, Momentum, Softmax
from fastsvm.schedules import Cosine
from fastsvm.tuning import Trial, Tuning, run, tune
from fastsvm.tuning.candidates import Range, make_candidates
from fastsvm.tuning.splits import make_splits
from training_cases import same
from tuning_cases import QUICK, X_VAL, Y_VAL, X, Y, untimed

GRID = {"learning_rates": [0.1, 0.001], "alphas": [0.0, 0.5], "method": "grid", **QUICK}
PAIRS = [(0.1, 0.0), (0.1, 0.5), (0.001, 0.0), (0.001, 0.5)]


def loop(parts, settings=QUICK, weights=None):
    """What the search is to do on these rows to train on and rows to validate on, in so many words."""
    for rate, alpha in PAIRS:
        scores, losses = [], []
        for train_rows, held_out in parts:
            weight = None if weights is None else weights[train_rows]
            result = fastsvm.train(
                X[train_rows], Y[train_rows], optimizer=Adam(Cosine(rate)), alpha=alpha, sample_weight=weight, **settings
            )
            weight = None if weights is None else weights[held_out]
            found = fastsvm.evaluate(
                result.W, X[held_out], Y[held_out], result.b, sample_weight=weight, standardization=result.standardization
            )
            losses.append(found[0])
            scores.append(found[1])
        yield rate, alpha, tuple(scores), tuple(losses)


def found(tuning):
    return [(trial.learning_rate, trial.alpha, trial.scores, trial.losses) for trial in tuning.trials]


def test_a_grid_on_folds_is_a_plain_loop():
    parts = list(StratifiedKFold(3, shuffle=True, random_state=4).split(X, Y))
    assert found(tune(X, Y, folds=3, seed=4, **GRID)) == list(loop(parts, {**QUICK, "seed": 4}))


def test_a_grid_on_what_is_held_out_is_a_plain_loop():
    part = [np.sort(rows) for rows in train_test_split(np.arange(90), test_size=0.2, stratify=Y, random_state=0)]
    assert found(tune(X, Y, **GRID)) == list(loop([part]))
    # Weights are scaled to a mean of 1 first, hence the rounding.
    weights = np.random.default_rng(0).uniform(0.1, 3.0, 90)
    for trial, expected in zip(found(tune(X, Y, sample_weight=weights, **GRID)), loop([part], weights=weights), strict=True):
        assert trial[:3] == expected[:3]
        assert trial[3] == pytest.approx(expected[3], rel=1e-5)


def test_a_grid_on_a_given_part_is_a_plain_loop():
    settings = {"loss": Softmax(), "standardize": "scale", "fit_intercept": False, "dtype": "float64", "seed": 3, **QUICK}
    tuning = tune(X, Y, validation=(X_VAL, Y_VAL), optimizer="momentum", **{**GRID, **settings})
    for trial, (rate, alpha) in zip(tuning.trials, PAIRS, strict=True):
        result = fastsvm.train(X, Y, optimizer=Momentum(rate), alpha=alpha, **settings)
        loss = fastsvm.evaluate(result.W, X_VAL, Y_VAL, None, Softmax(), standardization=result.standardization)[0]
        assert (trial.learning_rate, trial.alpha, trial.scores) == (rate, alpha, (result.evaluate(X_VAL, Y_VAL)[1],))
        assert trial.losses == (loss,)
        assert trial.train_accuracies == (result.history[-1].accuracy,)
    # The arguments of a trial are those of its training, and refit uses the best one's.
    arguments = tuning.arguments(tuning.trials[1])
    assert same(fastsvm.train(X, Y, **arguments).W, fastsvm.train(X, Y, optimizer=Momentum(0.1), alpha=0.5, **settings).W)
    assert same(tuning.refit(X, Y).W, fastsvm.train(X, Y, **tuning.arguments(tuning.best)).W)
    assert tuning.refit(X, Y, alpha=0.25).alpha == 0.25


@pytest.mark.parametrize("backend", ["native", "numba", "reference"])
def test_the_number_of_jobs_changes_nothing(backend):
    settings = dict(n_trials=4, folds=2, backend=backend, **QUICK)
    one = tune(X, Y, n_jobs=1, n_threads=1, **settings)
    assert len({trial.score for trial in one.trials}) > 1
    for jobs, threads in [(1, 4), (3, 2), (4, 4), (-1, None), (None, None)]:
        assert untimed(tune(X, Y, n_jobs=jobs, n_threads=threads, **settings)) == untimed(one)
    assert untimed(tune(X, Y, n_jobs=2, **settings, seed=1)) != untimed(one)


def test_random_draws_are_even_in_the_logarithm():
    draws = np.array(make_candidates(Range(1e-4, 1e-1), Range(2e-3, 2.0), "random", 600, 0))
    for values, low in zip(draws.T, (1e-4, 2e-3), strict=True):
        assert (values >= low).all()
        assert (values <= 1000 * low).all()
        # 600 draws in three decades: 200 each, with a standard deviation of 11.5.
        assert np.abs(np.histogram(np.log10(values / low), 3, (0, 3))[0] - 200).max() < 50
        assert all(value == float(f"{value:.3e}") for value in values)
    assert abs(np.corrcoef(np.log(draws.T))[0, 1]) < 0.2
    made = [(trial.learning_rate, trial.alpha) for trial in tune(X, Y, learning_rates=(1e-4, 1e-1), n_trials=3, **QUICK).trials]
    assert made == [tuple(pair) for pair in make_candidates(Range(1e-4, 1e-1), Range(1e-5, 1.0), "random", 3, 0)]


def test_more_trials_begin_with_those_of_fewer():
    for space in ({}, {"learning_rates": [0.1, 0.01, 0.001]}, {"learning_rates": [0.1, 0.01, 0.001], "alphas": [0, 0.1]}):
        few, many = (tune(X, Y, n_trials=n, **QUICK, **space) for n in (2, 5))
        assert untimed(many)[:2] == untimed(few)
    assert len(set(found(many))) == 5  # values on both sides: no pair twice
    assert len(tune(X, Y, learning_rates=[0.1, 0.01, 0.001], alphas=[0, 0.1], **QUICK).trials) == 6
    narrow = tune(X, Y, learning_rates=(0.123456, 0.123457), alphas=[0.0], n_trials=4, **QUICK)
    assert all(0.123456 <= trial.learning_rate <= 0.123457 for trial in narrow.trials)


def test_the_default_grid_has_a_value_per_decade():
    tuning = tune(X, Y, method="grid", **QUICK)
    decades = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    assert [(trial.learning_rate, trial.alpha) for trial in tuning.trials] == [(r, a) for r in decades for a in decades]


def test_statistics_are_of_the_training_part_alone(monkeypatch):
    seen = []

    def spy(X, y, **settings):
        seen.append((X.copy(), fastsvm.train(X, y, **settings)))
        return seen[-1][1]

    monkeypatch.setattr(run, "train", spy)
    named = np.column_stack([np.arange(90.0), X])  # the first feature tells the rows
    tune(named, Y, learning_rates=[0.01], alphas=[0.1], method="grid", folds=3, n_jobs=1, **QUICK)
    trained_on = [rows[:, 0].astype(int) for rows, _ in seen]
    assert Counter(np.concatenate(trained_on).tolist()) == dict.fromkeys(range(90), 2)
    for rows, result in seen:
        assert len(rows) == 60
        np.testing.assert_allclose(result.standardization.mean, rows.mean(axis=0))
        np.testing.assert_allclose(result.standardization.scale, rows.std(axis=0))


def test_what_is_the_best():
    base = {"alpha": 0.1, "train_accuracies": (1.0, 1.0), "seconds": 1.0}
    trials = (
        Trial(0, 1e-5, scores=(), losses=(), **{**base, "train_accuracies": ()}, message="diverged"),
        Trial(1, 1e-4, scores=(0.5, 0.75), losses=(3.0, 1.0), **base),
        Trial(2, 1e-3, scores=(1.0, 0.25), losses=(1.0, 1.0), **base),
        Trial(3, 1e-2, scores=(0.75, 0.5), losses=(2.0, 0.0), **base),
        Trial(4, 1e-1, scores=(0.5, 0.5), losses=(0.0, 0.0), **base),
    )
    tuning = Tuning(trials, 5, "random", "1e-5,1e-4,1e-3,1e-2,1e-1", "0.1", "2 folds", {}, "trials", 1.0, guess=0.6)
    # Trials 1, 2 and 3 tie at 0.625; their losses are 2, 1 and 1; the earlier comes first.
    assert [trial.index for trial in tuning.ranked()] == [2, 3, 1, 4, 0]
    assert tuning.best is trials[2]
    assert (trials[1].score, trials[1].loss) == (0.625, 2.0)
    assert trials[1].deviation == pytest.approx(math.sqrt(2) / 8)
    assert math.isnan(trials[0].score)
    assert (trials[0].diverged, trials[1].diverged) == (True, False)
    assert tuning.edges() == {}
    for space, expected in [
        ("1e-3,1e-2", {"learning_rate": "lowest"}),
        ("1e-4,1e-3", {"learning_rate": "highest"}),
        ("1e-3", {}),
        ("1e-5:1", {}),  # though nothing lower was tried
        ("9e-4:1", {"learning_rate": "lowest"}),
        ("1e-6:1.9e-3", {"learning_rate": "highest"}),  # log 1e3 / log 1.9e3 is 0.915
        ("1e-6:2.2e-3", {}),  # and log 1e3 / log 2.2e3 is 0.898
    ]:
        assert replace(tuning, trials=trials[2:], learning_rates=space).edges() == expected
    passed = replace(trials[4], message="diverged")
    assert replace(tuning, trials=(trials[2], passed), learning_rates="1e-6:1.9e-3").edges() == {}
    zero = replace(tuning, trials=tuple(replace(trial, alpha=0.0) for trial in trials), alphas="0.0,0.1")
    assert zero.edges() == {}
    assert tuning.beats_guessing  # 0.625
    assert not replace(tuning, guess=0.625).beats_guessing
    assert not replace(tuning, trials=trials[:1]).beats_guessing
    with pytest.raises(ValueError, match="the search ended before its first"):
        replace(tuning, trials=()).best  # noqa: B018
    with pytest.raises(ValueError, match="all 1 diverged; search learning rates below 1e-05"):
        replace(tuning, trials=trials[:1]).best  # noqa: B018


def test_what_guessing_is_worth():
    y = np.where(np.arange(90) % 3 == 0, 0, 1)  # 60 of class 1: two thirds of every part
    for way in ({"folds": 3}, {"holdout": 0.2}):
        assert tune(X, y, n_trials=1, **way, **QUICK).guess == pytest.approx(2 / 3)
    # What is most frequent in the training part counts, not in the other.
    assert tune(X, y, n_trials=1, validation=(X[:4], [0, 0, 0, 1]), **QUICK).guess == 0.25


def test_divergence_is_a_result():
    tuning = tune(X, Y, learning_rates=[1e300, 0.01], alphas=[0.0], method="grid", optimizer=SGD(), folds=2, **QUICK)
    wild, sound = tuning.trials
    assert wild.diverged
    assert wild.message.startswith("training diverged in epoch 1")
    assert (wild.scores, len(sound.scores), tuning.best) == ((), 2, sound)
    # Training goes well, validation overflows float32.
    huge = np.full((2, X.shape[1]), 3e38, dtype=np.float32)
    tuning = tune(X, Y, learning_rates=[100.0], alphas=[0.0], method="grid", validation=(huge, Y_VAL[:2]), **QUICK)
    assert "overflow float32" in tuning.trials[0].message


def test_networks(monkeypatch):
    def spy(X, y, **given):
        pools.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return fastsvm.train(X, y, **given)

    pools: list[int] = []
    monkeypatch.setattr(run, "train", spy)
    settings = dict(score_function=fastsvm.TwoLayer(5), standardize="scale", **QUICK)
    tuning = tune(X, Y, learning_rates=[0.01], alphas=[0.1], method="grid", validation=(X_VAL, Y_VAL), n_threads=1, **settings)
    result = fastsvm.train(X, Y, optimizer=Adam(Cosine(0.01)), alpha=0.1, n_threads=1, **settings)
    assert tuning.best.scores == (result.evaluate(X_VAL, Y_VAL)[1],)
    penalty = 0.05 * np.sum(np.square(result.W, dtype=np.float64))
    assert tuning.best.loss == pytest.approx(result.evaluate(X_VAL, Y_VAL)[0] - penalty)
    assert same(tuning.refit(X, Y).W, result.W)
    jobs = [tune(X, Y, n_trials=4, n_jobs=jobs, n_threads=jobs, **settings) for jobs in (1, 3)]
    assert untimed(jobs[0]) == untimed(jobs[1])  # a thread per trial
    assert set(pools) == {1}


def test_a_class_rarer_than_folds_is_a_class_nevertheless(recwarn):
    y = np.where(np.arange(90) == 7, 4, Y)
    tuning = tune(X, y, n_trials=1, folds=3, **QUICK)
    assert not recwarn.list
    assert tuning.settings["n_classes"] == 5
    assert tuning.refit(X, y).W.shape == (5, X.shape[1])


def test_parts_are_shared_and_not_kept():
    whole = fastsvm.tuning.Part(X, Y, None)
    splits = make_splits(whole, validation=None, folds=3, holdout=None, n_classes=4, dtype=np.dtype("f4"), seed=0)
    first = splits[1]
    assert splits[1] is first
    assert splits[0] is not first
    place = splits._in_use[1]
    del first
    assert place() is None
    single = make_splits(whole, validation=None, folds=None, holdout=0.5, n_classes=4, dtype=np.dtype("f4"), seed=0)
    place = weakref.ref(single[0])
    assert place() is single[0]
    big = np.zeros((40_000, 100), dtype=np.uint8)
    y = np.arange(40_000) % 3
    tune(big[:99], y[:99], n_trials=1, epochs=1, n_jobs=2)
    for way, copies in (({"holdout": 0.2}, 1), ({"folds": 2}, 2), ({"validation": (big[:50], y[:50])}, 0)):
        tracemalloc.start()
        tune(big, y, n_trials=4, epochs=1, standardize=None, n_jobs=4, **way)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (copies + 0.9) * big.nbytes  # labels, orders and scratch memory of four trainings
