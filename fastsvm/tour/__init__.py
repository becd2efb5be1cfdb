"""The whole journey of the lectures as one report: see :func:`tour`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastsvm.datasets import Dataset, load
from fastsvm.validation import check_choice, check_flag, check_integer

if TYPE_CHECKING:
    from fastsvm.tour.context import Plan
    from fastsvm.tour.journey import Progress

__all__ = ["LANGUAGES", "Tour", "tour"]

#: The languages a report can be written in, each with its own name.
LANGUAGES = {"en": "English", "ko": "한국어"}


@dataclass(frozen=True, eq=False)
class Tour:
    """A report and what is in it.

    Attributes
    ----------
    report : Path
        The page; it needs nothing else.
    summary : dict
        All numbers, as in ``summary.json`` beside it.
    """

    report: Path
    summary: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Tour of {self.summary['data']!r} in {self.summary['seconds']:.1f} s: {self.report}>"


def tour(
    data: Dataset | str | os.PathLike[str] = "digits",
    out: str | os.PathLike[str] = "tour",
    *,
    lang: str = "en",
    seed: int = 0,
    force: bool = False,
    plan: Plan | None = None,
    progress: Progress | None = None,
    backend: str | None = None,
    n_threads: int | None = None,
) -> Tour:
    """Walk through the lectures on a data set and write what happened as a page for the classroom.

    From the score function and its loss over random search, local search, the gradient, step sizes, minibatches and the update
    rules to backpropagation and a network of two layers: every number of the report is measured on the way.

    Parameters
    ----------
    data : Dataset, or what :func:`fastsvm.load` takes
        Without a test part a fifth of it is held out. Of very large data a part is used.
    out : path
        Folder for ``report.html`` and ``summary.json``; new, empty, or that of an earlier tour.
    lang : {"en", "ko"}
        Language of the report.
    seed : int >= 0
        Source of all that is random.
    force : bool
        Put the report into ``out`` whatever else is there; other files stay.
    plan : fastsvm.tour.context.Plan, optional
        How much of everything. By default what takes two cores less than a minute on the digits, less than four on CIFAR-10.
    progress : callable, optional
        Called as ``progress(place, chapters, key)`` before each chapter.
    backend, n_threads
        As in :func:`fastsvm.train`.

    Returns
    -------
    Tour

    Raises
    ------
    ImportError
        If matplotlib or Jinja2 is missing; the message says how to install them.
    TypeError, ValueError, OSError
        If an argument does not fit, the data cannot be read, or nothing can be written to ``out``. A report is written whole
        or not at all.
    """
    check_choice("lang", lang, LANGUAGES)
    check_integer("seed", seed, at_least=0, at_most=2**32 - 1)
    check_installed()
    from fastsvm.tour.folder import MAKER, REPORT, SUMMARY, check_folder, write_folder
    from fastsvm.tour.journey import travel
    from fastsvm.tour.report import render

    folder = check_folder(out, check_flag("force", force))
    dataset = data if isinstance(data, Dataset) else load(data)
    options: dict[str, Any] = {"backend": backend, "n_threads": n_threads}
    source = dataset.name if isinstance(data, Dataset) else os.fspath(data)
    journey = travel(dataset, source=source, language=lang, seed=seed, plan=plan, progress=progress, **options)
    page = render(journey, lang)
    summary = {"made_by": MAKER, "language": lang, **journey.summary()}
    text = json.dumps(summary, allow_nan=False, ensure_ascii=False, indent=1)
    write_folder(folder, {REPORT: page, SUMMARY: text})
    return Tour(folder / REPORT, summary)


def check_installed() -> None:
    """Raise ``ImportError``, saying what to do, unless all that a tour needs beyond fastsvm's own requirements is there."""
    for module in ("matplotlib", "jinja2"):
        try:
            import_module(module)
        except ImportError as error:
            raise ImportError(
                f"a tour needs {module}, which cannot be imported ({error}): "
                f"pip install {module}, or fastsvm with its extra 'tour'"
            ) from error
