import contextlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet import Dataset, Model, Run, files, load_dataset, resume, train
from glassnet.errors import ConfigError, DataError, FileError, TrainingError
from glassnet.evaluation import examples_for
from glassnet.locks import only_process
from glassnet.tensor_files import open_tensors, write_tensors
from glassnet.training import (
    Callback,
    Config,
    EarlyStopping,
    RunCallback,
    RunLoop,
    RunUnderWay,
    TrainingInterrupted,
    prepare,
)
from glassnet.training import folder as folder_module
from glassnet.training.history import Row
from glassnet.training.interruption import interruptible
from glassnet.training.launch import make_run_folder

SETTINGS = {"hidden": [16], "epochs": 4, "batch_size": 100, "dropout": 0.2, "batch_norm": True, "threads": 1}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


class StopAt(Callback):
    """Stops a run after a step, as the pause button of a page would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, loop: RunUnderWay, loss: float) -> None:
        if loop.state.step == self.step:
            loop.stop("for a test")


def contents(run: Run) -> dict[str, bytes]:
    """All that a run left, but for the seconds that it took."""
    rows = [{**row, "seconds": 0} for row in run.history]
    checkpoint = run.path / "checkpoint.safetensors"
    content = checkpoint.read_bytes()
    with open_tensors(checkpoint, "checkpoint") as file:
        metadata = file.metadata | {"state": json.loads(file.metadata["state"]) | {"seconds": 0}}
        del metadata["digest"]  # of the seconds too
    return {
        "history": json.dumps(rows).encode(),
        "model": (run.path / "model.safetensors").read_bytes(),
        "checkpoint": content[8 + int.from_bytes(content[:8], "little") :],
        "checkpoint's metadata": json.dumps(metadata, sort_keys=True).encode(),
        "config": (run.path / "config.toml").read_bytes(),
    }


def test_a_run_learns_and_leaves_its_folder(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, "small", out=tmp_path / "run", epochs=15, label_smoothing=0)
    assert {file.name for file in run.path.iterdir()} == {
        "config.toml",
        "history.jsonl",
        "model.safetensors",
        "checkpoint.safetensors",
        "steps.jsonl",
        "snapshots",
    }
    keys = ["epoch", "step", "seconds", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert all(list(row) == keys for row in run.history)
    assert [row["epoch"] for row in run.history] == list(range(1, 16))
    assert run.history[-1]["loss"] < 0.1 * run.history[0]["loss"]
    assert np.mean(run.model.predict(digits.test.images) == digits.test.labels) > 0.93
    assert run.config.epochs == 15
    assert run.config.data == "digits"


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "rmsprop", "adamw"])
@pytest.mark.parametrize("stop", [1, 12, 19, 25])  # 12 steps an epoch: at a start, at an end, and in the middle
def test_two_halves_are_one_whole_bit_for_bit(tmp_path: Path, digits: Dataset, optimizer: str, stop: int) -> None:
    whole = train(digits, out=tmp_path / "whole", optimizer=optimizer, **SETTINGS)
    half = train(digits, out=tmp_path / "half", optimizer=optimizer, callbacks=[StopAt(stop)], **SETTINGS)
    assert len(half.history) < 4
    resumed = resume(half.path)
    assert contents(resumed) == contents(whole)


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_the_fast_recipe_reads_mnist(tmp_path: Path) -> None:
    mnist = load_dataset("mnist")
    run = train(mnist, "fast", out=tmp_path / "run")
    assert np.mean(run.model.predict(mnist.test.images) == mnist.test.labels) > 0.97


def test_a_run_that_version_0_1_0_began_goes_on_to_the_end_that_it_came_to_there(tmp_path: Path) -> None:
    golden = Path(__file__).parent.parent / "golden"
    run = Run(shutil.copytree(golden / "run-0.1.0", tmp_path / "run"))
    assert not run.finished
    assert [row["epoch"] for row in resume(run.path).history] == [1, 2, 3]
    assert run.finished
    expected, found, images = (
        Model.load(golden / "run-0.1.0.safetensors"),
        run.model,
        load_dataset("digits").test.images,
    )
    for name, parameter in expected.network.named_parameters.items():
        if name != "0.b":  # batch normalisation takes it off again, so that only rounding moves it
            np.testing.assert_allclose(
                found.network.named_parameters[name], parameter, rtol=1e-3, atol=1e-4, err_msg=name
            )
    np.testing.assert_allclose(found.predict_proba(images), expected.predict_proba(images), atol=5e-3)


def test_the_best_model_is_kept_not_the_last(tmp_path: Path, digits: Dataset) -> None:
    class Spoil(Callback):
        """Ruins the network in the third epoch."""

        def on_step(self, loop: RunUnderWay, loss: float) -> None:
            if loop.state.epoch == 2:
                loop.network.parameters[...] = 0

    run = train(digits, out=tmp_path / "run", callbacks=[Spoil()], **(SETTINGS | {"epochs": 3}))
    best = max(row["validation_accuracy"] for row in run.history)
    assert run.history[-1]["validation_accuracy"] < best
    _, validation = digits.split(run.config.validation, run.config.seed)
    assert np.mean(run.model.predict(validation.images) == validation.labels) == pytest.approx(best)


def test_early_stopping_ends_the_run_for_good(tmp_path: Path, digits: Dataset) -> None:
    class Freeze(Callback):
        """From the second epoch on nothing gets better."""

        def on_epoch(self, loop: RunUnderWay, row: dict) -> None:
            loop.schedule = lambda step: 0.0

    settings = SETTINGS | {"epochs": 50, "batch_norm": False, "dropout": 0.0}
    run = train(digits, out=tmp_path / "run", patience=3, callbacks=[Freeze()], **settings)
    assert len(run.history) == 4
    before = contents(run)
    assert contents(resume(run.path)) == before


def test_no_validation_images_means_the_last_model(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", validation=0, **SETTINGS)
    assert run.history[-1]["validation_loss"] is None
    assert run.history[-1]["step"] == 4 * -(-len(digits.train) // 100)
    assert run.model.predict(digits.test.images[:1]).shape == (1,)


def test_training_never_reads_a_test_image(tmp_path: Path, digits: Dataset) -> None:
    rng = np.random.default_rng(0)
    other = load_dataset(
        (
            digits.train.images,
            digits.train.labels,
            rng.integers(0, 256, (50, 8, 8)).astype(np.uint8),
            np.arange(50) % 10,
        )
    )
    noise = load_dataset(
        (
            digits.train.images,
            digits.train.labels,
            rng.integers(0, 256, (50, 8, 8)).astype(np.uint8),
            np.arange(50) % 10,
        )
    )
    a, b = (train(d, out=tmp_path / n, **SETTINGS) for n, d in (("a", other), ("b", noise)))
    np.testing.assert_array_equal(a.model.network.parameters, b.model.network.parameters)


def test_weights_that_stop_being_finite_are_told(tmp_path: Path, digits: Dataset) -> None:
    with pytest.raises(
        TrainingError, match=r"stopped being finite at step \d+ .*try a smaller learning rate than 1e\+30"
    ):
        train(digits, out=tmp_path / "run", optimizer="sgd", learning_rate=1e30, hidden=[16], scaling="none", epochs=2)
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_a_folder_with_a_run_is_not_touched(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", **SETTINGS)
    before = contents(run)
    with pytest.raises(TrainingError, match="has a run already"):
        train(digits, out=tmp_path / "run", **SETTINGS)
    assert contents(run) == before


def test_a_folder_with_anything_in_it_is_not_touched(tmp_path: Path, digits: Dataset) -> None:
    (tmp_path / "model.safetensors").write_text("somebody's")
    with pytest.raises(TrainingError, match="is not empty"):
        train(digits, out=tmp_path, **SETTINGS)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("model.safetensors", "somebody's")]


@pytest.mark.skipif(os.name != "posix", reason="the lock is POSIX")
def test_two_processes_never_train_one_run(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", callbacks=[StopAt(5)], **SETTINGS)
    with only_process(run.path), pytest.raises(FileError, match="another process is working in this folder"):
        resume(run.path)
    assert len(resume(run.path).history) == 4


def test_an_interruption_comes_out_of_another_process_as_it_was(tmp_path: Path) -> None:
    error = pickle.loads(pickle.dumps(TrainingInterrupted(tmp_path, 7)))
    assert (type(error), error.folder, error.step) == (TrainingInterrupted, tmp_path, 7)
    assert str(error) == f"stopped at step 7, everything is saved; continue with: glassnet resume {tmp_path}"


def test_what_is_no_longer_finite_never_replaces_a_good_checkpoint(tmp_path: Path, digits: Dataset) -> None:
    class Explode(Callback):
        def on_step(self, loop: RunUnderWay, loss: float) -> None:
            if loop.state.step == 20:
                loop.network.parameters[3] = np.inf
                loop.stop("now")

    with pytest.raises(TrainingError, match="stopped being finite"):
        train(digits, out=tmp_path / "run", callbacks=[Explode()], **SETTINGS)
    assert len(resume(tmp_path / "run").history) == 4


def test_a_network_too_large_for_its_files_is_refused_before_its_memory_is_taken(
    tmp_path: Path, digits: Dataset
) -> None:
    with pytest.raises(TrainingError, match=r"make checkpoints of 120,.* use fewer units"):
        train(digits, out=tmp_path / "run", hidden=[100_000, 100_000])
    assert not (tmp_path / "run").exists()


def test_batch_normalisation_counts_in_the_size_of_the_files(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"hidden": [16], "batch_norm": True, "dropout": 0.0, "optimizer": "adam", "epochs": 1}
    run = train(digits, out=tmp_path / "run", ema=0.9, **settings)
    with open_tensors(run.path / "checkpoint.safetensors", "checkpoint") as file:
        numbers = sum(int(np.prod(shape)) for shape in file.shapes.values())
    for spare, refused in ((0, False), (-1, True)):
        monkeypatch.setattr("glassnet.training.assembly.MAX_TENSOR_FILE_BYTES", 4 * numbers + spare)
        with pytest.raises(TrainingError) if refused else contextlib.nullcontext() as caught:
            prepare(Config.resolve("small", **settings, ema=0.9), digits)
    assert f"{64 * 16 + 16 + 32 + 170:,} parameters make checkpoints of {4 * numbers:,} bytes" in str(caught.value)


def test_so_few_images_that_none_is_left_to_validate_on(tmp_path: Path, digits: Dataset) -> None:
    few = np.concatenate([np.flatnonzero(digits.train.labels == label)[:2] for label in (0, 1)])
    images, labels = digits.train.images[few], digits.train.labels[few]
    data = load_dataset((images, labels, images, labels))
    run = train(data, out=tmp_path / "run", epochs=2, batch_size=2)
    assert run.best["epoch"] == 2
    assert run.history[-1]["validation_accuracy"] is None


@pytest.mark.parametrize(
    "change", [{"step": -5}, {"epoch": -3}, {"step": 10**9}, {"seen": 0}, {"step": 0}, {"epoch": 9}, {"seconds": "x"}]
)
def test_a_state_that_no_run_can_be_in_is_refused(tmp_path: Path, digits: Dataset, change: dict) -> None:
    run = train(digits, out=tmp_path / "run", callbacks=[StopAt(17)], **SETTINGS)
    checkpoint = run.path / "checkpoint.safetensors"
    with open_tensors(checkpoint, "checkpoint") as file:
        tensors = {name: file._handle.get_tensor(name) for name in file.shapes}
        state = json.loads(file.metadata["state"]) | change
        metadata = file.metadata | {"state": json.dumps(state)}
    write_tensors(checkpoint, tensors, metadata)
    with pytest.raises(FileError, match="damaged"):
        resume(run.path)


def test_few_images_need_no_flag(tmp_path: Path, digits: Dataset) -> None:
    run = train(load_dataset((digits.train.images[:25], digits.train.labels[:25])), out=tmp_path / "run", epochs=2)
    assert run.config.batch_size == 2


def test_from_the_first_epoch_on_there_is_a_model(tmp_path: Path, digits: Dataset) -> None:
    class Look(Callback):
        def on_epoch(self, run: RunUnderWay, row: dict) -> None:
            assert Run(tmp_path / "run").model.predict(digits.test.images[:1]).shape == (1,)

    train(digits, out=tmp_path / "run", callbacks=[Look()], **SETTINGS)


def test_wrong_use(tmp_path: Path, digits: Dataset) -> None:
    with pytest.raises(TrainingError, match=r"batch_size: 5000 is more than the 1,?\d+ training images of digits"):
        train(digits, out=tmp_path / "a", batch_size=5000)
    with pytest.raises(DataError, match="give it load_dataset"):
        train("digits", out=tmp_path / "a")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        train(digits, out=tmp_path / "a", epoks=3)
    with pytest.raises(DataError, match="class"):
        train(load_dataset((np.zeros((20, 4, 4), np.uint8), np.zeros(20, int))), out=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(FileError, match="no run here"):
        resume(tmp_path)


def test_arrays_in_memory_are_resumed_with_the_same_arrays(tmp_path: Path, digits: Dataset) -> None:
    arrays = load_dataset((digits.train.images, digits.train.labels))
    run = train(arrays, out=tmp_path / "run", callbacks=[StopAt(5)], **SETTINGS)
    with pytest.raises(TrainingError, match="arrays in memory"):
        resume(run.path)
    changed = load_dataset((255 - digits.train.images, digits.train.labels))
    with pytest.raises(TrainingError, match="the data has changed"):
        resume(run.path, changed)
    assert len(resume(run.path, arrays).history) == 4


@pytest.mark.parametrize("report_every", [1, 2])
@pytest.mark.parametrize("step", [0, 3])
def test_a_run_that_is_ended_for_good_has_a_model(
    tmp_path: Path, digits: Dataset, step: int, report_every: int
) -> None:
    class Finish(Callback):
        def on_start(self, run: RunUnderWay) -> None:
            self.on_step(run, 0.0)

        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step == step:
                run.finish("for a test")

    run = train(digits, out=tmp_path / "run", callbacks=[Finish()], report_every=report_every, **SETTINGS)
    assert run.finished
    assert [row["epoch"] for row in run.history] == [report_every]
    assert run.model.classes == digits.classes


def test_a_run_folders_name_is_synced_into_the_folder_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    made = make_run_folder(None, "name")
    assert synced == [Path(), Path("runs")]
    assert make_run_folder(made, "name") == made


def test_weights_that_no_float_holds_are_refused(digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="initializer_scale: must be at most 1,000,000"):
        train(digits, initializer_scale=1e300)


@pytest.mark.parametrize("garbage", [b"null\n", b'{"epoch": 1e999}\n', b"\0" * 500 + b"\n", b"\xff"])
def test_what_a_power_cut_leaves_behind_the_checkpoints_rows_is_dropped(
    tmp_path: Path, digits: Dataset, garbage: bytes
) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    half = train(digits, out=tmp_path / "half", callbacks=[StopAt(30)], **SETTINGS)
    for name in ("history.jsonl", "steps.jsonl"):
        with (half.path / name).open("ab") as file:
            file.write(garbage)
    assert contents(resume(half.path)) == contents(whole)


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "model.safetensors", "config.toml", "history.jsonl"])
def test_a_damaged_run_is_told(tmp_path: Path, digits: Dataset, name: str) -> None:
    run = train(digits, out=tmp_path / "run", callbacks=[StopAt(30)], **SETTINGS)
    file = run.path / name
    file.write_bytes(b"\x00garbage\n" + file.read_bytes()[20:])
    with pytest.raises((FileError, ConfigError), match=name) as error:
        _ = run.model, resume(run.path)
    assert "\n" not in str(error.value)


def test_a_history_cut_short_by_a_crash(tmp_path: Path, digits: Dataset) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    half = train(digits, out=tmp_path / "half", callbacks=[StopAt(30)], **SETTINGS)
    with (half.path / "history.jsonl").open("a") as file:
        file.write('{"epoch": 3, "step": 36, "lo')
    assert contents(resume(half.path)) == contents(whole)


def run_in_another_process(folder: Path, epochs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "glassnet", "train", "--out", str(folder), "--recipe", "small", "--threads", "1"]
    return subprocess.Popen([*command, "--epochs", str(epochs)], stderr=subprocess.PIPE)


def wait_for(condition: object, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"no {what} within a minute"
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_run_killed_at_any_moment_goes_on_to_the_same_end(tmp_path: Path, digits: Dataset) -> None:
    settings = {"epochs": 40, "threads": 1}
    whole = train(digits, "small", out=tmp_path / "whole", **settings)
    for i, delay in enumerate((0.0, 0.15, 0.4)):
        folder = tmp_path / f"killed{i}"
        process = run_in_another_process(folder, 40)
        wait_for((folder / "checkpoint.safetensors").exists, "checkpoint")
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert contents(resume(folder)) == contents(whole)


KILLED_IN_A_SAVE = """
import os, signal, sys
from glassnet import load_dataset, train
from glassnet.training import folder

