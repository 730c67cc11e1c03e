"""Runs' records in other tools' forms, read back with those tools."""

import csv
import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from glassnet import Dataset, Run, load_dataset, resume, train
from glassnet.errors import ConfigError, FileError
from glassnet.logs import TensorBoard, log_rows, rows_as_csv, rows_as_jsonl, write_events
from glassnet.training import Callback, RunUnderWay, find_runs, live

SETTINGS = {"hidden": [8], "epochs": 3, "batch_size": 100, "threads": 1, "validation": 0.1}  # 13 steps an epoch


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LINE_EVERY", 0)


class Stop(Callback):
    def __init__(self, step: int, error: Exception | None = None) -> None:
        self.step, self.error = step, error

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if run.state.step == self.step:
            if self.error:
                raise self.error
            run.stop("for a test")


Scalars = dict[str, list[tuple[int, float, float]]]


def scalars(folder: Path) -> Scalars:
    """What TensorBoard shows of a run: step, value and seconds since its first record, by tag."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    began = events.FirstEventTimestamp()
    return {
        tag: [(event.step, event.value, event.wall_time - began) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def figures(found: Scalars) -> dict[str, list[tuple[int, float]]]:
    """The same without what the clock decides."""
    return {tag: [row[:2] for row in rows] for tag, rows in found.items() if "images_per_second" not in tag}


def test_tensorboard_reads_what_the_history_has(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", schedule="cosine", **SETTINGS)
    (path,) = write_events([run], tmp_path / "logs")
    assert path.parent == tmp_path / "logs" / "run"
    found = scalars(path.parent)
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
        rows = found[f"epoch/{name}"]
        assert [step for step, _, _ in rows] == [13, 26, 39]
        assert [value for _, value, _ in rows] == pytest.approx([row[name] for row in run.history])
        assert [seconds for *_, seconds in rows] == pytest.approx([row["seconds"] for row in run.history], abs=1e-4)
    assert [step for step, _, _ in found["steps/loss"]] == list(range(1, 40))
    assert found.keys() == {
        *(f"epoch/{name}" for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate")),
        *(f"steps/{name}" for name in ("loss", "accuracy", "learning_rate", "images_per_second")),
    }


def test_what_is_unknown_is_left_out(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", **SETTINGS | {"validation": 0, "batch_size": "all", "optimizer": "sgd"})
    found = scalars(write_events([run], tmp_path / "logs")[0].parent)
    assert not {"epoch/validation_loss", "epoch/validation_accuracy", "steps/accuracy"} & found.keys()
    assert len(found["epoch/loss"]) == 3
    assert all(row["validation_loss"] == "" for row in csv.DictReader(rows_as_csv(log_rows([run])).splitlines()))


def test_written_again_it_replaces_its_own_and_nothing_else(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", **SETTINGS)
    somebodys = tmp_path / "logs" / "run" / "events.out.tfevents.1.elsewhere"
    somebodys.parent.mkdir(parents=True)
    somebodys.write_bytes(b"")
    for _ in range(4):
        (path,) = write_events([run], tmp_path / "logs")
    others = set(path.parent.iterdir()) - {path}
    assert somebodys in others
    assert [file.stat().st_size for file in others] == [0, 0]  # the other one is for who was reading it
    assert len(scalars(path.parent)["epoch/loss"]) == 3


def test_a_run_under_way_writes_the_file_that_it_would_be_given_afterwards(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", callbacks=[TensorBoard(tmp_path / "live")], **SETTINGS)
    write_events([run], tmp_path / "after")
    assert scalars(tmp_path / "live" / "run") == scalars(tmp_path / "after" / "run")


def test_it_can_be_watched_as_it_goes(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TensorBoard, "EVERY", 0.0)
    seen: list[int] = []

    class Look(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            seen.append(len(scalars(tmp_path / "logs" / "run")["steps/loss"]))

    train(digits, out=tmp_path / "run", callbacks=[TensorBoard(tmp_path / "logs"), Look()], **SETTINGS | {"epochs": 1})
    assert seen == list(range(1, 14))


@pytest.mark.parametrize("watched", [True, False], ids=["logged before", "not logged before"])
def test_a_resumed_run_has_no_row_twice(tmp_path: Path, digits: Dataset, watched: bool) -> None:
    whole = train(digits, out=tmp_path / "whole" / "run", **SETTINGS)
    before = [TensorBoard(tmp_path / "logs")] if watched else []
    crash = Stop(30, RuntimeError("for a test"))  # the last checkpoint is that of step 13
    with pytest.raises(RuntimeError, match="for a test"):
        train(digits, out=tmp_path / "run", callbacks=[*before, crash], **SETTINGS)
    resumed = resume(tmp_path / "run", digits, callbacks=[TensorBoard(tmp_path / "logs")])
    expected = figures(scalars(write_events([whole], tmp_path / "expected")[0].parent))
    assert figures(scalars(tmp_path / "logs" / "run")) == expected
    assert [len(rows) for rows in expected.values()].count(39) == 3
    timeless = [[row | {"seconds": 0, "images_per_second": 0} for row in log_rows([run])] for run in (resumed, whole)]
    assert timeless[0] == timeless[1]


def test_who_looks_on_while_a_run_is_resumed_sees_the_new_rows_once(tmp_path: Path, digits: Dataset) -> None:
    with pytest.raises(RuntimeError):
        train(
            digits,
            out=tmp_path / "run",
            callbacks=[TensorBoard(tmp_path / "logs"), Stop(30, RuntimeError())],
            **SETTINGS,
        )
    reader = EventAccumulator(str(tmp_path / "logs" / "run"), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in reader.Scalars("epoch/loss")] == [13, 26]
    resume(tmp_path / "run", digits, callbacks=[TensorBoard(tmp_path / "logs")])
    reader.Reload()
    assert [event.step for event in reader.Scalars("epoch/loss")] == [13, 26, 39]
    assert [event.step for event in reader.Scalars("steps/loss")] == list(range(1, 40))


def test_an_ensemble_is_logged_a_member_at_a_time(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "e", callbacks=[TensorBoard(tmp_path / "live")], members=2, **SETTINGS)
    paths = write_events([run], tmp_path / "after")
    assert [path.parent.relative_to(tmp_path / "after") for path in paths] == [Path("e/member-1"), Path("e/member-2")]
    for member in ("e/member-1", "e/member-2"):
        assert scalars(tmp_path / "live" / member) == scalars(tmp_path / "after" / member)
    assert {row["run"] for row in log_rows([run])} == {"e/member-1", "e/member-2"}


def test_csv_and_json_lines_hold_the_same_rows_in_order(tmp_path: Path, digits: Dataset) -> None:
    for name, seed in (("a", 0), ("ü", 1)):
        train(digits, out=tmp_path / name, seed=seed, **SETTINGS)
    rows = list(log_rows(find_runs(tmp_path)))
    objects = [json.loads(line) for line in rows_as_jsonl(rows).splitlines()]
    assert objects == rows
    cells = list(csv.DictReader(rows_as_csv(rows).splitlines()))
    assert [{key: str("" if value is None else value) for key, value in row.items()} for row in rows] == cells
    epochs = [row for row in rows if row["of"] == "epoch"]
    histories = [row for name in ("a", "ü") for row in Run(tmp_path / name).history]
    assert [{key: row[key] for key in histories[0]} for row in epochs] == histories
    for name in ("a", "ü"):
        steps = [row["step"] for row in rows if row["run"] == name]
        assert steps == sorted(steps)
        assert len(steps) == 39 + 3


class After(Callback):
    """Does something once, after the first epoch."""

    def __init__(self, what: Callable[[Run], object]) -> None:
        self.what = what

    def on_epoch(self, run: RunUnderWay, row: dict[str, Any]) -> None:
        if row["epoch"] == 1:
            self.what(Run(run.folder))


@pytest.mark.parametrize("what", ["written by another", "gone"])
def test_a_log_that_is_no_longer_there_is_written_anew(tmp_path: Path, digits: Dataset, what: str) -> None:
    logs = tmp_path / "logs"

    def spoil(run: Run) -> None:
        write_events([run], logs) if what == "written by another" else logs.rename(tmp_path / "elsewhere")

    run = train(digits, out=tmp_path / "run", callbacks=[TensorBoard(logs), After(spoil)], **SETTINGS)
    (path,) = write_events([run], tmp_path / "whole")
    assert figures(scalars(logs / "run")) == figures(scalars(path.parent))


def test_a_disk_that_takes_no_more_costs_rows_and_not_the_run(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes half a record of the second epoch, and has room again for the third."""
    log = TensorBoard(tmp_path / "logs")
    openings, really_open = [], Path.open

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> None:
            self.file.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    def fill(path: Path, mode: str = "r", *others: Any, **more: Any) -> Any:
        file = really_open(path, mode, *others, **more)
        openings.extend([path] if mode == "ab" and log.folder in path.parents else [])
        return Full(file) if mode == "ab" and len(openings) == 2 and log.folder in path.parents else file

    monkeypatch.setattr(TensorBoard, "on_step", lambda *_: None)  # rows of epochs alone
    monkeypatch.setattr(Path, "open", fill)
    run = train(digits, out=tmp_path / "run", callbacks=[log], **SETTINGS)
    assert run.finished
    assert [step for step, _, _ in scalars(tmp_path / "logs" / "run")["epoch/loss"]] == [13, 39]


def test_two_runs_of_one_name_are_refused(tmp_path: Path, digits: Dataset) -> None:
    runs = [train(digits, out=tmp_path / place / "run", **SETTINGS | {"epochs": 1}) for place in "ab"]
    with pytest.raises(FileError, match="two runs with the same name"):
        write_events(runs, tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_a_missing_extra_is_named_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for call in (lambda: TensorBoard(tmp_path / "logs"), lambda: write_events([], tmp_path / "logs")):
        with pytest.raises(ConfigError, match=r"tensorboard, which is missing; pip install tensorboard$"):
            call()
    assert not (tmp_path / "logs").exists()
