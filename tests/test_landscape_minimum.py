"""Kinks and minima along a line: by hand, and against a search that tries every place where a minimum can be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastsvm
from fastsvm import CrammerSinger, Softmax, WestonWatkins
from fastsvm.landscape import breakpoints, envelopes, line, minimize_along
from fastsvm.losses import RegisteredLoss
from fastsvm.standardization import fit_standardization
from training_cases import blobs

PIECEWISE = (WestonWatkins(), WestonWatkins(0.5), CrammerSinger())
SQUARED = WestonWatkins(squared=True)


class Flat(RegisteredLoss):
    """A loss of a user's, made without compiling anything."""

    leaf = staticmethod(lambda scores, y, dscores: 1.0)

    def __repr__(self):
        return "Flat()"


def along(margins, weights=None, loss=WestonWatkins(), **settings):
    """A problem of two classes whose sample i has the margin ``1 + q_i a``: class 0, x = q_i, and class 1 moves."""
    X = np.array(margins, dtype=np.float64)[:, None]
    arguments = np.zeros((2, 1)), X, np.zeros(len(X), np.int64), np.array([[0.0], [1.0]])
    return arguments, {"loss": loss, "sample_weight": weights, **settings}


def integers(seed, n=12, d=3, k=4):
    """A problem in small integers, where many kinks coincide."""
    rng = np.random.default_rng(seed)
    W, D = (rng.integers(-2, 3, (k, d)).astype(float) for _ in range(2))
    return W, rng.integers(-2, 3, (n, d)).astype(float), rng.integers(0, k, n), D


def lines_of(W, X, y, D, delta):
    """The lines (p, q) whose envelopes make up each sample's loss, in plain loops."""
    for x, own in zip(X, y, strict=True):
        p, q = (W - W[own]) @ x + delta, (D - D[own]) @ x
        yield [(p[j], q[j], j) for j in range(len(W)) if j != own]


def every_minimum(arguments, loss, **settings):
    """The least value of the objective on a line: that of the best of all crossings and of the parabolas in between."""
    W, X, y, D = arguments
    crossings = {0.0}
    for lines in lines_of(W, X, y, D, loss.delta):
        for (p, q, _), (r, s, _) in itertools.combinations([*lines, (0.0, 0.0, -1)], 2):
            if q != s:
                crossings.add((r - p) / (q - s))
    places = sorted(crossings)
    places = [places[0] - 1, *places, places[-1] + 1]

    def f(a):
        return fastsvm.loss_value(W + a * D, X, y, loss=loss, **settings, backend="reference")

    found = []
    for left, right in itertools.pairwise(places):
        middle = (left + right) / 2
        low, mid, high = f(left), f(middle), f(right)
        bend = low - 2 * mid + high  # of the parabola through them
        top = middle - (high - low) * (right - left) / (4 * bend) if bend > 1e-12 * mid else middle
        inside = left < top < right
        found += [(low, left), (high, right), *([(f(top), top)] if inside else [])]
    best = min(found)[0]
    near = [a for value, a in found if value <= best + 1e-13 * (1 + best)]
    return best, min(near, key=abs)


