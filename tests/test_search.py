"""Random search and random local search, by hand and against plain loops that make one attempt at a time."""

from __future__ import annotations

import os
import signal
from typing import ClassVar

import numpy as np
import pytest

import fastsvm
from fastsvm import CrammerSinger, Softmax, WestonWatkins
from fastsvm.combinations import candidate_scores
from fastsvm.search import judges, random_local_search, random_search, run
from fastsvm.search.run import SIZES
from training_cases import same

SEARCHES = {"random": random_search, "local": random_local_search}
STORAGES = ("float32", "float64", "uint8")


def blobs(storage="float32", n=210, d=19, k=4):
    rng = np.random.default_rng(3)
    y = np.arange(n) % k
    X = rng.normal(size=(k, d))[y] + rng.normal(size=(n, d))
    return (np.clip(X * 20 + 100, 0, 255) if storage == "uint8" else X).astype(storage), y


X32, Y = blobs()
#: Several groups of attempts, the last of them not full.
QUICK = {"n_attempts": 57, "standardize": "none"}


def one_at_a_time(X, y, n_attempts, step, scale, seed, standardize="mean", **objective):
    """Random local search as one would write it down: W, b, their loss, and of each attempt the loss and the verdict."""
    rng, n_classes, n_features = np.random.default_rng(seed), int(y.max()) + 1, X.shape[1]
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    objective["standardization"] = fastsvm.fit_standardization(X, standardize)

    def draw(size):
        normals = size * rng.standard_normal((n_classes, n_features + 1), dtype=np.float32).astype(dtype)
        return normals[:, :-1].copy(), normals[:, -1].copy()

    W, b = draw(scale)
    best, losses, accepted = fastsvm.loss_value(W, X, y, b, **objective), [], []
    for _ in range(n_attempts):
        dW, db = draw(step)
        losses.append(fastsvm.loss_value(W + dW, X, y, b + db, **objective))
        accepted.append(losses[-1] < best)
        if accepted[-1]:
            W, b, best = W + dW, b + db, losses[-1]
    return W, b, best, np.array(losses), np.array(accepted)


def _far_off(*args, **options):
    scores = candidate_scores(*args, **options)
    return scores + np.random.default_rng(1).uniform(-1e-3, 1e-3, (len(scores), 1, scores.shape[2])).astype(scores.dtype)


def same_search(a, b):
    """Equal to the last bit, but for times and the threads used."""
    arrays = ("W", "b", "losses", "accepted")
    states = [(r.state.attempts, r.state.best_loss, r.state.rng, r.state.W.tobytes()) for r in (a, b)]
    return (
        all(same(getattr(a, name), getattr(b, name)) for name in arrays)
        and (a.loss, a.initial_loss) == (b.loss, b.initial_loss)
        and states[0] == states[1]
    )


