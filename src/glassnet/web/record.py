"""What a run folder says of its run, read again only where it has changed."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from ..errors import GlassnetError
from ..files import open_regular
from ..locks import is_held
from ..training import Run
from ..training.folder import CHECKPOINT, CONFIG, HISTORY, STEPS
from ..training.history import MAX_BYTES, Row, best_row, parse_history, parse_steps

__all__ = ["Facts", "Lines", "Record", "Version", "file_version"]

Facts: TypeAlias = dict[str, Any]
"""A run as the page's list shows it; see `Record.facts`."""
Version: TypeAlias = tuple[int, int]

MOST = 20_000  # lines of a file that are kept: an hour and a half of steps, or as many epochs
NAMED = 5  # damaged lines that are told by their numbers
LINE = 2048  # bytes: more than a line of steps.jsonl has


class Lines:
    """The JSON objects of a file that grows by lines.

    A last line that is still being written waits until it is whole; one that is not a row is passed over. A file
    that was put in the old one's place, as when a run is resumed, or that was written anew in place is read from its
    beginning.

    Args:
        path: of the file, which need not be there yet.
        parse: returns the row of each whole line, None for one that is no row.

    Attributes:
        rows: what has been read.
        damaged: the numbers of the lines that are no rows, from 1.
        beginnings: how often it was read from its beginning.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], list[Row | None]]) -> None:
        self.path, self._parse = path, parse
        self.rows: list[Row] = []
        self.damaged: list[int] = []
        self._lines = 0  # that have been read
        self.beginnings = 0
        self._file, self._size = 0, 0  # which file, and how much of it has been read
        self._last = b""  # the end of what has been read: where it is no longer there, the file was written anew

    def read(self) -> list[Row]:
        """Read and return the rows that have come since the last time.

        Of very many rows every other one of the older half is forgotten.
        """
        try:
            with open_regular(self.path, MAX_BYTES) as file:
                content = self._new_content(file)
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._size += len(whole)
        self._last = (self._last + whole)[-LINE:]
        lines = self._parse(whole)
        new = [row for row in lines if row]
        if len(self.damaged) < MOST:
            self.damaged += [number for number, row in enumerate(lines, self._lines + 1) if not row]
        self._lines += len(lines)
        self.rows += new
        while len(self.rows) > MOST:
            half = len(self.rows) // 2
            self.rows[:half] = self.rows[:half:2]
        return new

    def _new_content(self, file: BinaryIO) -> bytes:
        """Return what lies beyond what has been read; of another file than before that is all of it."""
        number = os.fstat(file.fileno()).st_ino
        file.seek(self._size - len(self._last))
        if number != self._file or file.read(len(self._last)) != self._last:
            self.rows, self._file, self._size, self._last = [], number, 0, b""
            self.damaged, self._lines = [], 0
            self.beginnings += 1
            file.seek(0)
        return file.read()


class Record:
    """A run folder, and what was last read in it.

    Args:
        path: the run folder.

    Attributes:
        best: the row of the model that was kept, or an empty one before there is any.
    """

    def __init__(self, path: Path) -> None:
        self._config = file_version(path / CONFIG)
        self.run, self.name = Run(path), path.name
        self.history = Lines(path / HISTORY, parse_history)
        self.best: Row = {}
        self._beginnings = 0  # of the history
        self._saved: Version | None = None  # of the checkpoint that says the following
        self._finished = False

    @property
    def outdated(self) -> bool:
        """Whether another run has this folder's name by now, or the run another configuration."""
        return file_version(self.run.path / CONFIG) != self._config

    def facts(self) -> Facts:
        """Return how the run stands.

        That is ``name``, ``state`` (running, stopped, finished, broken or unreadable), ``data`` (of a path its end:
        the page need not tell the rest), ``recipe``, ``mistakes``, ``epoch`` (completed), ``epochs``,
        ``accuracy`` and ``validation_accuracy`` (of the best so far), ``seconds`` (of training), ``started`` (seconds
        since 1970), ``error``: why it is unreadable, and ``damaged`` where lines of its history had to be left out.
        """
        path = self.run.path
        last = last_step(path)
        facts: Facts = dict.fromkeys(("data", "recipe", "mistakes", "epochs", "accuracy", "validation_accuracy"))
        facts = {"name": self.name, "state": "unreadable"} | facts | {"epoch": 0, "seconds": 0.0, "started": 0.0}
        with suppress(OSError):
            facts["started"] = (path / CONFIG).stat().st_mtime
        try:
            config = self.run.config
            facts |= {"data": Path(config.data).name, "recipe": config.recipe, "mistakes": list(config.mistakes)}
            facts |= {"epochs": config.epochs * config.members}
            self.read()
        except GlassnetError as error:
            return facts | {"error": str(error).replace(f"{path}{os.sep}", "")}
        facts |= {"state": "stopped"} | {key: self.best.get(key) for key in ("accuracy", "validation_accuracy")}
        if damaged := self.history.damaged:
            facts["damaged"] = _damaged_words(damaged)
        rows = self.history.rows
        facts["epoch"] = max(rows[-1]["epoch"] if rows else 0, last.get("epoch", 1) - 1)
        facts["seconds"] = max(rows[-1]["seconds"] if rows else 0.0, last.get("seconds", 0.0))
        if rows and rows[-1]["loss"] is None:
            facts |= {"state": "broken", "epoch": max(facts["epoch"] - 1, 0)}
        elif self._finished:
            facts["state"] = "finished"
        if is_held(path):
            facts["state"] = "running"
        return facts

    def details(self) -> Facts:
        """Return `facts` and more.

        That is ``config`` (all settings), ``members``, ``total_steps`` (None where nobody knows) and ``snapshots`` (the
        steps of which there is one).
        """
        facts = self.facts()
        if "error" in facts:
            return facts | {"config": {}, "members": 1, "total_steps": None, "snapshots": []}
        config = self.run.config
        shown = config.model_dump(mode="json")
        shown |= {"data": facts["data"], "seen": [Path(source).name for source in config.seen]}
        total = last_step(self.run.path).get("total_steps")
        return (
            facts
            | {"config": shown, "members": config.members, "total_steps": total}
            | {"snapshots": self.run.snapshots}
        )

    def read(self) -> None:
        """Take in the rows that have come, and whether the run has ended if it has saved since the last time."""
        config, new = self.run.config, self.history.read()
        if self.history.beginnings != self._beginnings:
            self.best, self._beginnings = {}, self.history.beginnings
        if new:
            known = [self.best, *new] if self.best else new
            self.best = new[-1] if config.members > 1 else best_row(known, config.monitor)
        if config.members > 1:
            self._finished = len(self.history.rows) == config.members
        elif (saved := file_version(self.run.path / CHECKPOINT)) != self._saved:
            self._finished = self.run.finished
            self._saved = saved


def _damaged_words(lines: list[int]) -> str:
    """Say which lines of a history are left out."""
    some = ", ".join(map(str, lines[:NAMED])) + (", …" if len(lines) > NAMED else "")
    if len(lines) == 1:
        return f"line {some} of {HISTORY} is damaged and left out"
    return f"{len(lines):,} lines of {HISTORY} are damaged and left out: {some}"


def last_step(folder: Path) -> Row:
    """Return the last whole line of a run's ``steps.jsonl``, or an empty row where there is none."""
    try:
        with open_regular(folder / STEPS, MAX_BYTES) as file:
            file.seek(max(file.seek(0, 2) - LINE, 0))
            content = file.read()
    except OSError:
        return {}
    rows = [row for row in parse_steps(content[: content.rfind(b"\n") + 1]) if row]
    return rows[-1] if rows else {}


def file_version(path: Path) -> Version:
    """Return which file it is, and when it was written, in ns; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns
