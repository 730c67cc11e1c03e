"""Runs of several processes, one of which is killed at some moment; resumed, they end in the same bits."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import psutil

from counts import Counts
from host import HANG
from scenarios import of_run

MPIEXEC = Path(sys.executable).with_name("mpiexec")
GLASSNET = [sys.executable, "-m", "glassnet"]
TRAIN = [*GLASSNET, "train", "digits", "--recipe", "small", "--hidden", "8", "--out", "run", "--threads", "1"]
RESUME = [*GLASSNET, "resume", "run"]
LONG, MEMBERS = ["--epochs", "40"], ["--epochs", "20", "--members", "2"]

Command = list[str]
Victims = Callable[[psutil.Process], list[psutil.Process]]  # of the process that a person has started
Kind = tuple[Command, Command, Victims]  # what begins a run, what goes on with it, and which processes may be killed


def kill_processes(counts: Counts, random: Random, kills: int) -> None:
    """Kill a process of each kind of run, so many in all; kinds that this machine does not have are left out."""
    kinds = {"members side by side": _members}
    if importlib.util.find_spec("mpi4py") and MPIEXEC.exists():
        kinds["MPI ranks"] = _mpi
    if importlib.util.find_spec("distributed"):
        kinds["Dask workers"] = _dask
    for name, kind in kinds.items():
        with tempfile.TemporaryDirectory() as place:
            for number in range(1 + max(kills // len(kinds), 1)):
                folder = Path(place) / str(number)
                folder.mkdir()
                with kind() as (begin, again, victims):
                    if number == 0:
                        start = time.monotonic()
                        assert _run(begin, folder, None)[0] == 0, f"{name}: cannot run without a fault"
                        whole, expected = time.monotonic() - start, of_run(folder / "run")
                        continue
                    after = random.random() * whole
                    what = f"kills: {name}"
                    _kill(counts, what, begin, again, victims, folder, after, expected, random)


@contextmanager
def _members() -> Iterator[Kind]:
    yield [*TRAIN, *MEMBERS, "--jobs", "2"], [*RESUME, "--jobs", "2"], _descendants


@contextmanager
def _mpi() -> Iterator[Kind]:
    start = [str(MPIEXEC), "-n", "2"]
    yield [*start, *TRAIN, *LONG, "--parallel", "mpi"], [*start, *RESUME, "--parallel", "mpi"], _descendants


@contextmanager
def _dask() -> Iterator[Kind]:
    """A scheduler and two workers, of which the nanny of one that is killed starts another."""
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    with tempfile.TemporaryDirectory() as place, _started([*scheduler, "--no-dashboard"]) as one:
        address = next(line for line in one.stderr or () if "Scheduler at" in line).split()[-1]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1"]
        with _started([*worker, "--local-directory", place, "--no-dashboard"]) as both:
            for _ in range(2):
                next(line for line in both.stderr or () if "Registered to" in line)
            workers = psutil.Process(both.pid)
            yield [*TRAIN, *MEMBERS, "--dask", address], RESUME, lambda _: workers.children(recursive=True)


@contextmanager
def _started(command: Command) -> Iterator[subprocess.Popen[str]]:
    """Start something that goes on in the background; at the end it is killed with all that it has started."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _is_part(process: psutil.Process) -> bool:
    """Whether it is a part of a run: Python, but not what Python has beside it, nor what starts MPI's ranks."""
    words = " ".join(process.cmdline())
    return "python" in words and "resource_tracker" not in words


def _run(command: Command, folder: Path, hit: Callable[[psutil.Process], None] | None) -> tuple[int, str]:
    """Run a command to its end; return its exit status, None where it hangs, and what it said."""
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            if hit:
                hit(psutil.Process(process.pid))
            code = process.wait(HANG)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        return code, said.read()


def _kill(
    counts: Counts,
    what: str,
    begin: Command,
    again: Command,
    victims: Victims,
    folder: Path,
    after: float,
    expected: object,
    random: Random,
) -> None:
    killed: list[str] = []

    def hit(process: psutil.Process) -> None:
        time.sleep(after)
        with suppress(IndexError, psutil.NoSuchProcess):  # it may be over
            victim = random.choice([one for one in victims(process) if _is_part(one)])
            killed.append(" ".join(victim.cmdline())[-60:])
            victim.kill()

    counts.tried(what)
    code, text = _run(begin, folder, hit)
    where = f"{what}, after {after:.2f} s: {''.join(killed)}"
    if code == -signal.SIGALRM:
        counts.wrong(what, "hangs", where, text)
        return
    if "Traceback (most recent call last)" in text:
        counts.wrong(what, "tracebacks", where, text)
    if code:
        code, text = _run(again if (folder / "run/config.toml").is_file() else begin, folder, None)
    if code:
        counts.wrong(what, "hangs" if code == -signal.SIGALRM else "lost", f"{where}, again", text)
    elif of_run(folder / "run") != expected:
        counts.wrong(what, "different", where, text)
    shutil.rmtree(folder)
