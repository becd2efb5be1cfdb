"""Losses and update rules as a user would write them: some built-in ones once more, and a few of their own."""

from __future__ import annotations

import numpy as np


def own_weston_watkins(scores, y, dscores, delta):
    """Weston-Watkins once more."""
    value = scores[y] - scores[y]
    for j in range(len(scores)):
        margin = scores[j] - scores[y] + delta
        dscores[j] = 1 if j != y and margin > 0 else 0
        if j != y and margin > 0:
            value += margin
    dscores[y] = -dscores.sum() + dscores[y]
    return value


def own_crammer_singer(scores, y, dscores, delta):
    """Crammer-Singer once more."""
    largest = -1
    for j in range(len(scores)):
        dscores[j] = 0
        if j != y and (largest < 0 or scores[j] > scores[largest]):
            largest = j
    margin = scores[largest] - scores[y] + delta
    if margin <= 0:
        return scores[y] - scores[y]
    dscores[largest], dscores[y] = 1, -1
    return margin


def smooth_hinge(scores, y, dscores, delta, width):
    """``Σ_{j≠y} h(s_j − s_y + Δ)``, h a hinge with a parabola of that width around its kink."""
    value = scores[y] - scores[y]
    total = value
    for j in range(len(scores)):
        margin = scores[j] - scores[y] + delta
        if j == y or margin <= 0:
            dscores[j] = 0
        elif margin < width:
            dscores[j] = margin / width
            value += margin * margin / (2 * width)
        else:
            dscores[j] = 1
            value += margin - width / 2
        total += dscores[j]
    dscores[y] = -total
    return value


def own_sgd(x, g, learning_rate, step):
    return x - learning_rate * g


def own_momentum(x, g, v, learning_rate, step, momentum):
    v = momentum * v + g
    return x - learning_rate * v, v


def own_adamw(x, g, m, v, learning_rate, step, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    direction = m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps)
    return x - learning_rate * (direction + weight_decay * x), m, v


def amsgrad(x, g, m, v, largest, learning_rate, step, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    largest = max(largest, v)
    return x - learning_rate * m / (np.sqrt(largest) + eps), m, v, largest
