"""Somebody's repaired page, and the processes in which it runs."""

import os
import select
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np

from ..errors import GlassnetError
from .wire import decode, encode

__all__ = ["CallError", "Program", "Submission"]

LINE = 600  # characters of an error
SETTING = 80  # characters of the value of a setting
SECONDS = 120.0  # for a whole submission
LOADING = 30.0  # seconds for the code outside of functions
RUNNING = 60.0  # seconds for the whole file as a program: as many as for `train`
LATE = 10.0  # seconds more: a process starts slowly on a busy machine, and then stops the code itself
STARTER = "import sys; sys.path[:0] = {paths}; from glassnet.assignment.worker import main; main({r}, {w})"
PATHS = [str(Path(__file__).parents[2]), str(Path(np.__file__).parents[1])]  # of glassnet and NumPy, and no others


class CallError(GlassnetError):
    """A function of a submission has failed, or has not come back."""


class Submission:
    """A submission in a process of its own, which is started again when it has ended.

    Args:
        cells: as `glassnet.assignment.cells.read_cells` returns them.
        files: by name, what it finds in the folder that it runs in.

    Attributes:
        functions: names of the functions that it defines.
        settings: its names in capitals, each with its value as `reprlib` writes it.
        error: what stopped it while it was loaded, or "".
        unenforced: what this machine cannot keep it from.
    """

    def __init__(self, cells: list[tuple[str, str]], files: Mapping[str, bytes] = MappingProxyType({})) -> None:
        self._cells = cells
        self._deadline = time.monotonic() + SECONDS
        self._folder = tempfile.TemporaryDirectory(prefix="glassnet-")
        for name, content in files.items():
            Path(self._folder.name, name).write_bytes(content)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: tuple[int, ...] = ()  # for requests, and for answers
        self._begun = 0.0  # when the code was sent
        self.functions: set[str] = set()
        self.settings: dict[str, str] = {}
        self.error = ""
        self.unenforced: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except CallError as error:
            self.error = str(error)
        except BaseException:  # Ctrl-C while it is loaded, or no process to be had
            self._end()
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._end()
        self._folder.cleanup()

    def call(
        self, function: str, *arguments: Any, seconds: float = 10.0, settings: Mapping[str, Any] | None = None
    ) -> Any:
        """Call one of its functions; lists and tuples come back as lists, arrays as arrays.

        Args:
            function: its name.
            *arguments: what it is called with.
            seconds: how long it may take.
            settings: values that some of the submission's names have during this call.

        Raises:
            CallError: it raised an exception, ended its process, took too long, or returned too much.
        """
        if self._process is None:
            self._start()
        reply = self._ask([function, list(arguments), dict(settings or {})], seconds)
        if not isinstance(reply, dict) or "result" not in reply:
            raise CallError(str(reply.get("error"))[:LINE] if isinstance(reply, dict) else "it did not return")
        return reply["result"]

    def _start(self) -> None:
        self._begin("submission", LOADING)
        self._finish(LOADING)

    def _begin(self, name: str, seconds: float) -> None:
        """Start a process in which the code runs as the module of this name, and do not wait for it."""
        asked, requests = os.pipe()
        answers, answered = os.pipe()
        self._pipes = requests, answers
        alike = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        alike["PYTHONHASHSEED"] = "0"  # the order of sets
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-B", "-c", STARTER.format(paths=PATHS, r=asked, w=answered)],
                cwd=self._folder.name,
                env=kept | alike,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(asked, answered),
                start_new_session=True,
            )
        finally:
            os.close(asked)
            os.close(answered)
        self._begun = time.monotonic()
        cells = [[cell, np.frombuffer(code.encode("utf-8", "surrogatepass"), np.uint8)] for cell, code in self._cells]
        self._send([name, seconds, cells], seconds)

    def _finish(self, seconds: float) -> None:
        """Wait until the code has run, for which it has so many seconds."""
        end = self._begun + seconds + LATE
        self.unenforced = [str(line) for line in self._receive(seconds, end)["missing"]]
        loaded = self._receive(seconds, end)
        names, settings = (loaded.get(key) if isinstance(loaded, dict) else None for key in ("functions", "settings"))
        if not isinstance(names, list) or not isinstance(settings, dict):
            raise CallError("it wrote into what its answers go through")
        self.functions = {name for name in names if isinstance(name, str)}
        self.settings = {name: value[:SETTING] for name, value in settings.items() if isinstance(value, str)}
        self.error = str(loaded.get("error"))[:LINE]

    def _ask(self, message: Any, seconds: float) -> Any:
        self._send(message, seconds)
        return self._receive(seconds, time.monotonic() + seconds)

    def _send(self, message: Any, seconds: float) -> None:
        data = memoryview(encode(message))
        end = time.monotonic() + seconds
        try:
            while data:
                self._wait(self._pipes[0], selectors.EVENT_WRITE, end, seconds)
                data = data[os.write(self._pipes[0], data[: select.PIPE_BUF]) :]
        except BrokenPipeError as error:
            raise self._ended() from error

    def _receive(self, seconds: float, end: float) -> Any:
        def read(count: int) -> bytes:
            parts = []
            while count:
                self._wait(self._pipes[1], selectors.EVENT_READ, end, seconds)
                part = os.read(self._pipes[1], min(count, 1 << 20))
                if not part:
                    raise self._ended()
                parts.append(part)
                count -= len(part)
            return b"".join(parts)

        try:
            return decode(read)
        except ValueError as error:
            self._end()
            raise CallError(f"it returned something too large, or that is not an answer ({error})") from error

    def _wait(self, pipe: int, event: int, end: float, seconds: float) -> None:
        left = min(end, self._deadline) - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            ready = selector.select(max(left, 0))
        if not ready:
            self._end()
            late = self._deadline < end
            raise CallError(
                f"the submission took longer than {SECONDS:.0f} s" if late else f"it took longer than {seconds:.0f} s"
            )

    def _ended(self) -> CallError:
        """Return the error that the process has ended, or that it answers no more."""
        process = self._process
        try:
            status = process.wait(1.0) if process else 0
        except subprocess.TimeoutExpired:
            self._end()
            return CallError("it closed what its answers go through")
        self._end()
        if status < 0:
            return CallError(f"its process was ended by signal {-status} (limits of time or memory, or a crash)")
        return CallError("it ended its process")

    def _end(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None
        for pipe in self._pipes:
            os.close(pipe)
        self._pipes = ()


class Program(Submission):
    """A submission that runs once from its first line to its last, as ``python repair.py`` does.

    This is in a process beside that in which functions are called, so nobody waits for it before `error_at_end`.
    """

    def _start(self) -> None:
        self._begin("__main__", RUNNING)

    def error_at_end(self) -> str:
        """Wait until it has come to its end, and return the error that stopped it, or ""."""
        if not self.error:
            try:
                self._finish(RUNNING)
            except CallError as error:
                self.error = str(error)
        return self.error
