"""`new_assignment`: draw mistakes, plant them in a page, and write what is given out and what is not."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from numbers import Integral
from pathlib import Path
from random import Random
from typing import Any

from jinja2 import Template

from ..clinic import MISTAKES
from ..errors import ConfigError, FileError, check_count, nearest
from ..files import as_path, write_together
from .formats import FORMATS, formatted
from .key import Key, make_key
from .page import PAGES, Page, Plant, read_page
from .training import EXPECTED, TRAINING_ROWS, given_out

__all__ = ["LEVELS", "Assignment", "draw", "new_assignment"]

LEVELS = {1: 2, 2: 3, 3: 4}
"""How many mistakes each level has where nothing is said."""
ATTEMPTS = 300  # to draw mistakes that fit together


@dataclass(frozen=True)
class Assignment:
    """A page with mistakes planted, and its key.

    Attributes:
        page: the right page.
        plants: the mistakes.
        key: what the teacher has.
    """

    page: Page
    plants: tuple[Plant, ...]
    key: Key

    @property
    def text(self) -> str:
        """The page as it is given out, as a Python file."""
        return self.page.text(self.plants)


def draw(
    mistakes: int | Sequence[str] | None = None, level: int = 1, seed: int | None = None, page: str | None = None
) -> Assignment:
    """Draw a page and mistakes that fit together.

    Args:
        mistakes: how many, or their names; by default as many as the level has.
        level: 1, mistakes that show at once; 2, also such as make training worse or fail sometimes; 3, also such as
            hardly show. At least half of them are of the level itself, or as many as fit into the page
            together. It says nothing where names are given.
        seed: the same seed gives the same assignment; by default another one each time.
        page: one of `PAGES`; by default drawn as well.

    Raises:
        ConfigError: there is no such level, page or mistake, or not so many mistakes that fit together.
    """
    if level not in list(LEVELS):  # a list, as it may be anything
        raise ConfigError(f"level: 1, 2 or 3, not {level!r:.80}")
    if page is not None and page not in PAGES:
        raise ConfigError(f"no kind of page called {page!r:.80}{nearest(str(page), PAGES)}")
    seed = secrets.randbits(48) if seed is None else _whole(seed)
    random = Random(seed)
    if mistakes is None or isinstance(mistakes, int):
        count = LEVELS[level] if mistakes is None else mistakes
        check_count("mistakes", count)
        chosen = read_page(page or random.choice(PAGES))
        plants = _draw_count(chosen, count, level, random)
    else:
        chosen, plants = _draw_named(_names(mistakes), page, random)
        level = max(plant.level for plant in plants)
    plants.sort(key=lambda plant: plant.lines)
    return Assignment(chosen, tuple(plants), make_key(chosen, plants, level, seed))


def _whole(seed: Any) -> int:
    if type(seed) is bool or not isinstance(seed, Integral):
        raise ConfigError(f"seed: must be a whole number, not {seed!r:.80}")
    return int(seed)


def _names(mistakes: Any) -> list[str]:
    names = mistakes if isinstance(mistakes, list | tuple | set | frozenset) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"mistakes: must be a number or a list of names, not {mistakes!r:.80}")
    return sorted(names) if isinstance(names, set | frozenset) else list(names)


def _draw_count(page: Page, count: int, level: int, random: Random) -> list[Plant]:
    most = 0
    for _ in range(ATTEMPTS):
        own = random.sample([p for p in page.plants if p.level == level], k=sum(p.level == level for p in page.plants))
        lower = [plant for plant in page.plants if plant.level < level]
        drawn = _fitting(own, (count + 1) // 2, [])
        rest = [*lower, *own]
        drawn = _fitting(random.sample(rest, k=len(rest)), count, drawn)
        if len(drawn) == count:
            return drawn
        most = max(most, len(drawn))
    raise ConfigError(
        f"{count} mistakes of level {level} do not fit into the page {page.name} together, {most} do; take fewer, or a "
        "higher level"
    )


def _fitting(plants: Sequence[Plant], count: int, drawn: list[Plant]) -> list[Plant]:
    """Add plants that fit, one after another, until there are ``count``."""
    drawn = list(drawn)
    for plant in plants:
        if len(drawn) < count and plant.fits(drawn):
            drawn.append(plant)
    return drawn


def _draw_named(names: list[str], page: str | None, random: Random) -> tuple[Page, list[Plant]]:
    pages = [read_page(each) for each in ([page] if page else PAGES)]
    offered = sorted({plant.mistake for each in pages for plant in each.plants})
    for name in names:
        if name not in MISTAKES:
            raise ConfigError(f"no mistake called {name!r}{nearest(name, offered)}")
        if name not in offered:
            where = f"the page {page} has no place" if page else "no page has a place"
            raise ConfigError(f"{name}: {where} for it")
    for each in random.sample(pages, k=len(pages)):
        plants = [plant for plant in each.plants if plant.mistake in names]
        for _ in range(ATTEMPTS):
            drawn = _fitting(random.sample(plants, k=len(plants)), len(plants), [])
            if len(drawn) == len(set(names)):
                return each, drawn
    where = f"the page {page} has no place" if page else "no page has a place"
    raise ConfigError(f"{where} for all of these together: {', '.join(names)}; take fewer")


def new_assignment(folder: str | os.PathLike[str], assignment: Assignment, form: str = "py") -> Path:
    """Write an assignment into a new folder: what is given out into ``student``, all else into ``teacher``.

    Args:
        folder: where both are made.
        assignment: as `draw` returns it.
        form: ``py`` or ``ipynb``.

    Returns:
        The folder.

    Raises:
        ConfigError: there is no such form.
        FileError: the folder has an assignment already, or cannot be written to.
    """
    folder = as_path(folder, "folder")
    if form not in FORMATS:
        raise ConfigError(f"format: py or ipynb, not {form!r}")
    for place in (folder / "student", folder / "teacher"):
        if place.exists():
            raise FileError(f"{place} is there already; choose another folder, so that no assignment is overwritten")
    file = f"repair.{form}"
    write_together(
        {
            folder / "student" / file: formatted(assignment.text, form),
            folder / "student" / "TASK.md": _fill("task.md", **_facts(assignment, file)),
            folder / "student" / "digits.csv": given_out(),
            folder / "teacher" / "key.json": (assignment.key.model_dump_json(indent=1) + "\n").encode(),
            folder / "teacher" / "KEY.md": _fill("key.md", key=assignment.key, mistakes=MISTAKES),
            folder / "teacher" / f"solution.{form}": formatted(assignment.page.text(), form),
            folder / "teacher" / "test_repair.py": _fill("test_repair.py.txt", file=file),
        }
    )
    return folder


def _facts(assignment: Assignment, file: str) -> dict[str, Any]:
    return {
        "file": file,
        "count": len(assignment.plants),
        "expected": EXPECTED,
        "rows": f"{TRAINING_ROWS:,}",
        "run": f"python {file}" if file.endswith(".py") else f"jupyter lab {file}",
    }


def _fill(template: str, **facts: Any) -> bytes:
    text = (files(__package__) / "templates" / template).read_text("utf-8")
    filled: str = Template(text, trim_blocks=True, keep_trailing_newline=True).render(facts)
    return filled.encode()
