"""The process in which a submission runs. It answers calls; what the answers mean is judged elsewhere.

It is started with two descriptors, for requests and for answers. The first request has the cells of the submission,
each with the name that errors call it by; each further one a function, its arguments, and settings for this call.
Output of the submission goes nowhere.
"""

import os
import random
import reprlib
import sys
import traceback
from itertools import count
from types import CodeType
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
    cells = [(name, source.tobytes().decode("utf-8", "surrogatepass")) for name, source in decode(read)]
    names: dict[str, Any] = {"__name__": "submission"}
    files = {name for name, _ in cells}
    _seed(0)
    answer(encode(_load(cells, files, names)))
    for number in count(1):
        function, arguments, settings = decode(read)
        _seed(number)
        own = {name: names[name] for name in settings if name in names}
        names.update(settings)
        answer(_call(names[function], arguments, files))
        names.update(own)


def _seed(number: int) -> None:
    """Let random numbers be the same in each check, also those of generators that a submission gives no seed."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002  # it is for those who use the legacy generator
    vars(numpy.random.bit_generator)["randbits"] = random.Random(number).getrandbits  # NumPy's source of entropy


def _load(cells: list[tuple[str, str]], files: set[str], names: dict[str, Any]) -> dict[str, Any]:
    """Run the cells in order, up to the first that fails; return which functions there are, and the error."""
    error = ""
    for name, source in cells:
        try:
            with np.errstate(all="ignore"):
                exec(_compiled(name, source), names)
        except BaseException as failure:  # noqa: BLE001  # sys.exit() as well
            error = _wording(failure, files)
            break
    functions = [name for name, value in names.items() if callable(value)]
    settings = {name: _shown(value) for name, value in names.items() if name.isupper()}
    return {"functions": functions, "settings": settings, "error": error}


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


def _call(function: Any, arguments: list[Any], files: set[str]) -> bytes:
    try:
        with np.errstate(all="ignore"):
            result = function(*map(_own, arguments))
            return encode({"result": list(result) if hasattr(result, "__next__") else result})
    except BaseException as failure:  # noqa: BLE001  # sys.exit() as well
        return encode({"error": _wording(failure, files)})


def _own(value: Any) -> Any:
    """Return arguments that the submission may write into."""
    if isinstance(value, list):
        return [_own(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def _wording(failure: BaseException, files: set[str]) -> str:
    """Return an error in one line, with the place in the submission that it comes from."""
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if frame.filename in files]
    place = f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
    name, text = (" ".join(words.split())[:300] for words in (type(failure).__name__, str(failure)))
    return f"{place}{name}{': ' if text else ''}{text}"
