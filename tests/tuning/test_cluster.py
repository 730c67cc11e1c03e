"""A Dask cluster of two local workers takes trials and members; so do processes of this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import psutil
import pytest

from glassnet import Dataset, Run, load_dataset, resume, search, train
from glassnet.cli import main
from glassnet.errors import ConfigError, TrainingError
from glassnet.locks import is_held
from glassnet.training import Callback, RunUnderWay
from glassnet.training.checkpoint import read_state
from glassnet.tuning import Search, Trial

SETTINGS = {"hidden": [16], "epochs": 3, "batch_size": 100, "dropout": 0.2, "threads": 1, "members": 3, "seed": 7}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Run:
    return train(digits, out=tmp_path_factory.mktemp("one-by-one") / "run", **SETTINGS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a scheduler with two workers, processes as a person starts them."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as local:
        yield local.scheduler_address


def contents(run: Run) -> dict[str, object]:
    """All that an ensemble left, but for the seconds that it took."""
    folders = [run.path, *(run.path / f"member-{number}" for number in (1, 2, 3))]
    return {folder.name: (folder / "model.safetensors").read_bytes() for folder in folders[1:]} | {
        "joined": (run.path / "model.safetensors").read_bytes(),
        "config": (run.path / "config.toml").read_bytes(),
        "rows": [[row | {"seconds": 0} for row in Run(folder).history] for folder in folders],
    }


class Members(Callback):
    def __init__(self) -> None:
        self.numbers: list[int] = []

    def on_member(self, number: int, row: dict) -> None:
        self.numbers.append(number)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        raise AssertionError("called in this process")


def test_members_side_by_side_equal_members_one_by_one(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    members = Members()
    run = train(digits, out=tmp_path / "run", jobs=2, callbacks=[members], **SETTINGS)
    assert contents(run) == contents(whole)
    assert members.numbers == [1, 2, 3]


def test_a_cluster_trains_the_same_members(whole: Run, digits: Dataset, cluster: str, tmp_path: Path) -> None:
    assert contents(train(digits, out=tmp_path / "run", dask=cluster, **SETTINGS)) == contents(whole)


def test_a_worker_that_does_not_see_the_folder_sends_its_files(
    whole: Run, digits: Dataset, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "resolve", lambda path, strict=False: Path("/nowhere") / path.name)
    assert contents(train(digits, out=tmp_path / "run", dask=cluster, **SETTINGS)) == contents(whole)


def test_an_error_in_a_worker_is_the_error(digits: Dataset, tmp_path: Path) -> None:
    settings = SETTINGS | {"optimizer": "sgd", "learning_rate": 1e30}
    with pytest.raises(TrainingError, match="the weights stopped being finite"):
        train(digits, out=tmp_path / "run", jobs=2, **settings)


def test_what_goes_wrong_in_the_last_trials_ends_a_search_at_once(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna looks at the errors of its threads only as far as it needs them for more trials."""

    def complain(found: Search, trial: Trial) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(digits, trials=2, jobs=2, out=tmp_path / "a", on_trial=complain, hidden=[8], epochs=1)


def processes() -> list[psutil.Process]:
    """The processes that this one has begun for work, but for those of the cluster."""
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline()) and not child.children()]


