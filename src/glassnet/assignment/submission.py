"""Somebody's repaired page: its file, and the process in which it runs."""

import json
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
from typing import Any

import numpy as np

from ..errors import FileError, GlassnetError
from ..files import as_path, read_regular
from .wire import decode, encode

__all__ = ["CallError", "Submission", "read_cells"]

LARGEST = 10 << 20  # bytes of a file: notebooks hold pictures
CODE = 1 << 20  # bytes of its code
CELL = 64  # bytes at least that a cell counts for
LINE = 600  # characters of an error
SETTING = 80  # characters of the value of a setting
SECONDS = 120.0  # for a whole submission
STARTER = "import sys; sys.path[:0] = {paths}; from glassnet.assignment.worker import main; main({r}, {w})"
PATHS = [str(Path(__file__).parents[2]), str(Path(np.__file__).parents[1])]  # of glassnet and NumPy, and no others


class CallError(GlassnetError):
    """A function of a submission has failed, or has not come back."""


def read_cells(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Return the code of a ``.py`` or ``.ipynb`` file in cells, each with the name that errors call it by.

    Raises:
        FileError: it cannot be read, is something else, a link, or is too large.
    """
    path = as_path(path)
    cells = _cells(path)
    if sum(len(code.encode("utf-8", "surrogatepass")) + CELL for _, code in cells) > CODE:
        raise FileError(f"{path}: more than {CODE >> 20} MiB of code; a submission is a page of it, so remove the rest")
    return cells


def _cells(path: Path) -> list[tuple[str, str]]:
    if path.suffix.lower() not in (".py", ".ipynb"):
        raise FileError(f"{path}: a submission is a .py or .ipynb file")
    if path.is_symlink():  # as an archive may hold one, to the solution or a file that is nobody's to hand in
        raise FileError(f"{path}: a link to another file; hand in the file itself")
    try:
        text = read_regular(path, LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not text in UTF-8, so not Python; hand in the file that was edited") from error
    if path.suffix.lower() == ".py":
        return [(path.name, text)]
    try:
        cells = json.loads(text)["cells"]
        codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileError(f"{path}: not a Jupyter notebook of format 4; save it again in Jupyter") from error
    return [(f"cell {number}", code) for number, code in enumerate(codes, 1)]


class Submission:
    """A submission in a process of its own, which is started again when it has ended.

    Args:
        cells: as `read_cells` returns them.
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
        self.functions: set[str] = set()
        self.settings: dict[str, str] = {}
        self.error = ""
        self.unenforced: list[str] = []

    def __enter__(self) -> "Submission":
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
        self.unenforced = [str(line) for line in self._receive(30.0)["missing"]]
        sources = [np.frombuffer(code.encode("utf-8", "surrogatepass"), np.uint8) for _, code in self._cells]
        loaded = self._ask([[name, source] for (name, _), source in zip(self._cells, sources, strict=True)], 30.0)
        names, settings = (loaded.get(key) if isinstance(loaded, dict) else None for key in ("functions", "settings"))
        if not isinstance(names, list) or not isinstance(settings, dict):
            raise CallError("it wrote into what its answers go through")
        self.functions = {name for name in names if isinstance(name, str)}
        self.settings = {name: value[:SETTING] for name, value in settings.items() if isinstance(value, str)}
        self.error = str(loaded.get("error"))[:LINE]

    def _ask(self, message: Any, seconds: float) -> Any:
        data = memoryview(encode(message))
        end = time.monotonic() + seconds
        try:
            while data:
                self._wait(self._pipes[0], selectors.EVENT_WRITE, end, seconds)
                data = data[os.write(self._pipes[0], data[: select.PIPE_BUF]) :]
        except BrokenPipeError as error:
            raise self._ended() from error
        return self._receive(seconds)

    def _receive(self, seconds: float) -> Any:
        end = time.monotonic() + seconds

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
