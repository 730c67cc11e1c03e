"""The record of a run: JSON lines, one an epoch in ``history.jsonl``, and some a second in ``steps.jsonl``.

All that read these files read them here.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import FileError
from ..files import advice, read_regular, write_atomically

__all__ = [
    "Row",
    "append_row",
    "best_row",
    "cost",
    "is_better",
    "parse_history",
    "parse_steps",
    "percent",
    "read_history",
    "read_steps",
    "write_rows",
]

Row: TypeAlias = dict[str, Any]
"""``epoch``, ``step``, ``seconds`` (of training so far), ``learning_rate`` (of the last step), ``loss`` and
``accuracy`` (over the epoch's batches, as they were trained on), ``validation_loss`` and ``validation_accuracy`` (None
without validation images; of the averaged weights where ``ema`` is set). The row of a run that a planted mistake
has broken has no loss, and its accuracy is that of the network as it was left, on all training images. An ensemble has
a row a member, see `glassnet.training.ensemble`. The rows of ``steps.jsonl`` are those of `StepLog`."""

EPOCH = ("epoch", "step", "seconds", "learning_rate", "accuracy")
"""What a row of an epoch must have as a number, besides `LOSSES`, which may be None."""
LOSSES = ("loss", "validation_loss", "validation_accuracy")
MAX_BYTES = 2**28  # of a file: a million rows
LARGEST = 2**63  # of a whole number, which then is one for all that read the record


def cost(monitor: str, value: float) -> float:
    """Return a number that is the smaller the better a value of what is monitored is."""
    return -value if monitor == "validation_accuracy" else value


def is_better(monitor: str, value: float | None, best: float | None) -> bool:
    """Return whether a value of what is monitored is better than the best before it; ``best`` is None before any is.

    Without validation images there is no ``value``, and what comes later is taken to be better.
    """
    if value is None or best is None:
        return True
    return cost(monitor, value) < cost(monitor, best)


def best_row(rows: Sequence[Row], monitor: str) -> Row:
    """Return the row of the model that a run has kept: the first of the best, or without validation the last."""
    best: Row = {}
    for row in rows:
        if row["loss"] is not None and (not best or is_better(monitor, row[monitor], best[monitor])):
            best = row
    return best or rows[-1]


def _parse(text: bytes, numbers: Iterable[str], others: Iterable[str] = ()) -> Iterator[Row | None]:
    """Yield the object of each line, or None for a line that is no row.

    A row is an object of which each value is a finite number or None; steps and epochs are whole numbers.

    Args:
        text: lines of JSON.
        numbers: the keys that must be there with a number.
        others: those that must be there.
    """
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield None
            continue
        right = isinstance(row, dict) and all(map(_is_number_or_none, row.values()))
        right = right and all(row.get(key) is not None for key in numbers) and all(key in row for key in others)
        yield row if right and all(isinstance(row.get(key, 0), int) for key in ("epoch", "step")) else None


def _is_number_or_none(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < LARGEST
    return value is None or (isinstance(value, float) and math.isfinite(value))


def read_history(path: Path, until: int | None = None) -> list[Row]:
    """Return the rows of a ``history.jsonl``; a last line that was cut short by a crash is left out.

    Args:
        path: of the file.
        until: the last epoch that is wanted. What follows its row is left out, whatever it is: a power cut may have
            left garbage there.

    Raises:
        FileError: the file cannot be read, or a whole line is no row.
    """
    text = _read(path)
    lines = list(_parse(text, EPOCH, LOSSES))
    if lines and lines[-1] is None and not text.endswith(b"\n"):
        lines.pop()
    if until is not None:
        last = next((i for i, row in enumerate(lines, 1) if row and row["epoch"] == until), len(lines))
        del lines[last if until else 0 :]
    if None in lines:
        raise FileError(f"{path}, line {lines.index(None) + 1}: not a row of a history; delete the line")
    return [row for row in lines if row and (until is None or row["epoch"] <= until)]


def read_steps(path: Path) -> list[Row]:
    """Return the rows of a ``steps.jsonl``; of one that is not there, as after a full disk, none."""
    return [row for row in parse_steps(_read(path)) if row]


def _read(path: Path) -> bytes:
    """Return the content of a file, which is empty where there is none."""
    try:
        return read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return b""
    except OSError as error:
        what = advice(error, "restore it from a copy, or delete it")
        raise FileError(f"{path}: cannot be read ({error.strerror}); {what}") from error


def parse_history(text: bytes) -> list[Row | None]:
    """Return the row of each whole line of a ``history.jsonl``, None for one that is no row."""
    return list(_parse(text, EPOCH, LOSSES))


def parse_steps(text: bytes) -> list[Row | None]:
    """Return the row of each whole line of a ``steps.jsonl``, None for one that is no row."""
    return list(_parse(text, ("step", "seconds")))


def append_row(path: Path, row: Row) -> None:
    """Add a row; raise FileError where the disk does not take it."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}; {advice(error)}, then resume the run") from error


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows anew, atomically; raise FileError where the disk does not take them."""
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def percent(share: float | None) -> str:
    """Return a fraction as a percentage with two decimals, and a dash for None."""
    return "–" if share is None else f"{100 * share:.2f} %"
