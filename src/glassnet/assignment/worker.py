"""The process in which a submission runs. It answers calls; what the answers mean is judged elsewhere.

It is started with two descriptors, for requests and for answers. The first request has the name of the module that the
submission is, the seconds that its code may take, and its cells, each with the name that errors call it by. Each
further one has a function, its arguments, and settings for this call. Output of the submission goes nowhere.
"""

import os
import random
import reprlib
import signal
import sys
import traceback
from itertools import count
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np
import numpy.random

from .confine import confine
from .wire import decode, encode

__all__ = ["main"]


def main(requests: int, answers: int) -> None:
    """Answer until nobody asks any more."""
    missing = confine()
    for name in [name for name in sys.modules if name.partition(".")[0] == "glassnet"]:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it now fails: a submission needs NumPy alone

    def read(count: int) -> bytes:
        parts = []
        while count:
            part = os.read(requests, min(count, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def answer(message: bytes) -> None:
        data = memoryview(message)
        while data:
            data = data[os.write(answers, data) :]

    answer(encode({"missing": missing}))
    name, seconds, cells = decode(read)
    sources = {cell: source.tobytes().decode("utf-8", "surrogatepass") for cell, source in cells}
    sys.modules[name] = module = ModuleType(name)
    names = vars(module)
    _seed(0)
    answer(encode(_load(sources, names, seconds)))
    for number in count(1):
        function, arguments, settings = decode(read)
        _seed(number)
        own = {name: names[name] for name in settings if name in names}
        names.update(settings)
        answer(_call(names[function], arguments, sources))
        names.update(own)


def _seed(number: int) -> None:
    """Let random numbers be the same in each check, also those of generators that a submission gives no seed."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002  # it is for those who use the legacy generator
    vars(numpy.random.bit_generator)["randbits"] = random.Random(number).getrandbits  # NumPy's source of entropy


def _load(sources: dict[str, str], names: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Run the cells; return which functions there are then, and the error at which they stopped."""
    error = _run(sources, names, seconds)
    functions = [name for name, value in names.items() if callable(value)]
    settings = {name: _shown(value) for name, value in names.items() if name.isupper()}
    return {"functions": functions, "settings": settings, "error": error}


class _TooLongError(BaseException):
    """The time is over. It is not an `Exception`, which a submission might catch."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _TooLongError


def _run(sources: dict[str, str], names: dict[str, Any], seconds: float) -> str:
    """Run the cells in order, up to the first that fails or is running when the time is over; return the error."""
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    name = ""
    try:
        for name, source in sources.items():
            if name.lower().endswith(".py"):
                names["__file__"] = str(Path(name).absolute())
            with np.errstate(all="ignore"):
                exec(_compiled(name, source), names)
    except _TooLongError:
        return f"{name} took longer than {seconds:.0f} s"  # without a line: it would be another one each time
    except BaseException as failure:  # noqa: BLE001  # sys.exit() as well
        done = isinstance(failure, SystemExit) and names.get("__name__") == "__main__" and failure.code in (None, 0)
        return "" if done else _wording(failure, sources)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return ""


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except Exception:  # noqa: BLE001  # numbers of thousands of digits, and whatever a class of the submission does
        return type(value).__name__


def _compiled(name: str, source: str) -> CodeType:
    """Compile a file or a cell; a cell that is not Python, without %magic and !command. Line numbers stay."""
    try:
        return compile(source, name, "exec")
    except SyntaxError:
        if name.lower().endswith(".py"):
            raise
    lines = source.split("\n")
    return compile("\n".join("pass" if line.startswith(("%", "!", "?")) else line for line in lines), name, "exec")


def _call(function: Any, arguments: list[Any], sources: dict[str, str]) -> bytes:
    try:
        with np.errstate(all="ignore"):
            result = function(*map(_own, arguments))
            return encode({"result": list(result) if hasattr(result, "__next__") else result})
    except BaseException as failure:  # noqa: BLE001  # sys.exit() as well
        return encode({"error": _wording(failure, sources)})


def _own(value: Any) -> Any:
    """Return arguments that the submission may write into."""
    if isinstance(value, list):
        return [_own(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def _wording(failure: BaseException, sources: dict[str, str]) -> str:
    """Return an error in one line, with the place in the submission that it comes from."""
    name, text = (" ".join(words.split())[:300] for words in (type(failure).__name__, str(failure)))
    told = f"{name}{': ' if text else ''}{text}"
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if frame.filename in sources]
    if not frames:
        return told
    number = frames[-1].lineno or 0
    line = "".join(sources[frames[-1].filename].split("\n")[number - 1 : number]).strip()[:80]
    if line.startswith(("import ", "from ")):
        told = f"{line} failed ({told}); use only NumPy and Python's standard library"
    return f"{frames[-1].filename}, line {number}: {told}"
