"""The first two chapters: data and scores, and what makes scores good or bad."""

from __future__ import annotations

import json

import numpy as np

from fastsvm.losses import Softmax, WestonWatkins
from fastsvm.objective import evaluate, score_loss_and_gradient
from fastsvm.prediction import decision_scores
from fastsvm.tour import pictures
from fastsvm.tour.context import Context, fixed
from fastsvm.tour.story import Chapter, Share


def data(context: Context, chapter: Chapter) -> None:
    """The data, and the score function f(x, W, b) = Wx + b."""
    dataset = context.dataset
    n_classes, n_features = context.shape
    names = list(dataset.class_names)
    chapter.values = {
        "name": dataset.name,
        "samples": len(context.y),
        "test_samples": len(context.y_test),
        "features": n_features,
        "classes": n_classes,
        "class_names": ", ".join(names[:12]) + (", …" if len(names) > 12 else ""),
        "columns": n_features + 1,
        "weights": n_classes * (n_features + 1),
        "radius": round(context.radius) if context.radius >= 10 else context.radius,
        "chance": Share(1 / n_classes),
    }
    chapter.text("intro")
    if dataset.image_shape is not None:
        height, width, *channels = dataset.image_shape
        chapter.values |= {"height": height, "width": width, "channels": channels[0] if channels else 1, "per_class": 10}
        chapter.figure("samples", pictures.samples(dataset, 10, context.rng("samples")))
        chapter.text("images_colour" if channels else "images_gray")
    chapter.text("score")
    chapter.formula("score")
    chapter.text("weights", *(["lecture"] if context.is_lecture_data else []), "mean")
    single = "" if context.untouched else ".astype(numpy.float32)"
    dense = ", dense=True" if context.made_dense else ""
    chapter.code(
        "import numpy\n\nimport fastsvm\n\n"
        f"data = fastsvm.load({json.dumps(context.source, ensure_ascii=False)}{dense}).split(seed={context.seed})\n"
        f"X, y = data.X{single}, data.y\n"
        f"X_test, y_test = data.X_test{single}, data.y_test\n"
        'mean = fastsvm.fit_standardization(X, "mean")\n\n'
        f"rng = numpy.random.default_rng({context.seed})\n"
        f"W = rng.normal(scale={10 * context.scale:g}, size=({n_classes}, {n_features}))\n"
        f"b = numpy.zeros({n_classes})\n"
        "scores = fastsvm.decision_scores(W, X, b, standardization=mean)"
    )


def loss(context: Context, chapter: Chapter) -> None:
    """The multiclass SVM loss of one image, term by term, with the softmax loss beside it."""
    W = context.weights("example", 10 * context.scale)
    row = _telling_row(context, W)
    X, label = np.ascontiguousarray(context.X[row : row + 1]), int(context.y[row])
    names, delta = context.dataset.class_names, WestonWatkins().delta
    scores = decision_scores(W, X, **context.where)
    margins = scores[0] - scores[0, label] + delta
    terms = np.maximum(margins, 0.0)
    terms[label] = 0.0
    exponentials = np.exp(scores[0] - scores[0].max())
    shares = exponentials / exponentials.sum()
    svm, softmax = (score_loss_and_gradient(scores, context.y[row : row + 1], one)[0] for one in (WestonWatkins(), Softmax()))
    zero = np.zeros(context.shape, dtype=np.float32)
    at_zero = {one: evaluate(zero, context.X, context.y, loss=one, **context.where)[0] for one in ("weston_watkins", "softmax")}
    chapter.values = {
        "actual": names[label],
        "score": float(scores[0, label]),
        "limit": float(scores[0, label] - delta),
        "delta": delta,
        "violations": int((terms > 0).sum()),
        "others": len(terms) - 1,
        "classes": len(terms),
        "svm": svm,
        "softmax": softmax,
        "probability": Share(shares[label]),
        "svm_at_zero": at_zero["weston_watkins"],
        "softmax_at_zero": at_zero["softmax"],
        "scale": 10 * context.scale,
    }
    picture = None if context.dataset.image_shape is None else pictures.pixels(context.dataset, np.array([row]))[0]
    words = {"limit": rf"$s_y - \Delta$ = {scores[0, label] - delta:.2f}", "score": context.label("score")}
    order = np.argsort(-scores[0])[:12] if len(terms) > 12 else np.arange(len(terms))
    if label not in order:
        order[-1] = label
    place = int(np.flatnonzero(order == label)[0])
    chapter.text("intro")
    chapter.formula("svm_loss")
    chapter.text("example")
    chapter.figure("scores", pictures.worked_example(picture, [names[k] for k in order], scores[0, order], place, delta, words))
    chapter.table(
        "terms", ("class", "score", "margin", "term", "probability"),
        (
            (names[k], fixed(scores[0, k], 3), None if k == label else fixed(margins[k], 3),
             None if k == label else fixed(terms[k], 3), Share(shares[k]))
            for k in order
        ),
        left=("class",), marked=place,
    )  # fmt: skip
    chapter.text("sum", "softmax")
    chapter.formula("softmax_loss")
    chapter.text("compare", "whole")
    chapter.formula("objective")
    chapter.text("zero")
    chapter.code(
        "loss = fastsvm.loss_value(W, X, y, b, fastsvm.WestonWatkins(delta=1.0), standardization=mean)\n"
        "loss = fastsvm.loss_value(W, X, y, b, fastsvm.Softmax(), standardization=mean)\n"
        "fastsvm.loss_value(0 * W, X, y, b, standardization=mean)    # at zero"
    )


def _telling_row(context: Context, W: np.ndarray) -> int:
    """An example with about half of its classes over the margin: with all or none there would be little to see."""
    rows = np.sort(context.rng("rows").permutation(len(context.y))[:200])
    labels = context.y[rows]
    scores = decision_scores(W, np.ascontiguousarray(context.X[rows]), **context.where)
    margins = scores - scores[np.arange(len(rows)), labels][:, None] + 1.0
    violations = (margins > 0).sum(axis=1) - 1
    return int(rows[np.abs(violations - (W.shape[0] - 1) / 2).argmin()])
