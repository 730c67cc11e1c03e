"""``glassnet lesson``: the lessons of the page as a list and as text, and what is wrong with one's own."""

import textwrap
from pathlib import Path
from typing import ClassVar

from rich.console import Console, JustifyMethod
from rich.markdown import Markdown, MarkdownElement, TableDataElement

from ..errors import ConfigError, nearest
from ..lessons import Lesson, Question, complaints, lesson_files, own_files, read_lesson
from ..lessons.markdown import parse
from .output import command, print_definitions, print_json, printable

__all__ = ["check_lessons", "list_lessons", "show_lesson"]

WIDTH = 80


def list_lessons(*, lessons: Path | None = None, json: bool = False) -> None:
    """List the lessons that the page has.

    Parameters
    ----------
    lessons
        Folder of your own lessons, as for `glassnet serve`.
    json
        Print the lessons as JSON, complete with steps and questions.
    """
    found = {name: _read(path) for name, path in lesson_files(lessons).items()}
    if json:
        print_json({name: lesson if isinstance(lesson, str) else lesson.model_dump() for name, lesson in found.items()})
        return
    words = {
        printable(name): printable(lesson if isinstance(lesson, str) else f"{_sentence(lesson.title)} {lesson.about}")
        for name, lesson in found.items()
    }
    print_definitions(words)
    print(f"\nOn the page: {command('serve')}\nAs text: {command('lesson', 'show', next(iter(found)))}")


def check_lessons(*files: Path) -> None:
    """Check lesson files: keys, views and their settings, questions and answers. Every error is shown, with its line.

    Parameters
    ----------
    files
        TOML files, or folders of them.
    """
    if not files:
        raise ConfigError("FILE: name one or more lesson files to check, or a folder of them")
    wrong = {file: complaints(file) for place in files for file in _toml_files(place)}
    for file, found in wrong.items():
        if found:
            print(printable("\n".join(found)))
            continue
        lesson = read_lesson(file)
        asked = sum(step.question is not None for step in lesson.step)
        print(printable(f"{file}: {_count(len(lesson.step), 'step')}, {_count(asked, 'question')}, no errors"))
    bad = [found for found in wrong.values() if found]
    if bad:
        raise ConfigError(f"{_count(sum(map(len, bad)), 'error')} in {len(bad)} of {_count(len(wrong), 'file')}")


def _toml_files(place: Path) -> list[Path]:
    """Return the files of a folder of lessons, or a file itself."""
    if not place.is_dir():
        return [place]
    if inside := own_files(place):
        return inside
    raise ConfigError(f"{place}: no lessons in it; give a TOML file, or a folder of them")


def show_lesson(name: str, /, *, lessons: Path | None = None) -> None:
    """Print a lesson as text: its words, what the page shows beside them, questions and answers.

    Parameters
    ----------
    name
        A lesson's name, or its file.
    lessons
        Folder of your own lessons, as for `glassnet serve`.
    """
    files = lesson_files(lessons)
    path = files.get(name) or Path(name)
    if name not in files and path.suffix != ".toml":
        raise ConfigError(f"no lesson called {name!r}{nearest(name, files)}; give a name or a TOML file")
    _show(read_lesson(path))


def _read(path: Path) -> Lesson | str:
    """Return a lesson, or a line that says why it cannot be shown, so that the others are listed all the same."""
    try:
        return read_lesson(path)
    except ConfigError as error:
        return f"cannot be shown: {error}"


class _Cell(TableDataElement):
    """A cell of a table, whose long words are broken: Rich would cut them off."""

    def __init__(self, justify: JustifyMethod) -> None:
        super().__init__(justify)
        self.content.overflow = "fold"


class _Text(Markdown):
    """A lesson's Markdown as text: what is not part of it stands as it is, as on the page."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {"td_open": _Cell, "th_open": _Cell}

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = parse(text)


def _show(lesson: Lesson) -> None:
    console = Console(width=WIDTH, color_system=None, highlight=False, soft_wrap=False)
    print(printable(f"{lesson.title}\n\n{textwrap.fill(lesson.about, WIDTH)}"))
    for number, step in enumerate(lesson.step, 1):
        print(printable(f"\n{number}. {step.title}\n"))
        _print_markdown(console, step.words)
        print(printable(f"\nOn the page: {step.view}"))
        if step.question:
            _show_question(console, step.question)


def _show_question(console: Console, question: Question) -> None:
    print()
    _print_markdown(console, question.ask)
    for choice in question.choices or []:
        print(textwrap.fill(printable(choice), WIDTH, initial_indent="  - ", subsequent_indent="    "))
    give = f", give or take {question.tolerance:.10g}" if question.tolerance else ""
    answer = question.answer if isinstance(question.answer, str) else f"{question.answer:.10g}{give}"
    print(printable(f"\nAnswer: {answer}"))
    _print_markdown(console, question.why)


def _print_markdown(console: Console, text: str) -> None:
    with console.capture() as captured:
        console.print(_Text(text))
    print("\n".join(line.rstrip() for line in printable(captured.get()).strip("\n").splitlines()))


def _sentence(title: str) -> str:
    return title if title.endswith((".", "?", "!", "…")) else f"{title}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
