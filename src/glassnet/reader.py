"""Reading all digits of a picture: which pieces of ink make a digit is what the network is surest of.

A line is taken apart into pieces, and every few neighbours are shown to the network as one digit. Of all ways to group
the line, that with the least cost is taken, by dynamic programming (as for cheques: LeCun, Bottou, Bengio and Haffner,
Gradient-based learning applied to document recognition, 1998, section V).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from .data import Preprocessing
from .data.dataset import Images
from .data.framing import frame_digit
from .data.grid import find_grid
from .data.layout import Layout, Piece, find_layout, line_height
from .doubt import THRESHOLD
from .nn.types import Array

__all__ = ["Digit", "Reading", "read_grid", "read_lines"]

_WIDEST = 1.4  # of a line's height: no digit is wider
_USUAL, _BROAD = 0.85, 5.5  # of a line's height: what is wider costs more, by this for as much as the line is high
_LEAST, _LOW = 0.75, 10.0  # of a line's height: so does what is lower
_ACROSS = 6.5  # cost of a cut for ink as high as the line along it
_JOIN, _APART = 0.7, 4.5  # cost of joining what stands apart at all, and by as much as the line is high
_UNSURE = 4.0  # the greatest cost of a doubtful digit
_SPACE = 0.8  # of a line's height: a number ends before a wider gap


class Recogniser(Protocol):
    """What is asked about single digits: a `glassnet.Model`."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]

    def predict_proba(self, images: Images) -> Array: ...

    def doubt(self, images: Images) -> Array | None: ...


@dataclass(frozen=True)
class Digit:
    """A digit that was read.

    Attributes:
        label: its class.
        probability: of that class.
        doubt: how little it is like a digit, from 0 to 1; None from a model that can't tell.
        box: left, top, right and bottom as fractions of the picture's width and height.
    """

    label: str
    probability: float
    doubt: float | None
    box: tuple[float, float, float, float]

    @property
    def is_doubtful(self) -> bool:
        """Whether it is not like a digit that the model knows: a doubt of more than 0.5."""
        return self.doubt is not None and self.doubt > THRESHOLD

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes by name, ready for JSON."""
        return vars(self) | {"box": [round(side, 4) for side in self.box]}


@dataclass(frozen=True)
class Reading:
    """What was read in a picture.

    Attributes:
        lines: from top to bottom, each of numbers from left to right, each of digits. A grid has a line for each row
            and a number for each cell, without digits where the cell is empty.
    """

    lines: tuple[tuple[tuple[Digit, ...], ...], ...]

    @property
    def digits(self) -> list[Digit]:
        """All digits, line by line."""
        return [digit for line in self.lines for number in line for digit in number]

    @property
    def numbers(self) -> list[list[str]]:
        """The numbers of each line as text, doubtful digits too; an empty cell is an empty one."""
        return [["".join(digit.label for digit in number) for number in line] for line in self.lines]

    def __str__(self) -> str:
        """Return a line for each, with question marks in place of doubtful digits and dots for empty cells."""
        return "\n".join(" ".join(map(_as_text, line)) for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the digits with their places, ready for JSON."""
        return {
            "numbers": self.numbers,
            "digits": [
                digit.to_dict() | {"line": i, "number": j}
                for i, line in enumerate(self.lines)
                for j, number in enumerate(line)
                for digit in number
            ],
        }


def _as_text(number: Sequence[Digit]) -> str:
    return "".join("?" if digit.is_doubtful else digit.label for digit in number) or "."


def read_lines(model: Recogniser, gray: Images, name: str) -> Reading:
    """Read the digits of a picture (H, W), line by line.

    Raises:
        DataError: it is blank, or shows too much.
    """
    layout = find_layout(gray, name)
    return Reading(tuple(_read_line(model, line, layout) for line in layout.lines))


