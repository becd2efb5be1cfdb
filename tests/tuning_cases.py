"""What the tests of the search for learning rate and alpha share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training_cases import blobs

X, Y = blobs(n=90, dtype=np.uint8)
X_VAL, Y_VAL = blobs(n=50, dtype=np.uint8, seed=6)
QUICK = {"epochs": 3, "batch_size": 16}


def untimed(tuning):
    return [replace(trial, seconds=0.0) for trial in tuning.trials]
