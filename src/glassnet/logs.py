"""The logs of runs in the formats of other tools: CSV, JSON lines, and TensorBoard's event files.

All three are made from two files of the run folder: ``history.jsonl``, one row per epoch, and ``steps.jsonl``, up to
four rows a second. A resumed run has dropped there what it does again, and each file is written whole, so no row comes
twice.
"""

import csv
import io
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import ConfigError, FileError, missing_package
from .files import as_path, open_regular, write_atomically
from .training import Run, RunCallback, RunUnderWay
from .training.folder import CONFIG, STEPS
from .training.history import MAX_BYTES, Row, parse_steps, read_steps

__all__ = [
    "TensorBoard",
    "check_log_folder",
    "log_name",
    "log_rows",
    "refuse_run_folder",
    "rows_as_csv",
    "rows_as_jsonl",
    "write_events",
]

EPOCH, STEP_LINES = "epoch", "steps"  # what a row describes
FIGURES = ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate", "images_per_second")
COLUMNS = ("run", "of", "step", "epoch", "seconds", *FIGURES)
SUFFIX = ".glassnet"  # ends the name of an event file that was written here, and may be replaced


def log_rows(runs: Iterable[Run]) -> Iterator[Row]:
    """Yield the rows of runs, those of each run in the order of their steps; one run at a time is in memory.

    Each has ``run`` (its folder's name), ``of`` ("epoch" for a row of the history, "steps" for one that tells of the
    steps since the one before it), ``step``, ``epoch`` (counted from 1), ``seconds`` (of training so far), ``loss``,
    ``accuracy`` and ``learning_rate``; an epoch has ``validation_loss`` and ``validation_accuracy`` too, and steps have
    ``images_per_second``. What a row does not tell of is None. An ensemble has the rows of its members, each under
    a name such as ``run/member-1``.

    Raises:
        FileError: two runs have the same name, or a history is damaged.
        ConfigError: a configuration is damaged.
    """
    for name, run in _by_name(runs).items():
        for of, row in _record(run):
            yield dict.fromkeys(COLUMNS) | {"run": name, "of": of} | {key: row.get(key) for key in COLUMNS[2:]}


def rows_as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """Return rows as CSV with a header; None is an empty cell, and a tuple is one cell, separated by spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = (row[column] for column in columns)
        writer.writerow(" ".join(map(str, cell)) if isinstance(cell, tuple) else cell for cell in cells)
    return text.getvalue()


def rows_as_jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as JSON objects, one per line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def refuse_run_folder(path: Path) -> None:
    """Raise ConfigError where a file to be written would lie among those of a run."""
    if (path.parent / CONFIG).is_file():
        raise ConfigError(f"{path}: is in a run folder, which only the run itself may write to; choose another place")


def check_log_folder(folder: Path, runs: Iterable[Run] = ()) -> None:
    """Check that event files can be written to a folder, before any work is done for them; create nothing.

    Raises:
        ConfigError: the package ``tensorboard`` is missing, or the file of one of the ``runs`` would lie in a run's
            folder.
        FileError: no folder, or one that cannot be written to.
    """
    try:
        import_module("tensorboard.summary.writer.record_writer")
    except ModuleNotFoundError as error:
        raise missing_package("an event file", error, "tensorboard") from error
    for place in (folder, *(folder / log_name(run) for run in runs)):
        refuse_run_folder(place / "events")
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        fault = "cannot be written to" if nearest.is_dir() else "not a folder"
        raise FileError(f"{nearest}: {fault}; choose another place for the logs")


def write_events(runs: Iterable[Run], folder: Path) -> list[Path]:
    """Write an event file for each run, into a folder of the run's name in ``folder``; return the event files.

    Epochs have the tags ``epoch/loss``, ``epoch/validation_accuracy``, …, and what lies between them ``steps/loss``, ….
    They stand over the run's steps. As TensorBoard measures time, a row was written so many seconds of training after
    the run began. An ensemble has a folder a member. An event file that was written here before is replaced.

    Raises:
        ConfigError: the package ``tensorboard`` is missing, a configuration is damaged, or an event file would lie in a
            run folder.
        FileError: the folder cannot be written to; two runs have the same name; a history is damaged.
    """
    named = _by_name(runs)
    check_log_folder(folder, named.values())
    records = {name: (run, _record(run)) for name, run in named.items()}
    return [_write_events(folder / name, _began(run.path), record) for name, (run, record) in records.items()]


class TensorBoard(RunCallback):
    """Writes a run's event file as the run goes, once a second.

        train(dataset, callbacks=[TensorBoard("logs")])

    Then ``tensorboard --logdir logs`` shows it. The file is the one that `write_events` would write; when the run is
    resumed with this callback, it starts with all previous rows. If the file was replaced or deleted, it is written
    again. A full disk loses rows, never the run.

    Args:
        folder: of the logs of many runs; each has a folder of its name there.

    Raises:
        ConfigError: the package ``tensorboard`` is missing.
        FileError: the folder cannot be made or written to.
    """

    EVERY = 1.0  # seconds

    def __init__(self, folder: str | Path) -> None:
        self.folder = as_path(folder)
        check_log_folder(self.folder)

    def on_start(self, run: RunUnderWay) -> None:
        self._run, self._began = Run(run.folder.resolve()), _began(run.folder)
        self._steps, self._due = self._run.path / STEPS, 0.0
        self._place = self.folder / log_name(self._run)
        check_log_folder(self.folder, [self._run])
        self._write_anew()

    def _write_anew(self) -> None:
        self._read = self._steps.stat().st_size if self._steps.exists() else 0
        self._file = _write_events(self._place, self._began, _record(self._run))
        self._length = self._file.stat().st_size

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if time.monotonic() >= self._due:
            self._add_steps()

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        self._add([(EPOCH, row)])

    def on_end(self, run: RunUnderWay) -> None:
        self._add_steps()

    def _add_steps(self) -> None:
        """Add the lines that `StepLog`, which is called first, has written since the last time."""
        self._due = time.monotonic() + self.EVERY
        try:
            with open_regular(self._steps, MAX_BYTES) as file:
                file.seek(self._read)
                lines = file.read()
        except OSError:
            return
        self._read += len(lines)
        self._add([(STEP_LINES, row) for row in parse_steps(lines) if row])

    def _add(self, record: Iterable[tuple[str, Row]]) -> None:
        content = _events(self._began, record)
        with suppress(OSError, FileError):
            if not self._file.exists() or self._file.stat().st_size != self._length:
                self._write_anew()  # with these rows, which are in the run folder already
                return
            try:
                with self._file.open("ab") as file:
                    file.write(content)
                self._length += len(content)
            except OSError:  # behind half a record nobody would read on
                os.truncate(self._file, self._length)


def _by_name(runs: Iterable[Run]) -> dict[str, Run]:
    """Return runs by the name of their folder, an ensemble's members in its place."""
    named: dict[str, Run] = {}
    for part in {part.path.resolve(): part for run in runs for part in _parts(run)}.values():
        name = log_name(part)
        if name in named:
            raise FileError(
                f"{named[name].path} and {part.path}: two runs with the same name; rename one, or log them separately"
            )
        named[name] = part
    return named


