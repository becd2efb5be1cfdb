"""Strategies 1 and 2: random search, and random local search."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm import plots
from fastsvm.search import random_local_search, random_search
from fastsvm.tour.context import Context, uninterrupted
from fastsvm.tour.story import Chapter, Seconds, Share, Strategy

#: What the lectures reached on CIFAR-10.
LECTURE = {"random": 0.155, "local": 0.214}


def random(context: Context, chapter: Chapter) -> None:
    """Strategy 1: draw weights, keep the best."""
    result = uninterrupted(random_search(context.X, context.y, scale=context.scale, **_common(context)))
    _tell(context, chapter, result)
    chapter.values |= {"scale": context.scale, "spread": float(result.losses.std()), "mean": float(result.losses.mean())}
    chapter.text("intro")
    if context.is_lecture_data:
        chapter.text("lecture")
    chapter.numbers(test_accuracy=chapter.values["accuracy"], loss=result.loss, time=chapter.values["seconds"])
    chapter.figure("history", plots.search_history(result))
    chapter.text("result", "idea")
    chapter.code(
        "from fastsvm.search import random_search\n\n"
        f"result = random_search(X, y, n_attempts={result.n_attempts}, scale={context.scale:g}{context.seeded},\n"
        '                       standardize="mean")\n'
        "result.evaluate(X_test, y_test)",
        f"fastsvm search {context.typed} --method random --attempts {result.n_attempts} --scale {context.scale:g}"
        f"{context.seed_option}",
        same=context.same("python", "shell"),
    )


def local(context: Context, chapter: Chapter) -> None:
    """Strategy 2: take a random step if the loss falls."""
    start, step = 10 * context.scale, context.scale
    result = uninterrupted(random_local_search(context.X, context.y, scale=start, step=step, **_common(context)))
    _tell(context, chapter, result)
    accepted = np.asarray(result.accepted)
    half = len(accepted) // 2
    chapter.values |= {
        "scale": start,
        "step": step,
        "accepted": int(accepted.sum()),
        "early": Share(accepted[:half].mean()),
        "late": Share(accepted[half:].mean()),
        "initial": result.initial_loss,
        "random_accuracy": context.found["random"]["accuracy"],
    }
    chapter.text("intro", "hiker")
    if context.is_lecture_data:
        chapter.text("lecture")
    chapter.numbers(test_accuracy=chapter.values["accuracy"], loss=result.loss, time=chapter.values["seconds"])
    chapter.figure("history", plots.search_history(result))
    better = accepted.any() and result.loss < context.found["random"]["loss"]
    chapter.text("result", "verdict" if better else "no_better")
    chapter.code(
        "from fastsvm.search import random_local_search\n\n"
        f"result = random_local_search(X, y, n_attempts={result.n_attempts}, scale={start:g}, "
        f'step={step:g}{context.seeded},\n                             standardize="mean")\n'
        "result.evaluate(X_test, y_test)",
        f"fastsvm search {context.typed} --method local --attempts {result.n_attempts} --scale {start:g} --step {step:g}"
        f"{context.seed_option}",
        same=context.same("python", "shell"),
    )


def _common(context: Context) -> dict[str, Any]:
    return {
        "n_attempts": context.plan.attempts, "seed": context.seed, "n_classes": context.dataset.n_classes,
        "standardize": context.standardization, **context.options,
    }  # fmt: skip


def _tell(context: Context, chapter: Chapter, result: Any) -> None:
    """What both searches say, and their rows of the closing table."""
    accuracy = context.accuracy(result)
    chapter.values = {
        "attempts": result.n_attempts,
        "samples": len(context.y),
        "loss": result.loss,
        "accuracy": Share(accuracy),
        "seconds": Seconds(result.seconds),
        "per_attempt": Seconds(result.seconds / result.n_attempts),
        "chance": Share(1 / context.dataset.n_classes),
        "lecture_accuracy": Share(LECTURE[chapter.key]),
    }
    context.found[chapter.key] = chapter.values
    lecture = LECTURE[chapter.key] if context.is_lecture_data else None
    context.journey.strategies.append(Strategy(chapter.key, accuracy, result.loss, result.seconds, lecture))
