"""Schedules against hand values, and what is not a schedule."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastsvm.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseSquareRoot,
    InverseTime,
    Linear,
    StepDecay,
    bind,
    rates,
)

#: schedule, and its rate at some steps, worked out by hand
BY_HAND = [
    (Constant(0.3), {0: 0.3, 1: 0.3, 10**9: 0.3}),
    (StepDecay(0.8, every=10, factor=0.5), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2, 35: 0.1}),
    (StepDecay(0.5), {999: 0.5, 1000: 0.25, 2000: 0.125}),
    (StepDecay(0.5, every=1, factor=1.0), {0: 0.5, 7: 0.5}),
    (Exponential(2.0, rate=math.log(2) / 5), {0: 2.0, 5: 1.0, 10: 0.5, 15: 0.25}),
    (Exponential(2.0, rate=0.0), {0: 2.0, 999: 2.0}),
    (InverseTime(1.0, rate=0.1), {0: 1.0, 10: 0.5, 30: 0.25, 90: 0.1}),
    (InverseTime(1.0), {1000: 0.5, 3000: 0.25}),
    (InverseSquareRoot(1.0), {0: 1.0, 3: 0.5, 8: 1 / 3, 99: 0.1}),
    (InverseSquareRoot(6.0, rate=0.01), {0: 6.0, 300: 3.0, 800: 2.0}),
    (Linear(1.0, total=10), {0: 1.0, 1: 0.9, 5: 0.5, 10: 0.0, 11: 0.0, 10**6: 0.0}),
    (Linear(2.0, total=4, end=0.5), {0: 2.0, 1: 1.75, 2: 1.5, 4: 1.0, 400: 1.0}),
    (Cosine(1.0, total=12), {0: 1.0, 4: 0.75, 6: 0.5, 8: 0.25, 12: 0.0, 13: 0.0}),
    (Cosine(2.0, total=6, end=0.1), {0: 2.0, 2: 2 * 0.775, 3: 2 * 0.55, 4: 2 * 0.325, 6: 0.2, 60: 0.2}),
    # Warm-up: a k-th of the rate at step 0, two k-ths at step 1, the schedule's own from step k − 1 on.
    (Constant(1.0, warmup=4), {0: 0.25, 1: 0.5, 2: 0.75, 3: 1.0, 4: 1.0, 99: 1.0}),
    (Constant(1.0, warmup=1), {0: 1.0, 1: 1.0}),
    (StepDecay(1.0, warmup=4, every=2, factor=0.5), {0: 0.25, 1: 0.5, 2: 0.375, 3: 0.5, 4: 0.25}),
    (InverseTime(1.0, warmup=2, rate=1.0), {0: 0.5, 1: 0.5, 2: 1 / 3}),
    (Linear(1.0, warmup=5, total=10), {0: 0.2, 1: 0.36, 4: 0.6, 5: 0.5, 10: 0.0}),
    (Cosine(1.0, warmup=10, total=12), {5: 0.6 * 0.5 * (1 + math.cos(math.pi * 5 / 12)), 12: 0.0}),
]


@pytest.mark.parametrize(("schedule", "expected"), BY_HAND, ids=lambda value: repr(value) if callable(value) else "")
def test_by_hand(schedule, expected):
    for step, rate in expected.items():
        assert schedule(step) == pytest.approx(rate, rel=1e-13, abs=1e-16), step
    assert isinstance(schedule(3), float)


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in BY_HAND], ids=repr)
def test_arrays_give_what_scalars_give(schedule):
    steps = np.array([[0, 1, 2, 3], [5, 12, 999, 1000]])
    whole = schedule(steps)
    assert whole.shape == steps.shape
    assert whole.dtype == np.float64
    # NumPy's vector loops of exp and cos may differ from its scalar ones in the last bit.
    np.testing.assert_allclose(whole, [[schedule(int(s)) for s in row] for row in steps], rtol=4e-16, atol=1e-16)
    assert schedule(np.int64(3)) == schedule(3)
    assert isinstance(schedule(np.int64(3)), float)
    assert schedule(np.array(3)) == schedule(3)
    assert schedule(np.arange(0)).shape == (0,)


@pytest.mark.parametrize("cls", SCHEDULES.values())
def test_every_schedule_is_a_value(cls):
    total = {"total": 100} if issubclass(cls, Linear) else {}
    schedule = cls(0.5, warmup=3, **total)
    assert schedule == cls(0.5, warmup=3, **total)
    assert schedule != cls(0.25, warmup=3, **total)
    assert hash(schedule) == hash(cls(0.5, warmup=3, **total))
    assert eval(repr(schedule), {cls.__name__: cls}) == schedule
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.learning_rate = 1.0
    # At step 0 every one of them starts from learning_rate, or from its warm-up's share.
    assert schedule(0) == pytest.approx(0.5 / 3)
    assert cls(0.5, **total)(0) == 0.5


@given(
    cls=st.sampled_from(list(SCHEDULES.values())), rate=st.floats(1e-6, 1e3), warmup=st.integers(0, 50),
    total=st.integers(1, 200), first=st.integers(0, 300),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_rates_never_rise_after_the_warmup_nor_leave_their_bounds(cls, rate, warmup, total, first):
    schedule = bind(cls(rate, warmup=warmup), total)
    values = rates(schedule, first, 60)
    assert ((values >= 0) & (values <= rate)).all()
    after = values[max(0, warmup - first) :]
    assert (np.diff(after) <= 1e-15 * rate).all()
    # The same updates in two pieces, as two epochs would ask for them.
    pieces = np.concatenate([rates(schedule, first, 23), rates(schedule, first + 23, 37)])
    np.testing.assert_allclose(pieces, values, rtol=4e-16, atol=1e-16 * rate)


# bind


@pytest.mark.parametrize("cls", [Linear, Cosine])
def test_bind(cls):
    open_ended = cls(0.5, warmup=2, end=0.1)
    bound = bind(open_ended, 40)
    assert bound == cls(0.5, warmup=2, total=40, end=0.1)
    assert open_ended.total is None
    assert bound(40) == pytest.approx(0.05)
    given = cls(0.5, total=7)
    assert bind(given, 40) is given
    assert bind(open_ended, 0).total == 1
    with pytest.raises(ValueError, match=f"total must be given to call {cls.__name__} outside fastsvm.train; got None"):
        open_ended(0)
    with pytest.raises(ValueError, match="total must be given"):
        rates(open_ended, 0, 3)


def test_bind_leaves_everything_else_alone():
    for schedule in (0.1, Constant(0.1), StepDecay(0.1), math.sqrt):
        assert bind(schedule, 40) is schedule


# rates


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in BY_HAND], ids=repr)
def test_rates_of_schedules(schedule):
    values = rates(schedule, 2, 5)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, [schedule(step) for step in range(2, 7)], rtol=4e-16, atol=1e-16)
    assert rates(schedule, 5, 0).shape == (0,)


def test_rates_of_numbers():
    assert rates(0.25, 7, 3).tolist() == [0.25, 0.25, 0.25]
    assert rates(1, 7, 2).tolist() == [1.0, 1.0]
    assert rates(np.float32(0.5), 0, 1).tolist() == [0.5]


@pytest.mark.parametrize("kind", [float, np.float32, np.float64, int])
def test_rates_of_callables(kind):
    seen = []

    def own(step):
        seen.append(step)
        return kind(2 * step)

    values = rates(own, 3, 4)
    assert values.tolist() == [6.0, 8.0, 10.0, 12.0]
    assert values.dtype == np.float64
    assert seen == [3, 4, 5, 6]
    assert all(type(step) is int for step in seen)
    assert rates(functools.partial(own), 0, 1).tolist() == [0.0]


def test_a_rate_of_zero_is_allowed_from_a_callable():
    assert rates(lambda step: 0.0, 0, 2).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (-1e-9, ValueError), (-1, ValueError), (math.nan, ValueError), (math.inf, ValueError), (-math.inf, ValueError),
        (np.float32("nan"), ValueError), (None, TypeError), ("0.1", TypeError), (True, TypeError), (1j, TypeError),
        (np.array([0.1]), TypeError),
    ],
)  # fmt: skip
def test_a_bad_rate_from_a_callable_names_its_step(bad, error):
    with pytest.raises(error, match=r"learning_rate\(13\) must be"):
        rates(lambda step: bad if step == 13 else 0.1, 10, 5)
    assert rates(lambda step: bad if step == 13 else 0.1, 10, 3).tolist() == [0.1, 0.1, 0.1]


def test_a_bad_rate_from_a_subclass_names_its_step():
    class Falling(Constant):
        def _factor(self, t):
            return 2.0 - t

    assert rates(Falling(1.0), 0, 3).tolist() == [2.0, 1.0, 0.0]
    with pytest.raises(ValueError, match=r"learning_rate must be finite and >= 0; .*Falling.* gives -1.0 at step 3"):
        rates(Falling(1.0), 1, 5)


def test_an_error_of_a_callable_is_its_own():
    with pytest.raises(ZeroDivisionError):
        rates(lambda step: 1 / step, 0, 2)


# Bad parameters

BAD_RATES = [
    (0, ValueError), (0.0, ValueError), (-0.1, ValueError), (math.nan, ValueError), (math.inf, ValueError),
    ("0.1", TypeError), (None, TypeError), (True, TypeError), (1j, TypeError), ([0.1], TypeError),
]  # fmt: skip
BAD_WARMUPS = [(-1, ValueError), (1.0, TypeError), (True, TypeError), ("2", TypeError), (None, TypeError)]
BAD_PARAMETERS = [
    *[(StepDecay, "every", value, error) for value, error in [
        (0, ValueError), (-3, ValueError), (2.5, TypeError), (None, TypeError)]],
    *[(StepDecay, "factor", value, error) for value, error in [
        (0.0, ValueError), (1.5, ValueError), (-0.5, ValueError), (math.nan, ValueError), ("0.5", TypeError),
        (True, TypeError)]],
    *[(cls, "rate", value, error) for cls in (Exponential, InverseTime, InverseSquareRoot) for value, error in [
        (-1e-3, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("1", TypeError), (None, TypeError)]],
    *[(cls, "total", value, error) for cls in (Linear, Cosine) for value, error in [
        (0, ValueError), (-1, ValueError), (10.0, TypeError), ("10", TypeError), (True, TypeError)]],
    *[(cls, "end", value, error) for cls in (Linear, Cosine) for value, error in [
        (-0.1, ValueError), (1.1, ValueError), (math.nan, ValueError), ("0", TypeError), (None, TypeError)]],
]  # fmt: skip


@pytest.mark.parametrize("cls", SCHEDULES.values())
def test_bad_rates_and_warmups(cls):
    for value, error in BAD_RATES:
        with pytest.raises(error, match=r"^learning_rate must be"):
            cls(value)
    for value, error in BAD_WARMUPS:
        with pytest.raises(error, match=r"^warmup must be"):
            cls(0.1, warmup=value)


@pytest.mark.parametrize(("cls", "name", "value", "error"), BAD_PARAMETERS)
def test_bad_parameters(cls, name, value, error):
    with pytest.raises(error, match=f"^{name} must be"):
        cls(0.1, **{name: value})
