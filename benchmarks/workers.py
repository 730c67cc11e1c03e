"""Contenders that take turns: each lives in a process of its own, and only one of them computes at a time.

A process that stays has its libraries loaded and its threads started once, and the libraries do not meet. While one
computes, the others wait at a pipe. The order of the turns is drawn anew for each trial, so that a machine that grows
slower disturbs all alike.
"""

from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from time import perf_counter, sleep
from typing import Any

PAUSE = 0.05  # seconds between two turns: threads that wait for work spin a while before they sleep

Repeat = Callable[[int], object]  # does the work so many times
Prepare = Callable[..., Repeat]  # from what is to be timed


class Worker:
    """A process that prepares and times one contender's work when it is told to."""

    def __init__(self, prepare: Prepare) -> None:
        context = get_context("spawn")  # a fork would take over half-started thread pools
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(prepare, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, question: object) -> Any:
        self.pipe.send(question)
        return self.pipe.recv()

    def close(self) -> None:
        self.pipe.close()
        self.process.join()


def _serve(prepare: Prepare, pipe: Connection) -> None:
    """Answer (what, seconds) with None, or why it cannot be done; and "time" with the seconds of one repetition."""
    repeat, times = None, 0
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        if question == "time":
            assert repeat
            pipe.send(_seconds(repeat, times) / times)
            continue
        what, trial = question
        try:
            repeat = prepare(*what)
            times = _times(repeat, trial)
            pipe.send(None)
        except (ImportError, OSError, RuntimeError) as error:  # not installed, no compiler: the table says so
            pipe.send(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def _times(repeat: Repeat, trial: float) -> int:
    """Warm up, and return how many repetitions take about ``trial`` seconds."""
    repeat(2)
    times = 1
    while (seconds := _seconds(repeat, times)) < trial / 4:
        times *= 2
    return max(round(trial / seconds * times), 1)


def _seconds(repeat: Repeat, times: int) -> float:
    start = perf_counter()
    repeat(times)
    return perf_counter() - start


class Contest:
    """Workers by name, for one task after another."""

    def __init__(self, contenders: Mapping[str, Prepare], seed: int = 0) -> None:
        self.workers = {name: Worker(prepare) for name, prepare in contenders.items()}
        self.random = Random(seed)

    def run(self, what: tuple[Any, ...], trials: int, trial: float) -> dict[str, Any]:
        """Time all of them at one task.

        Args:
            what: the arguments of each contender's ``prepare``.
            trials: how many turns each gets.
            trial: how long a turn takes, about, in seconds.

        Returns:
            ``seconds``: those of one repetition, a list of trials by name; ``missing``: why, by name.
        """
        refusals = {name: worker.ask((what, trial)) for name, worker in self.workers.items()}
        seconds: dict[str, list[float]] = {name: [] for name, why in refusals.items() if why is None}
        for _ in range(trials):
            for name in self.random.sample(list(seconds), len(seconds)):
                sleep(PAUSE)
                seconds[name].append(self.workers[name].ask("time"))
        return {"seconds": seconds, "missing": {name: why for name, why in refusals.items() if why is not None}}

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()
