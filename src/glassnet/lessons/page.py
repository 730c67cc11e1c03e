"""The lessons as pages that are files, for a site without a server: words, questions, and answers that open.

A step's view is on the page that `glassnet.export.html_page` writes, where that has it; otherwise `glassnet serve`
shows it, beside the words.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from markupsafe import Markup

from ..page import render
from . import markdown
from .lesson import Lesson, Question, Step

__all__ = ["lesson_pages"]

SERVED = "http://127.0.0.1:8000/"  # where `glassnet serve` shows the page


def lesson_pages(lessons: Mapping[str, Lesson], model: str, tutorial: str = "") -> dict[str, bytes]:
    """Return lessons as the contents of HTML files by their names, with a list of them, ``index.html``.

    Args:
        lessons: by name.
        model: address of the page of a model, seen from these files.
        tutorial: address of the folder with the tutorial's pages, which have the names of the lessons; without it they
            have no links to them.
    """
    names = [*lessons]
    beside = {"model": model, "tutorial": tutorial}
    pages = {"index.html": render("lessons/index.html", lessons=lessons, **beside)}
    for number, (name, lesson) in enumerate(lessons.items()):
        pages[f"{name}.html"] = render(
            "lessons/lesson.html",
            name=name,
            lesson=lesson,
            steps=[_shown(name, i, step, model) for i, step in enumerate(lesson.step, 1)],
            before=names[number - 1] if number else None,
            after=names[number + 1] if number + 1 < len(names) else None,
            **beside,
        )
    return pages


def _shown(name: str, number: int, step: Step, model: str) -> dict[str, Any]:
    """Return what a page shows of a step: its words as HTML, and the address of its view."""
    part = _part(step.view)
    return {
        "title": step.title,
        "words": _html(step.words),
        "question": _asked(step.question) if step.question else None,
        "part": f"{model}{part}" if part else None,
        "served": f"{SERVED}?{urlencode({'lesson': name, 'step': number})}{quote(step.view, safe='#?=&,')}",
    }


def _html(words: str) -> Markup:
    """Return Markdown as HTML, whose links to views lead to where they are served."""
    return Markup(markdown.render(words).replace('href="#', f'href="{SERVED}#'))


def _asked(question: Question) -> dict[str, Any]:
    answer = question.answer if isinstance(question.answer, str) else f"{question.answer:.10g}".replace("-", "−")
    give = f", give or take {question.tolerance:.10g}" if question.tolerance else ""
    return {
        "ask": _html(question.ask),
        "choices": [Markup(markdown.render_line(choice)) for choice in question.choices or []],
        "answer": Markup(markdown.render_line(answer + give)),
        "why": _html(question.why),
    }


def _part(view: str) -> str | None:
    """Return the part of a model's page that shows a view with all its settings, or None where no part does."""
    name, _, query = view.partition("?")
    given = dict(parse_qsl(query))
    if name == "#draw" and not given:
        return "#draw"
    if name == "#step" and given.pop("show", "tiny") == "tiny" and given.keys() <= {"stage"}:
        return f"#tiny?{urlencode(given, quote_via=quote)}" if given else "#tiny"
    return None
