"""Optimizers refuse what does not fit, and change nothing when they do."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastsvm import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from fastsvm.optimizers import OPTIMIZERS, MomentsState, SquaresState, VelocityState, as_optimizer


class TestErrors:
    def attempt(self, error, match, *, opt=None, x=None, dx=None, state=None):
        """A call that must raise and change nothing."""
        opt = Adam() if opt is None else opt
        x = np.ones((3, 4)) if x is None else x
        dx = np.ones((3, 4)) if dx is None else dx
        state = opt.init(np.ones((3, 4))) if state is None else state
        before = copy.deepcopy((x, dx, state))
        with pytest.raises(error, match=match):
            opt.step(x, dx, state, backend="reference")
        for one, other in zip((x, dx, *state), (*before[:2], *before[2]), strict=True):
            assert np.array_equal(one, other)

    @pytest.mark.parametrize(
        ("opt", "state"),
        [
            (Adam(), Momentum().init(np.ones((3, 4)))),
            (SGD(), Adam().init(np.ones((3, 4)))),
            (Momentum(), AdaGrad().init(np.ones((3, 4)))),
            (Adam(), (np.zeros((), np.int64), np.zeros((3, 4)), np.zeros((3, 4)))),
        ],
        ids=["adam-momentum", "sgd-adam", "momentum-adagrad", "adam-tuple"],
    )
    def test_state_of_another_rule(self, opt, state):
        self.attempt(TypeError, f"state must be the {opt.state_type.__name__} that init returns; got {type(state).__name__}",
                     opt=opt, state=state)  # fmt: skip

    def test_state_of_other_parameters(self):
        self.attempt(ValueError, r"state.first must have shape \(3, 4\); got \(4, 3\)", state=Adam().init(np.ones((4, 3))))
        self.attempt(TypeError, "state.first must have dtype float64", state=Adam().init(np.ones((3, 4), np.float32)))
        first, second = np.zeros((3, 4)), np.zeros((4, 3))
        self.attempt(ValueError, r"state.second must have shape", state=MomentsState(np.zeros((), np.int64), first, second))
        self.attempt(ValueError, "state.step must be >= 0", state=MomentsState(np.array(-1), first, first.copy()))
        self.attempt(TypeError, "state.step must have dtype int64", state=MomentsState(np.zeros(()), first, first.copy()))

    @pytest.mark.parametrize("cls", [VelocityState, SquaresState])
    def test_read_only_state(self, cls):
        opt = Momentum() if cls is VelocityState else AdaGrad()
        state = opt.init(np.ones((3, 4)))
        state[1].flags.writeable = False
        self.attempt(ValueError, f"state.{cls._fields[1]} is changed in place and must be writeable", opt=opt, state=state)

    def test_gradient(self):
        self.attempt(ValueError, r"dx must have shape \(3, 4\); got \(4, 3\)", dx=np.ones((4, 3)))
        self.attempt(ValueError, r"dx must have shape \(3, 4\); got \(12,\)", dx=np.ones(12))
        self.attempt(TypeError, "dx must have dtype float64", dx=np.ones((3, 4), np.float32))
        self.attempt(TypeError, "dx must be a NumPy array; got list", dx=[[1.0] * 4] * 3)
        self.attempt(ValueError, "dx must be C-contiguous", dx=np.ones((4, 3)).T)

    def test_parameters(self):
        read_only = np.ones((3, 4))
        read_only.flags.writeable = False
        self.attempt(ValueError, "x is changed in place and must be writeable", x=read_only)
        self.attempt(ValueError, "x must be C-contiguous", x=np.ones((4, 3)).T)
        self.attempt(ValueError, "x must be C-contiguous", x=np.ones((3, 8))[:, ::2])
        self.attempt(TypeError, "x must have dtype float64 or float32", x=np.ones((3, 4), np.int64))
        self.attempt(TypeError, "x must have dtype float64 or float32", x=np.ones((3, 4), ">f8"))
        with pytest.raises(TypeError, match="x must have dtype float64 or float32"):
            Adam().init(np.ones(3, np.float16))

    @pytest.mark.parametrize("cls", OPTIMIZERS.values(), ids=str)
    @pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
    def test_learning_rate(self, cls, rate):
        with pytest.raises(ValueError, match="learning_rate must be finite and > 0"):
            cls(rate)

    @pytest.mark.parametrize(
        ("make", "match"),
        [
            (lambda: SGD("fast"), "learning_rate must be a real number"),
            (lambda: SGD(True), "learning_rate must be a real number"),
            (lambda: Momentum(momentum=1.0), "momentum must be finite and >= 0 and < 1"),
            (lambda: Nesterov(momentum=-0.1), "momentum must be finite and >= 0 and < 1"),
            (lambda: RMSProp(decay=1.0), "decay must be finite and >= 0 and < 1"),
            (lambda: Adam(beta1=1.0), "beta1 must be finite and >= 0 and < 1"),
            (lambda: Adam(beta2=1.5), "beta2 must be finite and >= 0 and < 1"),
            (lambda: AdaGrad(eps=0.0), "eps must be finite and > 0"),
            (lambda: AdamW(weight_decay=-1.0), "weight_decay must be finite and >= 0"),
            (lambda: as_optimizer("lbfgs"), "optimizer must be an Optimizer or one of"),
            (lambda: as_optimizer(0.1), "optimizer must be an Optimizer or one of"),
            (lambda: Adam(lambda step: -1.0).step(np.ones(2), np.ones(2), Adam().init(np.ones(2))), "learning_rate"),
        ],
    )
    def test_hyperparameters(self, make, match):
        with pytest.raises((TypeError, ValueError), match=match):
            make()