folder.SAVE_EVERY = 0.0
sync, left = os.fsync, int(sys.argv[2])

def kill(descriptor):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)

os.fsync = kill
train(load_dataset("digits"), "small", out=sys.argv[1], epochs=3, threads=1)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_run_killed_in_the_middle_of_a_save_goes_on_to_the_same_end(tmp_path: Path, digits: Dataset) -> None:
    whole = train(digits, "small", out=tmp_path / "whole", epochs=3, threads=1)
    resumed_from = []
    for syncs in (4, 23, 133, 134, 135, 136, 137, 170):
        folder = tmp_path / f"killed{syncs}"
        killed = subprocess.run([sys.executable, "-c", KILLED_IN_A_SAVE, str(folder), str(syncs)], check=False)
        assert killed.returncode == -signal.SIGKILL
        with contextlib.suppress(FileError), open_tensors(folder / "checkpoint.safetensors", "checkpoint") as file:
            resumed_from.append(json.loads(file.metadata["state"])["step"])
        assert contents(resume(folder)) == contents(whole)
        assert {file.name for file in folder.iterdir()} == {file.name for file in whole.path.iterdir()}
    assert max(resumed_from) > 41  # in the second epoch: a model had been saved too


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_and_says_how_to_go_on(tmp_path: Path, digits: Dataset, number: int) -> None:
    folder = tmp_path / "run"
    process = run_in_another_process(folder, 3000)
    wait_for(lambda: (folder / "history.jsonl").exists() and (folder / "history.jsonl").stat().st_size, "epoch")
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    last = stderr.decode().strip().splitlines()[-1]
    assert f"continue with: glassnet resume {folder}" in last
    loop = RunLoop(Run(folder).config, digits, folder=folder)
    loop.stop("at once")
    loop.run()
    assert str(loop.state.step) in last