def log_name(run: Run) -> str:
    """Return what a run is called in a log; that of an ensemble's member begins with the ensemble's."""
    path = run.path.resolve()
    return path.name if run.config.first_seed is None else f"{path.parent.name}/{path.name}"


def _parts(run: Run) -> list[Run]:
    """Return the members of an ensemble as far as they have begun, or else the run itself."""
    if run.config.members == 1:
        return [run]
    folders = (run.path / f"member-{number}" for number in range(1, run.config.members + 1))
    return [Run(folder) for folder in folders if (folder / CONFIG).is_file()]


def _record(run: Run) -> list[tuple[str, Row]]:
    """Return all rows of a run, with what they tell of, in the order of their steps."""
    rows = [(STEP_LINES, row) for row in read_steps(run.path / STEPS)] + [(EPOCH, row) for row in run.history]
    return sorted(rows, key=lambda pair: int(pair[1]["step"]))


def _began(folder: Path) -> float:
    """Return when a run began, in seconds since 1970: its configuration is written then, and never again."""
    return (folder / CONFIG).stat().st_mtime


def _write_events(folder: Path, began: float, record: Iterable[tuple[str, Row]]) -> Path:
    """Write an event file in place of that which was there.

    Its name sorts after the old one's, so that a TensorBoard that is looking goes on to it from the end of the old one.
    It would not from a file that is gone; so the old one is emptied, and taken away when the next is written.
    """
    path = folder / f"events.out.tfevents.{time.time_ns()}{SUFFIX}"
    old = list(folder.glob(f"events.out.tfevents.*{SUFFIX}"))
    write_atomically(path, _header(began) + _events(began, record))
    for file in old:
        with suppress(OSError):  # somebody else may have cleared it away
            if file.stat().st_size:
                os.truncate(file, 0)
            else:
                file.unlink()
    return path


def _header(began: float) -> bytes:
    """Return the record that every event file begins with, and one that says: a new beginning, forget what was."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    start = SessionLog(status=SessionLog.START)
    return _packed([Event(wall_time=began, file_version="brain.Event:2"), Event(wall_time=began, session_log=start)])


def _events(began: float, record: Iterable[tuple[str, Row]]) -> bytes:
    """Return rows as TensorBoard's records: one a row, which holds a scalar for each figure."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    events = []
    for of, row in record:
        figures = [(name, row[name]) for name in FIGURES if row.get(name) is not None]
        scalars = [Summary.Value(tag=f"{of}/{name}", simple_value=float(figure)) for name, figure in figures]
        events.append(Event(wall_time=began + row["seconds"], step=row["step"], summary=Summary(value=scalars)))
    return _packed(events)


def _packed(events: Iterable[Any]) -> bytes:
    """Return records as they stand in a file, each with its length and its check sums."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    file = io.BytesIO()
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    return file.getvalue()