class TestBreakpoints:
    def test_by_hand(self):
        # One feature, x = 1 (class 0) and x = -2 (class 2); D moves class 1 up and class 2 twice as fast.
        W, X, y, D = np.zeros((3, 1)), np.array([[1.0], [-2.0]]), np.array([0, 2]), np.array([[0.0], [1.0], [2.0]])
        # Sample 0: margins 1 + a and 1 + 2a. Sample 1: class 0: 1 + 4a, class 1: 1 + 2a.
        found = breakpoints(W, X, y, D)
        assert found.a.tolist() == [-1.0, -0.5, -0.5, -0.25]
        assert found.sample.tolist() == [0, 0, 1, 1]
        assert found.label.tolist() == [1, 2, 1, 0]
        # Of the maxima max(0, 1 + a, 1 + 2a) and max(0, 1 + 2a, 1 + 4a):
        found = breakpoints(W, X, y, D, loss=CrammerSinger())
        assert found.a.tolist() == [-1.0, -0.5, 0.0, 0.0]
        assert found.sample.tolist() == [0, 1, 0, 1]
        assert found.label.tolist() == [1, 1, 2, 0]

    def test_a_falling_margin_and_the_range(self):
        arguments, _ = along([-1.0, 2.0, 0.0, -4.0])
        assert breakpoints(*arguments).a.tolist() == [-0.5, 0.25, 1.0]
        assert breakpoints(*arguments, lower=0.25, upper=0.5).a.tolist() == [0.25]
        assert breakpoints(*arguments, lower=0.3, upper=0.5).a.tolist() == []
        found = breakpoints(*arguments, loss=CrammerSinger())  # with two classes the same
        assert (found.a.tolist(), found.label.tolist()) == ([-0.5, 0.25, 1.0], [1, 1, 1])

    def test_three_lines_through_one_point_make_one_kink(self):
        # 1 + a, 1 + 2a and 1 + 3a meet at 0: from the first straight to the last.
        found = breakpoints(np.zeros((4, 1)), np.array([[1.0]]), [0], np.arange(4.0)[:, None], loss=CrammerSinger())
        assert (found.a.tolist(), found.label.tolist()) == ([-1.0, 0.0], [1, 3])

    @pytest.mark.parametrize("loss", PIECEWISE, ids=repr)
    def test_the_loss_is_bent_there_and_nowhere_else(self, loss):
        X, y = blobs(9, 3, 4)
        rng = np.random.default_rng(0)
        W, D = rng.normal(size=(2, 4, 3))
        for i in range(len(X)):
            kinks = breakpoints(W, X[i : i + 1], y[i : i + 1], D, loss=loss).a
            grid = np.unique(np.concatenate([kinks, np.linspace(-40, 40, 801)]))
            values = line(W, X[i : i + 1], y[i : i + 1], D, grid, loss=loss).loss
            slopes = np.diff(values) / np.diff(grid)
            bent = grid[1:-1][np.abs(np.diff(slopes)) > 1e-6]
            assert len(kinks)
            np.testing.assert_array_equal(bent, kinks[np.abs(kinks) < 40])

    @pytest.mark.parametrize("seed", range(4))
    def test_crammer_singer_in_integers_against_all_crossings(self, seed):
        W, X, y, D = integers(seed)
        found = breakpoints(W, X, y, D, loss=CrammerSinger())
        expected = []
        for i, lines in enumerate(lines_of(W, X, y, D, 1.0)):
            lines = [*lines, (0.0, 0.0, y[i])]
            for a in {(r - p) / (q - s) for (p, q, _), (r, s, _) in itertools.combinations(lines, 2) if q != s}:
                tops = [q for p, q, _ in lines if p + a * q >= max(p + a * q for p, q, _ in lines) - 1e-12]
                expected += [(a, i)] if max(tops) > min(tops) else []
        got = sorted(zip(found.a.tolist(), found.sample.tolist(), strict=True))
        assert len(got) > 5
        assert got == [(pytest.approx(a), i) for a, i in sorted(set(expected))]

    def test_what_has_no_kinks_is_refused(self):
        arguments, _ = along([1.0])
        with pytest.raises(ValueError, match=r"loss must be WestonWatkins or CrammerSinger.*got Softmax\(\)"):
            breakpoints(*arguments, loss="softmax")
        with pytest.raises(ValueError, match="lower must be <= upper"):
            breakpoints(*arguments, lower=1.0, upper=0.0)
        assert breakpoints(*arguments, loss=SQUARED).a.tolist() == [-1.0]


