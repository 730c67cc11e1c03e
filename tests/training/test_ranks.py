"""One run in several processes, begun by mpiexec as a person begins it."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from glassnet import Model, Run, resume
from glassnet.cli import main
from glassnet.training import Ranks

MPIEXEC = Path(sys.executable).with_name("mpiexec")
pytestmark = pytest.mark.skipif(
    not (importlib.util.find_spec("mpi4py") and MPIEXEC.exists()), reason="needs MPI: pip install mpi4py mpich"
)

GLASSNET = (sys.executable, "-m", "glassnet")
TINY = ("train", "digits", "--recipe", "small", "--hidden", "16", "--precision", "float64")
SMALL = (*TINY, "--epochs", "2")
# A bias below batch normalisation has a gradient of 0 but for rounding, and Adam makes steps of full length of that.
NORMALISED = ("--batch-norm", "--optimizer", "momentum")
KINDS = {
    "dropout": ("--batch-size", "64", "--class-weight", "balanced", "--ema", "0.9", "--l2", "0.001"),
    "decay": ("--optimizer", "adamw", "--weight-decay", "0.1", "--dropout", "0", "--activation", "tanh"),
    "distorted": ("--rotation", "10", "--elastic", "0.5", "--batch-size", "600", *NORMALISED),  # in two blocks
    "whole batch": ("--batch-size", "all", "--dropout", "0", "--optimizer", "sgd", "--clip-norm", "1"),
    "convolution": ("--layers", "conv 5 3x3", "pool 2", "dense 16", "--batch-size", "64", *NORMALISED),
    # The last batch has 1294 − 2 × 646 = 2 images, so one of three ranks has none.
    "empty share": ("--batch-size", "646", *NORMALISED),
    "adversarial": ("--batch-size", "646", "--adversarial", "0.5", *NORMALISED),
}
RANKS = {"decay": 3, "empty share": 3, "adversarial": 3}  # of the others there are two


def start(folder: Path, ranks: int, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "80"}
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(ranks), *arguments] if ranks else arguments,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def alone(folder: Path, *arguments: str) -> None:
    """Do in this process what the command line does."""
    assert main([*arguments, "--out", str(folder)]) == 0


def mpi(folder: Path, ranks: int, *arguments: str, status: int = 0) -> tuple[str, str]:
    """Return what ``ranks`` processes printed."""
    process = start(folder, ranks, *GLASSNET, *arguments, "--parallel", "mpi")
    try:
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status, (output, errors)
    return output, errors


def assert_same(one: Path, other: Path) -> None:
    first, second = (Model.load(path / "model.safetensors").network for path in (one, other))
    np.testing.assert_allclose(first.parameters, second.parameters, rtol=0, atol=1e-10)
    np.testing.assert_allclose(first.statistics, second.statistics, rtol=1e-10)
    states = [load_file(path / "checkpoint.safetensors") for path in (one, other)]
    for name, tensor in states[0].items():  # the moments, which the ranks keep up in shares, and the averages
        np.testing.assert_allclose(tensor, states[1][name], rtol=1e-7, atol=1e-10)
    for row, same in zip(Run(one).history, Run(other).history, strict=True):
        assert {key: value for key, value in row.items() if key != "seconds"} == pytest.approx(
            {key: value for key, value in same.items() if key != "seconds"}, rel=1e-9
        )


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_come_to_what_one_process_comes_to(tmp_path: Path, kind: str) -> None:
    words, ranks = [*SMALL, *KINDS[kind]], RANKS.get(kind, 2)
    if "--layers" in words:
        words[words.index("--hidden") : words.index("--hidden") + 2] = []
    alone(tmp_path / "one", *words)
    output, errors = mpi(tmp_path, ranks, *words, "--out", "many")
    assert_same(tmp_path / "one", tmp_path / "many")
    assert output.count("best") == errors.count("validation loss") == 1, "only rank 0 speaks"
    assert f"{ranks} ranks; if one of them dies, continue with: " in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "one"], "only rank 0 writes"
    files = {"config.toml", "history.jsonl", "steps.jsonl", "model.safetensors", "checkpoint.safetensors", "snapshots"}
    assert {path.name for path in (tmp_path / "many").iterdir()} == files


INTERRUPTED = """
from glassnet import load_dataset, train
from glassnet.training import Callback
class Stop(Callback):
    def on_step(self, run, loss):
        if run.state.step == 25:
            run.stop("for a test")
train(load_dataset("digits"), "small", hidden=[16], epochs=2, precision="float64", batch_size=64, out="many",
      callbacks=[Stop()], parallel="mpi")
