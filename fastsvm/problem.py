"""What a backend is given: references to validated arrays, never copies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastsvm.losses import Loss


class Samples(NamedTuple):
    """Samples as stored. Where ``mean`` is given the kernels see ``x = (X − mean) · inverse_scale``.

    ``X`` (n_samples, n_features) float64, float32 or uint8, C-contiguous; ``mean`` and ``inverse_scale``
    (n_features,) in the dtype of the weights, both or neither.
    """

    X: np.ndarray
    mean: np.ndarray | None = None
    inverse_scale: np.ndarray | None = None


class Problem(NamedTuple):
    """A training problem: ``(1/n) Σᵢ ωᵢ ℓ(scoresᵢ, yᵢ) + alpha ½‖W‖² + alpha_intercept ½‖b‖²``.

    ``y`` (n_samples,) int64; ``sample_weight`` (n_samples,) float64 with mean 1, or ``None``.
    """

    samples: Samples
    y: np.ndarray
    sample_weight: np.ndarray | None
    loss: Loss
    alpha: float = 0.0
    alpha_intercept: float = 0.0


def penalty(W: np.ndarray, b: np.ndarray | None, problem: Problem) -> float:
    """``alpha ½‖W‖² + alpha_intercept ½‖b‖²``, summed in float64."""
    value = 0.0
    with np.errstate(over="ignore"):  # a loss that is not finite is reported as an error
        for alpha, parameters in ((problem.alpha, W), (problem.alpha_intercept, b)):
            if alpha > 0 and parameters is not None:
                value += 0.5 * alpha * float(np.sum(np.square(parameters, dtype=np.float64)))
    return value
