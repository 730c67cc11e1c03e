import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, Model, Run, load_dataset, nn, resume, train
from glassnet.errors import ConfigError, DataError, FileError, TrainingError
from glassnet.locks import only_process
from glassnet.training import Callback, RunLoop, RunUnderWay, TrainingInterrupted

SETTINGS = {"hidden": [16], "epochs": 3, "batch_size": 100, "dropout": 0.2, "threads": 1}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Run:
    return train(digits, out=tmp_path_factory.mktemp("ensemble") / "run", members=4, seed=7, **SETTINGS)


class AtStep(Callback):
    """Does something at a step of the run with a seed."""

    def __init__(self, seed: int, step: int) -> None:
        self.seed, self.step = seed, step

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if (run.config.seed, run.state.step) == (self.seed, self.step):
            self.act(run)

    def act(self, run: RunUnderWay) -> None:
        run.stop("for a test")


class PressAtStep(AtStep):
    def act(self, run: RunUnderWay) -> None:
        signal.raise_signal(signal.SIGINT)


def contents(run: Run) -> dict[str, object]:
    """All that an ensemble left, but for the seconds that it took and the checkpoints, which tell them too."""
    files = {
        str(path.relative_to(run.path)): path.read_bytes()
        for path in run.path.rglob("*.*")
        if path.is_file() and path.name not in ("history.jsonl", "steps.jsonl", "checkpoint.safetensors")
    }
    folders = [run.path, *sorted(run.path.glob("member-*"))]
    return (
        files
        | {folder.name: [row | {"seconds": 0} for row in Run(folder).history] for folder in folders[1:]}
        | {"history": [row | {"seconds": 0} for row in run.history]}
    )


def test_an_ensemble_answers_with_the_mean_of_its_members(whole: Run, digits: Dataset) -> None:
    members = [Run(whole.path / f"member-{number}") for number in (1, 2, 3, 4)]
    answers = [member.model.predict_proba(digits.test.images) for member in members]
    assert not any(np.array_equal(answers[0], other) for other in answers[1:])
    mean = sum(answer.astype(np.float64) for answer in answers) / 4
    np.testing.assert_allclose(whole.model.predict_proba(digits.test.images), mean, atol=1e-6)
    np.testing.assert_array_equal(whole.model.predict(digits.test.images), mean.argmax(axis=1))