"""


@pytest.mark.parametrize("ranks", [0, 3])
def test_a_run_goes_on_with_any_number_of_ranks(tmp_path: Path, ranks: int) -> None:
    alone(tmp_path / "one", *SMALL, "--batch-size", "64")
    process = start(tmp_path, 2, sys.executable, "-c", INTERRUPTED)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    assert not Run(tmp_path / "many").finished
    if ranks:
        mpi(tmp_path, ranks, "resume", "many")
    else:
        resume(tmp_path / "many")
    assert_same(tmp_path / "one", tmp_path / "many")


@pytest.mark.parametrize(("hook", "words"), [("on_start", "run"), ("on_step", "run, loss"), ("on_epoch", "run, row")])
def test_all_ranks_end_when_a_callback_asks_for_it(tmp_path: Path, hook: str, words: str) -> None:
    script = INTERRUPTED.replace("on_step(self, run, loss)", f"{hook}(self, {words})").replace("== 25", ">= 0")
    process = start(tmp_path, 2, sys.executable, "-c", script)
    try:
        assert process.communicate(timeout=60)[1] == ""
    finally:
        process.kill()
    assert process.returncode == 0
    assert len(Run(tmp_path / "many").history) == (hook == "on_epoch")
    alone(tmp_path / "one", *SMALL, "--batch-size", "64")
    resume(tmp_path / "many")
    assert_same(tmp_path / "one", tmp_path / "many")


def wait_for_steps(process: subprocess.Popen[str], folder: Path) -> None:
    for _ in range(600):
        if (folder / "steps.jsonl").exists() and (folder / "steps.jsonl").read_text().count("\n") > 1:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("no step in half a minute")


def ranks_of(process: subprocess.Popen[str], count: int = 2) -> list[int]:
    """Return the process ids of rank 0, rank 1, …; on a busy machine they may take a while to show."""
    processes: dict[int, int] = {}
    while len(processes) < count and process.poll() is None:
        processes = _ranks_now(process)
    return [processes[rank] for rank in range(count)]


def _ranks_now(process: subprocess.Popen[str]) -> dict[int, int]:
    processes = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes().decode(errors="replace").split("\0")
            place = (path / "cwd").readlink()
        except OSError:  # it has ended, or is not ours
            continue
        rank = next((line for line in environment if line.startswith("PMI_RANK=")), "")
        if rank and place == (Path("/proc") / str(process.pid) / "cwd").readlink():
            processes[int(rank.partition("=")[2])] = int(path.name)
    return processes


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the ranks in /proc")
@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_is_killed_ends_the_run_and_it_can_go_on(tmp_path: Path, victim: int) -> None:
    process = start(tmp_path, 2, *GLASSNET, *TINY, "--epochs", "100000", "--out", "run", "--parallel", "mpi")
    try:
        wait_for_steps(process, tmp_path / "run")
        os.kill(ranks_of(process)[victim], signal.SIGKILL)
        _, errors = process.communicate(timeout=60)  # on a busy machine
    finally:
        process.kill()
    assert process.returncode
    assert "2 ranks; if one of them dies, continue with: " in errors
    assert Run(tmp_path / "run").finished is False
    config = tmp_path / "run" / "config.toml"
    config.write_text(
        config.read_text().replace("epochs = 100000", f"epochs = {Run(tmp_path / 'run').history[-1]['epoch'] + 2}")
    )
    assert resume(tmp_path / "run").finished


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the ranks in /proc")
def test_ranks_end_when_their_launcher_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path, 2, *GLASSNET, *TINY, "--epochs", "100000", "--out", "run", "--parallel", "mpi")
    ranks: list[int] = []
    try:
        wait_for_steps(process, tmp_path / "run")
        ranks = ranks_of(process)
        for launcher in {process.pid, *(_parent(rank) for rank in ranks)}:
            os.kill(launcher, signal.SIGKILL)  # mpiexec, and what it has started the ranks by: none can end them now
        end = time.monotonic() + 30  # on a busy machine
        while any(map(_parent, ranks)):
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        for rank in ranks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rank, signal.SIGKILL)
        process.kill()
        process.communicate()


def _parent(process: int) -> int:
    """Return the parent of a process, or 0 where it has ended."""
    with contextlib.suppress(OSError):
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
        return int(parent) if state != "Z" else 0
    return 0


def test_an_interrupted_run_is_saved(tmp_path: Path) -> None:
    process = start(tmp_path, 2, *GLASSNET, *TINY, "--epochs", "100000", "--out", "run", "--parallel", "mpi")
    try:
        wait_for_steps(process, tmp_path / "run")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.count("everything is saved; continue with: glassnet resume run") == 1
    assert not Run(tmp_path / "run").finished


def complaint(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.startswith("glassnet: ")]
    assert len(lines) == 1, errors
    assert "Traceback" not in errors
    return lines[0]


OF_EACH = """
import os, sys, glassnet.cli
data = f"{int(os.environ['PMI_RANK']) + 1}.npz"
sys.exit(glassnet.cli.main(["train", data, "--parallel", "mpi", "--out", "run"]))
"""


def test_ranks_with_other_data_are_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        pixels, labels = np.full((400, 8, 8), 100 * number, np.uint8), np.arange(400) % 10
        np.savez(tmp_path / f"{number}.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    process = start(tmp_path, 2, sys.executable, "-c", OF_EACH)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint(errors) == "glassnet: rank 1 has other data than rank 0; give every rank the same data"
    assert not (tmp_path / "run").exists()


def test_data_that_one_rank_lacks_end_all_with_one_line(tmp_path: Path) -> None:
    pixels, labels = np.zeros((400, 8, 8), np.uint8), np.arange(400) % 10
    np.savez(tmp_path / "1.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    process = start(tmp_path, 2, sys.executable, "-c", OF_EACH)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint(errors).startswith("glassnet: rank 1: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--batch-size", "1"), "batch_size: 1 cannot be shared out among 2 ranks; use 2 or more"),
        (("--optimizer", "sgd", "--learning-rate", "1e300"), "stopped being finite"),
        (("--out", "full"), "is not empty"),
    ],
)
def test_what_cannot_be_is_one_line_of_rank_0(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    _, errors = mpi(tmp_path, 2, *SMALL, *arguments, status=2)
    assert words in complaint(errors)


FULL_DISK = """
from glassnet.errors import FileError
from glassnet.training import folder
folder.SAVE_EVERY = 0.0
save, saved = folder.save_checkpoint, []
def fail(*words):
    saved.append(words)
    if len(saved) == 3:
        raise FileError("cannot write it: No space left on device; free space")
    save(*words)
