"""``glassnet assignment``: make pages to be repaired, and check what comes back."""

import csv as csv_format
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..assignment import Finding, Key, Verdict, draw, new_assignment, read_key
from ..assignment import check as check_submission
from ..errors import ConfigError, DataError
from .output import command, percent, print_facts, print_json, print_table, printable, say

__all__ = ["check", "new"]

WIDTH = 80
SUBMISSIONS = (".py", ".ipynb")


def new(
    folder: Path,
    /,
    *,
    mistakes: str | None = None,
    level: int = 1,
    seed: int | None = None,
    format: str = "py",  # noqa: A002
    kind: str | None = None,
) -> None:
    """Write a network in NumPy with planted mistakes, a task, and a key for the teacher.

    FOLDER/student is what is given out; FOLDER/teacher has the key, the solution, and tests for an autograder.

    Parameters
    ----------
    folder
        A new folder.
    mistakes
        How many, or their names, separated by commas. Default: 2, 3 and 4 at levels 1, 2 and 3.
    level
        1: they show at once. 2: training is worse, or fails sometimes. 3: they hardly show. At least half are of this
        level, or as many as fit into the page together, the others of lower ones.
    seed
        The same seed gives the same assignment. Default: a new one each time, which key.json has.
    format
        py or ipynb.
    kind
        dense-columns, dense-rows or convolution. Default: by the seed.
    """
    drawn = draw(_mistakes(mistakes), level, seed, kind)
    new_assignment(folder, drawn, format)
    print_facts(
        {
            "page": drawn.page.name,
            "mistakes": len(drawn.plants),
            "level": drawn.key.level,
            "seed": drawn.key.seed,
            "give out": folder / "student",
            "keep": folder / "teacher",
        }
    )
    print(f"\nCheck it: {command('assignment', 'check', folder / 'student' / f'repair.{format}', '--key', folder)}")


def _mistakes(given: str | None) -> int | list[str] | None:
    """Return a number, or names, as given on the command line."""
    if given is None or re.fullmatch(r"-?\d{1,9}", given):
        return None if given is None else int(given)
    names = [name.strip() for name in given.split(",")]
    if not all(names):
        raise ConfigError(f"--mistakes {given}: a number, or names separated by commas")
    return names


def check(
    submissions: list[Path],
    /,
    *,
    key: Path | None = None,
    hint: bool = False,
    json: bool = False,
    csv: bool = False,
) -> None:
    """Check repaired networks: which mistakes are gone, which remain, and what they reach.

    Each runs in processes of its own, with limits of time and memory, without network or files.

    Parameters
    ----------
    submissions
        Files .py or .ipynb, or folders of such files.
    key
        key.json of the assignment, or its folder. Without it, all mistakes found are listed, planted or not.
    hint
        Say for each remaining mistake what would be right.
    json
        Print the results as JSON.
    csv
        Print a table as CSV, one row for each submission.
    """  # noqa: D405, D411, D416  # hint is a flag, not a section
    if json and csv:
        raise ConfigError("--json or --csv, not both")
    opened = read_key(key) if key is not None else None
    checked = _checked(_files(submissions), opened)
    verdicts = _print_csv(checked) if csv else list(checked)
    if unenforced := dict.fromkeys(line for verdict in verdicts for line in verdict.unenforced):
        say(f"Not limited on this machine: {'; '.join(unenforced)}")
    if json:
        print_json([verdict.to_json(hint) for verdict in verdicts])
    elif not csv and len(verdicts) == 1:
        if verdicts[0].error:
            raise DataError(_with_file(verdicts[0]))
        _show(verdicts[0], hint)
    elif not csv:
        _show_all(verdicts)


def _checked(files: list[Path], key: Key | None) -> Iterator[Verdict]:
    for number, file in enumerate(files, 1):
        if len(files) > 1:
            say(f"{number} of {len(files)}: {file}")
        yield check_submission(file, key)


