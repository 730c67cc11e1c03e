"""Synthetic photos of handwritten digits: what phones, scanners and drawing programs do to a sheet of paper.

Each kind is a function of MNIST digits that returns gray values as a picture file would hold them. Widths, depths and
places are drawn from the generator, so that a kind is hundreds of different pictures.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter, maximum_filter
from scipy.special import expit

__all__ = ["KINDS", "line_of_digits"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.integer]
Random = np.random.Generator

SIDE = 560


def _strokes(digit: NDArray[np.uint8], side: int) -> Floats:
    """A digit's ink (side, side) from 0 to 1, with edges as sharp as a pen's."""
    large = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), np.float64) / 255
    return np.clip((large - 0.25) / 0.3, 0, 1)


def _sheet(digit: NDArray[np.uint8], rng: Random, smallest: float = 0.5, largest: float = 1.0) -> Floats:
    """A digit's ink somewhere on a sheet (SIDE, SIDE)."""
    side = round(SIDE * rng.uniform(smallest, largest))
    sheet = np.zeros((SIDE, SIDE))
    top, left = rng.integers(0, SIDE - side + 1, 2)
    sheet[top : top + side, left : left + side] = _strokes(digit, side)
    return sheet


def _photo(paper: Floats | float, ink: Floats, depth: float, rng: Random, noise: float = 3) -> Pixels:
    """Paper that reflects ``1 - depth`` of its light where there is ink, as a camera sees it."""
    light = paper * (1 - depth * ink)
    return np.clip(light + rng.normal(0, noise, ink.shape), 0, 255).astype(np.uint8)


def _side_of_a_line(rng: Random) -> Floats:
    """Distance in pixels from a line that crosses the middle third of the sheet."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j] * SIDE / 2
    return np.asarray(x * np.cos(angle) + y * np.sin(angle) + rng.uniform(-SIDE / 6, SIDE / 6))


def clean(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    ink = _sheet(digit, rng)
    return np.rint(255 * (ink if rng.random() < 0.5 else 1 - ink)).astype(np.uint8)


def _shadow(digit: NDArray[np.uint8], rng: Random, softness: tuple[float, float]) -> Pixels:
    lit = expit(_side_of_a_line(rng) / rng.uniform(*softness))
    dark = rng.uniform(0.4, 0.75)
    return _photo(rng.uniform(180, 230) * (dark + (1 - dark) * lit), _sheet(digit, rng), rng.uniform(0.65, 0.85), rng)


def hard_shadow(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    return _shadow(digit, rng, (0.3, 2))


def soft_shadow(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    return _shadow(digit, rng, (10, 40))


def frame(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """A dark frame, or a grid's line on one to four sides, straight or slightly askew."""
    page = Image.fromarray(np.rint(255 * (1 - _sheet(digit, rng, 0.5, 0.8))).astype(np.uint8))
    draw, tilt = ImageDraw.Draw(page), rng.integers(0, 7)
    sides = rng.permutation(4)[: rng.choice([1, 2, 4])]
    width = int(rng.integers(2, 20))
    last = SIDE - 1
    for side in sides:
        ends = [[(0, 0), (last, tilt)], [(0, last), (last, last - tilt)], [(0, 0), (tilt, last)]]
        draw.line([*ends, [(last, 0), (last - tilt, last)]][side], int(rng.integers(0, 60)), 2 * width)
    return np.asarray(page)


def _paper(digit: NDArray[np.uint8], rng: Random, squared: bool) -> Pixels:
    """Lines, or squares, in faint or full ink, turned by up to three degrees."""
    spacing, width = int(rng.integers(40, 160)), int(rng.integers(2, 6))
    lines = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw = ImageDraw.Draw(lines)
    for at in range(int(rng.integers(0, spacing)), 2 * SIDE, spacing):
        draw.line([(0, at), (2 * SIDE, at)], 255, width)
        if squared:
            draw.line([(at, 0), (at, 2 * SIDE)], 255, width)
    half = SIDE // 2
    turned = lines.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC).crop((half, half, half + SIDE, half + SIDE))
    ink = np.maximum(_sheet(digit, rng, 0.6, 0.95), np.asarray(turned) / 255 * rng.uniform(0.25, 1))
    return _photo(rng.uniform(200, 250), ink, rng.uniform(0.6, 0.9), rng)


