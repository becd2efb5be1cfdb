"""The last chapter: all strategies side by side."""

from __future__ import annotations

import json
import shlex

from fastsvm import plots
from fastsvm.tour.context import Context
from fastsvm.tour.story import Chapter, Measured, Seconds, Share, Word


def summary(context: Context, chapter: Chapter) -> None:
    """A row and a bar for every strategy, and how to make this report again."""
    strategies = context.journey.strategies
    rows = [
        {
            "strategy": Word(one.key), "test_accuracy": Share(one.accuracy),
            "lecture_accuracy": None if one.lecture is None else Share(one.lecture), "loss": Measured(one.loss),
            "time": Seconds(one.seconds),
        }
        for one in strategies
    ]  # fmt: skip
    columns = list(rows[0])
    if all(one.lecture is None for one in strategies):
        columns.remove("lecture_accuracy")
    best = max(range(len(strategies)), key=lambda k: strategies[k].accuracy)
    reached = {str(context.texts.word(one.key)): one.accuracy for one in strategies}
    lecture = {str(context.texts.word(one.key)): one.lecture for one in strategies if one.lecture is not None}
    chapter.values = {
        "first": Word(strategies[0].key),
        "first_accuracy": Share(strategies[0].accuracy),
        "best": Word(strategies[best].key),
        "best_accuracy": Share(strategies[best].accuracy),
        "chance": Share(1 / context.dataset.n_classes),
        "attempts": context.plan.attempts,
        "descent_accuracy": Share(next(one.accuracy for one in strategies if one.key == "minibatch")),
        "local_accuracy": Share(next(one.accuracy for one in strategies if one.key == "local")),
    }
    chapter.text("intro")
    chapter.table("table", columns, ([row[column] for column in columns] for row in rows), left=("strategy",), marked=best)
    chapter.figure("bars", plots.accuracies(reached, lecture=lecture, chance=1 / context.dataset.n_classes))
    chapter.text("flow", "lessons", "again")
    language = "" if context.language == "en" else f" --lang {context.language}"
    chapter.code(
        "from fastsvm.tour import tour\n\n"
        f'tour({json.dumps(context.source, ensure_ascii=False)}, "report", lang="{context.language}", seed={context.seed})',
        f"fastsvm tour {shlex.quote(context.source)} --out report{language} --seed {context.seed}",
        same="python shell",
    )
