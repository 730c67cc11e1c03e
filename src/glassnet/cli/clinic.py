"""``glassnet clinic``: a mistake beside its cure."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ..clinic import MISTAKES, Mistake
from ..data import Dataset, load_dataset
from ..errors import ConfigError, FileError, nearest
from ..study import study, study_notebook
from ..study.pairs import circumstances
from ..study.results import Chain, Comparison, Course
from ..study.tables import breaks, budget_words, chain_table, comparison_table, doctor_words, setting_words
from ..training import notebook_names, recipe_summary
from .chart import draw_chart
from .flags import Source
from .output import command, print_definitions, print_json, print_table, say

__all__ = ["WIDTH", "clinic", "explain", "paragraph", "show_curves", "show_findings"]

WIDTH = 80


def clinic(
    name: str | None = None,
    /,
    *,
    data: Source = "digits",
    seed: int | None = None,
    json: bool = False,
    report: Path | None = None,
) -> None:
    """Run a common mistake beside its cure, and measure what the mistake costs.

    Accuracy is measured on images that neither run trains or validates on. They are taken from the training images; the
    test images are not used. A mistake takes six runs, three with it and three without; a notebook one run more than it
    has mistakes.

    Parameters
    ----------
    name
        A mistake, or a notebook, whose mistakes are then cured one after another. Without a name, all are listed.
    data
        As for `glassnet train`.
    seed
        For a mistake, the first of three seeds. Default: 0. For a notebook, its only seed. Default: that of its recipe.
    json
        Print the measurements as JSON.
    report
        Write figures and a page to this folder. Without a name, the page has every mistake; this takes a minute or two.
    """
    if name is not None and name not in MISTAKES and name not in notebook_names():
        known = [*MISTAKES, *notebook_names()]
        raise ConfigError(f"no mistake or notebook called {name!r}{nearest(name.lower(), known)}")
    if name is None and report is None:
        if data != "digits" or seed is not None:
            raise ConfigError("--data and --seed: name a mistake or notebook to run, or give --report FOLDER")
        _list(json)
        return
    if report is not None:
        _require_folder(report)
    dataset = load_dataset(data)
    names = list(circumstances()) if name is None else [name]
    results = [_study(each, dataset, seed, number, len(names)) for number, each in enumerate(names, 1)]
    page = None
    if report is not None:
        from ..study.page import write_study_page

        page = write_study_page(results, report)
    if json:
        print_json([result.to_json() for result in results] if name is None else results[0].to_json())
        return
    if name is not None:
        _show(results[0])
    if page is not None:
        print(f"{'' if name is None else chr(10)}{page}    open it in a browser")


def _study(name: str, dataset: Dataset, seed: int | None, number: int, of: int) -> Comparison | Chain:
    """Run one study, and show the progress of a long one on standard error."""
    if name in MISTAKES:
        if of > 1:
            say(f"{number} of {of}: {name}")
        first = seed or 0
        return study(name, dataset, range(first, first + 3))
    return study_notebook(name, dataset, seed, _announce)


def _announce(stage: int, stages: int, cured: str) -> None:
    say(f"run {stage + 1} of {stages}: " + (f"{cured} cured" if cured else "as written"))


def _require_folder(folder: Path) -> None:
    """Make the folder now, so that a folder that cannot be written to is reported before the work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be created ({error.strerror}); choose another --report") from error
    if not os.access(folder, os.W_OK):
        raise FileError(f"{folder}: cannot be written to; choose another --report")


def _list(json: bool) -> None:
    names = circumstances()
    recipes = {name: recipe_summary(name) for name in notebook_names()}
    if json:
        words = ("summary", "wrong", "right", "effect", "symptom", "check", "tutorial")
        print_json(
            {
                "mistakes": {name: {word: getattr(MISTAKES[name], word) for word in words} for name in names},
                "notebooks": recipes,
            }
        )
        return
    print_definitions({name: MISTAKES[name].summary for name in names})
    print("\nThe notebooks that make them:\n")
    print_definitions(recipes)
    print(f"\nRun one beside its cure: {command('clinic', next(iter(MISTAKES)))}")


