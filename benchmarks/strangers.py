"""Made-up pictures of what is no digit: letters, words, several digits, parts of digits, scribbles, shapes and blots.

A model's doubt is measured on them (doubt.py). What it is calibrated on is drawn otherwise (`glassnet.data.strangers`).
"""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import make_interp_spline
from scipy.ndimage import gaussian_filter, map_coordinates

__all__ = ["STRANGERS", "fonts"]

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
Random = np.random.Generator

LETTERS = "ACDEFGHJKLMNPQRTUVWXYabcdefhijkmnprtuvwxy?!&@%$#+*=<>"  # those that are also written as digits are left out
SIDE = 200


def fonts() -> list[str]:
    """Return fonts that come with matplotlib and have letters."""
    folder = Path(mpl.get_data_path(), "fonts", "ttf")
    return sorted(map(str, (*folder.glob("DejaVuSerif*.ttf"), *folder.glob("DejaVuSansMono*.ttf"))))


def _text(text: str, width: int, size: int, stroke: int, font: str) -> Image.Image:
    page = Image.new("L", (width, SIDE))
    shape = ImageFont.truetype(font, size)
    ImageDraw.Draw(page).text((width / 2, SIDE / 2), text, 255, shape, anchor="mm", stroke_width=stroke)
    return page


def letter(rng: Random, _digits: Images, faces: list[str]) -> Floats:
    """A letter, bent as a hand would."""
    face, stroke = faces[rng.integers(len(faces))], int(rng.integers(0, 5))
    page = _text(LETTERS[rng.integers(len(LETTERS))], SIDE, int(rng.integers(80, 130)), stroke, face)
    turned = np.asarray(page.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC), np.float64)
    reach = rng.uniform(0, 10)
    dy, dx = (gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 12) * 12 * reach for _ in range(2))
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray(map_coordinates(turned, [y + dy, x + dx], order=1, mode="nearest"))


def word(rng: Random, _digits: Images, faces: list[str]) -> Floats:
    """Two to five letters."""
    letters = "".join(LETTERS[at] for at in rng.integers(len(LETTERS), size=rng.integers(2, 6)))
    face, stroke = faces[rng.integers(len(faces))], int(rng.integers(0, 3))
    return np.asarray(_text(letters, 300, int(rng.integers(40, 80)), stroke, face), np.float64)


def scribble(rng: Random, _digits: Images, _faces: list[str]) -> Floats:
    """A long stroke to and fro."""
    count = int(rng.integers(6, 25))
    points = np.cumsum(rng.normal(0, 1, (count, 2)), 0) if rng.random() < 0.5 else rng.uniform(-1, 1, (count, 2))
    points = (points - points.min(0)) / np.ptp(points, 0) * rng.uniform(80, 160, 2) + 20
    smooth = make_interp_spline(np.linspace(0, 1, count), points, k=3)(np.linspace(0, 1, 12 * count))
    page = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(page).line([tuple(p) for p in smooth], 255, int(rng.integers(4, 16)), joint="curve")
    return np.asarray(page, np.float64)


def lines(rng: Random, _digits: Images, _faces: list[str]) -> Floats:
    """Straight lines that cross or don't."""
    page = Image.new("L", (SIDE, SIDE))
    for _ in range(rng.integers(2, 8)):
        ImageDraw.Draw(page).line([tuple(rng.uniform(20, 180, 2)) for _ in range(2)], 255, int(rng.integers(4, 16)))
    return np.asarray(page, np.float64)


def shape(rng: Random, _digits: Images, _faces: list[str]) -> Floats:
    """A rectangle, an ellipse, a polygon, or dots."""
    page = Image.new("L", (SIDE, SIDE))
    draw, width, corner = ImageDraw.Draw(page), int(rng.integers(4, 14)), rng.uniform(20, 90, 2)
    box = [*corner, *(corner + rng.uniform(50, 100, 2))]
    match rng.integers(5):
        case 0:
            draw.rectangle(box, fill=255)
        case 1:
            draw.rectangle(box, outline=255, width=width)
        case 2:
            draw.ellipse(box, fill=255)
        case 3:
            sides, turn = int(rng.integers(3, 8)), int(rng.integers(90))
            draw.regular_polygon((100, 100, 60), sides, turn, None if rng.random() < 0.5 else 255, 255, width)
        case _:
            for _ in range(rng.integers(2, 6)):
                corner = rng.uniform(20, 150, 2)
                draw.ellipse([*corner, *(corner + rng.uniform(8, 40, 2))], fill=255)
    return np.asarray(page, np.float64)


def blots(rng: Random, _digits: Images, _faces: list[str]) -> Floats:
    """A texture of any coarseness, in grays or in black and white."""
    grain: Floats = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), rng.uniform(3, 25))
    if rng.random() < 0.6:
        return np.where(grain > np.quantile(grain, rng.uniform(0.6, 0.95)), 255.0, 0.0)
    levels: Floats = 255 * (grain - grain.min()) / np.ptp(grain)
    return levels


def several(rng: Random, digits: Images, _faces: list[str]) -> Floats:
    """Two to seven digits side by side, apart or touching."""
    count = int(rng.choice([2, 2, 2, 3, 4, 5, 6, 7]))
    sheet, left = np.zeros((36, 28 * count + 20), np.uint8), 6
    for digit in digits[rng.integers(len(digits), size=count)]:
        cut = digit[:, digit.any(axis=0)]
        top = 4 + int(rng.integers(-3, 4))
        place = sheet[top : top + 28, left : left + cut.shape[1]]
        np.maximum(place, cut, out=place)
        left += cut.shape[1] + int(rng.integers(-4, 8))
    large = Image.fromarray(sheet).resize((4 * sheet.shape[1], 4 * len(sheet)), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float64)


def part(rng: Random, digits: Images, _faces: list[str]) -> Floats:
    """A third to two thirds of a digit."""
    digit = digits[rng.integers(len(digits))].copy()
    turned = np.rot90(digit, turn := int(rng.integers(4))).copy()
    rows = np.flatnonzero((turned > 60).any(axis=1))
    turned[rows[0] + round(len(rows) * rng.uniform(0.35, 0.65)) :] = 0
    back = np.ascontiguousarray(np.rot90(turned, -turn))
    return np.asarray(Image.fromarray(back).resize((140, 140), Image.Resampling.BICUBIC), np.float64)


STRANGERS: dict[str, Callable[[Random, Images, list[str]], Floats]] = {
    "letter": letter,
    "word": word,
    "scribble": scribble,
    "lines": lines,
    "shape": shape,
    "blots": blots,
    "several digits": several,
    "part of a digit": part,
}
"""Ink from 0 to 255 of each kind, made of digits (n, 28, 28) or letters in some fonts."""
