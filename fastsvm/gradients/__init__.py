"""Is a gradient right? Finite differences of any function, and checks that know kinks."""

from __future__ import annotations

from fastsvm.gradients.numerical import GradientCheck, check_gradient, numerical_gradient
from fastsvm.gradients.objective import WRT, check_objective_gradient
from fastsvm.gradients.structure import numerical_objective_gradient

__all__ = [
    "WRT",
    "GradientCheck",
    "check_gradient",
    "check_objective_gradient",
    "numerical_gradient",
    "numerical_objective_gradient",
]