def test_a_full_disk_loses_nothing(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    monkeypatch.setattr(folder_module, "SAVE_EVERY", 0.0)
    real, calls = os.fsync, [0]

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 40:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        train(digits, out=tmp_path / "run", **SETTINGS)
    monkeypatch.setattr(os, "fsync", real)
    assert contents(resume(tmp_path / "run")) == contents(whole)


def test_it_trains_outside_the_main_thread(tmp_path: Path, digits: Dataset) -> None:
    thread = threading.Thread(target=train, args=(digits,), kwargs={"out": tmp_path / "run", **SETTINGS})
    thread.start()
    thread.join()
    assert len(Run(tmp_path / "run").history) == 4


def test_ctrl_c_is_a_keyboard_interrupt_for_python(tmp_path: Path, digits: Dataset) -> None:
    class Press(Callback):
        def on_step(self, loop: RunUnderWay, loss: float) -> None:
            if loop.state.step == 5:
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingInterrupted, match="step 5"):
        train(digits, out=tmp_path / "run", callbacks=[Press()], **SETTINGS)
    assert signal.getsignal(signal.SIGINT) is before
    assert issubclass(TrainingInterrupted, KeyboardInterrupt)
    assert len(resume(tmp_path / "run").history) == 4


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_balanced_classes_count_alike(tmp_path: Path, digits: Dataset, batch_size: int, optimizer: str) -> None:
    settings = {"epochs": 2, "optimizer": optimizer, "learning_rate": 0.01, "batch_size": batch_size}
    rare = np.flatnonzero(digits.train.labels == 3)[:8]
    chosen = np.concatenate([np.flatnonzero(digits.train.labels != 3), rare])
    data = load_dataset(
        (digits.train.images[chosen], digits.train.labels[chosen], digits.test.images, digits.test.labels)
    )
    threes = digits.test.images[digits.test.labels == 3]
    recall = {
        weight: np.mean(train(data, out=tmp_path / weight, class_weight=weight, **settings).model.predict(threes) == 3)
        for weight in ("none", "balanced")
    }
    assert recall["balanced"] > recall["none"]