def read_grid(model: Recogniser, gray: Images, rows: int, columns: int, name: str) -> Reading:
    """Read the digits in the cells of a grid on a picture (H, W).

    Raises:
        DataError: it is blank.
    """
    grid = find_grid(gray, rows, columns, name)
    cells = grid.digits()
    images = [frame_digit(depth, digit, model.preprocessing) for depth, digit in cells.values()]
    found = dict(zip(cells, _answers(model, images), strict=True))
    return Reading(
        tuple(
            tuple(
                (_digit(model, *found[at], grid.box(*at)),) if (at := (i, j)) in found else () for j in range(columns)
            )
            for i in range(rows)
        )
    )


Answer = tuple[Array, float | None]


def _answers(model: Recogniser, images: list[Images]) -> list[Answer]:
    """The probabilities (k,) of each image, and its doubt."""
    if not images:
        return []
    together = np.stack(images)
    doubts = model.doubt(together)
    return [(p, None if doubts is None else float(doubts[i])) for i, p in enumerate(model.predict_proba(together))]


def _digit(model: Recogniser, p: Array, doubt: float | None, box: tuple[float, float, float, float]) -> Digit:
    return Digit(model.classes[int(p.argmax())], float(p.max()), doubt, box)


def _read_line(model: Recogniser, line: list[Piece], layout: Layout) -> tuple[tuple[Digit, ...], ...]:
    height = line_height(line)
    joined = {
        (start, stop): reduce(Piece.joined, line[start:stop])
        for start in range(len(line))
        for stop in range(start + 1, len(line) + 1)
        if stop == start + 1 or line[stop - 1].right - line[start].left <= _WIDEST * height
    }
    images = [_framed(piece, layout, model.preprocessing) for piece in joined.values()]
    found = dict(zip(joined, _answers(model, images), strict=True))
    costs = {at: _cost(line[slice(*at)], joined[at], found[at], height) for at in joined}
    groups = _cheapest(costs, len(line))
    digits = [_digit(model, *found[at], layout.box(joined[at])) for at in groups]
    numbers: list[list[Digit]] = [[]]
    for at, digit, last in zip(groups, digits, [groups[0], *groups], strict=False):
        if joined[at].left - joined[last].right > _SPACE * height:
            numbers.append([])
        numbers[-1].append(digit)
    return tuple(map(tuple, numbers))


def _cheapest(costs: dict[tuple[int, int], float], length: int) -> list[tuple[int, int]]:
    """The groups of neighbours, each (start, stop), that together cover 0 … length at the least cost."""
    best = [(0.0, 0)]  # the least cost up to here, and where the last group begins
    for stop in range(1, length + 1):
        best.append(min((best[start][0] + cost, start) for (start, end), cost in costs.items() if end == stop))
    groups, stop = [], length
    while stop:
        groups.append((best[stop][1], stop))
        stop = best[stop][1]
    return groups[::-1]


def _cost(pieces: Sequence[Piece], whole: Piece, answer: Answer, height: float) -> float:
    """How unlikely it is that pieces are one digit."""
    p, doubt = answer
    cost = _unlikely(float(p.max())) + (0 if doubt is None else _unlikely(1 - doubt))
    cost += _ACROSS * pieces[0].cut
    cost += _BROAD * max(0.0, whole.width / height - _USUAL) + _LOW * max(0.0, _LEAST - whole.height / height)
    for one, other in pairwise(pieces):
        if not other.cut:
            is_low = min(one.height, other.height) < _LEAST * height
            cost += (0 if is_low else _JOIN) + _APART * max(0, other.left - one.right) / height
    return cost


def _unlikely(probability: float) -> float:
    return min(-float(np.log(max(probability, 1e-9))), _UNSURE)


def _framed(piece: Piece, layout: Layout, form: Preprocessing) -> Images:
    """A piece as a model gets it."""
    margin = 3  # pixels of the strokes' soft edges
    top, left = max(0, piece.top - margin), max(0, piece.left - margin)
    depth = layout.depth[top : piece.bottom + margin, left : piece.right + margin]
    mask = np.zeros(depth.shape, bool)
    mask[piece.top - top : piece.bottom - top, piece.left - left : piece.right - left] = piece.mask
    return frame_digit(depth, mask, form)