class TestByHand:
    def test_a_kink(self):
        arguments, settings = along([1.0, -2.0])  # max(0, 1 + a) + max(0, 1 - 2a), halved
        found = minimize_along(*arguments, **settings)
        assert (found.a, found.loss, found.data_loss) == (0.5, 0.75, 0.75)

    def test_weights_move_it(self):
        arguments, settings = along([1.0, -2.0], weights=[3, 1])  # 3 max(0, 1 + a) + max(0, 1 - 2a), over 4
        found = minimize_along(*arguments, **settings)
        assert (found.a, found.loss) == (-1.0, 0.75)
        arguments, settings = along([1.0, -2.0], weights=[0, 1])
        assert minimize_along(*arguments, **settings).loss == 0.0

    def test_the_penalty_holds_it_back(self):
        arguments, settings = along([1.0, -2.0], alpha=1.0)  # slope −1/2 up to 0.5, where the penalty's is a
        found = minimize_along(*arguments, **settings)
        assert (found.a, found.loss) == (0.5, 0.875)
        arguments, settings = along([1.0, -2.0], alpha=2.0)  # −1/2 + 2a = 0
        found = minimize_along(*arguments, **settings)
        assert (found.a, found.data_loss, found.loss) == (0.25, 0.875, 0.9375)

    def test_only_the_penalty_falls(self):
        W, D = np.array([[4.0], [0.0]]), np.array([[-1.0], [0.0]])  # margin 1 − 4 + a, penalty (4 − a)² / 2 · 0.5
        found = minimize_along(W, np.array([[1.0]]), [0], D, alpha=0.5)  # a > 3: 1 − 0.5 (4 − a) > 0
        assert (found.a, found.loss) == (3.0, 0.25)
        found = minimize_along(W, np.array([[0.0]]), [0], D, alpha=0.5)
        assert (found.a, found.loss) == (4.0, 1.0)

    def test_of_many_minimisers_the_nearest(self):
        arguments, settings = along([-1.0, -2.0])
        found = minimize_along(*arguments, **settings)
        assert (found.a, found.loss) == (1.0, 0.0)  # 0 from here to infinity
        arguments, settings = along([1.0, 2.0])
        assert minimize_along(*arguments, **settings).a == -1.0
        arguments, settings = along([1.0, -1.0])  # 1 from −1 to 1
        found = minimize_along(*arguments, **settings)
        assert (found.a, found.loss) == (0.0, 1.0)
        W, X, y, D = arguments
        assert minimize_along(W + 3 * D, X, y, D, **settings).a == -2.0
        assert minimize_along(W - 3 * D, X, y, D, **settings).a == 2.0

    def test_squared(self):
        arguments, settings = along([1.0, -2.0], loss=SQUARED)  # (1 + a)² + (1 − 2a)²: 2 + 2a − 4 + 8a = 0
        found = minimize_along(*arguments, **settings)
        assert found.a == pytest.approx(0.2, rel=1e-14)
        assert found.loss == pytest.approx(0.9, rel=1e-14)
        arguments, settings = along([-1.0, -2.0], loss=SQUARED)
        found = minimize_along(*arguments, **settings)
        assert found.a == pytest.approx(1.0, rel=1e-12)
        assert found.loss == pytest.approx(0.0, abs=1e-20)

    def test_softmax(self):
        arguments, settings = along([1.0, -1.0, -1.0], loss=Softmax())  # weights 1 and 2: odds of a are 2
        found = minimize_along(*arguments, **settings)
        assert found.a == pytest.approx(np.log(2), rel=1e-14)
        assert found.loss == pytest.approx((np.log(3) + 2 * np.log(1.5)) / 3, rel=1e-14)
        arguments, settings = along([-1.0], loss=Softmax(), alpha=0.5)  # derivative −1/(1 + e^a) + a/2
        a = minimize_along(*arguments, **settings).a
        assert 1 / (1 + np.exp(a)) == pytest.approx(a / 2, rel=1e-14)

    def test_softmax_that_falls_for_ever(self):
        arguments, settings = along([-1.0, -3.0], loss=Softmax())
        found = minimize_along(*arguments, **settings)
        assert 0 <= found.loss < 1e-14
        assert np.isfinite(found.a)

    @pytest.mark.parametrize("loss", [*PIECEWISE, SQUARED, Softmax()], ids=repr)
    def test_no_direction_at_all(self, loss):
        W, X, y, D = integers(0)
        for direction in (np.zeros_like(D), np.full_like(D, 0.1)):  # the second moves the scores of all classes alike
            found = minimize_along(W, X, y, direction, loss=loss)
            assert found.a == 0.0
            assert found.loss == pytest.approx(fastsvm.loss_value(W, X, y, loss=loss), rel=1e-14)

    def test_a_registered_loss_is_refused(self):
        arguments, _ = along([1.0])
        with pytest.raises(ValueError, match="loss must be WestonWatkins, CrammerSinger or Softmax, known to be convex"):
            minimize_along(*arguments, loss=Flat())
        with pytest.raises(ValueError, match=r"loss must be WestonWatkins or CrammerSinger, whose kinks .*; got Flat\(\)"):
            breakpoints(*arguments, loss=Flat())


