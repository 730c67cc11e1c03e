"""Studies on one page, with their figures as PNG files beside it: an atlas of mistakes for handouts."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..clinic import MISTAKES, Mistake
from ..files import write_atomically
from ..page import fill_page, image, png, table_row
from ..training import recipe_summary
from .plots import compared_accuracy, compared_loss
from .results import Chain, Comparison, Course
from .tables import breaks, chain_table, comparison_table, cost, doctor_words, setting_words

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
    many = len(results) > 1
    sections = [
        _comparison(result, folder, f"<h2>{result.mistake}</h2>\n" if many else "")
        if isinstance(result, Comparison)
        else _chain(result, folder)
        for result in results
    ]
    comparisons = [result for result in results if isinstance(result, Comparison)]
    first = results[0]
    page = fill_page(
        "study/study.html",
        title="What mistakes cost" if many else _name(first),
        data=escape(first.data),
        overview=_overview(comparisons) if many else "",
        sections="\n".join(sections),
    )
    path = folder / "clinic.html"
    write_atomically(path, page.encode())
    return path


def _name(result: Comparison | Chain) -> str:
    return result.mistake if isinstance(result, Comparison) else result.notebook


def _overview(comparisons: Sequence[Comparison]) -> str:
    """Return the table at the beginning of an atlas: what each mistake costs."""
    rows = []
    for comparison in comparisons:
        _, (_, reported, true) = comparison_table(comparison)
        name = f'<a href="#{comparison.mistake}">{comparison.mistake}</a>'
        points = f"{cost(comparison):+.1f}".replace("-", "−")
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in (reported[1], true[1], true[2], points))
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    header = ["mistake", "reported with it", "new images with it", "new images, cured", "cost, points"]
    return f"<section>\n<h2>In short</h2>\n{_table('In short', header, rows)}\n</section>"


def _comparison(result: Comparison, folder: Path, heading: str) -> str:
    mistake = MISTAKES[result.mistake]
    header, rows = comparison_table(result)
    learned, held, truth = result.images
    how = (
        f"{learned:,} training images, {held:,} validation images, {truth:,} seen by neither; "
        f"{setting_words(result.circumstances)}. Curves of seed {result.seeds[0]}; table: mean and standard deviation "
        f"over {len(result.seeds)} seeds."
    )
    return f"""<section id="{result.mistake}">
{heading}<p class="lead">{escape(mistake.summary)}</p>
{_equations(mistake)}
{_curves(result.planted[0], result.cured[0], result.classes, "the mistake", result.mistake, folder)}
<div class="words">
{_words(mistake)}
<div>{_table("What was measured", header, [table_row(*row) for row in rows])}
<p class="how">{escape(how)}</p></div>
</div>
{_findings(result.planted[0], [result.mistake])}
</section>"""


def _chain(result: Chain, folder: Path) -> str:
    header, rows = chain_table(result)
    first, *_, last = result.stages
    own = f" with {setting_words(result.budget)}, as its images ask for," if result.budget else ""
    what = recipe_summary(result.notebook)
    return f"""<section id="{result.notebook}">
<h2>One cure after another</h2>
<p class="lead">{escape(what)} Run here{escape(own)} as it was written, then with its mistakes cured one after
another.</p>
{_table("What was measured", header, [table_row(*row) for row in rows])}
<p class="how">Gain: percentage points of accuracy on images that no run has seen. A cure can gain nothing, or lose, as
long as another mistake hides its effect. Seed {result.seed}.</p>
{_curves(first.course, last.course, result.classes, "as written", result.notebook, folder)}
{_findings(first.course, first.mistakes)}
</section>"""


def _findings(course: Course, planted: Sequence[str]) -> str:
    found = "".join(f"<dt>{escape(name)}</dt><dd>{escape(evidence)}</dd>" for name, evidence in course.findings)
    words = f'<p class="how">{escape(doctor_words(course, planted))}</p>'
    return f'<div class="words"><div>{words}{f"<dl>{found}</dl>" if found else ""}</div></div>'


def _equations(mistake: type[Mistake]) -> str:
    sides = (("wrong", "as it was written", mistake.wrong), ("right", "as it should be", mistake.right))
    boxes = []
    for side, words, equation in sides:
        parts = "".join(f"<span>{escape(part)}</span>" for part in re.split(r"\s{4,}", equation))
        boxes.append(f'<div class="{side}"><p>{words}</p><p class="equation">{parts}</p></div>')
    return f'<div class="equations">{"".join(boxes)}</div>'


def _words(mistake: type[Mistake]) -> str:
    words = {"What it does": mistake.effect, "How to notice": mistake.symptom, "What catches it": mistake.check}
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in words.items()) + "</dl>"


def _curves(wrong: Course, right: Course, classes: int, name: str, stem: str, folder: Path) -> str:
    """Write both figures, and return them for the page."""
    figures = {"loss": compared_loss(wrong, right, classes, name), "accuracy": compared_accuracy(wrong, right, name)}
    images = []
    for kind, figure in figures.items():
        content = png(figure)
        write_atomically(folder / f"{stem}-{kind}.png", content)
        images.append(image(content, f"{figure.axes[0].get_title(loc='left')}: {name} and cured"))
    broken = f'<p class="how">{escape(breaks(wrong))}</p>' if wrong.broken else ""
    return f'<div class="curves">{"".join(images)}</div>{broken}'


def _table(label: str, header: Sequence[str], rows: Sequence[str]) -> str:
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(label)}">\n<table class="numbers">\n'
        f"<thead><tr>{names}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>\n</div>"
    )