def kill_one_when(condition: Callable[[], bool], before: set[psutil.Process]) -> threading.Thread:
    """Kill a worker process as soon as a condition holds."""

    def wait() -> None:
        for _ in range(1200):
            if condition():
                next(process for process in processes() if process not in before).kill()
                return
            time.sleep(0.05)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_killed_worker_ends_a_search(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = tmp_path / "places"
    places.mkdir()
    monkeypatch.setenv("TMPDIR", str(places))
    killer = kill_one_when(lambda: len([*places.glob("*/steps.jsonl")]) == 2, {*processes()})
    with pytest.raises(TrainingError, match="a worker process ended before its work was done"):
        search(digits, trials=2, jobs=2, out=tmp_path / "a", hidden=[8], epochs=1_000_000)
    killer.join()
    assert len([*places.glob("glassnet-*")]) == 1  # that of the killed one; the other has cleared up


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_killed_worker_leaves_the_other_members_saved(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [tmp_path / "a" / f"member-{number}" for number in (1, 2)]
    words = ["--members", "2", "--jobs", "2", "--epochs", "40000", "--hidden", "16", "--threads", "1"]
    killer = kill_one_when(lambda: all(map(has_steps, members)), {*processes()})
    assert main(["train", "digits", "--out", str(tmp_path / "a"), *words]) == 2
    killer.join()
    assert capsys.readouterr().err.splitlines()[-1] == (
        "glassnet: a worker process ended before its work was done, perhaps for want of memory; go on with fewer jobs"
    )
    saved = [read_state(member / "checkpoint.safetensors").step for member in members]
    told = [json.loads((member / "steps.jsonl").read_text().splitlines()[-1])["step"] for member in members]
    assert any(step >= last for step, last in zip(saved, told, strict=True))


def test_a_cluster_searches(digits: Dataset, cluster: str, tmp_path: Path) -> None:
    tiny = {"hidden": [8], "rotation": 0, "batch_norm": False, "epochs": 1}
    found = search(digits, trials=4, dask=cluster, out=tmp_path / "a", **tiny)
    assert len(found.trials) == 4
    assert found.best.value == found.run.best["validation_loss"]


def has_steps(member: Path) -> bool:
    steps = member / "steps.jsonl"
    return steps.exists() and b"\n" in steps.read_bytes()


def wait_for_members(process: subprocess.Popen[Any], folder: Path) -> list[Path]:
    """Wait until two members have taken some steps, and return their folders."""
    members = [folder / f"member-{number}" for number in (1, 2)]
    for _ in range(1200):
        if all(map(has_steps, members)):
            return members
        assert process.poll() is None
        time.sleep(0.05)
    pytest.fail("no step in a minute")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_saves_all_members(digits: Dataset, tmp_path: Path) -> None:
    settings = {"hidden": 16, "epochs": 4000, "members": 2, "threads": 1}
    folder = tmp_path / "run"
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "glassnet", "train", "digits", "--out", str(folder), "--jobs", "2", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_members(process, folder)
        process.send_signal(signal.SIGINT)  # to the parent alone, which has to tell its workers
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1].endswith(f"everything is saved; continue with: glassnet resume {folder}")
    assert "Traceback" not in said
    for number in (1, 2):
        state = read_state(folder / f"member-{number}" / "checkpoint.safetensors")
        assert state.step > 0
        assert not state.finished


def wait_until_free(members: list[Path]) -> None:
    for _ in range(200):
        if not any(is_held(member) for member in members):
            return
        time.sleep(0.05)
    pytest.fail("the members still train ten seconds later")


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_killed_parent_ends_its_workers_with_everything_saved(digits: Dataset, tmp_path: Path) -> None:
    words = ["train", "digits", "--members", "3", "--epochs", "40000", "--hidden", "16", "--out", str(tmp_path / "run")]
    parent = subprocess.Popen(
        [sys.executable, "-m", "glassnet", *words, "--jobs", "3", "--threads", "1"], stderr=subprocess.DEVNULL
    )
    try:
        members = wait_for_members(parent, tmp_path / "run")
        workers = psutil.Process(parent.pid).children()
    finally:
        parent.kill()
        parent.wait()
    wait_until_free(members)
    for member in members:
        told = json.loads((member / "steps.jsonl").read_text().splitlines()[-1])["step"]
        assert read_state(member / "checkpoint.safetensors").step >= told
    assert not psutil.wait_procs(workers, timeout=20)[1]


def test_a_script_is_not_run_again_by_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import glassnet\n"
        "print('once')\n"
        "data = glassnet.load_dataset('digits')\n"
        f"glassnet.train(data, members=2, jobs=2, epochs=1, out={str(tmp_path / 'run')!r})\n"
    )
    said = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True, timeout=120)
    assert (said.stdout, said.stderr, said.returncode) == ("once\n", "", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_killed_parent_ends_the_members_on_a_cluster(digits: Dataset, tmp_path: Path) -> None:
    from dask import config
    from distributed import LocalCluster

    folder = tmp_path / "run"
    locks = "distributed.scheduler.locks"
    with (
        config.set({f"{locks}.lease-timeout": "1s", f"{locks}.lease-validation-interval": "500ms"}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as local,
    ):
        words = ["train", "digits", "--members", "2", "--epochs", "40000", "--hidden", "16", "--out", str(folder)]
        environment = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__LOCKS__LEASE_TIMEOUT": "1s"}
        command = [sys.executable, "-m", "glassnet", *words, "--dask", local.scheduler_address]
        parent = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
        try:
            members = wait_for_members(parent, folder)
            time.sleep(3)  # longer than the lease: while the parent is there they go on
            assert all(is_held(member) for member in members)
        finally:
            parent.kill()
            parent.wait()
        wait_until_free(members)
    assert not any(Run(member).finished for member in members)


def test_what_was_stopped_goes_on_side_by_side(whole: Run, digits: Dataset, tmp_path: Path) -> None:
    class StopAt(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if (run.config.seed, run.state.step) == (8, 20):
                run.stop("for a test")

    half = train(digits, out=tmp_path / "run", callbacks=[StopAt()], **SETTINGS)
    assert len(half.history) == 1
    assert contents(resume(half.path, jobs=2)) == contents(whole)


def test_no_more_processes_are_begun_than_there_is_work(digits: Dataset, tmp_path: Path) -> None:
    before, seen = {*processes()}, []

    def count(found: Search, trial: Trial) -> None:
        seen.append(len({*processes()} - before))

    search(digits, trials=2, jobs=500, out=tmp_path / "a", on_trial=count, hidden=[8], epochs=1)
    assert max(seen) == 2


def test_one_network_is_no_work_for_several(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jobs: one network is trained in one process"):
        train(digits, out=tmp_path / "run", jobs=2, epochs=1)
    with pytest.raises(ConfigError, match="dask: one network is trained in one process"):
        train(digits, out=tmp_path / "run", dask="tcp://127.0.0.1:1", epochs=1)
    assert not (tmp_path / "run").exists()


def test_a_scheduler_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "digits", "--members", "2", "--dask", "tcp://127.0.0.1:1", "--out", str(out)]) == 2
    assert capsys.readouterr().err == (
        "glassnet: dask: no scheduler answers at 'tcp://127.0.0.1:1'; is the address right? "
        "One is started with: dask scheduler\n"
    )
    assert not out.exists()


@pytest.fixture
def without_glassnet(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that has all packages but glassnet, if it is started with -S."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in Path(distributed.__file__).parent.parent.iterdir():
        if "glassnet" not in entry.name:
            (packages / entry.name).symlink_to(entry)
    return os.environ | {"PYTHONPATH": str(packages)}


def test_a_cluster_without_workers_or_without_glassnet(
    digits: Dataset, tmp_path: Path, without_glassnet: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(kind: str, *words: str) -> subprocess.Popen[Any]:
        command = [sys.executable, "-S", "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        return subprocess.Popen(command, env=without_glassnet, stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr("glassnet.training.cluster.PATIENCE", 2)
    with start("scheduler", "--host", "127.0.0.1", "--port", "0") as scheduler:
        try:
            address = next(line for line in scheduler.stderr if "Scheduler at" in line).split()[-1]
            with pytest.raises(ConfigError, match=f"the scheduler at {address} has no workers; start one with: dask"):
                train(digits, out=tmp_path / "run", dask=address, **SETTINGS)
            with start("worker", address, "--no-nanny") as worker:
                try:
                    next(line for line in worker.stderr if "Registered to" in line)
                    with pytest.raises(ConfigError, match=r"dask: the scheduler has no glassnet; install"):
                        train(digits, out=tmp_path / "run", dask=address, **SETTINGS)
                finally:
                    worker.kill()
        finally:
            scheduler.kill()
    assert not (tmp_path / "run").exists()
