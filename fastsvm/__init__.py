"""fastsvm: linear multiclass SVMs trained at the speed of the machine's memory."""

from __future__ import annotations

from fastsvm.backends import set_backend
from fastsvm.exceptions import DataFormatError, DivergenceError
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins
from fastsvm.objective import (
    data_gradient,
    decision_scores,
    evaluate,
    loss_and_gradient,
    loss_value,
    score_loss_and_gradient,
)
from fastsvm.optimizers import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from fastsvm.standardization import Standardization, fit_standardization
