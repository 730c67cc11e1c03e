"""How many threads pay for a run on this machine: measured in its first runs, and kept.

Whether a second thread pays depends on how long it takes to hand work over, which differs by a hundred times from one
machine to another, above all between virtual ones. So some steps of such a run are taken with one thread and with more,
in turns, on random images. What counts is the shortest time of each, over the first `TIMES` runs of a kind; a run while
others keep the processors busy has as many as are quickest beside them, and does not count.
"""

import json
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from ..data import Dataset, cache_folder, load_dataset
from ..engines import WORTHWHILE, available_threads, computing
from ..errors import FileError
from ..files import read_regular, write_atomically
from .assembly import Task
from .config import Config

__all__ = ["fastest_threads", "measured_threads"]

MAX_BYTES = 2**20  # of the file in which times are kept
TIMES = 3  # runs
ROUNDS, LEAST = 5, 0.01  # in each so many turns, each of at least so many seconds
GAIN = 0.95  # of the time with fewer threads; what gains less leaves a processor to others
STEPS = 300  # a run of fewer is hardly longer than the measurement
BUSY = 0.85  # of the processors' time, which threads get that look out for work: with less, others have it

Seconds = dict[int, float]  # of a step, by the number of threads


def fastest_threads(config: Config, task: Task, dataset: Dataset) -> int:
    """Return how many threads to train with, after measuring it if this is one of the first runs of its kind.

    Runs that are over sooner than that is measured have as many as `choose_threads` says; so do those of few steps, and
    of one image a step.

    Args:
        config: how the run goes.
        task: what it learns, and what it computes with.
        dataset: of which only the form counts.
    """
    steps = config.epochs * len(task.training) // task.batch_size
    if task.work < WORTHWHILE or steps < STEPS or task.batch_size == 1 or available_threads() == 1:
        return task.threads
    path, name = _path(), _machine() + _kind(config, task)
    kept = _read(path)
    runs, before = kept.get(name, (0, {}))
    if runs >= TIMES:
        return _choice(before)
    seconds, busy = _measure(config, task, dataset)
    if busy:
        return _choice(seconds)
    kept[name] = runs + 1, {n: min(taken, before.get(n, taken)) for n, taken in seconds.items()}
    with suppress(FileError):  # then it is measured again next time
        write_atomically(path, json.dumps(kept, indent=1).encode())
    return _choice(kept[name][1])


def measured_threads() -> dict[str, int]:
    """Return how many threads were found to be the fastest on this machine, by the kind of run."""
    machine = _machine()
    kept = _read(_path()).items()
    return {name.removeprefix(machine): _choice(seconds) for name, (_, seconds) in kept if name.startswith(machine)}


def _choice(seconds: Seconds) -> int:
    """Return the number of threads that takes least, or fewer that take hardly more."""
    best = 1
    for threads in sorted(seconds):
        if seconds[threads] < GAIN * seconds[best]:
            best = threads
    return best


def _measure(config: Config, task: Task, dataset: Dataset) -> tuple[Seconds, bool]:
    """Return the seconds of a step with each number of threads, and whether others kept the processors busy."""
    most = available_threads()
    counts = sorted({*(2**i for i in range(most.bit_length())), most})
    labels = np.arange(5 * max(task.batch_size, len(dataset.classes))) % len(dataset.classes)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), *dataset.image_shape), np.uint8)
    noise = load_dataset((images, labels), classes=dataset.classes)
    steps = {n: _steps(config, task, noise, n) for n in counts}
    seconds = {n: step(1) for n, step in steps.items()}  # after which all code is compiled
    had = wanted = 0.0  # of the processors' time, while all are used
    for _ in range(ROUNDS):
        for n, step in steps.items():
            count = max(int(LEAST / seconds[n]), 1)
            began = process_time()
            taken = step(count)
            seconds[n] = min(seconds[n], taken)
            if n == most:
                had, wanted = had + process_time() - began, wanted + taken * count * n
    return seconds, had < BUSY * wanted


def _steps(config: Config, task: Task, dataset: Dataset, threads: int) -> Callable[[int], float]:
    """Return what takes some steps and returns the seconds of one."""
    from .run_loop import RunLoop  # which knows how a run is put together from a configuration

    changes = {"threads": threads, "engine": task.engine, "batch_size": task.batch_size, "members": 1}
    changes |= {"validation": 0, "patience": None, "mistakes": ()}
    loop, taken = RunLoop(config.model_copy(update=changes), dataset), 0

    def take(count: int) -> float:
        nonlocal taken
        with computing(loop.network.engine):
            start = perf_counter()
            for _ in range(count):
                loop.steps.take(*divmod(taken, len(loop.batches)), config.learning_rate)
                taken += 1
            return (perf_counter() - start) / count

    return take


def _kind(config: Config, task: Task) -> str:
    """Return all that decides how long a step takes, in words."""
    words = [task.engine, config.precision, task.network, f"batch {task.batch_size}"]
    more = {"batch_norm": config.batch_norm, "dropout": config.dropout, "distorted": config.augmentation}
    more |= {"adversarial": config.adversarial, "ema": config.ema, "clip_norm": config.clip_norm, "l2": config.l2}
    return " ".join([*words, *config.activation, config.optimizer, *(word for word, given in more.items() if given)])


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {available_threads()} processors, NumPy {np.__version__}: "


def _path() -> Path:
    return cache_folder() / "threads.json"


def _read(path: Path) -> dict[str, tuple[int, Seconds]]:
    """Return what is kept, of each kind the number of runs and the seconds; nothing where the file is damaged."""
    try:
        kept: dict[str, Any] = json.loads(read_regular(path, MAX_BYTES))
        found = {
            name: (int(runs), {int(n): float(taken) for n, taken in seconds.items()})
            for name, (runs, seconds) in kept.items()
        }
        return found if all(1 in seconds for _, seconds in found.values()) else {}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