def test_one_file_is_all_that_the_model_needs(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "alone.safetensors"
    copy.write_bytes((whole.path / "model.safetensors").read_bytes())
    images = digits.test.images
    np.testing.assert_array_equal(Model.load(copy).predict_proba(images), whole.model.predict_proba(images))


def test_each_member_is_an_ordinary_run_with_a_seed_of_its_own(whole: Run) -> None:
    assert {file.name for file in whole.path.iterdir()} == {
        *(f"member-{number}" for number in (1, 2, 3, 4)),
        "config.toml",
        "history.jsonl",
        "model.safetensors",
    }
    for number in (1, 2, 3, 4):
        member = Run(whole.path / f"member-{number}")
        assert (member.config.seed, member.config.members) == (6 + number, 1)
        assert len(member.history) == 3
        assert len(resume(member.path).history) == 3


def test_the_first_member_is_what_an_ordinary_run_gives(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    single = train(digits, out=tmp_path / "run", members=1, seed=7, **SETTINGS)
    assert {file.name for file in single.path.iterdir()} == {
        "config.toml",
        "history.jsonl",
        "model.safetensors",
        "checkpoint.safetensors",
        "steps.jsonl",
        "snapshots",
    }
    member = whole.path / "member-1" / "model.safetensors"
    assert (single.path / "model.safetensors").read_bytes() == member.read_bytes()


def test_all_members_see_the_same_images(whole: Run, digits: Dataset) -> None:
    loops = [RunLoop(Run(whole.path / f"member-{number}").config, digits) for number in (1, 2, 4)]
    for other in loops[1:]:
        np.testing.assert_array_equal(loops[0].validation.images, other.validation.images)
        np.testing.assert_array_equal(loops[0].batches.examples.images, other.batches.examples.images)
        assert not np.array_equal(loops[0].batches.order(0), other.batches.order(0))


def test_its_history_tells_of_the_members_together(whole: Run, digits: Dataset) -> None:
    _, validation = digits.split(whole.config.validation, whole.config.seed)
    probabilities = whole.model.predict_proba(validation.images)
    members = [Run(whole.path / f"member-{number}") for number in (1, 2, 3, 4)]
    assert [row["epoch"] for row in whole.history] == [3, 6, 9, 12]
    assert [row["step"] for row in whole.history] == [39, 78, 117, 156]
    own = probabilities[np.arange(len(validation)), validation.labels]
    last = whole.history[-1]
    assert whole.best == last
    assert last["validation_accuracy"] == np.mean(probabilities.argmax(axis=1) == validation.labels)
    assert last["validation_loss"] == pytest.approx(-np.log(own).mean(), rel=1e-5)
    assert last["loss"] == pytest.approx(np.mean([member.best["loss"] for member in members]))
    assert last["seconds"] == pytest.approx(sum(member.history[-1]["seconds"] for member in members))


def test_its_best_is_all_members_even_where_fewer_did_better(whole: Run, tmp_path: Path) -> None:
    rows = [row | {"validation_loss": loss} for row, loss in zip(whole.history, (0.3, 0.1, 0.2, 0.4), strict=True)]
    (tmp_path / "config.toml").write_bytes((whole.path / "config.toml").read_bytes())
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert Run(tmp_path).best == rows[-1]


@pytest.mark.parametrize(("seed", "step"), [(7, 1), (9, 20), (9, 39), (10, 13)])
def test_an_ensemble_that_was_stopped_goes_on_to_the_same_end(
    whole: Run, digits: Dataset, tmp_path: Path, seed: int, step: int
) -> None:
    stop = AtStep(seed, step)
    half = train(digits, out=tmp_path / "half", members=4, seed=7, callbacks=[stop], **SETTINGS)
    assert len(half.history) == seed - 7 + (step == 39)
    assert not (half.path / f"member-{seed - 5}").exists()
    assert contents(resume(half.path)) == contents(whole)


def test_ctrl_c_says_how_to_go_on_with_the_whole(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(TrainingInterrupted, match=f"step 20, .* glassnet resume {folder}$"):
        train(digits, out=folder, members=4, seed=7, callbacks=[PressAtStep(9, 20)], **SETTINGS)
    assert len(Run(folder).model.networks) == 2
    assert contents(resume(folder)) == contents(whole)


def test_stopping_early_ends_a_member_and_not_the_ensemble(digits: Dataset, tmp_path: Path) -> None:
    class Freeze(Callback):
        """From the first epoch on nothing gets better."""

        def on_epoch(self, run: RunUnderWay, row: dict) -> None:
            run.schedule = lambda step: 0.0

    settings = SETTINGS | {"epochs": 20, "dropout": 0.0}
    run = train(digits, out=tmp_path / "a", members=2, patience=3, callbacks=[Freeze()], **settings)
    assert [row["epoch"] for row in run.history] == [4, 8]


def test_ctrl_c_at_the_end_of_a_member_stops_the_ensemble(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    class PressAtTheEnd(Callback):
        def on_epoch(self, run: RunUnderWay, row: dict) -> None:
            if row["epoch"] == 3:
                signal.raise_signal(signal.SIGINT)

    folder = tmp_path / "run"
    with pytest.raises(TrainingInterrupted):
        train(digits, out=folder, members=4, seed=7, callbacks=[PressAtTheEnd()], **SETTINGS)
    assert len(Run(folder).history) == 1
    assert contents(resume(folder)) == contents(whole)


def test_a_member_resumed_by_itself_is_not_trained_again(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    half = train(digits, out=tmp_path / "half", members=4, seed=7, callbacks=[AtStep(8, 20)], **SETTINGS)
    resume(half.path / "member-2")
    before = (half.path / "member-2" / "checkpoint.safetensors").read_bytes()
    assert contents(resume(half.path)) == contents(whole)
    assert (half.path / "member-2" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_an_ensemble_killed_in_its_third_member_goes_on_to_the_same_end(digits: Dataset, tmp_path: Path) -> None:
    settings = {"epochs": 12, "members": 3, "threads": 1}
    expected = contents(train(digits, "small", out=tmp_path / "whole", **settings))
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "glassnet", "train", "--recipe", "small", "--out", str(folder)]
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen([*command, *flags], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (folder / "member-3").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert len(Run(folder).history) == 2
    assert contents(resume(folder)) == expected


def test_a_member_is_locked_while_it_is_trained(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    half = train(digits, out=tmp_path / "half", members=4, seed=7, callbacks=[AtStep(8, 20)], **SETTINGS)
    with (
        only_process(half.path / "member-2"),
        pytest.raises(FileError, match="another process is working in this folder"),
    ):
        resume(half.path)


def test_wrong_use(digits: Dataset, tmp_path: Path) -> None:
    for settings, complaint in (
        ({"members": 0}, "members: must be at least 1, not 0"),
        ({"members": 101}, "members: must be at most 100, not 101"),
        ({"members": 2, "seed": 2**32 - 1}, "members: the last member's seed"),
        ({"members": 2, "recipe": "notebook-001", "as_written": True}, "members: .* is planted in a single network"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            train(digits, out=tmp_path / "a", **settings)
    with pytest.raises(TrainingError, match=r"members: 100 networks of 10,\d+,\d+ parameters make a model file of"):
        train(digits, out=tmp_path / "a", members=100, hidden=[3000, 3400])
    assert not (tmp_path / "a").exists()


def test_before_the_first_member_is_done_there_is_no_model(digits: Dataset, tmp_path: Path) -> None:
    run = train(digits, out=tmp_path / "a", members=2, callbacks=[AtStep(0, 20)], **SETTINGS)
    with pytest.raises(FileError, match="no model yet: no member is complete"):
        _ = run.model
    with pytest.raises(FileError, match="no member is complete yet"):
        _ = run.best


@pytest.mark.parametrize(("seed", "step"), [(1, 20), (0, 33)])
def test_other_data_is_refused_by_members_that_are_done(digits: Dataset, tmp_path: Path, seed: int, step: int) -> None:
    arrays = load_dataset((digits.train.images, digits.train.labels))
    run = train(arrays, out=tmp_path / "a", members=2, callbacks=[AtStep(seed, step)], **SETTINGS)
    assert len(run.history) == 1
    changed = load_dataset((255 - digits.train.images, digits.train.labels))
    with pytest.raises(TrainingError, match="the data has changed"):
        resume(run.path, changed)
    assert (run.path / "member-2").exists() == bool(seed)
    assert len(resume(run.path, arrays).model.networks) == 2


def test_a_damaged_member_is_told(digits: Dataset, tmp_path: Path) -> None:
    run = train(digits, out=tmp_path / "a", members=3, callbacks=[AtStep(2, 20)], **SETTINGS)
    model, history = (run.path / "member-1" / name for name in ("model.safetensors", "history.jsonl"))
    rows, content = history.read_bytes(), model.read_bytes()
    history.write_bytes(b"")
    with pytest.raises(FileError, match=r"member-1.*the row of epoch 3 is missing; delete"):
        resume(run.path)
    history.write_bytes(rows)
    other = Model.load(model)
    Model(nn.Network([nn.Dense(10)], 64), other.preprocessing, other.classes, "digits", other.fingerprint).save(model)
    with pytest.raises(DataError, match="must have the same layers"):
        resume(run.path)
    model.unlink()
    with pytest.raises(FileError, match="member-1"):
        resume(run.path)
    model.write_bytes(content)
    assert len(resume(run.path).model.networks) == 3
