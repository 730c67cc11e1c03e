"""The weights that a run keeps of its way."""

import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassnet import Dataset, Model, Run, load_dataset, resume, train
from glassnet.cli import main
from glassnet.errors import FileError
from glassnet.training import Callback, RunUnderWay, open_model, snapshots
from glassnet.training.snapshots import snapshot_steps

SETTINGS = {"hidden": [16], "epochs": 4, "batch_size": 100, "threads": 1}  # 13 steps an epoch


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


class Watch(Callback):
    """Remembers the weights of each step, and stops or kills at one."""

    def __init__(self, stop: int = 0) -> None:
        self.weights: dict[int, np.ndarray] = {}
        self.stop = stop

    def on_start(self, run: RunUnderWay) -> None:
        self.on_step(run, 0)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        self.weights[run.state.step] = run.model.network.parameters.copy()
        if self.stop and run.state.step == self.stop:
            run.stop("for a test")


def contents(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run.path / "snapshots").iterdir())}


@given(st.integers(0, 10**7), st.integers(2, 60))
def test_the_steps_are_even_in_their_logarithm_with_both_ends(total: int, most: int) -> None:
    steps = snapshot_steps(total, most)
    assert steps == sorted(set(steps))
    assert len(steps) == min(most, total + 1)
    assert (steps[0], steps[-1]) == (0, total)
    apart = [b / a for a, b in pairwise(steps) if a > 50 and b < total]
    assert not apart or max(apart) / min(apart) < 1.05


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"ema": 0.9},
        {"batch_norm": True},
        {"precision": "float64"},
        {"precision": "bfloat16", "engine": "compiled"},
        {"engine": "compiled"},
        {"batch_size": "all", "dropout": 0.0, "epochs": 30},
        {"batch_size": 1, "optimizer": "sgd", "learning_rate": 0.01, "dropout": 0.0, "epochs": 1},
        {"layers": ["conv 3 3x3", "pool 2", "dense 8"], "batch_norm": True},
    ],
    ids=str,
)
def test_a_snapshot_is_the_network_of_its_step(tmp_path: Path, digits: Dataset, how: dict) -> None:
    if how.get("engine") == "compiled":
        pytest.importorskip("numba")
    settings = SETTINGS | how
    if "layers" in how:
        del settings["hidden"]
    watch = Watch()
    run = train(digits, out=tmp_path / "run", callbacks=[watch], **settings)
    steps = run.snapshots
    assert steps == snapshot_steps(run.history[-1]["step"], 40)
    for step in steps:
        model, seen = run.model_at(step), watch.weights[step]
        np.testing.assert_allclose(model.network.parameters, seen, rtol=2**-11, atol=1e-7)
        np.testing.assert_array_equal(model.network.parameters, seen.astype(np.float16).astype(seen.dtype))
    accuracy = [np.mean(run.model_at(step).predict(digits.test.images) == digits.test.labels) for step in steps]
    assert accuracy[-1] > accuracy[0] + 0.2
    if how.get("batch_norm"):
        first, last = (run.model_at(step).network.statistics for step in (0, steps[-1]))
        assert not np.array_equal(first, last)