class TestByHand:
    """One sample x = 2 of class 0, two classes, no intercept: the loss is max(0, 2 w₁ − 2 w₀ + 1)."""

    X, y = np.array([[2.0]]), np.array([0])
    settings: ClassVar = {"n_classes": 2, "fit_intercept": False, "standardize": "none", "n_attempts": 30}

    def test_random(self):
        result = random_search(self.X, self.y, scale=0.5, seed=4, **self.settings)
        W = 0.5 * np.random.default_rng(4).standard_normal((30, 2, 1), dtype=np.float32).astype(np.float64)
        losses = np.maximum(0, 2 * W[:, 1, 0] - 2 * W[:, 0, 0] + 1)
        np.testing.assert_allclose(result.losses, losses, rtol=1e-12)
        best = np.minimum.accumulate(losses)
        np.testing.assert_allclose(result.best_losses, best, rtol=1e-12)
        assert result.accepted.tolist() == [k == 0 or best[k] < best[k - 1] for k in range(30)]
        assert same(result.W, W[losses.argmin()])
        assert result.b is None
        assert result.initial_loss == np.inf
        assert (result.method, result.scale, result.step, result.stop_reason) == ("random", 0.5, None, "attempts")

    def test_local(self):
        steps = 0.1 * np.random.default_rng(4).standard_normal((30, 2, 1), dtype=np.float32).astype(np.float64)
        W, expected, taken = np.array([[2.0], [0.5]])[::-1], [], []
        loss = 2 * 2.0 - 2 * 0.5 + 1
        for step in steps:
            tried = W + step
            expected.append(max(0, 2 * tried[1, 0] - 2 * tried[0, 0] + 1))
            taken.append(expected[-1] < loss)
            if taken[-1]:
                W, loss = tried, expected[-1]
        result = random_local_search(
            self.X, self.y, step=0.1, W=np.array([[0.5], [2.0]]), seed=4,
            **{key: value for key, value in self.settings.items() if key != "n_classes"},
        )  # fmt: skip
        assert result.initial_loss == 4.0
        assert result.accepted.tolist() == taken
        assert 5 < sum(taken) < 25
        np.testing.assert_allclose(result.losses, expected, rtol=1e-12)
        np.testing.assert_allclose(result.W, W, rtol=1e-12)
        assert result.best_losses[-1] == pytest.approx(loss, rel=1e-12)
        assert (result.method, result.scale, result.step) == ("local", None, 0.1)

    def test_the_intercept_is_the_last_column(self):
        result = random_search(X32, Y, n_attempts=1, scale=0.25, seed=9)
        normals = np.random.default_rng(9).standard_normal((4, 20), dtype=np.float32)
        assert same(result.W, np.float32(0.25) * normals[:, :-1])
        assert same(result.b, np.float32(0.25) * normals[:, -1])

    def test_the_penalty_counts(self):
        settings = {"alpha": 0.7, "penalize_intercept": True, "loss": Softmax(), "sample_weight": 1.0 + Y, **QUICK}
        for search in SEARCHES.values():
            result = search(X32, Y, scale=0.3, **settings)
            value, _ = result.evaluate(X32, Y, 1.0 + Y)
            assert value == result.loss == pytest.approx(result.best_losses[-1], rel=1e-6)
            without, _ = random_search(X32, Y, scale=0.3, **QUICK).evaluate(X32, Y)
            assert value > 0.35 * (np.square(result.W).sum() + np.square(result.b).sum())
            assert without != value


