"""One process at a time in a folder, by the operating system's own lock."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FileError
from .files import PARTIAL

__all__ = ["is_held", "only_process"]

TRIES = 5  # to be the only process in a folder


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Be the only process that writes into an existing folder, and clear away what a killed one left half written.

    The lock is the operating system's, on the folder itself: it leaves no file, and ends with the process, however that
    ends. Windows has no such lock; there nothing is locked.

    Raises:
        FileError: another process is at work there.
    """
    if os.name != "posix":
        yield
        return
    with _opened(folder) as descriptor:
        for _ in range(TRIES):
            if _lock(descriptor, shared=False):
                break
            time.sleep(0.01)  # it may only be somebody who looks, see is_held, and that takes microseconds
        else:
            raise FileError(f"{folder}: another process is working in this folder; wait for it, or stop it")
        for leftover in folder.glob(f".*{PARTIAL}"):
            leftover.unlink(missing_ok=True)
        yield


def is_held(folder: Path) -> bool:
    """Return whether a process is at work in a folder as its `only_process`; on Windows nobody can tell, so False."""
    if os.name != "posix":
        return False
    try:
        with _opened(folder) as descriptor:
            return not _lock(descriptor, shared=True)
    except OSError:
        return False


def _lock(descriptor: int, *, shared: bool) -> bool:
    """Take the operating system's lock on an open folder until it is closed; return False where somebody has it."""
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a folder for the operating system's own calls."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
