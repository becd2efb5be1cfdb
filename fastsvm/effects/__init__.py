"""What learning rate, its decay, and the batch size do to a training, and what a batch's gradient is worth.

    learning_rates(X, y, [1e-6, 1e-3, 1.0])         # loss curves, and a verdict on each rate
    decay_study(X, y, optimizer=Momentum(1e-2))     # train, look at the curve, train again with decay where it is flat
    batch_gradients(W, X, y)                        # minibatch gradient against the full one: angle and length
    batch_sizes(X, y, [16, 256, "full"])            # loss against updates and against samples seen
    duplicated(W, X, y, copies=12)                  # copies of the same samples tell nothing new

Trainings that are compared begin with the same weights and see the same batches. Arrays come back, which :mod:`fastsvm.plots`
draws.
"""

from __future__ import annotations

from fastsvm.effects.batches import BatchStudy, Duplicates, batch_gradients, duplicated
from fastsvm.effects.decay import DecayAt, DecayStudy, decay_from_curve, decay_schedule, decay_study
from fastsvm.effects.rates import RateStudy, judge, learning_rates
from fastsvm.effects.sizes import BatchSizeStudy, batch_sizes

__all__ = [
    "BatchSizeStudy",
    "BatchStudy",
    "DecayAt",
    "DecayStudy",
    "Duplicates",
    "RateStudy",
    "batch_gradients",
    "batch_sizes",
    "decay_from_curve",
    "decay_schedule",
    "decay_study",
    "duplicated",
    "judge",
    "learning_rates",
]
