"""The cells of a grid on a picture: a sudoku, a form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Images
from .framing import ink_of, reduced
from .ground import find_ink
from .strokes import drop_stray_parts, peel_lines

__all__ = ["Grid", "find_grid"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_CELL = 64  # pixels of a cell that is cut out
_SIDE = 1280  # pixels of a picture in which a grid is looked for
_COVERS = 0.3  # of the picture's area: a grid's lines enclose at least this; otherwise the whole picture is the grid
_EDGE = 10  # pixels of a cell along its sides, where the grid's lines may be
_LEAST = 30  # pixels of ink inside of these: fewer are specks
_LOW = 0.3  # of a cell's height: a digit is higher
_THICK = 0.12  # of a cell's side: the grid's lines are thinner
_MIDDLE = 0.3  # of a digit's ink: at least so much is not at the cell's sides


@dataclass(frozen=True)
class Grid:
    """A grid that lies on a picture, perhaps askew.

    Attributes:
        gray: (H, W), the picture.
        corners: (4, 2), x and y of the grid's corners as fractions of the picture's sides, clockwise from the top left.
        rows: how many.
        columns: how many.
    """

    gray: Images
    corners: NDArray[np.float64]
    rows: int
    columns: int

    def digits(self) -> dict[tuple[int, int], tuple[Floats, Mask]]:
        """Return the ink of each cell that is not empty, and which of it is a digit's, by row and column."""
        flat = self._flat()
        ink = find_ink(flat)
        found = {}
        for row, column in np.ndindex(self.rows, self.columns):
            at = np.s_[row * _CELL : (row + 1) * _CELL, column * _CELL : (column + 1) * _CELL]
            if (cell := _in_cell(flat[at], ink.mask[at])) is not None:
                found[row, column] = cell
        return found

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of a cell as fractions of the picture's sides."""
        flat = np.array([[0, 0], [self.columns, 0], [self.columns, self.rows], [0, self.rows]])
        a, b, c, d, e, f, g, h = _projection(flat, self.corners)
        x, y = np.array([[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]]).T
        scale = g * x + h * y + 1
        across, down = (a * x + b * y + c) / scale, (d * x + e * y + f) / scale
        return float(across.min()), float(down.min()), float(across.max()), float(down.max())

    def _flat(self) -> Floats:
        """The grid straightened, each of its cells a square."""
        from PIL import Image

        width, height = self.columns * _CELL, self.rows * _CELL
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        coefficients = _projection(corners, self.corners * self.gray.shape[::-1])
        picture = Image.fromarray(self.gray)
        kind, smooth = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
        return np.asarray(picture.transform((width, height), kind, tuple(coefficients), smooth), np.float32)


def find_grid(gray: Images, rows: int, columns: int, name: str) -> Grid:
    """Find the grid on a picture (H, W): its lines are the largest stroke.

    Where no stroke encloses a third of the picture, the whole picture is taken to be the grid.

    Raises:
        DataError: the picture is blank.
    """
    from scipy import ndimage

    mask = ink_of(reduced(gray, _SIDE), name).mask
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3), bool))
    boxes: Any = ndimage.find_objects(labels)  # of each label, all of which occur
    areas = [(down.stop - down.start) * (across.stop - across.start) for down, across in boxes]
    if max(areas) < _COVERS * mask.size:
        return Grid(gray, np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), rows, columns)
    y, x = np.nonzero(labels == 1 + int(np.argmax(areas)))
    furthest = [int(np.argmax(right * x + down * y)) for right, down in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    corners = np.stack([(x[furthest] + 0.5) / mask.shape[1], (y[furthest] + 0.5) / mask.shape[0]], axis=1)
    return Grid(gray, corners, rows, columns)


def _in_cell(gray: Floats, mask: Mask) -> tuple[Floats, Mask] | None:
    """The ink of a cell and where its digit is; None if it is empty, as the whole grid's ink and its own both show."""
    from scipy import ndimage

    inside = np.s_[_EDGE:-_EDGE, _EDGE:-_EDGE]
    if mask[inside].sum() < _LEAST:
        return None
    ink = find_ink(gray)
    if (ink.mask & mask)[inside].sum() < _LEAST:  # a halftone, whose dots are noise
        ink = find_ink(ndimage.gaussian_filter(gray, 1.5))
    if (ink.mask & mask)[inside].sum() < _LEAST:
        return None
    lines = ink.mask & ~peel_lines(ink.mask, _THICK)  # where a digit touches the grid's, they would be one part
    lines[inside] = False
    digit = drop_stray_parts(ink.mask & ~lines, ink.depth)
    is_low = np.ptp(np.flatnonzero(digit.any(axis=1))) < _LOW * _CELL
    if is_low or digit[inside].sum() < _MIDDLE * digit.sum():
        return None
    return ink.depth, digit


def _projection(source: NDArray[np.integer], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eight coefficients of the projection that takes four points to four others, as Pillow has them."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows, np.float64), np.array(values, np.float64))