def test_a_model_is_the_same_after_saving(tmp_path: Path, digits: Dataset) -> None:
    model = train(digits, out=tmp_path / "run", **SETTINGS).model
    model.save(tmp_path / "copy.safetensors")
    copy = Model.load(tmp_path / "copy.safetensors")
    np.testing.assert_array_equal(copy.predict_proba(digits.test.images), model.predict_proba(digits.test.images))
    assert (copy.classes, copy.preprocessing, copy.trained_on) == (model.classes, model.preprocessing, "digits")


def test_a_loop_without_a_folder_is_interrupted_like_any_program(digits: Dataset) -> None:
    class Interrupt(Callback):
        def on_step(self, run, loss) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    loop = RunLoop(Config.resolve("fast", hidden=[4], epochs=1), digits, [Interrupt()])
    with pytest.raises(KeyboardInterrupt) as interrupted:
        loop.run()
    assert not isinstance(interrupted.value, TrainingInterrupted)


@pytest.mark.parametrize("size", [None, 200])
def test_a_run_whose_best_model_is_lost_does_not_go_on(tmp_path: Path, digits: Dataset, size: int | None) -> None:
    class Stop(Callback):
        def on_epoch(self, run: RunUnderWay, row: Row) -> None:
            run.stop("here")

    run = train(digits, out=tmp_path / "run", callbacks=[Stop()], **SETTINGS)
    whole = (run.path / "model.safetensors").read_bytes()
    (run.path / "model.safetensors").unlink()
    if size:
        (run.path / "model.safetensors").write_bytes(whole[:size])
    with pytest.raises(FileError, match="it holds the best epoch; put it back"):
        resume(run.path)
    (run.path / "model.safetensors").write_bytes(whole)
    assert len(resume(run.path).history) == 4


