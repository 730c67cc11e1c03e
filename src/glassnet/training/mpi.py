"""The ranks of MPI: processes that ``mpiexec`` began, on one machine or on many.

Everything they tell each other is a collective operation, in which all ranks take part at the same place of the
program: a rank that failed, or that took another way, would leave the others waiting for ever. So what may fail on one
of them is done `Ranks.together`, and a rank that fails elsewhere ends them all. Ranks whose launcher was killed end by
themselves: nobody else would end them when one of them dies, and waiting takes a whole processor.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from hashlib import sha256
from threading import Thread
from typing import Any

import numpy as np

from ..engines import available_threads
from ..errors import ConfigError, DataError, GlassnetError, TrainingError, nearest, pip_install
from ..nn.types import Array
from .config import Config
from .interruption import handled
from .ranks import ALONE, Ranks

__all__ = ["MPIRanks", "launched_ranks", "open_ranks"]

PATIENCE = 0.5  # seconds
LOOK = 1.0  # seconds between two looks at whether the launcher is there
TEXT = 2048  # bytes of what one rank says to the others
FAILED = -1  # what rank 0 says instead of a decision
LAUNCHERS = (("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"))  # of MPICH, of Open MPI


class MPIRanks(Ranks):
    """The processes that ``mpiexec`` began.

    Args:
        mpi: the module ``mpi4py.MPI``.
    """

    def __init__(self, mpi: Any) -> None:
        self._mpi, self._all = mpi, mpi.COMM_WORLD
        self.rank, self.size = self._all.Get_rank(), self._all.Get_size()
        self._told = False  # whether the others know that this rank has failed
        self._beside: int = self._all.Split_type(mpi.COMM_TYPE_SHARED).Get_size()  # ranks on this machine

    def threads(self, wanted: int) -> int:
        return max(min(wanted, available_threads() // self._beside), 1)

    def sum(self, numbers: Array) -> None:
        self._all.Allreduce(self._mpi.IN_PLACE, numbers)

    def sum_gradient(self, gradients: Array, loss: float, correct: float) -> tuple[float, float]:
        self.sum(gradients)
        counts = np.array([loss, correct], np.float64)
        self.sum(counts)
        return float(counts[0]), float(counts[1])

    def gather(self, numbers: Array) -> None:
        self._all.Allgatherv(self._mpi.IN_PLACE, [numbers, np.diff(self.bounds(numbers.size))])

    def copy(self, numbers: Array) -> None:
        self._all.Bcast(numbers)

    def broadcast(self, text: str) -> str:
        return self._gather(text)[0]

    def agree(self, decide: Callable[[], int | None]) -> int:
        decision, failure = np.array([FAILED]), ""
        try:
            if self.rank == 0:
                decision[0] = decide() or 0
        except BaseException as error:
            self._told, failure = True, str(error) or type(error).__name__
            raise
        finally:
            self._all.Bcast(decision)
            if decision[0] == FAILED:
                failure = self.broadcast(failure)
        if failure:
            raise TrainingError(f"rank 0 has ended the run: {failure}")
        return int(decision[0])

    def check(self, config: Config, fingerprint: str) -> None:
        """Refuse what the ranks cannot do together.

        Raises:
            ConfigError: settings that are not shared out, or that differ from rank 0's.
            DataError: data that differ from rank 0's.
        """
        # First what they have to tell each other: a rank that has given up answers nobody.
        if other := self._unlike(fingerprint):
            raise DataError(f"rank {other} has other data than rank 0; give every rank the same data")
        if other := self._unlike(config.model_copy(update={"data": ""}).to_toml()):
            raise ConfigError(f"rank {other} has other settings than rank 0; start every rank with the same command")
        if config.members > 1:
            raise ConfigError("members: an ensemble is not shared out among ranks; leave out members or --parallel")
        if config.mistakes:
            raise ConfigError("mistakes: they are shown in one process; leave out --parallel mpi, or the mistakes")
        if config.batch_size == "all" and (config.dropout or any("dropout" in entry for entry in config.entries)):
            raise ConfigError("dropout: with batch_size all its masks are not shared out; give a number of images")
        if config.batch_size != "all" and int(config.batch_size) < self.size:
            raise ConfigError(
                f"batch_size: {config.batch_size} cannot be shared out among {self.size} ranks; use {self.size} or more"
            )

    def _unlike(self, text: str) -> int:
        """Return the first rank whose ``text`` is not that of rank 0, or 0."""
        texts = self._gather(sha256(text.encode()).hexdigest())
        return next((rank for rank, other in enumerate(texts) if other != texts[0]), 0)

    def _gather(self, text: str) -> list[str]:
        """Return what each rank says."""
        said = np.zeros(TEXT, np.uint8)
        encoded = text.encode(errors="surrogateescape")[-TEXT:]  # as a file's name may need
        said[: len(encoded)] = np.frombuffer(encoded, np.uint8)
        heard = np.empty((self.size, TEXT), np.uint8)
        self._all.Allgather(said, heard)
        return [row.tobytes().rstrip(b"\0").decode(errors="surrogateescape") for row in heard]

    @contextmanager
    def together(self) -> Iterator[None]:
        error: GlassnetError | None = None
        with self._alive():
            try:
                yield
            except GlassnetError as raised:
                error = raised
            except (OSError, MemoryError) as raised:
                error = TrainingError(str(raised) or "not enough memory")
            failures = self._gather(str(error or ""))
        first = next((rank for rank, failure in enumerate(failures) if failure), None)
        if first is None:
            return
        if error and failures[0]:
            raise error
        raise TrainingError(f"rank {first}: {failures[first]}")

    @contextmanager
    def working(self) -> Iterator[None]:
        with handled(signal.SIG_IGN) if self.rank else nullcontext(), self._alive():
            yield

    def step(self) -> AbstractContextManager[None]:
        return self._alive(())

    @contextmanager
    def _alive(self, told: tuple[type[BaseException], ...] = (GlassnetError,)) -> Iterator[None]:
        """End all ranks where this one fails with an error that they are not ``told`` of: they would wait for ever."""
        self._told = False
        try:
            yield
        except BaseException as error:
            if not (self._told or isinstance(error, told)):
                self._abort(error)
            raise

    def _abort(self, error: BaseException) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
        expected = GlassnetError | MemoryError | OSError | self._mpi.Exception
        if not interrupted and not isinstance(error, expected):
            traceback.print_exception(error)
        if not (interrupted and self.rank):  # Ctrl-C reaches all of them
            what = str(error) or type(error).__name__
            print(f"glassnet: rank {self.rank} cannot go on, which ends the run: {what}", file=sys.stderr, flush=True)
            time.sleep(PATIENCE)  # mpiexec ends at once, whether it has passed this on or not
        self._all.Abort(130 if interrupted else 2)
        os._exit(1)  # where Abort comes back, since the rank is not to say it again on its way out


def launched_ranks() -> tuple[int, int]:
    """Return which rank ``mpiexec`` has made of this process, and of how many: 0 of 1 where it began none."""
    names = next((names for names in LAUNCHERS if all(name in os.environ for name in names)), None)
    return (int(os.environ[names[0]]), int(os.environ[names[1]])) if names else (0, 1)


def open_ranks(parallel: str | None) -> Ranks:
    """Return the ranks of this run: one process, or for ``"mpi"`` those that ``mpiexec`` began.

    Raises:
        ConfigError: another name, or MPI is not installed.
    """
    if parallel is None:
        return ALONE
    if parallel != "mpi":
        raise ConfigError(f"parallel: {parallel!r} is unknown{nearest(parallel, ['mpi'])}")
    return _mpi_ranks()


@cache
def _mpi_ranks() -> MPIRanks:
    launcher = os.getppid()  # mpiexec, or what it has on each machine; MPI begins only where it is there
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # no mpi4py, or no MPI that it could load
        raise ConfigError(f"parallel: mpi needs MPI, which is not installed; {pip_install('mpi')}") from error
    _, started = launched_ranks()
    if MPI.COMM_WORLD.Get_size() < started:
        raise ConfigError(
            f"parallel: {started} processes were started by another MPI than the one installed here; use the mpiexec "
            "beside glassnet's python"
        )
    if started > 1:
        Thread(target=_end_with, args=(launcher,), daemon=True).start()
    return MPIRanks(MPI)


def _end_with(launcher: int) -> None:
    """End this process at once when its parent has ended; what the run had saved is there."""
    while os.getppid() == launcher:
        time.sleep(LOOK)
    os._exit(1)
