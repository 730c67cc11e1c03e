"""Work in other processes, of this machine or of a Dask cluster, through joblib.

A piece of work gets all that it needs as arguments and gives back all that it has made, so that a worker may be a
machine that shares no disk with this one. Files travel as bytes.
"""

import asyncio
import os
import signal
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from logging import CRITICAL, getLogger
from pathlib import Path
from socket import create_connection
from tempfile import TemporaryDirectory
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from ..errors import ConfigError, GlassnetError, TrainingError, missing_package
from ..files import write_atomically
from .callbacks import Callback, LoopUnderWay

__all__ = ["StopSign", "StopWhenAsked", "Workers", "pack", "require_search", "unpack"]

PATIENCE = 5  # seconds for a scheduler to answer and for a worker to be there
IDLE = 20  # seconds after which a process that has nothing to do ends, as it must when its parent was killed
LOOK_EVERY = 0.2  # seconds between two looks at the sign to stop

Result = TypeVar("Result")


@dataclass(frozen=True)
class StopSign:
    """Tells work in other processes that it shall stop, also by the end of the process that began it.

    On this machine the sign is a file, or (but for Windows) that the parent of a worker is another. On a cluster it is
    that the lease of a semaphore has been given back, or was not renewed for Dask's
    ``distributed.scheduler.locks.lease-timeout``, by default 30 seconds; or that there is no scheduler to ask.

    Attributes:
        place: the file, or the name of the semaphore.
        parent: the number of the process that began the work; None on a cluster.
    """

    place: str
    parent: int | None

    def is_given(self) -> bool:
        """Return whether the work shall stop; asked in a worker."""
        if self.parent is not None:
            return os.getppid() != self.parent or Path(self.place).exists()
        try:
            return not _semaphore(self.place).get_value()
        except OSError:
            return True


@lru_cache(1)
def _semaphore(name: str) -> Any:
    """Return what a worker looks at; Dask finds out itself which scheduler the worker has."""
    return import_module("distributed").Semaphore(name=name)


class StopWhenAsked(Callback):
    """Stops a run in a worker when its sign is given, so that nothing of it is lost."""

    def __init__(self, sign: StopSign | None) -> None:
        self.sign, self._due = sign, 0.0

    def on_step(self, run: LoopUnderWay, loss: float) -> None:
        if self.sign is None or perf_counter() < self._due:
            return
        if self.sign.is_given():
            run.stop("asked to")
        self._due = perf_counter() + LOOK_EVERY


class Workers:
    """Processes that each do one piece of work at a time. Close it, or use it in ``with``.

    Args:
        jobs: how many pieces of work go on at once; by default one, which this process does itself, or as many as the
            cluster has threads.
        dask: the address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``, whose workers do the work.
        pieces: how many there will be; for more jobs than these nothing is begun.

    Attributes:
        jobs: as resolved.
        alone: whether this process does the work itself.
        sign: what work in other processes looks at, or None where this process does it.

    Raises:
        ConfigError: no whole number of jobs, Dask is missing, no scheduler answers, or it has no workers.
    """

    def __init__(self, jobs: int | None = None, dask: str | None = None, *, pieces: int) -> None:
        if jobs is not None and jobs < 1:
            raise ConfigError(f"jobs: must be at least 1, not {jobs}")
        self._told = Lock()  # taken by whoever first says that all shall stop, and never given back
        self.sign: StopSign | None = None
        with ExitStack() as closing:
            self._client = _connect(dask, closing) if dask is not None else None
            self.jobs = min(jobs or (sum(self._client.ncores().values()) if self._client else 1), pieces)
            self.alone = self.jobs == 1 and self._client is None
            if self._client is not None:
                self.sign = StopSign(f"glassnet-stop-{os.urandom(8).hex()}", None)
                self._lease = import_module("distributed").Semaphore(
                    name=self.sign.place, scheduler_rpc=self._client.scheduler, loop=self._client.loop
                )
                self._lease.acquire()
                closing.callback(self._forget_lease)
            elif not self.alone:
                folder = closing.enter_context(TemporaryDirectory(prefix="glassnet-"))
                self.sign = StopSign(str(Path(folder, "stop")), os.getpid())
                closing.callback(_end_processes)
            self._threads = closing.enter_context(ThreadPoolExecutor(self.jobs))
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.stop()
        self._closing.close()

    @property
    def stopped(self) -> bool:
        """Whether all work was told to end."""
        return self._told.locked()

    def stop(self, reason: str = "") -> None:
        """Have all work end soon; what has not begun never will."""
        if not self._told.acquire(blocking=False):
            return
        if self._client is not None:
            self._lease.release()
        elif self.sign is not None:
            Path(self.sign.place).touch()

    def _forget_lease(self) -> None:
        """Leave nothing of the sign in the scheduler, which may live for months."""
        self.stop()
        with suppress(OSError):
            self._lease.close()

    def share(self, value: Any) -> Any:
        """Return what stands for a large ``value`` among the arguments of `run`, so that a cluster gets it once."""
        return value if self._client is None else self._client.scatter(value, broadcast=True, hash=False)

    def start(self, work: Callable[..., Result], *arguments: Any) -> Future[Result | None]:
        """Begin a piece of work as soon as a process is free; its result is that of `run`."""
        return self._threads.submit(self.run, work, *arguments)

    def run(self, work: Callable[..., Result], *arguments: Any) -> Result | None:
        """Do a piece of work in another process and wait for it; several threads may do so at once.

        Returns:
            What ``work`` returns; or None where the sign to stop had been given, and it was not begun, or its process
            was ended too.

        Raises:
            TrainingError: the process is gone before its work was done.
            Exception: whatever ``work`` raises.
        """
        if self._told.locked():
            return None
        if self.alone:
            return work(*arguments)
        from joblib import Parallel, delayed

        try:
            # Without memory maps: joblib's are cleared away when any one of several threads has its result.
            parallel = Parallel(max(self.jobs, 2), backend=self._backend(), max_nbytes=None, **self._options())
            outcome = parallel([delayed(_attempt)(work, *arguments)])[0]
        except ModuleNotFoundError as error:
            raise ConfigError(f"dask: the workers have no {error.name}; install glassnet there too") from error
        except Exception as error:
            # Dask need not be there, so that its error has a name and no class; the last is what joblib says to the
            # other threads.
            gone = isinstance(error, BrokenProcessPool | CancelledError | OSError)
            if gone or type(error).__name__ == "KilledWorker" or "has been shutdown" in str(error):
                if self._told.locked():  # by a signal to all processes of a group, for instance
                    return None
                raise _gone() from error
            raise
        if isinstance(outcome, BaseException):  # what joblib makes of work that Dask has cancelled
            raise _gone() from outcome
        result, complaint = outcome
        if complaint is not None:
            raise complaint
        return cast(Result, result)

    def _backend(self) -> Any:
        if self._client is None:
            return "loky"
        from joblib._dask import DaskDistributedBackend

        backend = DaskDistributedBackend(client=self._client)
        backend.effective_n_jobs = lambda jobs: 2  # with 1, of a small cluster, joblib would do the work here
        return backend

    def _options(self) -> dict[str, Any]:
        if self._client is not None:
            return {}
        return {"initializer": _leave_interrupts_to_the_parent, "idle_worker_timeout": IDLE}


