"""The report: one HTML page that holds everything, pictures and style included, and needs neither network nor JavaScript."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from fastsvm import plots
from fastsvm.tour import story
from fastsvm.tour.story import Chapter, Figure, Journey
from fastsvm.tour.writing import Texts

TEMPLATE, FORMULAS, STYLE = "report.html", "formulas.html", "report.css"


def render(journey: Journey, language: str) -> str:
    """The page of a journey, as one string of HTML.

    Raises
    ------
    KeyError
        If a placeholder of the prose has no value; the message names it.
    """
    texts = Texts(language)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_source),
    )  # fmt: skip
    formulas = environment.get_template(FORMULAS).module
    with plots.language(language):
        chapters = [_chapter(chapter, number, texts, formulas) for number, chapter in enumerate(journey.chapters, start=1)]
    facts = {**journey.facts, "seconds": story.Seconds(journey.seconds), "chapters": len(chapters)}
    page = {key: texts.page(key, facts) for key in texts.entries["page"]}
    return environment.get_template(TEMPLATE).render(
        language=language, page=page, chapters=chapters, style=Markup(_source(STYLE))
    )


def _chapter(chapter: Chapter, number: int, texts: Texts, formulas: Any) -> dict[str, Any]:
    return {
        "key": chapter.key,
        "number": number,
        "title": texts.prose(chapter.key, "title", chapter.values),
        "blocks": [_block(block, chapter, texts, formulas) for block in chapter.blocks],
        "seconds": texts.duration(chapter.seconds),
    }


def _source(name: str) -> str:
    return (resources.files("fastsvm.tour") / name).read_text(encoding="utf-8")


def _block(block: story.Block, chapter: Chapter, texts: Texts, formulas: Any) -> dict[str, Any]:
    """What the template needs of a block; ``kind`` says how to draw it."""
    key, values = chapter.key, chapter.values
    if isinstance(block, story.Text):
        return {"kind": "text", "html": texts.paragraphs(key, block.name, values)}
    if isinstance(block, story.Formula):
        return {"kind": "formula", "html": getattr(formulas, block.name)()}
    if isinstance(block, story.Code):
        return {"kind": "code", "tag": block.language if block.same else f"{block.language}_similar", "source": block.source}
    if isinstance(block, story.Numbers):
        return {"kind": "numbers", "entries": [(texts.column(name), texts.cell(value)) for name, value in block.entries]}
    caption = texts.prose(key, f"{block.name}.caption", values)
    if isinstance(block, Figure):
        alt = texts.prose(key, f"{block.name}.alt", values).striptags()
        picture = _svg(block.image, f"{key}-{block.name}", alt)
        return {"kind": "figure", "svg": picture, "width": block.width, "caption": caption, "alt": alt}
    return {
        "kind": "table",
        "caption": caption,
        "columns": [{"title": texts.column(name), "left": name in block.left} for name in block.columns],
        "rows": [[texts.cell(value) for value in row] for row in block.rows],
        "marked": block.marked,
    }


def _svg(image: Any, key: str, alt: str) -> Markup:
    """A picture as an ``<svg>`` element whose ids are its own."""
    if not isinstance(image, str):
        image = plots.to_svg(image, prefix=key, alt=alt)
    return Markup(image)
