"""``glassnet compare``: settings and results of several runs."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from ..comparison import ComparedRun, RunComparison, compare_runs
from ..files import write_atomically
from ..logs import refuse_run_folder, rows_as_csv
from ..training import find_runs
from .output import percent, print_json, print_table, printable, require_ending, say

__all__ = ["compare"]

WIDTH = 80
LONGEST_NAME, LONGEST_SETTING = 26, 20


def compare(
    runs: list[Path] | None = None,
    /,
    *,
    test: bool = False,
    csv: Path | None = None,
    json: bool = False,
) -> None:
    """Compare runs: results, and the settings in which they differ.

    Sorted by validation accuracy, best first. The best epoch is that of the saved model. Of a run that has not
    completed all its epochs, how many it has. For an ensemble, epochs and seconds are totals over its members.

    Parameters
    ----------
    runs
        Run folders, or folders of runs. Default: runs.
    test
        Add the test accuracy of each model. Choose a run by its validation accuracy, and look at this only at the end.
    csv
        Also write the table to this CSV file.
    json
        Print one object per run as JSON: run, results, and the settings that differ.
    """
    require_ending("--csv", csv, ".csv")
    if csv is not None:
        refuse_run_folder(csv)
    comparison = compare_runs((run for place in runs or [Path("runs")] for run in find_runs(place)), test=test)
    if csv is not None:
        write_atomically(csv, rows_as_csv(comparison.rows(), comparison.columns).encode())
    if json:
        print_json(comparison.rows())
        for note in comparison.notes:
            say(note)
        return
    _print(comparison)
    if csv is not None:
        print(printable(f"\n{csv}    the table"))


def _print(comparison: RunComparison) -> None:
    names = _shortened([line.name for line in comparison.lines], LONGEST_NAME)
    accuracy = ["test"] * comparison.test
    print_table(
        ["run", "validation", "loss", "best", "epochs", "seconds", *accuracy],
        [
            [name, *_results(line), *[percent(line.test_accuracy)] * comparison.test]
            for name, line in zip(names, comparison.lines, strict=True)
        ],
    )
    columns = [
        [setting, *_shown([getattr(line.run.config, setting) for line in comparison.lines])]
        for setting in comparison.settings
    ]
    for block in _blocks(columns, WIDTH - max(map(len, ["run", *names]))):
        print()
        print_table(["run", *(column[0] for column in block)], list(zip(names, *(c[1:] for c in block), strict=True)))
    if len(names) > 1 and not columns:
        print("\nThe settings are the same.")
    for note in comparison.notes:
        print("\n" + fill(printable(note), WIDTH, break_long_words=False, break_on_hyphens=False))


def _results(line: ComparedRun) -> list[str]:
    loss = "–" if line.validation_loss is None else f"{line.validation_loss:.4f}"
    best = "–" if line.best_epoch is None else str(line.best_epoch)
    total = line.run.config.epochs * line.run.config.members
    done = str(total) if line.epochs_done == total else f"{line.epochs_done} of {total}"
    return [percent(line.validation_accuracy), loss, best, done, f"{line.seconds:,.1f}"]


def _blocks(columns: Sequence[list[str]], width: int) -> list[list[list[str]]]:
    """Return the columns in groups, each of which fits beside the names."""
    blocks: list[list[list[str]]] = []
    left = 0
    for column in columns:
        needed = 2 + max(map(len, column))
        if needed > left:
            blocks.append([])
            left = width
        blocks[-1].append(column)
        left -= needed
    return blocks


def _shown(values: list[Any]) -> list[str]:
    """Return a setting of each run as it would be typed, or a dash if it is not set."""
    texts = [" ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values]
    empty = [value is None or value == () for value in values]
    return _shortened(["–" if unset else text for unset, text in zip(empty, texts, strict=True)], LONGEST_SETTING)


def _shortened(texts: list[str], most: int) -> list[str]:
    """Take out the middle of what is too long: a time is at one end and a recipe at the other.

    Where that would make two of them the same, all stay as they are.
    """
    half = most // 2
    short = [text if len(text) <= most else f"{text[: half - 1]}…{text[-half:]}" for text in texts]
    return short if len(set(short)) == len(set(texts)) else texts