def _attempt(work: Callable[..., Result], *arguments: Any) -> tuple[Result | None, GlassnetError | None]:
    """Do a piece of work in a worker.

    What went wrong is returned: where it is raised, joblib ends all other work at once.
    """
    try:
        return work(*arguments), None
    except GlassnetError as error:
        return None, error


def pack(folder: Path) -> dict[str, bytes]:
    """Return the files of a run folder by name; of one that is not there, none."""
    return {file.name: file.read_bytes() for file in sorted(folder.glob("[!.]*")) if file.is_file()}


def unpack(files: dict[str, bytes], folder: Path) -> None:
    """Write what `pack` gave, the checkpoint last, which never knows more than the other files."""
    for name in sorted(files, key=lambda name: (name.startswith("checkpoint"), name)):
        write_atomically(folder / name, files[name])


def require_search(what: str, packages: Iterable[str]) -> None:
    """Raise ConfigError where a package of the extra ``search`` is missing; ``what`` needs it."""
    for package in packages:
        try:
            with warnings.catch_warnings():  # Optuna brings tqdm, which misses ipywidgets aloud in a notebook
                warnings.filterwarnings("ignore", "IProgress not found")
                import_module(package)
        except ModuleNotFoundError as error:
            raise missing_package(what, error, "search") from error


def _connect(address: str, closing: ExitStack) -> Any:
    """Return a client of the scheduler at an address; it has at least one worker."""
    require_search("--dask", ["distributed"])
    distributed = import_module("distributed")
    log = getLogger("distributed")
    level = log.level
    log.setLevel(CRITICAL)  # what is wrong is told in one line
    closing.callback(log.setLevel, level)
    try:
        # A handshake first: where there is no scheduler, a client would go on trying in the background.
        create_connection(distributed.comm.get_address_host_port(address), PATIENCE).close()
        asyncio.run(asyncio.wait_for(_shake_hands(address), PATIENCE))
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # whatever may listen there and not be a scheduler
        raise ConfigError(
            f"dask: no scheduler answers at {address!r}; is the address right? One is started with: dask scheduler"
        ) from error
    closing.callback(client.close)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise ConfigError(
            f"dask: the scheduler at {address} has no workers; start one with: dask worker {address}"
        ) from error
    return client


async def _shake_hands(address: str) -> None:
    comm = await import_module("distributed.comm").connect(address, timeout=PATIENCE)
    await comm.close()


def _gone() -> TrainingError:
    return TrainingError(
        "a worker process ended before its work was done, perhaps for want of memory; go on with fewer jobs"
    )


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches all processes of a terminal; one that has nothing to do has nothing to save."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_processes() -> None:
    """End joblib's processes, which would wait for more work."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown()
