"""Reading lessons from files that nobody has to trust, and saying everything that is wrong with one, line by line."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import ConfigError, FileError, nearest
from ..files import as_path
from ..training.recipe import read_toml
from ..training.wording import fault
from .lesson import Lesson, Question, Step

__all__ = ["complaints", "lesson_files", "own_files", "read_lesson"]

OWN = Path(__file__).parent
MOST_FILES = 200  # of a folder of lessons
NAME = re.compile(r"[\w-]{1,80}")
UNION = ("string", "number")  # which of an answer's two types pydantic has tried
KEYS: dict[str, type[BaseModel]] = {"lesson": Lesson, "step": Step, "question": Question}
_HEADER = re.compile(r"\s*\[+\s*([\w.]+)\s*\]+")
_KEY = re.compile(r"\s*([\w-]+)\s*=")


def lesson_files(folder: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Return the lessons that come with glassnet, and those in a folder of one's own, by name.

    A lesson's name is that of its file without ``.toml``. One's own lesson takes the place of one of the same name.
    Files whose names begin with a dot are left out: editors and systems put them there.

    Raises:
        FileError: the folder cannot be read, or has more than 200 lessons.
    """
    found = {path.stem: path for path in sorted(OWN.glob("*.toml"))}
    own = [] if folder is None else own_files(folder)
    return found | {os.fsencode(path.stem).decode(errors="replace"): path for path in own}


def own_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the lesson files of a folder of one's own, sorted; see `lesson_files`."""
    folder = as_path(folder, "lessons")
    try:
        own = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except OSError as error:
        raise FileError(f"{folder}: cannot be read ({error.strerror}); give a folder of lessons") from error
    if len(own) > MOST_FILES:
        raise FileError(f"{folder}: {len(own):,} lessons, more than the {MOST_FILES} that a folder may have")
    return own


def read_lesson(path: str | os.PathLike[str]) -> Lesson:
    """Read a lesson.

    Raises:
        ConfigError: it cannot be read or is not a lesson; its first complaint, and how many more there are.
    """
    path = as_path(path)
    lesson, wrong = _read(path)
    if lesson is None:
        more = f" (and {len(wrong) - 1} more; see them with `glassnet lesson check`)" if wrong[1:] else ""
        raise ConfigError(wrong[0] + more)
    return lesson


def complaints(path: str | os.PathLike[str]) -> list[str]:
    """Return everything that is wrong with a lesson, each with its file, line and step; empty where nothing is."""
    try:
        return _read(as_path(path))[1]
    except ConfigError as error:
        return [str(error)]


def _read(path: Path) -> tuple[Lesson | None, list[str]]:
    """Return a lesson and no complaints, or none and all complaints."""
    if not NAME.fullmatch(path.stem):
        raise ConfigError(f"{str(path)!r}: name a lesson with up to 80 letters, digits, hyphens and underscores alone")
    content = read_toml(path, "give a TOML file")
    try:
        return Lesson.model_validate(content), []
    except ValidationError as error:
        lines = dict(_lines(path.read_text("utf-8-sig")))
        wrong = sorted({_complaint(each, lines) for each in error.errors(include_url=False)})
        return None, [f"{path}:{line}: {what}" for line, what in wrong]


def _complaint(error: Any, lines: dict[tuple[Any, ...], int]) -> tuple[int, str]:
    """Return the line of one of pydantic's errors, and what is wrong there."""
    loc = tuple(part for part in error["loc"] if part not in UNION)
    line = next((lines[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in lines), 1)
    table, where, inner = "lesson", "", loc
    if loc[:1] == ("step",) and len(loc) > 1:
        table, where, inner = "step", f"step {loc[1] + 1}: ", loc[2:]
    if inner[:1] == ("question",) and inner[1:]:
        table, where, inner = "question", f"{where.removesuffix(': ')}, question: ", inner[1:]
    name = ".".join(str(part + 1) if isinstance(part, int) else part for part in inner)
    if error["type"] == "extra_forbidden":
        return line, f"{where}no key called {name!r} in a {table}{nearest(name, KEYS[table].model_fields)}"
    return line, where + fault(error, name or table, ())


def _lines(text: str) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Yield the place of each table and key as pydantic names it, and its line from 1, which tomllib does not tell."""
    place: tuple[Any, ...] = ()
    step, closing = -1, ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            if closing in line:
                closing = ""
            continue
        if header := _HEADER.match(line):
            step += header[1] == "step"
            place = ("step", step, *header[1].split(".")[1:]) if header[1].startswith("step") else (header[1],)
            yield place, number
        elif key := _KEY.match(line):
            yield (*place, key[1]), number
        closing = next((mark for mark in ('"""', "'''") if line.count(mark) == 1), "")