def _show(result: Comparison | Chain) -> None:
    if isinstance(result, Comparison):
        _show_comparison(result)
    else:
        _show_chain(result)


def _show_comparison(result: Comparison) -> None:
    mistake = MISTAKES[result.mistake]
    explain(mistake)
    learned, held, truth = result.images
    seeds = ", ".join(map(str, result.seeds))
    where = (
        f"Both on {result.data}: {learned:,} training images, {held:,} validation images, {truth:,} seen by neither; "
        f"{setting_words(result.circumstances)}. The curves are of seed {result.seeds[0]}, the table of {seeds}."
    )
    paragraph(where)
    show_curves(result.planted[0], result.cured[0], "the mistake")
    print()
    print_table(*comparison_table(result))
    show_findings(result.planted[0], [result.mistake])


def explain(mistake: type[Mistake]) -> None:
    """Print what a mistake is, and what tells of it."""
    print(mistake.name)
    print(textwrap.fill(mistake.summary, WIDTH))
    print()
    for side, equation in (("wrong", mistake.wrong), ("right", mistake.right)):
        parts = [part.strip() for part in equation.split("    ") if part.strip()]
        for i, part in enumerate(parts if len(equation) > WIDTH - 9 else [equation]):
            print(f"  {'' if i else side:<7}{part}")
    print()
    read_more = {"read more": f"docs/tutorial/{mistake.tutorial}.md"} if mistake.tutorial else {}
    print_definitions(
        {"what it does": mistake.effect, "how to notice": mistake.symptom, "what catches it": mistake.check} | read_more
    )


def _show_chain(result: Chain) -> None:
    first, *_, last = result.stages
    what = recipe_summary(result.notebook)
    own = budget_words(result.budget)
    how = f"Run here on {result.data}{own} with its mistakes cured one after another (seed {result.seed})."
    print(textwrap.fill(f"{what} {how}", WIDTH))
    print()
    print_table(*chain_table(result))
    paragraph(
        "Gain: percentage points of accuracy on images that no run has seen. A cure can gain nothing, or lose, as long "
        "as another mistake hides its effect."
    )
    show_curves(first.course, last.course, "as written")
    show_findings(first.course, first.mistakes)


def show_findings(course: Course, planted: Sequence[str]) -> None:
    """Print what the doctor finds in a run with mistakes, and the evidence."""
    paragraph(doctor_words(course, planted))
    for name, evidence in course.findings:
        print(textwrap.fill(f"{name}: {evidence}", WIDTH, initial_indent="  ", subsequent_indent="    "))


def show_curves(wrong: Course, right: Course, name: str) -> None:
    """Print the curves of a run with a mistake, which are called by ``name``, and of the cured one."""
    mark = "   ! broke" if wrong.broken else ""
    broken = "x" if wrong.broken else ""
    print(f"\ntraining loss (nats)     x {name}   o cured   * both{mark}")
    losses = {
        letter: [(point.step, point.loss) for point in course.points if point.loss is not None]
        for letter, course in (("o", right), ("x", wrong))
    }
    print(draw_chart(losses, broken))
    print(f"\naccuracy on new images   x {name}   o cured   * both   . reported{mark}")
    shares: dict[str, Sequence[tuple[int, float]]] = {
        ".": [(point.step, point.reported) for point in wrong.points if point.reported is not None],
        "o": [(point.step, point.true) for point in right.points],
        "x": [(point.step, point.true) for point in wrong.points],
    }
    print(draw_chart(shares, broken, share=True))
    if wrong.broken:
        paragraph(breaks(wrong))


def paragraph(text: str) -> None:
    """Print an empty line and words, as lines of 80 columns at most."""
    print("\n" + textwrap.fill(text, WIDTH))
