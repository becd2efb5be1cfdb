"""Where the journey leads: the same loss, trainer and optimizers on a network of two layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm import plots
from fastsvm.network import TwoLayer
from fastsvm.optimizers import Adam
from fastsvm.schedules import Cosine
from fastsvm.standardization import Standardization
from fastsvm.tour.context import Clock, Context
from fastsvm.tour.story import Chapter, Seconds, Share, Strategy


def network(context: Context, chapter: Chapter) -> None:
    """Train a network of two layers and compare it with the best linear classifier of the tour."""
    plan = context.plan
    mean = context.standardization
    # Its random first weights are made for inputs of about size 1. A scale for each pixel would blow up those that hardly vary.
    pixel = np.full_like(mean.mean, context.radius / np.sqrt(len(mean.mean)))
    settings: dict[str, Any] = {
        "score_function": TwoLayer(plan.hidden), "alpha": plan.network_alpha, "batch_size": plan.network_batch,
        "standardize": Standardization(mean.mean, pixel, "mean+std"),
    }  # fmt: skip
    with Clock() as clock:
        result = context.train(optimizer=Adam(Cosine(plan.network_rate)), epochs=plan.network_epochs, **settings)
    (loss, train_accuracy), accuracy = result.evaluate(context.X, context.y), context.accuracy(result)
    linear = context.found["linear"]
    linear_accuracy = context.found["linear_accuracy"]
    context.journey.strategies.append(Strategy("network", accuracy, loss, clock.seconds))
    n_classes, n_features = context.shape
    chapter.values = {
        "hidden": plan.hidden,
        "features": n_features,
        "classes": n_classes,
        "weights": plan.hidden * (n_features + 1) + n_classes * (plan.hidden + 1),
        "linear_weights": n_classes * (n_features + 1),
        "epochs": plan.network_epochs,
        "batch": plan.network_batch,
        "rate": plan.network_rate,
        "alpha": plan.network_alpha,
        "seconds": clock.seconds,
        "per_epoch": Seconds(clock.seconds / plan.network_epochs),
        "loss": loss,
        "train_accuracy": Share(train_accuracy),
        "accuracy": Share(accuracy),
        "linear_accuracy": Share(linear_accuracy),
        "linear_train": Share(linear.evaluate(context.X, context.y)[1]),
        "gain": 100 * (accuracy - linear_accuracy),
    }
    chapter.text("intro")
    chapter.formula("network")
    chapter.text("same")
    curves = {context.label("linear"): linear.history["accuracy"], context.label("network"): result.history["accuracy"]}
    chapter.figure("curves", plots.loss_curves(curves, column="accuracy"))
    chapter.numbers(network_accuracy=Share(accuracy), linear_accuracy=Share(linear_accuracy), time=clock.seconds)
    chapter.text("better" if accuracy > linear_accuracy else "not_better", "more", "convex")
    chapter.code(
        "from fastsvm.network import TwoLayer\nfrom fastsvm.schedules import Cosine\n\n"
        f'scaled = fastsvm.Standardization(mean.mean, numpy.full_like(mean.mean, {pixel[0]:.17g}), "mean+std")\n'
        f"optimizer = fastsvm.Adam(Cosine({plan.network_rate:g}))\n"
        f"result = fastsvm.train(X, y, score_function=TwoLayer({plan.hidden}), optimizer=optimizer,\n"
        f"                       standardize=scaled, alpha={plan.network_alpha:g}, batch_size={plan.network_batch}, "
        f"epochs={plan.network_epochs}{context.seeded})\n"
        "result.evaluate(X_test, y_test)",
        "# Here each pixel gets a scale of its own.\n"
        f"fastsvm train {context.typed} --hidden {plan.hidden} --optimizer adam --learning-rate {plan.network_rate:g} "
        f"--alpha {plan.network_alpha:g} --batch-size {plan.network_batch} --epochs {plan.network_epochs}"
        f"{context.seed_option}",
        same=context.same("python"),
    )
