"""Work in other processes, of this machine or of a Dask cluster, through the interface of `concurrent.futures`.

A piece of work gets all that it needs as arguments and returns all that it has made, so that a worker may be a machine
that shares no disk with this one. Files travel as bytes.
"""

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from threading import Event, Lock, Thread
from time import perf_counter, sleep
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from ..errors import TrainingError, check_count
from ..files import write_atomically
from .callbacks import Callback, LoopUnderWay
from .cluster import connect
from .folder import SNAPSHOTS

__all__ = ["ASKED", "Workers", "pack", "unpack"]

LOOK_EVERY = 0.2  # seconds between two looks at whether the work shall go on
TO_ANSWER = 2.0  # seconds in which a worker that is to end hands its last result over
ASKED = "asked to"  # why a run in a worker was stopped by its parent process, or by that process's end

Key = TypeVar("Key")
Result = TypeVar("Result")


class Workers:
    """Worker processes that each do one piece of work at a time, here or on a Dask cluster. Use it in ``with``.

    Args:
        jobs: how many pieces of work go on at once; by default one, which this process does itself, or as many as the
            cluster has threads.
        dask: the address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``, whose workers do the work.
        pieces: how many pieces there will be; there are no more jobs than these.

    Attributes:
        jobs: how many pieces of work go on at once.
        alone: whether this process does the work itself.
        callbacks: to be given to a run in a worker; they stop it, with everything saved, when `stop` is called or this
            process has ended.
        stopped: the reason that `stop` was given first, or None.

    Raises:
        ConfigError: fewer than one job, or a cluster that cannot be used; see `glassnet.training.cluster.connect`.
    """

    def __init__(self, jobs: int | None = None, dask: str | None = None, *, pieces: int) -> None:
        if jobs is not None:
            check_count("jobs", jobs)
        self.stopped: str | None = None
        self.callbacks: list[Callback] = []
        self._executor: Executor = _ThisProcess()
        self._held = ExitStack()  # what the workers look at: they stop when this process no longer holds it
        with ExitStack() as closing:
            self._client = connect(dask, closing) if dask is not None else None
            self.jobs = min(jobs or (sum(self._client.ncores().values()) if self._client else 1), pieces)
            self.alone = self.jobs == 1 and self._client is None
            if self._client is not None:
                self._use_cluster(closing)
            elif not self.alone:
                self._use_processes(closing)
            closing.callback(self.stop, "closed")
            self._closing = closing.pop_all()

    def _use_processes(self, closing: ExitStack) -> None:
        """Start processes on this machine as they are needed. They stop when the pipe from this process is closed."""
        context = multiprocessing.get_context("spawn")  # a forked process would lack the threads of its BLAS
        reader, writer = context.Pipe(duplex=False)
        closing.callback(reader.close)
        pool = _Processes(self.jobs, context, initializer=_begin_worker, initargs=(reader,))
        self._executor = closing.enter_context(pool)
        self._held.callback(writer.close)
        self.callbacks = [_StopWhenAsked(_goes_on)]

    def _use_cluster(self, closing: ExitStack) -> None:
        """Use the workers of a cluster. They stop when this process no longer has a lock that the scheduler keeps.

        A process that was killed loses the lock after Dask's ``distributed.scheduler.locks.lease-timeout``, by default
        30 seconds.
        """
        client: Any = self._client
        lock = import_module("distributed").Lock(scheduler_rpc=client.scheduler, loop=client.loop)
        lock.acquire()
        self._executor = closing.enter_context(client.get_executor(pure=False))
        self._held.callback(lock.close)  # a scheduler may live for months
        self._held.callback(lock.release)
        self.callbacks = [_StopWhenAsked(lock.locked)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.close()

    def stop(self, reason: str) -> None:
        """Have all work end soon; what has not begun never will."""
        if self.stopped is None:
            self.stopped = reason
            with suppress(OSError):  # a scheduler that is gone need not be told
                self._held.close()

    def share(self, value: Any) -> Any:
        """Return what to pass to work in place of a large ``value``, so that a cluster gets it only once."""
        return value if self._client is None else self._client.scatter(value, broadcast=True, hash=False)

    def run(
        self, work: Callable[..., Result], pieces: Iterable[tuple[Key, tuple[Any, ...]]]
    ) -> Iterator[tuple[Key, Result]]:
        """Do pieces of work, each as soon as a process is free for it, until all are done or `stop` is called.

        Args:
            work: a function of a module.
            pieces: of each piece a key and the arguments of ``work``; the next is asked for when it is to begin.

        Yields:
            The key and the result of each piece that has begun, in the order in which they end.

        Raises:
            TrainingError: a process ended before its work was done.
            Exception: whatever ``work`` raises first. The other pieces are stopped, and their results yielded, before.
        """
        waiting, failure = iter(pieces), None
        running: dict[Future[Result], Key] = {}
        while True:
            try:
                if not self.stopped and len(running) < self.jobs and (piece := next(waiting, None)):
                    running[self._executor.submit(work, *piece[1])] = piece[0]
                    continue
                if not running:
                    break
                done = wait_for(running, return_when=FIRST_COMPLETED).done.pop()
                key, result = running.pop(done), done.result()
            except Exception as error:  # noqa: BLE001  # raised when the other pieces have stopped
                # A signal to all processes of a terminal also ends workers that are just starting.
                failure = failure or (None if self.stopped and _is_gone(error) else error)
                self.stop("failed")
            else:
                yield key, result
        if failure and _is_gone(failure):
            raise TrainingError(
                "a worker process ended before its work was done, perhaps for want of memory; go on with fewer jobs"
            ) from failure
        if failure:
            raise failure


class _StopWhenAsked(Callback):
    """Stops a run when ``goes_on``, called every now and then, returns False."""

    def __init__(self, goes_on: Callable[[], bool]) -> None:
        self.goes_on, self._due = goes_on, 0.0

    def on_step(self, run: LoopUnderWay, loss: float) -> None:
        if perf_counter() < self._due:
            return
        try:
            goes_on = self.goes_on()
        except OSError:  # there is nobody to ask any more
            goes_on = False
        if not goes_on:
            run.stop(ASKED)
        self._due = perf_counter() + LOOK_EVERY


class _ThisProcess(Executor):
    """Does each piece of work when it is submitted."""

    def submit(self, work: Callable[..., Result], /, *arguments: Any, **named: Any) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(work(*arguments, **named))
        return future


class _Processes(ProcessPoolExecutor):
    """Processes of this machine, for scripts with and without ``if __name__ == "__main__"``.

    A spawned process imports the script that is ``__main__``, which without that line would run once more. No work is
    defined there, so the process is given an empty module instead.
    """

    def submit(self, work: Callable[..., Result], /, *arguments: Any, **named: Any) -> Future[Result]:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return super().submit(_work, work, *arguments, **named)
        finally:
            sys.modules["__main__"] = main


_at_work = Lock()  # in a worker of this machine
_ending = Event()  # whether it was sent SIGTERM
_pipe: Connection


def _begin_worker(pipe: Connection) -> None:
    """Called first in each worker of this machine."""
    global _pipe  # noqa: PLW0603  # a pipe can be handed to a new process, and not with its work
    _pipe = pipe
    # Ctrl-C reaches all processes of a terminal; one that has nothing to do has nothing to save.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signals, written = socket.socketpair()
    written.setblocking(False)
    signal.set_wakeup_fd(written.detach())  # the number of each signal is written there, whoever handles it
    Thread(target=_end_with_parent, args=(signals,), daemon=True).start()


def _end_with_parent(signals: socket.socket) -> None:
    """Exit when the parent has ended or this process was sent SIGTERM, and the current work is saved.

    Otherwise it would wait for more work forever. A pool sends SIGTERM, twice, when another of its processes was
    killed, and then waits for all of them to end.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    while parent.sentinel not in wait_for_any([parent.sentinel, signals]):
        if signal.SIGTERM in signals.recv(64):
            _ending.set()
            if _at_work.locked():
                with _at_work:
                    pass
                sleep(TO_ANSWER)
            break
    with _at_work:
        os._exit(1)


def _work(work: Callable[..., Result], /, *arguments: Any, **named: Any) -> Result:
    with _at_work:
        return work(*arguments, **named)


def _goes_on() -> bool:
    """Return whether this worker was not sent SIGTERM, and its parent is there and holds its end of the pipe."""
    return not (_ending.is_set() or _pipe.poll())


def _is_gone(error: Exception) -> bool:
    """Return whether an error says that a worker has ended, or that its cluster has."""
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__module__.startswith("distributed.")


def pack(folder: Path) -> dict[str, bytes]:
    """Return the files of a run folder by name, its snapshots included; of one that is not there, none."""
    files = [*folder.glob("[!.]*"), *folder.glob(f"{SNAPSHOTS}/[!.]*")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(files) if file.is_file()}


def unpack(files: dict[str, bytes], folder: Path) -> None:
    """Write what `pack` gave, the checkpoint last, which never knows more than the other files."""
    for name in sorted(files, key=lambda name: (name.startswith("checkpoint"), name)):
        write_atomically(folder / name, files[name])
