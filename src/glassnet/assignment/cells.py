"""The code of a submission's file, in cells."""

import json
import os
from pathlib import Path

from ..errors import FileError
from ..files import as_path, read_regular

__all__ = ["read_cells"]

LARGEST = 10 << 20  # bytes of a file: notebooks hold pictures
CODE = 1 << 20  # bytes of its code
CELL = 64  # bytes at least that a cell counts for


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
