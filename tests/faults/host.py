"""Commands in processes of their own, in which an operation on a file kills or fails."""

import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

HANG = 120  # seconds after which a command hangs
LAYOUT = struct.Struct("lll1000s")  # of the shim's state

SHIM = Path(__file__).with_name("shim.c")


class Ended(NamedTuple):
    """How a command ended."""

    code: int  # negative: the signal that killed it
    text: str  # all that it printed
    hung: bool
    operations: int  # on files below its root

    @property
    def is_traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.text


class Machine:
    """Runs commands of glassnet in forked processes, which have everything imported.

    The process that makes it must have been started by `begin_again`, and have no threads.
    """

    def __init__(self) -> None:
        self._file = Path(os.environ["FAULT_STATE"]).open("r+b")  # noqa: SIM115  # it stays mapped
        self._state = mmap(self._file.fileno(), LAYOUT.size)

    def run(self, work: Callable[[], int], root: Path, at: int = 0, error: int = 0, seconds: float = HANG) -> Ended:
        """Do work in a process of its own.

        Args:
            work: returns the exit status.
            root: the folder on whose files operations are counted; the process works there.
            at: which operation kills or fails; 0 for none.
            error: what it fails with; 0 kills.
            seconds: after which it hangs, and is killed.
        """
        with tempfile.TemporaryFile() as output:
            self._state[:] = LAYOUT.pack(0, at, error, f"{root.resolve()}/".encode())
            child = os.fork()
            if not child:
                _be_child(work, root, output.fileno())
            code, hung = _wait(child, seconds)
            operations = LAYOUT.unpack(self._state[:])[0]
            self._state[:] = bytes(LAYOUT.size)
            output.seek(0)
            return Ended(code, output.read().decode(errors="replace"), hung, operations)


def _be_child(work: Callable[[], int], root: Path, output: int) -> None:
    code = 70
    try:
        os.setsid()
        os.chdir(root)
        for stream in (1, 2):
            os.dup2(output, stream)
        code = work()
    except BaseException:  # noqa: BLE001  # whatever it is, it is what this is about
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(child: int, seconds: float) -> tuple[int, bool]:
    """Return how a process ended, and whether it was killed for hanging."""
    descriptor = os.pidfd_open(child)
    ended = select.select([descriptor], [], [], seconds)[0]
    os.close(descriptor)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # itself, where it hangs, and what it had started
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), not ended


def begin_again(command: Sequence[str]) -> int:
    """Start this Python once more, with the shim preloaded and without threads; return how it ended."""
    memory = Path("/dev/shm")  # where an fsync takes no time
    place = Path(tempfile.mkdtemp(prefix="glassnet-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        shim, state = place / "shim.so", place / "state"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, SHIM, "-ldl"], check=True)
        state.write_bytes(bytes(LAYOUT.size))
        alone = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        told = {"LD_PRELOAD": str(shim), "FAULT_STATE": str(state), "TMPDIR": str(place)}
        told |= {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # large pages: a fork is quicker
        return subprocess.run([sys.executable, *command], env=os.environ | alone | told, check=False).returncode
    finally:
        shutil.rmtree(place, ignore_errors=True)
