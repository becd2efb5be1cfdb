"""How far to go against the gradient: the table of step sizes, the exact minimum on a line, and descent itself."""

from __future__ import annotations

import numpy as np

from fastsvm import plots
from fastsvm.landscape import minimize_along, step_sizes
from fastsvm.objective import loss_and_gradient
from fastsvm.optimizers import SGD, SteepestDescent
from fastsvm.plots.lines import LECTURE_SWEEP
from fastsvm.tour.context import Clock, Context, fixed, wide_range
from fastsvm.tour.story import Chapter, Seconds, Share, Strategy


def steps(context: Context, chapter: Chapter) -> None:
    """The loss after one step of each size, the lecture's table beside it, and the best step of all."""
    rng = context.rng("sweep")
    # The lecture's code draws from [0, 1) here: rand, not randn.
    W = (10 * context.scale * rng.random(context.shape)).astype(np.float32)
    sizes = 10.0 ** (np.arange(-10, 0) + context.decades)
    with Clock() as clock:
        sweep = step_sizes(W, context.X, context.y, step_sizes=sizes, **context.where)
    _, dW, _ = loss_and_gradient(W, context.X, context.y, **context.where)
    with Clock() as line_clock:
        minimum = minimize_along(W, context.X, context.y, -dW, **context.where)
    rows = [(float(size), fixed(value, 3)) for size, value in zip(sweep.step_sizes, sweep.losses, strict=True)]
    # A single step may separate a few examples with many features: their loss is then 0 however far one goes.
    overshoots = bool(sweep.losses[-2] > 0)
    chapter.values = {
        "scale": 10 * context.scale,
        "initial": sweep.initial_loss,
        "gradient_norm": sweep.gradient_norm,
        "best_step": float(sweep.step_sizes[sweep.best]),
        "best_loss": float(sweep.losses[sweep.best]),
        "largest_step": float(sweep.step_sizes[-1]),
        "largest_loss": float(sweep.losses[-1]),
        "growth": float(sweep.losses[-1] / sweep.losses[-2]) if overshoots else None,
        "seconds": clock.seconds,
        "sizes": len(sizes),
        "exact_step": minimum.a,
        "exact_loss": minimum.loss,
        "line_seconds": line_clock.seconds,
        "samples": len(context.y),
        "step_sizes": sweep.step_sizes,
        "losses": sweep.losses,
    }
    chapter.text("intro")
    chapter.formula("update")
    chapter.text("sweep")
    if context.is_lecture_data:
        chapter.text("lecture")
        beside = [(*row, fixed(of_lecture, 3)) for row, of_lecture in zip(rows, LECTURE_SWEEP.values(), strict=True)]
        chapter.table("table", ("step_size", "loss_after_step", "lecture_loss"), beside, marked=sweep.best)
    else:
        chapter.table("table", ("step_size", "loss_after_step"), rows, marked=sweep.best)
    chapter.figure("sweep_plot", plots.sweep(sweep, lecture=context.is_lecture_data))
    chapter.text("result" if overshoots else "no_overshoot", "exact")
    chapter.numbers(best_of_table=chapter.values["best_step"], exact_step=minimum.a, exact_loss=minimum.loss)
    chapter.code(
        "from fastsvm import landscape, plots\n\n"
        f"W = {10 * context.scale:g} * rng.random(W.shape)\n"
        "_, dW, _ = fastsvm.loss_and_gradient(W, X, y, standardization=mean)\n"
        f"sizes = numpy.geomspace({sizes[0]:g}, {sizes[-1]:g}, {len(sizes)})\n"
        "sweep = landscape.step_sizes(W, X, y, step_sizes=sizes, standardization=mean)\n"
        "plots.sweep(sweep)\n"
        "landscape.minimize_along(W, X, y, -dW, standardization=mean)",
        f"fastsvm sweep {context.typed} --scale {10 * context.scale:g} --smallest {sizes[0]:g} --largest {sizes[-1]:g} "
        f"--points {len(sizes)} --plot sweep.svg",
    )


def descent(context: Context, chapter: Chapter) -> None:
    """Gradient descent on all of the data: the same step every time, and the best one every time."""
    plan = context.plan
    choices = {"fixed": (SGD(context.rate("sgd")), plan.updates), "exact": (SteepestDescent(), plan.exact_updates)}
    results, clocks = {}, {}
    for name, (optimizer, updates) in choices.items():
        with Clock() as clocks[name]:
            results[name] = context.train(optimizer=optimizer, batch_size="full", epochs=updates)
    measured = {}
    for name, result in results.items():
        train_loss, _ = result.evaluate(context.X, context.y)
        measured[name] = (train_loss, context.accuracy(result), clocks[name].seconds)
    chapter.values = {
        "updates": plan.updates,
        "exact_updates": len(results["exact"].history),
        "rate": context.rate("sgd"),
        "samples": len(context.y),
        "per_update": Seconds(clocks["fixed"].seconds / plan.updates),
        **{f"{name}_loss": value[0] for name, value in measured.items()},
        **{f"{name}_accuracy": Share(value[1]) for name, value in measured.items()},
        **{f"{name}_seconds": value[2] for name, value in measured.items()},
        "local_accuracy": context.found["local"]["accuracy"],
        "local_attempts": context.found["local"]["attempts"],
    }
    context.found["descent"] = chapter.values
    for name, strategy in (("fixed", "descent"), ("exact", "steepest")):
        loss, accuracy, seconds = measured[name]
        context.journey.strategies.append(Strategy(strategy, accuracy, loss, seconds))
    chapter.text("intro")
    chapter.formula("update")
    chapter.text("loop")
    curves = {context.label(name): result.history["loss"] for name, result in results.items()}
    chapter.figure(
        "curves",
        plots.loss_curves(curves, per="update", log=wide_range(*curves.values())),
    )
    chapter.numbers(
        fixed_accuracy=chapter.values["fixed_accuracy"], exact_accuracy=chapter.values["exact_accuracy"],
        time=clocks["fixed"].seconds,
    )  # fmt: skip
    chapter.text("result", "zigzag")
    chapter.code(
        f"for optimizer, epochs in ((fastsvm.SGD({context.rate('sgd'):g}), {plan.updates}), "
        f"(fastsvm.SteepestDescent(), {plan.exact_updates})):\n"
        '    result = fastsvm.train(X, y, optimizer=optimizer, batch_size="full", epochs=epochs, '
        f'alpha=0,\n                           standardize="mean"{context.seeded})\n'
        "    print(result.evaluate(X_test, y_test))",
        f"fastsvm train {context.typed} --optimizer sgd --learning-rate {context.rate('sgd'):g} --schedule constant "
        f"--batch-size full --epochs {plan.updates} --alpha 0 --standardize mean{context.seed_option}\n"
        f"fastsvm train {context.typed} --optimizer steepest-descent --batch-size full --epochs {plan.exact_updates} "
        f"--alpha 0 --standardize mean{context.seed_option}",
        same=context.same("python", "shell"),
    )
