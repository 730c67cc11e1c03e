"""Where the digits of a picture are: its ink in pieces, in lines from top to bottom and from left to right.

A piece is ink that hangs together, or a part of it where digits may touch. Which neighbouring pieces make one digit is
left to who can recognise them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import Images
from .framing import ink_of, reduced
from .strokes import peel_lines, without_frame

__all__ = ["Layout", "Piece", "find_layout", "line_height"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIDE = 1280  # pixels of a picture in which digits are looked for: there may be many
_MOST = 500  # pieces: a picture of more is one of something else
_LOW = 0.25  # of the digits' height: what is smaller both ways is a speck
_HIGH = 2.5  # of the digits' height: what is higher is no digit
_TALL = 0.55  # of a line's height: lower pieces belong to others above or below them
_SAME_LINE = 0.4  # of the lower of two neighbours: they are in one line where so much of their heights overlaps
_WITHIN = 0.5  # of the narrower of two pieces: one is above the other where so much of their widths overlaps
_WIDE = 0.7  # of a line's height: wider ink may be several digits that touch
_NARROWEST = 0.15  # of a line's height: from one cut to the next


@dataclass(frozen=True)
class Piece:
    """A part of a line's ink.

    Attributes:
        mask: (height, width), which pixels of its box are its own.
        top, left: of its box, in the layout's pixels.
        cut: how much ink lies along its left side, as a fraction of the line's height; 0 where it stands apart.
    """

    mask: Mask
    top: int
    left: int
    cut: float = 0.0

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The first column right of it."""
        return self.left + self.width

    @property
    def height(self) -> int:
        """Rows of its box."""
        return len(self.mask)

    @property
    def width(self) -> int:
        """Columns of its box."""
        return len(self.mask.T)

    def joined(self, other: "Piece") -> "Piece":
        """Return both as one."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        mask = np.zeros((max(self.bottom, other.bottom) - top, max(self.right, other.right) - left), bool)
        for piece in (self, other):
            mask[piece.top - top : piece.bottom - top, piece.left - left : piece.right - left] |= piece.mask
        return Piece(mask, top, left, self.cut)


@dataclass(frozen=True)
class Layout:
    """The ink of a picture, line by line.

    Attributes:
        depth: (H, W), how far each pixel is from the ground.
        lines: the pieces of each line from left to right.
        place: where ``depth`` lies in the whole picture, and the size of that: top, left, height and width.
    """

    depth: Floats
    lines: list[list[Piece]]
    place: tuple[int, int, int, int]

    def box(self, piece: Piece) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of a piece as fractions of the whole picture's sides."""
        top, left, height, width = self.place
        across, down = (left + piece.left, left + piece.right), (top + piece.top, top + piece.bottom)
        return across[0] / width, down[0] / height, across[1] / width, down[1] / height


def find_layout(gray: Images, name: str) -> Layout:
    """Find the pieces of digits in a picture (H, W).

    Raises:
        DataError: it is blank, or a picture of something else: there are more than 500 pieces.
    """
    whole = reduced(gray, _SIDE)
    rows, columns = without_frame(whole)
    ink = ink_of(whole[rows, columns], name)
    lines = [_cut(_stacked(line)) for line in _lines(_parts(peel_lines(ink.mask), name))]
    return Layout(ink.depth, lines, (rows.start or 0, columns.start or 0, *whole.shape))


def line_height(line: Sequence[Piece]) -> float:
    """How high the digits of a line are: the median of its pieces, where low ones count less."""
    heights = np.sort([piece.height for piece in line])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def _parts(mask: Mask, name: str) -> list[Piece]:
    """The parts of the ink that hang together, without specks and what is far higher than the others."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, structure=np.ones((3, 3), bool))
    boxes: Any = ndimage.find_objects(labels)  # of each label, all of which occur
    least = max(3, max(mask.shape) // 100)
    found = [
        Piece(labels[box] == number, box[0].start, box[1].start)
        for number, box in enumerate(boxes, 1)
        if max(box[0].stop - box[0].start, box[1].stop - box[1].start) >= least
    ]
    if len(found) > _MOST:
        raise DataError(f"{len(found):,} separate strokes in {name}, too many for digits; crop closer")
    if not found:
        return []
    height = line_height(found)
    return [p for p in found if max(p.height, p.width) >= _LOW * height and p.height <= _HIGH * height]


def _lines(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces from left to right in lines from top to bottom; a line may rise or fall.

    A piece belongs to the line whose last digit it overlaps most. Low pieces, such as the bar of a 5, come last, and go
    to the line that is nearest.
    """
    if not pieces:
        return []
    height = line_height(pieces)
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.height < _TALL * height, piece.left)):
        is_low = piece.height < _TALL * height
        overlaps = [_overlap(piece, min(line, key=lambda other: abs(other.left - piece.left))) for line in lines]
        if overlaps and max(overlaps) >= (-_TALL * height / piece.height if is_low else _SAME_LINE):
            lines[int(np.argmax(overlaps))].append(piece)
        else:
            lines.append([piece])
    lines.sort(key=lambda line: float(np.mean([piece.top + piece.height / 2 for piece in line])))
    return [sorted(line, key=lambda piece: piece.left + piece.width / 2) for line in lines]


def _overlap(piece: Piece, other: Piece) -> float:
    """How much of the lower one's height both have in common; below 0 by how far they are apart."""
    common = min(piece.bottom, other.bottom) - max(piece.top, other.top)
    return common / min(piece.height, other.height)


def _stacked(line: list[Piece]) -> list[Piece]:
    """Join low pieces with those above or below them: a 5 and its bar, the parts of a broken stroke."""
    height = line_height(line)
    joined: list[Piece] = []
    for piece in line:
        last = joined[-1] if joined else None
        if last is not None and min(piece.height, last.height) < _TALL * height:
            overlap = min(piece.right, last.right) - max(piece.left, last.left)
            if overlap >= _WITHIN * min(piece.width, last.width):
                joined[-1] = last.joined(piece)
                continue
        joined.append(piece)
    return joined


def _cut(line: list[Piece]) -> list[Piece]:
    """Cut wide pieces where the least ink lies across: there digits may touch."""
    height = line_height(line)
    found: list[Piece] = []
    for piece in line:
        found += _parted(piece, height) if piece.width > _WIDE * height else [piece]
    return found


def _parted(piece: Piece, height: float) -> list[Piece]:
    from scipy import ndimage

    ink = piece.mask.sum(axis=0)
    reach = max(1, round(_NARROWEST * height))
    smooth = ndimage.uniform_filter1d(ink.astype(np.float64), max(1, reach // 4))
    lows = np.flatnonzero(smooth == ndimage.minimum_filter1d(smooth, 2 * reach + 1))
    cuts = [0]
    for low in lows[(lows >= reach) & (lows <= piece.width - reach)]:
        if low - cuts[-1] >= reach:
            cuts.append(int(low))
    parts = []
    for start, stop in zip(cuts, [*cuts[1:], piece.width], strict=True):
        rows = np.flatnonzero(piece.mask[:, start:stop].any(axis=1))
        mask = piece.mask[rows[0] : rows[-1] + 1, start:stop]
        across = float(ink[start] / height) if start else piece.cut
        parts.append(Piece(mask, piece.top + int(rows[0]), piece.left + start, max(across, 1e-6) if start else across))
    return parts