def ruled(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    return _paper(digit, rng, squared=False)


def squared(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    return _paper(digit, rng, squared=True)


def sixteen_bits(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """Values from 0 to any number below 65,536, as cameras and microscopes leave them."""
    ink = _sheet(digit, rng)
    top = 2 ** rng.uniform(7, 16) - 1
    low = rng.uniform(0, 0.5) * top
    return np.rint(low + (top - low) * (ink if rng.random() < 0.5 else 1 - ink)).astype(np.uint16)


def uneven(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """A lamp at one side."""
    away = (_side_of_a_line(rng) + SIDE) / (2 * SIDE)
    return _photo(rng.uniform(60, 120) + 110 * away**2, _sheet(digit, rng), rng.uniform(0.6, 0.8), rng)


def bars(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """A photo that was padded to a square with bars of one gray."""
    width, upright = int(rng.integers(30, 120)), rng.random() < 0.5
    padded = np.full((SIDE, SIDE), rng.integers(0, 256), np.uint8)
    inside = slice(width, SIDE - width)
    if upright:
        padded[inside] = _photo(rng.uniform(180, 230), _sheet(digit, rng)[inside], 0.75, rng)
    else:
        padded[:, inside] = _photo(rng.uniform(180, 230), _sheet(digit, rng)[:, inside], 0.75, rng)
    return padded


def _thin(digit: NDArray[np.uint8], rng: Random, width: float) -> Floats:
    """The digit as a thin pen follows the middle of its strokes."""
    depth = distance_transform_edt(_sheet(digit, rng) > 0.5)
    middle = (depth > 2) & (depth >= maximum_filter(depth, 3) - 0.5)
    return np.clip(width - distance_transform_edt(~middle), 0, 1)


def thin_pen(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    return _photo(rng.uniform(200, 250), _thin(digit, rng, rng.uniform(2, 4)), rng.uniform(0.6, 0.9), rng)


def pencil(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """Thin, faint and grainy."""
    grain = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 1.5)
    ink = _thin(digit, rng, rng.uniform(3, 6)) * np.clip(0.8 + grain, 0.2, 1)
    return _photo(rng.uniform(200, 250), ink, rng.uniform(0.2, 0.4), rng)


def chalk(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """Light and broken on a dark board with smears."""
    smear = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 40)
    board = 50 + 12 * smear / smear.std()
    ink = _sheet(digit, rng) * np.clip(0.9 + gaussian_filter(rng.normal(0, 2, (SIDE, SIDE)), 1.5), 0.3, 1)
    return np.asarray(np.clip(board + 140 * ink + rng.normal(0, 4, ink.shape), 0, 255), np.uint8)


def colour(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """Ink of one colour on paper of another (SIDE, SIDE, 3)."""
    ink = _sheet(digit, rng)[..., None]
    while True:
        paper, pen = rng.integers(0, 256, (2, 3))
        if np.abs(paper - pen).max() > 100:
            shown = paper + (pen - paper) * ink + rng.normal(0, 3, (SIDE, SIDE, 3))
            return np.asarray(np.clip(shown, 0, 255), np.uint8)


def tight(digit: NDArray[np.uint8], rng: Random) -> Pixels:
    """Cut at the digit's own bounds."""
    ink = _strokes(digit, SIDE)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return _photo(220, ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], rng.uniform(0.5, 0.9), rng)


KINDS: dict[str, Callable[[NDArray[np.uint8], Random], Pixels]] = {
    "clean": clean,
    "hard shadow": hard_shadow,
    "soft shadow": soft_shadow,
    "frame": frame,
    "ruled paper": ruled,
    "squared paper": squared,
    "16 bits": sixteen_bits,
    "uneven light": uneven,
    "bars": bars,
    "thin pen": thin_pen,
    "pencil": pencil,
    "chalk": chalk,
    "colour": colour,
    "tight": tight,
}


def line_of_digits(digits: NDArray[np.uint8], rng: Random, gap: tuple[float, float] = (0.1, 0.5)) -> Pixels:
    """Digits from left to right on one sheet, with gaps between their ink in heights of a digit (below 0: overlaps)."""
    cut = [digit[:, digit.any(axis=0)] for digit in digits]
    scale = int(rng.integers(3, 7))
    width = round(28 * (1 + sum(each.shape[1] / 28 + max(gap) for each in cut)))
    sheet, left = np.zeros((56, width), np.uint8), 14
    for each in cut:
        top = 14 + int(rng.integers(-2, 3))
        place = sheet[top : top + 28, left : left + each.shape[1]]
        np.maximum(place, each, out=place)
        left += each.shape[1] + round(28 * rng.uniform(*gap))
    large = Image.fromarray(sheet).resize((width * scale, 56 * scale), Image.Resampling.BICUBIC)
    ink = np.clip((np.asarray(large) / 255 - 0.25) / 0.3, 0, 1)
    return _photo(rng.uniform(180, 250), ink, rng.uniform(0.5, 0.9), rng)
