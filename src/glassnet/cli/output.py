"""Output as aligned text, the same in a terminal and in a pipe."""

import json
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..training.history import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "command",
    "draw_images",
    "percent",
    "print_definitions",
    "print_facts",
    "print_json",
    "print_table",
    "printable",
    "require_ending",
    "require_png",
    "say",
    "shortened",
    "write_figure",
]

LONGEST = 32  # characters of a class's name in a table
SHADES = " .:-=+*#%@"
# All control characters but the line feed, and those that change the direction in which text is written.
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def command(*arguments: object) -> str:
    """Return a command of glassnet as it was called, quoted, so that it can be pasted as shown."""
    return shlex.join([*_called(), *map(str, arguments)])


def _called() -> list[str]:
    called = Path(sys.argv[0])
    if called.stem == "__main__":
        return ["python", "-m", "glassnet"]
    if called.is_absolute() and called.is_relative_to(Path.cwd()):
        called = called.relative_to(Path.cwd())
    if called.is_absolute() and shutil.which("glassnet") == str(called):
        return ["glassnet"]
    return [str(called)]


def printable(text: str) -> str:
    r"""Return text with control characters as ``\u001b``: the name of a file or class must not steer the terminal."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(line: str) -> None:
    """Print a line on standard error, so that standard output holds results alone."""
    print(printable(line), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a value as JSON for another program."""
    print(printable(json.dumps(value, ensure_ascii=False)))


def shortened(name: str) -> str:
    """Return the name of a class, cut where a table with it would be wider than a terminal."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def print_facts(facts: dict[str, Any]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, facts))
    for name, value in facts.items():
        print(printable(f"{name:<{width}}  {value}"))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under a header; the first column is flush left, all others flush right."""
    cells = [[printable(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        first, *others = (
            f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())


def print_definitions(words: dict[str, str]) -> None:
    """Print names and sentences in two columns, the sentences wrapped at 80 characters."""
    column = max(map(len, words)) + 2
    for name, sentence in words.items():
        print(textwrap.fill(sentence, 80, initial_indent=f"{name:<{column}}", subsequent_indent=" " * column))


def draw_images(images: Sequence[np.ndarray], width: int = 14) -> None:
    """Draw images side by side in letters, each ``width`` wide, as many as fit on a line of 80."""
    shown = [_shrunk(image, width) for image in images[: 80 // (width + 1)]]
    for lines in zip(*shown, strict=True):
        print(" ".join(lines).rstrip())


def require_png(plot: Path | None) -> None:
    """Refuse a figure's name that does not end in .png, before any work is done for it."""
    if plot is not None and plot.suffix.lower() != ".png":
        raise ConfigError(f"--plot {plot}: figures are PNG files; give a name that ends in .png")


def require_ending(flag: str, path: Path | None, end: str) -> None:
    """Refuse a file name without the right ending, so that no file of another kind is overwritten."""
    if path is not None and path.suffix != end:
        raise ConfigError(f"{flag} {path}: give a name that ends in {end}")


def write_figure(figure: "Figure", plot: Path) -> None:
    """Write a figure to a PNG file; raise FileError if it cannot be written."""
    from ..files import write_atomically
    from ..page import png

    write_atomically(plot, png(figure))


def _shrunk(image: np.ndarray, width: int) -> list[str]:
    """Return an image as lines of letters, half as many as columns since a letter is twice as high as wide."""
    from PIL import Image

    height = max(round(width * image.shape[0] / image.shape[1] / 2), 1)
    small = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX), np.int64)
    return ["".join(SHADES[v * (len(SHADES) - 1) // 255] for v in row) for row in small]