def test_looking_changes_nothing(tmp_path: Path, digits: Dataset) -> None:
    how = SETTINGS | {"batch_size": 1, "optimizer": "sgd", "learning_rate": 0.01, "dropout": 0.0, "epochs": 1}
    kept = train(digits, out=tmp_path / "kept", **how)
    bare = train(digits, out=tmp_path / "bare", snapshots=0, **how)
    assert kept.snapshots
    assert bare.snapshots == []
    assert not (bare.path / "snapshots").exists()
    assert (kept.path / "model.safetensors").read_bytes() == (bare.path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("stop", [3, 13, 30])
def test_a_run_that_was_stopped_keeps_what_a_whole_one_keeps(tmp_path: Path, digits: Dataset, stop: int) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    half = train(digits, out=tmp_path / "half", callbacks=[Watch(stop)], **SETTINGS)
    assert half.snapshots[-1] == stop
    resume(half.path)
    assert contents(half) == contents(whole)


KILLED = """
import os, signal, sys
from glassnet import load_dataset, train
from glassnet.training import Callback, folder
folder.SAVE_EVERY = 0.0
class Kill(Callback):
    def on_step(self, run, loss):
        if run.state.step == 20:
            os.kill(os.getpid(), signal.SIGKILL)
train(load_dataset("digits"), out=sys.argv[1], callbacks=[Kill()], hidden=[16], epochs=4, batch_size=100, threads=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_run_that_was_killed_keeps_what_a_whole_one_keeps(tmp_path: Path, digits: Dataset) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = tmp_path / "killed" / "snapshots" / ".21.safetensors.1.partial"
    left.write_bytes(b"half")
    run = resume(tmp_path / "killed")
    assert contents(run) == contents(whole)


def test_more_epochs_thin_the_snapshots_out(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", **SETTINGS)
    for epochs in (8, 40, 200):
        resume(run.path, epochs=epochs)
        steps = run.snapshots
        assert len(steps) <= 40
        assert (steps[0], steps[-1]) == (0, 13 * epochs)
    wanted = snapshot_steps(13 * 200, 40)
    assert np.mean([min(abs(step - other) for other in steps) <= 0.15 * step + 1 for step in wanted]) > 0.9


def test_a_large_network_has_fewer(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_BYTES", 100_000)
    run = train(digits, out=tmp_path / "run", **SETTINGS)
    assert (run.snapshots[0], run.snapshots[-1]) == (0, 52)
    assert 2 < len(run.snapshots) < 40
    assert sum(len(content) for content in contents(run).values()) < 100_000
    monkeypatch.setattr(snapshots, "MOST_BYTES", 1000)
    assert train(digits, out=tmp_path / "none", **SETTINGS).snapshots == []


def test_an_ensemble_has_those_of_its_members(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", members=2, **SETTINGS)
    assert run.snapshots == snapshot_steps(52, 40)
    model = run.model_at(52)
    assert len(model.networks) == 2
    member = Run(run.path / "member-2").model_at(52)
    np.testing.assert_array_equal(model.networks[1].parameters, member.network.parameters)


def test_the_members_of_an_ensemble_share_the_space(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_BYTES", 200_000)
    run = train(digits, out=tmp_path / "run", members=3, **SETTINGS)
    assert (run.snapshots[0], run.snapshots[-1]) == (0, 52)
    kept = [len(content) for i in (1, 2, 3) for content in contents(Run(run.path / f"member-{i}")).values()]
    assert len(kept) == 3 * len(run.snapshots)
    assert len(run.snapshots) > 2
    assert sum(kept) < 200_000


def test_a_worker_elsewhere_sends_its_snapshots(tmp_path: Path, digits: Dataset) -> None:
    from glassnet.training.workers import pack, unpack

    run = train(digits, out=tmp_path / "run", **SETTINGS)
    unpack(pack(run.path), tmp_path / "sent")
    assert contents(Run(tmp_path / "sent")) == contents(run)


def test_weights_that_are_too_large_have_no_snapshot(tmp_path: Path, digits: Dataset) -> None:
    class Grow(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step == 3:
                run.network.parameters[0] = 1e5

    run = train(digits, out=tmp_path / "run", callbacks=[Grow()], optimizer="sgd", learning_rate=1e-6, **SETTINGS)
    assert run.snapshots == [0, 1, 2, 3]  # at step 3 it is taken before that
    assert run.finished


def test_a_folder_that_takes_no_snapshots_does_not_end_the_run(tmp_path: Path, digits: Dataset) -> None:
    class Block(Callback):
        def on_start(self, run: RunUnderWay) -> None:
            time.sleep(0.2)  # until that of step 0 is written
            shutil.rmtree(run.folder / "snapshots")
            (run.folder / "snapshots").write_text("a file, where a folder should be")

    run = train(digits, out=tmp_path / "run", callbacks=[Block()], **SETTINGS)
    assert run.finished
    assert run.snapshots == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Run:
    return train(digits, out=tmp_path_factory.mktemp("snapshots") / "run", **SETTINGS)


def test_a_past_step_is_named_where_a_model_is(run: Run, digits: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    path = run.path / "snapshots" / "52.safetensors"
    np.testing.assert_array_equal(
        open_model(path).predict(digits.test.images), run.model_at(52).predict(digits.test.images)
    )
    for command in (["evaluate"], ["explain"]):
        assert main([*command, str(path)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert main(["evaluate", str(path.with_name("51.safetensors"))]) == 2
    wrong = capsys.readouterr().err
    assert "no snapshot of step 51; the nearest are those of steps" in wrong
    assert wrong.count("\n") == 1


def test_show_says_how_many_there_are(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run.path)]) == 0
    assert "snapshots   40, from step 0 to 52" in capsys.readouterr().out
    assert main(["show", str(run.path), "--json"]) == 0
    assert '"snapshots": [0, 1, 2' in capsys.readouterr().out


def test_a_damaged_snapshot_is_one_line(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(run.path, folder)
    path = folder / "snapshots" / "52.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileError, match="content has changed"):
        Run(folder).model_at(52)
    path.write_bytes(content[:500])
    assert main(["evaluate", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(FileError, match="truncated or damaged"):
        Run(folder).model_at(52)
    assert isinstance(Run(folder).model_at(0), Model)


def test_a_run_of_before_has_none(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "old"
    shutil.copytree(run.path, folder, ignore=shutil.ignore_patterns("snapshots"))
    assert Run(folder).snapshots == []
    with pytest.raises(FileError, match="no snapshot of step 3; there are none"):
        Run(folder).model_at(3)
    assert main(["show", str(folder)]) == 0
    assert "snapshots   none" in capsys.readouterr().out