def _files(places: list[Path]) -> list[Path]:
    """Return the files, those of folders sorted. Hidden folders are left out."""
    found = []
    for place in places:
        if not place.is_dir():
            found.append(place)
            continue
        inside = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUBMISSIONS and path.is_file())
        inside = [path for path in inside if not any(p.startswith(".") for p in path.relative_to(place).parts)]
        keys = dict.fromkeys(path.parent for path in inside if _is_teachers(path.parent))
        for folder in keys:
            say(f"{folder}: not checked, as it holds the key of an assignment")
        inside = [path for path in inside if path.parent not in keys]
        if not inside:
            raise DataError(f"{place}: there is no .py or .ipynb file in this folder")
        found += inside
    return found


def _is_teachers(folder: Path) -> bool:
    """Whether a folder is what `new_assignment` makes for the teacher; a student's may hold some key.json."""
    return (folder / "key.json").exists() and (folder.resolve().name == "teacher" or (folder / "KEY.md").exists())


def _with_file(verdict: Verdict) -> str:
    return verdict.reason if verdict.reason.startswith(verdict.file) else f"{verdict.file}: {verdict.reason}"


def _show(verdict: Verdict, hint: bool) -> None:
    if verdict.planted is not None:
        _paragraph(f"gone: {len(verdict.gone)} of {verdict.planted}" + "".join(f"\n  {name}" for name in verdict.gone))
    for title, findings in (("remaining", verdict.remaining), ("new", verdict.new)):
        if findings:
            _paragraph(f"{title}: {len(findings)}")
            for finding in findings:
                _show_finding(finding, hint)
    if verdict.hidden:
        _paragraph(f"hidden: {len(verdict.hidden)}, which may or may not be there")
        for each in verdict.hidden:
            _item(f"{each.name}, in {each.function}: {each.reason}")
    reached = "none" if verdict.accuracy is None else percent(verdict.accuracy)
    reached += f"; {verdict.training}" if verdict.training else ""
    if verdict.loading:
        _paragraph(f"stops when it is run: {verdict.loading}")
    _paragraph(f"accuracy on unseen images: {reached}")
    _paragraph(f"expected of a repaired one: at least {percent(verdict.expected)}")
    print(printable("Repaired." if verdict.repaired else "Not repaired yet."))


def _show_finding(finding: Finding, hint: bool) -> None:
    _item(f"{finding.name}, in {finding.function}: {finding.evidence}")
    if hint:
        _item(finding.hint, "    ")


def _item(text: str, indent: str = "  ") -> None:
    print(
        printable(textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent + "  "))
    )


def _paragraph(text: str) -> None:
    for line in text.splitlines():
        print(printable(textwrap.fill(line, WIDTH, subsequent_indent="  ")))


def _show_all(verdicts: list[Verdict]) -> None:
    header = ["submission", "repaired", "gone", "left", "new", "hidden", "accuracy"]
    rows = [
        [
            verdict.file,
            "yes" if verdict.repaired else "no",
            "" if verdict.planted is None else f"{len(verdict.gone)} of {verdict.planted}",
            len(verdict.remaining),
            len(verdict.new),
            len(verdict.hidden),
            "–" if verdict.accuracy is None else percent(verdict.accuracy),
        ]
        for verdict in verdicts
        if not verdict.error
    ]
    if rows:
        print_table(header, rows)
    for verdict in verdicts:
        if verdict.reason:
            print(printable(_with_file(verdict)))


def _print_csv(checked: Iterable[Verdict]) -> list[Verdict]:
    """Print each verdict as soon as it is there: what stops the check later takes none of these rows away."""
    writer = csv_format.writer(sys.stdout, lineterminator="\n")
    verdicts: list[Verdict] = []
    for verdict in checked:
        row = verdict.to_row()
        if not verdicts:
            writer.writerow(row)
        writer.writerow(map(_cell, row.values()))
        sys.stdout.flush()
        verdicts.append(verdict)
    return verdicts


def _cell(value: object) -> object:
    """Return text such that a spreadsheet takes it for text: none that begins like a formula."""
    text = printable(value) if isinstance(value, str) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@")) else text