@pytest.mark.parametrize("few", [envelopes.FEW, 2])
@pytest.mark.parametrize("loss", PIECEWISE, ids=repr)
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_against_every_candidate_in_integers(loss, alpha, few, monkeypatch):
    monkeypatch.setattr(envelopes, "FEW", few)  # 2: the bracket is halved as of large problems
    rng = np.random.default_rng(1)
    moved = 0
    for seed in range(15):
        arguments = integers(seed)
        settings = {"alpha": alpha, "sample_weight": rng.integers(0, 3, 12) + (np.arange(12) == 0)}
        found = minimize_along(*arguments, loss=loss, **settings)
        best, nearest = every_minimum(arguments, loss, **settings)
        assert found.loss == pytest.approx(best, rel=1e-13, abs=1e-13)
        assert found.a == pytest.approx(nearest, rel=1e-9, abs=1e-9)
        moved += found.a != 0
    assert moved > 8


@pytest.mark.parametrize("loss", [*PIECEWISE, SQUARED, Softmax()], ids=repr)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_point_of_a_fine_grid_is_lower(loss, dtype):
    X, y = blobs(2000, 5, 6, np.uint8)
    rng = np.random.default_rng(2)
    W, D = rng.normal(size=(2, 6, 5)).astype(dtype)
    b, d = rng.normal(size=(2, 6)).astype(dtype)
    settings = {"loss": loss, "alpha": 0.01, "direction_b": d, "penalize_intercept": True}
    settings |= {"standardization": fit_standardization(X, "mean+std"), "sample_weight": rng.uniform(0, 1, 2000)}
    found = minimize_along(W, X, y, D, b, **settings)
    tolerance = {"float64": 1e-14, "float32": 3e-7}[dtype]
    for width in (10, 1e-2, 1e-4, 1e-7):
        grid = line(W, X, y, D, found.a + width * np.linspace(-1, 1, 41), b, **settings)
        assert grid.loss.min() >= found.loss * (1 - tolerance)
        assert grid.loss[20] == pytest.approx(found.loss, rel=tolerance)
        assert grid.data_loss[20] == pytest.approx(found.data_loss, rel=tolerance)
    assert grid.loss.max() < found.loss * (1 + 1e-6)
    assert line(W, X, y, D, [0.0], b, **settings).loss[0] > 1.01 * found.loss


@pytest.mark.parametrize("loss", PIECEWISE, ids=repr)
def test_what_is_added_up_between_two_places_changes_nothing(loss):
    y = blobs(200, 5, 4)[1]
    scores = np.random.default_rng(0).normal(size=(2, 200, 4))
    whole = envelopes.envelopes(scores, y, loss, None)
    part, low, high = whole.between(whole.at(-0.3), whole.at(0.5))
    part, low, high = part.between(low, part.at(0.4))
    assert 0 < len(part) < len(whole)
    for a in np.linspace(-0.3, 0.4, 8):
        assert part.at(a)[:4] == pytest.approx(whole.at(a)[:4], rel=1e-13)
    assert (low[:4], high[:4]) == (whole.at(-0.3)[:4], pytest.approx(whole.at(0.4)[:4], rel=1e-13))


def test_what_float64_cannot_hold_is_said():
    W, X, y, D = integers(0)
    with pytest.raises(OverflowError, match="differences of scores overflow float64"):
        minimize_along(np.zeros((2, 1)), np.ones((1, 1)), [0], np.array([[1e308], [-1e308]]))
    for factor in (1e200, 1e-170):
        with pytest.raises(OverflowError, match="the squared length of the direction is beyond float64"):
            minimize_along(W, X, y, factor * D, alpha=1.0)
    found, scaled = minimize_along(W, X, y, D), minimize_along(W, X, y, 1e200 * D)
    assert scaled.a == pytest.approx(found.a * 1e-200, rel=1e-12)


def test_large_and_small_scales_together():
    # Kinks from 1e-9 to 1e9.
    arguments, settings = along([-1e9, -1e6, -1e3, -1.0, -1e-3, -1e-9, 2e-9])
    found = minimize_along(*arguments, **settings)
    assert found.a == 1e3  # where max(0, 1 − a/1000) ends: from there on 2e-9 outweighs 1e-9
    assert found.loss == pytest.approx((1 - 1e-6 + 1 + 2e-6) / 7, rel=1e-15)