class TestOneAtATime:
    """The accepted steps are those of the plain loop, and so is every bit of W and b."""

    CASES = (
        *((storage, {"step": 0.02, "scale": 0.1}) for storage in STORAGES),
        ("uint8", {"step": 0.003, "scale": 0.01, "loss": Softmax(), "alpha": 0.1}),
        ("float32", {"step": 0.05, "scale": 0.1, "loss": WestonWatkins(0.7, squared=True), "sample_weight": 1 + Y % 3}),
        ("float32", {"step": 0.02, "scale": 0.1, "loss": CrammerSinger(), "alpha": 0.3, "penalize_intercept": True}),
        ("uint8", {"step": 0.02, "scale": 0.1, "standardize": "mean+std", "backend": "reference"}),
    )

    def compare(self, monkeypatch, X, y, seed, n_attempts, **settings):
        """Run both; how many attempts were close. Objectives are off by less than a quarter of what counts as close."""
        margins, exact = [], []
        settings["n_threads"] = 1
        real = judges.uncertainty, judges.objective.loss_value
        monkeypatch.setattr(judges, "uncertainty", lambda *a: margins.append(real[0](*a)) or margins[-1])
        W, b, best, losses, accepted = one_at_a_time(X, y, n_attempts, seed=seed, **settings)
        monkeypatch.setattr(judges.objective, "loss_value", lambda *a, **o: exact.append(0) or real[1](*a, **o))
        result = random_local_search(X, y, n_attempts=n_attempts, seed=seed, **settings)
        monkeypatch.undo()
        assert accepted.any()
        assert not accepted.all()
        assert result.accepted.tolist() == accepted.tolist()
        assert same(result.W, W)
        assert same(result.b, b)
        assert result.loss == best
        assert (np.diff(result.best_losses) <= 0).all()
        size = next(size for size in SIZES if len(margins) == -(-n_attempts // size))
        assert (np.abs(result.losses - losses) <= np.repeat(margins, size)[:n_attempts] / 4).all()
        return len(exact)

    @pytest.mark.parametrize("seed", [0, 1, 2])
    @pytest.mark.parametrize(("storage", "settings"), CASES)
    def test_the_steps_are_the_same(self, monkeypatch, storage, settings, seed):
        self.compare(monkeypatch, *blobs(storage), seed, 120, **settings)

    @pytest.mark.parametrize("standardize", ["mean", "mean+std"])
    def test_bytes_in_two_digits(self, monkeypatch, standardize):
        X, y = blobs("uint8", n=4200, d=40, k=5)
        scale = 0.01 if standardize == "mean" else 0.3
        assert self.compare(monkeypatch, X, y, 0, 120, step=scale / 5, scale=scale, standardize=standardize) < 12

    @pytest.mark.parametrize("storage", STORAGES)
    def test_steps_that_rounding_could_decide(self, monkeypatch, storage):
        step = 1e-15 if storage == "float64" else 1e-7
        assert self.compare(monkeypatch, *blobs(storage), 0, 60, step=step, scale=0.1) > 30

    def test_scores_that_are_far_off(self, monkeypatch):
        """Each class's scores of a step are off by up to 1e-3, for all samples alike, and the sums of steps accordingly."""
        settings = {"step": 0.02, "scale": 0.1}
        W, b, best, _, accepted = one_at_a_time(X32, Y, 120, seed=0, **settings)
        plain = random_local_search(X32, Y, n_attempts=120, **settings)
        monkeypatch.setattr(judges, "candidate_scores", _far_off)
        wrong = random_local_search(X32, Y, n_attempts=120, **settings)
        monkeypatch.setattr(judges, "uncertainty", lambda *a: 0.06)
        result = random_local_search(X32, Y, n_attempts=120, **settings)
        assert np.abs(wrong.losses - plain.losses).max() > 1e-3
        assert result.accepted.tolist() == accepted.tolist()
        assert same(result.W, W)
        assert same(result.b, b)
        assert result.loss == best
        assert (np.diff(result.best_losses) <= 0).all()
        for first in (50, 83, 100):
            part = random_local_search(X32, Y, n_attempts=first, **settings)
            rest = random_local_search(X32, Y, n_attempts=120, resume=part, **settings)
            assert same_search(rest, result)

    def test_steps_that_rounding_takes_back(self, monkeypatch):
        """W is 1 everywhere and the step so small that W + step is W: nothing is better, whatever the scores' sum says."""
        X = np.repeat(np.float32([[1, -1, 2, -2]]), 3, axis=0)
        settings = {"W": np.ones((3, 4), np.float32), "fit_intercept": False, "standardize": "none", "n_attempts": 40}
        settings |= {"step": 1e-9, "loss": WestonWatkins(delta=1e-6)}
        result = random_local_search(X, np.arange(3), **settings)
        assert not result.accepted.any()
        assert set(result.losses) == {result.initial_loss} == {result.loss}
        assert same(result.W, np.ones((3, 4), np.float32))
        monkeypatch.setattr(judges, "uncertainty", lambda *a: 0.0)
        assert random_local_search(X, np.arange(3), **settings).accepted.any()

    def test_the_size_of_groups_does_not_matter(self, monkeypatch):
        settings = {"step": 0.02, "scale": 0.1, **QUICK}
        results = [random_local_search(X32, Y, **settings)]
        drawn = [random_search(X32, Y, scale=0.1, **QUICK)]
        for size in (1, 2, 7, 64):
            monkeypatch.setattr(run, "SIZES", (size,))
            results.append(random_local_search(X32, Y, **settings))
            drawn.append(random_search(X32, Y, scale=0.1, **QUICK))
        for found in (results, drawn):
            for other in found[1:]:
                assert other.accepted.tolist() == found[0].accepted.tolist()
                assert same(other.W, found[0].W)
                assert other.loss == found[0].loss
                np.testing.assert_allclose(other.losses, found[0].losses, rtol=1e-6)


@pytest.mark.parametrize("name", SEARCHES)
class TestGoingOn:
    @pytest.mark.parametrize("first", [1, 33, 50])
    def test_resume(self, name, first):
        settings = {"scale": 0.1, "standardize": "mean", "n_attempts": 57}
        whole = SEARCHES[name](X32, Y, **settings)
        part = SEARCHES[name](X32, Y, **settings | {"n_attempts": first})
        calls = []
        rest = SEARCHES[name](X32, Y, **settings, resume=part, seed=99, callbacks=[calls.append])
        assert same_search(rest, whole)
        assert rest.seconds > part.seconds
        assert [attempt.attempt for attempt in calls] == list(range(first + 1, 58))
        assert part.n_attempts == first
        again = SEARCHES[name](X32, Y, **settings, resume=whole)
        assert same_search(again, whole)

    def test_a_generator_is_left_where_the_last_attempt_leaves_it(self, name):
        rng, plain = np.random.default_rng(5), np.random.default_rng(5)
        SEARCHES[name](X32, Y, seed=rng, **QUICK)
        plain.standard_normal((57 + (name == "local"), 4, 20), dtype=np.float32)
        assert rng.bit_generator.state == plain.bit_generator.state

    def test_callbacks(self, name):
        seen = []

        def callback(attempt):
            seen.append(attempt)
            return attempt.attempt == 23

        result = SEARCHES[name](X32, Y, scale=0.1, callbacks=[lambda attempt: None, callback], **QUICK)
        assert result.stop_reason == "callback"
        assert [attempt.attempt for attempt in seen] == list(range(1, 24))
        assert [attempt.loss for attempt in seen] == result.losses.tolist()
        assert [attempt.best_loss for attempt in seen] == result.best_losses.tolist()
        assert [attempt.accepted for attempt in seen] == result.accepted.tolist()
        whole = SEARCHES[name](X32, Y, scale=0.1, **QUICK)
        assert same_search(SEARCHES[name](X32, Y, scale=0.1, resume=result, **QUICK), whole)

    def test_interrupt(self, name):
        def press(attempt):
            if attempt.attempt == 3:
                os.kill(os.getpid(), signal.SIGINT)

        result = SEARCHES[name](X32, Y, scale=0.1, **QUICK | {"n_attempts": 10**6}, callbacks=[press])
        assert result.stop_reason == "interrupted"
        assert 3 <= result.n_attempts < 10**6
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        settings = QUICK | {"n_attempts": result.n_attempts + 5}
        whole = SEARCHES[name](X32, Y, scale=0.1, **settings)
        assert same_search(SEARCHES[name](X32, Y, scale=0.1, resume=result, **settings), whole)

    def test_threads_do_not_change_a_bit(self, name):
        for storage in ("float32", "uint8"):
            X, y = blobs(storage, n=4200)
            results = [SEARCHES[name](X, y, n_attempts=30, scale=0.1, n_threads=n) for n in (1, 2, 4)]
            assert same_search(results[0], results[1])
            assert same_search(results[0], results[2])
            assert [result.n_threads for result in results] == [1, 2, 4]

    def test_use(self, name, tmp_path):
        result = SEARCHES[name](X32, Y, n_attempts=20, scale=0.1)
        X, standardization = X32.astype(np.float64), result.standardization
        scores = (X - standardization.mean) @ result.W.T.astype(np.float64) + result.b
        np.testing.assert_allclose(result.scores(X32), scores, atol=1e-5)
        assert result.predict(X32).tolist() == scores.argmax(axis=1).tolist()
        assert result.evaluate(X32, Y) == (result.loss, np.mean(scores.argmax(axis=1) == Y))
        result.to_model(list("abcd"), {"attempts": "20"}).save(tmp_path / "m")
        model = fastsvm.load_model(tmp_path / "m")
        assert same(model.W, result.W)
        assert (model.class_names, model.standardization.kind) == (tuple("abcd"), "mean")
        assert f"{name}, W 4 x 19 float32, " in repr(result)
