"""Ctrl-C and termination signals, received without breaking off a step in its middle, and the command that resumes."""

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

__all__ = ["INTERRUPTED", "TrainingInterrupted", "handled", "interruptible", "resume_command"]

INTERRUPTED = "interrupted"  # why a run was stopped by a signal


def resume_command(folder: Path) -> str:
    """Return the command that resumes a run, as it can be pasted."""
    return shlex.join(["glassnet", "resume", str(folder)])


class TrainingInterrupted(KeyboardInterrupt):
    """A run was interrupted by Ctrl-C or a termination signal, after its step was finished and everything saved."""

    def __init__(self, folder: Path, step: int) -> None:
        super().__init__(f"stopped at step {step}, everything is saved; continue with: {resume_command(folder)}")
        self.folder, self.step = folder, step

    def __reduce__(self) -> tuple[type[Self], tuple[Path, int]]:
        """Be pickled by what it was made of, on its way out of a worker's process."""
        return type(self), (self.folder, self.step)


@contextmanager
def interruptible(stop: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a call of ``stop``; another Ctrl-C ends the process's work at once.

    Another SIGTERM does not: what sends it, such as a pool one of whose processes was killed, may well send it twice.
    Only the main thread gets signals; in any other, nothing is changed.

    Yields:
        A function that says whether there was a signal.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if received:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        received.append(number)
        stop(INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    with handled(handle):
        yield lambda: bool(received)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM handled in another way for a while."""
    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
