"""Every update rule of every backend against its formula, written here once more."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import fastsvm
from fastsvm import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp, backends
from fastsvm.backends import reference
from fastsvm.optimizers import OPTIMIZERS, Optimizer, SGDState, as_optimizer, slots
from tables import LOSSES, make_problem, run_epoch


class Rule(NamedTuple):
    """An optimizer and its formula: a function of (x, g, memory, η, t) that returns the new x; memory is a dict of arrays."""

    optimizer: Optimizer
    formula: Callable


def sgd(x, g, memory, rate, t):
    return x - rate * g


def momentum(x, g, memory, rate, t):
    memory["velocity"] = 0.8 * memory["velocity"] + g
    return x - rate * memory["velocity"]


def nesterov(x, g, memory, rate, t):
    # Classical form: θ is where the velocity starts from, x = θ + ρ v the point looked ahead to.
    theta = x - 0.8 * memory["velocity"]
    memory["velocity"] = 0.8 * memory["velocity"] - rate * g
    return theta + memory["velocity"] + 0.8 * memory["velocity"]


def adagrad(x, g, memory, rate, t):
    memory["squares"] = memory["squares"] + g**2
    return x - rate * g / (memory["squares"] ** 0.5 + 1e-7)


def rmsprop(x, g, memory, rate, t):
    memory["squares"] = 0.95 * memory["squares"] + 0.05 * g**2
    return x - rate * g / (memory["squares"] ** 0.5 + 1e-7)


def adam(x, g, memory, rate, t, weight_decay=0.0):
    memory["first"] = 0.85 * memory["first"] + 0.15 * g
    memory["second"] = 0.99 * memory["second"] + 0.01 * g**2
    first, second = memory["first"] / (1 - 0.85**t), memory["second"] / (1 - 0.99**t)
    return x - rate * first / (second**0.5 + 1e-8) - rate * weight_decay * x


def adamw(x, g, memory, rate, t):
    return adam(x, g, memory, rate, t, weight_decay=0.1)


RULES = [
    Rule(SGD(0.02), sgd),
    Rule(Momentum(0.02, momentum=0.8), momentum),
    Rule(Nesterov(0.02, momentum=0.8), nesterov),
    Rule(AdaGrad(0.1), adagrad),
    Rule(RMSProp(0.02, decay=0.95), rmsprop),
    Rule(Adam(0.02, beta1=0.85, beta2=0.99), adam),
    Rule(AdamW(0.02, beta1=0.85, beta2=0.99, weight_decay=0.1), adamw),
]
rules = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule.optimizer).__name__)
optimizers = pytest.mark.parametrize("opt", [rule.optimizer for rule in RULES], ids=lambda opt: type(opt).__name__)
names = pytest.mark.parametrize("name", backends.NAMES)


def start(shape, seed=0):
    """Parameters, and a function that returns the gradient at them: of a bowl, with noise."""
    rng = np.random.default_rng(seed)
    x, centre, noise = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=(7, *shape))
    return np.array(x), lambda x, t: np.array(x - centre + noise[t % 7])


def test_the_table_is_complete():
    assert {type(rule.optimizer) for rule in RULES} == set(OPTIMIZERS.values())


class TestStep:
    @rules
    @names
    @pytest.mark.parametrize(
        ("shape", "steps"), [((), 200), ((1,), 200), ((3, 5), 200), ((2, 3, 7), 200), ((100_003,), 12)], ids=str
    )
    def test_trajectory(self, name, rule, shape, steps):
        x, gradient = start(shape)
        expected, memory = x.copy(), {}
        state = rule.optimizer.init(x)
        for field in state._fields[1:]:
            memory[field] = np.zeros(shape)
        for t in range(steps):
            dx = gradient(x, t)
            rule.optimizer.step(x, dx, state, backend=name, n_threads=2)
            expected = rule.formula(expected, gradient(expected, t), memory, rule.optimizer.learning_rate, t + 1)
        np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-13)
        for field, array in memory.items():
            np.testing.assert_allclose(getattr(state, field), array, rtol=1e-10, atol=1e-13)
        assert state.step == steps
        assert x.shape == state[-1].shape or type(state) is SGDState

    @optimizers
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_compiled_rounds_as_numpy_does(self, compiled, opt, dtype):
        rng = np.random.default_rng(3)
        for size in (1, 17, 70_001):
            x0, dx, first, second = (rng.normal(size=(4, size)) * 10.0 ** rng.integers(-3, 4, (4, size))).astype(dtype)
            state = type(opt.init(x0))(np.int64(4), *[first, np.abs(second)][: len(opt.init(x0)) - 1])
            if len(state) == 2 and hasattr(state, "squares"):
                state = state._replace(squares=np.abs(first))
            row = opt.coefficients(4, 1)[0]
            results = []
            for backend in (reference, compiled):
                x, arrays = x0.copy(), tuple(a.copy() for a in slots(state))
                backend.step(opt.rule, row, x, dx, arrays, 1)
                results.append((x, *arrays))
            for expected, actual in zip(*results, strict=True):
                assert actual.dtype == dtype
                assert np.array_equal(actual, expected)

    @optimizers
    @names
    def test_the_gradient_is_not_changed_and_may_be_read_only(self, name, opt):
        x, dx = np.ones((4, 3)), np.full((4, 3), 0.5)
        dx.flags.writeable = False
        opt.step(x, dx, opt.init(x), backend=name)
        assert (dx == 0.5).all()
        assert (x != 1.0).all()

    @names
    def test_schedule_counts_from_the_state(self, name):
        # Rates 1, ½, ⅓ … with a gradient of 1: x falls by their sum.
        opt, x = SGD(lambda step: 1 / (step + 1)), np.zeros(2)
        state = opt.init(x)
        for _ in range(4):
            opt.step(x, np.ones(2), state, backend=name)
        np.testing.assert_allclose(x, -(1 + 1 / 2 + 1 / 3 + 1 / 4), rtol=1e-15)

    @names
    def test_first_steps_by_hand(self, name):
        # x = 1, g = 2, η = 0.1, from the zero state, twice.
        after = {
            SGD(0.1): (0.8, 0.6),
            Momentum(0.1, momentum=0.5): (0.8, 0.5),  # v = 2, then 3
            Nesterov(0.1, momentum=0.5): (0.7, 0.35),  # v = −0.2, −0.3; x + 1.5 v − 0.5 u
            AdaGrad(0.1, eps=1.0): (1 - 0.2 / 3, 1 - 0.2 / 3 - 0.2 / (8**0.5 + 1)),  # c = 4, then 8
            RMSProp(0.1, decay=0.75, eps=1.0): (0.9, 0.9 - 0.2 / (1.75**0.5 + 1)),  # c = 1, then 1.75
            Adam(0.1, eps=2.0): (0.95, 0.9),  # m̂ = 2, v̂ = 4, both times
            AdamW(0.1, eps=2.0, weight_decay=1.0): (0.85, 0.715),  # x − 0.05 − 0.1 x
        }
        for opt, expected in after.items():
            x = np.array([1.0])
            state = opt.init(x)
            for number in expected:
                opt.step(x, np.array([2.0]), state, backend=name)
                assert x[0] == pytest.approx(number, rel=1e-12), opt


class TestIdentities:
    def trajectory(self, opt, name, steps=60):
        x, gradient = start((50,))
        state = opt.init(x)
        for t in range(steps):
            opt.step(x, gradient(x, t), state, backend=name)
        return x

    @names
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (Momentum(0.1, momentum=0.0), SGD(0.1)),
            (Nesterov(0.1, momentum=0.0), SGD(0.1)),
            (AdamW(0.1, weight_decay=0.0), Adam(0.1)),
            # Without eps, RMSProp is Adam without a first moment and without bias correction, which a rate can undo.
            (RMSProp(lambda t: 0.01 * (1 - 0.9 ** (t + 1)) ** 0.5, decay=0.9, eps=1e-300), Adam(0.01, 0.0, 0.9, 1e-300)),
        ],
        ids=["momentum-sgd", "nesterov-sgd", "adamw-adam", "rmsprop-adam"],
    )
    def test_two_rules_agree(self, name, one, other):
        np.testing.assert_allclose(self.trajectory(one, name), self.trajectory(other, name), rtol=1e-12)

    @names
    def test_a_constant_gradient_through_momentum(self, name):
        # v tends to g / (1 − ρ): after t steps it is g (1 − ρᵗ) / (1 − ρ).
        opt, x = Momentum(0.1, momentum=0.9), np.zeros(1)
        state = opt.init(x)
        for _ in range(30):
            opt.step(x, np.array([2.0]), state, backend=name)
        assert state.velocity[0] == pytest.approx(2 * (1 - 0.9**30) / 0.1, rel=1e-12)


class TestState:
    @optimizers
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_init_is_zero_and_like_the_parameters(self, opt, dtype):
        state = opt.init(np.ones((2, 3), dtype))
        assert type(state) is opt.state_type
        assert state.step.dtype == np.int64
        assert state.step.shape == ()
        for array in slots(state):
            assert array.shape == (2, 3)
            assert array.dtype == dtype
        assert not any(array.any() for array in state)

    @optimizers
    @names
    @pytest.mark.parametrize("how", ["deepcopy", "savez"])
    def test_a_copy_continues_where_the_original_was(self, name, opt, how, tmp_path):
        x, gradient = start((6, 5))
        state = opt.init(x)
        for t in range(5):
            opt.step(x, gradient(x, t), state, backend=name)
        if how == "deepcopy":
            y, twin = copy.deepcopy((x, state))
        else:
            np.savez(tmp_path / "state.npz", x=x, **state._asdict())
            with np.load(tmp_path / "state.npz") as saved:
                y, twin = saved["x"], type(state)(**{field: saved[field] for field in state._fields})
        for t in range(5, 9):
            opt.step(x, gradient(x, t), state, backend=name)
        assert twin.step == 5
        for t in range(5, 9):
            opt.step(y, gradient(y, t), twin, backend=name)
        for one, other in zip((x, *state), (y, *twin), strict=True):
            assert np.array_equal(one, other)

    def test_optimizers_compare_and_show_by_their_numbers(self):
        assert Adam(0.1) == Adam(0.1, beta1=0.9)
        assert Adam(0.1) != AdamW(0.1)
        assert repr(Momentum(0.1)) == "Momentum(learning_rate=0.1, momentum=0.9)"
        assert as_optimizer("adam") == Adam()
        assert as_optimizer(SGD(0.3)) == SGD(0.3)


class TestEpoch:
    @optimizers
    @pytest.mark.parametrize("loss", LOSSES, ids=repr)
    def test_two_hundred_updates_against_the_reference(self, compiled, opt, loss):
        W, b, problem = make_problem((61, 9, 5), ("float64", "float64"), True, loss)
        order = np.random.default_rng(2).integers(0, 61, 200 * 8)
        actual = run_epoch(compiled, W, b, problem, opt, 8, order=order)
        expected = run_epoch(reference, W, b, problem, opt, 8, order=order)
        assert len(expected[-3]) == 200
        assert actual[-2:] == expected[-2:]
        for one, other in zip(actual[:-2], expected[:-2], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10 * np.abs(other).max())

    @rules
    @names
    def test_is_gradients_and_steps_one_after_the_other(self, name, rule):
        # The same by hand: gradients of batches from the reference, updates by the formulas above.
        W, b, problem = make_problem((61, 9, 5), ("float64", "float64"), False, LOSSES[-1], False)
        actual = run_epoch(backends.get(name), W, b, problem, rule.optimizer, 10, order=np.arange(61))
        memories = [{field: np.zeros_like(p) for field in rule.optimizer.state_type._fields[1:]} for p in (W, b)]
        losses = []
        for t, rows in enumerate(np.split(np.arange(61), range(10, 61, 10)), start=1):
            value, dW, db = fastsvm.loss_and_gradient(
                W, problem.samples.X[rows], problem.y[rows], b, problem.loss, alpha=0.0, backend="reference"
            )
            losses.append(value + 0.15 * (W**2).sum() + 0.1 * (b**2).sum())
            W = rule.formula(W, dW + 0.3 * W, memories[0], rule.optimizer.learning_rate, t)
            formula_b = adam if rule.formula is adamw else rule.formula  # weight decay does not reach b
            b = formula_b(b, db + 0.2 * b, memories[1], rule.optimizer.learning_rate, t)
        np.testing.assert_allclose(actual[0], W, rtol=1e-10)
        np.testing.assert_allclose(actual[1], b, rtol=1e-10)
        np.testing.assert_allclose(actual[-3], losses, rtol=1e-10)
