"""The key of an assignment: what was planted, for the teacher."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..clinic import MISTAKES
from ..errors import FileError
from ..files import as_path, read_regular
from .page import PAGES, Page, Plant

__all__ = ["Key", "PlantedMistake", "make_key", "read_key"]

LARGEST = 1 << 20  # bytes


class PlantedMistake(BaseModel):
    """One planted mistake.

    Attributes:
        mistake: its name in `glassnet.clinic.MISTAKES`.
        function: the function that has it.
        level: 1 to 3.
        lines: the numbers of its lines in the page, from 1.
        wrong: these lines as given out.
        right: these lines as they should be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mistake: str
    function: str
    level: int
    lines: tuple[int, ...]
    wrong: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def changes(self) -> list[tuple[int, str, str]]:
        """Each line's number, the line as given out, and as it should be."""
        return list(zip(self.lines, self.wrong, self.right, strict=True))


class Key(BaseModel):
    """What an assignment is made of.

    Attributes:
        page: one of `glassnet.assignment.PAGES`.
        level: 1 to 3.
        seed: with which it was drawn.
        mistakes: what was planted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    page: str
    level: int
    seed: int
    mistakes: tuple[PlantedMistake, ...]


def make_key(page: Page, plants: Sequence[Plant], level: int, seed: int) -> Key:
    """Return the key of a page with mistakes planted."""
    return Key(page=page.name, level=level, seed=seed, mistakes=tuple(_planted(page, plant) for plant in plants))


def _planted(page: Page, plant: Plant) -> PlantedMistake:
    first = plant.lines[0][0]
    function = next(n for n, item in page.functions.items() if item.lineno <= first + 1 <= (item.end_lineno or 0))
    return PlantedMistake(
        mistake=plant.mistake,
        function=function,
        level=plant.level,
        lines=tuple(number + 1 for number, _ in plant.lines),
        wrong=tuple(wrong.strip() for _, wrong in plant.lines),
        right=tuple(page.lines[number].strip() for number, _ in plant.lines),
    )


def read_key(path: str | os.PathLike[str]) -> Key:
    """Read ``key.json``, or that of the folder that `new_assignment` made.

    Raises:
        FileError: it cannot be read, or is not a key.
    """
    path = as_path(path)
    for inside in (Path("teacher", "key.json"), Path("key.json")):
        if path.is_dir() and (path / inside).is_file():
            path = path / inside
    try:
        key = Key.model_validate(json.loads(read_regular(path, LARGEST)))
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}); give the key.json of the assignment") from error
    except (ValueError, RecursionError, ValidationError) as error:
        raise FileError(f"{path}: not the key of an assignment; give the key.json from its teacher folder") from error
    unknown = [f"page {key.page!r}"] if key.page not in PAGES else []
    unknown += [f"mistake {each.mistake!r}" for each in key.mistakes if each.mistake not in MISTAKES]
    if unknown:
        raise FileError(f"{path}: there is no {unknown[0]} in this version of glassnet; make the assignment again")
    return key
