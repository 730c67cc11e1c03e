"""What a run tells while it goes."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet import Dataset, Model, load_dataset, resume, tensor_files, train
from glassnet.errors import FileError, TrainingError
from glassnet.locks import is_held, only_process
from glassnet.training import Callback, Live, RunUnderWay, live

SETTINGS = {"hidden": [16], "epochs": 4, "batch_size": 100, "threads": 1}  # 13 steps an epoch


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LINE_EVERY", 0)


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


class Steps(Callback):
    """Notes what a run's steps gave, and stops it after one of them, or fails there."""

    def __init__(self, stop: int = 0, error: Exception | None = None) -> None:
        self.losses, self.stop, self.error = [], stop, error

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        self.losses.append(loss)
        if run.state.step == self.stop:
            if self.error:
                raise self.error
            run.stop("for a test")


@pytest.mark.usefixtures("every_step")
def test_a_line_tells_of_the_steps_since_the_one_before(tmp_path: Path, digits: Dataset) -> None:
    steps = Steps()
    run = train(digits, out=tmp_path / "run", callbacks=[steps], schedule="cosine", **SETTINGS)
    rows = lines(run.path)
    assert [row["step"] for row in rows] == list(range(1, 53))
    assert [row["epoch"] for row in rows] == [1 + i // 13 for i in range(52)]
    np.testing.assert_allclose([row["loss"] for row in rows], steps.losses)
    for row in run.history:
        own = [line for line in rows if line["epoch"] == row["epoch"]]
        assert own[-1]["learning_rate"] == row["learning_rate"]
        assert abs(own[-1]["seconds"] - row["seconds"]) < 0.01
    assert all(row["images_per_second"] > 0 and row["total_steps"] == 52 for row in rows)


def test_the_lines_accuracies_are_those_of_the_history(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", **SETTINGS | {"epochs": 1})
    first, last = lines(run.path)
    images = len(digits.split(run.config.validation, run.config.split_seed)[0])
    together = (first["accuracy"] * 100 + last["accuracy"] * (images - 100)) / images
    assert together == pytest.approx(run.history[0]["accuracy"])


def test_there_are_at_most_four_lines_a_second_and_one_at_the_end(tmp_path: Path, digits: Dataset) -> None:
    class Slow(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            time.sleep(0.02)

    start = time.monotonic()
    run = train(digits, out=tmp_path / "run", callbacks=[Slow()], **SETTINGS)
    took = time.monotonic() - start
    rows = lines(run.path)
    assert 3 <= len(rows) <= 2 + 4 * took
    assert rows[-1]["step"] == 52


@pytest.mark.usefixtures("every_step")
def test_steps_that_are_taken_again_are_told_once(tmp_path: Path, digits: Dataset) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    crash = Steps(17, RuntimeError("for a test"))
    with pytest.raises(RuntimeError, match="for a test"):
        train(digits, out=tmp_path / "run", callbacks=[crash], **SETTINGS)
    assert len(lines(tmp_path / "run")) == 17
    with (tmp_path / "run" / "steps.jsonl").open("a") as file:
        file.write('{"step": 18, "ep')  # what a full disk left
    run = resume(tmp_path / "run", digits)
    timeless = [[row | {"seconds": 0, "images_per_second": 0} for row in lines(r.path)] for r in (run, whole)]
    assert timeless[0] == timeless[1]
    assert (run.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("settings", [{"batch_size": 1, "optimizer": "sgd"}, {"batch_size": "all", "epochs": 3}])
def test_steps_on_single_images_and_on_the_whole_set(tmp_path: Path, digits: Dataset, settings: dict) -> None:
    run = train(digits, out=tmp_path / "run", **{"hidden": [8], "epochs": 1, "threads": 1} | settings)
    rows = lines(run.path)
    images = len(digits.split(run.config.validation, run.config.split_seed)[0])
    whole = settings["batch_size"] == "all"
    assert [row["step"] for row in rows] == list(range(1, 4 if whole else images + 1))
    assert [row["accuracy"] is None for row in rows] == [whole] * len(rows)


@pytest.mark.parametrize("error", [FileError("no space left"), MemoryError()], ids=["disk", "memory"])
def test_where_neither_line_nor_network_can_be_written_the_run_loses_nothing(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    write = tensor_files.write_tensors

    def no_room(path: Path, *args: Any, durable: bool = True) -> None:
        if not durable:  # a snapshot, or the network for those who watch
            raise error
        write(path, *args, durable=durable)

    for module in ("glassnet.model_file", "glassnet.training.snapshots"):
        monkeypatch.setattr(f"{module}.write_tensors", no_room)
    monkeypatch.setattr(live, "STEPS", "no-such-folder/steps.jsonl")
    run = train(digits, out=tmp_path / "run", callbacks=[Live()], **SETTINGS)
    assert not (run.path / "steps.jsonl").exists()
    assert run.snapshots == []
    assert (run.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_whoever_watches_sees_the_network_as_it_is(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SHARE", 1.0)  # however slow the disk is
    seen: list[tuple[int, np.ndarray]] = []

    class Look(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            time.sleep(0.02)
            parameters = Model.load(run.folder / live.LIVE).network.parameters
            if not seen or not np.array_equal(parameters, seen[-1][1]):
                seen.append((run.state.step, parameters))
                if run.state.step > 1:
                    np.testing.assert_array_equal(parameters, run.network.parameters)

    start = time.monotonic()
    run = train(digits, out=tmp_path / "run", callbacks=[Live(), Look()], **SETTINGS)
    assert 2 <= len(seen) <= 2 + 4 * (time.monotonic() - start)  # the first weights, and then four a second
    assert not (run.path / live.LIVE).exists()


def test_a_network_that_takes_long_to_write_is_written_less_often(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MODEL_EVERY", 0.0)
    monkeypatch.setattr(live, "SHARE", 0.1)
    written: list[float] = []
    save = Model.save

    def slow(model: Model, path: Path, **how: bool) -> None:
        if Path(path).name == live.LIVE:
            written.append(time.monotonic())
            time.sleep(0.02)
        save(model, path, **how)

    class Slow(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            time.sleep(0.04)

    monkeypatch.setattr(Model, "save", slow)
    train(digits, out=tmp_path / "run", callbacks=[Live(), Slow()], **SETTINGS)
    assert len(written) >= 2
    assert min(np.diff(written)) >= 0.2


def test_a_look_at_who_holds_a_folder_keeps_nobody_out(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "missing")
    end = threading.Event()

    def keep_looking() -> None:
        while not end.is_set():
            is_held(tmp_path)
            time.sleep(0.002)

    looking = threading.Thread(target=keep_looking)
    looking.start()
    try:
        for _ in range(200):
            with only_process(tmp_path):
                assert is_held(tmp_path)
    finally:
        end.set()
        looking.join()


def test_a_folder_that_is_deleted_does_not_come_back(tmp_path: Path, digits: Dataset) -> None:
    class Delete(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step == 5:
                time.sleep(0.2)  # until the snapshots are written
                shutil.rmtree(run.folder)

    with pytest.raises(FileError, match="was deleted, moved or emptied during the run"):
        train(digits, "small", epochs=2, hidden=[8], out=tmp_path / "run", callbacks=[Delete(), Live()])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("stop", [False, True])
def test_an_emptied_folder_stays_empty_and_is_not_said_to_hold_a_run(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    monkeypatch.setattr(live, "LINE_EVERY", 0.0)
    monkeypatch.setattr(live, "MODEL_EVERY", 0.0)

    class Empty(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step == 5:
                time.sleep(0.2)  # until the snapshots are written
                shutil.rmtree(run.folder / "snapshots")
                for file in run.folder.iterdir():
                    file.unlink()
                if stop:
                    run.stop("for a test")

    with pytest.raises(FileError, match="was deleted, moved or emptied during the run"):
        train(digits, "small", epochs=2, hidden=[8], out=tmp_path / "run", callbacks=[Empty(), Live()])
    assert not list((tmp_path / "run").iterdir())


def test_no_network_of_the_moment_is_left_by_a_run_that_diverges(tmp_path: Path, digits: Dataset) -> None:
    class Explode(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            run.network.parameters[3] = np.inf

    with pytest.raises(TrainingError, match="stopped being finite"):
        train(digits, out=tmp_path / "run", callbacks=[Live(), Explode()], **SETTINGS)
    assert not (tmp_path / "run" / live.LIVE).exists()
