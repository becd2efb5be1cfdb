"""The learning rate and its decay, and the update rules: on surfaces one can see, and on the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm import effects, plots, trajectories
from fastsvm.optimizers import OPTIMIZERS, Momentum
from fastsvm.schedules import Linear
from fastsvm.tour.context import Clock, Context, nice, wide_range
from fastsvm.tour.story import Chapter, Measured, Share, Strategy, Word

#: Rates of the study, in units of one that suits the data.
RATES = (0.003, 0.05, 1.0, 100.0, 10_000.0)

#: Surfaces on which the rules are contrasted.
SURFACES = ("bowl", "saddle", "plateau", "wiggle")

BATCH = 256

#: Points of a path, or a few more; and the updates that a path needs to leave a straight line.
PATH_POINTS, SHORTEST_PATH = 40, 8


def rates(context: Context, chapter: Chapter) -> None:
    """Rates too low, good and too high, and decay chosen by looking at the curve."""
    plan = context.plan
    X, y = context.subset("rates", plan.study_samples)
    common: dict[str, Any] = {
        "n_classes": context.dataset.n_classes, "batch_size": BATCH, "standardize": context.standardization,
        "seed": context.seed, **context.options,
    }  # fmt: skip
    base = context.rate("momentum")
    high = nice(plan.decay_factor * base)
    with Clock() as clock:
        tried = [nice(base * factor) for factor in RATES]
        study = effects.learning_rates(X, y, tried, optimizer=Momentum(), alpha=0.0, epochs=plan.study_epochs, **common)
        decay = effects.decay_study(X, y, optimizer=Momentum(high), alpha=context.alpha, epochs=3 * plan.study_epochs, **common)
    decays = decay.decays[-1]
    best = study.best if study.best is not None else 0
    rows = [
        (float(rate), Word(str(verdict)), None if diverged else Measured(loss), Share(accuracy))
        for rate, verdict, diverged, loss, accuracy in zip(
            study.rates, study.verdict, study.diverged, study.final_losses, study.accuracies[:, -1], strict=True
        )
    ]
    chapter.values = {
        "samples": len(y),
        "epochs": plan.study_epochs,
        "decay_epochs": 3 * plan.study_epochs,
        "low": float(study.rates[0]),
        "good": float(study.rates[best]),
        "high": float(study.rates[-1]),
        "good_loss": float(study.final_losses[best]),
        "initial": study.initial_loss,
        "decay_rate": high,
        "alpha": context.alpha,
        "decay_at": ", ".join(map(str, decays)),
        "before": float(decay.losses[0]),
        "after": float(decay.losses[-1]),
        "seconds": clock.seconds,
        "table": rows,
    }
    chapter.text("intro", "study")
    chapter.figure("curves", plots.rates(study))
    chapter.table("rates", ("learning_rate", "verdict", "loss", "training_accuracy"), rows, left=("verdict",), marked=best)
    chapter.text("reading", "decay")
    lowered = decay.curves[-1] if len(decay.curves) > 1 else None
    log = wide_range(*decay.curves[: 1 if lowered is None else None], times=5.0)
    chapter.figure("decay_curve", plots.decay(decay.curves[0], decays, decayed=lowered, log=log))
    chapter.text("decayed" if decays else "not_flat", "order")
    chapter.code(
        "from fastsvm import effects, plots\n\n"
        f"rates = [{', '.join(f'{rate:g}' for rate in study.rates)}]\n"
        "study = effects.learning_rates(X, y, rates, optimizer=fastsvm.Momentum(), "
        f"epochs={plan.study_epochs}, batch_size={BATCH},\n"
        f'                               alpha=0, standardize="mean"{context.seeded})\n'
        "plots.rates(study)\n\n"
        f"study = effects.decay_study(X, y, optimizer=fastsvm.Momentum({high:g}), epochs={3 * plan.study_epochs}, "
        f"batch_size={BATCH},\n"
        f'                            alpha={context.alpha:g}, standardize="mean"{context.seeded})\n'
        "plots.decay(study.curves[0], study.decays[-1], decayed=study.curves[-1])",
        same=context.same("python") if len(y) == len(context.y) else "",
    )


def rules(context: Context, chapter: Chapter) -> None:
    """Momentum, Nesterov, AdaGrad, RMSProp and Adam: on surfaces, on the loss, and a path on the loss."""
    plan = context.plan
    chapter.text("intro")
    chapter.formula("optimizers")
    chapter.text("ideas", "surfaces")
    for name in SURFACES:
        chapter.text(name)
        surface = trajectories.SURFACES[name]
        chapter.figure(f"{name}_paths", plots.trajectories(surface, trajectories.side_by_side(surface), title=False))
    best = _side_by_side(context, chapter)
    epochs, every = _path(context, chapter)
    rate, rule = context.rate(best), best.replace("_", "-")
    chapter.code(
        "from fastsvm import plots, trajectories\n\n"
        'plots.trajectories(trajectories.SURFACES["saddle"], trajectories.side_by_side("saddle"))\n'
        f"path = trajectories.record_path(X, y, optimizer=fastsvm.Momentum({context.rate('momentum'):g}), epochs={epochs}, "
        f"every={every},\n"
        f'                                batch_size={BATCH}, alpha=0, standardize="mean"{context.seeded})\n'
        f"plots.path_plane(trajectories.path_plane(X, y, path, resolution={plan.surface_points}))",
        f"fastsvm train {context.typed} --optimizer {rule} --learning-rate {rate:g} --schedule linear "
        f"--batch-size {BATCH} --epochs {plan.epochs} --alpha 0 --standardize mean{context.seed_option}",
        same=context.same("shell", *(["python"] if plan.study_samples >= len(context.y) else [])),
    )


def _side_by_side(context: Context, chapter: Chapter) -> str:
    """Train with every rule and tell how that went; returns the name of the one with the highest test accuracy."""
    results, rows = {}, []
    for rule in trajectories.LECTURE_RULES:
        optimizer = OPTIMIZERS[rule](learning_rate=Linear(context.rate(rule)))
        with Clock() as clock:
            result = context.train(optimizer=optimizer, batch_size=BATCH, epochs=context.plan.epochs)
        loss, accuracy = result.evaluate(context.X, context.y)[0], context.accuracy(result)
        results[type(optimizer).__name__] = result
        rows.append((type(optimizer).__name__, context.rate(rule), Measured(loss), Share(accuracy), clock.seconds))
    best = int(np.argmax([row[3] for row in rows]))
    tied = sum(row[3] == rows[best][3] for row in rows)
    context.journey.strategies.append(Strategy("rule", float(rows[best][3]), rows[best][2], rows[best][4]))
    chapter.values |= {
        "epochs": context.plan.epochs,
        "batch": min(BATCH, len(context.y)),
        "samples": len(context.y),
        "best": rows[best][0],
        "tied": tied,
        "rules": len(rows),
        "best_accuracy": rows[best][3],
        "best_loss": rows[best][2],
        "sgd_accuracy": rows[0][3],
        "sgd_loss": rows[0][2],
        "table": rows,
    }
    chapter.text("real")
    curves = [result.history["loss"] for result in results.values()]
    chapter.figure("curves", plots.loss_curves(results, log=wide_range(*curves)))
    chapter.table("rules", ("rule", "learning_rate", "loss", "test_accuracy", "time"), rows, left=("rule",), marked=best)
    chapter.text("result" if tied == 1 else "tied")
    return trajectories.LECTURE_RULES[best]


def _path(context: Context, chapter: Chapter) -> tuple[int, int]:
    """The path of a training on a plane through its end; returns its epochs and the updates from point to point."""
    plan = context.plan
    X, y = context.subset("path", plan.study_samples)
    per_epoch = -(-len(y) // BATCH)
    epochs = max(plan.study_epochs // 2, -(-SHORTEST_PATH // per_epoch))
    every = max(1, epochs * per_epoch // PATH_POINTS)
    path = trajectories.record_path(
        X, y, optimizer=Momentum(context.rate("momentum")), epochs=epochs, batch_size=BATCH, alpha=0.0,
        every=every, n_classes=context.dataset.n_classes,
        standardize=context.standardization, seed=context.seed, **context.options,
    )  # fmt: skip
    picture = trajectories.path_plane(X, y, path, resolution=plan.surface_points)
    chapter.values |= {
        "path_samples": len(y),
        "path_points": len(picture.path),
        "path_rate": context.rate("momentum"),
        "first": Share(picture.explained[0]),
        "second": Share(picture.explained[1]),
        "both": Share(picture.explained[:2].sum()),
    }
    chapter.text("path")
    chapter.figure("path_plane", plots.path_plane(picture))
    chapter.text("plane")
    return epochs, every
