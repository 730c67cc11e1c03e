"""Which planted mistakes explain what a function of a submission returns?

The function is called with random arrays. The page is run with every set of the mistakes that can be planted in that
function, with the same arrays; the smallest set that gives the same results is the answer. Where the function calls
others of the page, these have the mistakes that were found in them.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np

from .comparing import Results, factor, numbers, same, told_apart
from .page import Page, Plant, run_page
from .probes import outputs, probes
from .submission import CallError, Submission
from .verdict import UNKNOWN, Finding

__all__ = ["compare_function"]

ROWS = "wrong-row-count"


class _Asked:
    """A function of a submission with what it has returned for each probe."""

    def __init__(self, submission: Submission, page: Page, function: str, rng: np.random.Generator) -> None:
        self.page, self.function = page, function
        self.probes = list(probes(page, function, rng))
        right = [run_page(page)[function](*arguments) for _, arguments in self.probes]
        self.single = [not isinstance(result, list | tuple) for result in right]
        self.names = [outputs(page, function, 1 if one else len(r)) for r, one in zip(right, self.single, strict=True)]
        self.results: list[Results] = []
        self.failure = ""
        for i, (words, arguments) in enumerate(self.probes):
            try:
                found = numbers(submission.call(function, *arguments), self.names[i], self.single[i])
            except CallError as error:
                found = f"it failed: {error}"
            if isinstance(found, str):
                self.failure = f"with {words}, {found}"
                return
            self.results.append(found)

    def expected(self, plants: Iterable[Plant]) -> list[Results]:
        """Return what the page with mistakes planted returns for each probe."""
        run = run_page(self.page, frozenset(plants))[self.function]
        with np.errstate(all="ignore"):
            found = [run(*arguments) for _, arguments in self.probes]
        return [[np.asarray(a) for a in ([r] if one else r)] for r, one in zip(found, self.single, strict=True)]

    def told(self, ours: list[Results]) -> str:
        """Say where the results differ from ours, and where they do not."""
        right: list[str] = []
        wrong: list[str] = []
        for (words, _), theirs, mine, names in zip(self.probes, self.results, ours, self.names, strict=True):
            difference = "" if same(theirs, mine) else told_apart(theirs, mine, names)
            (wrong if difference else right).append(f"{difference} with {words}" if difference else words)
        return wrong[0] + (f"; right with {right[0]}" if right and len(wrong) < len(self.probes) else "")


def compare_function(
    submission: Submission, page: Page, function: str, callees: frozenset[Plant], rng: np.random.Generator
) -> tuple[list[Finding], frozenset[Plant]]:
    """Find the mistakes of a function; ``callees`` are those found in the functions that it calls.

    Returns:
        The findings, and the mistakes as they would be planted in the page.
    """
    asked = _Asked(submission, page, function, rng)
    if asked.failure:
        return [Finding(UNKNOWN, function, asked.failure)], frozenset()
    right = asked.expected(callees)
    for chosen in _sets(page.planted_in(function)):
        expected = asked.expected(callees | chosen)
        if all(map(same, asked.results, expected)):
            return [_finding(asked, plant, callees | chosen) for plant in chosen], frozenset(chosen)
    if function == "backward":
        for chosen in _sets([plant for plant in page.planted_in(function) if plant.mistake != ROWS]):
            factors = _factors(asked, asked.expected(callees | chosen))
            if factors and min(factors) > 0 and not np.allclose(factors, factors[0]):  # so it is the number of rows
                rows = Finding(ROWS, function, _told(asked, factors))
                return [_finding(asked, p, callees | chosen) for p in chosen] + [rows], frozenset(chosen)
        if factors := _factors(asked, right):
            return [Finding(UNKNOWN, function, _told(asked, factors))], frozenset()
    return [Finding(UNKNOWN, function, asked.told(right))], frozenset()


def _sets(plants: list[Plant]) -> Iterator[frozenset[Plant]]:
    """Yield each set of mistakes that can be planted together, small ones first."""
    for count in range(len(plants) + 1):
        for chosen in combinations(plants, count):
            if all(plant.fits(chosen[:i]) for i, plant in enumerate(chosen)):
                yield frozenset(chosen)


def _finding(asked: _Asked, plant: Plant, there: frozenset[Plant]) -> Finding:
    """Say what the mistake changes, beside all others that are there, with the first arrays that show it."""
    pairs = zip(asked.expected(there), asked.expected(there - {plant}), strict=True)
    told = [told_apart(having, without, names) for (having, without), names in zip(pairs, asked.names, strict=True)]
    first = next(i for i, difference in enumerate(told) if difference)
    return Finding(plant.mistake, asked.function, f"{told[first]} with {asked.probes[first][0]}")


def _factors(asked: _Asked, ours: list[Results]) -> list[float]:
    """Return by which factor all results are too large for each probe, or nothing where one has no such factor."""
    factors: list[float] = []
    for theirs, mine in zip(asked.results, ours, strict=True):
        found = factor(theirs, mine)
        if found is None:
            return []
        factors.append(found)
    return factors


def _told(asked: _Asked, factors: list[float]) -> str:
    told = [
        f"{found:.3g} × the right ones with {words}" for found, (words, _) in zip(factors, asked.probes, strict=True)
    ]
    return f"all gradients are {', '.join(told)}"
