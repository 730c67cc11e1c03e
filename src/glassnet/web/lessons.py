"""The lessons on the page: which there are, and one of them, its words as HTML."""

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException

from ..errors import ConfigError, similar
from ..lessons import Lesson, Question, lesson_files, read_lesson
from ..lessons.markdown import render, render_line
from .dependencies import TheStore

__all__ = ["router"]

REMEMBERED = 400  # lessons: more than the 200 of a folder and those that come with glassnet

router = APIRouter()


@router.get("/api/lessons")
def lessons(store: TheStore) -> list[dict[str, Any]]:
    """Return each lesson's title and length, or what is wrong with its file. A file that changes is read again."""
    own = lesson_files()
    return [
        {"name": name, "own": own.get(name) != path, **_summary(name, path)}
        for name, path in lesson_files(store.site.lessons).items()
    ]


@router.get("/api/lessons/{name}")
def lesson(name: str, store: TheStore) -> dict[str, Any]:
    """Return a lesson; 404 where there is none of that name."""
    files = lesson_files(store.site.lessons)
    if name not in files:
        raise HTTPException(404, f"no lesson called {name[:80]!r}{similar(name, files)}")
    return _shown(_read(files[name]))


def _read(path: Path) -> Lesson:
    """Return a lesson, which takes a while to check: a good one is checked again only where its file has changed.

    An error names the file without its folder, which does not concern those who look at the page.
    """
    version: tuple[int, ...] = ()
    with suppress(OSError):
        status = path.stat()
        version = status.st_ino, status.st_mtime_ns, status.st_size
    try:
        return _checked(path, version)
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"{path.parent}{os.sep}", "")) from error


@lru_cache(REMEMBERED)
def _checked(path: Path, _version: tuple[int, ...]) -> Lesson:
    return read_lesson(path)


def _summary(name: str, path: Path) -> dict[str, Any]:
    try:
        found = _read(path)
    except ConfigError as error:
        return {"title": name, "error": str(error)}
    questions = sum(step.question is not None for step in found.step)
    return {"title": found.title, "about": found.about, "steps": len(found.step), "questions": questions}


def _shown(lesson: Lesson) -> dict[str, Any]:
    return {
        "title": lesson.title,
        "about": lesson.about,
        "steps": [
            {
                "title": step.title,
                "words": render(step.words),
                "view": step.view,
                "question": _asked(step.question) if step.question else None,
            }
            for step in lesson.step
        ],
    }


def _asked(question: Question) -> dict[str, Any]:
    choices = [{"value": choice, "words": render_line(choice)} for choice in question.choices or []]
    return question.model_dump() | {
        "ask": render(question.ask),
        "choices": choices or None,
        "why": render(question.why),
    }
