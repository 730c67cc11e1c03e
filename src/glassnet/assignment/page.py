"""Pages of code to be repaired: a right network, and for some of its lines wrong ones.

A page is a text in `pages`. Below a right line may stand others that begin with ``#!``, each with the name of a
mistake, the variant of it where there are several, a level, and the wrong line:

    db2 = dZ2.sum(axis=1, keepdims=True)
    #! one-bias-gradient/both 2: db2 = np.full(b2.shape, dZ2.sum())

Wrong lines of one mistake and variant are planted together. So the right page, all mistakes and all cures are one text,
and it is also what a submission is compared with.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from ..errors import ConfigError, nearest

__all__ = ["PAGES", "Page", "Plant", "read_page"]

PAGES = ("dense-columns", "dense-rows", "convolution")
"""The names of the pages."""
WRONG = re.compile(r"\s*#! (?P<mistake>[a-z-]+)(?:/(?P<variant>[a-z-]+))? (?P<level>\d): (?P<text>.+)")


@dataclass(frozen=True)
class Plant:
    """One mistake as it is planted in a page.

    Attributes:
        mistake: its name in `glassnet.clinic.MISTAKES`.
        variant: which one of those that the page has of it, or "".
        level: 1 where it shows at once in training, 2 where training is worse or sometimes fails, 3 where it hardly
            shows.
        lines: the wrong lines, each with the number of the right line, from 0, that it replaces.
    """

    mistake: str
    variant: str
    level: int
    lines: tuple[tuple[int, str], ...]

    def fits(self, others: Iterable["Plant"]) -> bool:
        """Whether it can be planted beside others: another mistake, in other lines."""
        own = {number for number, _ in self.lines}
        return all(
            self.mistake != other.mistake and own.isdisjoint(number for number, _ in other.lines) for other in others
        )


@dataclass(frozen=True, eq=False)
class Page:
    """A right page and what can be planted in it.

    Attributes:
        name: one of `PAGES`.
        lines: of the right page.
        plants: all that can be planted.
    """

    name: str
    lines: tuple[str, ...]
    plants: tuple[Plant, ...]

    def text(self, plants: Iterable[Plant] = ()) -> str:
        """Return the page with mistakes planted."""
        lines = list(self.lines)
        for plant in plants:
            for number, wrong in plant.lines:
                lines[number] = wrong
        return "\n".join(lines) + "\n"

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The functions by name, in the order of the page."""
        return {item.name: item for item in ast.parse(self.text()).body if isinstance(item, ast.FunctionDef)}

    def planted_in(self, function: str) -> list[Plant]:
        """Return what can be planted in a function."""
        item = self.functions[function]
        return [plant for plant in self.plants if item.lineno <= plant.lines[0][0] + 1 <= (item.end_lineno or 0)]

    def called_by(self, function: str) -> set[str]:
        """Return the functions of the page that a function calls, and those that these call."""
        functions = self.functions
        names = {node.id for node in ast.walk(functions[function]) if isinstance(node, ast.Name)}
        direct = names & set(functions)
        return direct.union(*(self.called_by(name) for name in direct))


@cache
def read_page(name: str) -> Page:
    """Read a page.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in PAGES:
        raise ConfigError(f"no page called {name!r}{nearest(name, PAGES)}")
    lines: list[str] = []
    wrong: dict[tuple[str, str, int], list[tuple[int, str]]] = {}
    for line in (files(__package__) / "pages" / f"{name}.txt").read_text("utf-8").splitlines():
        if found := WRONG.fullmatch(line):
            right = lines[-1]
            indent = right[: len(right) - len(right.lstrip())]
            plant = found["mistake"], found["variant"] or "", int(found["level"])
            wrong.setdefault(plant, []).append((len(lines) - 1, indent + found["text"]))
        else:
            lines.append(line)
    return Page(name, tuple(lines), tuple(Plant(*plant, tuple(changes)) for plant, changes in wrong.items()))


@cache
def run_page(page: Page, plants: frozenset[Plant] = frozenset()) -> dict[str, Any]:
    """Run a page with mistakes planted in it, and return its names. It computes in float64."""
    names: dict[str, Any] = {"__name__": page.name}
    exec(compile(page.text(plants), f"{page.name}.txt", "exec"), names)
    return names
