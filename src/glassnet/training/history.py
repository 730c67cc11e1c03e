"""The record of a run: one JSON object a line, a line an epoch, in ``history.jsonl``."""

import json
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import FileError
from ..files import write_atomically

__all__ = ["Row", "append_row", "keep_rows", "read_history", "write_history"]

Row: TypeAlias = dict[str, Any]
"""``epoch``, ``step``, ``seconds`` (of training so far), ``learning_rate`` (of the last step), ``loss`` and
``accuracy`` (over the epoch's batches, as they were trained on), ``validation_loss`` and ``validation_accuracy`` (None
without validation images; of the averaged weights where ``ema`` is set). The row of a run that a planted mistake
has broken has no loss, and its accuracy is that of the network as it was left, on all training images. An ensemble has
a row a member, see `glassnet.training.ensemble`."""


class _Row(BaseModel):
    """What a line must have to be believed."""

    model_config = ConfigDict(allow_inf_nan=False)

    epoch: int
    step: int
    seconds: float
    learning_rate: float
    loss: float | None
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


def append_row(path: Path, row: Row) -> None:
    """Add a row; raise FileError where the disk does not take it."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}; free space, then resume the run") from error


def read_history(path: Path) -> list[Row]:
    """Return the rows; a last line that was cut short by a crash is left out.

    Raises:
        FileError: the file cannot be read, or a whole line is no row.
    """
    try:
        text = path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read ({error})") from error
    rows: list[Row] = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_Row.model_validate_json(line).model_dump())
        except ValidationError as error:
            if number < len(lines) or text.endswith("\n"):
                raise FileError(f"{path}, line {number}: not a row of a history; delete the line") from error
    return rows


def keep_rows(path: Path, epochs: int) -> None:
    """Drop later rows: what was reported between the last checkpoint and a crash will be reported again."""
    write_history(path, [row for row in read_history(path) if row["epoch"] <= epochs])


def write_history(path: Path, rows: list[Row]) -> None:
    """Write all rows anew, atomically; raise FileError where the disk does not take them."""
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
