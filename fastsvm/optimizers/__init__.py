"""First-order update rules: frozen hyperparameters, a visible state, and one fused in-place step.

Symbols: ``x`` the parameters, ``g`` their gradient, ``η`` the learning rate, ``t`` the update count from 1. The formulas
are those of the CS231n lectures ("Training Neural Networks II"), each repeated in its class. Each backend
holds one leaf per rule, of the same name.

    opt = Adam(learning_rate=1e-3)
    state = opt.init(W)          # NamedTuple of arrays; copy.deepcopy copies it, numpy.savez(**state._asdict()) saves it
    opt.step(W, dW, state)       # W and state change in place
"""

from __future__ import annotations

from fastsvm.optimizers.base import (
    ROWS_AT_ONCE,
    MomentsState,
    Optimizer,
    SGDState,
    SquaresState,
    State,
    VelocityState,
    slots,
)
from fastsvm.optimizers.rules import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp, SteepestDescent
from fastsvm.validation import plain_name

__all__ = [
    "FULL_BATCH",
    "OPTIMIZERS",
    "ROWS_AT_ONCE",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "MomentsState",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSProp",
    "SGDState",
    "SquaresState",
    "State",
    "SteepestDescent",
    "VelocityState",
    "as_optimizer",
    "slots",
]

#: Names by which the command line and :func:`fastsvm.train` know the optimizers.
OPTIMIZERS: dict[str, type[Optimizer]] = {cls.rule: cls for cls in (SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamW)}

#: Those that need all samples for an update and have no rule in the backends.
FULL_BATCH: dict[str, type[Optimizer]] = {SteepestDescent.rule: SteepestDescent}


def as_optimizer(optimizer: Optimizer | str) -> Optimizer:
    """Return ``optimizer`` itself, or the default object of the rule so named.

    Raises
    ------
    TypeError, ValueError
        If it is neither an optimizer nor the name of one.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    known = OPTIMIZERS | FULL_BATCH
    if isinstance(optimizer, str) and plain_name(optimizer) in known:
        return known[plain_name(optimizer)]()
    kind = ValueError if isinstance(optimizer, str) else TypeError
    raise kind(f"optimizer must be an Optimizer or one of {', '.join(map(repr, known))}; got {optimizer!r}")
