"""Minibatches: what a batch's gradient is worth, and what the size of the batch does to training."""

from __future__ import annotations

import numpy as np

from fastsvm import effects, plots
from fastsvm.objective import loss_and_gradient
from fastsvm.optimizers import SGD
from fastsvm.schedules import Linear
from fastsvm.tour.context import Clock, Context, fastest, wide_range
from fastsvm.tour.story import Chapter, Measured, Seconds, Share, Strategy

#: The lecture's usual size.
BATCH = 256

#: The lecture's extreme case: every image so many times.
COPIES, UNIQUE = 12, 1000


def minibatch(context: Context, chapter: Chapter) -> None:
    """The gradient of a batch beside that of all the data, and the same data twelve times."""
    n = len(context.y)
    W = context.weights("batch", 10 * context.scale)
    sizes = [size for size in (1, 4, 16, 64, 256, 1024, 4096) if size < n]
    study = effects.batch_gradients(W, context.X, context.y, sizes, context.plan.draws, context.rng("batches"), **context.where)
    X, y = context.subset("unique", min(UNIQUE, context.plan.study_samples))
    copies = effects.duplicated(W, X, y, COPIES, **context.where)
    place = int(np.abs(study.batch_sizes - BATCH).argmin())
    batch = int(study.batch_sizes[place])
    few = np.ascontiguousarray(context.X[:batch]), context.y[:batch]
    of_batch = fastest(lambda: loss_and_gradient(W, *few, **context.where), 10)
    of_all = fastest(lambda: loss_and_gradient(W, context.X, context.y, **context.where))
    angles = np.median(study.angle, axis=1)
    chapter.values = {
        "samples": n,
        "draws": context.plan.draws,
        "batch": batch,
        "batch_angle": float(angles[place]),
        "batch_share": Share(batch / n),
        "batch_seconds": of_batch,
        "full_seconds": of_all,
        "cheaper": of_all / of_batch,
        "one_angle": float(angles[0]),
        "largest": int(study.batch_sizes[-1]),
        "largest_angle": float(angles[-1]),
        "copies": COPIES,
        "unique": len(y),
        "repeated": len(y) * COPIES,
        "difference": copies.difference,
        "loss_difference": copies.loss_difference,
        "batch_sizes": study.batch_sizes,
        "angles": angles,
    }
    chapter.text("intro")
    chapter.formula("minibatch")
    chapter.text("study")
    chapter.figure("angle", plots.batch_gradients(study))
    chapter.figure("norm", plots.batch_gradients(study, quantity="norm"))
    chapter.text("worth", "cheaper" if of_all > 2 * of_batch else "not_cheaper", "duplicates")
    chapter.code(
        "from fastsvm import effects, plots\n\n"
        f"W = rng.normal(scale={10 * context.scale:g}, size=W.shape)\n"
        f"study = effects.batch_gradients(W, X, y, {sizes}, draws={context.plan.draws}, standardization=mean)\n"
        "plots.batch_gradients(study)\n"
        f"effects.duplicated(W, X[:{len(y)}], y[:{len(y)}], copies={COPIES}, standardization=mean).difference"
    )


def sgd(context: Context, chapter: Chapter) -> None:
    """The same number of samples in batches of different sizes, and minibatch descent in earnest."""
    plan = context.plan
    X, y = context.subset("sizes", plan.study_samples)
    # One rate for all sizes: small enough for batches of one sample, which the gradient of one sample shakes.
    rate, epochs = context.rate("sgd") / 10, max(2, plan.study_epochs // 2)
    common = {"alpha": 0.0, "n_classes": context.dataset.n_classes, "seed": context.seed, **context.options}
    sizes = [*(size for size in (1, 16, 64, 256, 1024) if size < len(y)), "full"]
    study = effects.batch_sizes(X, y, sizes, optimizer=SGD(rate), epochs=epochs, standardize=context.standardization, **common)
    words = [context.label("full") if size == len(y) else f"{size:,}" for size in study.batch_sizes]
    rows = [
        (words[k], int(study.updates[k, -1]), Seconds(study.seconds[k, -1]), Measured(study.losses[k, -1]),
         Share(study.accuracies[k, -1]))
        for k in range(len(words))
    ]  # fmt: skip
    with Clock() as clock:
        result = context.train(optimizer=SGD(Linear(context.rate("sgd"))), batch_size=BATCH, epochs=plan.epochs)
    loss, accuracy = result.evaluate(context.X, context.y)[0], context.accuracy(result)
    context.journey.strategies.append(Strategy("minibatch", accuracy, loss, clock.seconds))
    descent = context.found["descent"]
    best, quickest = int(np.nanargmin(study.losses[:, -1])), int(study.seconds[:, -1].argmin())
    chapter.values = {
        "study_samples": len(y),
        "study_epochs": epochs,
        "study_rate": rate,
        "best_size": words[best],
        "best_size_loss": float(study.losses[best, -1]),
        "full_loss": float(study.losses[-1, -1]),
        "one_seconds": Seconds(study.seconds[0, -1]),
        "quickest": words[quickest],
        "quickest_seconds": Seconds(study.seconds[quickest, -1]),
        "batch": min(BATCH, len(context.y)),
        "epochs": plan.epochs,
        "rate": context.rate("sgd"),
        "updates": result.history[-1].updates,
        "seconds": clock.seconds,
        "loss": loss,
        "accuracy": Share(accuracy),
        "full_updates": descent["updates"],
        "full_accuracy": descent["fixed_accuracy"],
        "full_seconds": descent["fixed_seconds"],
        "table": rows,
    }
    context.found["sgd"] = chapter.values
    curves = {
        words[k]: (study.samples / len(y), study.losses[k]) for k in range(len(words)) if np.isfinite(study.losses[k]).all()
    }
    chapter.text("intro", "extreme")
    log = "y" if wide_range(*(losses for _, losses in curves.values())) else ""
    chapter.figure("epochs", context.curves(curves, "epoch", "loss", log))
    chapter.table("sizes", ("batch_size", "updates", "time", "loss", "accuracy"), rows, left=("batch_size",), marked=best)
    measurably = study.seconds[0, -1] > 2 * study.seconds[quickest, -1]
    chapter.text("size", *(["size_time"] if measurably else []), "size_usual", "earnest")
    chapter.numbers(test_accuracy=chapter.values["accuracy"], loss=loss, time=clock.seconds)
    chapter.figure("losses", plots.loss_curves(result, log=wide_range(result.history["loss"])))
    chapter.text("result")
    chapter.code(
        "from fastsvm.schedules import Linear\n\n"
        f"optimizer = fastsvm.SGD(Linear({context.rate('sgd'):g}))\n"
        f"result = fastsvm.train(X, y, optimizer=optimizer, batch_size={BATCH}, epochs={plan.epochs},\n"
        f'                       alpha=0, standardize="mean"{context.seeded})\n'
        "result.evaluate(X_test, y_test)",
        f"fastsvm train {context.typed} --optimizer sgd --learning-rate {context.rate('sgd'):g} --schedule linear "
        f"--batch-size {BATCH} --epochs {plan.epochs} --alpha 0 --standardize mean{context.seed_option}",
        same=context.same("python", "shell"),
    )