@pytest.mark.parametrize(("second", "goes_on"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_only_a_second_ctrl_c_ends_work_at_once(second: signal.Signals, goes_on: bool) -> None:
    told: list[str] = []
    with contextlib.nullcontext() if goes_on else pytest.raises(KeyboardInterrupt), interruptible(told.append):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(second)
    assert told == ["interrupted"]


@pytest.mark.parametrize("wrong", [{"recipe": 3}, {"data": "mnist"}, {"recipe": None, "classes": 3}])
def test_what_no_run_can_be_told_is_refused(digits: Dataset, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=list(wrong)[-1]):
        train(digits, **wrong)


@pytest.mark.parametrize("patience", [0, -3, True, "x", 1.5])
def test_early_stopping_wants_a_number_of_epochs(patience: Any) -> None:
    with pytest.raises(ConfigError, match="patience: must be a whole number of at least 1"):
        EarlyStopping(patience)


def test_all_data_leaves_none_for_validation_and_testing(tmp_path: Path, digits: Dataset) -> None:
    counted: list[int] = []

    class Count(RunCallback):
        def on_start(self, run: RunUnderWay) -> None:
            counted.append(len(run.batches.labels) + len(run.validation))

    run = train(digits, "small", out=tmp_path / "run", all_data=True, epochs=2, callbacks=[Count()])
    assert counted == [1797]
    assert run.config.validation == 0
    with pytest.raises(DataError, match="trained on all of its images; evaluate it on other data"):
        examples_for(run.model, digits)
    assert resume(run.path, epochs=3).history[-1]["epoch"] == 3
    with pytest.raises(ConfigError, match="all_data: leaves no images for validation"):
        train(digits, out=tmp_path / "other", all_data=True, validation=0.2)


def test_all_data_of_a_source_with_test_images_leaves_these(tmp_path: Path, digits: Dataset) -> None:
    parts = digits.train.images, digits.train.labels, digits.test.images, digits.test.labels
    run = train(load_dataset(parts), "small", out=tmp_path / "run", all_data=True, epochs=1)
    assert len(examples_for(run.model, load_dataset(parts))) == len(digits.test)


def test_a_finished_run_goes_on_for_more_epochs(tmp_path: Path, digits: Dataset) -> None:
    settings = {"recipe": "small", "schedule": "constant", "threads": 1}
    whole = train(digits, out=tmp_path / "whole", epochs=4, **settings)
    run = train(digits, out=tmp_path / "run", epochs=2, **settings)
    assert run.finished
    with pytest.raises(ConfigError, match="epochs: the run has 2 already; give more than that, such as 4"):
        resume(run.path, epochs=2)
    longer = resume(run.path, epochs=4)
    assert longer.finished
    assert longer.config.epochs == 4
    assert [row["validation_loss"] for row in longer.history] == [row["validation_loss"] for row in whole.history]
    assert np.array_equal(longer.model.network.parameters, whole.model.network.parameters)
    ensemble = train(digits, out=tmp_path / "ensemble", members=2, epochs=1, **settings)
    with pytest.raises(ConfigError, match="epochs: an ensemble cannot be continued"):
        resume(ensemble.path, epochs=2)


def test_a_resumed_run_that_finds_no_better_model_keeps_the_one_it_had(tmp_path):
    """Of two classes that anything tells apart the first epoch is the best by accuracy."""
    labels = np.arange(1200) % 2
    images = (200 * labels[:, None, None] + np.random.default_rng(0).integers(0, 50, (1200, 5, 5))).astype(np.uint8)
    dataset = load_dataset((images, labels), classes=2)

    class Stop(Callback):
        def on_epoch(self, run, row):
            run.stop("for a test")

    settings = {"recipe": "small", "monitor": "validation_accuracy", "threads": 1, "epochs": 3}
    stopped = train(dataset, out=tmp_path / "stopped", callbacks=[Stop()], **settings)
    whole = train(dataset, out=tmp_path / "whole", **settings)
    assert stopped.best["epoch"] == whole.best["epoch"] == 1
    for run in (resume(stopped.path, dataset), resume(stopped.path, dataset, epochs=4)):
        assert run.finished
        np.testing.assert_array_equal(run.model.network.parameters, whole.model.network.parameters)
        np.testing.assert_array_equal(run.model.doubt(images), whole.model.doubt(images))
