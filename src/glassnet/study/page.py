"""Studies on one page, with their figures as PNG files beside it: an atlas of mistakes for handouts."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..clinic import MISTAKES
from ..files import write_atomically
from ..page import png, write_html
from ..training import recipe_summary
from .plots import compared_accuracy, compared_loss
from .results import Chain, Comparison, Course
from .tables import breaks, budget_words, chain_table, comparison_table, cost, doctor_words, setting_words

__all__ = ["write_study_page"]


def write_study_page(results: Sequence[Comparison | Chain], folder: Path) -> Path:
    """Write ``clinic.html``, and two PNG figures for each study, into ``folder``.

    Args:
        results: what the page shows, in this order.
        folder: where to write; it is created if missing.

    Returns:
        The path of the page, which is written last.

    Raises:
        FileError: the folder cannot be written to.
    """
    studies = [
        _comparison(result, folder) if isinstance(result, Comparison) else _chain(result, folder) for result in results
    ]
    many = len(results) > 1
    return write_html(
        folder / "clinic.html",
        "study/study.html",
        title="What mistakes cost" if many else studies[0]["name"],
        data=results[0].data,
        overview=[_costs(result) for result in results if isinstance(result, Comparison)] if many else [],
        studies=studies,
    )


def _costs(comparison: Comparison) -> list[str]:
    """Return the row of the table at the beginning of an atlas: what a mistake costs."""
    _, (_, reported, true) = comparison_table(comparison)
    points = f"{cost(comparison):+.1f}".replace("-", "−")
    return [comparison.mistake, reported[1], true[1], true[2], points]


def _comparison(result: Comparison, folder: Path) -> dict[str, Any]:
    mistake = MISTAKES[result.mistake]
    header, rows = comparison_table(result)
    learned, held, truth = result.images
    how = (
        f"{learned:,} training images, {held:,} validation images, {truth:,} seen by neither; "
        f"{setting_words(result.circumstances)}. Curves of seed {result.seeds[0]}; table: mean and standard deviation "
        f"over {len(result.seeds)} seeds."
    )
    planted, cured = result.planted[0], result.cured[0]
    return {
        "name": result.mistake,
        "mistake": mistake,
        "wrong": _parts(mistake.wrong),
        "right": _parts(mistake.right),
        "header": header,
        "rows": rows,
        "how": how,
        **_course(planted, [result.mistake]),
        "figures": _figures(planted, cured, result.classes, "the mistake", result.mistake, folder),
    }


def _chain(result: Chain, folder: Path) -> dict[str, Any]:
    header, rows = chain_table(result)
    first, *_, last = result.stages
    return {
        "name": result.notebook,
        "summary": recipe_summary(result.notebook),
        "budget": budget_words(result.budget),
        "header": header,
        "rows": rows,
        "seed": result.seed,
        **_course(first.course, first.mistakes),
        "figures": _figures(first.course, last.course, result.classes, "as written", result.notebook, folder),
    }


def _course(course: Course, planted: Sequence[str]) -> dict[str, Any]:
    """Return how a run with mistakes broke, and what the doctor found in it."""
    return {"breaks": breaks(course), "doctor": doctor_words(course, planted), "findings": course.findings}


def _parts(equation: str) -> list[str]:
    """Return the equations of a line, which four or more spaces part."""
    return re.split(r"\s{4,}", equation)


def _figures(wrong: Course, right: Course, classes: int, name: str, stem: str, folder: Path) -> list[dict[str, Any]]:
    """Write both figures, and return them for the page."""
    figures = {"loss": compared_loss(wrong, right, classes, name), "accuracy": compared_accuracy(wrong, right, name)}
    found = []
    for kind, figure in figures.items():
        content = png(figure)
        write_atomically(folder / f"{stem}-{kind}.png", content)
        found.append({"png": content, "words": f"{figure.axes[0].get_title(loc='left')}: {name} and cured"})
    return found
