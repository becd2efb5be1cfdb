"""Choosing hyperparameters, and looking at what was learned."""

from __future__ import annotations

import numpy as np

from fastsvm import plots
from fastsvm.objective import loss_value
from fastsvm.optimizers import Momentum
from fastsvm.schedules import Linear
from fastsvm.tour.context import Clock, Context, nice, uninterrupted
from fastsvm.tour.story import Chapter, Measured, Share, Strategy
from fastsvm.training import TrainResult
from fastsvm.tuning import tune

BATCH = 256

#: Trials in the table: the best ones.
SHOWN = 8


def tuning(context: Context, chapter: Chapter) -> None:
    """Learning rate and alpha by random search with a held-out part, then the best pair on all of the data."""
    plan = context.plan
    rates = nice(context.rate("momentum") / 30), nice(context.rate("momentum") * 30)
    alphas = nice(context.alpha / 100), nice(context.alpha * 100)
    with Clock() as clock:
        found = uninterrupted(
            tune(
                context.X, context.y, learning_rates=rates, alphas=alphas, n_trials=plan.trials, holdout=0.2,
                optimizer=Momentum(Linear(1.0)), epochs=plan.trial_epochs, batch_size=BATCH, seed=context.seed,
                n_classes=context.dataset.n_classes, standardize=context.standardization, **context.options,
            )
        )  # fmt: skip
    best = found.best
    optimizer = Momentum(Linear(best.learning_rate))
    with Clock() as training:
        result = context.train(optimizer=optimizer, alpha=best.alpha, batch_size=BATCH, epochs=plan.trial_epochs)
    data_loss = _data_loss(context, result)
    accuracy = context.accuracy(result)
    context.found["linear"] = result
    context.found["linear_accuracy"] = accuracy
    context.journey.strategies.append(Strategy("tuned", accuracy, data_loss, clock.seconds + training.seconds))
    ranked = sorted(found.trials, key=lambda trial: (trial.diverged, -trial.score if not trial.diverged else 0.0))
    rows = [
        (rank, trial.learning_rate, trial.alpha, Share(trial.score), Measured(trial.loss))
        for rank, trial in enumerate(ranked[:SHOWN], start=1)
    ]
    chapter.values = {
        "samples": len(context.y),
        "trials": len(found.trials),
        "epochs": plan.trial_epochs,
        "low_rate": rates[0],
        "high_rate": rates[1],
        "low_alpha": alphas[0],
        "high_alpha": alphas[1],
        "diverged": sum(trial.diverged for trial in found.trials),
        "shown": len(rows),
        "rate": best.learning_rate,
        "alpha": best.alpha,
        "score": Share(best.score),
        "worst": Share(min(trial.score for trial in found.trials if not trial.diverged)),
        "seconds": clock.seconds,
        "final_epochs": plan.trial_epochs,
        "final_seconds": training.seconds,
        "accuracy": Share(accuracy),
        "loss": data_loss,
        "table": rows,
    }
    chapter.text("intro", "space")
    chapter.figure("tuning", plots.tuning(found))
    chapter.table("trials", ("rank", "learning_rate", "alpha", "validation_accuracy", "loss"), rows, marked=0)
    chapter.text("result", "final")
    chapter.numbers(test_accuracy=Share(accuracy), loss=data_loss, time=clock.seconds)
    chapter.code(
        "from fastsvm.schedules import Linear\nfrom fastsvm.tuning import tune\n\n"
        f"tuning = tune(X, y, learning_rates=({rates[0]:g}, {rates[1]:g}), alphas=({alphas[0]:g}, {alphas[1]:g}),\n"
        f"              n_trials={plan.trials}, holdout=0.2, optimizer=fastsvm.Momentum(Linear(1.0)), "
        f"epochs={plan.trial_epochs}, batch_size={BATCH},\n"
        f'              standardize="mean"{context.seeded})\nbest = tuning.best\n\n'
        "optimizer = fastsvm.Momentum(Linear(best.learning_rate))\n"
        f"result = fastsvm.train(X, y, optimizer=optimizer, alpha=best.alpha, epochs={plan.trial_epochs}, batch_size={BATCH},\n"
        f'                       standardize="mean"{context.seeded})\n'
        "result.evaluate(X_test, y_test)",
        f"fastsvm tune {context.typed} --optimizer momentum --schedule linear --trials {plan.trials} --holdout 0.2 "
        f"--learning-rate {rates[0]:g}:{rates[1]:g} --alpha {alphas[0]:g}:{alphas[1]:g} --epochs {plan.trial_epochs} "
        f"--batch-size {BATCH} --standardize mean{context.seed_option}",
        same=context.same("python", "shell"),
    )


def templates(context: Context, chapter: Chapter) -> None:
    """The weights of each class as a picture, and what is taken for what."""
    result, dataset = context.found["linear"], context.dataset
    predicted = result.predict(context.X_test)
    counts = np.zeros((dataset.n_classes, dataset.n_classes), dtype=np.int64)
    np.add.at(counts, (context.y_test, predicted), 1)
    right = counts.diagonal() / np.maximum(1, counts.sum(axis=1))
    wrong = counts - np.diag(counts.diagonal())
    actual, taken_for = np.unravel_index(int(wrong.argmax()), wrong.shape)
    seen = counts.sum(axis=1) > 0
    best, worst = int(np.where(seen, right, -1).argmax()), int(np.where(seen, right, 2).argmin())
    names = dataset.class_names
    chapter.values = {
        "accuracy": Share(context.found["linear_accuracy"]),
        "test_samples": len(context.y_test),
        "best": names[best],
        "best_share": Share(right[best]),
        "worst": names[worst],
        "worst_share": Share(right[worst]),
        "actual": names[int(actual)],
        "taken_for": names[int(taken_for)],
        "times": int(wrong[actual, taken_for]),
        "confusion": counts,
    }
    pictured = dataset.image_shape is not None and dataset.image_shape[2:] in ((), (1,), (3,))
    if pictured:
        chapter.text("intro")
        chapter.figure("templates", plots.weight_templates(result.W, class_names=names, image_shape=dataset.image_shape))
        chapter.text("templates_text", *(["lecture"] if context.is_lecture_data else []))
    chapter.text("confusion_intro")
    chapter.figure("confusion", plots.confusion_matrix(context.y_test, predicted, class_names=names))
    chapter.text(*(["confusion_text", "limit"] if wrong.any() else ["no_confusion"]))
    chapter.code(
        "from fastsvm import plots\n\n"
        + "plots.weight_templates(result.W, class_names=data.class_names, image_shape=data.image_shape)\n" * pictured
        + "predicted = result.predict(X_test)\n"
        "plots.confusion_matrix(y_test, predicted, class_names=data.class_names)",
        same=context.same("python"),
    )


def _data_loss(context: Context, result: TrainResult) -> float:
    """The loss on the training part without the penalty, to stand beside that of the other strategies."""
    return loss_value(result.W, context.X, context.y, result.b, **context.where)