folder.save_checkpoint = fail
"""
BROKEN_STEP = """
import os
import numpy as np
from glassnet.nn import Dense
backward, steps = Dense.backward, []
def fail(layer, dY, p):
    steps.append(dY)
    if len(steps) == 7 and os.environ["PMI_RANK"] == VICTIM:
        np.empty(2**45)
    return backward(layer, dY, p)
Dense.backward = fail
"""


def test_a_full_disk_ends_all_ranks_and_the_run_goes_on(tmp_path: Path) -> None:
    script = FULL_DISK + INTERRUPTED.replace("== 25", "== -1")
    process = start(tmp_path, 2, sys.executable, "-c", script)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "rank 0 has ended the run: cannot write it: No space left on device" in errors
    alone(tmp_path / "one", *SMALL, "--batch-size", "64")
    resume(tmp_path / "many")
    assert_same(tmp_path / "one", tmp_path / "many")


@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_fails_in_the_middle_of_a_step_ends_all(tmp_path: Path, victim: int) -> None:
    script = BROKEN_STEP.replace("VICTIM", repr(str(victim))) + INTERRUPTED
    process = start(tmp_path, 2, sys.executable, "-c", script)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"glassnet: rank {victim} cannot go on, which ends the run: Unable to allocate" in complaint(errors)


STARTED_OTHERWISE = """
class Scale(Callback):
    def on_start(self, run):
        run.network.parameters *= 0.5
"""


def test_what_a_callback_changes_at_the_start_all_ranks_have(tmp_path: Path) -> None:
    script = INTERRUPTED.replace("train(", STARTED_OTHERWISE + "train(", 1).replace("Stop()", "Scale()")
    assert start(tmp_path, 2, sys.executable, "-c", script).communicate(timeout=60)[1] == ""
    one = script.replace('out="many"', 'out="one"').replace(', parallel="mpi"', "")
    assert start(tmp_path, 0, sys.executable, "-c", one).communicate(timeout=60)[1] == ""
    assert_same(tmp_path / "one", tmp_path / "many")


def test_a_broken_callback_ends_all_ranks(tmp_path: Path) -> None:
    script = INTERRUPTED.replace('run.stop("for a test")', "raise ZeroDivisionError")
    process = start(tmp_path, 2, sys.executable, "-c", script)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ZeroDivisionError" in errors
    assert "rank 0 has ended the run: ZeroDivisionError" in errors


def test_without_mpi_the_error_says_what_to_install(tmp_path: Path) -> None:
    script = "import sys; sys.modules['mpi4py'] = None; import glassnet.cli; sys.exit(glassnet.cli.main(sys.argv[1:]))"
    process = start(tmp_path, 0, sys.executable, "-c", script, *SMALL, "--parallel", "mpi")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint(errors).endswith("; pip install mpi4py mpich")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--parallel", "mpl"), "parallel: 'mpl' is unknown (did you mean 'mpi'?)"),
        ((), "mpiexec started 2 processes, and each would train a separate run; give --parallel mpi"),
        (("--parallel", "mpi", "--tensorboard", "file/logs"), "file: not a folder; choose another place for the logs"),
    ],
)
def test_what_all_ranks_were_told_wrongly_is_said_once(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    (tmp_path / "file").touch()
    process = start(tmp_path, 2, *GLASSNET, *SMALL, *words)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint(errors).endswith(line)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_unknown_way_is_refused(tmp_path: Path) -> None:
    process = start(tmp_path, 0, *GLASSNET, *SMALL, "--parallel", "mpl")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint(errors) == "glassnet: parallel: 'mpl' is unknown (did you mean 'mpi'?)"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_a_share_of_everything_is_somebodys(size: int, count: int) -> None:
    ranks, parts = Ranks(), []
    for number in range(size):
        ranks.rank, ranks.size = number, size
        parts += list(range(count))[ranks.share(count)]
    assert parts == list(range(count))
