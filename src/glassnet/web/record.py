"""What a run folder says of its run, read again only where it has changed."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from ..errors import FileError, GlassnetError
from ..files import is_held
from ..training import Run
from ..training.folder import CHECKPOINT, CONFIG, HISTORY, STEPS
from ..training.history import Row, parse_steps

__all__ = ["Facts", "Lines", "Record"]

Facts: TypeAlias = dict[str, Any]
"""A run as the page's list shows it; see `Record.facts`."""

MOST = 20_000  # lines of a file that are kept: an hour and a half of steps, or as many epochs
LINE = 2048  # bytes: more than a line of steps.jsonl has


class Lines:
    """The JSON objects of a file that grows by lines.

    A last line that is still being written waits until it is whole; one that is not an object is passed over. A file
    that was put in the old one's place, as when a run is resumed, or that was written anew in place is read from its
    beginning.

    Args:
        path: of the file, which need not be there yet.
        key: the number that every line has, and by which they come in order.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self.rows: list[Row] = []
        self._file, self._size = 0, 0  # which file, and how much of it has been read
        self._last = b""  # the end of what has been read: where it is no longer there, the file was written anew

    def read(self) -> None:
        """Read what has come since the last time. Of very many lines every other one of the older half is forgotten."""
        try:
            with self.path.open("rb") as file:
                content = self._new_content(file)
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._size += len(whole)
        self._last = (self._last + whole)[-LINE:]
        self.rows += parse_steps(whole, self.key)
        while len(self.rows) > MOST:
            half = len(self.rows) // 2
            self.rows[:half] = self.rows[:half:2]

    def _new_content(self, file: BinaryIO) -> bytes:
        """Return what lies beyond what has been read; of another file than before that is all of it."""
        number = os.fstat(file.fileno()).st_ino
        file.seek(self._size - len(self._last))
        if number != self._file or file.read(len(self._last)) != self._last:
            self.rows, self._file, self._size, self._last = [], number, 0, b""
            file.seek(0)
        return file.read()


class Record:
    """A run folder, and what was last read in it.

    Args:
        path: the run folder.
    """

    def __init__(self, path: Path) -> None:
        self.run, self.name = Run(path), path.name
        self.history = Lines(path / HISTORY, "epoch")
        self._read: tuple[int, ...] = ()  # when the files were written that follow
        self._finished = self._broken = False
        self._best: Row = {}

    def facts(self) -> Facts:
        """Return how the run stands.

        That is ``name``, ``state`` (running, paused, stopped, finished or broken), ``data``, ``recipe``, ``mistakes``,
        ``epoch`` (completed), ``epochs``, ``accuracy`` and ``validation_accuracy`` (of the best so far), ``seconds``
        (of training), ``started`` (seconds since 1970), and ``error`` where the folder cannot be read.
        """
        path = self.run.path
        self.history.read()
        last = last_step(path)
        facts: Facts = dict.fromkeys(("data", "recipe", "mistakes", "epochs", "accuracy", "validation_accuracy"))
        facts = {"name": self.name, "state": "stopped"} | facts | {"epoch": 0, "seconds": 0.0, "started": 0.0}
        with suppress(OSError):
            facts["started"] = (path / CONFIG).stat().st_mtime
        try:
            config = self.run.config
            facts |= {"data": config.data, "recipe": config.recipe, "mistakes": list(config.mistakes)}
            facts |= {"epochs": config.epochs * config.members}
            self._read_again()
        except GlassnetError as error:
            return facts | {"error": str(error)}
        facts |= {key: self._best.get(key) for key in ("accuracy", "validation_accuracy")}
        rows = self.history.rows
        facts["epoch"] = max(rows[-1]["epoch"] if rows else 0, last.get("epoch", 1) - 1)
        facts["seconds"] = max(rows[-1]["seconds"] if rows else 0.0, last.get("seconds", 0.0))
        if self._broken:
            facts |= {"state": "broken", "epoch": max(facts["epoch"] - 1, 0)}
        elif self._finished:
            facts["state"] = "finished"
        if is_held(path):
            facts["state"] = "running"
        return facts

    def details(self) -> Facts:
        """Return `facts` and ``config`` (all settings), ``members`` and ``total_steps`` (None where nobody knows)."""
        facts = self.facts()
        if "error" in facts:
            return facts | {"config": {}, "members": 1, "total_steps": None}
        config = self.run.config
        total = last_step(self.run.path).get("total_steps")
        return facts | {"config": config.model_dump(mode="json"), "members": config.members, "total_steps": total}

    def _read_again(self) -> None:
        """Ask the run what takes longer to answer, if it has reported or saved since the last time."""
        read = tuple(_written(self.run.path / name) for name in (HISTORY, CHECKPOINT))
        if read == self._read:
            return
        self._best = {}
        with suppress(FileError):  # no report yet
            self._best = self.run.best
        self._broken, self._finished = self.run.broken, self.run.finished
        self._read = read


def last_step(folder: Path) -> Row:
    """Return the last whole line of a run's ``steps.jsonl``, or an empty row where there is none."""
    try:
        with (folder / STEPS).open("rb") as file:
            file.seek(max(file.seek(0, 2) - LINE, 0))
            content = file.read()
    except OSError:
        return {}
    rows = parse_steps(content[: content.rfind(b"\n") + 1])
    return rows[-1] if rows else {}


def _written(path: Path) -> int:
    """When a file was written, in ns; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
